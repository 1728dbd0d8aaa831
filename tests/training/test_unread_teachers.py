"""A teacher of which the objective reads hidden layers only: its classes may differ, and its answers are not asked."""

import numpy as np
import pytest
import torch
from torch import nn

import tutelage as tl
from tutelage.core.errors import BadInput, LabelMismatch

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(40, 4)).astype(np.float32)
Y = np.where(ROWS[:, 0] > 0, "yes", "no")


class Counting(nn.Module):
    """A network whose head notes that it was asked."""

    def __init__(self, outputs):
        super().__init__()
        self.body, self.head, self.calls = nn.Linear(4, 6), nn.Linear(6, outputs), 0

    def forward(self, rows):
        self.calls += 1
        return self.head(torch.tanh(self.body(rows)))


def student(objective, **given):
    torch.manual_seed(1)
    return tl.TorchStudent(Counting(given.pop("outputs", 2)), objective, **given)


HINT = tl.losses.hint("body")


@pytest.mark.parametrize("classes", [range(7), None])
def test_its_classes_may_differ_and_it_runs_for_its_layers_alone(classes):
    torch.manual_seed(2)
    network = Counting(7)
    teacher = network if classes is None else tl.as_teacher(network, classes=classes)
    made = student(HINT + tl.losses.hard_cross_entropy()).fit(ROWS, teacher, Y, epochs=1, batch_size=10)
    assert network.calls == 5  # a first batch, and one for each of the four steps: no answers besides
    assert made.classes_.tolist() == ["no", "yes"]


def test_a_teacher_of_values_and_labels_of_another_task_teach_its_layers():
    regression = tl.as_teacher(Counting(3), task="regression")
    assert student(HINT + tl.losses.hard_cross_entropy()).fit(ROWS, regression, Y, epochs=1).predict(ROWS).shape == (40,)
    of_labels = student(HINT + tl.losses.hard_bernoulli(), outputs=3).fit(ROWS, regression, RNG.integers(0, 2, (40, 3)), epochs=1)
    assert of_labels.predict(ROWS).shape == (40, 3)
    of_values = student(HINT + tl.losses.squared_error(against="labels"), outputs=1).fit(ROWS, Counting(3), ROWS[:, 0], epochs=1)
    assert of_values.predict(ROWS).shape == (40,)


def test_without_anything_else_the_student_has_the_form_of_the_teacher_or_values():
    teacher = tl.as_teacher(Counting(3), classes=["a", "b", "c"])
    assert student(HINT, outputs=3).fit(ROWS, teacher, epochs=1).classes_.tolist() == ["a", "b", "c"]
    assert student(HINT, outputs=5).fit(ROWS, Counting(3), epochs=1).predict(ROWS).shape == (40, 5)
    data = torch.utils.data.TensorDataset(torch.from_numpy(ROWS), torch.zeros(40, dtype=torch.int64))
    with pytest.raises(BadInput, match="the student's classes are not known; pass y, or the classes"):
        student(HINT + tl.losses.hard_cross_entropy()).fit(data, Counting(3), epochs=1)
    with pytest.raises(BadInput, match="validation rows need ground truth or the teacher's answers"):
        student(HINT, outputs=3).fit(ROWS, teacher, epochs=1, validation=0.2)


def test_a_teacher_that_nothing_is_read_of_still_names_the_classes():
    teacher = tl.as_teacher(Counting(2), classes=["yes", "no"])
    hard = tl.losses.hard_cross_entropy()
    assert student(hard).fit(ROWS, teacher, Y, epochs=1).classes_.tolist() == ["yes", "no"]
    with pytest.raises(LabelMismatch, match="are not among"):
        student(hard).fit(ROWS, tl.record(teacher, ROWS + 1), Y, epochs=1)


def test_training_by_layers_alone_resumes(tmp_path):
    torch.manual_seed(2)
    teacher = Counting(7)
    alone, resumed = (
        student(HINT + tl.losses.hard_cross_entropy()).fit(ROWS, teacher, Y, epochs=3, **more).network.body.weight
        for more in ({}, {"checkpoints": tmp_path})
    )
    assert torch.equal(alone, resumed)
