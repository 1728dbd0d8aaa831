"""Students by name, for the command line and configuration files."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeRegressor

from tutelage.core.answer_kinds import Task
from tutelage.core.errors import BadInput, did_you_mean
from tutelage.students.boosting import SoftBoosting
from tutelage.students.linear import SoftLogistic
from tutelage.students.multilabel import PerLabel
from tutelage.students.networks.mlp import SoftMLP
from tutelage.students.networks.mlp_regressor import NetworkRegressor
from tutelage.students.trees import SoftForest, SoftTree

CLASSIFIERS: dict[str, type] = {
    "tree": SoftTree,
    "forest": SoftForest,
    "logistic": SoftLogistic,
    "boosting": SoftBoosting,
    "mlp": SoftMLP,
}

REGRESSORS: dict[str, type] = {
    "tree": DecisionTreeRegressor,
    "forest": RandomForestRegressor,
    "linear": Ridge,
    "boosting": GradientBoostingRegressor,
    "mlp": NetworkRegressor,
}
"""Regressors that `save_student` can save. "boosting" learns a single output."""

NEED_SCALING = {"logistic", "linear", "mlp"}
"""Students that compute weighted sums of their columns, which `with_columns` scales for them; the others split on columns."""


def student_named(name: str, /, task: Task = "multiclass", **settings: Any) -> Any:
    """An unfitted student.

    Args:
        name: one of `CLASSIFIERS`, or of `REGRESSORS` for regression.
        task: the task of the teacher; a multilabel student is a `PerLabel` around the classifier.
        settings: parameters of the student's class, by name.

    Raises:
        BadInput: no such student or setting; the message lists the valid names and suggests the closest.
    """
    known = REGRESSORS if task == "regression" else CLASSIFIERS
    if name not in known:
        raise BadInput(f"no student is named {name!r} for {task}; expected one of {', '.join(known)}.{did_you_mean(name, known)}")
    student: Any = known[name]()
    valid = student.get_params(deep=False)
    for setting in settings:
        if setting not in valid:
            expected = f"expected one of {', '.join(valid)}.{did_you_mean(setting, valid)}"
            raise BadInput(f"the student {name!r} has no setting {setting!r}; {expected}")
    student.set_params(**settings)
    return PerLabel(student) if task == "multilabel" else student
