import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import entropy
from sklearn.metrics import confusion_matrix, log_loss

from tutelage.core.arrays import one_hot
from tutelage.core.errors import NotProbabilities, ShapeError
from tutelage.evaluation.metrics.agreement import FLOOR, agrees, cross_entropy, decision_counts, decisions, floored, kl_nats, on_off, shares
from tutelage.evaluation.metrics.calibration import brier


@st.composite
def distributions(draw, rows=5, classes=3):
    """Rows that sum to one, some with exact zeros."""
    weights = draw(arrays(np.float64, (rows, classes), elements=st.sampled_from([0.0, 1e-9, 0.1, 0.5, 1.0])))
    weights[weights.sum(axis=1) == 0] = 1.0
    return weights / weights.sum(axis=1, keepdims=True)


def test_kl_equals_scipys_entropy_where_nothing_is_zero():
    p, q = np.random.default_rng(0).dirichlet(np.ones(4), size=(2, 30))
    np.testing.assert_allclose(kl_nats(p, q), entropy(p, q, axis=1), atol=1e-5)


def test_kl_by_hand():
    assert kl_nats(np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]]))[0] == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3), abs=1e-6)


def test_a_zero_student_probability_is_raised_to_the_floor():
    divergence = kl_nats(np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]]))[0]
    assert divergence == pytest.approx(np.log(0.5) - 0.5 * np.log(FLOOR), abs=1e-6)
    assert kl_nats(np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]]), floor=1e-3)[0] < divergence


@given(distributions(), distributions())
def test_kl_is_never_negative_and_zero_for_equal_distributions(p, q):
    assert (kl_nats(p, q) >= 0).all()
    np.testing.assert_allclose(kl_nats(p, p), 0, atol=1e-5)
    np.testing.assert_allclose(floored(q).sum(axis=1), 1)


@given(distributions(), distributions())
def test_agreement_is_symmetric(p, q):
    np.testing.assert_array_equal(agrees(p, q), agrees(q, p))
    assert agrees(p, p).all()
    np.testing.assert_array_equal(decision_counts(decisions(p), decisions(q), 3), decision_counts(decisions(q), decisions(p), 3).T)


def test_cross_entropy_against_the_truth_equals_scikit_learns_log_loss():
    rng = np.random.default_rng(1)
    q, y = rng.dirichlet(np.ones(3), size=50), rng.integers(3, size=50)
    assert cross_entropy(one_hot(y, 3), q).mean() == pytest.approx(log_loss(y, q), abs=1e-5)


def test_kl_is_cross_entropy_minus_the_teachers_entropy():
    p, q = np.random.default_rng(2).dirichlet(np.ones(3), size=(2, 20))
    np.testing.assert_allclose(cross_entropy(p, q) - entropy(p, axis=1), kl_nats(p, q), atol=1e-9)


def test_multilabel_decisions_are_made_per_label():
    p, q = np.array([[0.9, 0.2, 0.5]]), np.array([[0.6, 0.7, 0.4]])
    np.testing.assert_array_equal(decisions(on_off(p)), [[1, 0, 0]])
    np.testing.assert_array_equal(agrees(on_off(p), on_off(q)), [[True, False, True]])
    expected = 0.9 * np.log(0.9 / 0.6) + 0.1 * np.log(0.1 / 0.4)
    assert kl_nats(on_off(p), on_off(q))[0, 0] == pytest.approx(expected, abs=1e-5)


def test_half_precision_teachers_do_not_make_kl_negative():
    p = np.random.default_rng(3).dirichlet(np.ones(10), size=200)
    assert (kl_nats(p.astype(np.float16), p) >= 0).all()


def test_decision_counts_equal_scikit_learns_confusion_matrix():
    a, b = np.random.default_rng(4).integers(4, size=(2, 100))
    np.testing.assert_array_equal(decision_counts(a, b, 4), confusion_matrix(a, b, labels=range(4)))


def test_shares_of_an_absent_class_are_zero():
    np.testing.assert_allclose(shares(np.array([[3, 1], [0, 0]])), [[0.75, 0.25], [0, 0]])


def test_probabilities_below_zero_by_rounding_count_as_zero():
    rounded, exact = np.array([[1.0, -1e-9], [0.5, 0.5]]), np.array([[1.0, 0.0], [0.5, 0.5]])
    for measure in (kl_nats, cross_entropy, brier):
        np.testing.assert_array_equal(measure(rounded, exact[::-1]), measure(exact, exact[::-1]))
        np.testing.assert_array_equal(measure(exact[::-1], rounded), measure(exact[::-1], exact))
        with pytest.raises(NotProbabilities, match=r"from -0\.01 to 1"):
            measure(np.array([[1.0, -0.01]]), exact[:1])


def test_one_distribution_may_stand_for_every_row():
    target, shares_of_classes = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]]), np.array([0.2, 0.3, 0.5])
    for measure in (kl_nats, cross_entropy, brier):
        np.testing.assert_array_equal(measure(target, shares_of_classes), measure(target, np.tile(shares_of_classes, (2, 1))))
        np.testing.assert_array_equal(measure(shares_of_classes, target), measure(np.tile(shares_of_classes, (2, 1)), target))
        assert measure(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0,)
        with pytest.raises(ShapeError, match=r"\(2, 3\) and student_probs \(2,\)"):
            measure(target, np.array([0.5, 0.5]))
