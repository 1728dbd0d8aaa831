"""The tiny run: its budget, its arms, and that neither is favoured."""

import torch

from tutelage.data.datasets import load_mnist
from tutelage.data.views import Views
from tutelage.recipes import tiny as recipe
from tutelage.recipes.cache import Store
from tutelage.recipes.mnist_setting import Split
from tutelage.softlabels.recording import record
from tutelage.students.networks import parameters_of
from tutelage.teachers.adapt import as_teacher


def test_the_student_keeps_to_the_budget():
    assert parameters_of(recipe.student_network()) == 7834 <= recipe.BUDGET
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
        assert tiny.arm(name)["parameters"] == 7834
        assert min(tiny.arm(name)["test_accuracy"]) > 0.6
    assert tiny.arm("teacher")["test_accuracy"][0] > 0.85


def test_kept_students_are_those_that_were_measured(tiny):
    assert sorted(path.name for path in (tiny.folder / "students").iterdir()) == [
        f"student-{kind}-seed{seed}.safetensors" for kind in ("hard", "soft") for seed in (0, 1)
    ]


def test_students_in_processes_of_their_own_are_the_same_to_the_bit(tmp_path):
    images = load_mnist()
    split = Split(images, train_rows=256, epochs=1, held_out=100)
    views = Views(split.inputs, recipe.DIGITS.augment, count=1)
    labels = record(as_teacher(recipe.teacher_network().eval(), classes=range(10)), views)
    asked, steps = [(recipe.SETTINGS[0], 0), (recipe.SETTINGS[2], 1)], []
    found = []
    for apart in (False, True):
        size = recipe.Size(rows=256, student_epochs=1, batch_size=64, apart=apart)
        store = Store(tmp_path / str(apart))
        lessons = recipe._Lessons(views, split.labels, split.validation, size, store, {"what": "test"})
        found.append(lessons.students(asked, labels, lambda: steps.append(1)))
    assert len(steps) == 2 * 2 * 4
    for (alone, errors), (other, same) in zip(*found, strict=True):
        assert errors.tolist() == same.tolist()
        assert all(torch.equal(a, b) for a, b in zip(alone.state_dict().values(), other.state_dict().values(), strict=True))
