"""A model's own decisions, where its `predict` is not the most probable class: a tuned threshold, calibrated support vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.evaluation.metrics.agreement import Decisions, as_distributions, decisions
from tutelage.teachers.decisions import decided_by


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
