"""Serialise a Booster as text. Text that is read back is validated before it is passed to the engine."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tutelage.core.errors import DamagedFile, require
from tutelage.core.tree_nodes import LEAF, points_inside


def text_of(booster: Any, engine: str) -> str:
    """A LightGBM Booster in LightGBM's text format, or an XGBoost Booster in XGBoost's JSON."""
    return str(booster.model_to_string()) if engine == "lightgbm" else bytes(booster.save_raw("json")).decode()


def booster_of(text: str, engine: str, *, features: int, columns: int) -> Any:
    """The Booster that `text_of` wrote.

    Args:
        text: the output of `text_of`.
        engine: "lightgbm" or "xgboost".
        features: expected number of features per row.
        columns: expected number of scores per row.

    Raises:
        DamagedFile: the model has another shape, nodes that point outside their tree, or a text that the engine refuses.
        MissingExtra: the engine is not installed.
    """
    if engine not in {"lightgbm", "xgboost"}:
        raise DamagedFile(f"the file holds a model of the engine {engine!r}; expected lightgbm or xgboost.")
    module = require(engine)
    try:
        if engine == "lightgbm":
            # Without this line LightGBM searches for the ends of the trees itself, so wrong sizes cannot misdirect it.
            text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("tree_sizes="))
            sound = _sound_lightgbm(text, features, columns)
        else:
            sound = _sound_xgboost(text, features, columns)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise DamagedFile(f"a {engine} model cannot be read ({error}); it was damaged or tampered with.") from error
    if not sound:
        raise DamagedFile(
            f"a {engine} model holds a tree whose nodes point outside it, or is of another shape; it was damaged or tampered with."
        )
    try:
        return _read(module, text)
    except Exception as error:  # the engines' exceptions share no base class
        raise DamagedFile(f"a {engine} model was refused by {engine} ({str(error).splitlines()[0]}).") from error


def _read(module: Any, text: str) -> Any:
    if module.__name__ == "lightgbm":
        return module.Booster(model_str=text)
    booster = module.Booster()
    booster.load_model(bytearray(text.encode()))
    return booster


def _sound_lightgbm(text: str, features: int, columns: int) -> bool:
    head, *trees = text.partition("\nend of trees")[0].split("\nTree=")
    about = _fields(head)
    fits = int(about["max_feature_idx"]) + 1 == features and int(about["num_tree_per_iteration"]) == columns
    return fits and len(trees) % columns == 0 and all(_sound_lightgbm_tree(_fields(tree), features) for tree in trees)


def _sound_lightgbm_tree(tree: dict[str, str], features: int) -> bool:
    leaves = int(tree["num_leaves"])
    if tree["num_cat"] != "0" or tree["is_linear"] != "0":  # SoftBoosting never produces these, and they are not validated here
        return False
    if len(tree["leaf_value"].split()) != leaves:
        return False
    if leaves == 1:
        return True
    feature = _integers(tree["split_feature"])
    left, right = (_with_leaves(_integers(tree[side]), leaves) for side in ("left_child", "right_child"))
    of_leaves = np.full(leaves, LEAF)
    return len(feature) == leaves - 1 and points_inside(left, right, np.r_[feature, of_leaves], features=features)


def _with_leaves(child: NDArray[np.integer[Any]], leaves: int) -> NDArray[np.integer[Any]]:
    """Child indices in which the leaves, numbered ~leaf by LightGBM, follow the inner nodes."""
    return np.concatenate([np.where(child >= 0, child, len(child) + ~child), np.full(leaves, LEAF)])


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in block.splitlines())
    return {key: value for key, _, value in pairs}


def _integers(numbers: str) -> NDArray[np.integer[Any]]:
    return np.array([int(number) for number in numbers.split()])


def _sound_xgboost(text: str, features: int, columns: int) -> bool:
    learner = json.loads(text)["learner"]
    model = learner["gradient_booster"]["model"]
    trees, groups, rounds = model["trees"], np.asarray(model["tree_info"]), np.asarray(model["iteration_indptr"])
    about = learner["learner_model_param"]
    return (
        learner["gradient_booster"]["name"] == "gbtree"
        and int(about["num_feature"]) == features
        and max(int(about["num_class"]), 1) == columns
        and len(trees) == len(groups) == rounds[-1]
        and bool((groups >= 0).all() and (groups < columns).all() and (np.diff(rounds) >= 0).all() and rounds[0] == 0)
        and all(_sound_xgboost_tree(tree, features) for tree in trees)
    )


def _sound_xgboost_tree(tree: dict[str, Any], features: int) -> bool:
    nodes = int(tree["tree_param"]["num_nodes"])
    each: tuple[ArrayLike, ...] = tuple(tree[name] for name in ("left_children", "right_children", "split_indices"))
    lengths = {len(tree[name]) for name in ("left_children", "split_conditions", "default_left", "base_weights")}
    return lengths == {nodes} and not any(tree["split_type"]) and points_inside(*each, features=features)
