import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.data.table_file import TableFile
from tutelage.softlabels.folder import LabelFolder
from tutelage.softlabels.recording import record
from tutelage.workflow.open_answers import ColumnTeacher, SourceOptions, columns_known_to, open_answers

FRAME = pd.DataFrame({"a": np.arange(8.0), "b": np.arange(8.0) ** 2, "y": list("nnnnyyyy")})


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    FRAME.to_parquet("rows.parquet")
    skops.io.dump(LogisticRegression().fit(FRAME[["a", "b"]], FRAME["y"]), "line.skops")
    return TableFile.open(tmp_path / "rows.parquet", truth=["y"])


def test_a_file_a_recording_and_a_log_open_by_name(data):
    teacher = open_answers("line.skops", data, SourceOptions())
    rows = data.rows()
    said = teacher.answer(rows.part(0, 8))
    record(teacher, rows, "labels")
    recording = open_answers("labels", data, SourceOptions())
    assert isinstance(recording, LabelFolder)
    assert recording.fingerprint == teacher.fingerprint
    np.testing.assert_array_equal(recording.answer(rows.part(0, 8)), said)
    pd.DataFrame(said, columns=["n", "y"]).to_csv("log.csv", index=False)
    log = open_answers("log.csv", data, SourceOptions(kind="probabilities", answers=("n", "y")))
    np.testing.assert_allclose(log.answer(rows.part(2, 5)), said[2:5])


@pytest.mark.parametrize("shown", [("a", "b"), ("a", "b", "y")])
def test_recorded_rows_are_known_by_the_columns_they_were_recorded_with(shown, data):
    labels = record(open_answers("line.skops", data, SourceOptions()), data.rows_of(shown), "labels")
    assert columns_known_to(labels, data) == shown


def test_a_reading_teacher_sees_its_own_columns_of_wider_rows(data):
    teacher = open_answers("line.skops", data, SourceOptions())
    labels = record(teacher, data.rows(), "labels")
    reading = ColumnTeacher(labels, ("a", "b"), False, labels.form, labels.fingerprint)
    np.testing.assert_array_equal(reading.answer(FRAME), teacher.answer(FRAME[["a", "b"]]))
    with pytest.raises(LabelMismatch):
        labels.answer(FRAME)


def test_whatever_a_teacher_raises_is_a_sentence_that_names_it(data, tmp_path):
    (tmp_path / "odd_guesses.py").write_text("def ask(rows):\n    raise KeyError('spam')\n")
    teacher = open_answers("odd_guesses:ask", data, SourceOptions(kind="probabilities", classes=("a", "b")))
    with pytest.raises(BadInput, match=r"spam"):
        teacher.answer(FRAME)
    (tmp_path / "no_python.py").write_text("this is no Python")
    with pytest.raises(BadInput, match="no_python:x cannot be opened as a teacher"):
        open_answers("no_python:x", data, SourceOptions())


@pytest.mark.parametrize(
    ("name", "told", "match"),
    [
        ("line.skops", SourceOptions(answers=("y",)), "the teacher line.skops has no use for answers="),
        ("line.skops", SourceOptions(kind="votes"), "votes are what a log of answers holds"),
        ("rows.parquet", SourceOptions(), "is a log of answers and cannot say what its numbers are"),
        ("rows.parquet", SourceOptions(kind="votes"), "pass answers="),
        ("rows.parquet", SourceOptions(kind="votes", answers=("y",), content=("a",), id_column="a"), "not both"),
        (".", SourceOptions(classes=("a", "b")), "has no use for classes="),
        (".", SourceOptions(), "holds no recorded answers"),
    ],
)
def test_what_is_missing_or_has_no_use_is_told(name, told, match, data):
    with pytest.raises(BadInput, match=match):
        open_answers(name, data, told)
