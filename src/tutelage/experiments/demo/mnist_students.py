"""The students of the mnist run that may use every label: four candidates for each arm, trained side by side for all seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutelage.core.arrays import Floats, one_hot
from tutelage.core.running.stages import Advance
from tutelage.experiments.cache import Store
from tutelage.experiments.demo.mnist_setting import CLASSES, Split
from tutelage.experiments.side_by_side import Group, Schedule, in_parts, stack_of_groups, train_side_by_side
from tutelage.experiments.teaching import cached_network
from tutelage.losses.targets import harden, smooth, soften
from tutelage.search.choice import best_setting
from tutelage.softlabels.labels import SoftLabels
from tutelage.training.stacks.networks import mlp
from tutelage.training.stacks.stack import Stack
from tutelage.training.student import TorchStudent

SMOOTHINGS = (0.0, 0.05, 0.1, 0.2)
TEMPERATURES = (1.0, 2.0, 4.0, 8.0)
STUDENT_BATCH, STUDENT_RATE = 256, 1e-2
"""The peak learning rate of the students' one-cycle schedule was the best of 0.001, 0.003 and 0.01 on validation for hard labels."""


@dataclass(frozen=True)
class Setting:
    """One candidate of one arm: its label smoothing, and the temperature of student and teacher."""

    arm: str
    smoothing: float = 0.0
    temperature: float = 1.0

    @property
    def chosen(self) -> dict[str, float]:
        """The name and value of the setting that validation chooses."""
        return {"temperature": self.temperature} if self.arm == "student-soft" else {"label smoothing": self.smoothing}


# Four candidates for every arm, trained for the same number of steps: the hard-label arms are tuned as carefully as the soft one.
SETTINGS = (
    *(Setting("student-hard", smoothing=amount) for amount in SMOOTHINGS),
    *(Setting("student-soft", temperature=temperature) for temperature in TEMPERATURES),
    *(Setting("student-argmax", smoothing=amount) for amount in SMOOTHINGS),
)
MEANINGS = {
    "student-hard": "the student on the true classes, label smoothing chosen on validation",
    "student-soft": "the student on the teacher's probabilities, temperature chosen on validation",
    "student-argmax": "control: the student on the teacher's decisions only, label smoothing chosen on validation",
}


def targets_of(setting: Setting, truth: NDArray[np.int64], labels: SoftLabels) -> Floats:
    """(rows, classes) targets of a candidate.

    Args:
        setting: the candidate.
        truth: (rows,) true classes.
        labels: the teacher's answers to the same rows.
    """
    if setting.arm == "student-soft":
        return soften(labels.logits, setting.temperature)
    hard = one_hot(truth, CLASSES) if setting.arm == "student-hard" else harden(labels.probabilities)
    return smooth(hard, setting.smoothing)


@dataclass(frozen=True)
class Candidates:
    """The students of one size: every candidate, for every seed.

    Attributes:
        students: for each setting, one student per seed.
        errors: (seeds, settings) validation errors.
    """

    students: Mapping[Setting, tuple[TorchStudent, ...]]
    errors: NDArray[np.float64]

    def chosen(self) -> dict[str, Setting]:
        """For each arm, the candidate with the fewest validation errors, as the mean over seeds."""
        best = {}
        for arm in MEANINGS:
            own = [index for index, setting in enumerate(SETTINGS) if setting.arm == arm]
            best[arm] = SETTINGS[own[best_setting(self.errors[:, own])]]
        return best


@dataclass(frozen=True)
class StudentTraining:
    """What all trainings of students of one size have in common.

    Attributes:
        sizes: the sizes of the layers.
        split: the rows.
        labels: the teacher's answers to the training rows.
        teacher_key: the cache key of the teacher.
        store: the cache of trained stacks.
        advance: called after each step.
    """

    sizes: tuple[int, ...]
    split: Split
    labels: SoftLabels
    teacher_key: str
    store: Store
    advance: Advance

    def candidates(self, seeds: tuple[int, ...]) -> Candidates:
        """Every candidate for every seed; those of a seed have the same initial weights and batches."""
        parts = [self.learnt(part) for part in in_parts(seeds)]
        students = {
            setting: tuple(
                TorchStudent(stack.copy(place * len(SETTINGS) + index), classes=range(CLASSES))
                for stack, errors in parts
                for place in range(len(errors))
            )
            for index, setting in enumerate(SETTINGS)
        }
        return Candidates(students, np.concatenate([errors for _, errors in parts]))

    def learnt(self, seeds: tuple[int, ...]) -> tuple[Stack, NDArray[np.float64]]:
        """All candidates of these seeds as a stack, seed by seed, and their (seeds, settings) validation errors."""
        made_from = {
            "what": "mnist students",
            "data": self.split.fingerprint,
            "labels": self.teacher_key,
            "sizes": self.sizes,
            "settings": [[setting.arm, setting.smoothing, setting.temperature] for setting in SETTINGS],
            "epochs": self.split.epochs,
            "batch_size": STUDENT_BATCH,
            "peak_rate": STUDENT_RATE,
            "seed": seeds[0],
            "seeds": seeds,
        }
        groups = [Group(seed, np.arange(len(self.split.inputs))) for seed in seeds]
        stack, report = cached_network(
            self.store,
            made_from,
            lambda: stack_of_groups(lambda: mlp(self.sizes), groups, copies=len(SETTINGS)),
            lambda stack: self._trained(stack, groups),
        )
        return stack, report["errors"]

    def _trained(self, stack: Stack, groups: list[Group]) -> Mapping[str, NDArray[np.float64]]:
        temperature = torch.tensor([setting.temperature for setting in SETTINGS])[:, None, None]
        # (rows, candidates, classes), so that one index operation per step fetches the targets of all candidates.
        targets = np.stack([targets_of(setting, self.split.labels, self.labels) for setting in SETTINGS], axis=1).astype(np.float32)
        scaled = torch.from_numpy(targets) * -temperature.squeeze(-1).square()

        def losses(logits: Tensor, rows: Tensor) -> Tensor:
            """`to_scaled_targets`, along the axis in which a stack's logits lie in memory: a fifth faster than on transposed copies."""
            found = scaled.index_select(0, rows.flatten()).view(*rows.shape, len(SETTINGS), CLASSES)
            log_probs = torch.log_softmax(logits.transpose(2, 3) / temperature, dim=2)
            return (found.permute(0, 2, 3, 1).contiguous() * log_probs).sum(dim=2)

        train_side_by_side(
            stack,
            losses,
            inputs=torch.from_numpy(self.split.inputs),
            groups=groups,
            schedule=student_schedule(self.split),
            advance=self.advance,
        )
        errors = self.split.validation.score(stack).numpy()
        return {"errors": errors.reshape(len(groups), len(SETTINGS))}


def student_schedule(split: Split) -> Schedule:
    """How long the students train: every row of the split `epochs` times."""
    return Schedule(split.epochs * len(split.inputs) // STUDENT_BATCH, STUDENT_BATCH, STUDENT_RATE)
