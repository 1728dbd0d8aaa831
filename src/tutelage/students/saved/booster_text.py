"""Serialise a Booster as text. Text that is read back is validated before it is passed to the engine."""

from __future__ import annotations

import json
from typing import Any

from tutelage.core.errors import DamagedFile, require
from tutelage.core.stored.booster_trees import lightgbm_parts, sound_lightgbm, sound_xgboost, without_tree_sizes


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
            text = without_tree_sizes(text)
            sound = _fits_lightgbm(text, features, columns)
        else:
            sound = _fits_xgboost(text, features, columns)
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


def _fits_lightgbm(text: str, features: int, columns: int) -> bool:
    parts = lightgbm_parts(text)
    fits = int(parts.head["max_feature_idx"]) + 1 == features and int(parts.head["num_tree_per_iteration"]) == columns
    # SoftBoosting never splits categories, nor fits lines in leaves.
    return fits and all(tree["num_cat"] == tree["is_linear"] == "0" for tree in parts.trees) and sound_lightgbm(parts)


def _fits_xgboost(text: str, features: int, columns: int) -> bool:
    plain = json.loads(text)
    about, booster = plain["learner"]["learner_model_param"], plain["learner"]["gradient_booster"]
    fits = int(about["num_feature"]) == features and max(int(about["num_class"]), 1) == columns
    plain_trees = booster["name"] == "gbtree" and not any(any(tree["split_type"]) for tree in booster["model"]["trees"])
    return fits and plain_trees and sound_xgboost(plain)
