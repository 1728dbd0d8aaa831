import json

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeRegressor
from torch import nn

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.exporters.export import export
from tutelage.exporters.proof import edge_cases
from tutelage.exporters.targets.onnx.runtime import OnnxStudent
from tutelage.students.linear import SoftLogistic
from tutelage.students.networks.mlp import SoftMLP
from tutelage.students.trees import SoftTree
from tutelage.training.stacks.networks import mlp
from tutelage.training.student import TorchStudent

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
P = RNG.dirichlet(np.ones(4), 60)
STUDENTS = {
    "network": (TorchStudent(mlp((3, 5, 4)), classes="abcd"), ["probabilities", "label"], 4, "float"),
    "soft tree": (SoftTree(max_leaf_nodes=9).fit(X, P), ["probabilities", "label"], 4, "float"),
    "tree": (DecisionTreeRegressor(max_leaf_nodes=9).fit(X, X[:, 0]), ["prediction"], 1, "float"),
    "line": (LinearRegression().fit(X, X[:, 0]), ["prediction"], 1, "double"),
}
CLASSES = ["w", "x", "y", "z"]


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    monkeypatch.setattr(edge_cases, "ROWS", 100)


def rows_for(student):
    return X.astype(np.float32) if hasattr(student, "network") else X


def metadata(path):
    return {entry.key: json.loads(entry.value) for entry in onnx.load(path).metadata_props if entry.key != "checksum"}


@pytest.mark.parametrize("name", STUDENTS)
def test_every_student_has_one_input_in_the_type_that_it_reads_and_named_outputs(name, tmp_path):
    student, outputs, columns, kind = STUDENTS[name]
    export(student, tmp_path / "student.onnx", check_on=rows_for(student))
    session = OnnxStudent.load(tmp_path / "student.onnx").session
    assert [(one.name, one.type, one.shape) for one in session.get_inputs()] == [("inputs", f"tensor({kind})", ["rows", 3])]
    assert [one.name for one in session.get_outputs()] == outputs
    assert session.get_outputs()[0].shape == ["rows", columns]


def test_the_file_says_what_it_is_and_how_it_was_proven(tmp_path):
    frame = pd.DataFrame(X, columns=["far", "b c", "ü"])
    student = SoftTree(max_leaf_nodes=4).fit(frame, P, classes=CLASSES)
    record = export(student, tmp_path / "tree.onnx", check_on=frame)
    model, stored = onnx.load(tmp_path / "tree.onnx"), metadata(tmp_path / "tree.onnx")
    assert stored["classes"] == CLASSES
    assert stored["columns"] == [{"name": name, "type": "number"} for name in ("far", "b c", "ü")]
    assert (stored["kind"], stored["task"], model.producer_name) == ("probabilities", "multiclass", "tutelage")
    assert stored["parity"]["edge_rows"] == record.proofs[0].edge_rows
    assert str(record.proofs[0]) in model.doc_string
    assert (model.opset_import[0].version, model.ir_version) == (17, 8)
    export(STUDENTS["line"][0], tmp_path / "line.onnx", check_on=X)
    assert metadata(tmp_path / "line.onnx")["columns"] == [{"name": None, "type": "number"}] * 3


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        (["no", "yes"], ["no", "yes"]),
        ([7, 3], [7, 3]),
        ([0, 1], [0, 1]),
        ([0.0, 1.0], [0.0, 1.0]),
        ([False, True], [False, True]),
        ([0.5, 1.5], [0.5, 1.5]),
        ([1, "1"], ["1", '"1"']),
        ([2**70, 1], [str(2**70), "1"]),
    ],
)
def test_the_label_is_the_class_name_in_its_type(classes, labels, tmp_path):
    student = SoftTree(max_leaf_nodes=8).fit(X, P[:, :2] / P[:, :2].sum(axis=1, keepdims=True), classes=classes)
    export(student, tmp_path / "tree.onnx", check_on=X)
    decided = OnnxStudent.load(tmp_path / "tree.onnx").session.run(["label"], {"inputs": X.astype(np.float32)})[0]
    assert decided.tolist() == [labels[place] for place in student.predict_proba(X).argmax(axis=1)]
    assert {type(label) for label in decided.tolist()} <= {type(label) for label in labels}


@pytest.mark.parametrize("opset", [11, 12, 13, 18, 25])
def test_a_file_has_the_version_that_was_asked_for(opset, tmp_path):
    student = tl.DistilledClassifier(tl.SoftForest(n_estimators=3, random_state=0).fit(X, P), SoftLogistic(), temperature=2.0).fit(X)
    for each in (student, STUDENTS["soft tree"][0]):
        export(each, tmp_path / "student.onnx", check_on=X, target_opset=opset)
        assert [one.version for one in onnx.load(tmp_path / "student.onnx").opset_import if one.domain == ""] == [opset]


@pytest.mark.parametrize(
    ("student", "opset", "sentence"),
    [
        (STUDENTS["line"][0], 10, "target_opset is 10; expected 11 to 25"),
        (make_pipeline(MinMaxScaler(clip=True), LinearRegression()).fit(X, X[:, 0]), 11, "a range in double precision needs 12 at least"),
        (SVR().fit(X, X[:, 0]), 11, "SVR is written in version 17 by another library, and has no other form"),
    ],
)
def test_a_version_that_an_operator_lacks_is_one_sentence(student, opset, sentence, tmp_path):
    with pytest.raises(BadInput, match=sentence):
        export(student, tmp_path / "student.onnx", check_on=X, target_opset=opset)
    assert list(tmp_path.iterdir()) == []


def test_a_part_of_another_library_is_carried_to_a_later_version(tmp_path):
    student = SVR().fit(X, X[:, 0])
    export(student, tmp_path / "student.onnx", check_on=X, target_opset=18)
    np.testing.assert_allclose(OnnxStudent.load(tmp_path / "student.onnx").answer(X)[:, 0], student.predict(X), atol=1e-5)


IMAGES = RNG.normal(size=(80, 1, 6, 6)).astype(np.float32)


def network():
    layers = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3)]
    return TorchStudent(nn.Sequential(*layers)).fit(IMAGES, y=np.digitize(IMAGES.mean(axis=(1, 2, 3)), [-0.1, 0.1]), epochs=2, seed=0)


@pytest.mark.parametrize("precision", ["half", "int8", "int8-dynamic"])
def test_rounded_weights_are_smaller_and_the_drop_is_recorded(precision, tmp_path):
    rows = RNG.normal(size=(400, 60))
    truth = (rows[:, 0] + rows[:, 1] > 0).astype(int) + (rows[:, 2] > 1)
    student = SoftMLP(epochs=10, random_state=0).fit(rows, truth)
    whole = export(student, tmp_path / "student.onnx", check_on=rows)
    record = export(student, tmp_path / "student.onnx", check_on=rows, precision=precision, max_drop=3)
    assert record.size_bytes < whole.size_bytes * 0.75
    (drop,) = record.drops
    assert (record.proven, record.proofs, drop.rows, drop.metric) == (True, (), 400, "decisions changed")
    assert 0 <= drop.ci95[0] <= drop.drop <= drop.ci95[1]
    assert metadata(tmp_path / "student.onnx")["drop"]["drop"] == drop.drop
    answers = OnnxStudent.load(tmp_path / "student.onnx").answer(rows)
    assert (answers.argmax(axis=1) != student.predict(rows)).mean() * 100 == pytest.approx(drop.drop)
    assert np.abs(answers - student.predict_proba(rows)).max() > 1e-5  # it is not the unrounded file
    assert tl.open_teacher(tmp_path / "student.onnx").form.classes == (0, 1, 2)
    with_truth = export(student, tmp_path / "student.onnx", check_on=rows, precision=precision, truth=truth, max_drop=5).drops[0]
    lost = 100 * ((student.predict(rows) == truth).mean() - (answers.argmax(axis=1) == truth).mean())
    assert (with_truth.metric, with_truth.drop) == ("accuracy", pytest.approx(lost))


@pytest.mark.parametrize("precision", ["half", "int8", "int8-dynamic"])
def test_networks_are_rounded_and_read_single_precision(precision, tmp_path):
    export(network(), tmp_path / "student.onnx", check_on=IMAGES, precision=precision, max_drop=25)
    session = OnnxStudent.load(tmp_path / "student.onnx").session
    assert session.get_inputs()[0].type == "tensor(float)"
    kinds = {tensor.data_type for tensor in onnx.load(tmp_path / "student.onnx").graph.initializer if len(tensor.dims) > 1}
    assert kinds <= ({onnx.TensorProto.FLOAT16} if precision == "half" else {onnx.TensorProto.INT8, onnx.TensorProto.UINT8})


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("precision", ["half", "int8", "int8-dynamic"])
def test_networks_that_torch_wrote_are_rounded_too(precision, tmp_path):
    student = TorchStudent(nn.Sequential(nn.Linear(3, 40), nn.Softplus(), nn.Linear(40, 4)), classes="abcd")
    rows = X.astype(np.float32)
    whole = export(student, tmp_path / "student.onnx", check_on=rows)
    assert export(student, tmp_path / "student.onnx", check_on=rows, precision=precision, max_drop=50).size_bytes != whole.size_bytes


@pytest.mark.parametrize("precision", [None, "half", "int8", "int8-dynamic"])
def test_two_exports_are_the_same_bytes(precision, tmp_path):
    student = network()
    contents = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        export(student, tmp_path / name / "student.onnx", check_on=IMAGES, precision=precision, **({"max_drop": 25} if precision else {}))
        contents.add((tmp_path / name / "student.onnx").read_bytes() + (tmp_path / name / "student.onnx.json").read_bytes())
    assert len(contents) == 1


@pytest.mark.parametrize("precision", ["half", "int8", "int8-dynamic"])
def test_trees_have_nothing_to_round(precision, tmp_path):
    with pytest.raises(BadInput, match=rf"precision is '{precision}', and this student has no weighted sums"):
        export(STUDENTS["soft tree"][0], tmp_path / "student.onnx", check_on=X, precision=precision)
    with pytest.raises(BadInput, match="a file of ONNX has 'half' or 'int8' or 'int8-dynamic'"):
        export(STUDENTS["line"][0], tmp_path / "student.onnx", check_on=X, precision="single")


@pytest.mark.parametrize("wrong", ["one node", "the labels"])
def test_a_planted_bug_is_found_and_nothing_is_written(wrong, tmp_path, monkeypatch):
    from tutelage.exporters.targets.onnx import target

    written = target.model_of

    def with_a_bug(*arguments):
        model = written(*arguments)
        for node in model.graph.node:
            for attribute in node.attribute:
                if wrong == "one node" and attribute.name == "nodes_modes":
                    attribute.strings[:] = [b"BRANCH_LT" if mode == b"BRANCH_LEQ" else mode for mode in attribute.strings]
            if wrong == "the labels" and node.op_type == "ArgMax":
                node.op_type = "ArgMin"
        return model

    monkeypatch.setattr(target, "model_of", with_a_bug)
    with pytest.raises(tl.TutelageError, match=r"differs from its student in onnxruntime .* nothing was written"):
        export(STUDENTS["soft tree"][0], tmp_path / "student.onnx", check_on=X)
    assert list(tmp_path.iterdir()) == []


def test_the_runtime_is_named(tmp_path):
    assert export(STUDENTS["line"][0], tmp_path / "a.onnx", check_on=X).proofs[0].runtime == f"onnxruntime {onnxruntime.__version__}"
