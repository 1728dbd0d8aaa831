"""A student or a teacher may modify its input in place: rows, answers and trainings are those of one that copies."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import tutelage as tl
from tutelage.core import torch_runtime

RNG = np.random.default_rng(0)
PICTURES = RNG.uniform(size=(24, 1, 4, 4)).astype(np.float32)
Y = np.arange(24) % 3
LOSSES = tl.losses


class Scaled(nn.Module):
    """Scales its pictures, in place or not: the answers are the same."""

    def __init__(self, in_place, seed=0):
        super().__init__()
        self.in_place = in_place
        with torch_runtime.seeded(seed):
            self.hidden, self.last = nn.Linear(16, 5), nn.Linear(5, 3)

    def forward(self, pictures):
        scaled = pictures.sub_(0.5).div_(0.25) if self.in_place else (pictures - 0.5) / 0.25
        return self.last(torch.relu(self.hidden(scaled.flatten(1))))


TEACHER = tl.as_teacher(Scaled(in_place=False, seed=5), classes=[0, 1, 2])
SOFT = LOSSES.kl_divergence()
WITH_HINT = LOSSES.kl_divergence() + LOSSES.hint("hidden")
VIEWS = tl.transfer.Views(PICTURES, tl.transfer.Affine(shift=1), count=2)


def dataset():
    return TensorDataset(torch.from_numpy(PICTURES.copy()))


CASES = {
    "rows to validate on": (None, lambda: (PICTURES, None, Y), {"validation": (PICTURES[12:], Y[12:])}),
    "a share to validate on": (None, lambda: (PICTURES, None, Y), {"validation": 0.5}),
    "layers, in memory": (WITH_HINT, lambda: (PICTURES, TEACHER), {}),
    "a Dataset and a live teacher": (SOFT, lambda: (dataset(), TEACHER), {}),
    "a Dataset and layers": (WITH_HINT, lambda: (dataset(), TEACHER), {}),
    "a Dataset and recorded answers": (SOFT, lambda: (dataset(), tl.record(TEACHER, PICTURES)), {}),
    "views and recorded answers": (SOFT, lambda: (VIEWS, tl.record(TEACHER, VIEWS)), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_student_that_modifies_its_input_learns_as_one_that_copies(case):
    objective, data, settings = CASES[case]
    students = [
        tl.TorchStudent(Scaled(in_place), objective).fit(*data(), epochs=3, batch_size=8, lr=0.02, **settings) for in_place in (False, True)
    ]
    expected, found = students
    assert all(torch.equal(value, found.network.state_dict()[name]) for name, value in expected.network.state_dict().items())
    assert expected.fit_.scores.tolist() == found.fit_.scores.tolist()
    assert (expected.predict(PICTURES) == found.predict(PICTURES)).all()


class MeanOfTokens(nn.Module):
    """The mean over the tokens that count; turns the mask into weights, in place or not."""

    def __init__(self, in_place, seed=0):
        super().__init__()
        self.in_place = in_place
        with torch_runtime.seeded(seed):
            self.embedding, self.last = nn.Embedding(9, 4), nn.Linear(4, 2)

    def forward(self, input_ids, attention_mask):
        counts = attention_mask.sum(1, keepdim=True)
        left_out = attention_mask.sub_(1).neg_() if self.in_place else 1 - attention_mask
        embedded = self.embedding(input_ids).masked_fill(left_out[..., None] != 0, 0)
        return self.last(embedded.sum(1) / counts)


def test_a_student_may_modify_its_attention_mask():
    ids = [[1, 2, 3], [4, 5], [6], [7, 8, 1, 2]]
    rows = {"input_ids": ids, "attention_mask": [[1] * len(row) for row in ids]}
    teacher = tl.as_teacher(MeanOfTokens(in_place=False, seed=3), classes=[0, 1])
    objective = LOSSES.kl_divergence() + LOSSES.hint("embedding")
    trained = [tl.TorchStudent(MeanOfTokens(each), objective).fit(rows, teacher, epochs=3, batch_size=2).network for each in (False, True)]
    assert torch.equal(trained[0].embedding.weight, trained[1].embedding.weight)
