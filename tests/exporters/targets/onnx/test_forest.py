from dataclasses import replace

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput
from tutelage.exporters.program.operations import TreeSum
from tutelage.exporters.program.trees import of_averaged
from tutelage.exporters.targets.onnx import forest as module
from tutelage.exporters.targets.onnx.forest import decides_in_single, single_tree, tree_sum
from tutelage.exporters.targets.onnx.graph import DOUBLE, FLOAT, Graph, Value
from tutelage.exporters.targets.onnx.runtime import OnnxStudent

RNG = np.random.default_rng(0)
X = RNG.normal(size=(100, 2))


def answers(trees, rows):
    graph, kind = Graph(), FLOAT if trees.single else DOUBLE
    found = tree_sum(graph, TreeSum(trees), Value("inputs", kind, (2,)))
    assert (found.kind, found.shape) == (DOUBLE, (trees.outputs,))
    model = graph.model({"inputs": (kind, ["rows", 2])}, {"answers": (found.name, DOUBLE, ["rows", trees.outputs])})
    return OnnxStudent.load(model.SerializeToString()).answer(rows)


@pytest.mark.parametrize("single", [True, False])
def test_values_keep_double_precision(single):
    tree = DecisionTreeRegressor(max_leaf_nodes=9).fit(X.astype(np.float32), X[:, 0] / 3)
    trees = replace(of_averaged([tree], 1), single=single)
    np.testing.assert_array_equal(answers(trees, X.astype(np.float32))[:, 0], tree.predict(X.astype(np.float32)))


def test_a_tree_of_one_leaf_is_a_constant():
    tree = DecisionTreeRegressor().fit(X, np.full(100, 0.1))
    np.testing.assert_array_equal(answers(of_averaged([tree], 1), X), tree.predict(X)[:, None])


def test_trees_of_one_number_a_leaf_answer_in_turn():
    first, second = (DecisionTreeRegressor(max_depth=2).fit(X, X[:, column]) for column in (0, 1))
    trees = of_averaged([first, second, first, second], 1)
    expected = 2 * np.column_stack([first.predict(X), second.predict(X)]) + [1.0, -1.0]
    trees = replace(trees, outputs=2, divisor=1, start=np.array([1.0, -1.0]))
    np.testing.assert_allclose(answers(trees, X), expected)
    assert answers(trees, X[:0].astype(np.float32)).shape == (0, 2)


def test_more_leaves_than_single_precision_can_number_are_refused(monkeypatch):
    monkeypatch.setattr(module, "MOST_LEAVES", 4)
    trees = of_averaged([DecisionTreeRegressor(max_leaf_nodes=5).fit(X, X[:, 0])], 1)
    with pytest.raises(BadInput, match=r"the trees have 5 leaves; a file can hold 4"):
        tree_sum(Graph(), TreeSum(trees), Value("inputs", FLOAT, (2,)))


def test_trees_after_other_steps_are_cast_to_their_precision():
    graph = Graph()
    tree_sum(graph, TreeSum(of_averaged([DecisionTreeRegressor(max_depth=1).fit(X, X[:, 0])], 1)), Value("inputs", DOUBLE, (2,)))
    assert [node.op_type for node in graph.nodes][:2] == ["Cast", "TreeEnsembleRegressor"]
    assert graph.nodes[0].attribute[0].i == FLOAT


def test_the_answers_of_a_single_tree_are_those_of_the_operator_rounded_once():
    tree = DecisionTreeClassifier(max_leaf_nodes=9, random_state=0).fit(X, RNG.integers(3, size=100))
    trees, form = of_averaged([tree], 3), AnswerForm("probabilities", "multiclass", (0, 1, 2))
    assert decides_in_single(trees, form)
    graph = Graph()
    found = single_tree(graph, TreeSum(trees), Value("inputs", FLOAT, (2,)))
    assert [node.op_type for node in graph.nodes] == ["TreeEnsembleRegressor"]
    model = graph.model({"inputs": (FLOAT, ["rows", 2])}, {"answers": (found.name, FLOAT, ["rows", 3])})
    np.testing.assert_array_equal(OnnxStudent.load(model.SerializeToString()).answer(X), tree.predict_proba(X).astype(np.float32))


@pytest.mark.parametrize("reason", ["values", "several trees", "start", "divisor", "double", "another decision"])
def test_other_trees_are_answered_in_double_precision(reason):
    tree = DecisionTreeClassifier(max_leaf_nodes=3, random_state=0).fit(X, RNG.integers(2, size=100))
    trees, form = of_averaged([tree], 2), AnswerForm("probabilities", "binary", ("a", "b"))
    assert decides_in_single(trees, form)
    other = {
        "several trees": replace(trees, trees=trees.trees * 2),
        "start": replace(trees, start=np.ones(2)),
        "divisor": replace(trees, divisor=2),
        "double": replace(trees, single=False),
        "another decision": replace(trees, trees=(replace(trees.trees[0], values=trees.trees[0].values * 0 + [0.5, 0.5 + 1e-12]),)),
    }
    form = AnswerForm("values", "regression") if reason == "values" else form
    assert not decides_in_single(other.get(reason, trees), form)
