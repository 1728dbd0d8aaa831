"""The schema that a fitted booster stores of the columns that it learnt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from tutelage.core.errors import BadInput, one_line
from tutelage.data.schema import Column, Schema
from tutelage.data.tables.column_types import ColumnType
from tutelage.teachers.lightgbm_categories import columns_of_lists

_XGBOOST_TYPES: dict[str, ColumnType] = {"c": "category", "i": "boolean"}


def lightgbm_schema(booster: Any, categories: Sequence[int] | None = None) -> Schema | None:
    """Schema of a lightgbm.Booster.

    Args:
        booster: a lightgbm.Booster.
        categories: positions of the columns that are categories in the rows at hand; they settle what the model does not.

    Returns:
        None if the model stores more lists of categories than it says which columns they belong to.

    Raises:
        BadInput: categories that LightGBM cannot store, such as dates.
    """
    names, lists = booster.feature_name(), booster.pandas_categorical or []
    infos, declared = _lightgbm_header(booster)
    used = np.asarray(booster.feature_importance("split")) > 0
    unread = [info == "none" and not read for info, read in zip(infos, used, strict=True)]
    owners = columns_of_lists(infos, unread, [len(levels) for levels in lists], declared)
    if categories is not None and len(categories) == len(lists):
        owners = list(categories)
    if owners is None:
        return None
    levels_of = dict(zip(owners, lists, strict=True))
    real = names != [f"Column_{place}" for place in range(len(names))]
    columns = tuple(
        Column(name if real else None, "unread" if idle else "category" if place in levels_of else "number", _tuple(levels_of.get(place)))
        for place, (name, idle) in enumerate(zip(names, unread, strict=True))
    )
    return Schema(columns, underscores=True)


def _lightgbm_header(booster: Any) -> tuple[list[str], list[int] | None]:
    """What LightGBM stores of the columns.

    Returns:
        The values of each ("none" for a constant, "[0:2]" for a range, "-1:2:0" for categories), and the positions of those that were
        declared as categories, None if they are not stored.
    """
    try:
        text = booster.model_to_string(num_iteration=1)
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"LightGBM cannot store the categories of this booster ({one_line(error)}). Use texts or numbers as categories."
        ) from error
    infos = re.search(r"^feature_infos=(.*)$", text, re.MULTILINE)
    declared = re.search(r"^\[categorical_feature: ([\d,]*)\]$", text, re.MULTILINE)
    return infos[1].split(" ") if infos else [], None if declared is None else [int(place) for place in declared[1].split(",") if place]


def xgboost_schema(booster: Any) -> Schema:
    """Schema of an xgboost.Booster. A column of categories that the model does not store is a number, its code."""
    width = booster.num_features()
    names = booster.feature_names or [None] * width
    types = booster.feature_types or ["float"] * width
    levels: list[tuple[Any, ...] | None] = [None] * width
    if "c" in types:
        levels = [None if one is None else tuple(one.to_pylist()) for _, one in booster.get_categories(export_to_arrow=True).to_arrow()]
    columns = []
    for name, kind, known in zip(names, types, levels, strict=True):
        column_type = "number" if kind == "c" and known is None else _XGBOOST_TYPES.get(kind, "number")
        columns.append(Column(name, column_type, known, "refuse"))
    return Schema(tuple(columns))


def catboost_schema(model: Any) -> Schema:
    """Schema of a fitted CatBoost model, which stores its categories as hashes."""
    names: list[str] = list(model.feature_names_)
    types: dict[int, ColumnType] = dict.fromkeys(model.get_cat_feature_indices(), "category")
    types |= dict.fromkeys(model.get_text_feature_indices(), "text")
    types |= dict.fromkeys(model.get_embedding_feature_indices(), "any")
    real = names != [str(place) for place in range(len(names))]
    return Schema(tuple(Column(name if real else None, types.get(place, "number")) for place, name in enumerate(names)))


def booster_schema(estimator: Any) -> Schema | None:
    """Schema of a LightGBM, XGBoost or CatBoost estimator; None for any other, or one that is not fitted."""
    engine = booster_engine(estimator)
    if engine == "catboost":
        return catboost_schema(estimator) if estimator.is_fitted() else None
    if engine == "lightgbm":
        return lightgbm_schema(estimator.booster_)
    return xgboost_schema(estimator.get_booster()) if engine == "xgboost" else None


def booster_engine(estimator: Any) -> str | None:
    """The engine of an estimator: "lightgbm", "xgboost" or "catboost"; None for one of another package."""
    for engine, method in (("lightgbm", "booster_"), ("xgboost", "get_booster"), ("catboost", "is_fitted")):
        packages = [kind.__module__.partition(".")[0] for kind in type(estimator).__mro__]
        if engine in packages and hasattr(estimator, method):
            return engine
    return None


def _tuple(levels: Any) -> tuple[Any, ...] | None:
    return None if levels is None else tuple(levels)
