"""Objectives: weighted sums of named terms, built with + and *."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Real
from operator import attrgetter, methodcaller
from typing import Any

from torch import Tensor, nn

from tutelage.core.answer_kinds import Task
from tutelage.core.arguments import number
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.losses.schedules import Schedule, at_share, changes
from tutelage.losses.signals import Losses, Signals, add_all
from tutelage.losses.top_targets import TopTargets

HEAVIEST = 1e30
"""The largest weight of a term; a loss times more overflows in float32."""

NEVER_MISSING = frozenset({"student", "tokens", "places"})
"""Signals that every batch has, or that may be None."""

ONE_CLASS_A_ROW: tuple[Task, ...] = ("binary", "multiclass")
EVERY_TASK: tuple[Task, ...] = ("binary", "multiclass", "multilabel", "regression")


@dataclass(frozen=True)
class Term:
    """One named loss of an objective, with the signals that it reads.

    Attributes:
        name: the name in reports; without dots.
        loss: called with the signals that it reads, in order, and the settings as keywords; returns one value per example, (batch,),
            or (copies, batch). If the term builds a module, the module is the first argument.
        reads: the signals: "student", "teacher" (their answers), "labels", "index", "student:PATH" or "teacher:PATH" (a hidden layer),
            "tokens" (which of them count; None if all do), "places" (which positions the losses are about; None if they are about rows).
        settings: keyword arguments of `loss`, such as the temperature.
        weight: a number, 0 or more, a `Schedule` of it, or a (copies, 1, 1) tensor for one per copy.
        prepare: converts the teacher's answers, (rows, columns), to what `loss` reads as "teacher", row by row; called once for
            all rows if they are recorded.
        build: creates the module that trains with the student, from a first batch and the number of rows in the data.
        tasks: the tasks that it supports.
        least_columns: the smallest number of classes for which it is defined.
        stacks: whether it takes (copies, batch, columns).
        relates_rows: whether the loss of a row depends on the other rows of its batch, so that a batch must not be divided.
        reduces: whether it can be computed of the most probable classes, with the rest as one more (see `TopTargets`): the answers of
            student and teacher are then (..., k + 1), or (..., k + 2) for a term that reads labels, since the true class is among them.
        of_top: computes the loss of the most probable classes, called as `loss` is, with `TopTargets` for "teacher"; None if it cannot
            be computed of them, or is as `reduces` says.
        by_token: whether `loss` may return a value for each token of a row, (batch, tokens), or for each place of feature maps, (batch,
            height, width); those that count are averaged.
        whole_rows: whether it reads hidden layers of whole rows also where there is an answer for each token or pixel.

    Raises:
        BadInput: a weight that is negative or not finite.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> def cosine_distance(student_logits, teacher_logits):
        ...     return 1 - torch.nn.functional.cosine_similarity(student_logits, teacher_logits, dim=-1)
        >>> objective = tl.losses.Objective((tl.losses.Term("cosine", cosine_distance, ("student", "teacher")),))
        >>> batch = tl.losses.Signals(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), teacher_answers=torch.tensor([[3.0, 0.0], [1.0, 0.0]]))
        >>> print(objective(batch).total)
        tensor([0., 1.])
    """

    name: str
    loss: Callable[..., Tensor] = field(repr=False)
    reads: tuple[str, ...] = field(repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    weight: float | Tensor | Schedule = 1.0
    prepare: Callable[[Tensor], Tensor] | None = field(default=None, repr=False)
    build: Callable[[Signals, int], nn.Module] | None = field(default=None, repr=False)
    tasks: tuple[Task, ...] = field(default=ONE_CLASS_A_ROW, repr=False)
    least_columns: int = field(default=1, repr=False)
    stacks: bool = field(default=True, repr=False)
    relates_rows: bool = field(default=False, repr=False)
    reduces: bool = field(default=False, repr=False)
    of_top: Callable[..., Tensor] | None = field(default=None, repr=False)
    by_token: bool = field(default=False, repr=False)
    whole_rows: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", _checked_weight(self.weight))

    def __call__(self, signals: Signals) -> Tensor:
        """(batch,) or (copies, batch), not weighted.

        Raises:
            BadInput: a signal that it reads is missing, or its weight or a setting changes during a training. ShapeError: a loss that
                is not one value per example.
        """
        compute, top = self.loss, signals.teacher_answers
        if isinstance(top, TopTargets) and "teacher" in self.reads:
            self.check_top(top.ids.shape[-1], top.columns)
            compute, signals = (self.loss, self._reduced(signals, top)) if self.of_top is None else (self.of_top, signals)
        if self.scheduled:
            raise BadInput(
                f"{self.name} has a {next(iter(self.scheduled))} that changes during a training, so its loss depends on how far that is; "
                "take objective.at(share), with the share of the training that is done, from 0 to 1."
            )
        loss = compute(*self._inputs(signals), **self.settings)
        if self.by_token or self._is_of_rows(signals):
            loss = signals.of_examples(loss)
        rows = signals.student_answers.shape[:-1]
        if loss.shape not in (rows, rows[-1:]):
            raise ShapeError(
                f"{self.name} gives losses of shape {tuple(loss.shape)}; expected one value per example, {tuple(rows)}, not yet averaged."
            )
        return loss

    def weighted(self, signals: Signals) -> Tensor:
        """(batch,) or (copies, batch), times the weight.

        Raises:
            BadInput, ShapeError: as when it is called.
        """
        loss, weight = self(signals), self.weight
        return loss if isinstance(weight, Schedule) or (isinstance(weight, float) and weight == 1.0) else loss * weight

    def _is_of_rows(self, signals: Signals) -> bool:
        """Whether it compares layers of whole rows, and the losses are about positions."""
        layers = [(side, path) for side, colon, path in (name.partition(":") for name in self.reads) if colon]
        return signals.places is not None and bool(layers) and (self.whole_rows or not signals.has_places(layers))

    @cached_property
    def scheduled(self) -> dict[str, Schedule]:
        """What changes during a training: "weight", and settings by name."""
        values = {"weight": self.weight, **self.settings}
        return {name: value for name, value in values.items() if isinstance(value, Schedule)}

    def at(self, share: float) -> Term:
        """The term when this share of a training is done."""
        if not self.scheduled:
            return self
        settings = {name: at_share(value, share) for name, value in self.settings.items()}
        return replace(self, weight=at_share(self.weight, share), settings=settings, prepare=at_share(self.prepare, share))

    def _reduced(self, signals: Signals, top: TopTargets) -> Signals:
        """Student and teacher at the classes that the teacher names, and the rest."""
        temperature, labels = self.settings.get("temperature", 1.0), signals.labels
        if "labels" in self.reads and labels is not None:
            top, labels = top.with_truth(labels)
        student = top.of_student(signals.student_answers, temperature)
        return replace(signals, student_answers=student, teacher_answers=top.logits(temperature), labels=labels)

    def check_top(self, top_k: int, columns: int) -> None:
        """Check that the term can be computed if only the most probable classes of the teacher are known.

        Raises:
            BadInput: it cannot.
        """
        if "teacher" in self.reads and not self.reduces and self.of_top is None:
            raise BadInput(
                f"{self.name} needs the teacher's number for each of {columns:,} classes, and only the {top_k} most probable are known. "
                "Use soft_cross_entropy, kl_divergence, reverse_kl, jensen_shannon, decoupled or weighted_soft_labels, or record without "
                "top_k."
            )

    def _inputs(self, signals: Signals) -> list[Any]:
        inputs = [read(signals) for read in self._readers]
        for name, value in zip(self.reads, inputs, strict=True):
            if value is None and name not in NEVER_MISSING:
                raise BadInput(f"{self.name} reads {_description(name)}, and this batch has none; pass them in Signals.")
        if self.build is not None:
            if signals.modules is None or self.name not in signals.modules:
                raise BadInput(
                    f"{self.name} trains a module, and this batch has none; create it with objective.modules(signals, rows=...) "
                    "and pass it as Signals(modules=...)."
                )
            inputs.insert(0, signals.modules[self.name])
        return inputs

    @cached_property
    def _readers(self) -> tuple[Callable[[Signals], Any], ...]:
        return tuple(self._teacher_targets if name == "teacher" else _reader(name, self.whole_rows) for name in self.reads)

    def _teacher_targets(self, signals: Signals) -> Tensor | TopTargets | None:
        targets = signals.prepared.get(self.name)
        answers = signals.teacher_answers
        if targets is not None or answers is None:
            return targets
        if isinstance(answers, TopTargets):
            return answers if self.of_top is not None else None
        return answers if self.prepare is None else self.prepare(answers)


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms, such as 0.9 * soft_cross_entropy(temperature=4.0) + 0.1 * hard_cross_entropy().

    Terms of the same name get a number: "hint layer1" and "hint layer1 2".

    Attributes:
        terms: the terms, each with its weight.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> objective = 0.9 * tl.losses.kl_divergence(temperature=4.0) + 0.1 * tl.losses.hard_cross_entropy()
        >>> [(term.name, term.weight) for term in objective.terms], sorted(objective.needs)
        ([('kl_divergence', 0.9), ('hard_cross_entropy', 0.1)], ['labels', 'teacher'])
        >>> batch = tl.losses.Signals(
        ...     torch.tensor([[1.0, 0.0, 0.0]]), teacher_answers=torch.tensor([[2.0, 0.0, -2.0]]), labels=torch.tensor([0])
        ... )
        >>> print(objective(batch).total.round(decimals=2))
        tensor([0.6600])
    """

    terms: tuple[Term, ...]

    def __call__(self, signals: Signals) -> Losses:
        """The loss of every example of a batch, in total and by term.

        Raises:
            BadInput: a signal that a term reads is missing. ShapeError: signals that do not fit each other.
        """
        terms = self.weighted(signals)
        return Losses(add_all(terms.values()), terms)

    def weighted(self, signals: Signals) -> dict[str, Tensor]:
        """The loss of every example by term, each times its weight.

        Raises:
            BadInput, ShapeError: as when the objective is called.
        """
        return {term.name: term.weighted(signals) for term in self.terms}

    def __add__(self, other: Objective) -> Objective:
        if not isinstance(other, Objective):
            return NotImplemented
        terms = list(self.terms)
        for term in other.terms:
            terms.append(replace(term, name=_unique_name(term.name, {known.name for known in terms})))
        return Objective(tuple(terms))

    def __radd__(self, other: Any) -> Objective:
        """`sum` of several objectives, which begins at 0."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __mul__(self, weight: float | Tensor | Schedule) -> Objective:
        factor = _checked_weight(weight)
        return Objective(tuple(replace(term, weight=factor * term.weight) for term in self.terms))

    __rmul__ = __mul__

    def at(self, share: float) -> Objective:
        """The objective when this share of a training is done, 0 to 1: with numbers in place of each `Schedule`.

        Example:
            >>> import tutelage as tl
            >>> objective = tl.losses.linear(0.9, 0.1) * tl.losses.kl_divergence(temperature=tl.losses.linear(4.0, 2.0))
            >>> [(term.weight, term.settings) for term in objective.at(0.5).terms]
            [(0.5, {'temperature': 3.0})]
        """
        return Objective(tuple(term.at(share) for term in self.terms)) if self.scheduled else self

    @cached_property
    def scheduled(self) -> dict[str, Schedule]:
        """The weights and settings that change during a training, by the names of their terms."""
        return {f"{term.name} {name}": schedule for term in self.terms for name, schedule in term.scheduled.items()}

    @cached_property
    def needs(self) -> frozenset[str]:
        """The signals that a batch must have: "teacher", "labels", "index", "student:PATH", "teacher:PATH"."""
        return frozenset(name for term in self.terms for name in term.reads) - NEVER_MISSING

    def paths(self, side: str) -> tuple[str, ...]:
        """The hidden layers that the terms read, sorted by name; `side` is "student" or "teacher"."""
        return tuple(sorted(name.partition(":")[2] for name in self.needs if name.startswith(f"{side}:")))

    @property
    def reads_layers_only(self) -> bool:
        """Whether it reads hidden layers of the teacher and not its answers, so that these may mean anything, and need not be computed."""
        return "teacher" not in self.needs and bool(self.paths("teacher"))

    def prepare(self, teacher_answers: Tensor) -> dict[str, Tensor]:
        """The targets that can be computed from the teacher's answers before training, by term; row i of each belongs to row i.

        Those at a temperature that changes during the training are not among them.

        Args:
            teacher_answers: (rows, columns) of all rows, as in `Signals`.

        Returns:
            (..., rows, columns) each: rows are the second last axis. Pass those of the batch as `Signals(prepared=...)`,
            selected with `index_select(-2, rows)`.

        Raises:
            BadInput: answers that a term cannot use.
        """
        fixed = {term.name: term.prepare for term in self.terms if term.prepare is not None and not changes(term.prepare)}
        return {name: prepare(teacher_answers) for name, prepare in fixed.items()}

    def modules(self, signals: Signals, *, rows: int) -> nn.ModuleDict:
        """The projectors and memory banks that train with the student and are not part of it; empty for most objectives.

        Args:
            signals: any batch with the hidden layers; their sizes are read from it.
            rows: the number of rows of the data.
        """
        built = {term.name: term.build(signals, rows) for term in self.terms if term.build is not None}
        return nn.ModuleDict(built)

    def check(self, *, task: Task, columns: int, given: Collection[str], stacked: bool = False) -> None:
        """Check before training that every term can be computed.

        Args:
            task: the task of the student.
            columns: the number of classes, labels or outputs.
            given: the signals that every batch will have, of "teacher", "labels", "index"; hidden layers are checked by `capturing`.
            stacked: whether the student is a stack of copies.

        Raises:
            LabelMismatch: a term for another task. BadInput: a signal that a term reads is not given.
            ShapeError: too few classes; a stack, for a term that takes no stack; a weight for each copy, without a stack.
        """
        for term in self.terms:
            if task not in term.tasks:
                raise LabelMismatch(f"{term.name} is for {' or '.join(term.tasks)} answers; this student's are {task}.")
            missing = [name for name in term.reads if ":" not in name and name not in {*NEVER_MISSING, *given}]
            if missing:
                raise BadInput(f"{term.name} reads {_description(missing[0])}, and there are none; pass them, or leave the term out.")
            if columns < term.least_columns:
                raise ShapeError(f"{term.name} is undefined for {columns} classes; it needs {term.least_columns} or more.")
            if not stacked and not isinstance(term.at(0.0).weight, float):
                raise ShapeError(
                    f"{term.name} has a weight for each copy of a stack; use a number, since this student is a single network."
                )
            if stacked and not term.stacks:
                raise ShapeError(f"{term.name} takes no stack of copies; train them one by one.")

    def described(self) -> list[dict[str, Any]]:
        """Name, weight, signals and settings of each term as plain values for JSON; equal for equal objectives."""
        return [
            {
                "name": term.name,
                "weight": _json_value(term.weight),
                "reads": list(term.reads),
                "settings": {name: _json_value(value) for name, value in term.settings.items()},
            }
            for term in self.terms
        ]


def _reader(name: str, whole_rows: bool) -> Callable[[Signals], Any]:
    """Reads any signal except the teacher's answers; None if it is missing."""
    side, colon, path = name.partition(":")
    if colon:  # the path of the network itself is empty
        return methodcaller("layer", side, path, whole_rows=whole_rows)
    return attrgetter("student_answers" if name == "student" else name)


def _checked_weight(weight: Any) -> float | Tensor | Schedule:
    """A weight that broadcasts against one value per example: a number, or (copies, 1); or a schedule of such weights."""
    if isinstance(weight, Schedule):
        return weight.checked(_checked_weight)
    if isinstance(weight, Real):
        return number("a weight", weight, least=0, most=HEAVIEST)
    if not isinstance(weight, Tensor):
        raise BadInput(
            f"an objective is weighted with a {type(weight).__name__}; expected a number, a Schedule such as linear(0.9, 0.1), or a tensor "
            "with one for each copy of a stack."
        )
    for each in weight.flatten().tolist():
        number("a weight", each, least=0, most=HEAVIEST)
    return weight.squeeze(-1) if weight.ndim == 3 else weight


def _unique_name(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    return next(f"{name} {number}" for number in range(2, len(taken) + 3) if f"{name} {number}" not in taken)


def _description(name: str) -> str:
    side, colon, path = name.partition(":")
    if colon:
        return f"the {side}'s layer {path!r}"
    return {"teacher": "the teacher's answers", "labels": "labels", "index": "the row numbers"}[name]


def _json_value(value: Any) -> Any:
    if isinstance(value, Schedule):
        return value.text
    return value.flatten().tolist() if hasattr(value, "flatten") else value
