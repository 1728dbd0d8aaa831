"""The ground truth that comes with rows of any kind: beside several inputs, in a column, or in the items of a Dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import tensor_array
from tutelage.core.errors import BadInput
from tutelage.data.rows import Rows, as_rows, is_hugging_face
from tutelage.data.structures.structured import TRUTH
from tutelage.data.torch_data.loader_rows import is_loader, is_read_by_items


def given_truth(X: Any, y: Any, form: AnswerForm | None = None) -> Any:
    """The ground truth of rows: y, or the `labels` of several inputs; None if neither is given, or if it is in the items of a Dataset.

    Args:
        X: rows, as in `as_rows`.
        y: the ground truth, or None.
        form: the form of the answers, for class names that a Hugging Face Dataset codes by number.

    Raises:
        BadInput: both are given.
    """
    names = X if isinstance(X, Mapping) else X.column_names if is_hugging_face(X) and not is_read_by_items(X) else ()
    beside = next((X[name] for name in TRUTH if name in names), None)
    if beside is not None and y is not None:
        raise BadInput("the rows hold labels, and y is given too; pass one of the two.")
    return y if beside is None else in_words(beside, X, form)


def rows_and_truth(X: Any, y: Any, form: AnswerForm | None = None) -> tuple[Rows, Any]:
    """Rows and their ground truth, or None; the items of a Dataset or a DataLoader are read once, for both, into memory.

    Where y is given, what a Dataset pairs with its inputs is not read. `Rows` are returned as they are, with y.

    Raises:
        as `as_rows` and `given_truth`.
    """
    rows = as_rows(X, by_position=by_position(form))
    y = given_truth(X, y, form)
    if y is not None or rows is X or rows.paired is None:
        return rows, y
    inputs, beside = rows.paired(0, rows.count)
    return as_rows(inputs), None if beside is None else in_words(beside, X, form)


def by_position(form: AnswerForm | None) -> bool:
    """Whether each token or pixel has an answer."""
    return form is not None and form.positions is not None


def in_words(codes: Any, X: Any, form: AnswerForm | None) -> Any:
    """Ground truth of rows, by the class names that a Hugging Face Dataset, or the one in a DataLoader, has for its numbers.

    Where the classes of the answers are numbers themselves, or the Dataset names none, it is returned as it is.
    """
    names = label_names(X) if form is not None and any(isinstance(name, str) for name in form.classes) else None
    return codes if names is None else named(codes, names)


def label_names(X: Any) -> tuple[str, ...] | None:
    """The names of the labels of a Hugging Face Dataset, or of the one in a DataLoader, by number; None if it has none."""
    dataset = X.dataset if is_loader(X) else X
    if not is_hugging_face(dataset):
        return getattr(dataset, "class_label_names", None)  # as they were before its items were read
    features = dataset.features or {}  # those of a generator are not known
    feature: Any = next((features[name] for name in TRUTH if name in features), None)
    while hasattr(feature, "feature"):  # a sequence of labels
        feature = feature.feature
    names = getattr(feature, "names", None)
    return None if names is None else tuple(names)


def named(codes: Any, names: tuple[str, ...]) -> Any:
    """Numbers as names, in lists as deep as they were; numbers that are no place among the names, such as -100, stay."""
    values = tensor_array(codes) if hasattr(codes, "detach") else codes
    if isinstance(values, np.ndarray) and values.ndim == 0:
        values = values.item()
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        place = isinstance(values, int | np.integer) and not isinstance(values, bool) and 0 <= values < len(names)
        return names[int(values)] if place else values
    return [named(value, names) for value in values]
