"""Students by name, for who types them."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeRegressor

from tutelage.core.answers import Task
from tutelage.core.errors import BadInput, did_you_mean
from tutelage.students.boosting import SoftBoosting
from tutelage.students.linear import SoftLogistic
from tutelage.students.mlp import SoftMLP
from tutelage.students.multilabel import PerLabel
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
}
"""Regressors of scikit-learn that `kept` can keep. The boosted one learns one output."""

WEIGHS = {"logistic", "linear", "mlp"}
"""Those that weigh their columns, which are scaled for them; the others split them."""


def student_named(name: str, /, task: Task = "multiclass", **settings: Any) -> Any:
    """A student that has learnt nothing yet.

    Args:
        name: one of `CLASSIFIERS`; for regression one of `REGRESSORS`.
        task: what it is to learn; a multilabel student is a `PerLabel` around the classifier.
        settings: those of its class, by name.

    Raises:
        BadInput: no such student or setting; the message says which there are and offers the closest.
    """
    known = REGRESSORS if task == "regression" else CLASSIFIERS
    if name not in known:
        raise BadInput(f"no student named {name!r} for {task}; there are {', '.join(known)}.{did_you_mean(name, known)}")
    student: Any = known[name]()
    there = student.get_params(deep=False)
    for setting in settings:
        if setting not in there:
            raise BadInput(f"the student {name!r} has no setting {setting!r}; it has {', '.join(there)}.{did_you_mean(setting, there)}")
    student.set_params(**settings)
    return PerLabel(student) if task == "multilabel" else student
