"""Multilabel students: one binary student per label."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.utils.validation import _num_samples

from tutelage.core.answers import two_columns
from tutelage.core.arrays import Floats, check_weights
from tutelage.data.row_arrays import target_array
from tutelage.softlabels.querying import class_probabilities, is_answer_source, refuse_classes
from tutelage.students.any_estimator import SoftTargets, WrapperClassifier
from tutelage.students.by_parts.blocks import refuse_parts
from tutelage.students.checked import check_fitted
from tutelage.students.soft_classifier import SoftClassifier, label_targets, named_by_columns, score_of_labels


class PerLabel(WrapperClassifier):
    """A multilabel classifier trained on probabilities: one binary student per label.

    Args:
        estimator: a student that learns from soft targets, such as SoftTree or SoftLogistic; any other classifier is
            wrapped in SoftTargets.

    Attributes:
        estimators_: the fitted student of each label; for a label whose probability is constant, that probability.
        classes_: (labels,) the names of the labels.

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
        >>> soft_labels = np.array([[0.9, 0.2], [0.8, 0.6], [0.3, 0.7], [0.1, 0.9]])  # probability that each label is on
        >>> student = tl.PerLabel(tl.SoftTree()).fit(X, soft_labels, classes=["small", "large"])
        >>> student.predict_proba(X[:1]).round(2).tolist()
        [[0.9, 0.2]]
        >>> student.predict(X).tolist()
        [[1, 0], [1, 1], [0, 1], [0, 1]]
    """

    estimators_: list[Any]
    per_label_: bool

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any = None, *, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit one student per label.

        Args:
            X: (rows, features), anything that the estimator accepts.
            y: (rows, labels) probabilities that each label is on, or 0 and 1. A one-dimensional y of class names is
                fitted by a single student, as with any other classifier. Or soft labels recorded on these rows, a Teacher or
                a fitted model, which bring the names of their labels.
            classes: the name of each label, to which the columns of a frame are matched by name; by default the names of a frame's columns,
                or 0, 1, ...
            sample_weight: (rows,) weight of each row; all equal by default.

        Raises:
            NotProbabilities: numbers outside 0 to 1.
            ShapeError: X, y and weights differ in rows.
            LabelMismatch: classes do not match the columns of y.
            BadInput: unusable weights.
            BadInput or WrongType, with their words: scikit-learn or the estimator refuses X, as in `SoftClassifier.fit`.
        """
        refuse_parts(X, self)
        if is_answer_source(y):
            refuse_classes(classes)
            y, classes = class_probabilities(y, X, task="labels")
        y, classes = named_by_columns(y, classes)
        sparse: bool = issparse(y)
        array = y.toarray() if sparse else target_array(y)
        self.per_label_ = array.ndim == 2 and array.dtype.kind in "biuf" and (array.shape[1] > 1 or _within_bounds(array))
        if not self.per_label_:
            return super().fit(X, y, classes=classes, sample_weight=sample_weight)
        X = self._checked(X, reset=True)
        rows = _num_samples(X)
        self.classes_, probabilities = label_targets(array, rows, classes)
        weights = check_weights(sample_weight, rows)
        self.estimators_ = [self._fit_label(X, column, weights) for column in probabilities.T]
        return self

    def predict_proba(self, X: Any) -> Floats:
        """(rows, features) -> (rows, labels), the probability that each label is on."""
        if not self._is_per_label():
            return super().predict_proba(X)
        X = self._checked(X, reset=False)
        rows = _num_samples(X)
        columns = [np.full(rows, each) if isinstance(each, float) else each.predict_proba(X)[:, 1] for each in self.estimators_]
        return np.column_stack(columns)

    def predict(self, X: Any) -> NDArray[Any]:
        """(rows, features) -> (rows, labels), 1 where a label is more likely on than off, else 0."""
        if not self._is_per_label():
            return super().predict(X)
        return np.asarray(self.predict_proba(X) > 0.5, dtype=np.int64)

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """The share of rows whose labels are all decided as y says, where a probability above 0.5 means on."""
        return score_of_labels(self, X, y, sample_weight) if self._is_per_label() else super().score(X, y, sample_weight)

    def answer_with(self, X: Any, targets: Floats, weights: Floats | None = None) -> bool:
        """As `SoftClassifier.answer_with`, for the student of each label."""
        if not self._is_per_label():
            return bool(self.estimators_[0].answer_with(X, targets, weights))
        varying = [(student, on) for student, on in zip(self.estimators_, targets.T, strict=True) if not isinstance(student, float)]
        if not all(student.answer_with(X, two_columns(on, "probabilities"), weights) for student, on in varying):
            return False  # all students are of one family, so it was the first that cannot
        constant = zip(self.estimators_, targets.T, strict=True)
        self.estimators_ = [float(on[0]) if isinstance(student, float) else student for student, on in constant]
        return True

    def _is_per_label(self) -> bool:
        check_fitted(self)
        return self.per_label_

    def _fit_label(self, X: Any, on: Floats, weights: Floats | None) -> Any:
        if on.min() == on.max():
            return float(on[0])
        return self._new_student().fit(X, two_columns(on, "probabilities"), sample_weight=weights)

    def _new_student(self) -> Any:
        student = clone(self.estimator)
        return student if isinstance(student, SoftClassifier) else SoftTargets(student)

    def _learn(self, X: Any, targets: Floats, weights: Floats | None) -> None:
        self.estimators_ = [self._new_student().fit(X, targets, sample_weight=weights)]

    def _probabilities(self, X: Any) -> Floats:
        return np.asarray(self.estimators_[0].predict_proba(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags


def _within_bounds(array: NDArray[Any]) -> bool:
    return bool(array.size and array.min() >= 0 and array.max() <= 1)
