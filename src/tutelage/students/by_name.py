"""Students by name, for who types them."""

from __future__ import annotations

import importlib
from typing import Any

from tutelage.core.answer_kinds import Task
from tutelage.core.errors import BadInput, did_you_mean

CLASSIFIERS = {
    "tree": ("tutelage.students.trees", "SoftTree"),
    "forest": ("tutelage.students.trees", "SoftForest"),
    "logistic": ("tutelage.students.linear", "SoftLogistic"),
    "boosting": ("tutelage.students.boosting", "SoftBoosting"),
    "mlp": ("tutelage.students.mlp", "SoftMLP"),
}

REGRESSORS = {
    "tree": ("sklearn.tree", "DecisionTreeRegressor"),
    "forest": ("sklearn.ensemble", "RandomForestRegressor"),
    "linear": ("sklearn.linear_model", "Ridge"),
    "boosting": ("sklearn.ensemble", "GradientBoostingRegressor"),
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
    module, of = known[name]
    student = getattr(importlib.import_module(module), of)()
    there = student.get_params(deep=False)
    for setting in settings:
        if setting not in there:
            raise BadInput(f"the student {name!r} has no setting {setting!r}; it has {', '.join(there)}.{did_you_mean(setting, there)}")
    student.set_params(**settings)
    if task != "multilabel":
        return student
    from tutelage.students.multilabel import PerLabel

    return PerLabel(student)
