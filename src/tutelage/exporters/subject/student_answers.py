"""A student as the comparison asks it: rows of any container as numbers, and its answers and decisions without quoting a row."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.arrays import Floats
from tutelage.core.errors import FOREIGN, BadInput, ShapeError, TutelageError, WrongType, shown
from tutelage.data.schema import listed, select_columns
from tutelage.students.cascade import Cascade
from tutelage.teachers.inputs import copied_rows


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers to some rows.

    Attributes:
        values: (rows, outputs) probabilities or values, in double precision.
        decisions: (rows,) codes of the classes, or (rows, labels) of 0 and 1; None for regression.
        deferred: (rows,) of a file with a threshold, whether it leaves the row to the teacher; None without one.
    """

    values: Floats
    decisions: NDArray[np.int64] | None
    deferred: NDArray[np.bool_] | None = None

    def take(self, places: Any) -> Answers:
        """The answers to some of the rows."""
        decisions, deferred = (None if one is None else one[places] for one in (self.decisions, self.deferred))
        return Answers(self.values[places], decisions, deferred)


def column_names(student: Any) -> tuple[str, ...]:
    """The names of the columns that a student was fitted on, in order; empty if they had none."""
    names: Any = getattr(student, "columns", None)
    names = getattr(student, "feature_names_in_", ()) if names is None or not len(names) else names
    return tuple(map(str, names))


def check_width(student: Any, width: int) -> None:
    """Refuse rows of another number of columns than the student was fitted on, where it says how many.

    Raises:
        ShapeError: the rows have more, or fewer.
    """
    count = len(column_names(student)) or getattr(getattr(student, "student_", student), "n_features_in_", width)
    if count != width:
        many = f"{width} column" if width == 1 else f"{width} columns"
        raise ShapeError(f"check_on has {many}, and the student was fitted on {count}; pass rows like those that it was fitted on.")


def form_of(student: Any, rows: Any) -> AnswerForm:
    """The form of a student's answers: probabilities or values.

    Raises:
        BadInput: a classifier of scikit-learn with several labels a row, or one of a single class.
    """
    form = getattr(student, "form", None)
    if isinstance(form, AnswerForm):
        return form if form.task == "regression" else form.as_kind("probabilities")
    if hasattr(student, "network"):  # without class names the columns are 0, 1, ...
        return of_classes("probabilities", range(np.asarray(student.predict_proba(rows[:1])).shape[-1]))
    if not hasattr(student, "classes_"):
        if hasattr(student, "__sklearn_tags__") and not is_regressor(student):
            raise BadInput(f"a {type(student).__name__} is neither a classifier nor a regressor; expected one of the two.")
        return AnswerForm("values", "regression")
    if not hasattr(student, "predict_proba"):
        raise BadInput(f"a {type(student).__name__} has no predict_proba; expected a classifier that predicts probabilities.")
    if isinstance(student.classes_, list):
        raise several_labels(student)
    taught = getattr(getattr(student, "teacher_", None), "form", None)
    several = getattr(student, "per_label_", False) or getattr(student, "multilabel", False)
    multilabel = several or (taught is not None and taught.task == "multilabel")
    classes = tuple(student.classes_.tolist())
    if len(classes) < 2 and not multilabel:
        raise BadInput(
            f"the {type(student).__name__} knows one class, {shown(classes[0])}, and answers it to every row; expected a student of two "
            "classes at least. Train on rows of several classes."
        )
    return AnswerForm("probabilities", "multilabel", classes) if multilabel else of_classes("probabilities", classes)


def several_labels(student: Any) -> BadInput:
    """The error about a classifier of scikit-learn with several labels a row."""
    return BadInput(f"a {type(student).__name__} of several labels cannot be exported; expected one class per row. Use PerLabel.")


def check_student(student: Any) -> None:
    """Refuse what is no fitted student.

    Raises:
        BadInput: a class, an unfitted estimator, an object without predictions, or a student of columns that are no numbers.
    """
    name = type(student).__name__
    if isinstance(student, type) or not hasattr(student, "predict"):
        raise BadInput(
            f"cannot export {student.__name__ if isinstance(student, type) else 'a ' + name}; expected a fitted student: a TorchStudent, a "
            "student of tutelage, or a scikit-learn estimator."
        )
    if hasattr(student, "__sklearn_tags__"):
        try:
            check_is_fitted(student)
        except NotFittedError as error:
            raise BadInput(f"the {name} is not fitted; call its fit first.") from error
    if isinstance(student, Cascade):
        check_student(student.student)


def ask_rows(student: Any, form: AnswerForm, given: Any, rows: NDArray[Any]) -> Answers:
    """The student's answers and decisions.

    Args:
        student: the student.
        form: the form of its answers.
        given: rows in the container that it takes.
        rows: their numbers.

    Raises:
        BadInput: it refuses the rows. Another library's error is named, not quoted: it may hold cells of the rows.
    """
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            if form.task == "regression":
                return Answers(np.asarray(student.predict(copied_rows(given)), dtype=np.float64).reshape(len(rows), -1), None)
            values = np.asarray(student.predict_proba(copied_rows(given)), dtype=np.float64)
            if hasattr(student, "network"):  # its decisions follow from its probabilities, and it may be slow
                return Answers(values, (values > 0.5).astype(np.int64) if form.task == "multilabel" else values.argmax(axis=1))
            decided = np.asarray(student.predict(copied_rows(given)))
    except FOREIGN as error:  # whatever the student raises
        quoted = error.__cause__ if isinstance(error, BadInput | WrongType) and not isinstance(error, ShapeError) else None
        if isinstance(error, TutelageError) and quoted is None:
            raise
        raise BadInput(
            f"the {type(student).__name__} refuses rows of check_on{_odd_values(rows)} ({type(quoted or error).__name__}); pass rows like "
            "those that it was fitted on."
        ) from error
    if form.task == "multilabel":
        return Answers(values, decided.astype(np.int64))
    if decided.ndim != 1:
        raise several_labels(student)
    return Answers(values, form.codes(decided, len(rows)))


def _odd_values(rows: NDArray[Any]) -> str:
    found = {", which hold missing values": np.isnan, ", which hold infinite values": np.isinf}
    return next((words for words, test in found.items() if test(rows).any()), "")


def named_columns(frame: Any, names: tuple[str, ...]) -> Any:
    """The columns that the student was fitted on, in its order."""
    given = [str(name) for name in frame.columns]
    counts, places = Counter(given), {name: place for place, name in enumerate(given)}
    lacking = [name for name in names if counts[name] != 1]
    if lacking:
        raise BadInput(
            f"check_on has {counts[lacking[0]]} columns named {lacking[0]!r}, which the student was fitted on; expected one. It has "
            f"{listed(given)}."
        )
    return select_columns(frame, [places[name] for name in names])
