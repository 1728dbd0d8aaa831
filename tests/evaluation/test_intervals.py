import numpy as np
import pytest
from scipy import stats

from tutelage.core.errors import BadInput
from tutelage.evaluation.intervals import (
    effective_rows,
    grand_mean_interval,
    half_widths,
    mean_interval,
    proportion_interval,
    rare_rows_caution,
    weighted_mean_interval,
)


def test_the_interval_of_a_mean_is_students_t():
    values = [0.90, 0.92, 0.94, 0.91]
    interval = mean_interval(values)
    expected = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    np.testing.assert_allclose((interval.low, interval.high), expected)
    assert interval.over == "seeds"


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        ([0.9], "at least 2 seeds"),
        ([], "at least 2 seeds"),
        ([[0.9, 0.8]], "at least 2 seeds"),
        ([0.9, np.nan], "NaN or infinite"),
        ([0.9, np.inf], "NaN or infinite"),
        ([0.9, 0.9, 0.9], "all 3 seeds have the same value, 0.9"),
        ([0.1 + 0.2, 0.3], "all 2 seeds have the same value"),
        (["a", "b"], "are not numbers"),
    ],
)
def test_values_without_a_spread_have_no_interval_over_seeds(values, seen):
    with pytest.raises(BadInput, match=seen):
        mean_interval(values)


@pytest.mark.parametrize("value", [0.7, 0.0, -3.0, 1e9])
def test_equal_values_over_rows_have_an_interval_with_a_width(value):
    interval = mean_interval(np.full(200, value), over="test rows")
    assert interval.low < value < interval.high


@pytest.mark.parametrize(("right", "rows"), [(0, 5), (3, 7), (8, 10), (400, 400), (1, 1)])
def test_the_interval_of_a_proportion_is_wilsons(right, rows):
    interval, expected = proportion_interval(right, rows), stats.binomtest(right, rows).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose((interval.low, interval.high), (expected.low, expected.high), atol=1e-12)
    assert interval.over == "test rows"


@pytest.mark.parametrize(("right", "rows"), [(0, 0), (3, 2), (-1, 5), (np.nan, 5), (1, np.nan)])
def test_what_is_not_a_share_is_refused(right, rows):
    with pytest.raises(BadInput, match="is not a share"):
        proportion_interval(right, rows)


def test_many_tables_at_once_equal_one_at_a_time():
    tables = np.random.default_rng(0).normal(size=(4, 3, 30))
    for shared in (True, False):
        at_once = half_widths(tables, shared_rows=shared)
        for table, half in zip(tables, at_once, strict=True):
            interval = grand_mean_interval(table, shared_rows=shared)
            assert (interval.high - interval.low) / 2 == pytest.approx(half)


def test_equal_weights_change_nothing_and_unequal_ones_widen():
    values = np.random.default_rng(0).normal(size=200)
    plain, same = mean_interval(values, over="test rows"), weighted_mean_interval(values, np.full(200, 0.3))
    np.testing.assert_allclose((same.low, same.high), (plain.low, plain.high))
    weights = np.repeat([1.0, 20.0], 100)
    assert effective_rows(weights) == pytest.approx((2100**2) / (100 * 401))
    uneven = weighted_mean_interval(values, weights)
    assert uneven.high - uneven.low > 1.2 * (plain.high - plain.low)
    with pytest.raises(BadInput, match="1 effective test rows"):
        weighted_mean_interval(values, np.eye(1, 200)[0])


def test_weighted_intervals_cover():
    rng = np.random.default_rng(5)
    weights = rng.exponential(size=150)
    found = [weighted_mean_interval(rng.normal(size=150), weights) for _ in range(400)]
    assert np.mean([interval.low <= 0 <= interval.high for interval in found]) >= 0.93


def test_a_caution_depends_on_rows_and_the_largest_loss():
    assert "1,000 rows may miss up to 0.3 %" in rare_rows_caution(0.01, 0.03, rows=1000, largest=16.1)
    assert "across zero" in rare_rows_caution(-0.03, -0.01, rows=1000, largest=16.1)
    assert not rare_rows_caution(0.05, 0.07, rows=1000, largest=16.1)
    assert not rare_rows_caution(0.01, 0.03, rows=100_000, largest=16.1)
    assert "more than the interval allows" in rare_rows_caution(0.50, 0.52, rows=1000, largest=16.1, is_difference=False)


def test_the_scale_of_weights_does_not_matter():
    assert effective_rows(np.full(9, 1e-200)) == pytest.approx(9)
