import json
import shutil

import numpy as np
import pandas as pd
import pytest

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput, CannotWrite, DamagedFile, LabelMismatch
from tutelage.core.running.stages import Stages
from tutelage.data.row_names import row_names
from tutelage.data.table_file import TableFile
from tutelage.experiments.running import saved_student
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.recording import record
from tutelage.workflow.train import TrainingSpec, open_trained, rows_to_check, train

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"a": RNG.normal(size=60), "b": RNG.normal(size=60), "c": RNG.choice(["x", "y"], 60), "y": RNG.choice(["n", "y"], 60)})
P = RNG.dirichlet(np.ones(2), 60)
FORM = AnswerForm("probabilities", "binary", ("n", "y"))


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A function that trains with given options, on labels of a given form recorded on the columns a, b and c."""
    monkeypatch.chdir(tmp_path)
    FRAME.to_parquet("rows.parquet")

    def train_with(form=FORM, answers=P, truth=("y",), drop=(), out="run", **spec):
        rows = FRAME[["a", "b", "c"]]
        labels = record(SoftLabels(answers, form, row_names(rows), "somebody"), rows, f"labels-{form.task}")
        file = TableFile.open(tmp_path / "rows.parquet", truth=truth, drop=drop)
        return train(TrainingSpec(**{"student": "tree"} | spec), labels, file, out=tmp_path / out, stages=Stages())

    return train_with


def test_the_student_answers_at_temperature_one(trained, tmp_path):
    trained(temperature=4.0)
    student, record = open_trained(tmp_path / "run")
    assert record["temperature"] == 4.0
    np.testing.assert_allclose(student.predict_proba(FRAME), P, atol=1e-6)


def test_truth_is_blended_in_and_not_a_feature(trained, tmp_path):
    assert [column["name"] for column in trained(soft_weight=0.25)["columns"]] == ["a", "b", "c"]
    student, _ = open_trained(tmp_path / "run")
    one_hot = np.c_[FRAME["y"] == "n", FRAME["y"] == "y"]
    np.testing.assert_allclose(student.predict_proba(FRAME.drop(columns="y")), 0.25 * P + 0.75 * one_hot, atol=1e-6)


def test_training_on_the_truth_only_ignores_the_temperature(trained, tmp_path):
    assert trained(soft_weight=0.0, temperature=4.0)["temperature"] == 1.0
    assert open_trained(tmp_path / "run")[0].predict(FRAME).tolist() == FRAME["y"].tolist()


def test_a_student_may_read_fewer_columns_than_the_teacher(trained, tmp_path):
    trained(drop=("c",))
    assert open_trained(tmp_path / "run")[0].columns == ("a", "b")


@pytest.mark.parametrize("student", ["tree", "forest", "linear", "boosting"])
def test_every_regressor_is_trained_on_values(student, trained, tmp_path):
    settings = {"n_estimators": 3} if student in ("forest", "boosting") else {}
    trained(AnswerForm("values", "regression"), P[:, :1], student=student, settings=settings, seed=5)
    opened, record = open_trained(tmp_path / "run")
    assert opened.predict(FRAME).shape == (60,)
    assert record["settings"]["random_state"] == 5


def test_values_that_are_named_in_another_order_than_the_outputs_are_refused(trained, tmp_path):
    values = AnswerForm("values", "regression")
    answers = FRAME[["b", "a"]].to_numpy()
    FRAME.assign(height=FRAME["a"], weight=FRAME["b"]).to_parquet("rows.parquet")
    with pytest.raises(
        LabelMismatch, match=r"are \['height', 'weight'\], and the teacher's outputs follow the order \['weight', 'height'\]"
    ):
        trained(values, answers, truth=("height", "weight"), drop=("y",))
    assert trained(values, answers, truth=("weight", "height"), drop=("y",), out="named")["warnings"] == []
    shutil.rmtree("labels-regression")
    halved = trained(values, answers * [1, 0.2], truth=("weight", "height"), drop=("y",), out="halved")["warnings"]
    assert [warning.split(":")[0] for warning in halved] == ["column 'height' of the ground truth"]


def test_multilabel_students_are_trained(trained, tmp_path):
    record = trained(AnswerForm("probabilities", "multilabel", ("p", "q")), seed=5, settings={"max_depth": 2})
    assert (record["settings"]["max_depth"], record["settings"]["random_state"]) == (2, 5)
    assert open_trained(tmp_path / "run")[0].form.task == "multilabel"


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"soft_weight": 2.0}, BadInput, "soft_weight is 2.0"),
        ({"soft_weight": 0.5, "truth": ()}, BadInput, "there is no truth to blend in"),
        (
            {"soft_weight": 0.5, "form": AnswerForm("probabilities", "binary", ("u", "v"))},
            LabelMismatch,
            r"y holds the labels \['n', 'y'\]",
        ),
        ({"temperature": -1.0}, BadInput, "temperature is -1.0"),
        ({"student": "trees"}, BadInput, "Did you mean tree"),
        ({"form": AnswerForm("values", "regression"), "answers": P, "temperature": 2.0}, BadInput, "values have no temperature"),
        ({"form": AnswerForm("values", "regression"), "answers": P, "student": "logistic"}, BadInput, "for regression; expected one of"),
        ({"form": AnswerForm("values", "regression"), "answers": P, "student": "boosting"}, BadInput, "cannot be fitted to 2 values"),
        ({"out": "rows.parquet"}, CannotWrite, "is a file"),
    ],
)
def test_an_invalid_spec_is_refused_and_writes_nothing(options, error, match, trained, tmp_path):
    with pytest.raises(error, match=match):
        trained(**options)
    assert not (tmp_path / "run").exists()


def test_rows_to_check_an_export_come_from_a_file_or_the_ranges(trained, tmp_path):
    trained(drop=("c",))
    run = tmp_path / "run"
    _, drawn = rows_to_check(run, 500)
    assert drawn.shape == (500, 2)
    assert (drawn.min(axis=0) >= FRAME[["a", "b"]].min().to_numpy(dtype=np.float32)).all()
    student, given = saved_student(run, data=tmp_path / "rows.parquet")
    np.testing.assert_array_equal(given.to_numpy(dtype=np.float64), FRAME[["a", "b"]].to_numpy(dtype=np.float64))
    assert student.predict_proba(given).shape == (60, 2)
    FRAME[["a"]].to_csv("narrow.csv", index=False)
    with pytest.raises(BadInput, match=r"narrow.csv has no column 'b', which the student reads"):
        rows_to_check(run, 5, tmp_path / "narrow.csv")
    with pytest.raises(BadInput, match="holds one student"):
        saved_student(run, seed=3)


def test_rows_to_check_a_student_of_categories_are_drawn_from_its_levels(trained, tmp_path):
    trained()
    student, drawn = rows_to_check(tmp_path / "run", 500)
    assert set(drawn["c"].dropna()) <= set(FRAME["c"])
    assert drawn["c"].nunique() == FRAME["c"].nunique()
    assert student.predict_proba(drawn).shape == (500, 2)


def test_another_estimator_in_the_students_file_is_refused(trained, tmp_path):
    from sklearn.linear_model import Ridge

    from tutelage.core.stored.checksums import sha256_of, with_checksum
    from tutelage.students.saved.save_load import save_student

    trained()
    path = save_student(Ridge().fit([[0], [1]], [0, 1]), tmp_path / "run" / "student")
    about = tmp_path / "run" / "run.json"
    record = json.loads(about.read_text())
    about.write_text(json.dumps(with_checksum(record | {"file": record["file"] | {"sha256": sha256_of(path)}})))
    with pytest.raises(DamagedFile, match="holds a Ridge"):
        open_trained(tmp_path / "run")


def test_a_missing_student_file_is_an_error(trained, tmp_path):
    trained()
    (tmp_path / "run" / "student.skops").unlink()
    with pytest.raises(DamagedFile, match=r"student.skops cannot be read"):
        open_trained(tmp_path / "run")


def test_rows_are_read_in_the_types_and_names_that_were_recorded(tmp_path):
    frame = pd.DataFrame({"index": np.arange(60), "zip": [f"{number}" for number in range(100, 160)], "y": FRAME["y"]})
    rows = frame[["index", "zip"]]
    labels = record(SoftLabels(P, FORM, row_names(rows), "somebody"), rows, tmp_path / "labels")
    frame[["index", "y", "zip"]].to_csv(tmp_path / "rows.csv", index=False)
    file = TableFile.open(tmp_path / "rows.csv", truth=["y"])
    assert file.features == ("zip",)
    found = train(TrainingSpec("tree"), labels, file, out=tmp_path / "run", stages=Stages())
    assert [(column["name"], column["kind"]) for column in found["columns"]] == [("index", "number"), ("zip", "category")]
    assert [column["type"] for column in found["data"]["table"]["columns"]] == ["number", "text", "text"]
    np.testing.assert_allclose(open_trained(tmp_path / "run")[0].predict_proba(rows), P, atol=1e-6)
    frame.assign(index="first").to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(BadInput, match=r"column 'index' of .*other.csv holds 'first' in row 0, and numbers are expected"):
        train(TrainingSpec("tree"), labels, TableFile.open(tmp_path / "other.csv", truth=["y"]), out=tmp_path / "run2", stages=Stages())
