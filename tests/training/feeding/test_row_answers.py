import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from tutelage.core.answers import of_classes
from tutelage.core.errors import LabelMismatch
from tutelage.softlabels.recording import record
from tutelage.teachers.adapt import as_teacher
from tutelage.training.feeding.row_answers import answers_to, soft_labels_of
from tutelage.training.feeding.sources import training_data

ROWS = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
LABELS = np.array(["no", "yes"] * 10)
FORM = of_classes("logits", ("no", "yes"))
TEACHER = as_teacher(nn.Linear(3, 2), classes=("no", "yes"))
NETWORK = nn.Linear(3, 2)


@pytest.mark.parametrize("data", [ROWS, torch.from_numpy(ROWS), TensorDataset(torch.from_numpy(ROWS))], ids=["array", "tensor", "Dataset"])
def test_recorded_answers_are_found_for_rows_of_every_kind(data):
    order = np.random.default_rng(1).permutation(20)
    recorded = record(TEACHER, ROWS[order])
    np.testing.assert_allclose(training_data(data, recorded, None).answers, TEACHER.answer(ROWS), rtol=1e-5)
    with pytest.raises(LabelMismatch, match="are not among the 19"):
        training_data(data, record(TEACHER, ROWS[:19]), None)


def test_recorded_answers_are_found_for_frames_by_the_names_of_their_columns():
    frame = pd.DataFrame(ROWS, columns=["a", "b", "c"])
    recorded = record(TEACHER, frame)
    np.testing.assert_array_equal(training_data(frame[["c", "a", "b"]], recorded, None).answers, recorded.answers)
    with pytest.raises(LabelMismatch, match="the rows lack the columns 'b'"):
        training_data(frame[["c", "a"]], recorded, None)


def test_a_live_teacher_is_called_once_for_an_array_and_later_for_a_dataset():
    np.testing.assert_array_equal(training_data(ROWS, TEACHER, None).answers, answers_to(TEACHER, ROWS))
    assert training_data(TensorDataset(torch.from_numpy(ROWS)), TEACHER, None).answers is None


def test_an_array_of_answers_is_named_by_its_rows():
    p = np.full((20, len(FORM.classes)), 1 / len(FORM.classes))
    labels = soft_labels_of(ROWS, torch.from_numpy(p), FORM.as_kind("probabilities"))
    np.testing.assert_array_equal(answers_to(labels, ROWS[::-1]), p)
    with pytest.raises(LabelMismatch, match="19"):
        soft_labels_of(ROWS[1:], p, FORM.as_kind("probabilities"))
