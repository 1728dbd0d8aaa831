import io
import warnings

import numpy as np
import pandas as pd
import pytest

from tutelage.cli import main
from tutelage.students.saved.save_load import load_student


def test_it_answers_each_row_in_order(flowers, here, capsys, monkeypatch):
    monkeypatch.setattr("tutelage.workflow.predict.PART_ROWS", 20)  # several parts
    assert main(["predict", flowers.run, "--data", flowers.test, "--out", "answers.csv", "--keep", "plant", "--probabilities"]) == 0
    rows, found, student = pd.read_csv(flowers.test), pd.read_csv("answers.csv"), load_student(flowers.run)
    assert capsys.readouterr().out == f"answers.csv: the answers to {len(rows)} rows.\n"
    assert list(found) == ["plant", "prediction", "probability_setosa", "probability_versicolor", "probability_virginica"]
    assert found["plant"].tolist() == rows["plant"].tolist()
    assert found["prediction"].tolist() == student.predict(rows).tolist()
    np.testing.assert_allclose(found.iloc[:, 2:], student.predict_proba(rows))


def test_a_cell_that_a_student_refuses_is_named_by_its_row_in_the_data(flowers, here, user_error, monkeypatch):
    monkeypatch.setattr("tutelage.workflow.predict.PART_ROWS", 10)
    rows = pd.read_csv(flowers.test)
    rows.loc[23, "petal width (cm)"] = np.inf
    rows.to_csv("infinite.csv", index=False)
    said = user_error("predict", flowers.run, "--data", "infinite.csv", "--out", "answers.csv")
    assert "in row 3" in said
    assert "Row 0 of these is row 20 of the data." in said


def test_values_have_no_probabilities(flowers, here, user_error):
    rows = pd.read_csv(flowers.test).drop(columns=["species", "plant"])
    rows.to_csv("rows.csv", index=False)
    (here / "wide.py").write_text("def of(rows):\n    return rows.to_numpy()[:, :1] * 2\n")
    assert main(["record", "wide:of", "--data", "rows.csv", "--kind", "values", "--into", "labels"]) == 0
    assert main(["train", "linear", "--labels", "labels", "--data", "rows.csv", "--out", "run"]) == 0
    said = user_error("predict", "run", "--data", "rows.csv", "--probabilities")
    assert "--probabilities does not apply to a student of values; leave it out." in said


def test_it_writes_parquet_and_standard_output(flowers, here, capfdbinary):
    assert main(["predict", flowers.run, "--data", flowers.test, "--out", "answers.parquet"]) == 0
    capfdbinary.readouterr()
    assert main(["predict", flowers.run, "--data", flowers.test]) == 0
    printed = pd.read_csv(io.BytesIO(capfdbinary.readouterr().out))
    pd.testing.assert_frame_equal(printed, pd.read_parquet("answers.parquet").astype(printed.dtypes))


def test_columns_may_be_in_any_order_and_more(flowers, here):
    rows = pd.read_csv(flowers.test)
    rows[[*rows.columns[::-1]]].assign(more=1).drop(columns="species").to_csv("new.csv", index=False)
    for data, out in ((flowers.test, "a.csv"), ("new.csv", "b.csv")):
        assert main(["predict", flowers.run, "--data", data, "--out", out]) == 0
    assert (here / "a.csv").read_bytes() == (here / "b.csv").read_bytes()


def test_mistakes_leave_no_file(flowers, here, user_error):
    rows = pd.read_csv(flowers.test)
    rows.drop(columns="petal width (cm)").to_csv("fewer.csv", index=False)
    rows.astype({"petal width (cm)": object}).assign(**{"petal width (cm)": "wide"}).to_csv("texts.csv", index=False)
    rows.rename(columns={"plant": "prediction"}).to_csv("twice.csv", index=False)
    before = sorted(path.name for path in here.iterdir())
    predict = ("predict", flowers.run, "--out", "answers.csv", "--data")
    assert "has no column 'petal width (cm)', which the student reads; it has" in user_error(*predict, "fewer.csv")
    assert "petal width (cm)" in user_error(*predict, "texts.csv")
    assert "'prediction' would be there twice" in user_error(*predict, "twice.csv", "--keep", "prediction")
    assert "has no column 'name', to be copied" in user_error(*predict, flowers.test, "--keep", "name")
    assert "expected .csv or .parquet" in user_error("predict", flowers.run, "--data", flowers.test, "--out", "answers.xlsx")
    assert "holds no trained student" in user_error("predict", here, "--data", flowers.test)
    assert sorted(path.name for path in here.iterdir()) == before


def test_an_exported_file_answers_in_the_place_of_the_student(flowers, here, user_error):
    assert main(["export", flowers.run, "student.onnx", "--data", flowers.test]) == 0
    for options, out in (([], "a.csv"), (["--file", "student.onnx"], "b.csv")):
        assert main(["predict", flowers.run, "--data", flowers.test, "--probabilities", "--out", out, *options]) == 0
    of_student, of_file = pd.read_csv("a.csv"), pd.read_csv("b.csv")
    assert of_student["prediction"].tolist() == of_file["prediction"].tolist()
    np.testing.assert_allclose(of_student.iloc[:, 1:], of_file.iloc[:, 1:], atol=1e-5)
    (here / "student.onnx").rename("STUDENT.ONNX")
    (here / "student.onnx.json").rename("STUDENT.ONNX.json")
    assert main(["predict", flowers.run, "--data", flowers.test, "--file", "STUDENT.ONNX", "--probabilities", "--out", "B.CSV"]) == 0
    assert (here / "B.CSV").read_bytes() == (here / "b.csv").read_bytes()
    predict = ("predict", flowers.run, "--data", flowers.test, "--file")
    assert "expected an ONNX file of the student" in user_error(*predict, "student.c")
    said = user_error(*predict, "other.onnx")
    assert f"there is no file other.onnx, and none of this name in {flowers.run}; name an ONNX file of the student: " in said
    assert "teacher" not in said


@pytest.mark.exhaustive
def test_a_file_of_another_student_is_not_asked_in_its_place(flowers, here, user_error, capsys):
    for name, leaves in (("run", "6"), ("other", "3")):
        trained = ["train", "tree", "--labels", flowers.labels, "--data", flowers.rows, "--truth", "species", "--drop", "plant"]
        assert main([*trained, "--out", name, "--set", f"max_leaf_nodes={leaves}"]) == 0
        assert main(["export", name, f"{name}/student.onnx", "--data", flowers.test]) == 0
    predict = ("predict", "run", "--data", flowers.test, "--file", "student.onnx", "--out", "a.csv")
    assert main([*predict]) == 0
    (here / "a.csv").unlink()
    (here / "run/student.onnx").write_bytes((here / "other/student.onnx").read_bytes())
    assert "run/student.onnx is not the file that was exported: its SHA-256 differs from the one in student.onnx.json" in user_error(
        *predict
    )
    (here / "run/student.onnx.json").write_bytes((here / "other/student.onnx.json").read_bytes())
    assert "run/student.onnx was exported from another student than the one that it stands for here" in user_error(*predict)
    assert "other/student.onnx was exported from another student" in user_error(*predict[:-3], "other/student.onnx")
    assert not (here / "a.csv").exists()
    (here / "run/student.onnx.json").unlink()
    capsys.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert main([*predict]) == 0
    assert "warning: nothing beside run/student.onnx says of which student it is" in capsys.readouterr().err
