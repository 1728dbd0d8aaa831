import numpy as np
import pytest

from tutelage.core.errors import BadInput
from tutelage.exporters.targets.onnx.graph import DOUBLE, FLOAT, MANY, Graph, Value
from tutelage.exporters.targets.onnx.runtime import OnnxStudent

ROWS = np.random.default_rng(0).normal(size=(5, 100))
ROW = Value("inputs", DOUBLE, (100,))


def run(graph, name, kind=DOUBLE, rows=ROWS):
    model = graph.model({"inputs": (DOUBLE, ["rows", 100])}, {"answers": (name, kind, ["rows", None])})
    return model, OnnxStudent.load(model.SerializeToString()).answer(rows)


def test_a_value_is_cast_once_and_only_to_another_type():
    graph = Graph()
    assert graph.cast(ROW, DOUBLE) == ROW
    first, again = graph.cast(ROW, FLOAT), graph.cast(ROW, FLOAT)
    assert (first.kind, first.shape, first == again, len(graph.nodes)) == (FLOAT, (100,), True, 1)


@pytest.mark.parametrize("exact", [True, False])
def test_many_numbers_of_single_precision_are_stored_in_it(exact):
    weights = np.random.default_rng(1).normal(size=(100, 3))
    weights = weights.astype(np.float32).astype(np.float64) if exact else weights
    assert weights.size > MANY
    graph = Graph()
    model, answers = run(graph, graph.node("Gemm", "inputs", graph.numbers(weights, DOUBLE)))
    np.testing.assert_allclose(answers, ROWS @ weights, rtol=1e-12)
    assert (model.graph.initializer[0].data_type == FLOAT) == exact


@pytest.mark.parametrize("opset", [11, 13, 17, 18, 21, 25])
@pytest.mark.parametrize("operator", ["ReduceSum", "ReduceMax", "ReduceMean"])
def test_a_reduction_has_the_form_of_its_version(operator, opset):
    graph = Graph(opset)
    _, answers = run(graph, graph.reduced(operator, "inputs", 1, keep=True))
    expected = {"ReduceSum": ROWS.sum, "ReduceMax": ROWS.max, "ReduceMean": ROWS.mean}[operator](axis=1, keepdims=True)
    np.testing.assert_allclose(answers, expected)


def test_what_a_version_lacks_is_one_sentence():
    Graph(17).needs(17, "a LayerNorm")
    with pytest.raises(BadInput, match=r"target_opset is 13; a LayerNorm needs 17 at least\. Pass that, or leave target_opset out"):
        Graph(13).needs(17, "a LayerNorm")


def test_an_output_is_a_result_itself_and_an_input_as_output_a_copy():
    graph = Graph()
    double = graph.node("Add", "inputs", "inputs")
    triple = graph.node("Add", double, "inputs")
    outputs = {name: (result, DOUBLE, ["rows", 100]) for name, result in (("twice", double), ("thrice", triple), ("once", "inputs"))}
    model = graph.model({"inputs": (DOUBLE, ["rows", 100])}, outputs)
    assert [node.op_type for node in model.graph.node] == ["Add", "Add", "Identity"]
    ran = OnnxStudent.load(model.SerializeToString()).session.run(["once", "twice", "thrice"], {"inputs": ROWS})
    for factor, found in enumerate(ran, 1):
        np.testing.assert_allclose(found, factor * ROWS)
