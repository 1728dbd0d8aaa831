"""A model's own decisions, where its `predict` is not the most probable class: a tuned threshold, calibrated support vectors."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import FOREIGN, one_line
from tutelage.evaluation.metrics.agreement import Decisions, as_distributions, decisions


def own_decisions(model: Any, inputs: Any, answers: Floats, form: AnswerForm) -> Decisions | None:
    """The decisions of a model's `predict`, if they are not everywhere those of its most probable classes.

    Args:
        model: a student with `predict`, or a Teacher; a Teacher that wraps an estimator has `decide`.
        inputs: the rows.
        answers: (rows, columns) the model's probabilities for these rows.
        form: what the columns are.

    Returns:
        (rows,) column numbers, or (rows, labels) of 0 and 1 for multilabel; None for values, for a model without `predict`, for
        a `predict` that returns something else than classes, and if both rules decide alike.
    """
    found = decided_by(model, "decide" if isinstance(model, Teacher) else "predict", inputs, len(answers), form)
    return None if found is None or np.array_equal(found, decisions(as_distributions(answers, form.task))) else found


def decided_by(model: Any, method: str, inputs: Any, rows: int, form: AnswerForm) -> Decisions | None:
    """What a method of a model decides, as `own_decisions` returns it.

    Args:
        model: that may have the method.
        method: its name, "decide" of a Teacher or "predict".
        inputs: the rows.
        rows: their number.
        form: what the columns are.

    Returns:
        (rows,) column numbers, or (rows, labels) of 0 and 1 for multilabel; None for values, for a model without the method, and for one
        that returns something else than classes.
    """
    decide = getattr(model, method, None)
    if form.task == "regression" or not callable(decide):
        return None
    try:
        predicted = np.asarray(decide(inputs))
    except FOREIGN as error:  # the student's own code, which may raise anything
        warnings.warn(
            f"predict of {type(model).__name__} fails on these rows ({one_line(error)}); the most probable classes count as its decisions.",
            stacklevel=3,
        )
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
