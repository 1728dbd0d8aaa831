"""A fitted scikit-learn estimator as a teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.arrays import Floats, is_frame
from tutelage.core.errors import BadInput
from tutelage.core.identity.fingerprints import fingerprint_of
from tutelage.data.schema import Schema
from tutelage.teachers.booster_columns import booster_engine, booster_schema
from tutelage.teachers.booster_rows import frame_rows, refuse_unknown_codes, settled_lightgbm_schema
from tutelage.teachers.estimator_answers import (
    classes_of,
    last_step,
    multilabel_count,
    on_probabilities,
    refuse_metadata,
    steps_before_last,
)
from tutelage.teachers.estimator_columns import columns_as_numbers, estimator_schema, takes_texts
from tutelage.teachers.inputs import (
    copied_rows,
    errors_as_bad_input,
    frame_or_texts,
    matrix_of,
    refuse_dates,
    row_count,
    texts_of,
    with_column_names,
)


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
        for model in (self.estimator, last_step(self.estimator)):
            refuse_metadata(model, "predict_proba" if self._has_classes else "predict")
        if self.form.task != "multilabel" and self.names is not None:
            raise BadInput(f"{kind} stores its own labels, or has none: leave classes= out.")

    @property
    def _has_classes(self) -> bool:
        return len(classes_of(self.estimator)) > 0

    @property
    def form(self) -> AnswerForm:
        """Probabilities in the order of the estimator's `classes_`, one for each label (multilabel), or values."""
        if not self._has_classes:
            return AnswerForm("values", "regression")
        count = multilabel_count(self.estimator)
        if count is None:
            return of_classes("probabilities", classes_of(self.estimator))
        labels = range(count) if self.names is None else self.names
        if len(labels) != count:
            raise BadInput(f"classes= has {len(labels)} names for {count} labels; pass one for each.")
        return AnswerForm("probabilities", "multilabel", tuple(labels))

    @property
    def schema(self) -> Schema | None:
        """The columns that the estimator was fitted on: their names, and what its encoders or boosters learnt; None if it stores none."""
        if steps_before_last(self.estimator):
            return estimator_schema(self.estimator)
        return booster_schema(last_step(self.estimator)) or estimator_schema(self.estimator)

    @property
    def fingerprint(self) -> str:
        """Hash of the estimator's current state and of the user's own code in it, the same in every process that loads it."""
        return fingerprint_of(self.estimator, name=type(self.estimator).__name__, version=self.version)

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) probabilities, or (rows, outputs) values.

        Raises:
            BadInput: the rows lack columns that the estimator was fitted on, or hold values that it cannot process.
            NotProbabilities: the rows of `predict_proba` are not distributions.
            ShapeError: the number of columns is not that of the classes. LabelMismatch: a frame whose columns have other names.
        """
        count = row_count(inputs)
        with errors_as_bad_input(f"this {type(self.estimator).__name__}"):
            rows = self._rows_for_estimator(inputs)
            answers = self._answers(rows)
        return self.form.take(answers, count)

    def decide(self, inputs: Any) -> Any:
        """The estimator's own predictions, which need not be its most probable classes: a tuned threshold, support vectors.

        Raises:
            BadInput: as `answer`.
        """
        with errors_as_bad_input(f"this {type(self.estimator).__name__}"):
            return self._called("predict", self._rows_for_estimator(inputs))

    def _answers(self, rows: Any) -> Any:
        """The answers of `predict` or `predict_proba`."""
        answers = self._called("predict" if self.form.kind == "values" else "predict_proba", rows)
        listed = isinstance(answers, list) and self.form.task == "multilabel"
        return on_probabilities(answers, classes_of(last_step(self.estimator))) if listed else answers

    def _called(self, method: str, rows: Any) -> Any:
        """What a method of the estimator returns; a booster, and a stack of multilabel classifiers, is called by itself."""
        last = last_step(self.estimator)
        engine = booster_engine(last)
        stacked = method == "predict_proba" and self.form.task == "multilabel" and hasattr(last, "final_estimator_")
        if engine is None and not stacked:
            return getattr(self.estimator, method)(rows)
        before = steps_before_last(self.estimator)
        for step in before:
            rows = step.transform(rows)
        rows = _rows_for_booster(last, engine, rows) if engine and (not before or is_frame(rows)) else rows
        # scikit-learn's StackingClassifier returns the probability that a label is off
        return last.final_estimator_.predict_proba(last.transform(rows)) if stacked else getattr(last, method)(rows)

    def _rows_for_estimator(self, inputs: Any) -> Any:
        if not steps_before_last(self.estimator) and booster_engine(last_step(self.estimator)):
            return inputs
        rows = copied_rows(self._arranged(inputs))  # steps with copy=False scale in place
        refuse_dates(rows, columns_as_numbers(self.estimator))
        return rows

    def _arranged(self, inputs: Any) -> Any:
        """Rows with the columns that the estimator was fitted on, in their types."""
        schema = self.schema
        if schema is None and takes_texts(self.estimator):
            return texts_of(inputs)
        if schema is None:
            return frame_or_texts(inputs) if getattr(self.estimator, "n_features_in_", None) is None else matrix_of(inputs)
        if any(column.type != "any" for column in schema.columns):
            return matrix_of(schema.arrange(inputs)) if schema.names is None else schema.arrange(inputs)
        return with_column_names(schema.select(inputs), schema.names)


def _rows_for_booster(estimator: Any, engine: str, rows: Any) -> Any:
    if engine == "lightgbm":
        return frame_rows(engine, settled_lightgbm_schema(estimator.booster_, rows), rows)
    schema = booster_schema(estimator)
    if schema is None:
        return rows
    if engine == "xgboost":
        refuse_unknown_codes(estimator.get_booster(), schema, rows)
    return frame_rows(engine, schema, rows)


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
