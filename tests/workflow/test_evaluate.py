import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput
from tutelage.core.running.stages import Stages
from tutelage.data.row_names import row_names
from tutelage.data.schema import Column, Schema
from tutelage.data.table_file import TableFile
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.recording import record
from tutelage.workflow.evaluate import measure, open_answer_source, rows_to_measure
from tutelage.workflow.open_answers import SourceOptions
from tutelage.workflow.train import TrainingSpec, open_trained, train

RNG = np.random.default_rng(0)
FORM = AnswerForm("probabilities", "binary", ("n", "y"))


def frame(rows):
    return pd.DataFrame({"id": np.arange(rows), "a": RNG.normal(size=rows), "b": RNG.normal(size=rows), "y": RNG.choice(["n", "y"], rows)})


@pytest.fixture
def student(tmp_path, monkeypatch):
    """A student that reads only b, trained on a teacher that reads a and b."""
    monkeypatch.chdir(tmp_path)
    rows = frame(50)
    rows.to_parquet("rows.parquet")
    answers = RNG.dirichlet(np.ones(2), 50)
    labels = record(SoftLabels(answers, FORM, row_names(rows[["a", "b"]]), "somebody"), rows[["a", "b"]], "labels")
    file = TableFile.open(tmp_path / "rows.parquet", truth=["y"], drop=["id", "a"])
    train(TrainingSpec("tree"), labels, file, out=tmp_path / "run", stages=Stages())
    return open_trained(tmp_path / "run")


def test_options_default_to_those_of_training(student, tmp_path):
    frame(30).to_csv("test.csv", index=False)
    file = rows_to_measure(student[1], tmp_path / "test.csv")
    assert (file.truth, file.drop) == (("y",), ("id", "a"))
    frame(30)[["b"]].to_csv("blind.csv", index=False)
    blind = rows_to_measure(student[1], tmp_path / "blind.csv")
    assert (blind.truth, blind.drop) == ((), ())


def test_teacher_and_student_each_receive_their_columns(student, tmp_path):
    rows = frame(30)
    rows.to_csv("test.csv", index=False)
    file = rows_to_measure(student[1], tmp_path / "test.csv", drop=["id"])
    (tmp_path / "by_a.py").write_text(
        "import numpy as np\ndef ask(rows):\n    assert list(rows.columns) == ['a', 'b']\n    p = 1 / (1 + np.exp(-rows['a']))\n"
        "    return np.c_[1 - p, p]\n"
    )
    teacher = open_answer_source(file, labels=None, teacher="by_a:ask", options=SourceOptions(kind="probabilities", classes=("n", "y")))
    evaluation = measure(*student, file, teacher)
    assert evaluation.student == "tree"
    assert evaluation.rows == 30
    assert evaluation.cost.size_of == "file"
    assert evaluation.row_answers().teacher[:, 1] == pytest.approx(1 / (1 + np.exp(-rows["a"])))
    np.testing.assert_array_equal(evaluation.row_answers().student, student[0].answer(rows[["b"]]))


@pytest.mark.parametrize("teacher", [None, "recording", "by_a:ask"])
def test_columns_that_nobody_reads_may_hold_lists(teacher, student, tmp_path):
    rows = frame(30)
    rows.assign(notes=[["x", "y"]] * 30).to_parquet("test.parquet")
    record(SoftLabels(RNG.dirichlet(np.ones(2), 30), FORM, row_names(rows[["a"]]), "somebody"), rows[["a"]], "recording")
    (tmp_path / "by_a.py").write_text("import numpy as np\ndef ask(rows):\n    return np.eye(2)[(rows['a'] > 0).astype(int)]\n")
    file = rows_to_measure(student[1], tmp_path / "test.parquet", drop=["id", "notes"])
    given = SourceOptions() if teacher != "by_a:ask" else SourceOptions(kind="probabilities", classes=("n", "y"))
    source = open_answer_source(file, labels=None, teacher=teacher, options=given)
    np.testing.assert_array_equal(measure(*student, file, source).row_answers().student, student[0].answer(rows[["b"]]))
    if teacher == "by_a:ask":  # reads all columns that are not dropped
        with pytest.raises(BadInput, match="column 'notes' holds values of type list"):
            measure(*student, rows_to_measure(student[1], tmp_path / "test.parquet", drop=["id"]), source)


def test_texts_alone_are_measured_against_a_teacher(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = ["good", "bad", "good day", "bad day"] * 5
    pd.DataFrame({"text": texts}).to_csv("rows.csv", index=False)
    labels = record(SoftLabels(np.eye(2)[[1, 0] * 10], FORM, row_names(texts), "somebody"), texts, "labels")
    train(TrainingSpec("logistic"), labels, TableFile.open("rows.csv", text="text"), out=tmp_path / "run", stages=Stages())
    student, saved = open_trained(tmp_path / "run")
    file = rows_to_measure(saved, tmp_path / "rows.csv")
    with pytest.warns(UserWarning, match="on which the student was trained"):
        evaluation = measure(student, saved, file, labels)
    assert evaluation.row_answers().teacher.tolist() == np.eye(2)[[1, 0] * 10].tolist()


def test_a_teacher_is_judged_by_its_own_decisions(student, tmp_path):
    rows = frame(30)
    rows.to_csv("test.csv", index=False)
    file = rows_to_measure(student[1], tmp_path / "test.csv", drop=["id"])
    model = FixedThresholdClassifier(LogisticRegression(), threshold=0.3, pos_label="y").fit(rows[["a", "b"]], rows["y"])
    joblib.dump(model, tmp_path / "eager.joblib")
    teacher = open_answer_source(file, labels=None, teacher="eager.joblib", options=SourceOptions(trust=True))
    evaluation = measure(*student, file, teacher)
    assert evaluation.teacher_against_truth["accuracy"].value == pytest.approx(model.score(rows[["a", "b"]], rows["y"]))
    assert "The decisions of the teacher are those of its predict" in evaluation.notes[0]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_evaluating_on_the_training_rows_warns(student, tmp_path, suffix):
    rows = pd.read_parquet(tmp_path / "rows.parquet")
    rows[rows.columns[::-1]].assign(more=1).to_csv(tmp_path / "rows.csv", index=False)
    file = rows_to_measure(student[1], tmp_path / f"rows{suffix}")
    with pytest.warns(UserWarning, match="rows on which the student was trained"):
        measure(*student, file, None)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"labels": "labels", "teacher": "x"}, "not both"),
        ({"options": SourceOptions(classes=("a",))}, "classes= does not apply to an evaluation without a teacher"),
        ({"truth": ()}, "nothing to measure the student against"),
    ],
)
def test_exactly_one_teacher_or_the_truth_is_required(options, match, student, tmp_path):
    file = TableFile.open(tmp_path / "rows.parquet", truth=options.pop("truth", ("y",)))
    with pytest.raises(BadInput, match=match):
        open_answer_source(file, **{"labels": None, "teacher": None, "options": SourceOptions()} | options)


def test_a_feature_of_training_is_no_row_index(tmp_path):
    (tmp_path / "test.csv").write_text("index,a\n0,1\n1,2\n")
    table = Schema((Column("index", "number"), Column("a", "number"))).to_json()
    record = {"data": {"table": table, "truth": [], "drop": [], "text": None, "weight": None}}
    assert rows_to_measure(record, tmp_path / "test.csv").features == ("index", "a")


def test_a_recording_and_the_student_each_read_their_own_types(student, tmp_path):
    rows = frame(30)
    recorded = rows[["a", "b"]].assign(a=rows["a"].map(repr))
    record(SoftLabels(RNG.dirichlet(np.ones(2), 30), FORM, row_names(recorded), "somebody"), recorded, "test-labels")
    rows[["y", "b", "a"]].to_csv("test.csv", index=False)
    file = rows_to_measure(student[1], tmp_path / "test.csv")
    labels = open_answer_source(file, labels=tmp_path / "test-labels", teacher=None, options=SourceOptions())
    evaluation = measure(*student, file, labels)
    np.testing.assert_array_equal(evaluation.row_answers().teacher, labels.labels.answers)
    np.testing.assert_array_equal(evaluation.row_answers().student, student[0].answer(rows[["b"]]))


def test_a_dropped_column_may_look_like_a_row_index(student, tmp_path):
    (tmp_path / "test.csv").write_text("Unnamed: 0,b,y\n0,1,n\n1,2,y\n")
    record = {"data": {**student[1]["data"], "drop": ["Unnamed: 0"]}}
    assert rows_to_measure(record, tmp_path / "test.csv").features == ("b",)
    assert rows_to_measure(record, tmp_path / "test.csv", truth=["Unnamed: 0"]).features == ("b", "y")


def test_the_inputs_of_a_student_are_those_that_it_learnt_from(student, tmp_path):
    np.savez(tmp_path / "rows.npz", ids=np.ones((3, 2), int), size=np.ones((3, 4)), y=["n", "y", "n"])
    of_inputs = {"data": {**student[1]["data"], "table": None, "drop": [], "inputs": ["ids", "size"]}}
    file = rows_to_measure(of_inputs, tmp_path / "rows.npz")
    assert (file.inputs, file.truth) == (("ids", "size"), ("y",))
    assert rows_to_measure(of_inputs, tmp_path / "rows.npz", inputs=["size", "ids"]).inputs == ("ids", "size")
    with pytest.raises(BadInput, match="inputs= names ids, and the student reads ids, size; name these, or leave it out"):
        rows_to_measure(of_inputs, tmp_path / "rows.npz", inputs=["ids"])
    frame(3).to_parquet(tmp_path / "table.parquet")
    with pytest.raises(BadInput, match="has no column 'ids' for the input of this name"):
        rows_to_measure(of_inputs, tmp_path / "table.parquet")


@pytest.mark.parametrize("name", ["test.csv", "test.parquet"])
def test_the_rows_of_a_class_that_is_named_none_are_measured(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = frame(60).assign(y=RNG.choice(["None", "Low"], 60))
    form = AnswerForm("probabilities", "binary", ("Low", "None"))
    labels = record(SoftLabels(RNG.dirichlet(np.ones(2), 60), form, row_names(rows[["a", "b"]]), "somebody"), rows[["a", "b"]], "labels")
    rows.to_csv("rows.csv", index=False)
    train(TrainingSpec("tree"), labels, TableFile.open("rows.csv", truth=["y"], drop=["id"]), out=tmp_path / "run", stages=Stages())
    trained = open_trained(tmp_path / "run")
    test = frame(30).assign(y=["None", "Low", "NA"] * 10)
    test.to_csv(name, index=False) if name == "test.csv" else test.assign(y=test["y"].replace("NA", None)).to_parquet(name)
    file = rows_to_measure(trained[1], tmp_path / name)
    note = " A cell 'NA' is read as an empty one; declare dtype={'y': 'text'} if it is a text." if name == "test.csv" else ""
    with pytest.warns(UserWarning, match=f"^10 of 30 rows come without ground truth and are left out.{note}$"):
        evaluation = measure(*trained, file, None)
    assert evaluation.rows == 20
    assert evaluation.row_answers().truth.argmax(axis=1).tolist() == [1, 0] * 10
