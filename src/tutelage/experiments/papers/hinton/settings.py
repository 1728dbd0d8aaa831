"""What all runs of the paper have in common: its large network, its small one, and how they are trained.

The schedules were chosen before the runs, on the last 10 000 training pictures, with networks trained on the first 50 000 for 40
epochs (`benchmarks/paper_schedules.py`); the test pictures chose nothing. Of the large network, 0.82 % errors with 0.1 of the inputs and
0.3 of the hidden units dropped, at a peak rate of 0.001 as of 0.002; 1.01 and 1.10 % with 0.2 and 0.5. Of the small one, 1.48 % on labels
and 1.02 % on soft labels at 0.002; 1.57 and 1.10 % at 0.001.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from torch import nn

from tutelage.data.views import Views
from tutelage.experiments.cache import Store
from tutelage.experiments.papers.networks import Lessons, Schedule, layered, trained
from tutelage.experiments.papers.pictures import CLASSES, Jitter, Pictures
from tutelage.experiments.teaching import cached_labels
from tutelage.losses.class_terms import hard_cross_entropy, soft_cross_entropy
from tutelage.losses.objective import Objective
from tutelage.softlabels.labels import SoftLabels
from tutelage.training.student import TorchStudent

TEMPERATURE = 20.0
"""The paper's temperature for its small network of 800 units."""


DROPPED_INPUTS, DROPPED = 0.1, 0.3
"""Shares of the inputs, and of the hidden units, that the large network drops."""
TEACHER, STUDENT = Schedule(epochs=80, max_norm=2.0), Schedule(epochs=40, peak_rate=2e-3)


@dataclass(frozen=True)
class Size:
    """The size of a run.

    Attributes:
        units: hidden units per layer of the large network.
        small: those of the small one.
        teacher, student: how they are trained.
        parallel: train seeds in separate processes.
    """

    units: int = 1200
    small: int = 800
    teacher: Schedule = TEACHER
    student: Schedule = STUDENT
    parallel: bool = True


QUICK = Size(
    units=100,
    small=50,
    teacher=Schedule(epochs=8, batch_size=32, peak_rate=4e-3, max_norm=2.0),
    student=Schedule(epochs=12, batch_size=32, peak_rate=4e-3),
    parallel=False,
)


def large_network(units: int) -> nn.Sequential:
    """The paper's large network: two hidden layers, with dropout of inputs and hidden units."""
    return layered((784, units, units, CLASSES), dropped_inputs=DROPPED_INPUTS, dropped=DROPPED)


def small_network(units: int) -> nn.Sequential:
    """A network of two hidden layers without dropout."""
    return layered((784, units, units, CLASSES))


def soft_objective(temperature: float) -> Objective:
    """The paper's objective: soft targets at a temperature, and the true classes with a tenth of the weight."""
    return 0.9 * soft_cross_entropy(temperature=temperature) + 0.1 * hard_cross_entropy()


def large(
    pictures: Pictures, size: Size, store: Store, *, seed: int, smoothing: float = 0.0, dropout: bool = True
) -> tuple[TorchStudent, SoftLabels]:
    """The large network of a seed, trained on jittered pictures, and its answers to the pictures as they are."""
    views = Views(pictures.inputs, Jitter(), count=size.teacher.epochs, seed=seed)
    student, made_from = trained(
        store,
        partial(large_network if dropout else small_network, size.units),
        hard_cross_entropy(smoothing=smoothing),
        size.teacher,
        Lessons(views, {"pictures": pictures.fingerprint, "views": views.determined_by()}, pictures.labels),
        seed=seed,
    )
    return student, cached_labels(store, student.network, made_from, pictures.inputs, tuple(range(CLASSES)))


def small_on_answers(pictures: Pictures, size: Size, store: Store, labels: SoftLabels, *, seed: int) -> TorchStudent:
    """The small network of a seed on the large one's answers to the pictures as they are."""
    lessons = Lessons(pictures.inputs, {"pictures": pictures.fingerprint}, pictures.labels, labels)
    student, _ = trained(store, partial(small_network, size.small), soft_objective(TEMPERATURE), size.student, lessons, seed=seed)
    return student


def small_on_labels(pictures: Pictures, size: Size, store: Store, *, seed: int) -> TorchStudent:
    """The small network of a seed on the true classes of the pictures as they are."""
    lessons = Lessons(pictures.inputs, {"pictures": pictures.fingerprint}, pictures.labels)
    student, _ = trained(store, partial(small_network, size.small), hard_cross_entropy(), size.student, lessons, seed=seed)
    return student
