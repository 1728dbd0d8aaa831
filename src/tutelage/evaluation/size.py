"""Size of a student: number of weights or leaves, and bytes."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

INSIDE = (
    "network",
    "network_",
    "student_",
    "best_estimator_",
    "booster_",
    "estimator_",
    "forest_",
    "tree_",
    "model_",
    "regressor_",
    "final_estimator_",
)
"""Attributes in which wrappers hold the fitted model, tried in this order."""


def count_parts(student: Any) -> tuple[int, str] | None:
    """Number of weights or leaves of a fitted model, and which of the two; None for an unknown kind of model.

    Supported are torch networks, scikit-learn's trees, forests, linear models and MLPs, the three boosters, and
    pipelines and wrappers around any of them; in a pipeline only the last step is counted.
    """
    for matches, count, unit in _KINDS:
        if matches(student):
            return count(student), unit
    if hasattr(student, "steps"):
        return count_parts(student.steps[-1][1])
    if isinstance(getattr(student, "estimators_", None), list):
        return _count_members(student.estimators_)
    inner = next((getattr(student, name) for name in INSIDE if getattr(student, name, None) is not None), None)
    return None if inner is None else count_parts(inner)


def _count_members(members: list[Any]) -> tuple[int, str] | None:
    """The total of several members, such as one student per label; a float member is a constant label and counts nothing."""
    counts = [count_parts(member) for member in members if not isinstance(member, float)]
    units = {of[1] for of in counts if of is not None}
    return (sum(of[0] for of in counts if of is not None), units.pop()) if len(units) == 1 and None not in counts else None


def pickled_bytes(student: Any) -> int | None:
    """Size of the pickled student in bytes, the pickle being discarded; None if it cannot be pickled (it holds a lambda)."""
    try:
        return len(pickle.dumps(student, protocol=5))
    except (pickle.PicklingError, TypeError, AttributeError, NotImplementedError):
        return None


def _ensemble_leaves(model: Any) -> int:
    trees = np.ravel(np.asarray(model.estimators_, dtype=object))
    return sum(int(tree.tree_.n_leaves) for tree in trees)


def _is_forest(model: Any) -> bool:
    members = getattr(model, "estimators_", None)
    trees = () if members is None else np.ravel(np.asarray(members, dtype=object))
    return len(trees) > 0 and all(hasattr(getattr(tree, "tree_", None), "n_leaves") for tree in trees)


def _histogram_leaves(model: Any) -> int:
    return sum(int(tree.get_n_leaf_nodes()) for stage in model._predictors for tree in stage)


def _lightgbm_leaves(booster: Any) -> int:
    return sum(int(tree["num_leaves"]) for tree in booster.dump_model()["tree_info"])


def _xgboost_leaves(model: Any) -> int:
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    return sum(tree.count("leaf=") for tree in booster.get_dump())


def _layers(model: Any) -> int:
    return sum(int(part.size) for part in (*model.coefs_, *model.intercepts_))


def _linear(model: Any) -> int:
    return int(np.size(model.coef_) + np.size(getattr(model, "intercept_", ())))


_KINDS: tuple[tuple[Callable[[Any], bool], Callable[[Any], int], str], ...] = (
    (lambda m: hasattr(m, "parameters") and hasattr(m, "state_dict"), lambda m: sum(p.numel() for p in m.parameters()), "weights"),
    (lambda m: hasattr(getattr(m, "tree_", None), "n_leaves"), lambda m: int(m.tree_.n_leaves), "leaves"),
    (lambda m: hasattr(m, "children_left"), lambda m: int(m.n_leaves), "leaves"),
    (_is_forest, _ensemble_leaves, "leaves"),
    (lambda m: hasattr(m, "_predictors"), _histogram_leaves, "leaves"),
    (lambda m: hasattr(m, "dump_model") and hasattr(m, "num_trees"), _lightgbm_leaves, "leaves"),
    (lambda m: hasattr(m, "get_booster") or hasattr(m, "get_dump"), _xgboost_leaves, "leaves"),
    (lambda m: hasattr(m, "get_tree_leaf_counts"), lambda m: int(m.get_tree_leaf_counts().sum()), "leaves"),
    (lambda m: hasattr(m, "coefs_"), _layers, "weights"),
    (lambda m: hasattr(m, "coef_"), _linear, "weights"),
)
"""For each kind of model: how it is recognised, how its parts are counted, and their unit."""
