"""What every student of soft targets has in common: one way to be given them, checked once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _num_samples, assert_all_finite, column_or_1d, validate_data

from tutelage.core.answer_values.named_columns import are_numbers, column_names, order_in_frame
from tutelage.core.answers import AnswerForm, label_array, labels_of, of_classes
from tutelage.core.arrays import Floats, check_probabilities, check_weights, is_frame, one_hot
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError, reported_as_ours
from tutelage.data.row_arrays import array_of, missing_truth, target_array
from tutelage.data.structures.structured import StructuredRows, is_structure
from tutelage.softlabels.querying import class_probabilities, is_answer_source, refuse_classes
from tutelage.softlabels.streaming.parts import Parts
from tutelage.students.by_parts.blocks import Blocks
from tutelage.students.checked import Check, check_fitted, check_settings
from tutelage.teachers.inputs import refuse_dates

ROUNDING = 1e-6
"""Rows whose sum is further than this from one (half-precision logs) are scaled to one."""


class SoftClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier with scikit-learn's API that is taught labels or probabilities.

    A family implements `_learn` and `_probabilities`, on inputs that are already checked.

    Attributes:
        classes_: (classes,) the label of each column of `predict_proba`.
        n_features_in_: features of a row.
        rows_learnt_: the number of rows that it learnt from: of parts, a family that needs all rows at once learns from a sample.
        rows_given_: the number of rows that it was given.
    """

    rows_learnt_: int
    rows_given_: int

    # The valid settings, and how scikit-learn's validation is to take rows; a family states its own.
    _settings: ClassVar[Mapping[str, Check]] = {}
    _inputs: ClassVar[dict[str, Any]] = {"dtype": [np.float64, np.float32]}

    def fit(self, X: Any, y: Any = None, *, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from labels or from soft targets.

        Args:
            X: (rows, features), an array or a frame; sparse where the family says so. Or `parts(rows, labels)`, which are read shard by
                shard, without y and classes.
            y: (rows, classes) probabilities, or (rows,) labels of any kind; one column counts as labels. Or soft labels recorded on
                these rows, a Teacher or a fitted model, which bring their class names.
            classes: the label of each column of a matrix, to which the columns of a frame are matched by name; if not given, the names
                of a frame's columns, or 0, 1, ...
            sample_weight: (rows,) how much each row counts; all alike if not given.

        Raises:
            NotProbabilities: a matrix whose rows are not distributions. ShapeError: X, y and weights differ in rows.
            LabelMismatch: classes that do not name the columns. BadInput: fewer than two classes, or unusable weights.
            BadInput or WrongType, with scikit-learn's words: an X or labels that its validation refuses, such as NaN or sparse
            rows where the family does not take them, or texts.
        """
        check_settings(self, self._settings)
        if isinstance(X, Parts):
            return self._fit_parts(X, y, classes, sample_weight)
        if is_answer_source(y):
            refuse_classes(classes)
            y, classes = class_probabilities(y, X, task="classes")
        X = self._checked(X, reset=True)
        rows = _num_samples(X)
        self.classes_, targets = soft_targets(y, rows, classes)
        self._learn(X, targets, check_weights(sample_weight, rows))
        self.rows_learnt_ = self.rows_given_ = rows
        return self

    def _fit_parts(self, parts: Parts, y: Any, classes: Any, sample_weight: Any) -> Self:
        if y is not None or classes is not None:
            raise BadInput("parts hold their answers, which name the classes, and y or classes are given too; call fit(parts).")
        self._checked(parts.shard(0).rows, reset=True)
        checked, normalised = partial(self._checked, reset=False), lambda answers: _named_columns(answers, None)[1]
        blocks = Blocks(parts, checked, normalised, check_weights(sample_weight, len(parts)))
        self.classes_ = blocks.classes
        self.rows_given_, self.rows_learnt_ = len(parts), self._learn_blocks(blocks)
        return self

    def predict_proba(self, X: Any) -> Floats:
        """(rows, features) -> (rows, classes) probabilities.

        Raises:
            BadInput: rows so far from those learnt from that numbers overflow, rows of other features than those learnt from,
            or rows that `fit` would refuse (WrongType if they are not numbers). NotFitted: it was not fitted.
        """
        check_fitted(self)
        rows = self._checked(X, reset=False)
        probabilities = self._probabilities(rows)
        lost = np.asarray(~np.isfinite(probabilities).all(axis=1))
        if lost.any():
            first = int(np.flatnonzero(lost)[0])
            if isinstance(rows, StructuredRows):
                raise BadInput(not_finite(first))
            raise BadInput(
                f"{int(lost.sum())} of {len(lost)} rows have no probabilities (first: row {first}): their "
                "numbers are too large for this student. Scale the features, in fit and here alike."
            )
        return probabilities

    def predict(self, X: Any) -> NDArray[Any]:
        """(rows, features) -> (rows,) labels; the first of equally likely ones."""
        columns = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[columns])

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """The share of rows that are decided as y says; of a matrix of probabilities, its most probable class counts.

        Args:
            X: (rows, features).
            y: (rows,) labels, or (rows, classes) probabilities in the order of `classes_`, or a frame with a column for each of them.
            sample_weight: (rows,) how much each row counts; all alike if not given.

        Raises:
            ShapeError: a matrix of other columns than the classes.
        """
        check_fitted(self)
        y, _ = named_by_columns(y, self.classes_)
        array = target_array(y)
        if array.ndim == 2 and array.shape[1] > 1:
            if array.shape[1] != len(self.classes_):
                raise ShapeError(f"y has {array.shape[1]} columns for {len(self.classes_)} classes; expected one a class.")
            array = self.classes_[array.argmax(axis=1)]
        return float(super().score(X, array, sample_weight))

    def answer_with(self, X: Any, targets: Floats, weights: Floats | None = None) -> bool:
        """Answer with the means of other targets of the training rows, and keep the structure that was learnt.

        Args:
            X: the rows of `fit`.
            targets: (rows, classes) probabilities, in the order of `classes_`.
            weights: (rows,) the weights of `fit`.

        Returns:
            Whether this family can do so; if not, nothing was changed.
        """
        return False

    def _checked(self, X: Any, *, reset: bool) -> Any:
        """Rows as this family takes them; `reset` notes their features, otherwise they must be those noted."""
        if isinstance(X, Mapping | StructuredRows) and is_structure(X):
            names = ", ".join(map(str, X.fields if isinstance(X, StructuredRows) else X))
            raise BadInput(
                f"the rows are several inputs ({names}), and a {type(self).__name__} takes a table or an array; give it columns of its "
                "own, with the answers that labels.paired_with(X) pairs with them. A TorchStudent takes several inputs."
            )
        X = array_of(X) if isinstance(X, np.ma.MaskedArray) else X
        refuse_dates(X)
        with reported_as_ours():
            return validate_data(self, X, reset=reset, **self._inputs)

    @abstractmethod
    def _learn(self, X: Any, targets: Floats, weights: Floats | None) -> None:
        """Learn (rows, classes) targets that sum to one, with (rows,) float64 weights or none."""

    def _learn_blocks(self, blocks: Blocks) -> int:
        """Learn from rows that are read in parts: from as many as a window holds, drawn at random; returns how many these are."""
        X, targets, weights = blocks.sample()
        self._learn(X, targets, weights)
        return len(targets)

    @abstractmethod
    def _probabilities(self, X: Any) -> Floats:
        """(rows, features) -> (rows, classes)."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        accepted = self._inputs
        tags.input_tags.sparse = bool(accepted.get("accept_sparse", False))
        tags.input_tags.allow_nan = accepted.get("ensure_all_finite", True) == "allow-nan"
        return tags


def score_of_labels(student: Any, X: Any, y: Any, sample_weight: ArrayLike | None) -> float:
    """The share of rows whose labels are all decided as y says, where a probability above 0.5 means on.

    Args:
        student: of several labels.
        X: (rows, features).
        y: (rows, labels) probabilities, or 0 and 1.
        sample_weight: (rows,) how much each row counts; all alike if not given.
    """
    check_fitted(student)
    _, on = label_targets(y, _num_samples(X), student.classes_)
    return float(accuracy_score(on > 0.5, student.predict(X) > 0, sample_weight=sample_weight))


def not_finite(row: int) -> str:
    """What is wrong if a network of several inputs has no answer to a row: nothing tells its large numbers from its empty ones."""
    return (
        f"the network's answers are not finite (row {row}); expected finite numbers. Look at this row: numbers that are too large, or a "
        "mean over no tokens, where all of them are padding."
    )


def soft_targets(y: ArrayLike, rows: int, classes: ArrayLike | None = None) -> tuple[NDArray[Any], Floats]:
    """The classes, and (rows, classes) targets that sum to one, from labels or probabilities.

    Raises:
        as `SoftClassifier.fit`.
    """
    if y is None:
        raise BadInput("a classifier requires y to be passed, but the target y is None; pass labels or (rows, classes) probabilities.")
    if issparse(y):
        raise ShapeError("y is a sparse matrix; soft targets are dense: pass y.toarray().")
    y, classes = named_by_columns(y, classes)
    array = target_array(y)
    if array.ndim and len(array) != rows:
        raise ShapeError(f"X and y have {rows} and {len(array)} rows; they must be the same rows in the same order.")
    if array.ndim == 2 and array.shape[1] > 1:
        named, targets = _named_columns(array, classes)
    elif classes is not None:
        raise LabelMismatch(
            "classes name the columns of a matrix of probabilities; y holds labels, which name themselves. Leave classes out."
        )
    else:
        named, targets = _of_labels(array)
    return named, targets


def named_by_columns(y: Any, classes: Any) -> tuple[Any, Any]:
    """Targets of several columns in the order of the classes, and the classes: where none are given, the names of a frame's columns.

    Raises:
        LabelMismatch: a frame whose columns have other names than the classes.
    """
    if not is_frame(y) or y.shape[1] < 2:
        return y, classes
    classes = column_names(y) if classes is None and not are_numbers(column_names(y)) else classes
    order = None if classes is None else order_in_frame(y, labels_of(classes), "the columns of y")
    return (y, classes) if order is None else (target_array(y)[:, order], classes)


def label_targets(y: Any, rows: int, classes: ArrayLike | None = None) -> tuple[NDArray[Any], Floats]:
    """The names of the labels, and (rows, labels) probabilities that each is on.

    Raises:
        NotProbabilities: numbers outside 0 to 1. ShapeError: another number of rows. LabelMismatch: classes do not match the columns.
    """
    sparse: bool = issparse(y)
    y, classes = named_by_columns(y, classes)
    array = y.toarray() if sparse else target_array(y)
    form = AnswerForm("probabilities", "multilabel", labels_of(range(array.shape[-1]) if classes is None else classes))
    return label_array(form.classes), form.check(array, rows, "the soft targets")


def _named_columns(matrix: NDArray[Any], classes: ArrayLike | None) -> tuple[NDArray[Any], Floats]:
    targets = check_probabilities(matrix, "the soft targets")
    sums = targets.sum(axis=1, dtype=np.float64)
    if np.abs(sums - 1).max() > ROUNDING:
        targets = np.asarray(targets / sums[:, None], dtype=targets.dtype)
    if classes is None:
        return np.arange(targets.shape[1]), targets
    labels = of_classes("probabilities", classes).classes
    if len(labels) != targets.shape[1]:
        raise LabelMismatch(f"{len(labels)} classes for soft targets of {targets.shape[1]} columns; expected one label a column.")
    return label_array(labels), targets


def _of_labels(array: NDArray[Any]) -> tuple[NDArray[Any], Floats]:
    lacking = missing_truth(array, [""]) if array.dtype.kind == "O" and array.ndim == 1 else np.zeros(0, dtype=bool)
    if lacking.any():
        first = int(lacking.argmax())
        raise BadInput(f"y lacks the labels of {int(lacking.sum()):,} of {len(array):,} rows (first: row {first}); leave these rows out.")
    with reported_as_ours():
        labels = column_or_1d(array, warn=True)
        assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
        classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        seen = f"one class ({classes.tolist()[0]!r})" if len(classes) else "no class and no row"
        raise BadInput(f"y holds {seen}; a classifier needs rows of at least two classes.")
    return classes, one_hot(codes, len(classes))
