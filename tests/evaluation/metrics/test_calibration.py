import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from tutelage.core.arrays import one_hot
from tutelage.core.errors import BadInput
from tutelage.evaluation.metrics.calibration import bin_edges, bin_of, brier, expected_calibration_error, reliability_curve, top_label

SHARES = arrays(np.float64, 25, elements=st.floats(0, 1))


def test_binary_brier_is_twice_scikit_learns_score():
    rng = np.random.default_rng(0)
    q, y = rng.dirichlet(np.ones(2), size=40), rng.integers(2, size=40)
    ours = brier(one_hot(y, 2), q).mean()
    assert ours == pytest.approx(2 * brier_score_loss(y, q[:, 1]))
    assert brier(np.array([[1.0, 0, 0]]), np.array([[0, 1.0, 0]]))[0] == 2


def test_multiclass_brier_equals_scikit_learns():
    rng = np.random.default_rng(1)
    q, y = rng.dirichlet(np.ones(4), size=40), rng.integers(4, size=40)
    assert brier(one_hot(y, 4), q).mean() == pytest.approx(brier_score_loss(y, q, scale_by_half=False))


def test_calibration_error_by_hand():
    # Two bins are filled: (.6, .7] has confidence 0.65 and is right half the time; (.9, 1] has 0.95 and is always right.
    confidence, outcome = np.array([0.64, 0.66, 0.95, 0.95]), np.array([1.0, 0.0, 1.0, 1.0])
    assert expected_calibration_error(confidence, outcome, bins=10) == pytest.approx(0.5 * 0.15 + 0.5 * 0.05)


def test_bins_include_their_upper_edge_and_the_first_includes_zero():
    edges = bin_edges(np.zeros(1), bins=4)
    np.testing.assert_array_equal(bin_of(np.array([0.0, 0.25, 0.26, 1.0]), edges), [0, 0, 1, 3])


@given(SHARES, SHARES, st.sampled_from(["equal-width", "equal-mass"]), st.integers(1, 20))
def test_calibration_error_is_between_0_and_1_for_any_bins(confidence, outcome, binning, bins):
    error = expected_calibration_error(confidence, outcome, bins=bins, binning=binning)
    assert 0 <= error <= 1
    assert error >= abs(confidence.mean() - outcome.mean()) - 1e-9  # binning can only increase the overall gap
    curve = reliability_curve(confidence, outcome, bins=bins, binning=binning)
    assert sum(curve.rows) == 25
    assert all(low - 1e-12 <= mean <= high + 1e-12 for low, mean, high in zip(curve.low, curve.confidence, curve.high, strict=True))
    assert np.dot(curve.rows, np.abs(np.subtract(curve.confidence, curve.outcome))) / 25 == pytest.approx(error)


def test_a_perfect_forecast_has_zero_error():
    assert expected_calibration_error(np.ones(5), np.ones(5)) == 0


def test_equal_mass_bins_have_the_same_number_of_rows():
    curve = reliability_curve(np.random.default_rng(2).random(1000), np.zeros(1000), bins=8, binning="equal-mass")
    assert curve.rows == (125,) * 8


def test_equal_confidences_share_one_bin():
    assert reliability_curve(np.full(9, 0.7), np.ones(9), bins=5, binning="equal-mass").rows == (9,)


def test_the_curve_equals_scikit_learns():
    rng = np.random.default_rng(3)
    confidence, right = rng.random(300), rng.integers(2, size=300)
    share, mean_confidence = calibration_curve(right, confidence, n_bins=15)
    curve = reliability_curve(confidence, right)
    np.testing.assert_allclose(curve.outcome, share)
    np.testing.assert_allclose(curve.confidence, mean_confidence)


def test_against_a_teacher_the_outcome_is_its_probability_of_the_students_class():
    confidence, outcome = top_label(np.array([[0.3, 0.7]]), np.array([[0.9, 0.1]]))
    assert (confidence[0], outcome[0]) == (0.9, 0.3)


def test_invalid_bins_are_refused():
    with pytest.raises(BadInput, match="from 1 to 1,000"):
        bin_edges(np.ones(3), bins=0)
    with pytest.raises(BadInput, match="'equal-width' or 'equal-mass'"):
        bin_edges(np.ones(3), binning="quantile")
