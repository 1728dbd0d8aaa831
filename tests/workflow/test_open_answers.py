import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.data.row_names import row_names
from tutelage.data.table_file import TableFile
from tutelage.softlabels.folder import LabelFolder
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.recording import record
from tutelage.workflow.open_answers import ColumnTeacher, SourceOptions, columns_known_to, in_columns_of, open_answers

FRAME = pd.DataFrame({"a": np.arange(8.0), "b": np.arange(8.0) ** 2, "y": list("nnnnyyyy")})


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    FRAME.to_parquet("rows.parquet")
    skops.io.dump(LogisticRegression().fit(FRAME[["a", "b"]], FRAME["y"]), "line.skops")
    return TableFile.open(tmp_path / "rows.parquet", truth=["y"])


def test_a_model_file_a_recording_and_a_log_are_opened_by_name(data):
    teacher = open_answers("line.skops", data, SourceOptions())
    rows = data.rows()
    answers = teacher.answer(rows.part(0, 8))
    record(teacher, rows, "labels")
    recording = open_answers("labels", data, SourceOptions())
    assert isinstance(recording, LabelFolder)
    assert recording.fingerprint == teacher.fingerprint
    np.testing.assert_array_equal(recording.answer(rows.part(0, 8)), answers)
    pd.DataFrame(answers, columns=["n", "y"]).to_csv("log.csv", index=False)
    log = open_answers("log.csv", data, SourceOptions(kind="probabilities", answers=("n", "y")))
    np.testing.assert_allclose(log.answer(rows.part(2, 5)), answers[2:5])


@pytest.mark.parametrize("columns", [("a", "b"), ("a", "b", "y")])
def test_a_recording_is_queried_with_its_recorded_columns(columns, data):
    labels = record(open_answers("line.skops", data, SourceOptions()), data.rows_of(columns), "labels")
    assert columns_known_to(labels, data) == columns


def test_a_recording_names_its_columns(data, tmp_path):
    labels = record(open_answers("line.skops", data, SourceOptions()), data.rows_of(["b", "a"]), "labels")
    assert labels.schema.names == open_answers("labels", data, SourceOptions()).schema.names == ("b", "a")
    wide = FRAME.assign(more=1.5)[["more", "a", "b", "y"]]
    wide.to_csv("wide.csv", index=False)
    assert columns_known_to(labels, TableFile.open(tmp_path / "wide.csv")) == ("b", "a")
    wide.drop(columns="b").to_csv("narrow.csv", index=False)
    with pytest.raises(LabelMismatch, match=r"recorded on the column 'b', which .*narrow.csv lacks"):
        columns_known_to(labels, TableFile.open(tmp_path / "narrow.csv"))


@pytest.mark.parametrize(("text", "drop"), [("t", ()), (None, ("t", "l"))])
def test_answers_to_some_rows_are_not_looked_for_in_columns_of_lists(text, drop, tmp_path):
    frame = pd.DataFrame({"t": list("abcd"), "a": [1.0, 2, 3, 4], "l": [[1, 2]] * 4})
    frame.to_parquet(tmp_path / "rows.parquet")
    file = TableFile.open(tmp_path / "rows.parquet", text=text, drop=drop)
    some = frame["t"].tolist()[:2] if text else frame[["a"]][:2]
    labels = SoftLabels(np.ones((2, 1)), AnswerForm("values", "regression"), row_names(some), "somebody")
    assert columns_known_to(labels, file) == file.features


def test_a_teacher_receives_the_columns_that_it_stores_in_its_order(data, tmp_path):
    teacher = open_answers("line.skops", data, SourceOptions())
    FRAME.assign(more=1.5)[["more", "b", "a"]].to_csv("wide.csv", index=False)
    assert columns_known_to(teacher, TableFile.open(tmp_path / "wide.csv")) == ("a", "b")
    assert columns_known_to(teacher, TableFile.open(tmp_path / "wide.csv", drop=["a"])) == ("a", "b")  # the student does without it
    with pytest.raises(
        BadInput, match=r"text= names 'more', whose texts would be the rows, and the teacher reads the columns 'a', 'b'; leave"
    ):
        columns_known_to(teacher, TableFile.open(tmp_path / "wide.csv", text="more"))
    with pytest.raises(BadInput, match=r"fitted on rows with the column 'b', the ground truth, and expects it"):
        columns_known_to(teacher, TableFile.open(tmp_path / "wide.csv", truth=["b"]))
    FRAME[["a"]].assign(more=1.5).to_csv("narrow.csv", index=False)
    assert columns_known_to(teacher, TableFile.open(tmp_path / "narrow.csv")) == ("a", "more")


def test_a_teacher_without_names_that_reads_a_dropped_column_is_told_the_way_round(data, tmp_path):
    (tmp_path / "by_b.py").write_text("import numpy as np\ndef ask(rows):\n    return np.c_[rows['a'], rows['b']] / 100\n")
    options = SourceOptions(kind="logits", classes=("n", "y"))
    dropped = TableFile.open(tmp_path / "rows.parquet", truth=["y"], drop=["b"])
    teacher = open_answers("by_b:ask", dropped, options)
    rows = dropped.rows_of(columns_known_to(teacher, dropped)).part(0, 8)
    with pytest.raises(BadInput, match=r"cannot take these rows \('b'\). by_b:ask stores no names .* dropped \('b'\). If .* without drop="):
        teacher.answer(rows)
    recorded = record(open_answers("by_b:ask", data, options), data.rows(), "labels")
    again = open_answers("labels", dropped, SourceOptions())
    assert columns_known_to(again, dropped) == ("a", "b")
    assert len(recorded) == 8
    with pytest.raises(BadInput, match=r"cannot take these rows \(.*\)\.$"):
        open_answers("by_b:ask", data, options).answer(data.rows_of(["a"]).part(0, 8))  # nothing is dropped
    assert columns_known_to(open_answers("line.skops", dropped, SourceOptions()), dropped) == ("a", "b")  # it stores its names


@pytest.mark.parametrize("source", ["labels", "index.skops"])
def test_a_column_that_a_recording_or_a_model_names_is_no_row_index(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"index": np.arange(8.0)[::-1], "a": np.arange(8.0)})
    model = LogisticRegression().fit(frame, FRAME["y"])
    skops.io.dump(model, "index.skops")
    record(model, frame, "labels")
    pd.DataFrame({"index": np.arange(8), "a": np.arange(8.0)[::-1]}).to_csv("rows.csv", index=False)
    data = TableFile.open(tmp_path / "rows.csv")
    assert data.features == ("a",)
    teacher = open_answers(source, data, SourceOptions())
    known = in_columns_of(teacher, data)
    assert columns_known_to(teacher, known) == ("index", "a")
    np.testing.assert_array_equal(teacher.answer(known.rows().part(0, 8)), model.predict_proba(known.rows().part(0, 8)))
    assert in_columns_of(None, data) is data


def test_a_recording_is_queried_in_its_types_and_a_model_converts_itself(data, tmp_path):
    rows = FRAME.assign(a=FRAME["a"].map("{:02.0f}".format))[["a", "b"]]
    labels = record(open_answers("line.skops", data, SourceOptions()), rows)
    FRAME[["b", "a"]].astype(int).to_csv("numbers.csv", index=False)
    numbers = TableFile.open(tmp_path / "numbers.csv")
    assert in_columns_of(labels, numbers).source.types["a"] == "text"
    assert in_columns_of(open_answers("line.skops", data, SourceOptions()), numbers).source is numbers.source


def test_a_column_teacher_receives_only_its_columns(data):
    teacher = open_answers("line.skops", data, SourceOptions())
    labels = record(teacher, FRAME[["a", "b"]].to_numpy())
    by_column = ColumnTeacher(labels, ("a", "b"), False, labels.form, labels.fingerprint)
    np.testing.assert_array_equal(by_column.answer(FRAME), teacher.answer(FRAME[["a", "b"]]))
    with pytest.raises(LabelMismatch):
        labels.answer(FRAME)


def test_any_exception_of_a_teacher_becomes_an_error_that_names_it(data, tmp_path):
    (tmp_path / "odd_guesses.py").write_text("def ask(rows):\n    raise KeyError('spam')\n")
    teacher = open_answers("odd_guesses:ask", data, SourceOptions(kind="probabilities", classes=("a", "b")))
    with pytest.raises(BadInput, match=r"spam"):
        teacher.answer(FRAME)
    (tmp_path / "no_python.py").write_text("this is no Python")
    with pytest.raises(BadInput, match=r"the module of no_python:x cannot be imported \(SyntaxError: .*mend it"):
        open_answers("no_python:x", data, SourceOptions())


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("line.skops", SourceOptions(answers=("y",)), "answers= does not apply to the teacher line.skops"),
        ("line.skops", SourceOptions(kind="votes"), "kind= is 'votes', which is only for logs of answers"),
        ("rows.parquet", SourceOptions(), "is a log of answers, which does not declare its kind"),
        ("rows.parquet", SourceOptions(kind="votes"), "pass answers="),
        ("rows.parquet", SourceOptions(kind="votes", answers=("y",), content=("a",), id_column="a"), "not both"),
        ("log.csv", SourceOptions(kind="votes", answers=("y",), teacher_version="2"), "teacher_version= does not apply to the log log.csv"),
        (".", SourceOptions(classes=("a", "b")), "classes= does not apply to the recording"),
        (".", SourceOptions(), "holds no recorded answers"),
    ],
)
def test_missing_and_inapplicable_options_are_refused(name, options, match, data):
    with pytest.raises(BadInput, match=match):
        open_answers(name, data, options)


@pytest.mark.parametrize("other", ["00501,y,None\n", ""], ids=["same types", "other types"])
def test_categories_and_classes_of_a_teacher_are_no_gaps(other, data, tmp_path):
    rows = pd.DataFrame({"zip": ["00501", "10115", "75001", "00501"], "c": ["NA", "x", None, "y"]})
    levels = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["zip", "c"]))
    skops.io.dump(make_pipeline(levels, LogisticRegression()).fit(rows, ["None", "Low", "None", "Low"]), "levels.skops")
    (tmp_path / "new.csv").write_text("zip,c,y\n10115,NA,None\n75001,null,NA\n" + other)
    teacher, file = open_answers("levels.skops", data, SourceOptions()), TableFile.open(tmp_path / "new.csv", truth=["y"])
    for found in (in_columns_of(teacher, file), in_columns_of(teacher, file.sibling(tmp_path / "new.csv"))):
        assert found.values("c", gaps=True).tolist()[:2] == ["NA", None]
        assert found.truth_values(gaps=True).tolist()[:2] == ["None", None]
    pd.read_csv(tmp_path / "new.csv", dtype=str, keep_default_na=False)[["zip", "c"]].to_csv("rows.csv", index=False)
    labels = record(teacher.teacher, tmp_path / "rows.csv")  # the rows of a path are those of the command line
    assert labels.share_known(in_columns_of(teacher, file).rows().part(0, 2)) == 1
    assert [column.literals for column in labels.schema.columns] == [(), ("NA",)]
