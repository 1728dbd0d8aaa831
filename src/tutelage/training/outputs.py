"""What a student's network returns for rows of any kind, batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.answers import AnswerForm
from tutelage.core.errors import FOREIGN, BadInput, ShapeError, TutelageError, one_line
from tutelage.core.position_answers import Answers, PositionAnswers, joined
from tutelage.data.row_arrays import array_of
from tutelage.data.rows import as_rows
from tutelage.data.structures.network_answers import answers_to, remedy_of_ids, rows_at_once
from tutelage.data.structures.structured import StructuredRows, refuse_mappings
from tutelage.data.truth.given_truth import by_position

ROWS_AT_ONCE = 10_000
"""About how many rows of a Dataset, a table or a file are in memory at once."""


def network_outputs(
    network: nn.Module, inputs: Any, *, form: AnswerForm | None, output: Callable[[Any], Tensor], batch_size: int | None
) -> Answers:
    """(rows, columns) float32: what a network returns for every row, in eval mode; with positions `PositionAnswers`.

    Args:
        network: of a student.
        inputs: rows, as in `as_rows`.
        form: of its answers; None if it is not known yet.
        output: extracts the answers from what the network returns.
        batch_size: rows per call; as for `by_batch`.

    Raises:
        BadInput: rows that are not numbers, or sparse. ShapeError: rows of a shape that the network does not take, or another number
            of logits than classes.
    """
    if isinstance(inputs, Tensor | np.ndarray | list):
        refuse_mappings(inputs)
        return _of_part(network, inputs, form, output, batch_size)
    size = ROWS_AT_ONCE if batch_size is None else batch_size * max(1, ROWS_AT_ONCE // batch_size)
    return joined(
        _of_part(network, part, form, output, batch_size) for *_, part in as_rows(inputs, by_position=by_position(form)).parts(size)
    )


def _of_part(network: nn.Module, rows: Any, form: AnswerForm | None, output: Callable[[Any], Tensor], batch_size: int | None) -> Answers:
    positions = None if form is None else form.positions
    given = rows if isinstance(rows, StructuredRows | Tensor) else torch_runtime.tensor_of(_numbers(rows))
    try:
        taken = given if isinstance(given, StructuredRows) else torch_runtime.network_input(network, given)
        if isinstance(taken, Tensor) and positions is None:
            raw = torch_runtime.answers_of(network, taken, batch_size=rows_at_once(taken, batch_size), output=output)
            answers: Answers = raw.float().cpu().numpy()
        else:
            answers = answers_to(network, taken, positions=positions, batch_size=batch_size, output=output)
    except TutelageError:
        raise
    except FOREIGN as error:  # whatever the code of the network raises
        of = f"of shape {tuple(given.shape[1:])}" if isinstance(given, Tensor) else f"with {', '.join(given.fields)}"
        raise ShapeError(
            f"the network cannot take rows {of} ({one_line(error)}); pass rows like those in training.{remedy_of_ids(given)}"
        ) from error
    if isinstance(answers, np.ndarray) and form is not None and form.classes and answers.shape[1:] != (len(form.classes),):
        raise ShapeError(
            f"the network's logits have shape {answers.shape}; expected one for each of {len(form.classes)} classes, (rows, classes)."
        )
    return answers


def check_known(answers: Any) -> Any:
    """The answers, after checking that there is one for each row, or for each of its positions.

    Raises:
        BadInput: a row whose numbers are missing or infinite, or overflow in the network.
    """
    values = answers.dense() if isinstance(answers, PositionAnswers) else answers
    lost = np.flatnonzero(~np.isfinite(values).all(axis=tuple(range(1, values.ndim))))
    if len(lost):
        rows = np.unique(answers.row_of[lost]) if isinstance(answers, PositionAnswers) else lost
        raise BadInput(
            f"the network's answers to {len(rows)} of {len(answers)} rows are no numbers (first: row {rows[0]}): "
            "the rows hold NaN, inf or numbers that are too large for it."
        )
    return answers


def _numbers(inputs: Any) -> NDArray[Any]:
    """Rows as an array of real numbers; the masked cells of a masked array are NaN."""
    try:
        array = array_of(inputs)
        texts = array.dtype.kind == "O" and any(isinstance(cell, str | bytes | complex) for cell in array.flat)
        if array.dtype.kind not in "biufO" or texts:
            raise TypeError(f"they are {array.dtype}")
        return array.astype(np.float64) if array.dtype.kind == "O" else array
    except (TypeError, ValueError, OverflowError) as error:
        raise BadInput(
            f"a network takes numbers, (rows, ...) of them; this {type(inputs).__name__} holds other values, or rows of different lengths."
        ) from error
