"""Weights by class: what a mistake about a row of each class costs, besides the weight of the row.

A row weighs its own weight times that of its true class, in training and in every figure. Where classes weigh differently, the best
decision is the class of the highest weighted probability, so the teacher's probabilities are multiplied by the weights as well: the teacher
decides by them, and students learn from them what they would learn from weighted rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tutelage.core.answer_values.class_names import list_classes
from tutelage.core.answers import AnswerForm
from tutelage.core.arguments import number
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, did_you_mean, shown

BALANCED = "balanced"
EXPECTED = f"{BALANCED!r} or a dict from classes to weights, such as {{'fraud': 10, 'ok': 1}}"
ClassWeight = str | Mapping[Any, float] | None


def checked_class_weight(given: Any, form: AnswerForm, *, has_truth: bool) -> ClassWeight:
    """What the user asked for: "balanced", or the weight of every class in order; 1 for those that are not named.

    Args:
        given: "balanced", a dict from classes (as they are, or as they are printed) to weights, or None.
        form: of the teacher's answers.
        has_truth: whether the ground truth is known.

    Raises:
        BadInput: another value, an unknown class, a negative weight or only zeros, values or several labels instead of classes, or
            "balanced" without a ground truth to count.

    Example:
        >>> from tutelage.core.answers import of_classes
        >>> checked_class_weight({"fraud": 10}, of_classes("probabilities", ["ok", "fraud"]), has_truth=True)
        {'ok': 1.0, 'fraud': 10.0}
    """
    if given is None:
        return None
    if form.task not in ("binary", "multiclass"):
        kind = "values" if form.task == "regression" else "several labels"
        raise BadInput(f"class_weight is {shown(given)}, and the teacher answers with {kind}; leave it out, or weigh the rows themselves.")
    if isinstance(given, str) and given == BALANCED:
        if not has_truth:
            raise BadInput(
                f"class_weight is {BALANCED!r}, and there is no ground truth whose classes could be counted; pass weights by class."
            )
        return BALANCED
    if not isinstance(given, Mapping) or not given:
        raise BadInput(f"class_weight is {shown(given)}; expected {EXPECTED}.")
    found = dict.fromkeys(form.classes, 1.0)
    for name, weight in given.items():
        found[_class_named(name, form)] = number(f"class_weight of {name!r}", weight, least=0, most=1e9)
    if not any(found.values()):
        raise BadInput(f"class_weight gives every class the weight 0; expected {EXPECTED}, at least one of them above 0.")
    return found


def class_weights_of(asked: ClassWeight, form: AnswerForm, truth: Floats | None, weights: Floats | None) -> Floats | None:
    """(classes,) weights; None if none are asked for.

    Balanced weights let every class of the ground truth weigh the same in total, and rows 1 on average. A class that has no row, or none
    that weighs anything, weighs 1.

    Args:
        asked: from `checked_class_weight`.
        form: of the teacher's answers.
        truth: (rows, classes) ground truth of the rows to train and validate on, one-hot.
        weights: (rows,) their own weights; None if they weigh the same.

    Example:
        >>> from tutelage.core.answers import of_classes
        >>> form = of_classes("probabilities", ["ok", "fraud"])
        >>> class_weights_of("balanced", form, np.array([[1.0, 0.0]] * 9 + [[0.0, 1.0]]), None).round(2)
        array([0.56, 5.  ])
    """
    if asked == BALANCED and truth is None:
        raise BadInput("balanced weights need the ground truth; pass it.")
    totals = np.zeros(0) if truth is None else truth.sum(axis=0) if weights is None else weights @ truth
    return None if asked is None else weights_of_totals(asked, form, totals)


def weights_of_totals(asked: str | Mapping[Any, float], form: AnswerForm, totals: Floats) -> Floats:
    """(classes,) weights, as `class_weights_of`.

    Args:
        asked: from `checked_class_weight`.
        form: of the answers.
        totals: (classes,) what the rows of each class weigh together; they are not read unless the weights are balanced.
    """
    if isinstance(asked, Mapping):
        return np.array([asked[name] for name in form.classes], dtype=np.float64)
    seen = totals > 0
    found = np.ones(len(totals))
    found[seen] = totals.sum() / (seen.sum() * totals[seen])
    return found


def row_weights(own: Floats | None, class_weights: Floats | None, probabilities: Floats | None) -> Floats | None:
    """(rows,) what each row weighs: its own weight times that of its class; None if all rows weigh the same.

    Args:
        own: (rows,) weights of the rows; None if they weigh the same.
        class_weights: (classes,); None if all classes weigh the same.
        probabilities: (rows, classes) of the true class; where it is not known those of the teacher, whose mean weight counts.
    """
    if class_weights is None or probabilities is None:
        return own
    by_class = np.asarray(probabilities @ class_weights, dtype=np.float64)
    return by_class if own is None else own * by_class


def weighted_answers(answers: Floats, form: AnswerForm, class_weights: Floats | None) -> Floats:
    """(rows, classes) answers of a form with each class's probability multiplied by its weight, and rows that sum to one again.

    A row of which nothing would be left stays as it is.

    Example:
        >>> from tutelage.core.answers import of_classes
        >>> form = of_classes("probabilities", ["ok", "fraud"])
        >>> weighted_answers(np.array([[0.8, 0.2], [1.0, 0.0]]), form, np.array([1.0, 4.0])).round(2)
        array([[0.5, 0.5],
               [1. , 0. ]])
    """
    if class_weights is None:
        return answers
    with np.errstate(divide="ignore"):
        weighted = answers + np.log(class_weights) if form.kind == "logits" else answers * class_weights
    if form.kind == "logits":
        return np.where(np.isneginf(weighted).all(axis=1, keepdims=True), answers, weighted)
    totals = weighted.sum(axis=1, keepdims=True)
    return np.where(totals > 0, weighted / np.where(totals > 0, totals, 1), answers)


def weights_by_name(class_weights: Floats | None, form: AnswerForm) -> dict[str, float]:
    """The weight of each class by its name; empty if all weigh the same."""
    return {} if class_weights is None else {str(name): float(one) for name, one in zip(form.classes, class_weights, strict=True)}


def _class_named(name: Any, form: AnswerForm) -> Any:
    exact = [one for one in form.classes if one == name and isinstance(one, str) == isinstance(name, str)]
    found = exact or [one for one in form.classes if str(one) == str(name)]
    if len(found) != 1:
        hint = did_you_mean(str(name), [str(one) for one in form.classes])
        raise BadInput(f"class_weight names the class {name!r}; expected classes of the teacher, {list_classes(form.classes)}.{hint}")
    return found[0]
