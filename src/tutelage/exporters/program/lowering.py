"""A program in the making: the steps of a student, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tutelage.core.errors import BadInput
from tutelage.exporters.program import operations as op
from tutelage.exporters.program import trees as tree_values
from tutelage.exporters.program.program import Step
from tutelage.exporters.subject.inputs import Input


@dataclass(frozen=True)
class Columns:
    """Columns of the row, by their positions among the inputs.

    Attributes:
        places: the positions.
        fills: what a missing cell of each becomes: a number or a text; nothing for a column that keeps its gaps.
    """

    places: tuple[int, ...]
    fills: tuple[float | str | None, ...]

    @classmethod
    def of(cls, places: Iterable[int]) -> Columns:
        """Columns as they come."""
        places = tuple(places)
        return cls(places, (None,) * len(places))

    def filled(self, fills: Iterable[float | str]) -> Columns:
        """The columns without gaps."""
        return Columns(self.places, tuple(new if old is None else old for old, new in zip(self.fills, fills, strict=True)))

    def chosen(self, places: Sequence[int]) -> Columns:
        """Some of the columns."""
        return Columns(tuple(self.places[place] for place in places), tuple(self.fills[place] for place in places))

    def followed_by(self, others: Columns) -> Columns:
        """These columns and others."""
        return Columns(self.places + others.places, self.fills + others.fills)


Value = Columns | int
"""What a step of a pipeline takes: columns of the row, or the result of an earlier step."""


class Lowering:
    """Collects the steps of a program.

    Args:
        inputs: the columns of a row.
        row_shape: shape of the numbers of a row.
        kinds: how each kind of student, estimator or step of a pipeline is lowered.

    Attributes:
        steps: the steps so far.
        partly_single: as of `Program`.
    """

    def __init__(self, inputs: Sequence[Input], row_shape: op.Shape, kinds: Mapping[type, Lower]) -> None:
        self.inputs = tuple(inputs)
        self.row_shape = row_shape
        self.kinds = kinds
        self.steps: list[Step] = []
        self.partly_single = False

    @property
    def row(self) -> Value:
        """All columns, as they come; of a row of another shape, its numbers."""
        return Columns.of(range(len(self.inputs))) if self.inputs else self.then(op.Numbers(None, self.row_shape))

    def then(self, operation: op.Operation, *sources: int) -> int:
        """Add a step; its number."""
        self.steps.append(Step(operation, sources, operation.shape(*(self.steps[each].shape for each in sources))))
        return len(self.steps) - 1

    def lower(self, model: Any, rows: Value) -> Value:
        """Add the steps of a fitted student, estimator or step of a pipeline.

        Raises:
            BadInput: a kind that cannot be exported. MissingExtra: skl2onnx is not installed, which exports other estimators.
        """
        for kind, lower in self.kinds.items():
            if isinstance(model, kind):
                return lower(self, model, rows)
        from tutelage.exporters.program.foreign import estimator_part

        return self.then(estimator_part(model, self.width(rows)), self.numbers(rows))

    def numbers(self, rows: Value) -> int:
        """The columns as a vector of numbers.

        Raises:
            BadInput: one of them is a column of texts.
        """
        if isinstance(rows, int):
            return rows
        for place in rows.places:
            if self.inputs[place].kind == "text":
                name = self.inputs[place].name
                column = f"column {place}" if name is None else f"column {name!r}"
                raise BadInput(
                    f"{column} holds texts, where this student reads a number: pass rows like those that it was fitted on, or encode the "
                    "column in its pipeline."
                )
        places = tuple(self.place(place) for place in rows.places)
        everything = places == tuple(range(*self.row_shape)) if len(self.row_shape) == 1 else not self.inputs
        wanted = op.Numbers(None if everything else places, self.row_shape)
        for number, step in enumerate(self.steps):  # the columns are read once
            if isinstance(step.operation, op.Numbers) and step.operation.places == wanted.places:
                return self._without_gaps(number, rows.fills)
        return self._without_gaps(self.then(wanted), rows.fills)

    def _without_gaps(self, numbers: int, fills: Sequence[Any]) -> int:
        values = [np.nan if fill is None else float(fill) for fill in fills]
        return numbers if np.isnan(values).all() else self.then(op.FillGaps(np.array(values)), numbers)

    def chosen(self, rows: Value, places: Sequence[int]) -> Value:
        """Some of the columns."""
        places = tuple(map(int, places))
        if places == tuple(range(self.width(rows))):
            return rows
        return rows.chosen(places) if isinstance(rows, Columns) else self.then(op.Select(places), rows)

    def joined(self, parts: Sequence[Value]) -> Value:
        """Several parts, one after another."""
        if len(parts) == 1:
            return parts[0]
        if all(isinstance(part, Columns) for part in parts):
            return reduce(Columns.followed_by, parts)  # type: ignore[arg-type]
        return self.then(op.Join(), *map(self.numbers, parts))

    def averaged(self, parts: Sequence[Value], weights: ArrayLike | None = None) -> int:
        """The mean of answers of the same width, with a weight for each."""
        shares = np.ones(len(parts)) if weights is None else np.asarray(weights, dtype=np.float64)
        width = self.width(parts[0])
        return self.dense(self.joined(parts), np.concatenate([share * np.eye(width) for share in shares / shares.sum()]), 0.0)

    def place(self, column: int) -> int:
        """The position of an input among those of its kind."""
        kind = self.inputs[column].kind
        return sum(one.kind == kind for one in self.inputs[:column])

    def width(self, rows: Value) -> int:
        """Number of columns."""
        return len(rows.places) if isinstance(rows, Columns) else int(np.prod(self.steps[rows].shape))

    def dense(self, rows: Value, weights: ArrayLike, intercepts: ArrayLike) -> int:
        """Add x @ weights + intercepts; the weights are (inputs, outputs)."""
        wide = np.asarray(weights, dtype=np.float64)
        return self.then(op.Dense(wide, np.broadcast_to(np.asarray(intercepts, dtype=np.float64), wide.shape[1])), self.numbers(rows))

    def trees(self, rows: Value, trees: tree_values.Trees) -> int:
        """Add trees."""
        return self.then(op.TreeSum(trees), self.numbers(rows))

    def arithmetic(self, rows: Value, name: Any, values: ArrayLike) -> int:
        """Add an operation with each number; `values` is a number for each, or one for all."""
        return self.then(op.Arithmetic(name, np.atleast_1d(np.asarray(values, dtype=np.float64))), self.numbers(rows))

    def probabilities(self, logits: int) -> int:
        """From logits, or the log odds of the second of two classes as (1,), to probabilities."""
        if self.steps[logits].shape != (1,):
            return self.then(op.Softmax(), logits)
        return self.then(op.BothClasses(), self.then(op.Apply("sigmoid"), logits))

    def tempered(self, probabilities: int, temperature: float, biases: Sequence[float] = (), *, multilabel: bool) -> int:
        """Apply the temperature of the answers to probabilities, and biases of the classes, as `TrainedStudent` applies them."""
        if temperature == 1.0 and not biases:
            return probabilities
        scores = self.then(op.Apply("logit" if multilabel else "log"), probabilities)
        scores = scores if temperature == 1.0 else self.arithmetic(scores, "divide", temperature)
        scores = self.arithmetic(scores, "add", biases) if biases else scores
        return self.then(op.Apply("sigmoid") if multilabel else op.Softmax(), scores)


Lower = Callable[[Lowering, Any, Value], Value]
"""Adds the steps of a fitted model for columns of the row, or for the result of an earlier step."""
