"""A fitted scikit-learn estimator as a teacher."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np

from tutelage.core.answers import AnswerForm, of_classes, plain
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, one_line
from tutelage.core.hashing import content_hash
from tutelage.teachers.inputs import for_booster, for_model, framed, refusing, row_count


@dataclass(frozen=True, eq=False)
class EstimatorTeacher:
    """Asks a classifier for probabilities (in the order of its `classes_`) or a regressor for values.

    Attributes:
        estimator: fitted; a Pipeline and a search count as what they end in.
        names: of the labels, for a multilabel classifier (0, 1, ... if not given).
    """

    estimator: Any
    names: tuple[Any, ...] | None = None

    def __post_init__(self) -> None:
        kind = type(self.estimator).__name__
        if hasattr(self.estimator, "__sklearn_tags__"):
            _check_fitted(self.estimator)
        if self._has_classes and not hasattr(self.estimator, "predict_proba"):
            raise BadInput(f"{kind} has classes but no predict_proba; wrap it in CalibratedClassifierCV.")
        if not self._has_classes and hasattr(self.estimator, "predict_proba"):
            raise BadInput(f"{kind} has predict_proba but no classes_, so its columns have no labels: fit it, or wrap predict_proba.")
        if self.form.task != "multilabel" and self.names is not None:
            raise BadInput(f"{kind} knows its own labels, or has none: leave classes= out.")

    @property
    def _has_classes(self) -> bool:
        return len(getattr(self.estimator, "classes_", ())) > 0

    @property
    def form(self) -> AnswerForm:
        """Probabilities in the order of the estimator's `classes_`, of each label for multilabel, or values."""
        if not self._has_classes:
            return AnswerForm("values", "regression")
        if not _is_multilabel(self.estimator):
            return of_classes("probabilities", self.estimator.classes_)
        labels = range(len(self.estimator.classes_)) if self.names is None else self.names
        if len(labels) != len(self.estimator.classes_):
            raise BadInput(f"{len(labels)} names for {len(self.estimator.classes_)} labels; pass classes= with one for each.")
        return AnswerForm("probabilities", "multilabel", tuple(labels))

    @property
    def fingerprint(self) -> str:
        """Hash of everything that the estimator holds now, the same in every process that loads it.

        Raises:
            BadInput: it holds something that cannot be pickled, such as a lambda.
        """
        kind = type(self.estimator).__name__
        try:
            return f"{kind}:{content_hash(self.estimator)}"
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise BadInput(
                f"this {kind} holds something that cannot be pickled ({one_line(error)}), so it cannot be named; "
                "use a function of a module in place of a lambda."
            ) from error

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) probabilities, or (rows, outputs) values.

        Raises:
            BadInput: the rows lack columns that the estimator learnt from, or hold what it cannot take.
                NotProbabilities, ShapeError: its answers are not what it should give.
        """
        count = row_count(inputs)
        with refusing(f"this {type(self.estimator).__name__}"):
            rows = self._taken(inputs)
            said = self.estimator.predict(rows) if self.form.kind == "values" else self._probabilities(rows)
        return self.form.check(said, count)

    def _probabilities(self, rows: Any) -> Any:
        said = self.estimator.predict_proba(rows)
        if not isinstance(said, list):
            return said
        return np.column_stack([_second(p, of) for p, of in zip(said, self.estimator.classes_, strict=True)])

    def _taken(self, inputs: Any) -> Any:
        told = getattr(self.estimator, "feature_names_in_", None)
        names = None if told is None else [str(name) for name in told]
        rows = framed(for_model(inputs, names), names)
        return for_booster(rows) if type(_last(self.estimator)).__module__.startswith(("lightgbm.", "xgboost.")) else rows


def _check_fitted(estimator: Any) -> None:
    from sklearn.base import is_clusterer, is_outlier_detector
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    kind = type(estimator).__name__
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise BadInput(f"this {kind} is not fitted; a teacher must know something: fit it first.") from error
    if is_clusterer(estimator) or is_outlier_detector(estimator):
        raise BadInput(f"{kind} finds groups or outliers; a teacher is a classifier or a regressor.")


def _last(estimator: Any) -> Any:
    """What a Pipeline or a search ends in."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def _is_multilabel(estimator: Any) -> bool:
    """Whether every answer is about a label of its own.

    Raises:
        BadInput: several outputs of several classes each.
    """
    last = _last(estimator)
    of_each = last.classes_
    if isinstance(of_each, list):
        for classes in of_each:
            _check_on_or_off(classes, type(last).__name__)
        return True
    binarizer = getattr(last, "label_binarizer_", None) or getattr(last, "_label_binarizer", None)
    return bool(getattr(last, "multilabel_", False)) or str(getattr(binarizer, "y_type_", "")).startswith("multilabel")


def _check_on_or_off(classes: Any, kind: str) -> None:
    if len(classes) > 2:
        raise BadInput(f"{kind} has outputs of {len(classes)} classes beside others; make a teacher of each output.")
    if len(classes) == 1 and plain(classes[0]) not in (0, 1):
        raise BadInput(f"{kind} saw a label that is always {plain(classes[0])!r}; whether that is on or off is not known: use 0 and 1.")


def _second(probabilities: Floats, classes: Any) -> Floats:
    """(rows,) probability that a label is on, also where only one of its two states was ever seen."""
    if len(classes) == 2:
        return np.asarray(probabilities[:, 1])
    return np.full(len(probabilities), float(plain(classes[0])))
