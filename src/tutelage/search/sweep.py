"""Which temperature, soft weight and learning rate: many small students trained at once, and validation chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, SelfCheckFailed, did_you_mean
from tutelage.losses.class_terms import hard_cross_entropy, soft_cross_entropy
from tutelage.losses.objective import Objective
from tutelage.losses.targets import check_temperature
from tutelage.search.choice import best_setting
from tutelage.softlabels.folder import LabelFolder
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.recording import record
from tutelage.teachers.adapt import as_teacher
from tutelage.training.settings import TrainingSettings
from tutelage.training.stacks.networks import drawn
from tutelage.training.stacks.student_group import Copy, Matching, StudentGroup
from tutelage.training.state import Fit
from tutelage.training.student import TorchStudent

TEMPERATURES = (1.0, 2.0, 4.0, 8.0)
SWEPT = ("temperature", "soft_weight", "lr", "seed")


@dataclass(frozen=True)
class Setting:
    """One candidate.

    Attributes:
        temperature: at which student and teacher meet.
        soft_weight: of the teacher's answers, beside 1 - soft_weight of the labels.
        lr: learning rate; None is the optimizer's own.
    """

    temperature: float
    soft_weight: float
    lr: float | None


@dataclass(frozen=True)
class Sweep:
    """What became of every setting, and the students of the best.

    Attributes:
        settings: the candidates.
        seeds: of the initial weights.
        scores: (seeds, settings) on the validation rows at each student's best epoch, lower is better: wrong rows where the
            truth is known, else the mean loss against the teacher; inf where a loss that is not finite left nothing to score.
        best: the place of the setting with the lowest mean over seeds.
        students: those of the best setting, one a seed; their networks are plain ones.
        stacked: whether they were trained as stacks.
        how: that as a sentence, with the reason if they were not.
    """

    settings: tuple[Setting, ...]
    seeds: tuple[int, ...]
    scores: Floats
    best: int
    students: tuple[TorchStudent, ...]
    stacked: bool
    how: str

    @property
    def setting(self) -> Setting:
        """The one that was chosen."""
        return self.settings[self.best]


def sweep(
    student: nn.Module | TorchStudent | Callable[[], nn.Module],
    X: Any,
    labels: Any = None,
    y: Any = None,
    *,
    temperature: float | Iterable[float] = TEMPERATURES,
    soft_weight: float | Iterable[float] | None = None,
    lr: float | Iterable[float] | None = None,
    seed: int | Iterable[int] = range(5),
    objective: Matching | None = None,
    validation: float | tuple[Any, ...] = 0.1,
    batch_seed: int = 0,
    stack_size: int = 64,
    device: str | torch.device | None = None,
    **training: Any,
) -> Sweep:
    """Train a student at every setting from every seed, and let validation choose the setting. Give it no test rows.

    Students of one shape are trained as stacks, several times faster than one after another where they are small; each
    ends where `TorchStudent.fit` with `seed=batch_seed` would end, to float32 rounding. Those that cannot be stacked are trained
    one by one, and `Sweep.how` says why. A loss that is not finite ends no sweep: that student keeps its best epoch before.

    Args:
        student: the pattern of all, whose layers are drawn anew for each seed as torch draws them (the weights that it holds are
            not used); or a function that makes one, where initial weights are others.
        X: rows, as `TorchStudent.fit` takes them.
        labels: soft labels recorded on these rows, or a live teacher, who is asked once
            (unless the objective reads its layers); None learns from y alone.
        y: the truth: needed for a soft_weight below 1, and to choose by fewest errors.
        temperature: one or several.
        soft_weight: one or several in [0, 1]; by default 1, or 0 without labels. At 0 no temperature matters and only 1 is tried.
        lr: one or several learning rates, in place of the optimizer's own.
        seed: one or several, of initial weights. Batches, and all else that training draws, are the same for all.
        objective: makes what is matched from (temperature, soft_weight), each a number, or (copies, 1, 1) of them for a stack; by
            default soft_weight * soft_cross_entropy(temperature) + (1 - soft_weight) * hard_cross_entropy().
        validation: the share of the rows that choose, drawn by `batch_seed`; or (X, y), or (X, None, labels).
        batch_seed: of the batches.
        stack_size: the most students in a stack; 1 trains them one by one.
        device: where to train.
        training: epochs, batch_size and all else that `TrainingSettings` has; optimizer and schedule as functions.

    Raises:
        BadInput: a student that is no network, no validation rows, an empty list, an unknown setting, and all that
            `TorchStudent.fit` refuses. SelfCheckFailed: no setting has a score from every seed.
    """
    default = 0.0 if labels is None else 1.0
    settings = _settings(temperature, default if soft_weight is None else soft_weight, lr)
    seeds = tuple(_listed(seed, "seed"))
    if validation is None:
        raise BadInput("a sweep chooses by validation rows, and there are none; pass validation=0.1, or (X, y) that are not test rows.")
    if stack_size < 1:
        raise BadInput(f"stack_size is {stack_size}; expected 1 or more.")
    how = _training(training, batch_seed)
    network, output, classes = _pattern(student)
    networks = [drawn(network, each) for each in seeds]
    if len(set(map(id, networks))) < len(networks):
        raise BadInput("the function that makes the student returned one network twice; it must make a new one each time it is called.")
    matching = objective or distillation
    reads_layers = bool(matching(settings[0].temperature, settings[0].soft_weight).paths("teacher"))
    answers = labels if reads_layers else _asked_once(labels, X, classes)
    fit_arguments = {"X": X, "labels": answers, "y": y, "validation": validation, "device": device}
    many = StudentGroup(matching, fit_arguments, how, classes, output)
    copies = [Copy(each, setting.temperature, setting.soft_weight, setting.lr) for setting in settings for each in networks]
    students, why = many.taught(copies, stack_size=stack_size)
    scores = np.array([_score(each.fit_) for each in students]).reshape(len(settings), len(seeds)).T
    if not np.isfinite(scores.mean(axis=0)).any():
        raise SelfCheckFailed("no setting has a finite score from every seed; lower the learning rates, or look at the targets.")
    best = best_setting(scores)
    chosen = tuple(students[best * len(seeds) : (best + 1) * len(seeds)])
    training_data = f"{len(copies)} students were trained " + (
        f"one by one: {why}." if why else f"as stacks of up to {min(stack_size, len(copies))}."
    )
    return Sweep(settings, seeds, scores, best, chosen, not why, training_data)


def distillation(temperature: float | Tensor, soft_weight: float | Tensor) -> Objective:
    """The teacher's probabilities at a temperature, times soft_weight, and the labels for the rest; what has no weight is left out."""
    if isinstance(soft_weight, float) and soft_weight == 0:
        return hard_cross_entropy()
    soft = soft_cross_entropy(temperature=temperature)
    if isinstance(soft_weight, float) and soft_weight == 1:
        return soft
    return soft_weight * soft + (1 - soft_weight) * hard_cross_entropy()


def _settings(temperature: Any, soft_weight: Any, lr: Any) -> tuple[Setting, ...]:
    """All combinations, those of one learning rate side by side.

    Raises:
        BadInput: an empty list, or a value out of range.
    """
    temperatures = [check_temperature(float(each)) for each in _listed(temperature, "temperature")]
    weights = [float(each) for each in _listed(soft_weight, "soft_weight")]
    rates = [None if each is None else float(each) for each in _listed(lr, "lr")]
    for weight in weights:
        if not 0 <= weight <= 1:
            raise BadInput(f"soft_weight holds {weight}; expected numbers from 0 to 1.")
    for rate in rates:
        if rate is not None and not 0 < rate < float("inf"):
            raise BadInput(f"lr holds {rate}; expected finite numbers above 0.")
    training_data = (Setting(heat if weight else 1.0, weight, rate) for rate, heat, weight in product(rates, temperatures, weights))
    return tuple(dict.fromkeys(training_data))


def _listed(values: Any, name: str) -> list[Any]:
    """One value or several, each once."""
    several = isinstance(values, Iterable) and not isinstance(values, str)
    listed = list(dict.fromkeys(values)) if several else [values]
    if not listed:
        raise BadInput(f"{name} is an empty list; expected one value or more.")
    return listed


def _training(given: dict[str, Any], batch_seed: int) -> TrainingSettings:
    names = [field.name for field in fields(TrainingSettings) if field.name != "seed"]
    unknown = next((name for name in given if name not in names), None)
    if unknown is not None:
        known = [*SWEPT, *names]
        raise BadInput(f"there is no setting {unknown!r} of a sweep; there are {', '.join(known)}.{did_you_mean(unknown, known)}")
    for name, kind in (("optimizer", torch.optim.Optimizer), ("schedule", torch.optim.lr_scheduler.LRScheduler)):
        if isinstance(given.get(name), kind):
            raise BadInput(
                f"{name} is a {type(given[name]).__name__} that belongs to one network; a sweep makes one for many: pass a function, "
                "such as partial(torch.optim.SGD, lr=0.1)."
            )
    return TrainingSettings(seed=batch_seed, **given)


def _pattern(student: Any) -> tuple[Any, Callable[[Any], Tensor] | None, Sequence[Any] | None]:
    """What is drawn for each seed, its output function and its classes."""
    if isinstance(student, TorchStudent):
        if student.objective is not None:
            raise BadInput(
                "this student has an objective of its own, and a sweep makes one for each setting; leave it out, or pass "
                "objective=, a function from (temperature, soft_weight) to an objective."
            )
        form = student.form
        return student.network, student.output, form.classes if form is not None and form.task in ("binary", "multiclass") else None
    if not isinstance(student, nn.Module) and (not callable(student) or hasattr(student, "fit")):
        raise BadInput(
            f"cannot sweep a {type(student).__name__}; expected a torch Module, a TorchStudent, or a function that makes a Module."
        )
    return student, None, None


def _asked_once(labels: Any, X: Any, classes: Sequence[Any] | None) -> Any:
    """A live teacher's answers to all rows, which every student then shares; a Dataset is left to be asked about batch by batch."""
    if labels is None or isinstance(labels, SoftLabels | LabelFolder) or isinstance(X, Dataset | DataLoader):
        return labels
    return record(as_teacher(labels, classes=classes) if isinstance(labels, nn.Module) else as_teacher(labels), X)


def _score(fit: Fit) -> float:
    """At the best epoch; inf if there was none."""
    return float(fit.scores[fit.best_epoch[0] - 1, 0]) if fit.best_epoch[0] else float("inf")
