from dataclasses import replace

import pytest

from tutelage.report.distillation.view import view_of


def test_findings_say_which_rows_they_are_about_and_a_remedy_once(binary, figures):
    same = {"severity": "note", "sentence": "it rules classes out.", "remedy": "Use another."}
    found = ({"check": "ruled-out", **same}, {"check": "test-ruled-out", **same})
    shown = view_of(replace(binary, findings={"findings": found}), figures).findings
    assert [one["sentence"] for one in shown] == ["it rules classes out.", "on the test rows, it rules classes out."]
    assert [one["remedy"] for one in shown] == ["Use another.", ""]


@pytest.mark.parametrize(
    ("latency", "compared"), [(43.0, "accuracy and size, and in latency where both were timed,"), (None, "accuracy and size,")]
)
def test_the_search_compares_latencies_only_where_trials_were_timed(binary, figures, latency, compared):
    front = tuple({**trial, "latency_us": latency} for trial in binary.front)
    note = view_of(replace(binary, front=front), figures).front_note
    assert note == f"Trials that no other trial of the same arm beats in {compared} by the validation rows of the first seed."


def tiles(record, figures):
    return {name: value for value, name in view_of(record, figures).tiles}


@pytest.mark.parametrize(("plain", "best"), [(0.92, "92.0 %"), (0.80, "87.1 %")])
def test_the_best_student_without_the_teacher_may_be_the_plain_model(binary, figures, plain, best):
    arm = replace(binary.arm("labels"), name="plain model", test={"accuracy": (plain, plain)})
    found = tiles(replace(binary, arms=(arm, *binary.arms)), figures)
    assert found["the best student without the teacher, on the test rows"] == best
    assert found["accuracy: the chosen student, mean of 2 seeds"] == "89.3 %"


def test_of_errors_the_lowest_is_the_best(every_kind):
    record, figures = every_kind["values"]
    lower = replace(record.arm("labels"), name="plain model", test={"mse": (1.0, 1.5), "teacher_mse": (2.0, 2.0)})
    assert tiles(replace(record, arms=(lower, *record.arms)), figures)["the best student without the teacher, on the test rows"] == "1.25"


def test_beside_a_chosen_student_without_the_teacher_the_best_of_the_teacher_is_shown(binary, figures):
    found = tiles(replace(binary, chosen="labels"), figures)
    assert found["the best student of the teacher, on the test rows"] == "89.3 %"
    assert not any("without the teacher" in name for name in found)


@pytest.mark.parametrize(
    ("test", "said"),
    [(0.9, "validation and test both say 90.0 %."), (0.95, "test 95.0 %: 5.0 points better."), (0.89, "test 89.0 %: 1.0 points worse.")],
)
def test_validation_stands_beside_test(binary, figures, test, said):
    arms = tuple(
        replace(arm, validation={"accuracy": (0.9,)}, test={"accuracy": (test,)}) if arm.name == "answers" else arm for arm in binary.arms
    )
    assert said in view_of(replace(binary, arms=arms), figures).validation_note


def test_the_rows_that_a_seed_does_not_learn_from_are_not_counted_as_learnt(binary, figures):
    def said(**rows):
        return dict(view_of(replace(binary, rows={**binary.rows, **rows}), figures).facts)["rows labelled by the teacher"]

    assert said(more_learnt=9600) == said() == "9,600 more"
    assert said(more_learnt=6200) == (
        "9,600 more, of which the first seed learns from 6,200: the others are or were made from its validation rows, or are in their "
        "groups"
    )
