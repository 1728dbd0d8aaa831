"""The mnist run: the split, the candidates' targets, the choice by validation."""

import numpy as np
import pytest
import torch

from tutelage.core.answers import of_classes
from tutelage.experiments.demo import mnist as recipe
from tutelage.softlabels.labels import SoftLabels
from tutelage.training.stacks.networks import mlp
from tutelage.training.stacks.stack import Stack

LOGITS = np.array([[4.0, 1.0] + [0.0] * 8, [0.0, 3.0] + [1.0] * 8], dtype=np.float32)
TAUGHT = SoftLabels(LOGITS, of_classes("logits", range(10)), np.arange(len(LOGITS), dtype=np.uint64))
LABELS = np.array([1, 1])


@pytest.mark.parametrize(
    ("setting", "first_row"),
    [
        (recipe.Setting("student-hard"), np.eye(10)[1]),
        (recipe.Setting("student-hard", smoothing=0.2), np.eye(10)[1] * 0.8 + 0.02),
        (recipe.Setting("student-argmax"), np.eye(10)[0]),
        (recipe.Setting("student-argmax", smoothing=0.1), np.eye(10)[0] * 0.9 + 0.01),
        (recipe.Setting("student-soft"), torch.softmax(torch.tensor(LOGITS[0]), 0).numpy()),
        (recipe.Setting("student-soft", temperature=4.0), torch.softmax(torch.tensor(LOGITS[0]) / 4, 0).numpy()),
    ],
)
def test_each_candidate_is_asked_to_match_what_its_arm_says(setting, first_row):
    targets = recipe.targets_of(setting, LABELS, TAUGHT)
    np.testing.assert_allclose(targets[0], first_row, atol=1e-6)
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)


def test_every_arm_is_tuned_equally_hard():
    arms = [setting.arm for setting in recipe.SETTINGS]
    assert {arm: arms.count(arm) for arm in recipe.MEANINGS} == dict.fromkeys(recipe.MEANINGS, 4)


@pytest.mark.slow
def test_validation_and_not_test_chooses_the_candidate(mnist):
    for name in ("student-hard", "student-soft", "student-argmax"):
        chosen = mnist.arm(name)["chosen"]
        values = recipe.TEMPERATURES if name == "student-soft" else recipe.SMOOTHINGS
        assert next(iter(chosen.values())) in values
    does = (recipe.StudentTraining.learnt, recipe.StudentTraining._trained, recipe.StudentTraining.chosen, recipe._teacher)
    assert not {name for one in does for name in one.__code__.co_names if name.startswith("test")}


def test_two_seeds_train_every_candidate_and_the_others_only_what_was_chosen():
    asked = []

    class Counted(recipe.StudentTraining):
        def learnt(self, settings, seed):
            asked.append((settings, seed))
            stack = Stack([mlp((4, 3, 2))] * len(settings), wide=True)
            with torch.no_grad():
                list(stack.parameters())[-1].copy_(torch.arange(len(settings))[:, None].expand(-1, 2))  # tells copies apart
            return stack, np.array([abs(seed + 2 - place % 4) for place in range(len(settings))], dtype=float)  # means: 2.5, 1.5, .5, .5

    found = Counted((4, 3, 2), None, None, "teacher", None, lambda: None).chosen((0, 1, 2))
    best = [recipe.SETTINGS[place] for place in (2, 6, 10)]
    assert asked == [(recipe.SETTINGS, 0), (recipe.SETTINGS, 1), (tuple(best), 2)]
    assert [setting for setting, _ in found.values()] == best
    biases = {arm: [student.network[-1].bias[0].item() for student in students] for arm, (_, students) in found.items()}
    assert biases == {"student-hard": [2, 2, 0], "student-soft": [6, 6, 1], "student-argmax": [10, 10, 2]}


@pytest.mark.slow
def test_a_quick_run_learns(mnist):
    assert mnist.arm("teacher")["test_accuracy"][0] > 0.9
    assert min(mnist.arm("student-soft")["test_accuracy"]) > 0.86
    assert mnist.arm("teacher")["published"] == {"test_errors": 248, "test_accuracy": 0.9752}
    assert mnist.arm("student-argmax")["published"] is None
