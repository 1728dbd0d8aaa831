"""A lesson: who is asked, what the answers become, and how any student is taught them."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from tutelage.core.answers import AnswerForm, label_array, plain, shown
from tutelage.core.arrays import Floats, one_hot
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError, one_line
from tutelage.losses.targets import check_temperature
from tutelage.students.any_estimator import SoftTargets
from tutelage.students.multilabel import PerLabel


def must_learn(teacher: Any) -> bool:
    """Whether this is a scikit-learn estimator that was not fitted: it has to learn before it can teach."""
    if not (hasattr(teacher, "fit") and hasattr(teacher, "predict") and hasattr(teacher, "get_params")):
        return False
    if callable(getattr(teacher, "is_fitted", None)):  # CatBoost, whose state scikit-learn's check cannot see
        return not teacher.is_fitted()
    try:
        check_is_fitted(teacher)
    except NotFittedError:
        return True
    return False


def out_of_fold_answers(unfitted: Any, form: AnswerForm, X: Any, y: NDArray[Any], *, folds: int, seed: int) -> Floats:
    """What an estimator says of each row when it has not learnt from that row.

    Args:
        unfitted: a scikit-learn estimator.
        form: that of the same estimator fitted on all rows.
        X: (rows, features).
        y: (rows,) labels, or values.
        folds: how many; each row is answered by a clone fitted on the other folds.
        seed: of the folds, which are drawn at random (and by class).

    Raises:
        BadInput: fewer than two folds, a multilabel teacher, or a class with fewer rows than folds.
    """
    if folds < 2:
        raise BadInput(f"out_of_fold is {folds}; expected 2 folds or more, or None to ask the teacher about rows that it saw.")
    if form.task == "multilabel":
        raise BadInput("out_of_fold takes no multilabel teacher; fit the teacher on other rows and pass it fitted.")
    if form.task == "regression":
        plan, method = KFold(folds, shuffle=True, random_state=seed), "predict"
    else:
        plan, method = StratifiedKFold(folds, shuffle=True, random_state=seed), "predict_proba"
        fewest = int(np.unique(y, return_counts=True)[1].min())
        if fewest < folds:
            raise BadInput(f"out_of_fold={folds}, and one class has {fewest} rows; every fold needs a row of each class: use fewer folds.")
    answers = cross_val_predict(unfitted, X, y, cv=plan, method=method)
    probabilities = form if form.task == "regression" else form.as_kind("probabilities")
    return probabilities.check(answers, len(y)).astype(np.float64, copy=False)


def as_truth(y: ArrayLike, form: AnswerForm) -> Floats:
    """Labels as one-hot (rows, classes) in the teacher's order; (rows, labels) 0 and 1 for multilabel; else values.

    Raises:
        LabelMismatch: a label that the teacher does not know. ShapeError: other columns than the teacher's, or no numbers
            where it needs them.
    """
    truth = np.asarray(y)
    if form.task in {"binary", "multiclass"}:
        return _one_hot_of(truth, form)
    try:
        matrix = np.asarray(truth, dtype=np.float64).reshape(len(truth), -1)
    except (TypeError, ValueError, OverflowError) as error:
        raise ShapeError(f"y holds something else than numbers ({one_line(error)}); a {form.task} teacher needs them.") from error
    if form.classes and matrix.shape[1] != len(form.classes):
        raise ShapeError(f"y has {matrix.shape[1]} columns; expected one for each of the labels {shown(form.classes)}.")
    return matrix


def _one_hot_of(labels: NDArray[Any], form: AnswerForm) -> Floats:
    column = {label: place for place, label in enumerate(form.classes)}
    found, codes = np.unique(labels, return_inverse=True)
    unknown = [label for label in map(plain, found) if label not in column]
    if unknown:
        raise LabelMismatch(
            f"y holds {shown(tuple(unknown))}, which the teacher does not know; its classes are {shown(form.classes)}. "
            "Drop those rows, or use a teacher of all classes."
        )
    return one_hot(np.array([column[plain(label)] for label in found])[codes], len(form.classes)).astype(np.float64)


def blended(
    answers: Floats, form: AnswerForm, *, truth: Floats | None = None, soft_weight: float = 1.0, temperature: float = 1.0
) -> Floats:
    """What the student is asked to match: temper(soft_weight * teacher + (1 - soft_weight) * truth).

    The truth joins at temperature 1, where both are probabilities of the same event; tempering afterwards treats
    both alike, so that `untemper` gives the blend back. Without truth, logits are divided by the temperature as
    they are, which loses nothing. Values of a regression are blended and never tempered.

    Args:
        answers: (rows, columns) as `form` says.
        form: of the teacher.
        truth: (rows, columns) as `as_truth` gives it; needed for a soft_weight below 1.
        soft_weight: in [0, 1]; 1 is the teacher alone, 0 the truth alone.
        temperature: above zero.

    Returns:
        (rows, columns) probabilities, or values.
    """
    if truth is None or soft_weight == 1.0:
        return answers if form.kind == "values" else form.probabilities(answers, check_temperature(temperature))
    known = answers if form.kind == "values" else form.probabilities(answers)
    mixed = soft_weight * known + (1 - soft_weight) * truth
    return mixed if form.kind == "values" else form.as_kind("probabilities").probabilities(mixed, check_temperature(temperature))


def taught(student: Any, form: AnswerForm, X: Any, targets: Floats) -> Any:
    """A clone of the student, fitted to the targets.

    A classifier whose `fit` takes `classes` is given the matrix; any other is wrapped in `SoftTargets`. For a
    multilabel teacher, a student that does not learn many soft labels is wrapped in `PerLabel`. Of a Pipeline it is
    the last step that this is about.

    Args:
        student: a scikit-learn estimator.
        form: of the teacher.
        X: rows.
        targets: (rows, columns), as `blended` gives them.

    Raises:
        BadInput: a student without scikit-learn's API, or a regressor of one value for targets of several. What else a
            student finds wrong with rows or targets is its own to say.
    """
    if not (hasattr(student, "fit") and hasattr(student, "get_params")):
        raise BadInput(f"cannot teach a {type(student).__name__}; expected a scikit-learn estimator, such as SoftTree().")
    fresh = clone(student)
    if form.task == "regression":
        return _taught_values(fresh, X, targets)
    soft, keyword = _of_soft_targets(fresh, form)
    return soft.fit(X, targets, **{keyword: label_array(form.classes)})


def _taught_values(student: Any, X: Any, targets: Floats) -> Any:
    if targets.shape[1] == 1:
        return student.fit(X, targets[:, 0])
    try:
        return student.fit(X, targets)
    except ValueError as error:
        if get_tags(student).target_tags.multi_output:
            raise
        name = type(student).__name__
        raise BadInput(
            f"{name} did not learn {targets.shape[1]} values a row ({one_line(error)}); "
            "wrap it in sklearn.multioutput.MultiOutputRegressor if it learns one."
        ) from error


def _of_soft_targets(student: Any, form: AnswerForm) -> tuple[Any, str]:
    """The student as one that learns from the matrix, and how its fit is told the classes."""
    steps = getattr(student, "steps", None)
    if steps:
        name, last = steps[-1]
        soft, keyword = _of_soft_targets(last, form)  # what comes before the last step sees each row once
        return student.set_params(**{name: soft}), f"{name}__{keyword}"
    takes_matrix = "classes" in inspect.signature(student.fit).parameters
    if form.task == "multilabel" and not (takes_matrix and get_tags(student).classifier_tags.multi_label):
        return PerLabel(student), "classes"
    return (student if takes_matrix else SoftTargets(student)), "classes"
