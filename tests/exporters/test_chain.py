import numpy as np
import pytest

from tutelage.exporters.chain import DOUBLE, FLOAT, MANY, Chain
from tutelage.exporters.parity import OnnxStudent

ROWS = np.random.default_rng(0).normal(size=(5, 100))


def run(chain, rows=ROWS):
    model = chain.model({"answers": (chain.last, chain.type, ["rows", None])}, row_shape=(rows.shape[1],))
    return model, OnnxStudent.load(model.SerializeToString()).answer(rows)


@pytest.mark.parametrize("kind", [FLOAT, DOUBLE])
def test_the_first_reader_decides_the_type_of_the_input(kind):
    chain = Chain()
    assert chain.reads_input
    chain.cast(kind)
    assert (chain.input_type, chain.nodes) == (kind, [])
    chain.cast(FLOAT + DOUBLE - kind)
    assert (chain.input_type, len(chain.nodes), chain.reads_input) == (kind, 1, True)
    chain.then("Neg")
    assert not chain.reads_input


def test_a_branch_starts_where_it_was_marked():
    chain = Chain()
    start = chain.mark()
    chain.cast(DOUBLE)
    first = chain.then("Neg")
    chain.back(start)
    assert chain.type == DOUBLE
    chain.then("Add", first)
    _, answers = run(chain)
    np.testing.assert_array_equal(answers, np.zeros_like(ROWS))


@pytest.mark.parametrize("exact", [True, False])
def test_many_numbers_of_single_precision_are_stored_in_it(exact):
    weights = np.random.default_rng(1).normal(size=(100, 3))
    weights = weights.astype(np.float32).astype(np.float64) if exact else weights
    assert weights.size > MANY
    chain = Chain()
    chain.cast(DOUBLE)
    chain.then("Gemm", chain.numbers(weights))
    model, answers = run(chain)
    np.testing.assert_allclose(answers, ROWS @ weights, rtol=1e-12)
    assert (model.graph.initializer[0].data_type == FLOAT) == exact


def test_weighted_sums_note_the_rounding_of_their_precision():
    chain = Chain()
    chain.cast(DOUBLE)
    assert chain.rounding == 0
    chain.then("Gemm", chain.numbers(np.eye(100)))
    assert chain.rounding == np.finfo(np.float64).eps
    chain.cast(FLOAT)
    chain.then("Gemm", chain.numbers(np.eye(100)))
    assert chain.rounding == np.finfo(np.float32).eps
