"""A served file answers as the file does, whatever its rows are, and another file is refused."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from fastapi.testclient import TestClient
from onnx import TensorProto, helper, load_from_string, save

import tutelage as tl
from tutelage.core.errors import BadInput, DamagedFile
from tutelage.core.stored.checksums import sha256_of
from tutelage.exporters.beside import name_student
from tutelage.serving.answers import AnswersAsJson
from tutelage.serving.model import ServedFile
from tutelage.serving.row_format import Requests


def exported(student, folder, rows):
    tl.export(student, folder / "student.onnx", check_on=rows)
    served = ServedFile.open(folder)
    return served, Requests(served.rows_as, max_rows=1000)


def test_it_decides_by_the_label_of_its_file(tmp_path):
    X, almost = np.arange(3.0)[:, None], 0.5 - 1e-12
    p = np.array([[0.9, 0.1], [almost, 1 - almost], [0.1, 0.9]])
    for student, several in (
        (tl.SoftTree().fit(X, p, classes=["no", "yes"]), False),
        (tl.PerLabel(tl.SoftTree()).fit(X, 1 - p, classes=["a", "b"]), True),
    ):
        served, requests = exported(student, tmp_path, X)
        found = served.answer(requests.rows(json.dumps({"rows": X.tolist()}).encode()))
        said = [answer["prediction"] for answer in AnswersAsJson(served.form, defers=False)(found)]
        names = [[name for name, on in zip("ab", row, strict=True) if on] for row in student.predict(X)] if several else student.predict(X)
        assert said == list(names)
        assert (found.values > 0.5).tolist()[1] == [False, False]  # rounded to one half


def test_pictures(tmp_path):
    torch = pytest.importorskip("torch")
    X = np.random.default_rng(0).random((40, 1, 6, 6)).astype(np.float32)
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(32, 3))
    student = tl.TorchStudent(net, classes="abc").fit(X, y=list("abca" * 10), epochs=1, seed=0)
    served, requests = exported(student, tmp_path, X)
    assert served.rows_as.layout == "array"
    found = served.answer(requests.rows(json.dumps({"rows": X.tolist()}).encode()))
    expected = tl.open_teacher(str(served.path)).answer(X)
    np.testing.assert_allclose(found.values, expected, atol=1e-6)
    np.testing.assert_array_equal(found.confidence, found.values.max(axis=1))


def test_texts(tmp_path):
    texts = ["good day", "bad day", "good night", "", "bad night"] * 4
    student = _text_student(texts)
    served, requests = exported(student, tmp_path, texts)
    assert served.rows_as.layout == "text"
    found = served.answer(requests.rows(json.dumps({"rows": texts}).encode()))
    np.testing.assert_allclose(found.values, tl.open_teacher(str(served.path)).answer(texts), atol=1e-6)


def _text_student(texts):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, ["yes" if "good" in text else "no" for text in texts])


@pytest.mark.parametrize("task", ["values", "several values", "multilabel"])
def test_values_and_labels_of_columns_without_names(task, tmp_path):
    from sklearn.tree import DecisionTreeRegressor

    random = np.random.default_rng(0)
    X = random.normal(size=(60, 3))
    student = {
        "values": lambda: DecisionTreeRegressor(max_depth=3).fit(X, X[:, 0]),
        "several values": lambda: DecisionTreeRegressor(max_depth=3).fit(X, X[:, :2]),
        "multilabel": lambda: tl.PerLabel(tl.SoftTree(max_leaf_nodes=4)).fit(X, (X[:, :2] > 0).astype(float)),
    }[task]()
    served, requests = exported(student, tmp_path, X)
    assert served.rows_as.layout == "listed"
    found = served.answer(requests.rows(json.dumps({"rows": X.tolist()}).encode()))
    np.testing.assert_allclose(found.values, tl.open_teacher(str(served.path)).answer(X), atol=1e-6)
    assert np.isnan(found.confidence).all() == (task != "multilabel")


def test_no_heavy_package_is_loaded(table):
    code = (
        "import sys; from pathlib import Path; import tutelage.serving.app, tutelage.serving.server\n"
        "from tutelage.serving.model import ServedFile\n"
        "ServedFile.open(Path(sys.argv[1]))\n"
        "print([name for name in ('torch', 'onnx', 'sklearn', 'pandas', 'pyarrow', 'narwhals') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code, str(table.run)], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_file_of_another_student_is_not_served_as_that_of_a_run(table, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(table.run, run)
    assert ServedFile.open(run).sha256 == sha256_of(run / "student.onnx")
    X = np.random.default_rng(0).normal(size=(100, 2))
    tl.export(tl.SoftTree(max_leaf_nodes=4).fit(X, X[:, 0] > 0), tmp_path / "student.onnx", check_on=X)
    (run / "student.onnx").write_bytes((tmp_path / "student.onnx").read_bytes())
    for served in (run, run / "student.onnx"):
        with pytest.raises(DamagedFile, match="is not the file that was exported: its SHA-256 differs from the one in"):
            ServedFile.open(served)
    (run / "student.onnx.json").write_bytes((tmp_path / "student.onnx.json").read_bytes())
    with pytest.warns(UserWarning, match=r"nothing beside .*student.onnx says of which student it is"):
        ServedFile.open(run)
    name_student(run / "student.onnx", "0" * 64)
    with pytest.raises(BadInput, match="was exported from another student than the one that it stands for here"):
        ServedFile.open(run)
    assert ServedFile.open(run / "student.onnx").form.classes == (False, True)  # it is named itself
    (run / "student.onnx.json").unlink()
    (run / "run.json").unlink()
    assert ServedFile.open(run).form.classes == (False, True)  # a file alone, as an image holds it


def test_a_folder_without_the_file_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"has no student\.onnx, which is what is served; write it with tutelage export"):
        ServedFile.open(tmp_path)
    with pytest.raises(BadInput, match="there is no folder and no file"):
        ServedFile.open(tmp_path / "gone")
    (tmp_path / "student.c").write_text("")
    with pytest.raises(BadInput, match="is no ONNX file"):
        ServedFile.open(tmp_path / "student.c")


def test_a_changed_file_is_refused(table, tmp_path):
    path = tmp_path / "student.onnx"
    content = (table.run / "student.onnx").read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DamagedFile, match="is not an ONNX graph that can be run"):
        ServedFile.open(path)
    path.write_bytes(content.replace(b"purpose of it", b"purPose of it"))
    with pytest.raises(DamagedFile, match="was changed after tutelage exported it"):
        ServedFile.open(path)


def test_a_file_of_another_program_is_refused(tmp_path):
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [helper.make_tensor_value_info("y", 1, ["n", 2])])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "other.onnx")
    with pytest.raises(BadInput, match="was not exported by tutelage"):
        ServedFile.open(tmp_path / "other.onnx")


def test_a_threshold_without_its_output_is_refused(table, tmp_path):
    from tutelage.core.stored.checksums import onnx_with_checksum

    model = load_from_string((table.run / "student.onnx").read_bytes())
    kept = [(entry.key, entry.value) for entry in model.metadata_props if entry.key != "checksum"]
    del model.metadata_props[:]
    for key, value in [
        *kept,
        ("cascade", json.dumps({"threshold": 0.9, "target": 0.99, "delta": 0.05, "teacher": "t", "own_decisions": False})),
    ]:
        model.metadata_props.add(key=key, value=value)
    (tmp_path / "student.onnx").write_bytes(onnx_with_checksum(model))
    with pytest.raises(DamagedFile):
        ServedFile.open(tmp_path)


def test_an_id_beyond_the_vocabulary_is_a_mistake_of_the_request(tmp_path):
    torch = pytest.importorskip("torch")
    ids = np.random.default_rng(0).integers(0, 10, size=(60, 3))
    net = torch.nn.Sequential(torch.nn.Embedding(10, 4), torch.nn.Flatten(), torch.nn.Linear(12, 2))
    student = tl.TorchStudent(net, tl.losses.hard_cross_entropy()).fit(ids, y=(ids.sum(1) > 13).astype(int), epochs=1, seed=0)
    tl.export(student, tmp_path / "student.onnx", check_on=ids, compared_rows=60)
    with TestClient(tl.serving.create_app(tmp_path / "student.onnx")) as client:
        assert client.post("/v1/answer", json=[1, 2, 9]).status_code == 200
        for body in ([1, 2, 10], [1, 2, 2**53]):
            refused = client.post("/v1/answer", json=body)
            assert refused.status_code == 422
            assert "cannot take these rows" in refused.json()["detail"]
        assert client.post("/v1/answers", json={"rows": [[1, 2, 3], [1, 2, 10]]}).status_code == 422


def test_a_gap_that_an_operator_does_not_take_is_a_mistake_of_the_request(tmp_path):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import Binarizer

    rows = np.random.default_rng(0).normal(size=(60, 2))
    student = make_pipeline(Binarizer(), tl.SoftMLP(hidden_layer_sizes=(8,), epochs=3, random_state=0)).fit(rows, rows[:, 0] > 0)
    tl.export(student, tmp_path / "student.onnx", check_on=rows, precision="int8", max_drop=100)
    with TestClient(tl.serving.create_app(tmp_path / "student.onnx")) as client:
        assert client.post("/v1/answer", json=[0.0, 1.0]).status_code == 200
        refused = client.post("/v1/answer", json=[None, 1.0])
        assert refused.status_code == 422
        assert "cannot take these rows" in refused.json()["detail"]
