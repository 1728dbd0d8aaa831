from dataclasses import replace

import pytest

from tutelage.core.records import Cost, Interval, Latency
from tutelage.report import words


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [("test_accuracy", 0.91236, "91.24 %"), ("fidelity", 1.0, "100.00 %"), ("test_errors", 577.6, "578"), ("test_r2", 0.8641, "0.864")],
)
def test_scores_are_formatted_by_metric(metric, value, text):
    assert words.score(metric, value) == text


def test_intervals_are_formatted_in_the_unit_of_their_metric():
    interval = Interval(0.9106, 0.9128, "seeds")
    assert words.span("test_accuracy", interval) == "91.06-91.28"
    assert words.span("test_r2", interval) == "0.911-0.913"
    assert words.span("test_r2", None) == "-"


def test_a_bound_near_zero_is_shown_with_its_sign(record):
    assert words.difference(record.comparisons[0]) == "+0.21 points (-0.10 to +0.52)"
    assert words.difference(record.comparisons[2]) == "+4.000 points (+0.004 to +8.000)"
    mse = replace(record.comparisons[0], metric="test_mse", difference=-2.9, ci95=(-3.0, -2.8))
    assert words.difference(mse) == "-2.90 MSE (-3.00 to -2.80)"


def test_the_answer_is_the_first_comparison_as_a_sentence(record):
    none, worse, beats = (words.answer(replace(record, comparisons=(comparison,))) for comparison in record.comparisons)
    assert none.startswith("No difference detected at this precision between student-soft and student-hard: +0.21 points")
    assert worse.startswith("student-soft is worse than teacher: -3.81 points")
    assert beats.startswith("teacher beats student-hard: ")
    assert none.endswith("over 2 seeds.")


def test_two_single_models_differ_and_do_not_beat(record):
    pair = replace(record.comparisons[2], verdict="differ", over="test rows")
    said = words.answer(replace(record, comparisons=(pair,)))
    assert said.startswith("These two models, teacher and student-hard, differ: +4.000 points")
    assert said.endswith("over test rows; another seed may not.")


@pytest.mark.parametrize(("microseconds", "text"), [(5.21, "0.0052"), (0.023, "0.000023"), (1234.5, "1.2"), (250_000, "250"), (0.0, "0")])
def test_milliseconds_are_never_in_scientific_notation(microseconds, text):
    assert words.milliseconds(Latency(microseconds, microseconds, None, 3, 1)) == text


def test_sizes_choices_and_published_figures(record):
    teacher, student, hard = record.arms
    assert [Cost(size, "file").size for size in (36_940, 109_663_430, None)] == ["36.9 kB", "109.7 MB", "-"]
    assert [words.chosen(arm) for arm in (teacher, student, hard)] == ["", "temperature 2", "min samples leaf 5 to 20"]
    assert words.published(teacher, "test_errors") == "248"
    assert words.published(student, "test_errors") == ""


def test_the_time_outside_the_stages_is_reported_as_rest(record):
    assert words.time_spent(record) == [("teacher", 8.0), ("students", 3.0), ("rest", 1.0)]


def test_the_caveat_appears_only_if_all_seeds_share_one_teacher(record):
    assert "one teacher" in words.caveat(record)
    teacher = replace(record.arms[0], seeds=(0, 1))
    assert words.caveat(replace(record, arms=(teacher, *record.arms[1:]))) == ""
