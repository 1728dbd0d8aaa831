import numpy as np
import pytest
from scipy import stats

from tutelage.core.errors import BadInput, ShapeError
from tutelage.core.records import Interval
from tutelage.evaluation.verdicts import mean_interval, paired_difference, paired_rows, proportion_interval, verdict


def test_the_interval_of_a_mean_is_students_t():
    values = [0.90, 0.92, 0.94, 0.91]
    interval = mean_interval(values)
    expected = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    np.testing.assert_allclose((interval.low, interval.high), expected)
    assert interval.over == "seeds"


def test_one_seed_has_no_interval():
    with pytest.raises(BadInput, match="at least 2 seeds"):
        mean_interval([0.9])
    with pytest.raises(BadInput, match="at least 2 seeds"):
        paired_difference(np.ones((1, 5)), np.zeros((1, 5)), shared_rows=True)


def test_the_interval_of_a_proportion_is_wilsons():
    interval = proportion_interval(8, 10)
    np.testing.assert_allclose((interval.low, interval.high), (0.4901625, 0.9433178), atol=1e-6)
    assert interval.over == "test rows"


def test_seeds_with_separate_rows_are_compared_by_a_paired_t():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 6, 40))
    difference, interval = paired_difference(a, b, shared_rows=False)
    test = stats.ttest_rel(a.mean(axis=1), b.mean(axis=1)).confidence_interval()
    np.testing.assert_allclose((difference, interval.low, interval.high), ((a - b).mean(), test.low, test.high))


def test_a_model_trained_once_is_paired_with_every_seed():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 40)), rng.normal(size=(1, 40))
    assert paired_difference(a, b, shared_rows=True) == paired_difference(a, np.repeat(b, 5, axis=0), shared_rows=True)


def test_shared_rows_count_as_a_sample_too():
    # Every seed has the same scores, so only the rows vary and this is the interval over rows.
    rows = np.random.default_rng(0).normal(size=500)
    _, interval = paired_difference(np.tile(rows, (4, 1)), np.zeros((4, 500)), shared_rows=True)
    expected = stats.t.interval(0.95, 499, loc=rows.mean(), scale=stats.sem(rows))
    np.testing.assert_allclose((interval.low, interval.high), expected, rtol=1e-6)
    assert interval.over == "seeds and test rows"


def test_equal_scores_have_zero_difference_and_zero_width():
    difference, interval = paired_difference(np.ones((3, 10)), np.ones((3, 10)), shared_rows=True)
    assert (difference, interval.low, interval.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("of_seeds", "of_rows", "shared"), [(0.5, 0.0, False), (0.05, 1.0, True), (0.5, 1.0, True), (0.0, 1.0, True)])
def test_intervals_have_their_nominal_coverage(of_seeds, of_rows, shared):
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(600):
        effects = of_seeds * rng.normal(size=(5, 1)) + of_rows * rng.normal(size=(1, 60)) + 0.5 * rng.normal(size=(5, 60))
        _, interval = paired_difference(effects, np.zeros((5, 60)), shared_rows=shared)
        covered.append(interval.low <= 0 <= interval.high)
    assert 0.92 <= np.mean(covered) <= 0.985


@pytest.mark.parametrize(
    ("difference", "low", "high", "lower_is_better", "expected"),
    [
        (1.0, 0.5, 1.5, False, "beats"),
        (-1.0, -1.5, -0.5, False, "worse"),
        (-1.0, -1.5, -0.5, True, "beats"),
        (1.0, 0.5, 1.5, True, "worse"),
        (1.0, -0.5, 2.5, False, "no difference"),
        (0.0, 0.0, 0.0, False, "no difference"),
    ],
)
def test_the_verdict_follows_the_interval_and_the_direction(difference, low, high, lower_is_better, expected):
    assert verdict(difference, Interval(low, high, "seeds"), lower_is_better=lower_is_better) == expected


def test_scores_of_different_shapes_are_refused():
    with pytest.raises(ShapeError, match=r"\(2, 5\) and \(2, 6\)"):
        paired_difference(np.ones((2, 5)), np.ones((2, 6)), shared_rows=True)
    with pytest.raises(ShapeError, match="cannot be paired"):
        paired_difference(np.ones((2, 5)), np.ones((3, 5)), shared_rows=True)


def test_booleans_are_compared_by_the_rows_that_differ():
    a, b = np.array([True] * 60 + [False] * 40), np.array([True] * 50 + [False] * 10 + [True] * 3 + [False] * 37)
    difference, interval = paired_rows(a, b)
    assert difference == pytest.approx(0.07)
    # By hand: (10 + 1) / 102 and (3 + 1) / 102.
    p, q = 11 / 102, 4 / 102
    half = 1.959964 * np.sqrt((p + q - (p - q) ** 2) / 102)
    np.testing.assert_allclose((interval.low, interval.high), (p - q - half, p - q + half), atol=1e-6)
    assert interval.over == "test rows"


def test_numbers_on_the_same_rows_are_compared_by_a_paired_t():
    a, b = np.random.default_rng(0).normal(size=(2, 40))
    difference, interval = paired_rows(a, b)
    test = stats.ttest_rel(a, b).confidence_interval()
    np.testing.assert_allclose((difference, interval.low, interval.high), ((a - b).mean(), test.low, test.high))


def test_two_models_that_are_always_right_still_have_an_interval():
    _, interval = paired_rows(np.ones(20, bool), np.ones(20, bool))
    assert interval.low < 0 < interval.high


@pytest.mark.parametrize("truth", [0.0, 0.05])
def test_intervals_over_rows_have_their_nominal_coverage(truth):
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(600):
        draw = rng.random(150)
        a, b = draw < 0.85 + truth, (draw < 0.8) | (draw > 0.95)
        _, interval = paired_rows(a, b)
        covered.append(interval.low <= truth <= interval.high)
    assert 0.93 <= np.mean(covered) <= 0.995


def test_different_or_too_few_rows_are_refused():
    with pytest.raises(ShapeError, match="cannot be paired"):
        paired_rows([True], [True, False])
    with pytest.raises(BadInput, match="at least 2 test rows"):
        paired_rows([True], [True])
    with pytest.raises(BadInput, match="at least 2 test rows"):
        paired_rows([0.1], [0.2])
