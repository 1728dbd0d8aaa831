"""The ground truth as the losses take it: of rows in memory, of the items of a Dataset, and of parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.rows import as_rows, is_hugging_face
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.structured import StructuredRows, is_structure
from tutelage.data.torch_data.loader_rows import is_loader
from tutelage.data.truth.given_truth import by_position, given_truth, in_words
from tutelage.data.truth.position_truth import truth_of_positions
from tutelage.data.views import Views
from tutelage.softlabels.streaming.part import Part
from tutelage.training.feeding.read_parts import position_codes


def truth_tensor(y: Any, form: AnswerForm, rows: Any = None) -> Tensor | Ragged:
    """The ground truth as the losses take it: int64 class codes, or float32; the codes of every position as `Ragged`.

    Raises:
        LabelMismatch, ShapeError, BadInput: as `AnswerForm.truth`, and `truth_of_positions`.
    """
    if form.positions is not None:
        return truth_of_positions(y, form, rows)
    truth = form.truth(y)
    return torch.from_numpy(truth if truth.ndim == 1 else truth.astype(np.float32))


def truth_of_items(form: AnswerForm, data: Any, y: Any, rows: Any) -> Tensor:
    """The ground truth of each row of a batch of a Dataset, or of each position: (batch, tokens) or (batch, height, width).

    Where a mask says which tokens of each row count, it is (positions,).

    Raises:
        ShapeError: another number of labels in some rows of a batch than in others. as `truth_tensor`.
    """
    words = in_words(y, data, form)
    found = truth_of_positions(words, form, rows, whole=False) if by_position(form) else truth_tensor(words, form, rows)
    if not isinstance(found, Ragged):
        return found
    values = torch.from_numpy(found.values)
    if form.positions == "tokens" and isinstance(rows, StructuredRows) and rows.counting() is not None:
        return values
    shapes = found.lengths[:, None] if found.shapes is None else found.shapes
    odd = np.flatnonzero((shapes != shapes[:1]).any(axis=1))
    if len(odd):
        first, other = (" x ".join(map(str, shapes[row])) for row in (0, odd[0]))
        raise ShapeError(
            f"a batch of the Dataset has {first} and {other} labels of rows that were put together; expected one for each token or pixel, "
            "padded with -100 as far as the inputs are."
        )
    return values.reshape(len(found), *shapes[0].tolist())


def truth_of_part(part: Part, form: AnswerForm) -> Tensor:
    """The ground truth of some rows, or of each of their positions."""
    if by_position(form):
        return torch.from_numpy(position_codes(part, form).values)
    found = truth_tensor(part.y, form)
    return torch.from_numpy(found.values) if isinstance(found, Ragged) else found


def truth_of(X: Any, y: Any, form: AnswerForm, *, is_read: bool = True) -> Tensor | Ragged | None:
    """The ground truth of these rows: y, or the `labels` of several inputs; None if it is unknown, or in a Dataset.

    Args:
        X: the rows.
        y: the ground truth, or None.
        form: the form of the student's answers.
        is_read: whether anything reads the class of a row; if not, `labels` beside the inputs are left out, whatever they hold.

    Raises:
        BadInput: both are given; y of the positions of `Views`. LabelMismatch, ShapeError: as `truth_tensor`.
    """
    found = given_truth(X, y, form)
    if found is None or (y is None and not is_read and form.positions is None):
        return None
    if isinstance(X, Views) and form.positions is not None:
        raise BadInput(
            f"y labels the {form.positions} of the rows, and X is Views, which may move them; leave y out, and learn from a teacher that "
            "answers each view, or pass a Dataset that augments inputs and labels alike."
        )
    return truth_tensor(found, form, X.dataset if is_loader(X) else whole_structure(X))


def whole_structure(X: Any) -> Any:
    """Rows of several inputs as one structure; any others as they are."""
    if is_structure(X):
        return StructuredRows.of(X)
    if not is_hugging_face(X):
        return X
    rows = as_rows(X)
    return rows.part(0, rows.count) if rows.kind == "structure" else X
