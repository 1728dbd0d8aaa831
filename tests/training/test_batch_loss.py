import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from tutelage.core.answers import of_classes
from tutelage.core.errors import BadInput, ShapeError
from tutelage.softlabels.recording import record
from tutelage.softlabels.streaming.parts import parts
from tutelage.teachers.adapt import as_teacher
from tutelage.training.batch_loss import check_answers
from tutelage.training.student import TorchStudent

INPUTS = torch.arange(24.0).reshape(8, 3).sin()
FORM = of_classes("logits", ("a", "b"))


def test_answers_that_cannot_be_trained_on_are_refused():
    for answers, error, message in (
        ((INPUTS,), BadInput, "returns a tuple, not a tensor of answers; pass output="),
        (torch.full((2, 2), 0.5), BadInput, "probabilities already"),
        (torch.zeros(2, 3), ShapeError, r"shape \(2, 3\); expected \(2, 2\)"),
        (torch.zeros(2, 5, 2), ShapeError, r"shape \(2, 5, 2\); .* answers every token or pixel"),
        (torch.zeros(4, 2), ShapeError, r"of 2 rows have shape \(4, 2\)"),
        (torch.zeros(2), ShapeError, r"shape \(2,\)"),
    ):
        with pytest.raises(error, match=message):
            check_answers(answers, FORM, None, rows=2)
    check_answers(torch.randn(2, 2), FORM, None, rows=2)
    check_answers(torch.randn(5, 2, 2), FORM, None, rows=2, copies=5)


IDS = [[1, 2], [3], [4, 5], [6]]


class Mean(nn.Module):
    """The mean of all tokens, padding among them; remembers the lengths that it was called with."""

    def __init__(self):
        super().__init__()
        self.words, self.out, self.shapes = nn.Embedding(9, 4), nn.Linear(4, 2), []

    def forward(self, input_ids):
        if self.training:
            self.shapes.append(tuple(input_ids.shape))
        return self.out(self.words(input_ids).mean(1))


class Items(Dataset):
    def __len__(self):
        return len(IDS)

    def __getitem__(self, place):
        return {"input_ids": torch.tensor(IDS[place]), "labels": place % 2}


def in_parts():
    rows = {"input_ids": IDS}
    return parts(rows, record(as_teacher(Mean(), classes=["a", "b"]), rows))


@pytest.mark.parametrize("rows", [Items, lambda: DataLoader(Items(), batch_size=3), in_parts])
def test_rows_of_different_lengths_without_a_mask_are_not_learnt_with_padding(rows):
    network = Mean()
    given, classes = (rows(), [0, 1]) if rows is not in_parts else (rows(), ["a", "b"])
    settings = {} if isinstance(given, DataLoader) else {"batch_size": 3}
    with pytest.raises(BadInput, match=r"rows of a batch differ in length \(input_ids\), and no attention_mask .* rows in memory"):
        TorchStudent(network, classes=classes).fit(given, epochs=1, **settings)


@pytest.mark.parametrize("batches", [{"batch_size": 1}, {"batch_sampler": [[1, 3], [0, 2]]}])
def test_batches_of_one_length_each_need_no_mask(batches):
    network = Mean()
    TorchStudent(network, classes=[0, 1]).fit(DataLoader(Items(), **batches), epochs=1)
    assert sum(rows * tokens for rows, tokens in network.shapes) == sum(map(len, IDS))
