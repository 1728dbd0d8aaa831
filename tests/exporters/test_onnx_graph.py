import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeRegressor

from tutelage.core.errors import BadInput, ShapeError
from tutelage.exporters.onnx_graph import label_codes, onnx_graph
from tutelage.exporters.parity import OnnxStudent, export_onnx
from tutelage.students.trees import SoftTree
from tutelage.training.stacks.networks import mlp
from tutelage.training.student import TorchStudent

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
P = RNG.dirichlet(np.ones(4), 60)
STUDENTS = {
    "network": (TorchStudent(mlp((3, 5, 4)), classes="abcd"), ["probabilities", "label"], 4),
    "soft tree": (SoftTree(max_leaf_nodes=9).fit(X, P), ["probabilities", "label"], 4),
    "tree": (DecisionTreeRegressor(max_leaf_nodes=9).fit(X, X[:, 0]), ["prediction"], 1),
    "line": (LinearRegression().fit(X, X[:, 0]), ["prediction"], 1),
}


@pytest.mark.parametrize("name", STUDENTS)
def test_every_student_has_one_input_and_named_outputs_of_its_shape(name):
    student, outputs, columns = STUDENTS[name]
    graph = onnx_graph(student, X).model.graph
    assert [value.name for value in graph.input] == ["inputs"]
    assert [value.name for value in graph.output] == outputs
    assert graph.input[0].type.tensor_type.shape.dim[1].dim_value == 3
    assert graph.output[0].type.tensor_type.shape.dim[1].dim_value == columns


def test_the_file_says_its_classes_and_columns():
    student = SoftTree(max_leaf_nodes=4).fit(pd.DataFrame(X, columns=["far", "b c", "ü"]), P, classes=["w", "x", "y", "z"])
    model = onnx_graph(student, X).model
    stored = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert stored["classes"] == ["w", "x", "y", "z"]
    assert stored["columns"] == [{"name": name, "type": "number"} for name in ("far", "b c", "ü")]
    assert (stored["kind"], stored["task"], model.producer_name) == ("probabilities", "multiclass", "tutelage")
    (unnamed,) = [entry.value for entry in onnx_graph(STUDENTS["line"][0], X).model.metadata_props if entry.key == "columns"]
    assert json.loads(unnamed) == [{"name": None, "type": "number"}] * 3


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        (["no", "yes"], ["no", "yes"]),
        ([7, 3], [7, 3]),
        ([False, True], [False, True]),
        ([0.5, 1.5], [0.5, 1.5]),
        ([1, "1"], ["1", '"1"']),
        ([2**70, 1], [str(2**70), "1"]),
    ],
)
def test_the_label_is_the_class_name_in_its_type(classes, labels, tmp_path):
    student = SoftTree(max_leaf_nodes=8).fit(X, P[:, :2] / P[:, :2].sum(axis=1, keepdims=True), classes=classes)
    export_onnx(student, tmp_path / "tree.onnx", check_on=X)
    decided = OnnxStudent.load(tmp_path / "tree.onnx").session.run(["label"], {"inputs": X.astype(np.float32)})[0]
    assert decided.tolist() == [labels[place] for place in student.predict_proba(X).argmax(axis=1)]
    form = onnx_graph(student, X).form
    assert label_codes(form, decided).tolist() == student.predict_proba(X).argmax(axis=1).tolist()
    assert label_codes(form, np.array(["else"], dtype=object)).tolist() == [-1]


def test_the_input_has_the_type_that_the_student_reads():
    types = {name: onnx_graph(student, X).dtype for name, (student, _, _) in STUDENTS.items()}
    assert types == {"network": np.float32, "soft tree": np.float32, "tree": np.float32, "line": np.float64}


def test_other_objects_are_refused_by_name():
    with pytest.raises(BadInput, match="cannot export a str; expected a fitted student"):
        onnx_graph("student", X)
    with pytest.raises(BadInput, match="cannot export SoftTree; expected a fitted student"):
        onnx_graph(SoftTree, X)
    with pytest.raises(BadInput, match="the SoftTree is not fitted"):
        onnx_graph(SoftTree(), X)
    with pytest.raises(ShapeError, match=r"check_on has shape \(2, 3, 4\)"):
        onnx_graph(AnyShape(), np.zeros((2, 3, 4)))


class AnyShape:
    def predict(self, rows):
        return np.zeros(len(rows))
