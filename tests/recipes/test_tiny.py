"""The tiny run: its budget, its arms, and that neither is favoured."""

import torch

from tutelage.recipes import tiny as recipe
from tutelage.students.networks import parameters_of


def test_the_student_keeps_to_the_budget():
    assert parameters_of(recipe.student_network()) == 7610 <= recipe.BUDGET
    assert parameters_of(recipe.teacher_network()) == 80_202
    assert recipe.student_network()(torch.zeros(2, 784)).shape == (2, 10)


def test_every_arm_is_tuned_equally_hard():
    arms = [setting.arm for setting in recipe.SETTINGS]
    assert {arm: arms.count(arm) for arm in recipe.MEANINGS} == dict.fromkeys(recipe.MEANINGS, 2)


def test_arms_differ_in_what_they_match_alone():
    told = [(term["name"], term["settings"]) for setting in recipe.SETTINGS for term in setting.objective.described()]
    assert told == [
        ("hard_cross_entropy", {"smoothing": 0.0}),
        ("hard_cross_entropy", {"smoothing": 0.1}),
        ("soft_cross_entropy", {"temperature": 2.0}),
        ("soft_cross_entropy", {"temperature": 4.0}),
    ]


def test_a_quick_run_learns_within_the_budget(tiny):
    assert [arm["name"] for arm in tiny.results["arms"]] == ["teacher", "student-hard", "student-soft"]
    for name in ("student-hard", "student-soft"):
        assert tiny.arm(name)["parameters"] == 7610
        assert min(tiny.arm(name)["test_accuracy"]) > 0.6
    assert tiny.arm("teacher")["test_accuracy"][0] > 0.85


def test_kept_students_are_those_that_were_measured(tiny):
    assert sorted(path.name for path in (tiny.folder / "students").iterdir()) == [
        f"student-{kind}-seed{seed}.safetensors" for kind in ("hard", "soft") for seed in (0, 1)
    ]
