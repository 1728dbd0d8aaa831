import numpy as np
import pandas as pd
import pytest

from tutelage.core.answers import AnswerForm
from tutelage.core.running.stages import Stages
from tutelage.data.row_names import row_names
from tutelage.data.table_file import TableFile
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.recording import record
from tutelage.workflow.compare import compare_folders, open_both
from tutelage.workflow.evaluate import rows_to_measure
from tutelage.workflow.train import TrainingSpec, train

RNG = np.random.default_rng(0)
FORM = AnswerForm("probabilities", "binary", ("n", "y"))


def test_each_student_reads_its_columns_as_in_training(tmp_path):
    rows = pd.DataFrame({"a": RNG.normal(size=80), "zip": ["00501", "00501", "10115", "10115"] * 20, "c": ["NA", "x", "NA", "x"] * 20})
    rows["y"] = np.where(rows["c"] == "NA", "y", "n")
    rows.to_parquet(tmp_path / "rows.parquet")
    read = rows[["a", "zip", "c"]]
    labels = record(SoftLabels(np.eye(2)[(rows["c"] == "NA").astype(int)], FORM, row_names(read), "somebody"), read, tmp_path / "labels")
    for name, drop in (("of_a", ["zip", "c"]), ("of_all", [])):
        file = TableFile.open(tmp_path / "rows.parquet", truth=["y"], drop=drop)
        train(TrainingSpec("tree"), labels, file, out=tmp_path / name, stages=Stages())
    test = pd.DataFrame({"a": RNG.normal(size=20), "zip": "10115", "c": ["NA", "x"] * 10, "y": ["y", "n"] * 10})
    test.to_csv(tmp_path / "test.csv", index=False)
    a, b = open_both(tmp_path / "of_a", tmp_path / "of_all")
    found = [compare_folders(*pair, rows_to_measure(pair[0].record, tmp_path / "test.csv")) for pair in ((a, b), (b, a))]
    assert found[0].difference == -found[1].difference
    test.assign(notes=[["x"]] * 20).to_parquet(tmp_path / "test.parquet")  # what no student reads may hold lists
    assert compare_folders(a, b, rows_to_measure(a.record, tmp_path / "test.parquet", drop=["notes"])) == found[0]
    wrong = np.mean(a.students[0].predict(test[["a"]]) != test["y"])
    assert abs(found[0].difference) == wrong > 0


def test_the_teacher_is_asked_once_for_all_students(tmp_path):
    rows = pd.DataFrame({"a": RNG.normal(size=80), "b": RNG.normal(size=80)})
    rows["y"] = np.where(rows["a"] > 0, "y", "n")
    rows.to_parquet(tmp_path / "rows.parquet")
    asked = []

    class Counting:
        form, fingerprint = FORM, "one that counts"

        def answer(self, inputs):
            asked.append("answers")
            return np.eye(2)[(np.asarray(inputs)[:, 0] > 0).astype(int)]

        def decide(self, inputs):
            asked.append("decisions")
            return np.where(np.asarray(inputs)[:, 0] > 1, "y", "n")

    labels = record(Counting(), rows[["a", "b"]], tmp_path / "labels")
    for name, drop in (("of_a", ["b"]), ("of_b", ["a"])):
        train(
            TrainingSpec("tree"),
            labels,
            TableFile.open(tmp_path / "rows.parquet", truth=["y"], drop=drop),
            out=tmp_path / name,
            stages=Stages(),
        )
    a, b = open_both(tmp_path / "of_a", tmp_path / "of_b")
    test = pd.DataFrame({"a": RNG.normal(size=40), "b": RNG.normal(size=40)})
    test.to_csv(tmp_path / "test.csv", index=False)
    asked.clear()
    file = TableFile.open(tmp_path / "test.csv")
    found = compare_folders(a, b, file, Counting(), against="teacher")
    assert asked == ["answers", "decisions"]
    agreement = [np.mean(one.students[0].predict(test[[name]]) == np.where(test["a"] > 1, "y", "n")) for one, name in ((a, "a"), (b, "b"))]
    assert abs(found.difference) > 0.01
    assert found.difference == pytest.approx(np.subtract(*agreement))


def test_a_comparison_of_several_values_says_where_it_is_about_one(tmp_path):
    rows = pd.DataFrame({"a": RNG.normal(size=80), "b": RNG.normal(size=80)})
    truth = pd.DataFrame({"price": 1000 * rows["a"], "weight": rows["b"]})
    labels = record(
        SoftLabels(truth.to_numpy(), AnswerForm("values", "regression"), row_names(rows), "somebody"), rows, tmp_path / "labels"
    )
    rows.join(truth).to_parquet(tmp_path / "rows.parquet")
    file = TableFile.open(tmp_path / "rows.parquet", truth=["price", "weight"])
    for name, count in (("small", 2), ("large", 20)):
        train(TrainingSpec("tree", settings={"max_leaf_nodes": count}), labels, file, out=tmp_path / name, stages=Stages())
    a, b = open_both(tmp_path / "small", tmp_path / "large")
    rows.sample(40, random_state=0).assign(a=lambda some: some["a"] + 1).join(truth).to_csv(tmp_path / "test.csv", index=False)
    found = compare_folders(a, b, rows_to_measure(a.record, tmp_path / "test.csv"))
    assert found.metric == "mse"
    assert "The mean squared error is about value 0 (counted from 0) of 2, which has 100 % of their variance" in found.caution
