import numpy as np
import pytest

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.evaluation.metrics.agreement import cross_entropy, kl_nats
from tutelage.evaluation.metrics.calibration import brier, top_label
from tutelage.evaluation.metrics.top import (
    blocks,
    buckets,
    certain,
    confidence_and_outcome,
    decided,
    is_certain,
    probability_of,
    squared_distance,
)

RNG = np.random.default_rng(0)
DENSE, OTHER = RNG.dirichlet(np.full(6, 0.7), size=(2, 40))
CODES = RNG.integers(6, size=40)


def top_of(dense, k):
    ids = np.argsort(-dense, axis=1)[:, :k]
    kept = np.take_along_axis(dense, ids, axis=1)
    with np.errstate(divide="ignore"):
        return TopAnswers(ids.astype(np.uint16), np.log(kept), np.log(np.maximum(1 - kept.sum(axis=1), 0)), dense.shape[1])


def test_a_certain_truth_gives_the_figures_of_its_one_hot_form():
    truth, one_hot = certain(CODES, 6), np.eye(6)[CODES]
    p, q = buckets(truth, DENSE)
    np.testing.assert_allclose(cross_entropy(p, q), cross_entropy(one_hot, DENSE), rtol=1e-5)
    np.testing.assert_allclose(squared_distance(truth, DENSE), brier(one_hot, DENSE), rtol=1e-12)
    np.testing.assert_allclose(confidence_and_outcome(truth, DENSE), top_label(one_hot, DENSE))
    assert is_certain(truth)
    assert not is_certain(top_of(DENSE, 1))
    assert decided(truth).tolist() == CODES.tolist()


def test_probabilities_are_found_by_class_in_any_order():
    top = top_of(DENSE, 3)
    ids = np.argsort(RNG.random((40, 6)), axis=1)
    found, known = probability_of(top, ids)
    of_dense, _ = probability_of(DENSE, ids)
    np.testing.assert_allclose(found[known], of_dense[known])
    assert (known.sum(axis=1) == 3).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)  # the rest in equal parts


def test_the_rest_is_what_answers_state_and_not_what_their_rounded_probabilities_leave_of_one():
    exact = TopAnswers(np.array([[0, 1], [2, 0]], np.uint16), np.log([[0.9, 0.09999], [0.7, 0.29999]]), np.log([1e-5, 1e-5]), 6)
    rounded = exact.in_precision("float16")
    truth = certain(np.array([5, 4]), 6)
    np.testing.assert_allclose(buckets(truth, rounded)[1][:, -1], [1e-5, 1e-5], rtol=1e-5)
    other = TopAnswers(np.array([[1, 3], [1, 3]], np.uint16), np.log([[0.6, 0.3], [0.6, 0.3]]), np.log([0.1, 0.1]), 6)
    p, q = buckets(other, rounded)  # both know class 1 of the first row, and none of the second
    np.testing.assert_allclose(p, [[0.6, 0, 0.4], [0, 0, 1]], rtol=1e-6)
    np.testing.assert_allclose(q, [[0.09999, 0, 0.90001], [0, 0, 1]], rtol=1e-3)
    assert q[0, -1] == pytest.approx(np.exp(np.float64(rounded.log_probs[0, 0])) + 1e-5, abs=1e-9)


def test_buckets_bound_the_divergence_from_below_and_meet_it_when_all_is_known():
    exact = kl_nats(DENSE, OTHER)
    for k in (1, 2, 4):
        for pair in ((top_of(DENSE, k), OTHER), (DENSE, top_of(OTHER, k)), (top_of(DENSE, k), top_of(OTHER, k))):
            found = kl_nats(*buckets(*pair))
            assert (found <= exact + 1e-6).all()
    np.testing.assert_allclose(kl_nats(*buckets(top_of(DENSE, 5), OTHER)), exact, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(kl_nats(*buckets(top_of(DENSE, 6), OTHER)), exact, rtol=1e-4, atol=1e-6)


def test_the_truth_outside_the_most_probable_classes_costs_at_least_what_the_rest_allows():
    student, truth = top_of(DENSE, 2), certain(CODES, 6)
    outside = ~probability_of(student, truth.ids)[1][:, 0]
    nll, exact = cross_entropy(*buckets(truth, student)), -np.log(DENSE[np.arange(40), CODES])
    assert outside.any()
    np.testing.assert_allclose(nll[~outside], exact[~outside], rtol=1e-5)
    np.testing.assert_allclose(nll[outside], -student.rest[outside], rtol=1e-5)
    assert (nll <= exact + 1e-6).all()


def test_a_class_that_the_rest_cannot_hold_has_no_probability():
    top = TopAnswers(np.array([[2]]), np.array([[0.0]]), np.array([-np.inf]), 4)
    found, known = probability_of(top, np.array([[2, 3]]))
    assert found.tolist() == [[1.0, 0.0]]
    assert known.all()


@pytest.mark.parametrize(("answers", "columns"), [(0, 5), (7, 5), (3, 1 << 30)])
def test_blocks_cover_all_answers_once(answers, columns):
    assert [place for block in blocks(answers, columns) for place in range(block.start, block.stop)] == list(range(answers))
