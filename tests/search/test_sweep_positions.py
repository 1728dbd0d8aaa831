"""A sweep of students that answer each token: trained one by one, judged by their positions."""

import numpy as np
import pytest
from torch import nn

import tutelage as tl
from tutelage.core import torch_runtime

RANDOM = np.random.default_rng(0)
IDS = [RANDOM.integers(1, 10, length).tolist() for length in RANDOM.integers(1, 6, 60)]
ROWS = {"input_ids": IDS, "attention_mask": [[1] * len(row) for row in IDS]}
TRUTH = [np.where(np.array(row) > 5, "high", "low") for row in IDS]


class Tagger(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.words, self.out = nn.Embedding(10, width), nn.Linear(width, 2)

    def forward(self, input_ids, attention_mask):
        return self.out(self.words(input_ids))


def teacher():
    with torch_runtime.seeded(1):
        network = Tagger(8)
    tl.TorchStudent(network, classes=("low", "high"), positions="tokens").fit(ROWS, y=TRUTH, epochs=12, batch_size=8, seed=0, lr=0.03)
    return tl.as_teacher(network, classes=("low", "high"), positions="tokens")


@pytest.fixture(scope="module")
def labels():
    return tl.record(teacher(), ROWS)


def test_the_setting_with_the_fewest_wrong_tokens_is_chosen(labels):
    settings = {"temperature": [1.0], "lr": [1e-6, 0.05], "seed": range(2), "epochs": 4, "batch_size": 8}
    found = tl.sweep(Tagger(), ROWS, labels, TRUTH, validation=0.3, **settings)
    assert not found.stacked
    assert found.setting.lr == 0.05
    assert found.scores.shape == (2, 2)
    assert (found.scores % 1 == 0).all()  # a number of tokens
    right = [(found_names == names).mean() for found_names, names in zip(found.students[0].predict(ROWS), TRUTH, strict=True)]
    assert np.mean(right) > 0.9


def test_a_student_of_the_sweep_is_the_one_that_is_trained_alone(labels):
    quick = {"epochs": 2, "batch_size": 8}
    found = tl.sweep(Tagger(), ROWS, labels, TRUTH, temperature=[2.0], lr=[0.05], seed=[3], validation=0.3, batch_seed=5, **quick)
    network = Tagger()
    with torch_runtime.seeded(3):
        for layer in network.children():
            layer.reset_parameters()
    settings = {"optimizer": found.optimizer} if hasattr(found, "optimizer") else {"lr": 0.05}
    alone = tl.TorchStudent(network, tl.losses.soft_cross_entropy(temperature=2.0))
    alone.fit(ROWS, labels, TRUTH, validation=0.3, seed=5, **settings, **quick)
    assert alone.predict(ROWS)[0].tolist() == found.students[0].predict(ROWS)[0].tolist()
    np.testing.assert_allclose(alone.outputs(ROWS).values, found.students[0].outputs(ROWS).values, rtol=1e-5, atol=1e-6)
