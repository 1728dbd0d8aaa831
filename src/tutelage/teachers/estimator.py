"""A fitted scikit-learn estimator as a teacher."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput
from tutelage.teachers.inputs import for_model


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
        from sklearn.base import is_clusterer, is_outlier_detector
        from sklearn.exceptions import NotFittedError
        from sklearn.utils.validation import check_is_fitted

        kind = type(self.estimator).__name__
        try:
            check_is_fitted(self.estimator)
        except NotFittedError as error:
            raise BadInput(f"this {kind} is not fitted; a teacher must know something: fit it first.") from error
        if is_clusterer(self.estimator) or is_outlier_detector(self.estimator):
            raise BadInput(f"{kind} finds groups or outliers; a teacher is a classifier or a regressor.")
        if self._has_classes and not hasattr(self.estimator, "predict_proba"):
            raise BadInput(f"{kind} has classes but no predict_proba; wrap it in CalibratedClassifierCV.")
        if self.names is not None and self.form.task != "multilabel":
            raise BadInput(f"{kind} knows its classes_: leave classes= out.")

    @property
    def _has_classes(self) -> bool:
        return hasattr(self.estimator, "classes_")

    @cached_property
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

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything that the fitted estimator holds, the same in every process that loads it."""
        import joblib

        # Through a pickle and back: equal objects that were built differently share no identities to tell them apart.
        return f"{type(self.estimator).__name__}:{joblib.hash(pickle.loads(pickle.dumps(self.estimator)))}"  # noqa: S301 - our own bytes

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) probabilities, or (rows, outputs) values.

        Raises:
            BadInput: the rows lack columns that the estimator learnt from. NotProbabilities, ShapeError: its answers
                are not what it should give.
        """
        rows = self._taken(inputs)
        if self.form.kind == "values":
            said = np.asarray(self.estimator.predict(rows))
        else:
            said = self.estimator.predict_proba(rows)
            if isinstance(said, list):
                said = np.column_stack([_second(p, of) for p, of in zip(said, self.estimator.classes_, strict=True)])
        return self.form.check(said, len(said))

    def _taken(self, inputs: Any) -> Any:
        if type(self.estimator).__module__.startswith("catboost"):
            return inputs  # it compares names itself
        names = getattr(self.estimator, "feature_names_in_", None)
        rows = for_model(inputs, None if names is None else [str(name) for name in names])
        foreign = type(_last(self.estimator)).__module__.partition(".")[0] in ("lightgbm", "xgboost")
        return rows.to_pandas() if foreign and hasattr(rows, "to_pandas") else rows


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
        many = [len(of) for of in of_each if len(of) > 2]
        if many:
            raise BadInput(f"{type(last).__name__} has outputs of {many[0]} classes beside others; make a teacher of each output.")
        return True
    binarizer = getattr(last, "label_binarizer_", None) or getattr(last, "_label_binarizer", None)
    return bool(getattr(last, "multilabel_", False)) or str(getattr(binarizer, "y_type_", "")).startswith("multilabel")


def _second(probabilities: Floats, classes: Any) -> Floats:
    """(rows,) probability that a label is on, also where only one of its two states was ever seen."""
    if len(classes) == 2:
        return np.asarray(probabilities[:, 1])
    return np.full(len(probabilities), float(bool(classes[0])))
