"""Whether the trees in a booster's text point inside themselves: LightGBM and XGBoost follow wrong numbers out of their memory."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tutelage.core.stored.tree_nodes import LEAF, points_inside


def without_tree_sizes(text: str) -> str:
    """A LightGBM text without the line of tree sizes: LightGBM then finds the end of each tree itself; no wrong size misdirects it."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("tree_sizes="))


class LightGBMParts(NamedTuple):
    """A LightGBM text: the fields of its head, those of each tree, and the lines after the trees."""

    head: dict[str, str]
    trees: list[dict[str, str]]
    rest: list[str]


def lightgbm_parts(text: str) -> LightGBMParts:
    """A LightGBM text, parsed."""
    before, _, after = text.partition("\nend of trees")
    head, *trees = before.split("\nTree=")
    return LightGBMParts(_fields(head), [_fields(tree) for tree in trees], after.splitlines())


def sound_lightgbm(parts: LightGBMParts) -> bool:
    """Whether all indices in a LightGBM text are within bounds.

    Raises:
        ValueError, KeyError: it is not such a text.
    """
    features, columns = int(parts.head["max_feature_idx"]) + 1, int(parts.head["num_tree_per_iteration"])
    fits = columns > 0 and len(parts.trees) % columns == 0
    return fits and _sound_parameters(parts.rest) and all(_sound_lightgbm_tree(tree, features) for tree in parts.trees)


def sound_xgboost(plain: Any) -> bool:
    """Whether all indices in what XGBoost's JSON holds are within bounds.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it is no such model.
    """
    learner = plain["learner"]
    booster = learner["gradient_booster"]
    if booster["name"] == "gblinear":
        return True
    model = (booster["gbtree"] if booster["name"] == "dart" else booster)["model"]
    trees, groups = model["trees"], np.asarray(model["tree_info"])
    about = learner["learner_model_param"]
    features = int(about["num_feature"])
    columns = max(int(about["num_class"]), int(about.get("num_target", 1)), 1)
    rounds = np.asarray(model.get("iteration_indptr", [0, len(trees)]))
    return (
        len(trees) == len(groups) == rounds[-1]
        and bool((groups >= 0).all() and (groups < columns).all() and (np.diff(rounds) >= 0).all() and rounds[0] == 0)
        and (booster["name"] != "dart" or len(booster["weight_drop"]) == len(trees))
        and all(_sound_xgboost_tree(tree, features) for tree in trees)
    )


def _sound_parameters(lines: list[str]) -> bool:
    """Whether the parameters after the trees are complete, one in brackets a line: LightGBM reads on until it finds their ends."""
    if "parameters:" not in lines:
        return not any(line.startswith("[") or line == "end of parameters" for line in lines)
    rest = lines[lines.index("parameters:") + 1 :]
    listed = rest[: rest.index("end of parameters")] if "end of parameters" in rest else [""]
    return bool(listed) and listed != [""] and all(re.fullmatch(r"\[[^\]:]+: .*\]|", line) for line in listed)


def _sound_lightgbm_tree(tree: dict[str, str], features: int) -> bool:
    leaves = int(tree["num_leaves"])
    if leaves < 1 or len(_numbers(tree["leaf_value"])) != leaves:
        return False
    if tree.get("is_linear", "0") != "0" and not _sound_linear_leaves(tree, leaves, features):
        return False
    if leaves == 1:
        return True
    feature, decisions, thresholds = (_numbers(tree[name]) for name in ("split_feature", "decision_type", "threshold"))
    if not len(feature) == len(decisions) == len(thresholds) == leaves - 1:
        return False
    categorical = thresholds[(decisions.astype(np.int64) & 1) == 1]
    if len(categorical) and not _sound_categories(tree, categorical):
        return False
    left, right = (_with_leaves(_integers(tree[side]), leaves) for side in ("left_child", "right_child"))
    return points_inside(left, right, np.r_[feature, np.full(leaves, LEAF)], features=features)


def _sound_categories(tree: dict[str, str], places: NDArray[np.floating[Any]]) -> bool:
    """Whether the sets of categories that nodes name, by their place, exist."""
    count, bounds = int(tree["num_cat"]), _integers(tree["cat_boundaries"])
    words = len(tree["cat_threshold"].split())
    named = bool((places >= 0).all() and (places < count).all() and (places == np.floor(places)).all())
    return named and len(bounds) == count + 1 and bool((np.diff(bounds) >= 0).all()) and bounds[0] == 0 and bounds[-1] == words


def _sound_linear_leaves(tree: dict[str, str], leaves: int, features: int) -> bool:
    counts, used = _integers(tree["num_features"]), _integers(tree["leaf_features"])
    return (
        len(counts) == leaves == len(tree["leaf_const"].split())
        and bool((counts >= 0).all())
        and counts.sum() == len(used) == len(tree["leaf_coeff"].split())
        and bool(((used >= 0) & (used < features)).all())
    )


def _with_leaves(child: NDArray[np.integer[Any]], leaves: int) -> NDArray[np.integer[Any]]:
    """Child indices in which the leaves, numbered ~leaf by LightGBM, follow the inner nodes."""
    return np.concatenate([np.where(child >= 0, child, len(child) + ~child), np.full(leaves, LEAF)])


def _sound_xgboost_tree(tree: dict[str, Any], features: int) -> bool:
    nodes, vector = int(tree["tree_param"]["num_nodes"]), int(tree["tree_param"].get("size_leaf_vector", 1))
    left, right = np.asarray(tree["left_children"]), np.asarray(tree["right_children"])
    lengths = {len(tree[name]) for name in ("left_children", "right_children", "split_conditions", "default_left", "split_indices")}
    if lengths != {nodes}:
        return False
    if vector > 1 and "leaf_weights" in tree:  # the right child of a leaf is then the place of its vector among the weights
        leaf = left == LEAF
        if not ((right[leaf] >= 0) & (right[leaf] < len(tree["leaf_weights"]) // vector)).all():
            return False
        right = np.where(leaf, LEAF, right)
    elif len(tree["base_weights"]) < nodes * max(vector, 1):
        return False
    return points_inside(left, right, tree["split_indices"], features=features) and _sound_segments(tree, nodes)


def _sound_segments(tree: dict[str, Any], nodes: int) -> bool:
    """Whether the sets of categories of a tree's nodes lie within its list of categories."""
    named, starts, sizes = (
        np.asarray(tree.get(name, []), dtype=np.int64) for name in ("categories_nodes", "categories_segments", "categories_sizes")
    )
    total = len(tree.get("categories", []))
    kinds = np.asarray(tree.get("split_type", [0] * nodes))
    return (
        len(named) == len(starts) == len(sizes)
        and len(kinds) == nodes
        and set(np.flatnonzero(kinds).tolist()) <= set(named.tolist())
        and bool(((named >= 0) & (named < nodes) & (starts >= 0) & (sizes >= 0) & (starts + sizes <= total)).all())
    )


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in block.splitlines())
    return {key: value for key, _, value in pairs}


def _numbers(values: str) -> NDArray[np.floating[Any]]:
    return np.array(values.split(), dtype=np.float64)


def _integers(values: str) -> NDArray[np.integer[Any]]:
    return np.array(values.split(), dtype=np.int64)
