"""Few labels: which rows have one, what the validation rows choose, what the chosen student trains on."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tutelage.data.datasets import Images
from tutelage.experiments import few_labels
from tutelage.experiments.cache import Store
from tutelage.experiments.demo.mnist_setting import Split
from tutelage.experiments.few_labels import SETTINGS, FewLabels, labelled_rows
from tutelage.experiments.side_by_side import Schedule

SIZES = (784, 10, 10)
COUNTS = (60, 20)


@pytest.fixture(scope="module")
def split():
    """Ten classes, told apart by the brightest tenth of the picture; the labels of the test rows are not there to be read."""
    draws = np.random.default_rng(0)
    labels = draws.integers(0, 10, 300)
    images = draws.integers(0, 60, (300, 784)).astype(np.uint8)
    for row, label in enumerate(labels):
        images[row, 70 * label : 70 * label + 70] = 200
    return Split(Images("noise", images, labels, images[:0], labels[:0], tuple("0123456789"), ""), train_rows=250, epochs=1, held_out=50)


@pytest.fixture
def training(split, tmp_path):
    return FewLabels(COUNTS, SIZES, split, Schedule(60, 10, 0.02), Store(tmp_path), lambda: None)


def test_a_seed_draws_its_labelled_rows_and_more_labels_hold_the_fewer():
    rows = labelled_rows(250, 60, seed=0)
    assert len(set(rows.tolist())) == 60
    np.testing.assert_array_equal(rows[:20], labelled_rows(250, 20, seed=0))
    assert set(rows.tolist()) != set(labelled_rows(250, 60, seed=1).tolist())


def test_there_is_a_student_and_a_setting_for_each_seed_and_count(training, split):
    students, settings = training.students((0, 1))
    assert list(students) == list(settings) == list(COUNTS)
    for count in COUNTS:
        assert len(students[count]) == len(settings[count]) == 2
        assert set(settings[count]) <= set(SETTINGS)
    rows = labelled_rows(250, 60, seed=1)
    assert (students[60][1].predict(split.inputs[rows]) == split.labels[rows]).mean() > 0.9


def test_labels_of_rows_that_were_not_drawn_change_nothing(training, split, tmp_path):
    """The budget is honest: neither training nor tuning reads another label, not even those of the validation rows."""
    drawn = np.union1d(labelled_rows(250, 60, seed=0), labelled_rows(250, 60, seed=1))
    labels = split.images.train_labels.copy()
    others = np.setdiff1d(np.arange(300), drawn)
    labels[others] = (labels[others] + 1) % 10
    changed = replace(split, images=replace(split.images, train_labels=labels))
    students, settings = training.students((0, 1))
    again, chosen = replace(training, split=changed, store=Store(tmp_path / "other")).students((0, 1))
    assert chosen == settings
    for count in COUNTS:
        for one, other in zip(students[count], again[count], strict=True):
            assert torch.equal(one.network[0].weight, other.network[0].weight)


def test_the_rows_that_choose_are_a_fifth_and_no_candidate_trains_on_them(training, monkeypatch):
    seen = []

    def noted(stack, losses, *, groups, **_):
        seen.append([group.rows.tolist() for group in groups])

    monkeypatch.setattr(few_labels, "train_side_by_side", noted)
    training.students((3,))
    candidates, final = seen
    whole = [labelled_rows(250, count, seed=3).tolist() for count in COUNTS]
    assert final == whole
    assert candidates == [rows[len(rows) // 5 :] for rows in whole]


def test_the_candidate_with_the_lowest_validation_loss_is_chosen(training, split, monkeypatch):
    right = 5

    def set_answers(stack, losses, *, groups, **_):
        if stack.copies == len(groups):  # the chosen ones
            return
        names = dict(stack.named_parameters())
        with torch.no_grad():
            for index in range(stack.copies):
                good = index % len(SETTINGS) == right
                names["inner.0.weight"][index] = torch.stack([(torch.arange(784) // 70 == unit).float() for unit in range(10)])
                names["inner.2.weight"][index] = torch.eye(10) * (1 if good else -1)

    monkeypatch.setattr(few_labels, "train_side_by_side", set_answers)
    _, settings = training.students((0,))
    assert settings == dict.fromkeys(COUNTS, (SETTINGS[right],))


def test_a_second_call_trains_nothing(training, monkeypatch):
    first, _ = training.students((0,))
    monkeypatch.setattr(few_labels, "train_side_by_side", lambda *_, **__: pytest.fail("trained again"))
    again, _ = training.students((0,))
    assert torch.equal(first[20][0].network[0].weight, again[20][0].network[0].weight)
