"""Distillation steps shared by all scikit-learn students: out-of-fold answers, blended targets, and fitting any student to them."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.tree import DecisionTreeRegressor, ExtraTreeRegressor
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from tutelage.core.answers import AnswerForm, label_array
from tutelage.core.arguments import whole
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, one_line, reported_as_ours
from tutelage.losses.targets import check_temperature
from tutelage.students.any_estimator import SoftTargets
from tutelage.students.multilabel import PerLabel
from tutelage.teachers.inputs import copied_rows

ROUNDING = 100
"""Units in the last place by which the answers of a model to different rows may differ though they mean the same number."""


def is_unfitted(teacher: Any) -> bool:
    """Whether this is a scikit-learn estimator that is not fitted yet."""
    if not (hasattr(teacher, "fit") and hasattr(teacher, "predict") and hasattr(teacher, "get_params")):
        return False
    if callable(getattr(teacher, "is_fitted", None)):  # CatBoost; scikit-learn's check does not recognise its fitted state
        return not teacher.is_fitted()
    try:
        check_is_fitted(teacher)
    except NotFittedError:
        return True
    return False


def out_of_fold_answers(
    unfitted: Any, form: AnswerForm, X: Any, y: NDArray[Any], *, folds: int, seed: int, sample_weight: Floats | None = None
) -> Floats:
    """An estimator's answers to each row from a clone that was not fitted on that row.

    Args:
        unfitted: an unfitted scikit-learn estimator.
        form: form of the answers of the same estimator fitted on all rows.
        X: (rows, features).
        y: (rows,) class names, or values.
        folds: number of folds; each row is answered by a clone fitted on the other folds.
        seed: seed of the folds, which are drawn at random (and stratified by class).
        sample_weight: (rows,) weights that each clone is fitted with.

    Returns:
        (rows, classes) probabilities, or (rows, 1) values, float64.

    Raises:
        BadInput: fewer than two folds, a multilabel teacher, or a class with fewer rows than folds.
    """
    folds = whole("out_of_fold", folds, 2, max(len(y), 2))
    if form.task == "multilabel":
        raise BadInput("the teacher is multilabel, which out_of_fold does not support; fit the teacher on other rows and pass it fitted.")
    if form.task == "regression":
        plan: KFold | StratifiedKFold = KFold(folds, shuffle=True, random_state=seed)
    else:
        plan = StratifiedKFold(folds, shuffle=True, random_state=seed)
        fewest = int(np.unique(y, return_counts=True)[1].min())
        if fewest < folds:
            raise BadInput(f"out_of_fold is {folds} and one class has {fewest} rows; each fold needs a row of each class. Use fewer folds.")
    probabilities = form if form.task == "regression" else form.as_kind("probabilities")
    answers: Floats | None = None
    for others, places in plan.split(np.zeros(len(y)), y):
        weights = None if sample_weight is None else sample_weight[others]
        fitted = fit_weighted(clone(unfitted), _safe_indexing(X, others), y[others], weights)
        rows = _safe_indexing(X, places)
        with reported_as_ours(f"{type(fitted).__name__} cannot answer the rows of a fold"):
            found = fitted.predict(rows) if form.task == "regression" else fitted.predict_proba(rows)
        found = probabilities.check(found, len(places)).astype(np.float64, copy=False)
        answers = np.empty((len(y), *found.shape[1:])) if answers is None else answers
        answers[places] = found
    assert answers is not None  # noqa: S101 - there are two folds or more
    return answers


def rows_for(estimator: Any, X: Any) -> Any:
    """The rows for an estimator that are read again after it: a copy if a step works in place, as StandardScaler(copy=False), or may."""
    settings = estimator.get_params() if hasattr(estimator, "get_params") else {}
    last = {name: (name.rpartition("__")[2], value) for name, value in settings.items()}.values()
    in_place = any((name in ("copy", "copy_X") and value is False) or (name == "func" and value is not None) for name, value in last)
    return copied_rows(X) if in_place else X


def fit_weighted(estimator: Any, X: Any, y: Any, sample_weight: Floats | None, **keywords: Any) -> Any:
    """Fit an estimator, with weights if there are any. In a Pipeline, weights and keywords are those of the last step.

    They are passed in the same way whether or not scikit-learn's metadata routing is enabled.

    Raises:
        BadInput: there are weights, and the estimator's fit takes none.
    """
    what, prefix, last, X = f"{type(estimator).__name__} cannot be fitted", "", estimator, rows_for(estimator, X)
    while getattr(last, "steps", None):
        name, last = last.steps[-1]
        prefix += f"{name}__"
    if sample_weight is not None:
        if not has_fit_parameter(last, "sample_weight"):
            name = type(last).__name__
            raise BadInput(f"sample_weight is given, but fit of {name} takes no weights; leave it out, or choose another estimator.")
        keywords["sample_weight"] = sample_weight
    if not keywords:
        with reported_as_ours(what):
            return estimator.fit(X, y)
    with reported_as_ours(what), config_context(enable_metadata_routing=False):
        return estimator.fit(X, y, **{f"{prefix}{name}": value for name, value in keywords.items()})


def blended(
    answers: Floats, form: AnswerForm, *, truth: Floats | None = None, soft_weight: float = 1.0, temperature: float = 1.0
) -> Floats:
    """The student's targets: temper(soft_weight * teacher + (1 - soft_weight) * truth).

    Teacher and ground truth are blended at temperature 1, where both are probabilities of the same event. Tempering
    afterwards applies to both, so that `untemper` recovers the blend. Without ground truth, logits are divided by the
    temperature directly, which loses no precision. Regression values are blended and never tempered.

    Args:
        answers: (rows, columns) in the space that `form` declares.
        form: form of the teacher's answers.
        truth: (rows, columns) as returned by `AnswerForm.truth_as_answers`; required for a soft_weight below 1.
        soft_weight: in [0, 1]; 1 is the teacher only, 0 the ground truth only.
        temperature: above zero.

    Returns:
        (rows, columns) probabilities, or values for regression.
    """
    if truth is None or soft_weight == 1.0:
        return answers if form.kind == "values" else form.probabilities(answers, check_temperature(temperature))
    from_teacher = answers if form.kind == "values" else form.probabilities(answers)
    mixed = soft_weight * from_teacher + (1 - soft_weight) * truth
    return mixed if form.kind == "values" else form.as_kind("probabilities").probabilities(mixed, check_temperature(temperature))


def fit_student(student: Any, form: AnswerForm, X: Any, targets: Floats, *, sample_weight: Floats | None = None) -> Any:
    """Fit a clone of the student to the targets, and return it.

    A classifier whose `fit` takes `classes` is fitted on the matrix of targets; any other is wrapped in `SoftTargets`.
    For a multilabel teacher, a student that does not support multiple soft labels is wrapped in `PerLabel`. In a
    Pipeline, this applies to the last step.

    Args:
        student: a scikit-learn estimator.
        form: form of the teacher's answers.
        X: training rows.
        targets: (rows, columns), as returned by `blended`.
        sample_weight: (rows,) weight of each row; all equal if not given.

    Raises:
        BadInput: the student lacks scikit-learn's API, takes no weights, or is a single-output regressor and the targets have
            multiple columns; or its `fit` fails, with its words.
    """
    if not (hasattr(student, "fit") and hasattr(student, "get_params")):
        raise BadInput(f"cannot fit a {type(student).__name__}; expected a scikit-learn estimator. Pass one, such as SoftTree().")
    cloned = clone(student)
    if form.task == "regression":
        return _fit_values(cloned, X, targets, sample_weight)
    return fit_weighted(_soft_student(cloned, form), X, targets, sample_weight, classes=label_array(form.classes))


def varies(values: Floats) -> NDArray[np.bool_]:
    """(outputs,) whether each of several values differs between rows by more than rounding.

    The deviation from a mean does not tell: the mean of many equal numbers is rounded itself.
    """
    largest = np.abs(values).max(axis=0, initial=0.0)
    return np.asarray(np.ptp(values, axis=0) > ROUNDING * np.finfo(np.float64).eps * largest)


def spread_of(values: Floats, weights: Floats | None = None) -> Floats:
    """(outputs,) the standard deviation of each of several values; 1 for one that does not vary."""
    with np.errstate(over="ignore", invalid="ignore"):  # values whose squares overflow keep their unit
        centred = values - np.average(values, axis=0, weights=weights)
        found = np.sqrt(np.average(centred**2, axis=0, weights=weights))
    return np.where(np.isfinite(found) & varies(values), found, 1.0)


def _fit_values(student: Any, X: Any, targets: Floats, sample_weight: Floats | None) -> Any:
    """A student of values. One that splits by all of them at once is fitted to each in units of its spread: none decides by its unit."""
    if targets.shape[1] == 1:
        return fit_weighted(student, X, targets[:, 0], sample_weight)
    fit = _fit_standardised if _splits_by_all(_last_step(student)) else fit_weighted
    try:
        return fit(student, X, targets, sample_weight)
    except BadInput as error:
        cause = error.__cause__  # the regressor's own error
        if not isinstance(cause, ValueError) or isinstance(cause, BadInput) or get_tags(student).target_tags.multi_output:
            raise
        name = type(student).__name__
        raise BadInput(
            f"{name} cannot be fitted to {targets.shape[1]} values per row ({one_line(cause)}); "
            "wrap it in sklearn.multioutput.MultiOutputRegressor if it supports a single output."
        ) from error


def _last_step(student: Any) -> Any:
    """The last step of a pipeline, also of one within another; any other student itself."""
    while getattr(student, "steps", None):
        student = student.steps[-1][1]
    return student


def _splits_by_all(student: Any) -> bool:
    """Whether a student is a tree or a forest of scikit-learn, none of whose settings is in the unit of the values.

    A class of the user's that is derived from one may do anything to the values.
    """
    exactly = type(student) in (DecisionTreeRegressor, ExtraTreeRegressor, RandomForestRegressor, ExtraTreesRegressor)
    return exactly and not student.min_impurity_decrease and not student.ccp_alpha


def _fit_standardised(student: Any, X: Any, targets: Floats, sample_weight: Floats | None) -> Any:
    """A tree or a forest, whose splits follow the standardised values; its leaves hold the values themselves."""
    units = spread_of(targets, sample_weight)
    counts = _last_step(student).criterion == "poisson"  # which takes no negative numbers
    middle = np.zeros(len(units)) if counts else np.average(targets, axis=0, weights=sample_weight)
    fitted = fit_weighted(student, X, (targets - middle) / units, sample_weight)
    last = _last_step(fitted)
    for tree in getattr(last, "estimators_", [last]):
        leaves = tree.tree_.value  # (nodes, outputs, 1), the memory of the tree
        leaves[...] = leaves * units[:, None] + middle[:, None]
    if hasattr(last, "oob_prediction_"):
        last.oob_prediction_ = last.oob_prediction_ * units + middle
    return fitted


def _soft_student(student: Any, form: AnswerForm) -> Any:
    """The student, wrapped if necessary so that its `fit` takes a matrix and its classes."""
    steps = getattr(student, "steps", None)
    if steps:
        name, last = steps[-1]
        return student.set_params(**{name: _soft_student(last, form)})  # the steps before the last one see each row once
    takes_matrix = "classes" in inspect.signature(student.fit).parameters
    if form.task == "multilabel" and not (takes_matrix and get_tags(student).classifier_tags.multi_label):
        return PerLabel(student)
    return student if takes_matrix else SoftTargets(student)
