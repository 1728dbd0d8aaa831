"""A program: what a student computes from one row, as a plain value that is written in any language."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.exporters.program.operations import (
    Category,
    ChannelNorm,
    Convolution,
    Dense,
    FillGaps,
    Join,
    LayerNorm,
    Numbers,
    OnnxPart,
    Operation,
    Reshape,
    Select,
    Shape,
    TreeSum,
)
from tutelage.exporters.program.trees import Trees, of_any
from tutelage.exporters.subject.inputs import Input
from tutelage.students.cascade import Guarantee


@dataclass(frozen=True, eq=False)
class Step:
    """An operation on the results of earlier steps.

    Attributes:
        operation: what is computed.
        sources: numbers of the steps whose results it takes.
        shape: of its result, for one row.
    """

    operation: Operation
    sources: tuple[int, ...]
    shape: Shape


@dataclass(frozen=True, eq=False)
class Program:
    """What a student computes from one row.

    A row has numbers and texts; each operation that reads the row names its numbers and its texts by their positions among those of its
    kind. The last step has the answers: probabilities at temperature 1, or values.

    Attributes:
        inputs: the columns, in their order; empty for rows of another shape, such as pictures.
        row_shape: the shape of the numbers of a row.
        steps: in an order in which each takes only earlier ones.
        form: the form of the answers. For classes the decision is the first of the most probable; for multilabel, each label above 0.5.
        dtype: a type of numbers in which rows lose nothing that the student reads: float32, float64 or int64.
        single: whether weighted sums are in single precision: a torch network of float32.
        partly_single: whether the student computes a part in single precision, which the file computes as the rest: a torch network in a
            pipeline.
        guarantee: of the threshold below which rows are left to a teacher; None if the student answers all rows.
    """

    inputs: tuple[Input, ...]
    row_shape: Shape
    steps: tuple[Step, ...]
    form: AnswerForm
    dtype: Any
    single: bool
    partly_single: bool = False
    guarantee: Guarantee | None = None

    @property
    def outputs(self) -> int:
        """Number of answers a row."""
        (outputs,) = self.steps[-1].shape
        return outputs

    @property
    def threshold(self) -> float | None:
        """The confidence below which rows are left to a teacher; None if the student answers all rows."""
        return None if self.guarantee is None else self.guarantee.threshold

    @property
    def numbers(self) -> tuple[str | None, ...]:
        """Names of the columns of numbers."""
        return tuple(one.name for one in self.inputs if one.kind == "number")

    @property
    def texts(self) -> tuple[str | None, ...]:
        """Names of the columns of texts."""
        return tuple(one.name for one in self.inputs if one.kind == "text")

    @property
    def levels(self) -> dict[int, tuple[str, ...]]:
        """The categories that the student knows, by the position of their column of texts among `inputs`."""
        known: dict[int, dict[str, None]] = {}
        for step in self.steps:
            if isinstance(step.operation, Category) and step.operation.of_text:
                known.setdefault(step.operation.place, {}).update(dict.fromkeys(step.operation.levels))
        positions = [place for place, one in enumerate(self.inputs) if one.kind == "text"]
        return {positions[place]: tuple(known[place]) for place in sorted(known)}

    @property
    def rounding(self) -> float:
        """Relative error of the student's weighted sums; 0 if it has none."""
        if not any(isinstance(step.operation, _WEIGHTED) for step in self.steps):
            return 0.0
        return float(np.finfo(np.float32 if self.single or self.partly_single else np.float64).eps)

    @property
    def squares_in_single(self) -> bool:
        """Whether the student may square numbers in single precision: in a layer norm, or in layers that only ONNX has."""
        operations = [step.operation for step in self.steps]
        squared = any(isinstance(one, LayerNorm) or (isinstance(one, OnnxPart) and one.estimator is None) for one in operations)
        return squared and (self.single or self.partly_single)

    @property
    def split_columns(self) -> tuple[tuple[Trees, tuple[int, ...]], ...]:
        """The trees that read numbers of the row, each with the position of each of its features among them; -1 for other features."""
        found = []
        for step in self.steps:
            trees = _trees_in(step.operation)
            places = () if trees is None else self._row_places(step.sources[0])
            if trees is not None and any(place >= 0 for place in places):
                found.append((trees, places))
        return tuple(found)

    def _row_places(self, number: int) -> tuple[int, ...]:
        """The number of the row that each result of a step is, up to filled gaps; -1 for what was computed."""
        step = self.steps[number]
        operation, sources = step.operation, [self._row_places(each) for each in step.sources]
        if isinstance(operation, Numbers):
            return tuple(range(prod(self.row_shape))) if operation.places is None else operation.places
        if isinstance(operation, FillGaps | Reshape):
            return sources[0]
        if isinstance(operation, Join):
            return tuple(place for part in sources for place in part)
        if isinstance(operation, Select):
            return tuple(sources[0][place] if place >= 0 else -1 for place in operation.places)
        return (-1,) * prod(step.shape)


def _trees_in(operation: Operation) -> Trees | None:
    """The trees of an operation: its own, or those of an estimator that another library wrote."""
    if isinstance(operation, OnnxPart) and operation.estimator is not None:
        return of_any(operation.estimator)
    return operation.trees if isinstance(operation, TreeSum) else None


_WEIGHTED = (ChannelNorm, Convolution, Dense, LayerNorm, OnnxPart)
