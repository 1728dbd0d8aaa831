import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse, stats

from tutelage.evaluation.metrics.calibration import top_label
from tutelage.evaluation.scoring import bootstrap as module
from tutelage.evaluation.scoring.bootstrap import OfSums, bootstrap_intervals, resampled_sums
from tutelage.evaluation.scoring.resampled import calibration_of


def _mean(values, **limits):
    return OfSums(sparse.csr_array(values[:, None]), lambda sums: sums[:, 0] / len(values), **limits)


def test_resamples_of_a_mean_have_the_theoretical_spread():
    values = np.random.default_rng(0).normal(size=400)
    sums = resampled_sums(sparse.csr_array(np.stack([values, np.ones(400)], axis=1)), seed=1, resamples=2000)
    np.testing.assert_array_equal(sums[:, 1], 400)
    assert sums[:, 0].std() / 400 == pytest.approx(stats.sem(values), rel=0.07)


def test_the_seed_determines_the_draws():
    features = sparse.csr_array(np.random.default_rng(0).normal(size=(50, 2)))
    first, again, other = (resampled_sums(features, seed=seed, resamples=100) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_resamples_are_drawn_in_chunks(monkeypatch):
    features = sparse.csr_array(np.ones((30, 1)))
    monkeypatch.setattr(module, "DRAWN_AT_A_TIME", 70)
    np.testing.assert_array_equal(resampled_sums(features, seed=0, resamples=7), np.full((7, 1), 30.0))


def test_figures_share_their_resamples():
    values = np.random.default_rng(0).random(60)
    twice = bootstrap_intervals({"a": _mean(values), "b": _mean(values)}, seed=0)
    assert twice["a"] == twice["b"]
    assert bootstrap_intervals({}, seed=0) == {}


@settings(max_examples=30)
@given(arrays(np.float64, 12, elements=st.floats(0, 1)))
def test_an_interval_contains_its_figure_and_stays_in_range(values):
    figure = _mean(values)
    interval = bootstrap_intervals({"mean": figure}, seed=0, resamples=100)["mean"]
    assert 0 <= interval.low <= figure.value <= interval.high <= 1
    assert interval.over == "test rows"


def test_a_figure_undefined_in_every_resample_gets_the_whole_range():
    never = OfSums(sparse.csr_array(np.ones((4, 1))), lambda sums: np.full(len(sums), np.nan))
    interval = bootstrap_intervals({"never": never}, seed=0, resamples=100)["never"]
    assert (interval.low, interval.high) == (0.0, 1.0)


@pytest.mark.parametrize(("shift", "truth"), [(0.0, 0.0), (0.1, 0.1)])
def test_calibration_error_intervals_have_their_nominal_coverage(shift, truth):
    rng = np.random.default_rng(4)
    covered = []
    for _ in range(60):
        top = rng.uniform(0.6, 0.9, size=600)
        right = rng.random(600) < top - shift
        target = np.stack([right, ~right], axis=1).astype(float)
        figure = calibration_of(*top_label(target, np.stack([top, 1 - top], axis=1)))
        interval = bootstrap_intervals({"ece": figure}, seed=0, resamples=200)["ece"]
        covered.append(interval.low <= truth <= interval.high)
    assert np.mean(covered) >= 0.85


def test_resamples_without_any_weight_are_left_out():
    weights = np.zeros(60)
    weights[:2] = 1  # every eighth resample has neither
    figure = OfSums(sparse.csr_array(np.column_stack([weights, weights])), lambda sums: sums[:, 0] / sums[:, 1])
    interval = bootstrap_intervals({"share": figure}, seed=0)["share"]
    assert 0.9 < interval.low <= interval.high == 1
