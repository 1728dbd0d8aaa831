"""Networks on labels at the label smoothing, and on a network's answers at the temperature, that held-out rows choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.experiments.cache import Store
from tutelage.experiments.papers.measures import choices
from tutelage.experiments.papers.networks import Schedule
from tutelage.experiments.papers.pictures import CLASSES, Pictures
from tutelage.experiments.papers.stacked import Arm, Students
from tutelage.training.stacks.stack import Stack

TEMPERATURES = (1.0, 2.0, 4.0, 8.0)
SMOOTHINGS = (0.0, 0.05, 0.1, 0.2)
"""As many settings for students on labels as temperatures for those of a teacher."""
HARD_WEIGHT = 0.1
"""The weight of the true classes in the loss of a taught network."""
HELD_OUT = 6
"""One training picture in this many, the last ones, is held out."""


@dataclass(frozen=True)
class Network:
    """Networks that were trained alike, from several initial weights.

    Attributes:
        students: how they were trained.
        stack: all of them.
        arm: which of the stack's arms.
        made_from: JSON values that determine the first of them, if it teaches.
    """

    students: Students
    stack: Stack = field(repr=False)
    arm: int
    made_from: Mapping[str, Any]

    @property
    def learned(self) -> Arm:
        """What they learned: of several settings, the one that held-out rows chose."""
        return self.students.arms[self.arm]

    def logits(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """(initial weights, rows, classes)."""
        return self.students.logits(self.stack, inputs)[:, self.arm]


@dataclass(frozen=True)
class Classroom:
    """Where networks of a seed learn: the first five sixths of the training pictures; the others choose.

    Attributes:
        pictures: all of them.
        store: the cache.
        seed: of initial weights and the order of rows.
    """

    pictures: Pictures
    store: Store
    seed: int

    @property
    def held_out(self) -> int:
        """The number of training pictures that choose."""
        return len(self.pictures.inputs) // HELD_OUT

    def teacher(self, units: int, schedule: Schedule) -> Network:
        """A network of two hidden layers on the true classes as they are: one that learns smoothed labels is another kind of teacher."""
        return self._trained(units, schedule, (Arm(hard_weight=1.0),), 1, None)

    def on_labels(self, units: int, schedule: Schedule, *, repeats: int = 1) -> Network:
        """Networks on the true classes, at the label smoothing that makes the fewest errors on the held-out pictures."""
        arms = tuple(Arm(hard_weight=1.0, smoothing=smoothing) for smoothing in SMOOTHINGS)
        return self._trained(units, schedule, arms, repeats, None)

    def taught(self, units: int, schedule: Schedule, teacher: Network, *, repeats: int = 1) -> Network:
        """Networks on the answers of the first of `teacher`, at the temperature that makes the fewest errors on the held-out pictures."""
        arms = tuple(Arm(temperature, HARD_WEIGHT) for temperature in TEMPERATURES)
        return self._trained(units, schedule, arms, repeats, teacher)

    def _trained(self, units: int, schedule: Schedule, arms: tuple[Arm, ...], repeats: int, teacher: Network | None) -> Network:
        pictures, count = self.pictures, len(self.pictures.inputs) - self.held_out
        inputs, truth = pictures.inputs[:count], pictures.labels[:count]
        sizes = (inputs.shape[1], units, units, CLASSES)
        students = Students(sizes, arms, repeats, schedule.epochs, schedule.batch_size, schedule.peak_rate, self.store)
        made_from = {
            "pictures": pictures.fingerprint,
            "held out": self.held_out,
            "teacher": None if teacher is None else dict(teacher.made_from),
        }
        answers = None if teacher is None else teacher.logits(inputs)[0]
        # Networks of another width start elsewhere: with the seed alone, a student's first layer would begin as a part of its teacher's.
        seed = self.seed + 1000 * units
        stack = students.trained(seed, inputs=inputs, logits=answers, truth=truth, made_from=made_from)
        arm = fewest_errors(students.logits(stack, pictures.inputs[count:]), pictures.labels[count:])
        learned = {"units": units, **asdict(schedule), **asdict(arms[arm]), "seed": self.seed}
        return Network(students, stack, arm, {**made_from, **learned})


def fewest_errors(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> int:
    """The arm of (initial weights, arms, rows, classes) logits that makes the fewest errors; the first of equals."""
    return int((logits.argmax(axis=-1) != truth).mean(axis=(0, 2)).argmin())


@dataclass(frozen=True)
class Wrong:
    """How networks that were trained alike did on the test rows.

    Attributes:
        share: (test rows,) the share of them that is wrong.
        learned: what they learned.
    """

    share: NDArray[np.float64]
    learned: Arm

    @classmethod
    def of(cls, network: Network, pictures: Pictures) -> Wrong:
        """Ask the networks about the test rows."""
        predicted = network.logits(pictures.test_inputs).argmax(axis=-1)
        return cls(np.asarray((predicted != pictures.test_labels).mean(axis=0)), network.learned)


def with_choices(meaning: str, found: Sequence[Wrong]) -> str:
    """What an arm is, and which settings the seeds chose, such as "on labels; label smoothing 0.1 (3 of 5 seeds), 0 (2)"."""
    taught = found[0].learned.hard_weight < 1
    name = "temperature" if taught else "label smoothing"
    return f"{meaning}; {choices(name, [one.learned.temperature if taught else one.learned.smoothing for one in found])}"
