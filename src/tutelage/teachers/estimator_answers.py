"""What a scikit-learn estimator stores of its answers: classes, labels, and what it needs beside the rows."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tutelage.core.answer_values.class_names import plain
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput
from tutelage.teachers.booster_columns import booster_engine


def last_step(estimator: Any) -> Any:
    """The last step of a Pipeline, the best estimator of a search, or the estimator that is frozen."""
    while True:
        inner = _unwrapped(estimator)
        if inner is estimator and not hasattr(estimator, "steps"):
            return estimator
        estimator = estimator.steps[-1][1] if inner is estimator else inner


def steps_before_last(estimator: Any) -> list[Any]:
    """The fitted transformers that rows pass before they reach the last step."""
    steps: list[Any] = []
    while True:
        inner = _unwrapped(estimator)
        if inner is estimator and not hasattr(estimator, "steps"):
            return steps
        if inner is estimator:
            steps += [step for _, step in estimator.steps[:-1] if hasattr(step, "transform")]  # not "passthrough", nor a sampler
            inner = estimator.steps[-1][1]
        estimator = inner


def _unwrapped(estimator: Any) -> Any:
    if hasattr(estimator, "best_estimator_"):
        return estimator.best_estimator_
    return estimator.estimator if type(estimator).__name__ == "FrozenEstimator" else estimator


def classes_of(estimator: Any) -> Sequence[Any]:
    """`classes_` as a list: class labels, or for multiple outputs the classes of each; empty for a regressor.

    Raises:
        BadInput: a set or a mapping, which does not say the order of the columns.
    """
    classes = getattr(estimator, "classes_", None)
    if isinstance(classes, set | frozenset | Mapping):
        raise BadInput(
            f"classes_ of {type(estimator).__name__} is a {type(classes).__name__}; expected a list, in the order of the columns."
        )
    return () if classes is None else list(classes)


def multilabel_count(estimator: Any) -> int | None:
    """Number of independent labels, each on or off; None if the estimator predicts one class per row.

    Raises:
        BadInput: multiple outputs, one of them with more than two classes.
    """
    last = last_step(estimator)
    classes = classes_of(last)
    engine = booster_engine(last)
    if engine == "xgboost":  # its classes_ are 0 and 1, however many labels there are
        targets = int(json.loads(last.get_booster().save_config())["learner"]["learner_model_param"].get("num_target", 1))
        return targets if targets > 1 else None
    if engine == "catboost":
        multilabel = str(last.get_all_params().get("loss_function", "")).startswith(("MultiLogloss", "MultiCrossEntropy"))
        return len(classes) if multilabel else None
    if all(isinstance(states, np.ndarray | list | tuple) for states in classes):
        for states in classes:
            _check_on_or_off(states, type(last).__name__)
        return len(classes)
    binarizer = getattr(last, "label_binarizer_", None) or getattr(last, "_label_binarizer", None)
    multilabel = bool(getattr(last, "multilabel_", False)) or str(getattr(binarizer, "y_type_", "")).startswith("multilabel")
    return len(classes) if multilabel else None


def _check_on_or_off(states: Any, kind: str) -> None:
    if len(states) > 2:
        raise BadInput(f"{kind} has multiple outputs, one of them with {len(states)} classes; make a teacher of each output.")
    if len(states) == 1 and plain(states[0]) not in (0, 1):
        raise BadInput(
            f"{kind} was fitted on a label that is always {plain(states[0])!r}, which does not show whether it is on or off: use 0 and 1."
        )


def on_probabilities(answers: Sequence[Any], classes: Sequence[Any]) -> Floats:
    """(rows, labels) probability that each label is on, from one array for each label, also if only one state occurred in training."""
    return np.column_stack([_probability_on(np.asarray(one), states) for one, states in zip(answers, classes, strict=True)])


def _probability_on(probabilities: Floats, states: Any) -> Floats:
    if len(states) == 2:
        return np.asarray(probabilities[:, 1])
    return np.full(len(probabilities), float(plain(states[0])))


def refuse_metadata(estimator: Any, method: str) -> None:
    """Refuse an estimator whose answers need more than rows.

    Raises:
        BadInput: names what it needs.
    """
    try:
        parameters = list(inspect.signature(getattr(estimator, method)).parameters.values())[1:]
    except (AttributeError, TypeError, ValueError):  # not a Python function
        return
    needed = [one.name for one in parameters if one.default is one.empty and one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    if needed:
        raise BadInput(
            f"{method} of {type(estimator).__name__} needs {', '.join(needed)} beside the rows, which a teacher is not given; pass a "
            "function of the rows alone that supplies it, with kind= and classes=."
        )
