import numpy as np
import pytest
import torch
from torch import nn

from tutelage.core.answers import of_classes
from tutelage.core.errors import BadInput, ShapeError
from tutelage.teachers.torch_module import TorchTeacher

ROWS = np.random.default_rng(0).normal(size=(9, 3))
TWO = of_classes("logits", (0, 1))


def test_a_teacher_in_train_mode_answers_in_eval_mode_and_is_given_back():
    network = nn.Sequential(nn.Linear(3, 50), nn.Dropout(0.5), nn.Linear(50, 2)).train()
    teacher = TorchTeacher(network, TWO)
    answers = teacher.answer(ROWS)
    np.testing.assert_array_equal(answers, teacher.answer(ROWS))
    with torch.no_grad():
        expected = network[2](network[0](torch.tensor(ROWS, dtype=torch.float32)))
    np.testing.assert_allclose(answers, expected.numpy(), rtol=1e-5)
    assert answers.dtype == np.float32
    assert network[1].training


def test_another_number_of_logits_than_classes_is_refused():
    with pytest.raises(ShapeError, match=r"have 2 columns; expected 3"):
        TorchTeacher(nn.Linear(3, 2), of_classes("logits", ("a", "b", "c"))).answer(ROWS)


def test_a_nan_answer_is_refused():
    network = nn.Linear(3, 2)
    nn.init.constant_(network.bias, float("nan"))
    with pytest.raises(BadInput, match="the teacher's logits: 9 of 9 rows"):
        TorchTeacher(network, TWO).answer(ROWS)
