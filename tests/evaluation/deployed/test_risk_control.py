from functools import cache

import numpy as np
import pytest
from scipy import stats

from tutelage.evaluation.deployed.risk_control import coverage_curve, last_rejected, learn_then_test, least_rows, lower_bound, thresholds

fwer = pytest.importorskip("mapie.risk_control.fwer_control")
methods = pytest.importorskip("mapie.risk_control.methods")


def sure_where_right(random, rows, *, truth=False):
    """Confidence of a student of two classes, whether it is wrong, and whether its teacher is: never, where right is what it says."""
    confidence = 0.5 + 0.5 * random.beta(4, 1, rows)
    return confidence, random.random(rows) < 0.8 * (1 - confidence), random.random(rows) < (0.004 if truth else 0.0)


def too_sure(random, rows, *, truth=False):
    """The same of a student that is wrong above all where it is surest: one in nine of its surest third, few below."""
    confidence = random.uniform(0.5, 1, rows)
    wrong = random.random(rows) < np.where(confidence > 0.83, 1 / 9, np.where(confidence > 0.66, 0.0, 0.15))
    return confidence, wrong, random.random(rows) < (0.004 if truth else 0.0)


@cache
def as_wrong_everywhere(target):
    """The same of a student whose confidence says nothing, and whose rate lies just below the target."""

    def draw(random, rows, *, truth=False):
        return random.uniform(0.5, 1, rows), random.random(rows) < 1.02 * (1 - target), random.random(rows) < (0.004 if truth else 0.0)

    return draw


class Population:
    """So many rows that the rate at a threshold is known."""

    def __init__(self, draw, *, truth):
        confidence, student_wrong, teacher_wrong = draw(np.random.default_rng(99), 1_000_000, truth=truth)
        order = np.argsort(-confidence)
        self.descending = -confidence[order]
        self.wrong = np.append(0, np.cumsum(student_wrong[order], dtype=np.int32))
        self.left = np.append(0, np.cumsum(teacher_wrong[order], dtype=np.int32))

    def rate(self, threshold, over):
        answered = int(np.searchsorted(self.descending, -threshold, side="right"))
        if over == "student":
            return 1 - self.wrong[answered] / answered if answered else 1.0
        return 1 - (self.wrong[answered] + self.left[-1] - self.left[answered]) / len(self.descending)


population_of = cache(Population)


def chosen(draw, seed, rows, target, *, over, truth, delta=0.05):
    confidence, student_wrong, teacher_wrong = draw(np.random.default_rng(seed), rows, truth=truth)
    return learn_then_test(confidence, student_wrong, teacher_wrong if truth else None, target=target, delta=delta, over=over)


def share_below(draw, splits, target, *, over, truth, delta=0.05):
    """The share of simulated splits whose threshold has a rate below the target."""
    population = population_of(draw, truth=truth)
    found = [chosen(draw, seed, 1000, target, over=over, truth=truth, delta=delta) for seed in range(splits)]
    return np.mean([one is not None and population.rate(one.threshold, over) < target for one in found])


@pytest.mark.parametrize("splits", [pytest.param(60, id="few"), pytest.param(1000, id="many", marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("target", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("truth", [False, True], ids=["teacher", "truth"])
@pytest.mark.parametrize("over", ["all", "student"])
def test_the_rate_lies_below_the_target_in_at_most_delta_of_splits(over, truth, target, splits):
    most = stats.binom.ppf(0.9999, splits, 0.05) / splits  # what 5 % look like at worst in so many splits
    for draw in (sure_where_right, too_sure, as_wrong_everywhere(target)):
        assert share_below(draw, splits, target, over=over, truth=truth) <= most


def test_the_simulation_finds_a_rule_that_holds_for_single_thresholds_only():
    """The lowest threshold whose own test rejects, as if it had been the only one: the simulation must be able to fail."""
    draw, below, tested = as_wrong_everywhere(0.94), 0, thresholds()[1::10]
    population = Population(draw, truth=False)
    for seed in range(200):
        confidence, wrong, _ = draw(np.random.default_rng(seed), 1000)
        counts = [(confidence >= threshold).sum() for threshold in tested]
        bad = [wrong[confidence >= threshold].sum() for threshold in tested]
        passed = np.flatnonzero(stats.binom.cdf(bad, counts, 0.06) <= 0.05)
        below += len(passed) > 0 and population.rate(tested[passed[-1]], "student") < 0.94
    assert below > stats.binom.ppf(0.9999, 200, 0.05)


def test_over_all_answers_it_is_fixed_sequence_testing_as_mapie_does_it():
    for seed in range(6):
        confidence, wrong, _ = sure_where_right(np.random.default_rng(seed), 1024)
        tested = thresholds()[1:]
        rates = np.array([(wrong & (confidence >= threshold)).mean() for threshold in tested])  # exact: 1024 is a power of two
        p_values = methods.compute_hoeffding_bentkus_p_value(rates, 1024, 0.05, binary=True)[:, 0]
        np.testing.assert_allclose(p_values, stats.binom.cdf(rates * 1024, 1024, 0.05), rtol=1e-9)
        theirs = fwer.control_fwer(p_values, 0.05, "fixed_sequence")
        ours = learn_then_test(confidence, wrong, None, target=0.95, delta=0.05, over="all")
        assert ours.threshold == tested[theirs[-1]]
        for stricter in ("bonferroni", "bonferroni_holm"):
            assert tested[fwer.control_fwer(p_values, 0.05, stricter).max(initial=0)] >= ours.threshold


def test_from_several_starts_it_certifies_all_that_mapies_sequences_certify_and_more():
    more = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        p_values = np.clip(np.linspace(0, 0.1, 60) ** 1.5 + random.normal(0, 0.003, 60), 1e-6, 1)
        theirs = fwer.control_fwer(p_values, 0.1, fwer.FWERFixedSequenceTesting(n_starts=5))
        ours = last_rejected(p_values, 0.1, list(range(0, 60, 12)))
        assert len(theirs) == 0 or ours >= theirs[-1]
        more += len(theirs) > 0 and ours > theirs[-1]
    assert more > 20


def test_a_hypothesis_that_is_rejected_passes_its_level_on_and_one_that_is_not_loses_it():
    starts = [0, 2, 4]  # 0.1 each
    assert last_rejected(np.array([0.0, 0.09, 0.0, 0.19, 0.29, 0.29]), 0.3, starts) == 5  # levels 0.1, 0.2 and 0.3
    assert last_rejected(np.array([0.0, 0.11, 0.0, 0.09, 0.19, 0.21]), 0.3, starts) == 4  # 0.1, then anew 0.1, and 0.2
    assert last_rejected(np.array([0.0, 0.11, 0.0, 0.11, 0.09, 0.11]), 0.3, starts) == 4  # 0.1 three times
    assert last_rejected(np.array([0.11, 0.0, 0.11, 0.0, 0.11, 0.0]), 0.3, starts) is None


def test_with_true_hypotheses_alone_one_is_rejected_in_at_most_delta_of_runs():
    random = np.random.default_rng(0)
    runs = 4000
    rejected = sum(last_rejected(random.random(50), 0.1, [0, 10, 20, 30, 40]) is not None for _ in range(runs))
    assert rejected <= stats.binom.ppf(0.9999, runs, 0.1)


def test_so_few_rows_that_nothing_can_be_shown():
    confidence, right = np.full(298, 0.9), np.zeros(298, dtype=bool)
    found = learn_then_test(confidence, right, None, target=0.99, delta=0.05, over="all")
    assert (found.threshold, found.answered, found.wrong, found.of) == (np.inf, 0, 0, 298)
    assert learn_then_test(confidence, right, right, target=0.99, delta=0.05, over="all") is None
    assert least_rows(0.99, 0.05, "all") == 299
    one_more = learn_then_test(np.full(299, 0.9), np.zeros(299, dtype=bool), None, target=0.99, delta=0.05, over="all")
    assert one_more.answered == 299


@pytest.mark.parametrize(("target", "delta"), [(0.9, 0.05), (0.99, 0.05), (0.95, 0.1)])
def test_the_least_number_of_rows_is_exact_where_confidences_are_equal(target, delta):
    for over in ("all", "student"):
        needed = least_rows(target, delta, over)
        for rows, answered in ((needed - 1, 0), (needed, needed)):
            right = np.zeros(rows, dtype=bool)
            found = learn_then_test(np.full(rows, 0.75), right, None, target=target, delta=delta, over=over)
            assert found.answered == answered


@pytest.mark.parametrize(
    ("target", "rows", "share"),
    [(0.95, 65, 0.0), (0.95, 66, 0.11), (0.95, 80, 0.8), (0.95, 185, 0.99), (0.99, 333, 0.1), (0.99, 500, 0.99)],
)
def test_of_the_students_own_answers_all_right_more_rows_than_the_least_show_the_rate_in_so_many_draws(target, rows, share):
    """The figures of docs/guide/cascade.md, which follow from the hypergeometric distribution."""
    right = np.zeros(rows, dtype=bool)
    draws = [np.random.default_rng(seed).uniform(0.5, 1, rows) for seed in range(100)]
    shown = sum(bool(learn_then_test(one, right, None, target=target, delta=0.05, over="student").answered) for one in draws)
    assert stats.binom.ppf(0.001, 100, share) <= shown <= stats.binom.ppf(0.999, 100, share)


def test_a_tenth_of_the_rows_says_where_to_begin_and_is_not_tested():
    confidence, wrong, _ = sure_where_right(np.random.default_rng(0), 4000)
    found = learn_then_test(confidence, wrong, None, target=0.95, delta=0.05, over="student")
    by = confidence >= found.threshold
    assert found.answered == by.sum()
    assert 0.85 < found.of / found.answered < 0.95
    assert found.wrong <= (by & wrong).sum()
    assert stats.binom.cdf(found.wrong, found.of, 0.05) <= 0.05
    same = learn_then_test(confidence, wrong, None, target=0.95, delta=0.05, over="student")
    assert same == found


@pytest.mark.exhaustive(every=3)
@pytest.mark.parametrize("period", [5, 10, 20])
@pytest.mark.parametrize("first", [0, 3])
def test_rows_that_come_in_turn_from_several_sources_keep_the_rate(period, first):
    """One row in `period` comes from a source on which the student is often wrong, just as sure; so few may be answered that none may."""
    below, splits, rows = 0, 200, np.arange(1000)
    other = rows % period == first
    for seed in range(splits):
        random = np.random.default_rng(seed)
        wrong = random.random(1000) < np.where(other, 0.04 * period, 0.02)
        found = learn_then_test(random.uniform(0.5, 1, 1000), wrong, None, target=0.95, delta=0.05, over="student")
        below += found.answered > 0  # at every threshold about 1 in 17 answers is wrong
    assert below <= stats.binom.ppf(0.9999, splits, 0.05)


def test_a_student_that_is_wrong_where_it_is_surest_still_answers_where_both_together_are_right_enough():
    confidence, wrong, _ = too_sure(np.random.default_rng(0), 6000)
    assert wrong[confidence > 0.83].mean() > 0.1
    found = learn_then_test(confidence, wrong, None, target=0.93, delta=0.05, over="student")
    assert 0.6 < found.answered / found.rows < 1


def test_a_teacher_below_the_target_gives_none_and_one_above_it_answers_all():
    wrong = np.zeros(1000, dtype=bool)
    wrong[:60] = True
    all_wrong = np.ones(1000, dtype=bool)
    assert learn_then_test(np.full(1000, 0.9), all_wrong, wrong, target=0.94, delta=0.05, over="all") is None
    found = learn_then_test(np.full(1000, 0.9), all_wrong, wrong, target=0.92, delta=0.05, over="all")
    assert (found.threshold, found.answered, found.wrong, found.of) == (np.inf, 0, 60, 1000)


def test_the_lower_bound_covers_the_rate():
    random, rate = np.random.default_rng(0), 0.97
    below = np.mean([rate >= lower_bound(right, 500, 0.05) for right in random.binomial(500, rate, 4000)])
    assert 0.95 <= below <= 0.98
    assert lower_bound(0, 10, 0.05) == 0.0


def test_the_curve_ends_with_every_row():
    confidence, wrong = np.array([0.9, 0.6, 0.9, 0.7]), np.array([False, True, True, False])
    assert coverage_curve(confidence, wrong) == ((0.9, 0.5, 0.5), (0.7, 0.75, pytest.approx(2 / 3)), (0.6, 1.0, 0.5))
