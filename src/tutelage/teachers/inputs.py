"""Rows as a fitted model wants them: its own columns in its own order, or a plain matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tutelage.core.errors import BadInput


def is_frame(rows: Any) -> bool:
    """Whether rows have named columns."""
    return hasattr(rows, "columns") and hasattr(rows, "shape")


def for_model(rows: Any, names: Sequence[str] | None) -> Any:
    """Rows for a model that learnt from columns of these names, or from nameless ones.

    Named columns are found by name, whatever their order; columns that the model does not know are left out. A matrix
    for a model that knows names is taken in its order. A frame for a model of texts is its one column.

    Args:
        rows: an array, tensor, frame, sparse matrix or texts.
        names: of the model's columns; None if it learnt from a matrix or texts.

    Raises:
        BadInput: columns are missing, or a matrix is of another width.
    """
    if hasattr(rows, "detach"):
        rows = rows.detach().cpu().numpy()
    if is_frame(rows):
        return _of_frame(rows, names)
    if names is None or not isinstance(rows, np.ndarray) or rows.ndim != 2:
        return rows
    if rows.shape[1] != len(names):
        raise BadInput(f"the rows have {rows.shape[1]} columns; the teacher learnt from {len(names)}: {_listed(names)}.")
    import pandas as pd  # whoever learnt from a frame has it

    return pd.DataFrame(rows, columns=list(names))


def _of_frame(rows: Any, names: Sequence[str] | None) -> Any:
    there = [str(name) for name in rows.columns]
    if names is None:
        if len(there) == 1 and rows.to_numpy().dtype.kind in "OUT":
            return [str(text) for text in rows.to_numpy().ravel()]
        return rows.to_numpy()
    lacking = [name for name in names if name not in there]
    if lacking:
        raise BadInput(f"the rows lack the columns {_listed(lacking)}, which the teacher learnt from; they have {_listed(there)}.")
    if there == list(names):
        return rows
    return rows.select(list(names)) if hasattr(rows, "select") else rows[[rows.columns[there.index(name)] for name in names]]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:6])) + (", ..." if len(names) > 6 else "")
