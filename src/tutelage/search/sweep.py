"""A sweep over temperature, soft weight and learning rate: many small students are trained together, validation rows choose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from itertools import islice, product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from tutelage.core import torch_runtime
from tutelage.core.answers import AnswerForm
from tutelage.core.arguments import function, number, seed_of, whole
from tutelage.core.arrays import Floats
from tutelage.core.engines.engines import check_on
from tutelage.core.errors import BadInput, SelfCheckFailed, did_you_mean, reported_as_ours, shown
from tutelage.data.torch_data.loader_rows import is_read_by_items
from tutelage.losses.class_terms import hard_cross_entropy, soft_cross_entropy
from tutelage.losses.objective import Objective
from tutelage.losses.targets import check_temperature
from tutelage.search.choice import best_setting
from tutelage.softlabels.folder import LabelFolder
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.recording import record
from tutelage.teachers.adapt import as_teacher
from tutelage.training.arguments import checked_device, network_teacher
from tutelage.training.feeding.loader_feed import ItemList
from tutelage.training.settings import TrainingSettings
from tutelage.training.stacks.networks import with_new_weights
from tutelage.training.stacks.student_group import Copy, ObjectiveFactory, StudentGroup
from tutelage.training.state import Fit
from tutelage.training.student import TorchStudent

TEMPERATURES = (1.0, 2.0, 4.0, 8.0)
MOST_VALUES = 1000
"""The largest number of values of one setting."""

SWEPT = ("temperature", "soft_weight", "lr", "seed")


@dataclass(frozen=True)
class Setting:
    """One combination of settings.

    Attributes:
        temperature: temperature at which the student matches the teacher.
        soft_weight: weight of the teacher's answers; the ground truth has 1 - soft_weight.
        lr: learning rate; None is the optimizer's default.
    """

    temperature: float
    soft_weight: float
    lr: float | None


@dataclass(frozen=True)
class Sweep:
    """The scores of all settings, and the students of the best one.

    Attributes:
        settings: the settings that were tried.
        seeds: seeds of the initial weights.
        scores: (seeds, settings) on the validation rows at each student's best epoch, lower is better: the number of wrong
            rows if the ground truth is known, otherwise the mean loss against the teacher; inf if the loss was not finite
            before the first epoch could be scored.
        best: index of the setting with the lowest mean score over seeds.
        students: the students of the best setting, one per seed; their networks are ordinary Modules.
        stacked: whether the students were trained as stacks.
        how: a sentence that says whether they were, with the reason if not.
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
        """The chosen setting."""
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
    objective: ObjectiveFactory | None = None,
    validation: float | tuple[Any, ...] = 0.1,
    batch_seed: int = 0,
    stack_size: int = 64,
    device: str | torch.device | None = None,
    on: Any = None,
    **training: Any,
) -> Sweep:
    """Train a student at every combination of settings and seeds, and choose the setting on validation rows, never on test rows.

    Students of equal shape are trained as stacks, several times faster than one after another if they are small. Each
    gives the result of `TorchStudent.fit` with `seed=batch_seed`, up to float32 rounding. Students that cannot be stacked
    are trained one by one, and `Sweep.how` gives the reason. A loss that is not finite does not stop the sweep: the
    student keeps the weights of its best epoch before it. All students learn from the one teacher given: what the seeds
    show says nothing about another.

    Args:
        student: a Module or TorchStudent whose layers are initialised again for each seed with torch's own initialisation
            (its current weights are not used); or a function that returns a new Module, for any other initialisation.
        X: rows, as in `TorchStudent.fit`.
        labels: soft labels recorded on these rows, or a live teacher, which is queried once per row
            (unless the objective reads its layers); None trains on y only.
        y: ground truth; required for a soft_weight below 1, and to choose by the number of errors.
        temperature: one value or multiple.
        soft_weight: one value or multiple in [0, 1]; by default 1, or 0 without labels. At 0 the temperature has no effect,
            and only temperature 1 is tried.
        lr: one learning rate or multiple, instead of the optimizer's default.
        seed: one seed or multiple, for the initial weights. Batches and all other random draws of the training are the
            same for all students.
        objective: a function from (temperature, soft_weight) to an objective; each is a number, or a tensor of shape
            (copies, 1, 1) for a stack. By default
            soft_weight * soft_cross_entropy(temperature) + (1 - soft_weight) * hard_cross_entropy().
        validation: share of the rows to hold out for validation, drawn with `batch_seed`; or (X, y), or (X, None, labels).
        batch_seed: seed of the batches.
        stack_size: largest number of students in a stack; 1 trains them one by one.
        device: device to train on.
        on: other processes that train, a stack (or a student that cannot be stacked) at a time: `Local(workers)`, `Ray(workers=...)`, or
            an object with `submit`. Rows and labels travel with each. The result is that of this process to the last digit where they
            compute with as many threads on a processor of the same kind; stacks of another size round otherwise, so `stack_size` counts.
        training: epochs, batch_size and any other field of `TrainingSettings` but checkpoint_steps; optimizer and schedule as functions.

    Returns:
        A `Sweep` with the scores of all settings and the students of the best one.

    Raises:
        BadInput: the student is not a network, there are no validation rows, a list is empty, a setting is unknown, or
            `TorchStudent.fit` refuses its arguments; with `on`, what cannot be sent, or a training that failed three times.
        SelfCheckFailed: no setting has a finite score from every seed.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> from torch import nn
        >>> X, y = load_iris(return_X_y=True)
        >>> teacher = LogisticRegression(max_iter=1000).fit(X, y)
        >>> found = tl.sweep(nn.Linear(4, 3), X, teacher, y, temperature=[1.0, 4.0], lr=[0.0001, 0.1], seed=range(2), epochs=5)
        >>> found.scores.shape, found.setting.lr
        ((2, 4), 0.1)
    """
    default = 0.0 if labels is None else 1.0
    settings = _settings(temperature, default if soft_weight is None else soft_weight, lr)
    seeds = tuple(seed_of("seed", each) for each in _listed(seed, "seed"))
    if validation is None:
        raise BadInput(
            "validation is None; a sweep needs validation rows to choose a setting. Pass validation=0.1, or (X, y) of rows that are not "
            "test rows."
        )
    stack_size, batch_seed = whole("stack_size", stack_size, 1), seed_of("batch_seed", batch_seed)
    if device is not None:
        checked_device(device)
    if on is not None:
        check_on(on)
    if is_read_by_items(X):
        with torch_runtime.seeded(batch_seed):
            X = ItemList.of(X)  # once for all students
    training_settings = _training(training, batch_seed, X)
    network, output, form = _template(student)
    networks = [with_new_weights(network, each) for each in seeds]
    if len(set(map(id, networks))) < len(networks):
        raise BadInput(
            "the student function returned the same network twice; expected a new network from every call. Create the network inside "
            "the function."
        )
    matching = objective or distillation
    with reported_as_ours("objective= failed"):
        of_first = function("objective", matching, "of (temperature, soft_weight)")(settings[0].temperature, settings[0].soft_weight)
    if not isinstance(of_first, Objective):
        raise BadInput(f"objective= returned {shown(of_first)}; expected an objective, one of tutelage.losses or a sum of them.")
    reads_layers = bool(of_first.paths("teacher"))
    answers = labels if reads_layers else _recorded_once(labels, X, form)
    fit_arguments = {"X": X, "labels": answers, "y": y, "validation": validation, "device": device}
    group = StudentGroup(matching, fit_arguments, training_settings, form, output)
    if isinstance(student, TorchStudent):
        group = replace(group, predict_batch_size=student.predict_batch_size)
    copies = [Copy(each, setting.temperature, setting.soft_weight, setting.lr) for setting in settings for each in networks]
    students, why = group.train(copies, stack_size=stack_size, on=on)
    scores = np.array([_score(each.fit_) for each in students]).reshape(len(settings), len(seeds)).T
    if not np.isfinite(scores.mean(axis=0)).any():
        raise SelfCheckFailed("no setting has a finite score from every seed; lower the learning rates, or check the targets.")
    best = best_setting(scores)
    chosen = tuple(students[best * len(seeds) : (best + 1) * len(seeds)])
    how = f"one by one: {why}." if why else f"as stacks of up to {min(stack_size, len(copies))}."
    return Sweep(settings, seeds, scores, best, chosen, not why, f"{len(copies)} students were trained {how}")


def distillation(temperature: float | Tensor, soft_weight: float | Tensor) -> Objective:
    """soft_weight * soft_cross_entropy(temperature) + (1 - soft_weight) * hard_cross_entropy(), without a term whose weight is 0."""
    if isinstance(soft_weight, float) and soft_weight == 0:
        return hard_cross_entropy()
    soft = soft_cross_entropy(temperature=temperature)
    if isinstance(soft_weight, float) and soft_weight == 1:
        return soft
    return soft_weight * soft + (1 - soft_weight) * hard_cross_entropy()


def _settings(temperature: Any, soft_weight: Any, lr: Any) -> tuple[Setting, ...]:
    """All combinations without duplicates, grouped by learning rate.

    Raises:
        BadInput: a list is empty, or a value is out of range.
    """
    hint = "(0 is the ground truth only, 1 the teacher only)"
    temperatures = [check_temperature(each) for each in _listed(temperature, "temperature")]
    weights = [number("soft_weight", each, least=0, most=1, hint=hint) for each in _listed(soft_weight, "soft_weight")]
    rates = [None if each is None else number("lr", each, above=0) for each in _listed(lr, "lr")]
    combinations = product(rates, temperatures, weights)
    return tuple(dict.fromkeys(Setting(heat if weight else 1.0, weight, rate) for rate, heat, weight in combinations))


def _listed(values: Any, name: str) -> list[Any]:
    """One or multiple values as a list without duplicates."""
    is_list = isinstance(values, Iterable) and not isinstance(values, str | bytes | Mapping | set | frozenset)
    is_list = is_list and getattr(values, "ndim", 1) != 0
    listed = list(islice(values, MOST_VALUES + 1)) if is_list else [values]
    if len(listed) > MOST_VALUES:
        raise BadInput(f"{name} holds more than {MOST_VALUES:,} values; expected fewer.")
    listed = [each for place, each in enumerate(listed) if each not in listed[:place]]
    if not listed:
        raise BadInput(f"{name} is an empty list; expected at least one value.")
    return listed


def _training(given: dict[str, Any], batch_seed: int, X: Any) -> TrainingSettings:
    names = [field.name for field in fields(TrainingSettings) if field.name not in (*SWEPT, "checkpoint_steps")]
    unknown = next((name for name in given if name not in names), None)
    if unknown is not None:
        known = [*SWEPT, *names]
        raise BadInput(f"a sweep has no setting {unknown!r}; expected one of {', '.join(known)}.{did_you_mean(unknown, known)}")
    for name, kind in (("optimizer", torch.optim.Optimizer), ("schedule", torch.optim.lr_scheduler.LRScheduler)):
        if isinstance(given.get(name), kind):
            raise BadInput(
                f"{name} is a {type(given[name]).__name__} that belongs to one network; a sweep creates one for each stack of students. "
                "Pass a function, such as partial(torch.optim.SGD, lr=0.1)."
            )
    return TrainingSettings.of({"seed": batch_seed, **given}, X)


def _template(student: Any) -> tuple[Any, Callable[[Any], Tensor] | None, AnswerForm | None]:
    """The network (or function) to initialise for each seed, its output function and the form of its answers, if it is known."""
    if isinstance(student, TorchStudent):
        if student.objective is not None:
            raise BadInput(
                "the student has an objective, but a sweep creates one for each setting. Leave it out of the student, or pass "
                "objective=, a function from (temperature, soft_weight) to an objective."
            )
        return student.network, student.output, student.form
    if not isinstance(student, nn.Module) and (not callable(student) or hasattr(student, "fit")):
        raise BadInput(
            f"cannot sweep a {type(student).__name__}; expected a torch Module, a TorchStudent, or a function that returns a Module."
        )
    return student, None, None


def _recorded_once(labels: Any, X: Any, form: AnswerForm | None) -> Any:
    """A live teacher's answers to all rows, recorded for all students; with a Dataset or DataLoader, the teacher is queried per batch."""
    if labels is None or isinstance(labels, SoftLabels | LabelFolder) or isinstance(X, Dataset | DataLoader):
        return labels
    return record(network_teacher(labels, form) if isinstance(labels, nn.Module) else as_teacher(labels), X)


def _score(fit: Fit) -> float:
    """The validation score at the best epoch; inf if there is none."""
    return float(fit.scores[fit.best_epoch[0] - 1, 0]) if fit.best_epoch[0] else float("inf")
