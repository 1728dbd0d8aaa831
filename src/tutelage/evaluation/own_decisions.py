"""A model's own decisions, where its `predict` is not the most probable class: a tuned threshold, calibrated support vectors."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import one_line
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
    decide = getattr(model, "decide" if isinstance(model, Teacher) else "predict", None)
    if form.task == "regression" or not callable(decide):
        return None
    try:
        predicted = np.asarray(decide(inputs))
    except Exception as error:  # the student's own code, which may raise anything
        warnings.warn(
            f"predict of {type(model).__name__} fails on these rows ({one_line(error)}); the most probable classes count as its decisions.",
            stacklevel=2,
        )
        return None
    found = _labels_on(predicted, answers) if form.task == "multilabel" else _codes(predicted, len(answers), form, type(model).__name__)
    return None if found is None or np.array_equal(found, decisions(as_distributions(answers, form.task))) else found


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


def _labels_on(predicted: Any, answers: Floats) -> Decisions | None:
    if predicted.shape != answers.shape or predicted.dtype.kind not in "biuf" or not np.isin(predicted, (0, 1)).all():
        return None
    return np.asarray(predicted, dtype=np.intp)
