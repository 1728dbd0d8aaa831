import json

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeRegressor
from torch import nn

from tutelage.core.errors import BadInput
from tutelage.export.onnx_graph import onnx_graph, thresholds_of
from tutelage.students.networks import mlp
from tutelage.students.torch_student import TorchStudent
from tutelage.students.trees import SoftTree

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


def test_the_labels_travel_with_the_file():
    metadata = {entry.key: entry.value for entry in onnx_graph(STUDENTS["network"][0], 3).metadata_props}
    assert json.loads(metadata["classes"]) == ["a", "b", "c", "d"]


def test_the_file_holds_no_path_of_the_machine_that_made_it():
    content = onnx_graph(STUDENTS["network"][0], 3).SerializeToString()
    assert b".py" not in content
    assert b"site-packages" not in content


def test_exporting_gives_the_network_its_mode_back():
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
