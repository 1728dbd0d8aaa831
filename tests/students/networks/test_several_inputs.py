"""Torch networks of several inputs with scikit-learn's API."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

import tutelage as tl
from tutelage.core.errors import BadInput, ShapeError

RANDOM = np.random.default_rng(0)
IDS = [RANDOM.integers(1, 20, length).tolist() for length in RANDOM.integers(2, 7, 80)]
ROWS = {"ids": IDS, "attention_mask": [[1] * len(row) for row in IDS], "size": RANDOM.normal(size=(80, 3)).astype(np.float32)}
MEANS = np.array([np.mean(row) for row in IDS])
LABELS = np.where(MEANS > 10, "high", "low")
SOFT = np.column_stack([MEANS > 10, MEANS <= 10]) * 0.8 + 0.1
FEW = {name: rows[:7] for name, rows in ROWS.items()}


class Mean(nn.Module):
    """The mean of the tokens that count, beside some numbers."""

    def __init__(self, inputs, outputs, width=6):
        super().__init__()
        self.words, self.out = nn.Embedding(20, width), nn.Linear(width + inputs["size"], outputs)

    def forward(self, ids, attention_mask, size):
        counts = attention_mask[..., None].to(size.dtype)
        return self.out(torch.cat([(self.words(ids) * counts).sum(1) / counts.sum(1), size], dim=1))


def lazy(outputs):
    class Lazy(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.out = nn.Embedding(20, 4), nn.LazyLinear(outputs)

        def forward(self, ids, attention_mask, size):
            counts = attention_mask[..., None].to(size.dtype)
            return self.out(torch.cat([(self.words(ids) * counts).sum(1) / counts.sum(1), size], dim=1))

    return Lazy()


def fitted(module=Mean, **settings):
    return tl.TorchClassifier(module, learning_rate=0.05, batch_size=16, random_state=0, **{"epochs": 8, **settings}).fit(
        ROWS, SOFT, classes=["high", "low"]
    )


def test_it_learns_what_its_inputs_say_whatever_their_padding_and_order():
    student = fitted()
    assert (student.predict(ROWS) == LABELS).mean() > 0.9
    padded = tl.StructuredRows.of(FEW).padded()
    expected = student.predict_proba(FEW)
    np.testing.assert_allclose(
        student.predict_proba({name: padded[name] for name in ("size", "attention_mask", "ids")}), expected, atol=1e-6
    )
    again = clone(student).set_params(width=3).fit(ROWS, LABELS, sample_weight=np.where(LABELS == "low", 0.0, 1.0) + 0.1)
    assert again.network_.words.embedding_dim == 3


@pytest.mark.parametrize("module", [Mean, lazy])
def test_it_is_saved_without_code_and_built_again(module, tmp_path):
    student = fitted(module, epochs=1)
    path = tl.save_student(student, tmp_path / "student")
    again = tl.load_student(path, network=module)
    np.testing.assert_array_equal(again.predict_proba(FEW), student.predict_proba(FEW))
    with pytest.raises(BadInput, match=r"whose layers a file cannot describe.*or pass --network module:object"):
        tl.load_student(path)


def test_values_are_learnt_in_their_own_unit():
    values = np.column_stack([1000 + MEANS, ROWS["size"][:, 0]])
    student = tl.TorchRegressor(Mean, learning_rate=0.05, epochs=30, batch_size=16, random_state=0).fit(ROWS, values)
    assert np.corrcoef(student.predict(ROWS)[:, 0], values[:, 0])[0, 1] > 0.9
    single = tl.TorchRegressor(Mean, epochs=1, random_state=0).fit(ROWS, values[:, 0])
    assert single.predict(FEW).shape == (7,)


@pytest.mark.parametrize(
    ("y", "error", "words"),
    [
        (LABELS, BadInput, "y holds values of type <U4; expected numbers"),
        (MEANS[1:], ShapeError, r"y has shape \(79,\); expected \(80,\) or \(80, outputs\)"),
        (np.where(MEANS > 10, np.nan, 1.0), BadInput, "y holds values that are missing or infinite"),
    ],
)
def test_values_that_cannot_be_learnt_are_one_sentence(y, error, words):
    with pytest.raises(error, match=words):
        tl.TorchRegressor(Mean, epochs=1).fit(ROWS, y)


def test_rows_of_another_kind_than_those_learnt_from_are_one_sentence():
    student = fitted(epochs=1)
    with pytest.raises(BadInput, match="expected the inputs ids, attention_mask, size, as a dict of arrays by name"):
        student.predict(np.ones((3, 4)))
    with pytest.raises(ShapeError, match=r"input 'size' of the rows has shape \(2,\); expected \(3,\)"):
        student.predict({**FEW, "size": np.ones((7, 2), np.float32)})
    flat = tl.TorchClassifier(lambda inputs: nn.Linear(inputs, 2), epochs=1).fit(ROWS["size"], LABELS)
    with pytest.raises(BadInput, match="several inputs, and this TorchClassifier was fitted on an array"):
        flat.predict(FEW)
    with pytest.raises(BadInput, match=r"several inputs \(ids, attention_mask, size\), and a SoftTree takes a table"):
        tl.SoftTree().fit(ROWS, LABELS)


def test_a_row_without_an_answer_is_named():
    empty = {**FEW, "ids": [*FEW["ids"][:6], []], "attention_mask": [*FEW["attention_mask"][:6], []]}
    words = r"the network's answers are not finite \(row 6\); .* all of them are padding"
    with pytest.raises(BadInput, match=words):
        fitted(epochs=1).predict_proba(empty)
    with pytest.raises(BadInput, match=words):
        tl.TorchRegressor(Mean, epochs=1, random_state=0).fit(ROWS, MEANS).predict(empty)
