"""Small students of a paper's run, many at once: every arm, and several initial weights, as one stack for each seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.arrays import Floats, softmax
from tutelage.experiments.cache import Store
from tutelage.experiments.side_by_side import Group, Schedule, stack_of_groups, train_side_by_side
from tutelage.experiments.teaching import cached_network
from tutelage.training.stacks.networks import mlp
from tutelage.training.stacks.stack import Stack


@dataclass(frozen=True)
class Arm:
    """What one student of a stack learns: soft labels at a temperature, and true classes.

    Attributes:
        temperature: of student and teacher.
        hard_weight: the weight of the true classes in the loss; soft labels have the rest, times the squared temperature.
        smoothing: label smoothing of the true classes.
    """

    temperature: float = 1.0
    hard_weight: float = 0.0
    smoothing: float = 0.0


@dataclass(frozen=True)
class Students:
    """Students that are trained as one stack for each seed.

    Attributes:
        sizes: of the layers.
        arms: what each learns; all have the same initial weights and batches.
        repeats: how many initial weights each seed has.
        epochs, batch_size, peak_rate: of the training.
        store: the cache.
    """

    sizes: tuple[int, ...]
    arms: tuple[Arm, ...]
    repeats: int
    epochs: int
    batch_size: int
    peak_rate: float
    store: Store

    def trained(
        self,
        seed: int,
        *,
        inputs: NDArray[np.float32],
        logits: Floats | None,
        truth: NDArray[np.int64] | None,
        made_from: Mapping[str, Any],
    ) -> Stack:
        """The students of a seed, repeat by repeat, only if they are not in the cache.

        Args:
            seed: of the first initial weights and orders; the others follow from it.
            inputs: (rows, features).
            logits: (rows, classes) of the teacher, or (arms, rows, classes), of a teacher for each arm; None if no arm reads them.
            truth: (rows,) true classes; None if no arm reads them.
            made_from: JSON values that determine rows and teacher.
        """
        settings = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in ("store", "arms")}
        stack, _ = cached_network(
            self.store,
            {"what": "stack of a paper", **settings, "arms": [asdict(arm) for arm in self.arms], **made_from, "seed": seed},
            lambda: self._untrained(seed, len(inputs)),
            lambda stack: self._train(stack, seed, inputs, logits, truth),
        )
        return stack

    def fresh(self, seed: int, *, inputs: NDArray[np.float32], logits: Floats | None, truth: NDArray[np.int64] | None) -> Stack:
        """The same without the cache, for students that take less time than a file."""
        stack = self._untrained(seed, len(inputs))
        with torch_runtime.seeded(seed):
            self._train(stack, seed, inputs, logits, truth)
        return stack

    def _groups(self, seed: int, rows: int) -> list[Group]:
        return [Group(1000 * seed + repeat, np.arange(rows)) for repeat in range(self.repeats)]

    def _untrained(self, seed: int, rows: int) -> Stack:
        return stack_of_groups(lambda: mlp(self.sizes), self._groups(seed, rows), copies=len(self.arms))

    def logits(self, stack: Stack, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """(repeats, arms, rows, classes) answers of the students."""
        found = answers_of(stack, inputs)
        return np.asarray(found.reshape(self.repeats, len(self.arms), *found.shape[1:]))

    def _train(
        self, stack: Stack, seed: int, inputs: NDArray[np.float32], logits: Floats | None, truth: NDArray[np.int64] | None
    ) -> dict[str, NDArray[Any]]:
        temperature = torch.tensor([arm.temperature for arm in self.arms])[:, None, None]
        hard_weight = torch.tensor([arm.hard_weight for arm in self.arms])[:, None, None]
        smoothing = torch.tensor([arm.smoothing for arm in self.arms])[:, None, None]
        classes = self.sizes[-1]
        answers = torch.zeros(len(inputs), classes) if logits is None else torch.from_numpy(np.asarray(logits, dtype=np.float32))
        answers = answers.transpose(0, 1) if answers.ndim == 3 else answers[:, None]
        hard = torch.zeros(len(inputs), classes) if truth is None else nn.functional.one_hot(torch.from_numpy(truth), classes).float()

        def losses(outputs: Tensor, rows: Tensor) -> Tensor:
            """(groups, copies, batch)."""
            soft = torch.softmax(answers[rows].transpose(1, 2) / temperature, dim=-1) * ((1 - hard_weight) * temperature.square())
            loss = (soft * torch.log_softmax(outputs / temperature, dim=-1)).sum(dim=-1)
            if truth is not None:
                smoothed = (hard[rows][:, None] * (1 - smoothing) + smoothing / classes) * hard_weight
                loss = loss + (smoothed * torch.log_softmax(outputs, dim=-1)).sum(dim=-1)
            return -loss

        steps = self.epochs * len(inputs) // self.batch_size
        schedule = Schedule(steps, self.batch_size, self.peak_rate)
        with torch_runtime.threads(1):
            train_side_by_side(stack, losses, inputs=torch.from_numpy(inputs), groups=self._groups(seed, len(inputs)), schedule=schedule)
        return {}


def answers_of(stack: Stack, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """(copies, rows, classes) logits of the networks of a stack, which are left in eval mode."""
    with torch.no_grad():
        parts = [stack.eval()(torch.from_numpy(inputs[start : start + 2000])) for start in range(0, len(inputs), 2000)]
    return np.asarray(torch.cat(parts, dim=1).numpy())


def together(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """(rows, classes) logarithms of the networks' mean probabilities, from (networks, rows, classes) logits."""
    probabilities = np.mean([softmax(np.asarray(network, dtype=np.float64)) for network in logits], axis=0)
    return np.asarray(np.log(np.maximum(probabilities, 1e-12)))
