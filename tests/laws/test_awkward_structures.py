"""Rows of several inputs, made at random and often malformed: each ends in the right answers, or in one sentence."""

import numpy as np
import pytest
import torch
from awkward_structures import made
from torch import nn

import tutelage as tl

CASES = 200
CLASSES = ("a", "b", "c")


class Reader(nn.Module):
    """The mean of the embedded tokens that count; with positions, an answer for each token."""

    def __init__(self, *, tokens: bool) -> None:
        super().__init__()
        self.words, self.out, self.tokens = nn.Embedding(20, 6), nn.Linear(7, 3), tokens

    def forward(self, input_ids, attention_mask=None, size=None):
        counts = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        counts = counts.to(self.out.weight.dtype)[..., None]
        embedded = self.words(input_ids)
        mean = (embedded * counts).sum(1) / counts.sum(1).clamp(min=1)
        further = torch.zeros(len(mean), 1) if size is None else size.reshape(len(mean), -1)[:, :1]
        if self.tokens:
            return self.out(torch.cat([embedded + mean[:, None], further[:, None].expand(-1, embedded.shape[1], -1)], dim=-1))
        return {"logits": self.out(torch.cat([mean, further], dim=-1))}


def alone(network, row):
    """The network's answer to one row, asked with tensors of its own."""
    tokens = row["input_ids"]
    arguments = {"input_ids": torch.tensor([tokens], dtype=torch.int64)}
    counts = np.ones(len(tokens), bool)
    if "attention_mask" in row:
        arguments["attention_mask"] = torch.tensor([row["attention_mask"]], dtype=torch.int64)
        counts = np.array(row["attention_mask"], bool)
    if "size" in row:
        arguments["size"] = torch.tensor(np.array(row["size"]), dtype=torch.float32)
    with torch.no_grad():
        answers = network(**arguments)
    return answers[0].numpy()[counts] if network.tokens else answers["logits"][0].numpy()


def answers_to(network, given):
    """Labels recorded on these rows, and what a student says that was trained on them; or the sentence with which they were refused."""
    teacher = tl.as_teacher(network, classes=CLASSES, positions="tokens" if network.tokens else None)
    try:
        labels = tl.record(teacher, given)
        student = tl.TorchStudent(Reader(tokens=network.tokens))
        if network.tokens and not labels.answers.counts.any():  # right answers, of which nothing is learnt
            with pytest.raises(tl.TutelageError, match="no position of the training rows counts"):
                student.fit(given, labels, epochs=1)
            return labels, labels.answers, ""
        return labels, student.fit(given, labels, epochs=1).predict_proba(given), ""
    except tl.TutelageError as error:
        return None, None, str(error)


@pytest.mark.parametrize("tokens", [False, True])
def test_made_up_structures_end_in_right_answers_or_in_one_sentence(tokens):
    torch.manual_seed(0)
    network = Reader(tokens=tokens)
    answered = refused = 0
    for seed in range(CASES):
        given, plain = made(seed)
        labels, predicted, sentence = answers_to(network, given)
        if labels is None:
            refused += 1
            assert sentence.strip(), seed
            assert "\n" not in sentence, seed
            assert plain is None, (seed, sentence)
            continue
        answered += 1
        assert np.isfinite(predicted.values if tokens else predicted).all(), seed
        for place in range(len(labels) if plain is not None else 0):
            expected = alone(network, {name: lists[place] for name, lists in plain.items()})
            found = labels.answers[place]
            assert found.shape == expected.shape, (seed, place)
            assert np.abs(found - expected).max(initial=0.0) < 1e-5, (seed, place)
    assert answered > CASES / 3
    assert refused > CASES / 6
