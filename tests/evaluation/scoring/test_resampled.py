import numpy as np
import pytest
from sklearn.metrics import r2_score

from tutelage.evaluation.metrics.calibration import expected_calibration_error, top_label
from tutelage.evaluation.scoring.resampled import calibration_of, lowest_rate, r_squared


def test_rates_of_groups_by_hand():
    group, right = np.array([0, 0, 1, 1, 1, -1]), np.array([True, False, True, True, False, False])
    rate = lowest_rate(group, right, groups=4)
    assert rate.value == 0.5
    assert np.isnan(lowest_rate(np.array([-1, -1]), np.array([True, True]), groups=1).value)


def test_the_resampled_calibration_error_equals_the_metric():
    rng = np.random.default_rng(1)
    target, student = rng.dirichlet(np.ones(3), size=(2, 80))
    for binning in ("equal-width", "equal-mass"):
        figure = calibration_of(*top_label(target, student), binning=binning)
        assert figure.value == pytest.approx(expected_calibration_error(*top_label(target, student), binning=binning))


def test_each_label_has_separate_bins():
    confidence = np.array([[0.9, 0.6], [0.9, 0.6]])
    student, target = np.stack([1 - confidence, confidence], axis=-1), np.zeros((2, 2, 2))
    target[:, 0, 1], target[:, 1, 0] = 1, 1  # the first label is on, the second off
    assert calibration_of(*top_label(target, student)).value == pytest.approx((0.1 + 0.6) / 2)


def test_r_squared_equals_scikit_learns_far_from_zero():
    rng = np.random.default_rng(0)
    truth = rng.normal(loc=1e6, size=(50, 2))
    predicted = truth + rng.normal(size=(50, 2))
    assert r_squared(truth, predicted).value == pytest.approx(r2_score(truth, predicted))


def test_a_resample_of_a_single_row_has_no_r_squared():
    figure = r_squared(np.array([[0.0], [1.0]]), np.array([[0.5], [0.5]]))
    alone = 2 * figure.features.toarray()[[0]]
    assert np.isnan(figure.figure(alone)).all()
    assert np.isnan(r_squared(np.full((3, 1), 2.0), np.ones((3, 1))).value)
