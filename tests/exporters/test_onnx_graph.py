import json

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeRegressor
from torch import nn

from tutelage.core.errors import BadInput
from tutelage.exporters.onnx_graph import onnx_graph, thresholds_of
from tutelage.exporters.parity import OnnxStudent, export_onnx
from tutelage.losses.value_terms import hard_bernoulli, squared_error
from tutelage.students.trees import SoftTree
from tutelage.training.stacks.networks import mlp
from tutelage.training.student import TorchStudent

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
P = RNG.dirichlet(np.ones(4), 60)
STUDENTS = {
    "network": (TorchStudent(mlp((3, 5, 4)), classes="abcd"), "probabilities", 4),
    "soft tree": (SoftTree(max_leaf_nodes=9).fit(X, P), "probabilities", 4),
    "tree": (DecisionTreeRegressor(max_leaf_nodes=9).fit(X, X[:, 0]), "prediction", 1),
    "line": (LinearRegression().fit(X, X[:, 0]), "prediction", 1),
}


@pytest.mark.parametrize("name", STUDENTS)
def test_every_student_has_one_input_and_one_output_of_its_shape(name):
    student, output, columns = STUDENTS[name]
    graph = onnx_graph(student, 3).graph
    assert [value.name for value in graph.input] == ["inputs"]
    assert [value.name for value in graph.output] == [output]
    assert graph.input[0].type.tensor_type.shape.dim[1].dim_value == 3
    assert graph.output[0].type.tensor_type.shape.dim[1].dim_value == columns


def test_the_class_names_are_stored_in_the_file():
    metadata = {entry.key: entry.value for entry in onnx_graph(STUDENTS["network"][0], 3).metadata_props}
    assert json.loads(metadata["classes"]) == ["a", "b", "c", "d"]


@pytest.mark.slow
@pytest.mark.parametrize("network", [mlp((3, 5, 4)), nn.Sequential(nn.Linear(3, 4), nn.Tanh())])
def test_the_file_contains_no_local_paths(network):
    content = onnx_graph(TorchStudent(network, classes="abcd"), 3).SerializeToString()
    assert b".py" not in content
    assert b"site-packages" not in content


@pytest.mark.parametrize("bias", [True, False])
def test_plain_layers_are_written_directly(bias, tmp_path):
    student = TorchStudent(nn.Sequential(nn.Linear(3, 5, bias=bias), nn.ReLU(), nn.Linear(5, 4, bias=bias)), classes="abcd")
    rows = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    assert export_onnx(student, tmp_path / "student.onnx", check_on=rows).worst_difference < 1e-6
    graph = onnx_graph(student, 3).graph
    assert [node.op_type for node in graph.node] == ["Gemm", "Relu", "Gemm", "Softmax"]


@pytest.mark.slow
def test_a_convolutional_network_is_exported_in_eval_mode_for_any_number_of_rows(tmp_path):
    first = nn.Sequential(nn.Unflatten(1, (1, 28, 28)), nn.Conv2d(1, 4, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    then = [nn.Conv2d(4, 4, 3, padding="same", groups=4), nn.MaxPool2d(2), nn.Dropout2d(), nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    network = nn.Sequential(first, *then, nn.Linear(16, 10))
    rows = RNG.random((50, 784)).astype(np.float32)
    student = TorchStudent(network).fit(rows, y=np.arange(50) % 10, epochs=3, seed=0)
    network.train()
    assert export_onnx(student, tmp_path / "student.onnx", check_on=rows).decisions_changed == 0
    assert network[0][2].training
    file = OnnxStudent.load(tmp_path / "student.onnx")
    for count in (1, 7):
        np.testing.assert_allclose(file.answer(rows[:count]), student.predict_proba(rows[:count]), atol=1e-6)


def test_layers_that_do_not_fit_the_rows_are_refused():
    with pytest.raises(BadInput, match="a layer of the network takes 3 inputs and would get 2"):
        onnx_graph(STUDENTS["network"][0], 2)


@pytest.mark.slow
def test_exporting_restores_the_training_mode():
    network = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5)).train()
    onnx_graph(TorchStudent(network, classes="abcd"), 3)
    assert network.training
    assert network[1].training


def test_other_models_are_refused_by_name():
    with pytest.raises(BadInput, match="cannot export a LogisticRegression; expected a TorchStudent"):
        onnx_graph(LogisticRegression().fit(X, X[:, 0] > 0), 3)


def test_the_thresholds_of_a_tree_are_those_of_its_splits():
    tree = DecisionTreeRegressor(max_depth=1).fit([[0.0, 0.0], [0.0, 1.0]], [0, 1])
    assert thresholds_of(tree) == [(1, np.float32(0.5))]
    assert thresholds_of(STUDENTS["line"][0]) == []


@pytest.mark.slow
@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Tanh()])  # written directly, and with torch's exporter
@pytest.mark.parametrize("targets", [X[:, :1] * 100, (X > 0).astype(np.int64)])
def test_regression_and_multilabel_networks_are_exported_without_softmax(targets, activation, tmp_path):
    network = nn.Sequential(nn.Linear(3, 4), activation, nn.Linear(4, targets.shape[1]))
    student = TorchStudent(network, squared_error(against="labels") if targets.shape[1] == 1 else hard_bernoulli()).fit(
        X, y=targets, epochs=1
    )
    export_onnx(student, tmp_path / "student.onnx", check_on=X)
    answers = OnnxStudent.load(tmp_path / "student.onnx").answer(X.astype(np.float32))
    expected = network(torch.tensor(X, dtype=torch.float32)).detach()
    np.testing.assert_allclose(answers, expected if targets.shape[1] == 1 else expected.sigmoid(), atol=1e-5)
