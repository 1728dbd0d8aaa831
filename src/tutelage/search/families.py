"""Families of students and the settings that a search tries for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import clone

from tutelage.core.answer_kinds import Task
from tutelage.core.errors import require
from tutelage.students.by_name import NEED_SCALING, student_named
from tutelage.students.mlp import SoftMLP
from tutelage.students.mlp_regressor import NetworkRegressor

ROW_VISITS = 1_500_000
"""Rows that a network sees in training: epochs times rows, within 10 to 100 epochs."""
MANY_ROWS = 5000
"""From so many rows on, a network learns from larger batches."""


@dataclass(frozen=True, eq=False)
class Family:
    """Students of one kind.

    Attributes:
        name: by which the family is known in results.
        estimator: the unfitted student with its untuned settings.
        space: for each setting that is searched, an Optuna distribution.
        scaled: whether its columns are scaled and one-hot (linear models, networks) rather than coded (trees).
        untuned: values of searched settings in the first trial, where they are not the estimator's own.
    """

    name: str
    estimator: Any
    space: Mapping[str, Any]
    scaled: bool
    untuned: Mapping[str, Any] = field(default_factory=dict)

    def student(self, settings: Mapping[str, Any], *, seed: int, rows: int) -> Any:
        """An unfitted student with these settings and this seed, for so many training rows."""
        student = clone(self.estimator)
        if isinstance(student, SoftMLP | NetworkRegressor):
            student.set_params(epochs=int(np.clip(ROW_VISITS / rows, 10, 100)), batch_size=64 if rows < MANY_ROWS else 256)
        return with_seed(student.set_params(**{name: _value(name, value) for name, value in settings.items()}), seed)


def with_seed(student: Any, seed: int) -> Any:
    """The student, with a seed of its random draws if it has one."""
    for name in ("random_state", "estimator__random_state"):
        if name in student.get_params():
            return student.set_params(**{name: seed})
    return student


def _value(name: str, value: Any) -> Any:
    """A setting as the student takes it: Optuna's categories are texts and numbers, so the units of layers are written "32,32"."""
    return tuple(map(int, value.split(","))) if name.endswith("hidden_layer_sizes") and isinstance(value, str) else value


def family_named(name: str, task: Task) -> Family:
    """A family of the students that `student_named` makes, with its usual space.

    Raises:
        BadInput: no such student for this task. MissingExtra: Optuna is not installed.
    """
    student = student_named(name, task)
    prefix = "estimator__" if task == "multilabel" else ""
    untuned, space = _spaces(task)[name]
    return Family(
        name,
        student,
        {f"{prefix}{setting}": distribution for setting, distribution in space.items()},
        name in NEED_SCALING,
        {f"{prefix}{setting}": value for setting, value in untuned.items()},
    )


def _spaces(task: Task) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """For each name, the settings of the first trial and the space."""
    optuna = require("optuna.distributions")
    whole, real, one_of = optuna.IntDistribution, optuna.FloatDistribution, optuna.CategoricalDistribution
    leaves, rows = whole(4, 512, log=True), whole(1, 64, log=True)
    common = {
        "tree": ({"max_leaf_nodes": 64, "min_samples_leaf": 4}, {"max_leaf_nodes": leaves, "min_samples_leaf": rows}),
        "forest": (
            {"n_estimators": 20, "max_leaf_nodes": 64, "min_samples_leaf": 4},
            {"n_estimators": whole(4, 40, log=True), "max_leaf_nodes": leaves, "min_samples_leaf": rows},
        ),
    }
    units = one_of(["8", "16", "32", "64", "32,32"])
    mlp = (
        {"hidden_layer_sizes": "32", "learning_rate": 0.003},
        {"hidden_layer_sizes": units, "learning_rate": real(3e-4, 3e-2, log=True), "l2": real(1e-7, 1e-2, log=True)},
    )
    if task == "regression":
        boosting = {"n_estimators": whole(20, 200, log=True), "learning_rate": real(0.02, 0.5, log=True), "max_leaf_nodes": whole(4, 32)}
        return {
            **common,
            "linear": ({"alpha": 1.0}, {"alpha": real(1e-4, 1e4, log=True)}),
            "boosting": ({"n_estimators": 100, "learning_rate": 0.1, "max_leaf_nodes": 8}, boosting),
            "mlp": mlp,
        }
    boosting = {"n_estimators": whole(10, 150, log=True), "learning_rate": real(0.02, 0.5, log=True), "num_leaves": whole(3, 31, log=True)}
    return {
        **common,
        "logistic": ({"C": 1.0}, {"C": real(1e-3, 1e3, log=True)}),
        "boosting": ({"n_estimators": 50, "learning_rate": 0.1, "num_leaves": 15}, boosting),
        "mlp": mlp,
    }
