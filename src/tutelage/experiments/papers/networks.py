"""The networks of the papers' runs, and how one is trained and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tutelage.core.running.stages import Advance
from tutelage.experiments.cache import Store
from tutelage.experiments.papers.pictures import CLASSES, SIDE
from tutelage.experiments.teaching import cached_network
from tutelage.losses.objective import Objective
from tutelage.softlabels.labels import SoftLabels
from tutelage.training.settings import one_cycle
from tutelage.training.student import TorchStudent

APART = 500
"""Added to the seed of a teacher or of its students: with one seed for both, a student's first layer starts as a part of its teacher's."""


@dataclass(frozen=True)
class Schedule:
    """How a network is trained: Adam with a one-cycle schedule, batches of equal size.

    Attributes:
        epochs: how often every row is used.
        batch_size: rows per step.
        peak_rate: peak learning rate.
        max_norm: bound of the norm of the weights into each unit after every step; None for none.
    """

    epochs: int
    batch_size: int = 256
    peak_rate: float = 1e-3
    max_norm: float | None = None

    def optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam, which bounds the weights into each unit after every step where that is asked for."""
        optimizer = torch.optim.Adam(parameters, lr=self.peak_rate, fused=True)
        if self.max_norm is not None:
            matrices, bound = [parameter for parameter in parameters if parameter.ndim > 1], self.max_norm

            def bounded(*_: Any) -> None:
                with torch.no_grad():
                    for matrix in matrices:
                        norms = matrix.norm(dim=1, keepdim=True)
                        matrix.mul_((bound / norms).clamp(max=1.0))

            optimizer.register_step_post_hook(bounded)
        return optimizer


@dataclass(frozen=True, eq=False)
class Lessons:
    """What a network learns from.

    Attributes:
        rows: (rows, features), or `Views` of them.
        rows_from: JSON values that determine the rows and their true classes.
        truth: (rows,) true classes, if the objective reads them.
        labels: the teacher's answers to the rows, if it reads those.
    """

    rows: Any
    rows_from: Mapping[str, Any]
    truth: NDArray[np.int64] | None = None
    labels: SoftLabels | None = None


def layered(sizes: Sequence[int], *, dropped_inputs: float = 0.0, dropped: float = 0.0) -> nn.Sequential:
    """A network of linear layers with ReLU, and dropout of inputs and hidden units."""
    layers: list[nn.Module] = [nn.Dropout(dropped_inputs)] if dropped_inputs else []
    for fan_in, fan_out in pairwise(sizes[:-1]):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        if dropped:
            layers.append(nn.Dropout(dropped))
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


def lenet() -> nn.Sequential:
    """LeNet-5 of flat pictures: two convolutions of 5 x 5 with average pooling, then 120 and 84 units, all with ReLU; 61 706 weights."""
    convolutions = [nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.AvgPool2d(2)]
    return nn.Sequential(nn.Unflatten(1, (1, SIDE, SIDE)), *convolutions, nn.Flatten(), *layered((400, 120, 84, CLASSES)))


def trained(
    store: Store,
    build: Callable[[], nn.Module],
    objective: Objective,
    schedule: Schedule,
    lessons: Lessons,
    *,
    seed: int,
    threads: int = 1,
    advance: Advance = lambda: None,
    classes: int = CLASSES,
) -> tuple[TorchStudent, dict[str, Any]]:
    """A network trained on these rows, only if it is not in the cache, and the values that determine it.

    Args:
        store: the cache.
        build: creates the network, with weights by the seed.
        objective: what it minimises.
        schedule: for how long.
        lessons: rows, and what is known of them.
        seed: of the weights, the order of the rows and dropout.
        threads: of torch.
        advance: called after each step.
        classes: the number of classes.
    """
    made_from = {
        "what": "network of a paper",
        "network": str(build()),
        "objective": objective.described(),
        "rows": lessons.rows_from,
        "labels": None if lessons.labels is None else lessons.labels.fingerprint,
        **asdict(schedule),
        "seed": seed,
    }

    def train(network: nn.Module) -> Mapping[str, NDArray[Any]]:
        TorchStudent(network, objective, classes=range(classes)).fit(
            lessons.rows,
            lessons.labels,
            lessons.truth,
            epochs=schedule.epochs,
            batch_size=schedule.batch_size,
            seed=seed,
            optimizer=schedule.optimizer,
            schedule=one_cycle,
            threads=threads,
            advance=advance,
        )
        return {}

    network, _ = cached_network(store, made_from, build, train)
    return TorchStudent(network, objective, classes=range(classes)), made_from
