import json

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

import tutelage as tl
from tutelage.core.errors import BadInput, CannotWrite, ParityError
from tutelage.exporters import export as module
from tutelage.exporters.bench.shipped import shipped_file
from tutelage.exporters.export import TARGETS, check_path, export
from tutelage.exporters.proof import edge_cases
from tutelage.exporters.targets import python
from tutelage.students.columns import with_columns
from tutelage.students.linear import SoftLogistic
from tutelage.students.trees import SoftTree

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
TREE = SoftTree(max_leaf_nodes=5, random_state=0).fit(X, (X[:, 0] > 0).astype(int))


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    monkeypatch.setattr(edge_cases, "ROWS", 300)


def test_the_record_says_what_was_written_and_how_it_was_proven(tmp_path):
    record = export(TREE, tmp_path / "student.py", check_on=X)
    stored = json.loads((tmp_path / "student.py.json").read_text())
    assert stored["schema"] == 1
    assert (record.file, record.target, record.proven, record.classes) == ("student.py", "Python", True, (0, 1))
    assert record.columns == (0, 1, 2)
    assert record.size_bytes == (tmp_path / "student.py").stat().st_size == stored["size_bytes"]
    (proof,) = record.proofs
    assert proof.rows == 300
    assert proof.worst_difference == 0
    assert (proof.worst_row, proof.made_rows) == ("", 100)
    assert "Of the rows, 100 were made from the cells of the others." in str(proof)
    assert proof.runtime.startswith("Python 3")
    assert f"Compared with the student on 300 rows and {proof.edge_rows:,} edge rows" in str(record)
    assert str(proof) in (tmp_path / "student.py").read_text().replace("\n", " ")


def test_two_exports_are_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        export(TREE, tmp_path / name / "student.py", check_on=X)
    for file in ("student.py", "student.py.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_file_that_differs_is_not_written(tmp_path, monkeypatch):
    written = python.write

    def with_a_bug(job, header):
        return {
            name: content.replace(b"cell <= threshold[node]", b"cell < threshold[node]") for name, content in written(job, header).items()
        }

    monkeypatch.setattr(python, "write", with_a_bug)
    with pytest.raises(ParityError, match=r"differs from its student in Python 3.* in edge row \(splits\) \d+; nothing was written"):
        export(TREE, tmp_path / "student.py", check_on=X)
    assert list(tmp_path.iterdir()) == []


def test_a_file_whose_runtime_is_installed_is_proven_all_the_same(tmp_path, monkeypatch):
    assert export(TREE, tmp_path / "student.py", check_on=X, unproven=True).proven
    monkeypatch.setattr(python, "write", lambda job, header: {"student.py": b"def predict_proba(row):\n    return [0.5] * 3\n"})
    with pytest.raises(ParityError, match="nothing was written"):
        export(TREE, tmp_path / "again.py", check_on=X, unproven=True)


def test_an_unproven_file_says_so(tmp_path, monkeypatch):
    def missing(job):
        raise BadInput("node is not installed; install it, or pass unproven=True.")

    monkeypatch.setattr(python, "runtimes", missing)
    with pytest.raises(BadInput, match="node is not installed"):
        export(TREE, tmp_path / "student.py", check_on=X)
    record = export(TREE, tmp_path / "student.py", check_on=X, unproven=True)
    assert not record.proven
    assert "Not proven" in str(record)
    assert "Not proven" in (tmp_path / "student.py").read_text()
    assert json.loads((tmp_path / "student.py.json").read_text())["proofs"] == []


def test_mixed_columns_are_compared_with_missing_unseen_and_empty_cells(tmp_path):
    frame = pd.DataFrame({"size": X[:, 0], "town": RNG.choice(["a", "b", "ö"], 200), "on": pd.date_range("2020-01-01", periods=200)})
    frame.loc[::9, ["size", "town"]] = None
    student = with_columns(SoftLogistic(), frame, scaled=True)
    student.fit(frame, np.eye(2)[(frame["town"] == "a").astype(int)], student__classes=["no", "yes"])
    record = export(student, tmp_path / "student.py", check_on=frame)
    assert record.columns == ("size", "town", "on")
    assert record.classes == ("no", "yes")
    answers = {}
    exec((tmp_path / "student.py").read_text(), answers)  # noqa: S102 - our own file
    row = frame.iloc[[3]]
    days = (row["on"].iloc[0] - pd.Timestamp(0)) / pd.Timedelta(days=1)
    ours = answers["predict_proba"]({"size": row["size"].iloc[0], "town": row["town"].iloc[0], "on": days})
    np.testing.assert_allclose(ours, student.predict_proba(row)[0], rtol=1e-12)


@pytest.mark.parametrize(
    ("path", "settings", "sentence"),
    [
        (3, {}, "path is 3; expected the file to write"),
        ("student.pmml", {}, "ends in '.pmml'; expected one of .*\\.py"),
        ("student", {}, "student has no ending; expected one of"),
        ("student.py", {"precision": "int4"}, "precision is 'int4'; expected"),
        ("student.py", {"precision": "int8"}, "precision is 'int8'; a file of Python has 'double'"),
        ("student.py", {"target_opset": "new"}, "target_opset is 'new'; expected"),
        ("student.py", {"unproven": "yes"}, "unproven is 'yes'; expected"),
        ("student.py", {"table": ""}, "table is ''; expected the name of a table"),
        ("student.py", {"table": "orders"}, "table is 'orders'; it is for files of SQL, and a file of Python has none. Leave it out"),
        ("student.sql", {"prefix": "a"}, "prefix is 'a'; it is for files of C, and a file of SQL has none. Leave it out"),
        ("student.c", {"target_opset": 17}, "target_opset is 17; it is for files of ONNX, and a file of C has none. Leave it out"),
        *(("student.c", {"prefix": name}, "prefix is .*; expected a name in C") for name in ("", "2a", "_a", "a b", "a\n", "é", 3)),
    ],
)
def test_wrong_settings_are_one_sentence(path, settings, sentence, tmp_path):
    with pytest.raises(BadInput, match=sentence):
        export(TREE, tmp_path / path if isinstance(path, str) else path, check_on=X, **settings)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_known_before_the_comparison(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite):
        check_path(tmp_path / "file" / "student.py")


def test_every_target_is_a_module_with_the_same_three_functions():
    for _, name in TARGETS.values():
        target = module.import_module(name)
        assert all(callable(getattr(target, function)) for function in ("write", "runtimes", "rounding"))


@pytest.mark.exhaustive(every=5)
@pytest.mark.parametrize("end", [".onnx", ".c", ".js", ".py", ".sql"])
def test_the_size_of_a_file_is_known_before_it_is_proven(end, tmp_path):
    X, y = load_iris(return_X_y=True, as_frame=True)
    pipeline = with_columns(SoftTree(max_leaf_nodes=4), X, scaled=False).fit(X, y)
    most = shipped_file(pipeline, end, check_on=X).size_bytes
    record = export(pipeline, tmp_path / f"student{end}", check_on=X, compared_rows=200)
    assert record.size_bytes <= most <= record.size_bytes + 1000


def test_a_file_beside_the_rows_that_it_is_compared_on_is_written_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"x": [1.0, -2.0, 3.0]})
    frame.to_csv("rows.csv", index=False)
    student = DecisionTreeClassifier().fit(frame, [0, 1, 0])
    for _ in range(2):
        assert tl.export(student, "student.py", check_on=".", compared_rows=20).proven
    with pytest.raises(BadInput, match=r"rows\.csv ends in '\.csv'"):
        tl.export(student, "rows.csv", check_on=".")
