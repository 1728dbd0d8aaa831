from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from tutelage.core.errors import ShapeError
from tutelage.core.position_answers import PositionAnswers
from tutelage.data.structures.network_answers import (
    answers_in,
    answers_to,
    by_batch,
    pad_token_of,
    rows_at_once,
    tensors_of,
    valid_positions,
)
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.structured import StructuredRows

LENGTHS = [3, 1, 2, 3]
ROWS = StructuredRows.of({"ids": [[row + 1] * length for row, length in enumerate(LENGTHS)], "attention_mask": [[1] * n for n in LENGTHS]})


class Doubles(nn.Module):
    """Each token's number and its double; remembers the shapes that it was called with."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1.0, 2.0]))
        self.shapes = []

    def forward(self, ids, attention_mask):
        self.shapes.append(tuple(ids.shape))
        return ids[..., None] * self.scale


def test_rows_of_like_length_are_asked_together_and_answered_in_their_order():
    network = Doubles()
    answers = answers_to(network, ROWS, positions="tokens", batch_size=2, output=answers_in)
    assert isinstance(answers, PositionAnswers)
    assert [row[:, 1].tolist() for row in answers] == [[2.0] * 3, [4.0], [6.0] * 2, [8.0] * 3]
    assert network.shapes == [(2, 2), (2, 3)]


LONG = [[1] * 16384] * 2 + [[1] * 20000] + [[1] * 2] * 5


class Lengths(nn.Module):
    """Remembers the shapes that it was called with, and answers each row by its first number."""

    def __init__(self):
        super().__init__()
        self.scale, self.shapes = nn.Parameter(torch.ones(2)), []

    def forward(self, first, *others, **further):
        self.shapes.append(tuple(first.shape))
        return first.reshape(len(first), -1)[:, :1] * self.scale


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ({"first": np.ones((150, 512), int), "attention_mask": np.ones((150, 512), int)}, [(64, 512), (64, 512), (22, 512)]),
        ((np.ones((70, 512), int), np.ones((70, 3))), [(64, 512), (6, 512)]),
        ({"first": LONG, "attention_mask": LONG}, [(5, 2), (2, 16384), (1, 20000)]),
        ({"first": np.ones((2, 40_000), int)}, [(1, 40_000), (1, 40_000)]),
        ({"first": np.ones((1200, 3, 2, 2)), "sizes": np.ones((1200, 700))}, [(1000, 3, 2, 2), (200, 3, 2, 2)]),
    ],
)
def test_rows_of_many_tokens_are_asked_fewer_at_once_unless_their_number_was_given(rows, expected):
    network, given = Lengths(), StructuredRows.of(rows)
    assert np.shape(answers_to(network, given, output=answers_in)) == (len(given), 2)
    assert network.shapes == expected
    network.shapes.clear()
    answers_to(network, given, batch_size=2000, output=answers_in)
    assert network.shapes == [(len(given), *expected[-1][1:])]


def test_ids_in_one_array_are_tokens_too():
    for rows, expected in (
        (torch.ones((100, 512), dtype=torch.int64), 64),
        (torch.ones(100, 512), 1000),
        (np.ones((100, 4, 512), int), 1000),
    ):
        assert rows_at_once(rows, None) == expected
        assert rows_at_once(rows, 7) == 7


def test_one_answer_for_each_row_comes_back_in_order():
    answers = answers_to(Doubles(), ROWS, batch_size=2, output=lambda returned: returned[:, 0])
    assert np.asarray(answers)[:, 0].tolist() == [1, 2, 3, 4]
    plain = by_batch(np.arange(5.0)[:, None], lambda part: part * 2, positions=None, batch_size=2)
    assert np.asarray(plain).ravel().tolist() == [0, 2, 4, 6, 8]


def test_whole_numbers_stay_whole_and_others_take_the_dtype_of_the_weights():
    rows = StructuredRows.of({"ids": np.array([[1]], np.int32), "size": np.array([[0.5]]), "flag": np.array([[True]])})
    found = tensors_of(rows, nn.Linear(1, 1).double())
    assert isinstance(found, dict)
    assert {name: tensor.dtype for name, tensor in found.items()} == {"ids": torch.int64, "size": torch.float64, "flag": torch.bool}
    in_order = tensors_of(StructuredRows.of((np.zeros((1, 2)), np.zeros((1, 3)))), nn.Linear(1, 1))
    assert isinstance(in_order, tuple)
    assert [tensor.shape[1] for tensor in in_order] == [2, 3]


def stating(token, words=40):
    network = nn.Linear(1, 1)
    network.config = SimpleNamespace(pad_token_id=token, vocab_size=words)
    return network


def test_the_pad_token_is_that_of_the_network_or_of_the_only_one_inside():
    assert [pad_token_of(stating(token)) for token in (7, 0, None, -1, 40)] == [7, 0, None, None, None]
    assert pad_token_of(nn.Sequential(stating(7))) == 7
    assert pad_token_of(nn.Sequential(stating(7), stating(7))) == 7
    assert pad_token_of(nn.Sequential(stating(7), stating(8))) is None
    several = nn.Linear(1, 1)
    several.config = SimpleNamespace(text_config=SimpleNamespace(pad_token_id=3))
    assert pad_token_of(several) == 3


def test_ids_are_padded_with_the_pad_token_and_other_inputs_with_0():
    names = ("input_ids", "decoder_input_ids", "kinds", "attention_mask")
    rows = StructuredRows.of({name: [[1, 1], [1]] for name in names})
    assert {name: tensor[1, 1].item() for name, tensor in tensors_of(rows, stating(7)).items()} == dict(
        zip(names, (7, 7, 0, 0), strict=True)
    )
    given = StructuredRows.of({"input_ids": [[5, 5], [4, 9]], "attention_mask": [[1, 1], [1, 0]]})
    assert tensors_of(given, stating(7))["input_ids"].tolist() == [[5, 5], [4, 7]]
    assert tensors_of(given, stating(None))["input_ids"].tolist() == [[5, 5], [4, 9]]


def test_logits_are_found_in_what_a_network_returns():
    class Output:
        logits = torch.ones(1)

    assert answers_in(torch.zeros(1)).item() == 0
    assert answers_in({"loss": 1, "logits": torch.ones(1)}).item() == 1
    assert answers_in(Output()).item() == 1
    assert answers_in((1, 2)) == (1, 2)


def test_the_mask_says_which_positions_count_and_another_number_of_them_is_refused():
    mask = Ragged(np.array([True, False, True]), np.array([2, 1]))
    assert valid_positions(2, 2, mask, padded=True).tolist() == [[True, False], [True, False]]
    assert valid_positions(3, 2, None, padded=False).all()
    everything = Ragged(np.array([True, True]), np.array([1, 1]))
    assert valid_positions(3, 2, everything, padded=False).shape == (2, 3)
    with pytest.raises(ShapeError, match="answers 3 positions of rows of 2 tokens"):
        valid_positions(3, 2, mask, padded=True)


@pytest.mark.parametrize(
    ("positions", "expected"), [("tokens", r"\(batch, tokens, classes\)"), ("pixels", r"\(batch, classes, height, width\)")]
)
def test_answers_without_positions_are_refused_where_they_are_expected(positions, expected):
    with pytest.raises(ShapeError, match=expected):
        answers_to(Doubles(), ROWS, positions=positions, output=lambda returned: returned[:, 0])


def test_few_rows_are_asked_first_and_then_as_many_as_their_answers_allow(monkeypatch):
    monkeypatch.setattr("tutelage.data.structures.network_answers.MOST_BYTES", 16 * 5 * 4)
    asked = []

    def ask(part):
        asked.append(len(part))
        return np.tile(np.asarray(part)[:, :, None], (1, 1, 4)).astype(np.float32)

    rows = np.arange(40.0).reshape(20, 2)
    answers = by_batch(rows, ask, positions="tokens", batch_size=18)
    assert asked == [8, 10, 2]
    assert [row[0, 0] for row in answers] == rows[:, 0].tolist()
