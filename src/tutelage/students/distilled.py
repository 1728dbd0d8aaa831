"""A teacher and a student as one scikit-learn estimator."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_array, check_is_fitted, column_or_1d, validate_data

from tutelage.core.answers import AnswerForm, label_array
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.rows import array_of, as_rows
from tutelage.data.transfer import Transfer, rows_to_make, stacked
from tutelage.losses.targets import check_temperature
from tutelage.softlabels.querying import query
from tutelage.students.teaching import blended, must_learn, out_of_fold_answers, taught
from tutelage.teachers.adapt import as_teacher


class _Distilled(BaseEstimator):  # type: ignore[misc]
    """What both share: who teaches, which rows, and that a fitted teacher survives `clone`."""

    teacher_: Teacher
    student_: Any
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

    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:
        """Let the teacher answer, and teach the student.

        Args:
            X: (rows, features) array, frame or sparse matrix, or texts: whatever both teacher and student take.
            y: the truth. Needed by a teacher that is not fitted, and for a soft_weight below 1.

        Raises:
            BadInput: no y where it is needed, a setting out of range, a teacher of another task, out_of_fold with a
                fitted teacher. LabelMismatch: labels that the teacher does not know; rows that it has no answer to.
            ShapeError: X and y differ in rows, or transfer rows in columns. ValueError or TypeError: what scikit-learn's
            validation, an unfitted teacher or the student refuses in X or y, in their own words.
        """
        learns = must_learn(self.teacher)
        self._check_settings(learns, y)
        X = self._rows(X, reset=True)
        rows = as_rows(X).count
        known = None if y is None or not learns else self._checked_truth(y, rows)
        random = check_random_state(self.random_state)
        answers = self._ask_teacher(X, known, learns, random)
        form = self.teacher_.form
        targets = self._targets(answers, None if y is None else form.truth_as_answers(y if known is None else known, rows))
        self.transfer_rows_ = 0
        if self.transfer is not None:
            wanted = rows_to_make(self.transfer, len(targets), self.transfer_rows)
            made = self.transfer.make(X, wanted, seed=random.randint(2**31 - 1))
            self.transfer_rows_ = wanted
            if wanted:
                targets = np.concatenate([targets, self._targets(query(self.teacher_, made), None)])
                X = stacked(X, made)
        self.student_ = taught(self.student, form, X, targets)
        return self

    def _ask_teacher(self, X: Any, y: NDArray[Any] | None, learns: bool, random: np.random.RandomState) -> Floats:
        """Settle who teaches, and what he says of the training rows."""
        self.teacher_ = as_teacher(clone(self.teacher).fit(X, y) if learns else self.teacher)
        self._learn_form(self.teacher_.form)
        if self.out_of_fold is None:
            return query(self.teacher_, X)
        assert y is not None  # noqa: S101 - _check_settings has seen to it
        seed = random.randint(2**31 - 1)
        return out_of_fold_answers(clone(self.teacher), self.teacher_.form, X, y, folds=self.out_of_fold, seed=seed)

    def _check_settings(self, learns: bool, y: Any) -> None:
        name = type(self).__name__
        if not 0 <= self.soft_weight <= 1:
            raise BadInput(f"soft_weight is {self.soft_weight}; expected a number from 0 (the truth alone) to 1 (the teacher alone).")
        if self.out_of_fold is not None and not learns:
            raise BadInput("out_of_fold needs a teacher that is not fitted, to fit it on each part; this one is. Leave out_of_fold out.")
        if y is None and learns:
            raise BadInput(
                f"{name} requires y to be passed, but the target y is None: its {type(self.teacher).__name__} teacher is not fitted "
                "and learns from y first. Pass y, or a fitted teacher."
            )
        if y is None and self.soft_weight < 1:
            raise BadInput(f"soft_weight is {self.soft_weight} and y is None: there is no truth to blend in. Pass y, or soft_weight=1.")

    def _rows(self, X: Any, *, reset: bool) -> Any:
        """Frames and texts as they are; anything else as an array or matrix that scikit-learn knows.

        What cells may hold is for teacher and student to say when they learn. Afterwards a missing number is
        refused where none was learnt from, unless both are known to take it.
        """
        if not _is_frame_or_texts(X):
            takes = get_tags(self).input_tags
            strict = not reset and self._finite and not takes.allow_nan
            X = check_array(
                X, dtype=None, accept_sparse=["csr"] if takes.sparse else False, ensure_all_finite=strict, allow_nd=True, estimator=self
            )
            if reset:
                values = X.data if issparse(X) else X  # type: ignore[attr-defined]
                self._finite = values.dtype.kind in "biuf" and bool(np.isfinite(values).all())
        elif reset:
            self._finite = False
        validate_data(self, X, reset=reset, skip_check_array=True)
        return X

    @abstractmethod
    def _checked_truth(self, y: ArrayLike, rows: int) -> NDArray[Any]:
        """The truth as scikit-learn takes it, a row of it for each row of X."""

    @abstractmethod
    def _learn_form(self, form: AnswerForm) -> None:
        """Keep what the form of the teacher's answers says, or refuse it."""

    @abstractmethod
    def _targets(self, answers: Floats, truth: Floats | None) -> Floats:
        """(rows, columns) for the student."""

    def __sklearn_clone__(self) -> Self:
        """A clone whose fitted teacher and transfer set are the very same objects: cloning must unlearn nothing."""
        hollow = copy.copy(self)
        kept = {"transfer": self.transfer} | ({} if must_learn(self.teacher) else {"teacher": self.teacher})
        for name in kept:
            setattr(hollow, name, None)
        fresh: Self = BaseEstimator.__sklearn_clone__(hollow)
        for name, value in kept.items():
            setattr(fresh, name, value)
        return fresh

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = [get_tags(part).input_tags for part in (self.teacher, self.student) if hasattr(part, "__sklearn_tags__")]
        tags.input_tags.sparse = all(tag.sparse for tag in inner)
        tags.input_tags.allow_nan = all(tag.allow_nan for tag in inner)
        tags.target_tags.required = must_learn(self.teacher)
        return tags


class DistilledClassifier(ClassifierMixin, _Distilled):  # type: ignore[misc]
    """A classifier taught by another: `fit` asks the teacher and teaches the student, which then answers alone.

    Targets are temper(soft_weight * teacher + (1 - soft_weight) * one-hot y); a row without y, as every transfer row
    is, has the teacher's answer alone. With soft_weight 0 and no transfer rows this is the student on hard labels.

    Args:
        teacher: a fitted classifier or whatever else `as_teacher` takes, a Teacher, or soft labels recorded on
            these rows. A scikit-learn estimator that is not fitted is cloned and fitted on (X, y) first.
        student: an unfitted scikit-learn classifier; it is cloned. One that learns from probabilities (`SoftTree`)
            is given them; any other is wrapped in `SoftTargets`.
        soft_weight: share of the teacher in the targets, 0 to 1; below 1 needs y.
        temperature: the student learns the probabilities at this temperature and `predict_proba` takes it out again.
            A student with a leaf or a ball of rows averages them where the temperature put them.
        transfer: a `Transfer` such as `Munge()`: more rows for the teacher to label, added to X.
        transfer_rows: how many, as an int; as a float, in multiples of the rows of X. None is a pool's every row,
            and otherwise 5 times X, at most 100 000.
        out_of_fold: with an unfitted teacher, the targets of the training rows come from this many folds, each answered
            by a clone that did not learn from it: a teacher is over-sure of rows that it saw. `teacher_` itself learns
            from all rows, and labels the transfer rows.
        random_state: of the transfer rows and the folds. Teacher and student have their own.

    Attributes:
        teacher_: the Teacher that answered. student_: the fitted student, complete without the teacher.
        classes_: (classes,) the teacher's, whatever y holds.
        temperature_: at which the student learnt; 1 where there was nothing soft to learn.
        n_features_in_, feature_names_in_: as in scikit-learn.
        transfer_rows_: how many were added.
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
        """(rows, classes) probabilities at temperature 1; for a multilabel teacher, of each label."""
        check_is_fitted(self)
        tempered = np.asarray(self.student_.predict_proba(self._rows(X, reset=False)), dtype=np.float64)
        return self._form.probabilities(tempered, 1 / self.temperature_)

    def predict(self, X: Any) -> NDArray[Any]:
        """(rows,) labels; for a multilabel teacher (rows, labels) of 0 and 1."""
        probabilities = self.predict_proba(X)
        if self._form.task == "multilabel":
            return np.asarray(probabilities > 0.5, dtype=np.intp)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def _check_settings(self, learns: bool, y: Any) -> None:
        super()._check_settings(learns, y)
        # One-hot targets are the same at every temperature, so a student of them alone must not be untempered.
        self.temperature_ = check_temperature(self.temperature)
        if self.soft_weight == 0 and self.transfer is None:
            self.temperature_ = 1.0

    def _learn_form(self, form: AnswerForm) -> None:
        if form.task == "regression":
            raise BadInput("this teacher answers with values, not classes; use DistilledRegressor.")
        self.classes_ = label_array(form.classes)
        self._form = form.as_kind("probabilities")

    def _checked_truth(self, y: ArrayLike, rows: int) -> NDArray[Any]:
        labels = array_of(y, "the rows of y")
        labels = labels if labels.ndim == 2 and labels.shape[1] > 1 else column_or_1d(y, warn=True)
        assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
        _same_rows(rows, labels)
        return np.asarray(labels)

    def _targets(self, answers: Floats, truth: Floats | None) -> Floats:
        return blended(answers, self.teacher_.form, truth=truth, soft_weight=self.soft_weight, temperature=self.temperature_)


class DistilledRegressor(RegressorMixin, _Distilled):  # type: ignore[misc]
    """A regressor taught by another: `fit` asks the teacher for values and teaches the student to give them.

    Targets are soft_weight * teacher + (1 - soft_weight) * y; transfer rows have the teacher's value alone.

    Args:
        teacher: a fitted regressor or whatever else `as_teacher` takes, a Teacher, or values recorded on these
            rows. A scikit-learn regressor that is not fitted is cloned and fitted on (X, y) first.
        student: an unfitted scikit-learn regressor; it is cloned. For a teacher of many outputs, one of many.
        soft_weight: share of the teacher in the targets, 0 to 1; below 1 needs y.
        transfer, transfer_rows, out_of_fold, random_state: as in `DistilledClassifier`.

    Attributes:
        teacher_, student_, n_features_in_, feature_names_in_, transfer_rows_: as in `DistilledClassifier`.
    """

    def predict(self, X: Any) -> Floats:
        """(rows,) values, or (rows, outputs)."""
        check_is_fitted(self)
        return np.asarray(self.student_.predict(self._rows(X, reset=False)))

    def _learn_form(self, form: AnswerForm) -> None:
        if form.task != "regression":
            raise BadInput("this teacher names classes, not values; use DistilledClassifier.")

    def _checked_truth(self, y: ArrayLike, rows: int) -> NDArray[Any]:
        values = check_array(y, ensure_2d=False, dtype="numeric", input_name="y", estimator=self)
        _same_rows(rows, values)
        return np.asarray(values)

    def _targets(self, answers: Floats, truth: Floats | None) -> Floats:
        if truth is not None and truth.shape != answers.shape:
            raise ShapeError(f"y has {truth.shape[1]} columns and the teacher answers with {answers.shape[1]}; expected as many.")
        return blended(answers, self.teacher_.form, truth=truth, soft_weight=self.soft_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _is_frame_or_texts(X: Any) -> bool:
    if isinstance(X, np.ndarray):
        return X.ndim == 1 and X.dtype.kind in "OU" and X.size > 0 and isinstance(X[0], str)
    return hasattr(X, "iloc") or hasattr(X, "slice") or (isinstance(X, list | tuple) and bool(X) and isinstance(X[0], str))


def _same_rows(rows: int, y: NDArray[Any]) -> None:
    if len(y) != rows:
        raise ShapeError(f"X and y have {rows} and {len(y)} rows; they must be the same rows in the same order.")
