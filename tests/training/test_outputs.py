import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import tutelage as tl
from tutelage.core.errors import BadInput, NotProbabilities, ShapeError
from tutelage.core.position_answers import PositionAnswers
from tutelage.training import outputs

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(25, 4)).astype(np.float32)


class Sizes(nn.Linear):
    """Notes how many rows it is called with."""

    def __init__(self):
        super().__init__(4, 3)
        self.sizes = []

    def forward(self, rows):
        self.sizes.append(len(rows))
        return super().forward(rows)


def test_rows_are_answered_as_many_at_once_as_the_student_says():
    network = Sizes()
    student = tl.TorchStudent(network, classes=[0, 1, 2], predict_batch_size=10)
    for rows in (ROWS, torch.from_numpy(ROWS), pd.DataFrame(ROWS), list(ROWS)):
        network.sizes.clear()
        assert student.predict_proba(rows).shape == (25, 3)
        assert [size for size in network.sizes if size > 2] == [10, 10, 5]
    network.sizes.clear()
    student.fit(ROWS, y=np.arange(25) % 3, epochs=1, batch_size=25, validation=(ROWS, np.arange(25) % 3))
    assert [size for size in network.sizes if size > 2] == [25, 10, 10, 5]
    network.sizes.clear()
    tl.as_teacher(student).answer(ROWS)
    tl.as_teacher(network, classes=[0, 1, 2], batch_size=20).answer(ROWS)
    assert [size for size in network.sizes if size > 2] == [10, 10, 5, 20, 5]


class Tokens(nn.Module):
    """Notes how many tokens it is called with."""

    def __init__(self):
        super().__init__()
        self.out, self.words, self.counts = nn.Linear(1, 2), nn.Embedding(2, 1), []

    def forward(self, input_ids, attention_mask=None):
        self.counts.append(input_ids.numel())
        return self.out(self.words(input_ids[:, 0]))


@pytest.mark.parametrize("several", [True, False])
def test_rows_of_many_tokens_are_answered_fewer_at_once_by_default(several):
    ids = np.ones((80, 512), np.int64)
    rows = {"input_ids": ids, "attention_mask": ids} if several else ids
    network = Tokens()
    student = tl.TorchStudent(network, classes=["a", "b"])
    student.fit(rows, y=["a", "b"] * 40, epochs=1, batch_size=8, validation=(rows, ["a", "b"] * 40))
    student.predict(rows)
    tl.as_teacher(student).answer(rows)
    assert max(network.counts) == 64 * 512
    assert sum(count == 64 * 512 for count in network.counts) == 3
    network.counts.clear()
    tl.as_teacher(network, classes=["a", "b"], batch_size=80).answer(rows)
    assert max(network.counts) == 80 * 512


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tl.TorchStudent(nn.Linear(4, 3), predict_batch_size=0), "predict_batch_size is 0; expected a whole number, 1 or more"),
        (lambda: tl.as_teacher(nn.Linear(4, 3), classes=[0, 1, 2], batch_size=0), "batch_size is 0"),
        (lambda: tl.as_teacher(lambda rows: rows, kind="logits", classes=[0, 1], batch_size=5), "batch_size= was passed for a function"),
    ],
)
def test_batches_of_no_size_are_refused(make, message):
    with pytest.raises(BadInput, match=message):
        make()


def test_many_rows_are_read_in_parts(monkeypatch):
    monkeypatch.setattr(outputs, "ROWS_AT_ONCE", 10)
    student = tl.TorchStudent(nn.Linear(4, 3), classes=[0, 1, 2], predict_batch_size=5)
    frame = pd.DataFrame(ROWS)
    np.testing.assert_allclose(student.predict_proba(frame), student.predict_proba(ROWS), rtol=1e-6)
    tagger = tl.TorchStudent(nn.Embedding(9, 2), classes=[0, 1], positions="tokens", predict_batch_size=5)
    ids = torch.from_numpy(RNG.integers(0, 9, (25, 4)))
    found = tagger.predict_proba(torch.utils.data.TensorDataset(ids))
    assert isinstance(found, PositionAnswers)
    np.testing.assert_allclose(found.dense(), tagger.network(ids).softmax(-1).flatten(0, 1).detach(), rtol=1e-6)


@pytest.mark.parametrize("rows", [["a"], np.array([["a", "b"]]), object(), [[1, 2], [3]]])
def test_rows_that_are_no_numbers_are_refused(rows):
    with pytest.raises((BadInput, ShapeError)):
        tl.TorchStudent(nn.Linear(2, 3), classes=[0, 1, 2]).predict(rows)


def test_an_array_of_logits_teaches_as_its_probabilities_and_is_never_guessed():
    logits = RNG.normal(size=(25, 3)) * 3

    def fitted(answers, objective=None, **more):
        torch.manual_seed(0)
        student = tl.TorchStudent(nn.Linear(4, 3), objective, classes=[0, 1, 2])
        return student.fit(ROWS, answers, epochs=2, **more).network.weight.detach()

    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    torch.testing.assert_close(fitted(logits, kind="logits"), fitted(probabilities))
    matching = tl.losses.logit_matching()
    assert not torch.allclose(fitted(logits, matching, kind="logits"), fitted(probabilities, matching))
    with pytest.raises(NotProbabilities):
        fitted(logits)
    for labels, message in (
        (tl.as_teacher(nn.Linear(4, 3), classes=[0, 1, 2]), "kind='logits' says what an array of labels holds, and labels is no array"),
        (None, "labels is no array"),
    ):
        with pytest.raises(BadInput, match=message):
            fitted(labels, kind="logits")
    with pytest.raises(BadInput, match=r"kind is 'logit'; expected .*Did you mean logits"):
        fitted(logits, kind="logit")
