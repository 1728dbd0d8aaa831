import numpy as np
import pytest

from tutelage.experiments.papers.measures import (
    claim_alike,
    claim_at_least,
    claim_at_most,
    claim_better,
    claim_ratio,
    claim_way,
    claim_within,
    compare,
    errors_of,
    per_seed,
)


def arm(name, error_rate, *, seeds=5, rows=4000):
    rng = np.random.default_rng(len(name))
    truth = np.zeros(rows, dtype=np.int64)
    return errors_of(name, "", (rng.random((seeds, rows)) < error_rate).astype(np.int64), truth, published=40)


def test_errors_are_counted_in_rows_with_an_interval_over_seeds_and_rows():
    found = arm("taught", 0.05).measure()
    assert found.unit == "test errors"
    assert 180 < found.mean < 220
    assert found.interval.low < found.mean < found.interval.high
    assert found.interval.over == "seeds and test rows"
    assert found.published == 40


def test_a_claim_is_decided_by_the_interval_and_keeps_the_direction_of_the_mean():
    few, many, as_many = arm("few", 0.02), arm("many", 0.06), arm("as many", 0.06)
    found = claim_better("", "", compare(few, many, ""))
    assert (found.outcome, found.arms) == ("reproduced", (few.name, many.name))
    assert claim_better("", "", compare(many, few, "")).outcome == "not reproduced"
    even = claim_better("", "", compare(many, as_many, ""))
    assert even.outcome == "undecided"
    assert even.same_direction == (many.mean < as_many.mean)


def test_arms_are_alike_where_every_interval_lies_within_the_margin():
    many, as_many, few = arm("many", 0.06), arm("as many", 0.06), arm("few", 0.02)
    assert claim_alike("", "", [compare(many, as_many, "")], within=100).outcome == "reproduced"
    assert claim_alike("", "", [compare(many, as_many, "")], within=1).outcome == "undecided"
    assert claim_alike("", "", [compare(many, as_many, ""), compare(few, many, "")], within=50).outcome == "not reproduced"


def test_a_share_of_the_way_is_decided_by_the_difference_to_its_point():
    start, end, near, far = arm("start", 0.10), arm("at the end", 0.02), arm("near", 0.03), arm("far away", 0.08)
    found = claim_way("", "", near, start=start, end=end, share=0.7)
    assert found.outcome == "reproduced"
    assert found.measured.startswith(f"{(start.mean - near.mean) / (start.mean - end.mean):.0%} of the way")
    assert claim_way("", "", far, start=start, end=end, share=0.7).outcome == "not reproduced"
    assert claim_way("", "", far, start=start, end=None, share=0.1).outcome == "reproduced"
    no_way = claim_way("", "", near, start=end, end=start, share=0.7)
    assert no_way.outcome == "undecided"
    assert "no way to go" in no_way.measured
    worse, better = sorted((arm("one", 0.10), arm("another", 0.10)), key=lambda alike: -alike.mean)
    short = claim_way("", "", far, start=worse, end=better, share=0.7)
    assert short.outcome == "undecided"
    assert "no difference is found between" in short.measured


def test_bounds_factors_and_ratios():
    values = per_seed("share", "", [90.0, 91.0, 92.0], "%", lower_is_better=False)
    assert claim_at_least("", "", values, 80).outcome == "reproduced"
    assert claim_at_least("", "", values, 91).outcome == "undecided"
    assert claim_at_least("", "", values, 99).outcome == "not reproduced"
    assert claim_at_most("", "", values, 99).outcome == "reproduced"
    few, many = arm("few", 0.02), arm("many", 0.06)
    assert claim_within("", "", few, many, factor=1.15).outcome == "reproduced"
    assert claim_within("", "", many, few, factor=1.15).outcome == "not reproduced"
    twice = per_seed("twice", "", [2.0, 4.1, 5.9], "%")
    once = per_seed("once", "", [1.0, 2.0, 3.0], "%")
    assert claim_ratio("", "", twice, once, expected=2.0).outcome == "reproduced"
    assert claim_ratio("", "", twice, once, expected=3.0).outcome == "not reproduced"


@pytest.mark.parametrize("values", [[1.0, 1.0], [1.0, 1.0 + 1e-13]])
def test_equal_figures_of_all_seeds_have_no_interval(values):
    assert per_seed("equal", "", values, "cosine").measure().interval is None
