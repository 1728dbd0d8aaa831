import numpy as np
import pytest
from scipy import stats

from tutelage.core.errors import BadInput, ShapeError
from tutelage.core.records import Interval
from tutelage.evaluation.verdicts import (
    detectable_difference,
    holm,
    p_value,
    pair_verdict,
    paired_difference,
    paired_rows,
    verdict,
)


def test_one_seed_has_no_interval():
    with pytest.raises(BadInput, match="at least 2 seeds"):
        paired_difference(np.ones((1, 5)), np.zeros((1, 5)), shared_rows=True)


def test_seeds_with_separate_rows_are_compared_by_a_paired_t():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 6, 40)) + 0.3 * rng.normal(size=(2, 6, 1))
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


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("scores", [np.ones((3, 10)), np.zeros((3, 10)), np.full((3, 10), 0.7), np.full((3, 10), 1e-200)])
def test_equal_scores_have_no_difference_and_an_interval_with_a_width(scores, shared):
    difference, interval = paired_difference(scores, scores, shared_rows=shared)
    assert difference == 0
    assert interval.low < 0 < interval.high


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("of_row", [np.eye(1, 500)[0], np.full(500, 0.1), np.full(500, 0.3) - 0.2])
def test_seeds_that_agree_exactly_still_have_an_interval_with_a_width(of_row, shared):
    a = np.tile(of_row, (3, 1))
    difference, interval = paired_difference(a, np.zeros_like(a), shared_rows=shared)
    assert interval.high - interval.low > 0.001 * max(of_row)
    assert interval.low < difference < interval.high


def test_one_figure_per_seed_that_is_always_the_same_is_refused():
    with pytest.raises(BadInput, match=r"all 3 seeds have the same value, 0\.02, .*one score per row"):
        paired_difference([[0.92]] * 3, [[0.9]] * 3, shared_rows=False)
    with pytest.raises(BadInput, match="all 2 seeds have the same value"):
        paired_difference([[0.5], [0.7]], [[0.4], [0.6]], shared_rows=False)


def test_the_parts_of_the_interval_have_their_own_degrees_of_freedom():
    rng = np.random.default_rng(3)
    d = rng.normal(size=(4, 1)) * 0.2 + rng.normal(size=(1, 300)) + 0.5 * rng.normal(size=(4, 300))
    mean, interval = paired_difference(d, np.zeros_like(d), shared_rows=True)
    residual = d - d.mean(axis=0) - d.mean(axis=1, keepdims=True) + d.mean()
    of_interaction = (residual**2).sum() / (3 * 299) / (4 * 300)
    of_seeds, of_rows = d.mean(axis=1).var(ddof=1) / 4, d.mean(axis=0).var(ddof=1) / 300
    half = np.sqrt(stats.t.ppf(0.975, 3) ** 2 * of_seeds + stats.t.ppf(0.975, 299) ** 2 * (of_rows - of_interaction))
    np.testing.assert_allclose((interval.low, interval.high), (mean - half, mean + half))


def test_seeds_that_vary_less_than_their_rows_get_the_interval_of_the_rows():
    rng = np.random.default_rng(0)
    d = rng.normal(size=(3, 400))
    d -= d.mean(axis=1, keepdims=True) - np.array([[0.1], [0.1001], [0.0999]])
    _, interval = paired_difference(d, np.zeros_like(d), shared_rows=False)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 / np.sqrt(1200), rel=0.05)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_give_no_verdict(wrong):
    a = np.ones((3, 50))
    a[1, 2] = wrong
    for first, second in ((a, np.zeros_like(a)), (np.zeros_like(a), a)):
        with pytest.raises(BadInput, match="1 of 150 of the scores are NaN or infinite, which gives no verdict"):
            paired_difference(first, second, shared_rows=True)
    with pytest.raises(BadInput, match="NaN or infinite"):
        paired_rows(a[1], np.zeros(50))
    with pytest.raises(BadInput, match="is not a number and gives no verdict"):
        verdict(np.nan, Interval(0.1, 0.2, "seeds"))
    with pytest.raises(BadInput, match="gives no verdict"):
        pair_verdict(0.1, Interval(np.nan, 0.2, "test rows"))


@pytest.mark.parametrize(
    ("a", "error", "seen"),
    [
        (np.zeros((3, 0)), ShapeError, "have no rows"),
        (np.zeros((0, 3)), ShapeError, "have no rows"),
        (np.zeros((3, 1)), BadInput, "share one test row"),
        (np.zeros((2, 3, 4)), ShapeError, "cannot be paired"),
        ([[1.0, 2.0], [1.0]], ShapeError, "the same number of values"),
        ([["a", "b"], ["c", "d"]], BadInput, "are not numbers"),
        (np.zeros((2, 3), complex), BadInput, "are not numbers"),
        (np.zeros((2, 3), "M8[s]"), BadInput, "are not numbers"),
        ([[None, 1.0], [1.0, 2.0]], BadInput, "NaN or infinite"),
        (np.full((3, 5), 1e200) * [[1], [2], [3]], BadInput, "cannot be squared"),
        (5.0, BadInput, "one seed"),
        (np.zeros(5), BadInput, "one seed"),
    ],
)
def test_what_is_not_a_table_of_scores_is_refused(a, error, seen):
    b = a if not isinstance(a, np.ndarray) or a.dtype.kind != "f" else a * 0
    with pytest.raises(error, match=seen):
        paired_difference(a, b, shared_rows=True)


def rare_losses(rng, seeds=5, rows=200):
    """Losses of two students with the same mean: the first loses 10 nats on one row in 200, the second 0.05 on every row."""
    a = 0.3 + 0.1 * rng.normal(size=(seeds, rows)) + 10 * (rng.random((1, rows)) < 0.005)
    return a, 0.35 + 0.1 * rng.normal(size=(seeds, rows))


@pytest.mark.parametrize("largest", [None, 16.1])
def test_rare_large_losses_that_may_be_missed_are_a_caution(largest):
    rng = np.random.default_rng(0)
    found = [paired_difference(*rare_losses(rng), shared_rows=True, largest=largest) for _ in range(200)]
    false = [bool(interval.caution) for difference, interval in found if verdict(difference, interval) != "no difference"]
    assert len(false) > 50  # the interval alone is wrong in a third of the runs
    assert np.mean(false) >= 0.95
    assert np.mean([bool(interval.caution) for _, interval in found]) >= 0.95
    assert "200 rows may miss up to 1.5 % of rows with rare large losses" in found[0][1].caution


def test_a_caution_is_left_out_where_rare_losses_cannot_change_the_verdict():
    rng = np.random.default_rng(0)
    a, b = rng.random((5, 3000)), rng.random((5, 3000))
    assert not paired_difference(a + 1, b, shared_rows=True, largest=16.1)[1].caution
    assert paired_difference(a + 0.02, b, shared_rows=True, largest=16.1)[1].caution
    assert paired_difference(a + 0.01, b, shared_rows=True)[1].caution
    many = np.tile(a, 2)
    assert not paired_difference(many + 0.01, np.tile(b, 2), shared_rows=True)[1].caution  # 6 000 rows
    right = [rng.random((5, 300)) < 0.9] * 2
    for largest in (None, 1.0):
        assert not paired_difference(*right, shared_rows=True, largest=largest)[1].caution  # a row can only be right or wrong
    assert paired_difference(*right, shared_rows=True, largest=20)[1].caution  # losses that happen to be 0 and 1
    assert not paired_difference(a[:, :1], b[:, :1], shared_rows=False)[1].caution  # figures, whose rows are not known


def test_single_models_get_the_caution_too():
    a, b = (scores[0] for scores in rare_losses(np.random.default_rng(1)))
    a = np.minimum(a, 1)
    assert "rare large losses" in paired_rows(a, b, largest=16.1)[1].caution


def test_weighted_rows_are_compared_by_their_effective_number():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 300)) < 0.8
    x, y = rng.normal(size=(2, 300))
    for first, second in ((a, b), (x, y)):
        plain, same = paired_rows(first, second), paired_rows(first, second, weights=np.full(300, 2.5))
        np.testing.assert_allclose((same[0], same[1].low, same[1].high), (plain[0], plain[1].low, plain[1].high))
        weights = np.repeat([1.0, 9.0], 150)
        difference, interval = paired_rows(first, second, weights=weights)
        assert difference == pytest.approx(np.average(first.astype(float) - second, weights=weights))
        assert interval.high - interval.low > 1.2 * (plain[1].high - plain[1].low)


@pytest.mark.parametrize(("of_seeds", "of_rows", "shared"), [(0.5, 0.0, False), (0.05, 1.0, True), (0.5, 1.0, True), (0.0, 1.0, True)])
def test_intervals_have_their_nominal_coverage(of_seeds, of_rows, shared):
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(600):
        effects = of_seeds * rng.normal(size=(5, 1)) + of_rows * rng.normal(size=(1, 60)) + 0.5 * rng.normal(size=(5, 60))
        _, interval = paired_difference(effects, np.zeros((5, 60)), shared_rows=shared)
        covered.append(interval.low <= 0 <= interval.high)
    assert 0.94 <= np.mean(covered) <= 1


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


def test_two_models_that_were_trained_once_differ_and_neither_beats_the_other():
    assert pair_verdict(0.1, Interval(0.05, 0.15, "test rows")) == pair_verdict(-0.1, Interval(-0.15, -0.05, "test rows")) == "differ"
    assert pair_verdict(0.1, Interval(-0.05, 0.25, "test rows")) == "no difference"


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


@pytest.mark.parametrize("weights", [None, np.linspace(1, 2, 100)])
def test_equal_losses_have_an_interval_in_their_own_unit(weights):
    for unit in (1e-6, 1e6):
        losses = unit * np.random.default_rng(0).random(100)
        difference, interval = paired_rows(losses, losses, weights=weights)
        assert difference == 0
        assert 0.01 * unit < interval.high == -interval.low < 0.05 * unit


@pytest.mark.parametrize("largest", [-1.0, 0.0, np.nan, np.inf])
def test_a_largest_score_that_is_none_is_refused(largest):
    with pytest.raises(BadInput, match="largest is"):
        paired_difference(np.eye(3), np.zeros((3, 3)), shared_rows=True, largest=largest)


def scores(seeds=5, rows=300, difference=0.0, seed=0):
    """(seeds, rows) of two students whose rows and seeds vary, and that differ by `difference`."""
    rng = np.random.default_rng(seed)
    of_row = rng.normal(size=(1, rows))
    a, b = (of_row + 0.5 * rng.normal(size=(seeds, rows)) + 0.05 * rng.normal(size=(seeds, 1)) for _ in range(2))
    return a + difference, b


@pytest.mark.parametrize("difference", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("weights", [None, np.linspace(0, 1, 300)])
def test_the_p_value_is_the_level_at_which_the_interval_excludes_zero(difference, weights):
    a, b = scores(difference=difference)
    p = p_value(a, b, shared_rows=True, weights=weights)
    for factor, excluded in ((0.99, False), (1.01, True)):
        if 1e-8 < p < 0.98:
            _, interval = paired_difference(a, b, shared_rows=True, weights=weights, level=1 - factor * p)
            assert (not interval.low <= 0 <= interval.high) == excluded


def test_equal_scores_have_a_p_value_of_one_and_far_ones_the_smallest():
    a, b = scores()
    assert p_value(a, a, shared_rows=True) == 1
    assert p_value(a + 1e6, b, shared_rows=True) == 1e-9


def test_holm_corrects_the_smallest_most_and_keeps_the_order():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("level", [0.95, 0.99])
def test_a_detectable_difference_is_found_in_four_runs_of_five(level):
    found, sizes = 0, []
    for run in range(150):
        sizes.append(detectable_difference(*scores(seed=run), shared_rows=True, level=level))
    for run in range(150):
        a, b = scores(difference=float(np.mean(sizes)), seed=1000 + run)
        _, interval = paired_difference(a, b, shared_rows=True, level=level)
        found += interval.low > 0
    assert 0.6 <= found / 150 <= 0.93


def test_weights_of_zero_leave_rows_out_and_equal_weights_change_nothing():
    a, b = scores()
    weights = np.r_[np.ones(200), np.zeros(100)]
    plain, weighted = (
        paired_difference(a[:, :200], b[:, :200], shared_rows=True),
        paired_difference(a, b, shared_rows=True, weights=weights),
    )
    np.testing.assert_allclose((weighted[0], weighted[1].low, weighted[1].high), (plain[0], plain[1].low, plain[1].high))
    equal = paired_difference(a, b, shared_rows=True, weights=np.full(300, 2.5))[1]
    np.testing.assert_allclose(equal.low, paired_difference(a, b, shared_rows=True)[1].low)


def test_weighted_intervals_over_seeds_and_rows_cover_zero():
    weights = np.random.default_rng(0).exponential(size=300)
    found = [paired_difference(*scores(seed=run), shared_rows=True, weights=weights)[1] for run in range(200)]
    assert np.mean([interval.low <= 0 <= interval.high for interval in found]) >= 0.92


def test_weights_need_shared_rows_and_levels_are_between_0_and_1():
    a, b = scores()
    with pytest.raises(BadInput, match="weights are of rows that all seeds share"):
        paired_difference(a, b, shared_rows=False, weights=np.ones(300))
    with pytest.raises(ShapeError, match="one weight for each of 300 rows"):
        paired_difference(a, b, shared_rows=True, weights=np.ones(3))
    with pytest.raises(BadInput, match="level is 1"):
        paired_difference(a, b, shared_rows=True, level=1)


@pytest.mark.exhaustive
def test_looks_at_more_seeds_give_no_more_false_verdicts_when_the_first_spends_less():
    """Verdicts between equals at 5 seeds, and again at 10 on the same rows, at the shares of 5 % that the looks may spend."""
    false = 0
    for run in range(400):
        a, b = scores(seeds=10, rows=60, seed=run)
        at_five = p_value(a[:5], b[:5], shared_rows=True) <= 0.05 * 0.8
        false += at_five or p_value(a, b, shared_rows=True) <= 0.05 * 0.1
    assert false / 400 <= 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / 400)
