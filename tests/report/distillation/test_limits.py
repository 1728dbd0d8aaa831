from dataclasses import replace

import pytest

from tutelage.report.distillation.limits import exceeded, limits_of


def with_chosen(record, **changes):
    """The record with another chosen arm."""
    return replace(record, arms=tuple(replace(arm, **changes) if arm.name == record.chosen else arm for arm in record.arms))


def test_limits_say_what_is_allowed_and_measured(binary):
    size, latency, drop = limits_of(binary)
    assert (size["allowed"], size["measured"], size["met"]) == ("5 kB", "4 kB", True)
    assert (latency["allowed"], latency["measured"]) == ("55 µs", "48.4 µs")
    assert (drop["allowed"], drop["measured"]) == ("2 points", "1.4 points")


def test_a_limit_that_was_not_measured_is_not_met(binary):
    found = limits_of(with_chosen(binary, excess={}, drop=None, size_bytes=None, latency=None))
    assert [(one["measured"], one["met"]) for one in found] == [("-", False)] * 3


@pytest.mark.parametrize(("drop", "excess", "measured"), [(3.5, 4.5, "3.5 points"), (-0.5, 0.0, "-0.5 points")])
def test_a_drop_is_shown_as_measured_also_where_none_is_allowed(binary, drop, excess, measured):
    found = limits_of(with_chosen(replace(binary, limits={"drop": 0.0}), drop=drop, excess={"drop": excess}))
    assert [(one["measured"], one["met"]) for one in found] == [(measured, drop <= 0)]


def test_limits_that_are_exceeded_are_named_with_their_figures_the_worst_first(binary):
    found = with_chosen(binary, size_bytes=7500, drop=8.0, excess={"size": 0.5, "latency": -0.1, "drop": 3.0})
    assert (
        exceeded(found)
        == "the drop against the teacher (8 points, 2 points allowed) and the size of the exported file (7.5 kB, 5 kB allowed)"
    )
    assert exceeded(binary) == ""


def test_the_unit_of_a_drop_of_values_depends_on_the_ground_truth(every_kind):
    record, _ = every_kind["values"]
    assert limits_of(record)[2]["allowed"] == "2 % of the teacher's squared error"
    assert limits_of(replace(record, against="teacher"))[2]["allowed"] == "2 % of the variance of the teacher's answers"
