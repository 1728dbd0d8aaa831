"""Answers that have positions: one distribution for each token of a text, or for each pixel of a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats, real_numbers
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError, fault_of_model

SOFTENED_CELLS = 1 << 20
"""Logits that become probabilities at a time."""

AXES = {"tokens": 1, "pixels": 2}
"""The number of axes of a row's positions: a line of tokens, or the height and width of a picture."""


@dataclass(frozen=True, eq=False)
class PositionAnswers:
    """The answers to rows that have positions, without padding: those of the first row, then those of the second, and so on.

    Attributes:
        values: (positions, classes) numbers, or `TopAnswers`, of the positions of all rows; a picture's pixels line by line.
        shapes: (rows, 1) the number of tokens of each row, or (rows, 2) height and width of each picture.

    Raises:
        ShapeError: another number of values than positions.

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> answers = tl.PositionAnswers.of_rows([np.zeros((2, 3)), np.ones((1, 3))])
        >>> len(answers), answers[1].tolist(), answers.values.shape
        (2, [[1.0, 1.0, 1.0]], (3, 3))
    """

    values: Floats | TopAnswers
    shapes: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.shapes.ndim != 2 or self.shapes.shape[1] not in (1, 2) or (self.shapes < 0).any():
            raise ShapeError(f"shapes is {self.shapes.shape}; expected (rows, 1) lengths, or (rows, 2) heights and widths, 0 or more.")
        if len(self.values) != self.offsets[-1]:
            raise ShapeError(f"there are {len(self.values)} answers to {self.offsets[-1]} positions; expected one for each.")

    @classmethod
    def of_rows(cls, rows: Sequence[Any]) -> PositionAnswers:
        """From one array for each row: (tokens, classes), or (classes, height, width).

        Raises:
            ShapeError: no rows, or arrays of other shapes.
        """
        arrays = [real_numbers(row, "the answers of a row") for row in rows]
        if not arrays or len({array.ndim for array in arrays}) > 1 or arrays[0].ndim not in (2, 3):
            raise ShapeError("expected an array for each row, all (tokens, classes) or all (classes, height, width).")
        if arrays[0].ndim == 3:
            shapes = np.array([array.shape[1:] for array in arrays], dtype=np.int64)
            arrays = [array.reshape(len(array), -1).T for array in arrays]
        else:
            shapes = np.array([[len(array)] for array in arrays], dtype=np.int64)
        if len({array.shape[1] for array in arrays}) > 1:
            raise ShapeError("the answers of the rows have different numbers of classes; expected one for each class.")
        return cls(np.concatenate(arrays), shapes)

    @classmethod
    def joined(cls, parts: Sequence[PositionAnswers]) -> PositionAnswers:
        """The rows of several parts, in their order."""
        values = [part.values for part in parts]
        top = [each for each in values if isinstance(each, TopAnswers)]
        dense = [each for each in values if not isinstance(each, TopAnswers)]
        if top and dense:
            raise BadInput("some answers name the most probable classes and others have numbers for all; expected answers of one form.")
        together: Floats | TopAnswers = TopAnswers.joined(top) if top else np.concatenate(dense)
        return cls(together, np.concatenate([part.shapes for part in parts]))

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """(rows,) the number of positions of each row."""
        return np.asarray(self.shapes.prod(axis=1))

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """(rows + 1,) where the positions of each row begin, and where the last ends."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.counts)])

    @property
    def row_of(self) -> NDArray[np.intp]:
        """(positions,) the row of each position."""
        return np.repeat(np.arange(len(self)), self.counts)

    def __len__(self) -> int:
        return len(self.shapes)

    @overload
    def __getitem__(self, rows: int | np.integer[Any]) -> Floats | TopAnswers: ...
    @overload
    def __getitem__(self, rows: slice | NDArray[Any] | Sequence[int]) -> PositionAnswers: ...
    def __getitem__(self, rows: Any) -> Floats | TopAnswers | PositionAnswers:
        """One row, (tokens, classes) or (classes, height, width); or `PositionAnswers` of several."""
        if isinstance(rows, int | np.integer):
            place = range(len(self))[rows]  # as a list does: IndexError beyond the end, so that iteration ends
            values = self.values[self.offsets[place] : self.offsets[place + 1]]
            if self.shapes.shape[1] == 1 or isinstance(values, TopAnswers):
                return values
            return np.asarray(values.T.reshape(-1, *self.shapes[place]))
        chosen = np.arange(len(self))[rows]
        return PositionAnswers(self.values[self.places(chosen)], self.shapes[chosen])

    def places(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """The places of the positions of these rows among `values`, one row after the other."""
        return ranges(self.offsets[rows], self.counts[rows])

    def dense(self) -> Floats:
        """(positions, classes) numbers; those of `TopAnswers` are log-probabilities."""
        return self.values.dense() if isinstance(self.values, TopAnswers) else self.values

    def with_values(self, values: Floats | TopAnswers) -> PositionAnswers:
        """Other numbers for the same positions."""
        return replace(self, values=values)


Answers = Floats | TopAnswers | PositionAnswers
"""What a teacher returns: (rows, columns) numbers, the most probable classes of each row, or answers that have positions."""


def ranges(starts: NDArray[Any], counts: NDArray[Any]) -> NDArray[np.int64]:
    """The numbers from each start on, as many as its count, one range after the other.

    Example:
        >>> ranges(np.array([5, 0]), np.array([2, 3]))
        array([5, 6, 0, 1, 2])
    """
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.arange(total) + np.repeat(starts - (ends - counts), counts), dtype=np.int64)


@fault_of_model()
def checked(form: AnswerForm, answers: Any, rows: int, what: str = "the teacher's answers") -> Answers:
    """Answers after checking that they have a form, with positions or without.

    Args:
        form: of the answers.
        answers: as `AnswerForm.check` takes them; for a form with positions `PositionAnswers`, a list of one array for each row, or
            an array whose positions all count: (rows, tokens, classes) or (rows, classes, height, width). Of two classes, the second
            alone will do.
        rows: the number of rows that the teacher was queried with.
        what: the subject of error messages.

    Raises:
        ShapeError, LabelMismatch, NotProbabilities, BadInput: as `AnswerForm.check`.
    """
    if form.positions is None:
        if isinstance(answers, PositionAnswers):
            raise ShapeError(f"{what} have positions, and one answer per row is expected; declare positions='tokens' or 'pixels'.")
        return form.check_top(answers, rows, what) if isinstance(answers, TopAnswers) else form.check(answers, rows, what)
    found = answers if isinstance(answers, PositionAnswers) else _of_arrays(form, answers, what)
    if len(found) != rows:
        raise LabelMismatch(f"{what}: answers to {len(found)} rows, and {rows} were asked; expected one answer per row.")
    if found.shapes.shape[1] != AXES[form.positions]:
        raise ShapeError(f"{what} have {found.shapes.shape[1]} axes of positions; expected {AXES[form.positions]} for {form.positions}.")
    flat = form.of_each_position
    if isinstance(found.values, TopAnswers):
        top = flat.check_top(found.values, len(found.values), what)
        return found if top is found.values else found.with_values(top)
    values = found.values if len(found.values) else np.zeros((0, len(form.classes) or found.values.shape[-1]), found.values.dtype)
    return found.with_values(flat.take(values, len(values), what) if len(values) else values)


def probabilities_of(form: AnswerForm, answers: Any) -> Any:
    """Answers of any kind as probabilities at temperature 1; values, and the most probable classes, stay as they are."""
    if isinstance(answers, PositionAnswers):
        return answers.with_values(probabilities_of(form.of_each_position, answers.values))
    if isinstance(answers, TopAnswers) or form.task == "regression":
        return answers
    if form.kind == "probabilities" or answers.size <= SOFTENED_CELLS:
        return form.probabilities(answers)
    found, step = np.empty_like(answers), max(1, SOFTENED_CELLS // answers.shape[1])
    for start in range(0, len(answers), step):  # the copies that softmax makes stay in the processor's cache
        found[start : start + step] = form.probabilities(answers[start : start + step])
    return found


def _of_arrays(form: AnswerForm, answers: Any, what: str) -> PositionAnswers:
    expected = "(rows, tokens, classes)" if form.positions == "tokens" else "(rows, classes, height, width)"
    if isinstance(answers, list | tuple) and answers and not np.isscalar(answers[0]):
        return PositionAnswers.of_rows(answers)
    array = real_numbers(answers, what)
    if array.ndim != AXES[form.positions or "tokens"] + 2:
        raise ShapeError(f"{what} have shape {array.shape}; expected {expected}, an answer for each position.")
    if not len(array):
        raise ShapeError(f"{what} have no rows; expected one answer per row.")
    return PositionAnswers.of_rows(list(array))


def joined(parts: Iterable[Answers]) -> Answers:
    """The answers of several parts of rows, in their order."""
    found: list[Any] = list(parts)
    of_positions = [part for part in found if isinstance(part, PositionAnswers)]
    top = [part for part in found if isinstance(part, TopAnswers)]
    if of_positions and len(of_positions) < len(found):
        raise BadInput("some answers have positions and others have none; expected answers of one form.")
    if top and len(top) < len(found):
        raise BadInput("some answers name the most probable classes and others have numbers for all; expected answers of one form.")
    if of_positions:
        return PositionAnswers.joined(of_positions)
    if top:
        return TopAnswers.joined(top)
    return np.concatenate([part for part in found if isinstance(part, np.ndarray)])
