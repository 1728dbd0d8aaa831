"""The students of the mnist run with every label: the candidates' targets, the choice by validation."""

import numpy as np
import pytest
import torch

from tutelage.core.answers import of_classes
from tutelage.data.datasets import Images
from tutelage.experiments.cache import Store
from tutelage.experiments.demo import mnist_students as students
from tutelage.experiments.demo.mnist_setting import Split
from tutelage.softlabels.labels import SoftLabels
from tutelage.training.stacks.networks import mlp
from tutelage.training.student import TorchStudent

LOGITS = np.array([[4.0, 1.0] + [0.0] * 8, [0.0, 3.0] + [1.0] * 8], dtype=np.float32)
TAUGHT = SoftLabels(LOGITS, of_classes("logits", range(10)), np.arange(len(LOGITS), dtype=np.uint64))
LABELS = np.array([1, 1])


@pytest.mark.parametrize(
    ("setting", "first_row"),
    [
        (students.Setting("student-hard"), np.eye(10)[1]),
        (students.Setting("student-hard", smoothing=0.2), np.eye(10)[1] * 0.8 + 0.02),
        (students.Setting("student-argmax"), np.eye(10)[0]),
        (students.Setting("student-argmax", smoothing=0.1), np.eye(10)[0] * 0.9 + 0.01),
        (students.Setting("student-soft"), torch.softmax(torch.tensor(LOGITS[0]), 0).numpy()),
        (students.Setting("student-soft", temperature=4.0), torch.softmax(torch.tensor(LOGITS[0]) / 4, 0).numpy()),
    ],
)
def test_each_candidate_is_asked_to_match_what_its_arm_says(setting, first_row):
    targets = students.targets_of(setting, LABELS, TAUGHT)
    np.testing.assert_allclose(targets[0], first_row, atol=1e-6)
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)


def test_every_arm_is_tuned_equally_hard():
    arms = [setting.arm for setting in students.SETTINGS]
    assert {arm: arms.count(arm) for arm in students.MEANINGS} == dict.fromkeys(students.MEANINGS, 4)


def test_the_candidate_with_the_fewest_validation_errors_over_the_seeds_is_chosen():
    errors = np.full((2, 12), 9.0)
    errors[0, 1], errors[1, 1] = 8, 8
    errors[0, 2], errors[1, 2] = 0, 17  # best on the first seed only
    errors[:, 6] = 5
    assert students.Candidates({}, errors).chosen() == {
        "student-hard": students.SETTINGS[1],
        "student-soft": students.SETTINGS[6],
        "student-argmax": students.SETTINGS[8],
    }


@pytest.fixture
def training(tmp_path):
    """Twenty rows of two classes, whose teacher confuses them: it answers 1 where the truth is 0."""
    labels = np.arange(40) % 2
    images = np.zeros((40, 784), dtype=np.uint8)
    images[labels == 0, :300], images[labels == 1, 300:600] = 255, 255
    split = Split(Images("two", images, labels, images[:0], labels[:0], tuple("0123456789"), ""), train_rows=20, epochs=1200, held_out=20)
    logits = np.zeros((20, 10), dtype=np.float32)
    logits[np.arange(20), 1 - labels[:20]] = 4
    answers = SoftLabels(logits, of_classes("logits", range(10)), np.arange(20, dtype=np.uint64))
    return students.StudentTraining((784, 10, 10), split, answers, "teacher", Store(tmp_path), lambda: None)


def test_hard_students_learn_the_truth_and_the_others_the_teacher(training):
    found = training.candidates((0, 1))
    assert found.errors.shape == (2, 12)
    for index, setting in enumerate(students.SETTINGS):
        wrong = 0 if setting.arm == "student-hard" else 1
        assert (found.errors[:, index] == 20 * wrong).all(), setting
        assert len(found.students[setting]) == 2
        for student in found.students[setting]:
            assert isinstance(student, TorchStudent)
            np.testing.assert_array_equal(student.predict(training.split.inputs), np.abs(wrong - training.split.labels))


def test_a_soft_student_answers_at_temperature_one_as_the_teacher_does(training):
    found = training.candidates((0,))
    expected = training.labels.probabilities[0].max()
    for temperature in (1.0, 4.0):
        (student,) = found.students[students.Setting("student-soft", temperature=temperature)]
        assert abs(float(student.predict_proba(training.split.inputs)[0].max()) - expected) < 0.05


def test_students_of_five_seeds_are_found_again_with_more_seeds(training, monkeypatch):
    asked = []
    monkeypatch.setattr(students.StudentTraining, "learnt", lambda self, seeds: asked.append(seeds) or _untrained(self, seeds))
    found = training.candidates((0, 1, 2, 3, 4, 5))
    assert asked == [(0, 1, 2, 3, 4), (5,)]
    assert len(found.students[students.SETTINGS[0]]) == 6


def _untrained(training, seeds):
    groups = [students.Group(seed, np.arange(20)) for seed in seeds]
    return students.stack_of_groups(lambda: mlp(training.sizes), groups, copies=12), np.zeros((len(seeds), 12))
