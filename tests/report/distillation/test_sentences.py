from dataclasses import replace

import pytest

from tutelage.core.records import Interval
from tutelage.report.distillation.records import PLAIN
from tutelage.report.distillation.sentences import (
    budget_of,
    calibration_of,
    cut,
    detectable,
    disagreement_of,
    settings_of,
    signed_difference,
    span,
    summary_of,
    verdict_note,
)


def test_settings_are_text():
    assert settings_of({"max_leaf_nodes": 32, "C": 0.123456, "widths": [16, 8]}) == "max leaf nodes 32, C 0.123, widths 16 x 8"


@pytest.mark.parametrize(
    ("difference", "ends", "text"),
    [
        (0.022, (0.011, 0.033), "+2.2 points (+1.1 to +3.3)"),
        (-0.022, (-0.043, -0.0001), "-2.20 points (-4.30 to -0.01)"),
        (0.0, (-0.02, 0.02), "+0.0 points (-2.0 to +2.0)"),
    ],
)
def test_differences_have_signs_and_show_on_which_side_an_end_is(binary, difference, ends, text):
    assert signed_difference(replace(binary.comparisons[0], difference=difference, ci95=ends)) == text


def test_a_difference_of_values_has_no_unit(binary):
    one = replace(binary.comparisons[0], metric="mse", difference=-0.6213, ci95=(-1.0, 0.25))
    assert signed_difference(one) == "-0.621 (-1 to +0.25)"


def test_an_interval_of_a_share_ends_at_100_per_cent():
    assert span("accuracy", Interval(0.9, 1.06, "seeds")) == "90.0 to 100.0"
    assert span("mse", Interval(0.9, 1.06, "seeds")) == "0.9 to 1.06"


def of_seeds(record, count):
    return replace(record, arms=tuple(replace(arm, seeds=tuple(range(count))) for arm in record.arms))


def test_what_a_run_would_have_found_is_said_from_three_seeds_on(binary):
    one = binary.comparisons[0]
    two, three = of_seeds(binary, 2), of_seeds(binary, 3)
    assert [detectable(three, replace(one, detectable=value)) for value in (0.0123, 1.2, None)] == ["1.2 points", "-", "-"]
    assert detectable(two, one) == "-"
    assert "2 seeds are too few to know it: run more." in verdict_note(two)
    assert "too few" not in verdict_note(three)


def test_the_summary_names_the_task(binary):
    assert summary_of(binary) == "Two classes; 3,000 rows."
    assert "fidelity to the teacher" in summary_of(replace(binary, against="teacher"))


def test_long_names_are_cut():
    assert cut("x" * 200) == "x" * 59 + "…"
    assert cut("short") == "short"


def test_figures_beside_weighted_ones_say_that_rows_count_alike(binary, figures):
    for text in (calibration_of, disagreement_of):
        assert "Rows count alike here, whatever their weights." in text(binary, replace(figures, weighted=True))
        assert "weights" not in text(binary, figures)


def test_the_diagram_says_what_it_groups(every_kind):
    record, figures = every_kind["values"]
    assert calibration_of(record, figures).startswith("Test rows in 2 groups of about equal size by predicted value, first seed;")
    record, figures = every_kind["labels"]
    assert calibration_of(record, figures).startswith("Decisions about labels, on or off, by confidence in them, first seed;")
    assert calibration_of(*every_kind["binary"]).startswith("Test rows by confidence in the predicted class, first seed;")


def test_the_summary_says_how_rows_count(binary):
    def summary(**rows):
        return summary_of(replace(binary, rows={**binary.rows, **rows}))

    assert summary(weighted=True).endswith(" Rows count by their own weights in every figure.")
    of_classes = summary(class_weights={"no": 1.0, "yes": 12.5})
    assert "Rows count by the weights of their class in every figure (no 1, yes 12.5); the teacher decides by its prob" in of_classes
    assert "their own weights times those of their class" in summary(weighted=True, class_weights={"no": 1.0, "yes": 2.0})
    assert "f 5 and 4 more)" in summary(class_weights={name: float(place) for place, name in enumerate("abcdefghij")})


def test_the_trials_of_every_arm_are_said_as_they_were(binary):
    plain = replace(binary.arms[0], name=PLAIN, trials=8)
    record = replace(binary, arms=(plain, replace(binary.arms[0], name="answers")))
    assert budget_of(record) == (
        "Each search had 24 trials, shared among the kinds of students; the plain model, a single kind, had 8. All arms have 2 seeds."
    )
    untuned = replace(binary, arms=(replace(plain, name="untuned"),))
    assert budget_of(untuned).endswith("kinds of students; the untuned student was not searched. All arms have 2 seeds.")


def test_rows_that_one_seed_does_not_draw_are_rows_all_the_same(binary):
    rows = {**binary.rows, "train": 512, "validation": 160, "test": 200}
    assert "; 872 rows." in summary_of(replace(binary, rows=rows))
    assert "; 1,000 rows." in summary_of(replace(binary, rows={**rows, "development": 800}))
