"""32 students trained as one stack compared with the same 32 trained one after another, for three sizes of student."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from measure import Ratio, ratio
from torch import nn

from tutelage import load_mnist
from tutelage.core import torch_runtime
from tutelage.core.answers import of_classes
from tutelage.losses.objective import Objective
from tutelage.losses.shared_targets import with_shared_targets
from tutelage.search.sweep import distillation
from tutelage.training.backend import Backend
from tutelage.training.batch_loss import BatchLoss
from tutelage.training.feeding.feeds import TensorFeed
from tutelage.training.feeding.teacher_answers import recorded_answers
from tutelage.training.loop import train
from tutelage.training.settings import TrainingSettings
from tutelage.training.stacks.networks import mlp, with_new_weights
from tutelage.training.stacks.stack import stack_of
from tutelage.training.stacks.stack_steps import StackSteps
from tutelage.training.state import LoopSettings

SIZES = ((784, 10, 10, 10), (784, 30, 30, 10), (784, 100, 100, 10))
COPIES, BATCH, STEPS = 32, 128, 200
TEMPERATURES, RATES = (1.0, 2.0, 4.0, 8.0), (1e-3, 3e-3)
TRAINING = TrainingSettings()


class Job:
    """Pixels of MNIST with random teacher answers, whose values do not affect the time."""

    def __init__(self, steps: int = STEPS) -> None:
        pixels = load_mnist().train_images[: BATCH * steps].astype(np.float32) / np.float32(255)
        self.feed = TensorFeed(torch.from_numpy(pixels.reshape(len(pixels), -1)))
        self.answers = np.random.default_rng(0).normal(size=(len(pixels), 10)).astype(np.float32)

    def train(self, network: nn.Module, objective: Objective, optimizer: torch.optim.Optimizer, backend: Backend | None = None) -> None:
        """Train for one epoch."""
        answering = recorded_answers(self.answers, of_classes("logits", range(10)), objective, torch.device("cpu"))
        batch_loss = BatchLoss(network, objective, lambda outputs: outputs, answering)
        with torch_runtime.seeded(0):
            train(network, batch_loss, self.feed, LoopSettings(optimizer, 1, BATCH), backend=backend)


def against(sizes: tuple[int, ...], job: Job, *, rounds: int = 7) -> Ratio:
    """Time of the stack divided by the time of its copies one after another: 4 temperatures, 2 learning rates, 4 seeds."""
    copies = [(rate, temperature, seed) for rate in RATES for temperature in TEMPERATURES for seed in range(4)]
    assert len(copies) == COPIES
    networks = [with_new_weights(mlp(sizes), seed) for *_, seed in copies]
    which = torch.tensor([TEMPERATURES.index(temperature) for _, temperature, _ in copies])
    distinct = torch.tensor(TEMPERATURES)[:, None, None]

    def together() -> None:
        stack, reason = stack_of(networks, job.feed.inputs[:8])
        assert stack is not None, reason
        steps = StackSteps(partial(TRAINING.optimizer_of, of_projectors=[]), [rate for rate, *_ in copies])
        objective = with_shared_targets(distillation(distinct[which], 1.0), distillation(distinct, 1.0), which)
        job.train(stack, objective, steps.optimizer(list(stack.parameters())), steps)

    def one_by_one() -> None:
        for rate, temperature, seed in copies:
            network = with_new_weights(mlp(sizes), seed)
            job.train(network, distillation(temperature, 1.0), torch.optim.Adam(network.parameters(), lr=rate, fused=True))

    return ratio(together, one_by_one, rounds=rounds)


if __name__ == "__main__":
    for sizes in SIZES:
        found = against(sizes, Job())
        print(f"{'-'.join(map(str, sizes))}: {found}; the stack is {1 / found.median:.1f} x as fast")
