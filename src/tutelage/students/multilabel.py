"""Labels that are on or off independently of each other: one student for each."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.utils.validation import _num_samples, check_is_fitted

from tutelage.core.answers import AnswerForm, label_array, labels_of, two_columns
from tutelage.core.arrays import Floats
from tutelage.data.rows import array_of
from tutelage.softlabels.querying import class_probabilities, is_answer_source, refuse_classes
from tutelage.students.any_estimator import SoftTargets, Wrapping
from tutelage.students.soft_classifier import SoftClassifier, check_weights


class PerLabel(Wrapping):
    """A multilabel classifier taught by probabilities: for each label, a student of its own learns on from off.

    Args:
        estimator: a student of soft targets, such as SoftTree or SoftLogistic; any other classifier is put into
            SoftTargets.

    Attributes:
        estimators_: a fitted student for each label; for a label that is the same everywhere, its probability.
        classes_: (labels,) their names.
    """

    estimators_: list[Any]
    per_label_: bool

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any, *, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Learn each label from its probabilities.

        Args:
            X: (rows, features), whatever the estimator takes.
            y: (rows, labels) probabilities that each label is on, or 0 and 1. Labels of one class a row, as (rows,),
                are taught to one student, as to any other classifier. Or soft labels recorded on these rows, a Teacher or a
                fitted model, which bring the names of their labels.
            classes: the name of each label; 0, 1, ... if not given.
            sample_weight: (rows,) how much each row counts; all alike if not given.

        Raises:
            NotProbabilities: numbers outside 0 to 1. ShapeError: X, y and weights differ in rows.
            LabelMismatch: classes that do not name the columns. BadInput: unusable weights. As in `SoftClassifier.fit`
            what scikit-learn and the estimator refuse in X is their own to say.
        """
        if is_answer_source(y):
            refuse_classes(classes)
            y, classes = class_probabilities(y, X, task="labels")
        sparse: bool = issparse(y)
        array = y.toarray() if sparse else array_of(y, "the rows of y")
        self.per_label_ = array.ndim == 2 and array.dtype.kind in "biuf" and (array.shape[1] > 1 or _within_bounds(array))
        if not self.per_label_:
            return super().fit(X, y, classes=classes, sample_weight=sample_weight)
        X = self._checked(X, reset=True)
        rows = _num_samples(X)
        form = AnswerForm("probabilities", "multilabel", labels_of(range(array.shape[1]) if classes is None else classes))
        probabilities = form.check(array, rows, "the soft targets")
        weights = check_weights(sample_weight, rows)
        self.classes_ = label_array(form.classes)
        self.estimators_ = [self._taught(X, column, weights) for column in probabilities.T]
        return self

    def predict_proba(self, X: Any) -> Floats:
        """(rows, features) -> (rows, labels), the probability that each is on."""
        if not self._is_per_label():
            return super().predict_proba(X)
        X = self._checked(X, reset=False)
        columns = [np.full(_num_samples(X), of) if isinstance(of, float) else of.predict_proba(X)[:, 1] for of in self.estimators_]
        return np.column_stack(columns)

    def predict(self, X: Any) -> NDArray[Any]:
        """(rows, features) -> (rows, labels), 1 where a label is likelier on than off, else 0."""
        if not self._is_per_label():
            return super().predict(X)
        return np.asarray(self.predict_proba(X) > 0.5, dtype=np.int64)

    def _is_per_label(self) -> bool:
        check_is_fitted(self)
        return self.per_label_

    def _taught(self, X: Any, on: Floats, weights: Floats | None) -> Any:
        if on.min() == on.max():
            return float(on[0])
        return self._student().fit(X, two_columns(on, "probabilities"), sample_weight=weights)

    def _student(self) -> Any:
        taught = clone(self.estimator)
        return taught if isinstance(taught, SoftClassifier) else SoftTargets(taught)

    def _learn(self, X: Any, targets: Floats, weights: Floats | None) -> None:
        self.estimators_ = [self._student().fit(X, targets, sample_weight=weights)]

    def _probabilities(self, X: Any) -> Floats:
        return np.asarray(self.estimators_[0].predict_proba(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags


def _within_bounds(array: NDArray[Any]) -> bool:
    return bool(array.size and array.min() >= 0 and array.max() <= 1)
