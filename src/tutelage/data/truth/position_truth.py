"""The ground truth of each token or pixel: a class for every position that counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import tensor_array
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.core.position_answers import AXES
from tutelage.data.structures.given_answers import width_of, without_padding
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.structured import StructuredRows

IGNORED = -100
"""The code of a position that does not count, in the habit of torch."""
VOID = "A position that counts for nothing, such as one of the void label 255, is given as -100: y = np.where(y == 255, -100, y)."
"""What to do about a label that is no class, by which data sets mark such positions."""


def names_of_positions(y: Any, form: AnswerForm, rows: Any, shapes: NDArray[np.int64] | None = None, *, whole: bool = True) -> Ragged:
    """The class name of every position that the attention mask leaves, as it was given; arguments and errors as `truth_of_positions`."""
    if form.task not in ("binary", "multiclass"):
        raise BadInput(f"y by position is the class of each, and these answers are {form.task}; leave y out, and use a teacher's answers.")
    axes = AXES[form.positions or "tokens"]
    if not hasattr(y, "__len__") or not hasattr(y, "__iter__") or isinstance(y, str | bytes | dict):
        raise ShapeError(f"y is a {type(y).__name__}; expected the class names of each row, (tokens,) or (height, width).")
    given = [_names_of(row, axes) for row in y]
    count = len(rows)
    if len(given) != count:
        raise ShapeError(f"y has {len(given)} rows and X has {count}; expected the same rows in the same order.")
    counting = rows.counting() if isinstance(rows, StructuredRows) else None
    if counting is not None and form.positions == "tokens":
        given = [without_padding(labels, counting, row, width_of(rows, row), "y", "labels") for row, labels in enumerate(given)]
    sizes = np.array([labels.shape for labels in given], np.int64) if axes == 2 and all(labels.ndim == 2 for labels in given) else None
    lengths = np.array([labels.size for labels in given], dtype=np.int64)
    found = Ragged(_joined([labels.reshape(-1) for labels in given]), lengths, sizes)
    if shapes is not None:
        check_same_positions(found, shapes)
    if whole and repeats_tokens(found.values, rows):
        raise BadInput(REPEATED)
    return found


def truth_of_positions(y: Any, form: AnswerForm, rows: Any, shapes: NDArray[np.int64] | None = None, *, whole: bool = True) -> Ragged:
    """The class code of every position that the attention mask leaves, `IGNORED` where it does not count.

    Args:
        y: for each row an array of class names, (tokens,) or (height, width), or an array of them all; -100 or None is ignored.
        form: the form of the answers.
        rows: the rows; several inputs have an attention mask.
        shapes: (rows, 1) lengths, or (rows, 2) heights and widths, of the answers to each row; None if they are not known.
        whole: whether these are all rows, so that labels that are the tokens themselves are refused; in a small batch that is chance.

    Raises:
        ShapeError: another number of rows, or of positions in a row. LabelMismatch: a name that is not among the classes.
            BadInput: a form of labels or values.
    """
    names = names_of_positions(y, form, rows, shapes, whole=whole)
    ignored = ignored_names(names.values)
    codes = np.full(len(names.values), IGNORED, dtype=np.int64)
    if not ignored.all():
        try:
            codes[~ignored] = form.of_each_position.codes(names.values[~ignored])
        except LabelMismatch as error:
            raise LabelMismatch(f"{error} {VOID}") from error
    return replace(names, values=codes)


def check_same_positions(truth: Ragged, shapes: NDArray[np.int64], what: str = "y") -> None:
    """Check that there is a label for each answer.

    Args:
        truth: the labels of each row.
        shapes: (rows, 1) lengths, or (rows, 2) heights and widths, of the answers to each row.
        what: the subject of the error.

    Raises:
        ShapeError: a row with other positions, or a picture of another height or width.
    """
    sizes = truth.shapes if shapes.shape[1] == 2 else None
    wrong = np.flatnonzero(truth.lengths != shapes.prod(axis=1) if sizes is None else np.any(sizes != shapes, axis=1))
    if not len(wrong):
        return
    row = int(wrong[0])
    shape, size = tuple(shapes[row].tolist()), None if sizes is None else tuple(sizes[row].tolist())
    found = f"{truth.lengths[row]} labels" if size is None else f"shape {size}"
    expected = f"{shape[0]} answers" if len(shape) == 1 else f"answers of height {shape[0]} and width {shape[1]}"
    remedy = "" if size is None else f" {size_remedy(shape, size)}"
    raise ShapeError(f"row {row} of {what} has {found}, and {expected}; expected one for each.{remedy}")


def size_remedy(answered: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """What to do about answers to pictures of another height and width than is expected."""
    if answered == expected[::-1]:
        return "Height comes before width; transpose the one that has them the other way round."
    return (
        "Bring a network's answers to this size with output=, such as "
        f"output=lambda returned: torch.nn.functional.interpolate(returned.logits, size={expected})."
    )


def ignored_names(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of some class names are -100 or None, which do not count."""
    if labels.dtype.kind == "O":
        return np.array([label is None or (not isinstance(label, str) and label == IGNORED) for label in labels], dtype=bool)
    return np.asarray(labels == IGNORED) if labels.dtype.kind in "iuf" else np.zeros(len(labels), dtype=bool)


def _names_of(row: Any, axes: int) -> NDArray[Any]:
    """The class names of a row, (tokens,) or (height, width), also of one channel; a list of texts among which -100 stands keeps both."""
    array = tensor_array(row) if hasattr(row, "detach") else np.asarray(row) if hasattr(row, "dtype") else np.array(row, dtype=object)
    if array.ndim == axes + 1 and 1 in (array.shape[0], array.shape[-1]):
        array = array[0] if array.shape[0] == 1 else array[..., 0]
    if array.ndim > axes:
        expected = "(tokens,)" if axes == 1 else "(height, width)"
        raise ShapeError(f"a row of y has shape {array.shape}; expected one class name for each position, {expected}.")
    if array.ndim == 0:
        raise ShapeError(
            f"y has one label per row ({row!r}), and the answers have one for each position; pass the class names of each token or pixel."
        )
    return array


def _joined(rows: list[NDArray[Any]]) -> NDArray[Any]:
    """All labels in one array; as objects if rows have names of different kinds, which NumPy would turn into texts."""
    kinds = {labels.dtype.kind for labels in rows if labels.size}
    if len(kinds) > 1 and not kinds <= set("biuf"):
        rows = [labels.astype(object) for labels in rows]
    return np.concatenate([labels for labels in rows if labels.size] or [np.zeros(0, np.int64)])


REPEATED = (
    "every label is the token at its own position, which the network sees; a causal model learns the next one: leave labels out of the "
    "rows, and pass y=tl.training.next_tokens(rows)."
)
"""Why the tokens themselves are no truth, which a causal model gets from those who leave the shift to it."""


def repeats_tokens(labels: NDArray[Any], rows: Any) -> bool:
    """Whether the label of every position that counts is the token at this position."""
    ids = rows.fields.get("input_ids") if isinstance(rows, StructuredRows) else None
    if ids is None:
        return False
    counting = rows.counting()
    tokens = ids.values if isinstance(ids, Ragged) else ids.reshape(-1)
    tokens = tokens[counting.values] if counting is not None and len(counting.values) == len(tokens) else tokens
    if len(labels) != len(tokens) or labels.dtype.kind not in "iuO":
        return False
    learnt = ~ignored_names(labels)
    return len(set(tokens[learnt].tolist())) > 1 and labels[learnt].tolist() == tokens[learnt].tolist()
