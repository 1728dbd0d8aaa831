"""A teacher and a student as one scikit-learn estimator."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.utils import _safe_indexing, check_random_state, get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_array, column_or_1d, validate_data

from tutelage.core.answers import AnswerForm, label_array
from tutelage.core.arguments import number
from tutelage.core.arrays import Floats, check_weights, is_frame
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, ShapeError, reported_as_ours, shown
from tutelage.data.row_arrays import array_of, target_array
from tutelage.data.rows import as_rows
from tutelage.data.transfer import Transfer, rows_to_make, stacked
from tutelage.losses.targets import check_temperature
from tutelage.softlabels.querying import query
from tutelage.students.by_parts.blocks import refuse_parts
from tutelage.students.checked import check_fitted, random_seed
from tutelage.students.teaching import fit_weighted, is_unfitted, out_of_fold_answers
from tutelage.students.temperature import Targets, fit_at_temperature
from tutelage.teachers.adapt import as_teacher


class _Distilled(BaseEstimator):  # type: ignore[misc]
    """The common part of both estimators: the teacher, the rows, and a fitted teacher that survives `clone`."""

    teacher_: Teacher
    student_: Any
    answer_temperature_: float
    _finite: bool

    def __init__(
        self,
        teacher: Any,
        student: Any,
        *,
        soft_weight: float = 1.0,
        transfer: Transfer | None = None,
        transfer_rows: float | None = None,
        out_of_fold: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.teacher = teacher
        self.student = student
        self.soft_weight = soft_weight
        self.transfer = transfer
        self.transfer_rows = transfer_rows
        self.out_of_fold = out_of_fold
        self.random_state = random_state

    def fit(self, X: Any, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Query the teacher, and fit the student to its answers.

        Args:
            X: (rows, features) array, frame or sparse matrix, or texts: anything that both teacher and student accept.
            y: (rows,) or (rows, columns) ground truth. Required by an unfitted teacher, and for a soft_weight below 1.
            sample_weight: (rows,) weight of each row of X, for the student and for an unfitted teacher; all equal if not given.
                A row of weight 0 is left out, and a transfer row has the mean weight of the others.

        Raises:
            BadInput: y is missing where it is required, a setting is out of range, the teacher has another task,
                out_of_fold is used with a fitted teacher, or weights are unusable or taken by no fit.
            LabelMismatch: y holds labels that are not among the teacher's classes, or soft labels lack some of the rows.
            ShapeError: X and y or the weights differ in rows, or transfer rows and X in columns.
            BadInput or WrongType, with their words: scikit-learn's validation, an unfitted teacher or the student refuses X or y.
        """
        refuse_parts(X, self)
        unfitted = is_unfitted(self.teacher)
        self._check_settings(unfitted, y)
        X = self._rows(X, reset=True)
        weights = check_weights(sample_weight, as_rows(X).count)
        if weights is not None and not weights.all():
            X, y, weights = _weighed_rows(X, y, weights)
        rows = as_rows(X).count
        checked = self._checked_truth(y, rows) if unfitted and y is not None else None
        random = check_random_state(self.random_state)
        answers = self._query_teacher(X, checked, unfitted, random, weights)
        form = self.teacher_.form
        targets = self._targets(answers, None if y is None else form.truth_as_answers(y if checked is None else checked, rows))
        self.transfer_rows_ = 0
        if self.transfer is not None:
            count = rows_to_make(self.transfer, rows, self.transfer_rows)
            generated = self.transfer.make(X, count, seed=random.randint(2**31 - 1))
            self.transfer_rows_ = count
            if count:
                targets = targets.followed_by(self._targets(query(self.teacher_, generated), None))
                X = stacked(X, generated)
                weights = None if weights is None else np.append(weights, np.full(count, weights.mean()))
        taught = fit_at_temperature(self.student, form, X, targets, sample_weight=weights)
        self.student_, self.answer_temperature_ = taught.student, taught.answer_temperature
        return self

    def _query_teacher(
        self, X: Any, y: NDArray[Any] | None, unfitted: bool, random: np.random.RandomState, weights: Floats | None
    ) -> Floats:
        """Set `teacher_`, fitted first if necessary, and return its answers to the training rows."""
        self.teacher_ = as_teacher(fit_weighted(clone(self.teacher), X, y, weights) if unfitted else self.teacher)
        self._set_form(self.teacher_.form)
        if self.out_of_fold is None:
            return query(self.teacher_, X)
        assert y is not None  # noqa: S101 - checked by _check_settings
        seed = random.randint(2**31 - 1)
        return out_of_fold_answers(clone(self.teacher), self.teacher_.form, X, y, folds=self.out_of_fold, seed=seed, sample_weight=weights)

    def _check_settings(self, unfitted: bool, y: Any) -> None:
        name = type(self).__name__
        number("soft_weight", self.soft_weight, least=0, most=1, hint="(0 is the ground truth only, 1 the teacher only)")
        random_seed("random_state", self.random_state)
        if self.out_of_fold is not None and not unfitted:
            raise BadInput(
                "out_of_fold is set and the teacher is fitted; expected an unfitted teacher, to fit on each fold. Leave out_of_fold out, "
                "or pass the teacher unfitted."
            )
        if y is None and unfitted:
            raise BadInput(
                f"{name} requires y to be passed, but the target y is None: its {type(self.teacher).__name__} teacher is not fitted "
                "and has to be fitted on y first. Pass y, or a fitted teacher."
            )
        if self.transfer is None and self.transfer_rows is not None:
            raise BadInput(
                f"transfer_rows is {shown(self.transfer_rows)} and transfer is None: nothing makes rows. Pass transfer=, such as Munge(), "
                "or leave transfer_rows out."
            )
        if y is None and self.soft_weight < 1:
            raise BadInput(
                f"soft_weight is {self.soft_weight} and y is None: there is no ground truth to blend in. Pass y or soft_weight=1."
            )

    def _rows(self, X: Any, *, reset: bool) -> Any:
        """Frames and texts unchanged; anything else as an array or sparse matrix validated by scikit-learn.

        In `fit`, teacher and student decide which cell values they accept. Afterwards, missing or infinite numbers are
        refused if there were none in `fit`, unless both are known to accept missing numbers.
        """
        X = array_of(X) if isinstance(X, np.ma.MaskedArray) else X
        if not _is_frame_or_texts(X):
            accepts = get_tags(self).input_tags
            strict = not reset and self._finite and not accepts.allow_nan
            sparse = ["csr"] if accepts.sparse else False
            with reported_as_ours():
                X = check_array(X, dtype=None, accept_sparse=sparse, ensure_all_finite=strict, allow_nd=True, estimator=self)
            if reset:
                values = X.data if issparse(X) else X  # type: ignore[attr-defined]
                self._finite = values.dtype.kind in "biuf" and bool(np.isfinite(values).all())
        elif reset:
            self._finite = False
        with reported_as_ours():
            validate_data(self, X, reset=reset, skip_check_array=True)
        return X

    @abstractmethod
    def _checked_truth(self, y: ArrayLike, rows: int) -> NDArray[Any]:
        """The ground truth after scikit-learn's validation, one row for each row of X."""

    @abstractmethod
    def _set_form(self, form: AnswerForm) -> None:
        """Set the fitted attributes that the form of the teacher's answers determines.

        Raises:
            BadInput: the teacher has another task than this estimator.
        """

    @abstractmethod
    def _targets(self, answers: Floats, truth: Floats | None) -> Targets:
        """The targets of the student, (rows, columns)."""

    def __sklearn_clone__(self) -> Self:
        """A clone that shares the transfer set and a fitted teacher with the original; cloning a fitted teacher would lose its fit."""
        without = copy.copy(self)
        shared = {"transfer": self.transfer} | ({} if is_unfitted(self.teacher) else {"teacher": self.teacher})
        for name in shared:
            setattr(without, name, None)
        cloned: Self = BaseEstimator.__sklearn_clone__(without)
        for name, value in shared.items():
            setattr(cloned, name, value)
        return cloned

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = [get_tags(part).input_tags for part in (self.teacher, self.student) if hasattr(part, "__sklearn_tags__")]
        tags.input_tags.sparse = all(tag.sparse for tag in inner)
        tags.input_tags.allow_nan = all(tag.allow_nan for tag in inner)
        tags.target_tags.required = is_unfitted(self.teacher)
        return tags


class DistilledClassifier(ClassifierMixin, _Distilled):  # type: ignore[misc]
    """Distil a classifier: `fit` queries the teacher and fits the student, which then predicts without the teacher.

    Targets are temper(soft_weight * teacher + (1 - soft_weight) * one-hot y). Transfer rows have no y, and their targets
    are the teacher's answers alone. With soft_weight=0 and no transfer rows, the student is fitted on hard labels.

    Args:
        teacher: a fitted classifier or anything else that `as_teacher` accepts, a Teacher, or soft labels recorded on
            these rows. An unfitted scikit-learn estimator is cloned and fitted on (X, y) first.
        student: an unfitted scikit-learn classifier; it is cloned. One that learns from probabilities, such as
            `SoftTree`, is fitted on them directly; any other is wrapped in `SoftTargets`.
        soft_weight: weight of the teacher in the targets, in [0, 1]; below 1 requires y.
        temperature: the student learns the probabilities at this temperature, and answers at temperature 1. `SoftTree`,
            `SoftForest` and `SoftDecisionTree` choose their splits at the temperature, and average the targets at temperature 1 in their
            leaves. The answers of any other student are tempered by `answer_temperature_`.
        transfer: a `Transfer` such as `Munge()`, which adds unlabelled rows to X for the teacher to label.
        transfer_rows: number of transfer rows as an int, or a multiple of the rows of X as a float. None uses every row
            of an `UnlabelledPool`, and otherwise 5 times the rows of X, at most 100 000.
        out_of_fold: with an unfitted teacher, number of folds from which the targets of the training rows come. Each
            fold is answered by a clone of the teacher that was not fitted on it, because a teacher is overconfident on
            rows that it was fitted on. `teacher_` itself is fitted on all rows, and labels the transfer rows.
        random_state: seed of the transfer rows and the folds. Teacher and student have their own.

    Attributes:
        teacher_: the Teacher that was queried.
        student_: the fitted student; it predicts without the teacher.
        classes_: (classes,) the teacher's classes, whichever of them y holds.
        answer_temperature_: the temperature applied to the student's probabilities, fitted on the training rows so that they
            match the targets at temperature 1: 1 / temperature for a student that repeats its targets, less confident for one
            that averages them, and 1 where nothing is left to reverse.
        n_features_in_: number of features, as in scikit-learn.
        feature_names_in_: feature names, as in scikit-learn.
        transfer_rows_: number of transfer rows that were added.

    Source:
        Temperature and blend: Hinton, Vinyals, Dean 2015, section 2, arXiv 1503.02531.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> teacher = RandomForestClassifier(20, random_state=0).fit(X, y)
        >>> student = tl.DistilledClassifier(teacher, tl.SoftTree(max_leaf_nodes=4, random_state=0), temperature=2.0).fit(X)
        >>> round(student.score(X, teacher.predict(X)), 1)  # agreement with the teacher
        1.0
    """

    def __init__(
        self,
        teacher: Any,
        student: Any,
        *,
        soft_weight: float = 1.0,
        temperature: float = 1.0,
        transfer: Transfer | None = None,
        transfer_rows: float | None = None,
        out_of_fold: int | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            teacher,
            student,
            soft_weight=soft_weight,
            transfer=transfer,
            transfer_rows=transfer_rows,
            out_of_fold=out_of_fold,
            random_state=random_state,
        )
        self.temperature = temperature

    def predict_proba(self, X: Any) -> Floats:
        """(rows, classes) probabilities at temperature 1; for a multilabel teacher, the probability of each label."""
        check_fitted(self)
        X = self._rows(X, reset=False)
        with reported_as_ours(f"{type(self.student_).__name__} cannot answer these rows"):
            probabilities = np.asarray(self.student_.predict_proba(X), dtype=np.float64)
        return self._form.probabilities(probabilities, self.answer_temperature_)

    def predict(self, X: Any) -> NDArray[Any]:
        """(rows,) class names; for a multilabel teacher, (rows, labels) of 0 and 1."""
        probabilities = self.predict_proba(X)
        if self._form.task == "multilabel":
            return np.asarray(probabilities > 0.5, dtype=np.intp)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def _check_settings(self, unfitted: bool, y: Any) -> None:
        super()._check_settings(unfitted, y)
        check_temperature(self.temperature)

    def _set_form(self, form: AnswerForm) -> None:
        if form.task == "regression":
            raise BadInput("the teacher answers with values; DistilledClassifier expects classes. Use DistilledRegressor.")
        self.classes_ = label_array(form.classes)
        self._form = form.as_kind("probabilities")

    def _checked_truth(self, y: ArrayLike, rows: int) -> NDArray[Any]:
        labels = target_array(y)
        with reported_as_ours():
            labels = labels if labels.ndim == 2 and labels.shape[1] > 1 else column_or_1d(labels, warn=True)
            assert_all_finite(labels, input_name="y")
            check_classification_targets(labels)
        _same_rows(rows, labels)
        return np.asarray(labels)

    def _targets(self, answers: Floats, truth: Floats | None) -> Targets:
        return Targets.of(answers, self.teacher_.form, truth=truth, soft_weight=self.soft_weight, temperature=self.temperature)


class DistilledRegressor(RegressorMixin, _Distilled):  # type: ignore[misc]
    """Distil a regressor: `fit` queries the teacher for values and fits the student to them.

    Targets are soft_weight * teacher + (1 - soft_weight) * y; the targets of transfer rows are the teacher's values alone.

    Args:
        teacher: a fitted regressor or anything else that `as_teacher` accepts, a Teacher, or values recorded on these
            rows. An unfitted scikit-learn regressor is cloned and fitted on (X, y) first.
        student: an unfitted scikit-learn regressor; it is cloned. It must support multiple outputs if the teacher has
            multiple outputs.
        soft_weight: weight of the teacher in the targets, in [0, 1]; below 1 requires y.
        transfer: as in `DistilledClassifier`.
        transfer_rows: as in `DistilledClassifier`.
        out_of_fold: as in `DistilledClassifier`.
        random_state: as in `DistilledClassifier`.

    Attributes:
        teacher_: the Teacher that was queried.
        student_: the fitted student; it predicts without the teacher.
        n_features_in_: number of features, as in scikit-learn.
        feature_names_in_: feature names, as in scikit-learn.
        transfer_rows_: number of transfer rows that were added.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.ensemble import RandomForestRegressor
        >>> from sklearn.tree import DecisionTreeRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> teacher = RandomForestRegressor(10, random_state=0).fit(X, y)
        >>> student = tl.DistilledRegressor(teacher, DecisionTreeRegressor(max_leaf_nodes=32, random_state=0)).fit(X)
        >>> student.score(X, teacher.predict(X)) > 0.8  # R2 against the teacher
        True
    """

    def predict(self, X: Any) -> Floats:
        """(rows,) or (rows, outputs) values."""
        check_fitted(self)
        X = self._rows(X, reset=False)
        with reported_as_ours(f"{type(self.student_).__name__} cannot answer these rows"):
            return np.asarray(self.student_.predict(X))

    def _set_form(self, form: AnswerForm) -> None:
        if form.task != "regression":
            raise BadInput("the teacher answers with classes; DistilledRegressor expects values. Use DistilledClassifier.")

    def _checked_truth(self, y: ArrayLike, rows: int) -> NDArray[Any]:
        with reported_as_ours():
            values = check_array(target_array(y), ensure_2d=False, dtype="numeric", input_name="y", estimator=self)
        _same_rows(rows, values)
        return np.asarray(values)

    def _targets(self, answers: Floats, truth: Floats | None) -> Targets:
        if truth is not None and truth.shape != answers.shape:
            raise ShapeError(
                f"y has {truth.shape[1]} columns and the teacher answers with {answers.shape[1]}; expected the same number. "
                "Pass y with one column for each of the teacher's outputs."
            )
        return Targets.of(answers, self.teacher_.form, truth=truth, soft_weight=self.soft_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _is_frame_or_texts(X: Any) -> bool:
    if isinstance(X, np.ndarray):
        return X.ndim == 1 and X.dtype.kind in "OU" and X.size > 0 and isinstance(X[0], str)
    return hasattr(X, "iloc") or hasattr(X, "slice") or (isinstance(X, list | tuple) and bool(X) and isinstance(X[0], str))


def _weighed_rows(X: Any, y: Any, weights: Floats) -> tuple[Any, Any, Floats]:
    """The rows of a weight above zero, with their y and weights."""
    if y is not None:
        y = y if is_frame(y) else target_array(y)
        _same_rows(len(weights), y)
    places = np.flatnonzero(weights)
    return _safe_indexing(X, places), None if y is None else _safe_indexing(y, places), weights[places]


def _same_rows(rows: int, y: Any) -> None:
    if len(y) != rows:
        raise ShapeError(f"X and y have {rows} and {len(y)} rows; they must be the same rows in the same order.")
