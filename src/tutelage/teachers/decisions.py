"""What a model decides by a rule of its own, which need not be its most probable class: a tuned threshold, support vectors."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.contracts import Teacher
from tutelage.core.errors import FOREIGN, one_line
from tutelage.teachers.inputs import copied_rows

Decisions = NDArray[np.intp]


def own_rule(teacher: Teacher) -> Callable[[Any], Any]:
    """The `decide` of a teacher that has a rule of its own, else a function that returns None; a teacher around it decides by it."""
    return getattr(teacher, "decide", lambda inputs: None)


def decided_by(model: Any, method: str, inputs: Any, rows: int, form: AnswerForm) -> Decisions | None:
    """What a method of a model decides, as the columns of its answers.

    Args:
        model: that may have the method.
        method: its name, "decide" of a Teacher or "predict".
        inputs: the rows.
        rows: their number.
        form: what the columns are.

    Returns:
        (rows,) column numbers, or (rows, labels) of 0 and 1 for multilabel; None for values, for a model without the method or a rule,
        and for one that returns something else than classes.
    """
    decide = getattr(model, method, None)
    if form.task == "regression" or not callable(decide):
        return None
    try:
        decided = decide(copied_rows(inputs))
        predicted = np.asarray(decided)
    except FOREIGN as error:  # the student's own code, which may raise anything
        warnings.warn(
            f"predict of {type(model).__name__} fails on these rows ({one_line(error)}); the most probable classes count as its decisions.",
            stacklevel=3,
        )
        return None
    if decided is None:  # of a teacher that holds another one, which has no rule
        return None
    if form.task == "multilabel":
        return _labels_on(predicted, (rows, len(form.classes)))
    return _codes(predicted, rows, form, type(model).__name__)


def _codes(predicted: Any, rows: int, form: AnswerForm, kind: str) -> Decisions | None:
    if predicted.shape not in ((rows,), (rows, 1)):
        return None
    codes = form.codes(predicted, rows, unknown="mark")
    if (codes < 0).any():
        stranger = str(predicted.ravel()[int(codes.argmin())])
        warnings.warn(
            f"predict of {kind} returns {stranger!r}, which is not among its classes_; the most probable classes count as its decisions.",
            stacklevel=2,
        )
        return None
    return codes


def _labels_on(predicted: Any, shape: tuple[int, int]) -> Decisions | None:
    if predicted.shape != shape or predicted.dtype.kind not in "biuf" or not np.isin(predicted, (0, 1)).all():
        return None
    return np.asarray(predicted, dtype=np.intp)
