"""A stack of students is its students trained alone."""

import numpy as np
import torch

from tutelage import engine
from tutelage.objectives.losses import soft_cross_entropy
from tutelage.students.loop import fit
from tutelage.students.networks import MLPStack
from tutelage.students.validation import Validation

RNG = np.random.default_rng(0)
INPUTS = torch.from_numpy(RNG.normal(size=(300, 6)).astype(np.float32))
TARGETS = torch.from_numpy(RNG.dirichlet(np.full(3, 0.3), size=(300, 4)).astype(np.float32))
TEMPERATURES = torch.tensor([1.0, 2.0, 4.0, 8.0])[:, None, None]


def trained(copies: list[int]) -> tuple[MLPStack, np.ndarray]:
    """A stack of these copies of the four, on the same initial weights and batches."""
    with engine.seeded(2):
        stack = MLPStack((6, 8, 8, 3), len(copies))
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
    assert not torch.allclose(stack.weights[0][0], stack.weights[0][3], atol=1e-2)
