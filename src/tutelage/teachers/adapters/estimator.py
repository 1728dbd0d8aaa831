"""A fitted scikit-learn estimator as a teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tutelage.core.answers import AnswerForm, of_classes, plain
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput
from tutelage.core.identity import fingerprint_of
from tutelage.teachers.inputs import errors_as_bad_input, for_booster, for_model, row_count, with_column_names


@dataclass(frozen=True, eq=False)
class EstimatorTeacher:
    """A Teacher that wraps a scikit-learn estimator. `as_teacher` builds it.

    A classifier answers with probabilities, in the order of its `classes_`; a regressor with values. Frames are matched
    to the columns that the estimator was fitted on by name.

    Attributes:
        estimator: a fitted estimator; a Pipeline and a search count as their last step.
        names: the label names of a multilabel classifier; 0, 1, ... by default.
        version: identifies the estimator in place of its content.

    Raises:
        BadInput: the estimator is not fitted, has classes but no `predict_proba`, or `names` are passed for one that stores
            its labels.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> forest = RandomForestClassifier(10, random_state=0).fit(X, y)
        >>> teacher = tl.teachers.EstimatorTeacher(forest)
        >>> teacher.form.kind
        'probabilities'
        >>> bool((teacher.answer(X[X.columns[::-1]]) == forest.predict_proba(X)).all())
        True
    """

    estimator: Any
    names: tuple[Any, ...] | None = None
    version: str | None = None

    def __post_init__(self) -> None:
        kind = type(self.estimator).__name__
        if hasattr(self.estimator, "__sklearn_tags__"):
            _check_fitted(self.estimator)
        if self._has_classes and not hasattr(self.estimator, "predict_proba"):
            raise BadInput(f"{kind} has classes but no predict_proba, so it returns no probabilities; wrap it in CalibratedClassifierCV.")
        if not self._has_classes and hasattr(self.estimator, "predict_proba"):
            raise BadInput(
                f"{kind} has predict_proba but no classes_, so its columns have no labels: fit it, or pass its predict_proba as a "
                "function with classes=."
            )
        if self.form.task != "multilabel" and self.names is not None:
            raise BadInput(f"{kind} stores its own labels, or has none: leave classes= out.")

    @property
    def _has_classes(self) -> bool:
        return len(getattr(self.estimator, "classes_", ())) > 0

    @property
    def form(self) -> AnswerForm:
        """Probabilities in the order of the estimator's `classes_`, one for each label (multilabel), or values."""
        if not self._has_classes:
            return AnswerForm("values", "regression")
        if not _is_multilabel(self.estimator):
            return of_classes("probabilities", self.estimator.classes_)
        labels = range(len(self.estimator.classes_)) if self.names is None else self.names
        if len(labels) != len(self.estimator.classes_):
            raise BadInput(f"classes= has {len(labels)} names for {len(self.estimator.classes_)} labels; pass one for each.")
        return AnswerForm("probabilities", "multilabel", tuple(labels))

    @property
    def fingerprint(self) -> str:
        """Hash of the estimator's current state and of the user's own code in it, the same in every process that loads it."""
        return fingerprint_of(self.estimator, name=type(self.estimator).__name__, version=self.version)

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) probabilities, or (rows, outputs) values.

        Raises:
            BadInput: the rows lack columns that the estimator was fitted on, or hold values that it cannot process.
            NotProbabilities: the rows of `predict_proba` are not distributions.
            ShapeError: the number of columns is not that of the classes.
        """
        count = row_count(inputs)
        with errors_as_bad_input(f"this {type(self.estimator).__name__}"):
            rows = self._rows_for_estimator(inputs)
            answers = self.estimator.predict(rows) if self.form.kind == "values" else self._probabilities(rows)
        return self.form.check(answers, count)

    def decide(self, inputs: Any) -> Any:
        """The estimator's own predictions, which need not be its most probable classes: a tuned threshold, support vectors.

        Raises:
            BadInput: as `answer`.
        """
        with errors_as_bad_input(f"this {type(self.estimator).__name__}"):
            return self.estimator.predict(self._rows_for_estimator(inputs))

    def _probabilities(self, rows: Any) -> Any:
        probabilities = self.estimator.predict_proba(rows)
        if not isinstance(probabilities, list):
            return probabilities
        # A multioutput estimator returns one array for each label.
        return np.column_stack([_probability_on(p, states) for p, states in zip(probabilities, self.estimator.classes_, strict=True)])

    def _rows_for_estimator(self, inputs: Any) -> Any:
        fitted_names = getattr(self.estimator, "feature_names_in_", None)
        names = None if fitted_names is None else [str(name) for name in fitted_names]
        rows = with_column_names(for_model(inputs, names), names)
        return for_booster(rows) if type(_last(self.estimator)).__module__.startswith(("lightgbm.", "xgboost.")) else rows


def _check_fitted(estimator: Any) -> None:
    from sklearn.base import is_clusterer, is_outlier_detector
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    kind = type(estimator).__name__
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise BadInput(f"this {kind} is not fitted; a teacher must be a fitted model: call fit first.") from error
    if is_clusterer(estimator) or is_outlier_detector(estimator):
        raise BadInput(f"{kind} is a clusterer or an outlier detector; expected a classifier or a regressor.")


def _last(estimator: Any) -> Any:
    """The last step of a Pipeline, or the best estimator of a search."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def _is_multilabel(estimator: Any) -> bool:
    """Whether the outputs are independent labels, each on or off.

    Raises:
        BadInput: multiple outputs, one of them with more than two classes.
    """
    last = _last(estimator)
    states_of_each = last.classes_
    if isinstance(states_of_each, list):
        for states in states_of_each:
            _check_on_or_off(states, type(last).__name__)
        return True
    binarizer = getattr(last, "label_binarizer_", None) or getattr(last, "_label_binarizer", None)
    return bool(getattr(last, "multilabel_", False)) or str(getattr(binarizer, "y_type_", "")).startswith("multilabel")


def _check_on_or_off(states: Any, kind: str) -> None:
    if len(states) > 2:
        raise BadInput(f"{kind} has multiple outputs, one of them with {len(states)} classes; make a teacher of each output.")
    if len(states) == 1 and plain(states[0]) not in (0, 1):
        raise BadInput(
            f"{kind} was fitted on a label that is always {plain(states[0])!r}, which does not show whether it is on or off: use 0 and 1."
        )


def _probability_on(probabilities: Floats, states: Any) -> Floats:
    """(rows,) probability that a label is on, also if only one of its two states occurred in training."""
    if len(states) == 2:
        return np.asarray(probabilities[:, 1])
    return np.full(len(probabilities), float(plain(states[0])))
