"""The mnist run: the split, the candidates' targets, the choice by validation."""

import numpy as np
import pytest
import torch

from tutelage.core.answers import of_classes
from tutelage.recipes import mnist as recipe
from tutelage.softlabels.labels import SoftLabels

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


def test_validation_and_not_test_chooses_the_candidate(mnist):
    for name in ("student-hard", "student-soft", "student-argmax"):
        chosen = mnist.arm(name)["chosen"]
        values = recipe.TEMPERATURES if name == "student-soft" else recipe.SMOOTHINGS
        assert next(iter(chosen.values())) in values
    source = recipe._students.__code__.co_names + recipe._teacher.__code__.co_names
    assert not {name for name in source if name.startswith("test")}


def test_a_quick_run_learns(mnist):
    assert mnist.arm("teacher")["test_accuracy"][0] > 0.9
    assert min(mnist.arm("student-soft")["test_accuracy"]) > 0.86
    assert mnist.arm("teacher")["published"] == {"test_errors": 248, "test_accuracy": 0.9752}
    assert mnist.arm("student-argmax")["published"] is None
