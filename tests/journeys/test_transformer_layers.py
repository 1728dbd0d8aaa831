"""Layers of transformers of Hugging Face, with their attention, matched between networks of other widths and other classes."""

import numpy as np
import pytest
import torch

import tutelage as tl
from tutelage.core.errors import BadInput

transformers = pytest.importorskip("transformers")

ROWS, WORDS = 40, 30
LENGTHS = np.random.default_rng(0).integers(2, 10, ROWS)
IDS = [np.random.default_rng(row).integers(1, WORDS, length).tolist() for row, length in enumerate(LENGTHS)]
RAGGED = {"input_ids": IDS, "attention_mask": [[1] * len(row) for row in IDS]}
WIDTH = 14
PADDED = {name: np.array([row + [0] * (WIDTH - len(row)) for row in rows]) for name, rows in RAGGED.items()}
Y = np.array([row[0] % 2 for row in IDS])
TAGS = [np.array(row) % 3 for row in IDS]


def bert(kind, *, hidden, layers, labels, seed, **config):
    torch.manual_seed(seed)
    settings = transformers.BertConfig(
        vocab_size=WORDS,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=hidden,
        num_labels=labels,
        max_position_embeddings=32,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        attn_implementation="eager",
        output_attentions=True,
        output_hidden_states=True,
        **config,
    )
    return getattr(transformers, f"BertFor{kind}")(settings)


VALUES = ("bert.encoder.layer.0.attention.self.value", "bert.encoder.layer.1.attention.self.value")
OBJECTIVES = {
    "attention": tl.losses.attention_maps("[attentions][-1]", "[attentions][-1]"),
    "values": tl.losses.token_relations(*VALUES, heads=2),
    "states": tl.losses.hint("[hidden_states][-1]")
    + tl.losses.cosine_distance("bert.encoder.layer.0.output", "bert.encoder.layer.1.output"),
}


def weights_of(student):
    return torch.cat([value.detach().flatten() for value in student.network.parameters()])


def fitted(kind, objective, rows, y, *, teacher=None, classes=None, **training):
    teacher = bert(kind, hidden=16, layers=2, labels=5, seed=2) if teacher is None else teacher
    student = tl.TorchStudent(bert(kind, hidden=8, layers=1, labels=len(classes), seed=1), objective, classes=classes, **training)
    return student.fit(rows, teacher, y, epochs=2, batch_size=8, lr=0.01, threads=1)


@pytest.mark.exhaustive(every=3)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_layers_of_a_teacher_of_other_classes_teach_a_classifier_and_padding_changes_nothing(name):
    objective = OBJECTIVES[name] + tl.losses.hard_cross_entropy()
    students = [fitted("SequenceClassification", objective, rows, Y, classes=[0, 1]) for rows in (RAGGED, PADDED)]
    torch.testing.assert_close(*map(weights_of, students), rtol=1e-3, atol=1e-5)
    assert students[0].predict(RAGGED).shape == (ROWS,)
    alone = tl.TorchStudent(bert("SequenceClassification", hidden=8, layers=1, labels=2, seed=1), classes=[0, 1])
    alone.fit(RAGGED, y=Y, epochs=2, batch_size=8, lr=0.01, threads=1)
    assert not torch.allclose(weights_of(alone), weights_of(students[0]), atol=1e-3)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_layers_teach_a_tagger_and_padding_changes_nothing(name):
    objective = OBJECTIVES[name] + tl.losses.hard_cross_entropy()
    teacher = tl.as_teacher(bert("TokenClassification", hidden=16, layers=2, labels=5, seed=2), classes=range(5), positions="tokens")
    students = [
        fitted("TokenClassification", objective, rows, TAGS, teacher=teacher, classes=[0, 1, 2], positions="tokens")
        for rows in (RAGGED, PADDED)
    ]
    torch.testing.assert_close(*map(weights_of, students), rtol=1e-3, atol=1e-5)


def test_attention_that_a_network_does_not_return_is_named():
    objective = OBJECTIVES["attention"] + tl.losses.hard_cross_entropy()
    silent = bert("SequenceClassification", hidden=16, layers=2, labels=5, seed=2)
    silent.config.output_attentions = False
    with pytest.raises(BadInput, match=r"there is no \[attentions\].*output_attentions|\[attentions\].*attn_implementation='eager'"):
        fitted("SequenceClassification", objective, RAGGED, Y, teacher=silent, classes=[0, 1])
