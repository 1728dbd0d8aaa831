"""A stack of students is its students trained alone."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import tutelage as tl
from tutelage.core import torch_runtime
from tutelage.losses.functional.classification import soft_cross_entropy
from tutelage.search.sweep import distillation
from tutelage.training.loop import fit
from tutelage.training.settings import one_cycle
from tutelage.training.stacks.networks import mlp, with_new_weights
from tutelage.training.stacks.stack import Stack
from tutelage.training.student import TorchStudent
from tutelage.training.validation import Validation

RNG = np.random.default_rng(0)
INPUTS = torch.from_numpy(RNG.normal(size=(300, 6)).astype(np.float32))
TARGETS = torch.from_numpy(RNG.dirichlet(np.full(3, 0.3), size=(300, 4)).astype(np.float32))
TEMPERATURES = torch.tensor([1.0, 2.0, 4.0, 8.0])[:, None, None]


def trained(copies: list[int]) -> tuple[Stack, np.ndarray]:
    """A stack of these copies of the four, on the same initial weights and batches."""
    with torch_runtime.seeded(2):
        stack = Stack([mlp((6, 8, 8, 3))] * len(copies), wide=True)
        optimizer = torch.optim.Adam(stack.parameters(), lr=0.01, fused=True)
        report = fit(
            stack,
            lambda logits, wanted: soft_cross_entropy(logits, wanted.transpose(0, 1), temperature=TEMPERATURES[copies]),
            inputs=INPUTS,
            targets=TARGETS[:, copies],
            optimizer=optimizer,
            schedule=torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=5 * 10),
            epochs=5,
            batch_size=32,
            validation=Validation(INPUTS[:100], TARGETS[:100, 0].argmax(dim=1), by="loss"),
        )
    return stack, report.best_epoch


def test_a_stack_trains_as_its_copies_would_alone():
    stack, epochs = trained([0, 1, 2, 3])
    for index in range(4):
        alone, epoch = trained([index])
        assert epoch[0] == epochs[index]
        for together, single in zip(stack.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(together[index], single[0], rtol=1e-3, atol=1e-5)
    assert not torch.allclose(next(stack.parameters())[0], next(stack.parameters())[3], atol=1e-2)


def layered():
    return nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))


def pictures():
    return nn.Sequential(
        nn.Unflatten(1, (1, 2, 3)), nn.Conv2d(1, 4, 2, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(8, 3),
    )  # fmt: skip


class Undecided(nn.Module):
    """Cannot be stacked: it looks at its numbers."""

    def __init__(self):
        super().__init__()
        self.inner = mlp((6, 8, 3))

    def forward(self, inputs):
        said = self.inner(inputs)
        return said if said.sum() > 1e9 else 2 * said


ANSWERS = torch.log(TARGETS[:, 0]).clamp(min=-12).numpy()
NAMED = tl.record(tl.as_teacher(mlp((6, 3)), classes=range(3)), INPUTS.numpy())
TEACHER = tl.SoftLabels(ANSWERS, NAMED.form, NAMED.names, "drawn")
TRUTH = ANSWERS.argmax(axis=1)
WAYS = {
    "plain": {},
    "momentum, clipped, under a schedule": {
        "optimizer": partial(torch.optim.SGD, lr=1.0, momentum=0.9),
        "schedule": one_cycle,
        "clip_norm": 0.2,
    },
    "averaged, decayed, ended early": {"optimizer": partial(torch.optim.AdamW, weight_decay=0.1), "average": 0.9, "patience": 2},
}


CASES = [
    *((make, True, way) for make in (partial(mlp, (6, 8, 8, 3)), pictures) for way in WAYS),
    (layered, True, "plain"),
    (Undecided, False, "plain"),
]


@pytest.mark.slow
@pytest.mark.exhaustive(every=3)
@pytest.mark.parametrize(("make", "stacked", "way"), CASES)
def test_every_student_of_a_sweep_is_the_one_that_fit_alone_would_give(make, stacked, way):
    lists = {"temperature": [1.0, 4.0], "soft_weight": [0.4, 1.0], "lr": [0.01, 0.05]}
    held = (INPUTS[:100].numpy(), TRUTH[:100])
    shared = {"epochs": 3, "batch_size": 32, "validation": held, **WAYS[way]}
    found = tl.sweep(make, INPUTS.numpy(), TEACHER, TRUTH, seed=[3, 5], batch_seed=11, **lists, **shared)
    assert found.stacked == stacked
    assert found.scores.shape == (2, 8)
    for place, setting in enumerate(found.settings):
        optimizer = shared.get("optimizer", partial(torch.optim.Adam, fused=True))
        for number, seed in enumerate(found.seeds):
            alone = TorchStudent(with_new_weights(make, seed), distillation(setting.temperature, setting.soft_weight))
            alone.fit(INPUTS.numpy(), TEACHER, TRUTH, seed=11, **shared | {"optimizer": partial(optimizer, lr=setting.lr)})
            assert abs(found.scores[number, place] - alone.fit_.scores.min()) <= 1  # one row may lie on the border
            if place == found.best:
                assert_same(found.students[number], alone)


def assert_same(student, alone):
    assert student.fit_.best_epoch == alone.fit_.best_epoch
    for name, value in student.network.state_dict().items():
        torch.testing.assert_close(value, alone.network.state_dict()[name], rtol=1e-3, atol=1e-4)
