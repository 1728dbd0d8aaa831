"""Students whose owner has few labels: tuned on those alone, for the comparison with students that learn from the teacher's answers.

Of n labels, a fifth validates: its log loss, which varies less than errors among so few, chooses one of the candidates. The chosen
student is then trained again on all n. Each seed draws other labelled rows, so that the intervals cover which rows were labelled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tutelage.core.running.stages import Advance
from tutelage.experiments.cache import Store
from tutelage.experiments.side_by_side import Group, Schedule, in_parts, stack_of_groups, train_side_by_side
from tutelage.experiments.teaching import cached_network
from tutelage.losses.functional.classification import soft_cross_entropy
from tutelage.training.stacks.networks import mlp
from tutelage.training.stacks.stack import Stack
from tutelage.training.student import TorchStudent
from tutelage.training.validation import Validation

FULL, QUICK = Schedule(1000, 64, 1e-2), Schedule(100, 64, 1e-2)
VALIDATION_SHARE = 5
"""One label in this many validates."""


@dataclass(frozen=True)
class LabelSetting:
    """One candidate: label smoothing, and the weight of the squared weights in the loss."""

    smoothing: float
    weight_decay: float


SETTINGS = tuple(LabelSetting(smoothing, decay) for decay, smoothing in product((3e-2, 1e-2, 1e-3, 1e-4), (0.0, 0.2)))


class Labelled(Protocol):
    """Training rows and their true classes, from which labelled ones are drawn."""

    @property
    def inputs(self) -> NDArray[np.float32]:
        """(rows, features)."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """(rows,) true classes, from 0."""

    @property
    def fingerprint(self) -> str:
        """Fingerprint of rows and classes."""


@dataclass(frozen=True)
class FewLabels:
    """Trains students on the true classes of few rows.

    Attributes:
        counts: numbers of labels.
        sizes: the sizes of the layers, from features to classes.
        split: the rows.
        schedule: how long a student trains, whatever its number of labels.
        store: the cache of trained stacks.
        advance: called after each step; there are twice `schedule.steps` for each of the `in_parts`.
        settings: the candidates.
    """

    counts: tuple[int, ...]
    sizes: tuple[int, ...]
    split: Labelled
    schedule: Schedule
    store: Store
    advance: Advance
    settings: tuple[LabelSetting, ...] = SETTINGS

    @property
    def classes(self) -> int:
        """The number of classes."""
        return self.sizes[-1]

    def students(self, seeds: tuple[int, ...]) -> tuple[dict[int, tuple[TorchStudent, ...]], dict[int, tuple[LabelSetting, ...]]]:
        """For each number of labels, one student per seed, and the setting that its validation rows chose."""
        found: dict[int, tuple[TorchStudent, ...]] = dict.fromkeys(self.counts, ())
        settings: dict[int, tuple[LabelSetting, ...]] = dict.fromkeys(self.counts, ())
        for part in in_parts(seeds):
            stack, chosen = self.learnt(part)
            for group, (_, count) in enumerate(product(part, self.counts)):
                found[count] += (TorchStudent(stack.copy(group), classes=range(self.classes)),)
                settings[count] += (self.settings[chosen[group]],)
        return found, settings

    def learnt(self, seeds: tuple[int, ...]) -> tuple[Stack, NDArray[np.int64]]:
        """One student for each seed and number of labels, in this order, and the places of their settings."""
        made_from: dict[str, Any] = {
            "what": "students of few labels",
            "data": self.split.fingerprint,
            "counts": self.counts,
            "sizes": self.sizes,
            "settings": [asdict(setting) for setting in self.settings],
            "validation_share": VALIDATION_SHARE,
            "chosen_by": "log loss",
            **asdict(self.schedule),
            "seed": seeds[0],
            "seeds": seeds,
        }
        labelled = [labelled_rows(len(self.split.inputs), count, seed) for seed, count in product(seeds, self.counts)]
        group_seeds = [seed for seed in seeds for _ in self.counts]
        groups = [Group(seed, rows) for seed, rows in zip(group_seeds, labelled, strict=True)]
        stack, report = cached_network(
            self.store,
            made_from,
            lambda: stack_of_groups(lambda: mlp(self.sizes), groups, copies=1),
            lambda stack: self._trained(stack, groups),
        )
        return stack, report["chosen"]

    def _trained(self, stack: Stack, groups: Sequence[Group]) -> Mapping[str, NDArray[np.int64]]:
        chosen = self._chosen(groups)
        self._train(stack, groups, [[self.settings[place]] for place in chosen])
        return {"chosen": chosen}

    def _chosen(self, groups: Sequence[Group]) -> NDArray[np.int64]:
        """For each group, the place of the candidate with the lowest log loss on its own validation rows."""
        held = [len(group.rows) // VALIDATION_SHARE for group in groups]
        training = [Group(group.seed, group.rows[count:]) for group, count in zip(groups, held, strict=True)]
        candidates = stack_of_groups(lambda: mlp(self.sizes), training, copies=len(self.settings))
        self._train(candidates, training, [self.settings] * len(training))
        best = []
        for place, (group, count) in enumerate(zip(groups, held, strict=True)):
            rows = group.rows[:count]
            own = Stack([candidates.copy(place * len(self.settings) + index) for index in range(len(self.settings))], wide=True)
            validation = Validation(torch.from_numpy(self.split.inputs[rows]), torch.from_numpy(self.split.labels[rows]), by="loss")
            best.append(int(validation.score(own).argmin()))
        return np.array(best)

    def _train(self, stack: Stack, groups: Sequence[Group], settings: Sequence[Sequence[LabelSetting]]) -> None:
        truth = torch.from_numpy(self.split.labels)
        smoothing = torch.tensor([[setting.smoothing for setting in of_group] for of_group in settings])[:, :, None, None]
        decay = torch.tensor([[setting.weight_decay for setting in of_group] for of_group in settings])
        weights = [parameter for name, parameter in stack.named_parameters() if name.endswith("weight")]

        def losses(logits: Tensor, rows: Tensor) -> Tensor:
            hard = nn.functional.one_hot(truth[rows], self.classes).float()[:, None]
            squares = torch.stack([weight.square().flatten(1).sum(dim=1) for weight in weights]).sum(dim=0)
            penalty = decay * squares.view_as(decay) / 2
            return soft_cross_entropy(logits, hard * (1 - smoothing) + smoothing / self.classes) + penalty[..., None]

        inputs = torch.from_numpy(self.split.inputs)
        train_side_by_side(stack, losses, inputs=inputs, groups=groups, schedule=self.schedule, advance=self.advance)


def labelled_rows(rows: int, count: int, seed: int) -> NDArray[np.int64]:
    """(count,) row numbers drawn by a seed; those of a smaller count are among them."""
    return np.random.default_rng(seed).permutation(rows)[:count]
