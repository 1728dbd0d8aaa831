"""The schema of a fitted scikit-learn estimator: its column names, and the categories that its encoders or boosters learnt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tutelage.data.cells import is_missing
from tutelage.data.schema import Column, Schema
from tutelage.teachers.booster_columns import booster_engine, booster_schema

_INNER = ("best_estimator_", "estimators_", "estimator_", "calibrated_classifiers_", "classifier_", "regressor_", "estimator")
"""Attributes in which scikit-learn's meta-estimators hold an estimator that was fitted on the same columns."""
_OTHERS = ("categories_", "func", "transformers", "transformer_list", "build_analyzer")
"""Attributes of the parts of scikit-learn that take other columns than numbers: encoders, functions, vectorizers, and empty unions."""


def estimator_schema(estimator: Any) -> Schema | None:
    """Schema of a fitted scikit-learn estimator; the type of a column is "any" unless an encoder or booster learnt its categories.

    Returns:
        None for an estimator that stores neither column names nor categories.

    Example:
        >>> import pandas as pd
        >>> from sklearn.preprocessing import OneHotEncoder
        >>> estimator_schema(OneHotEncoder().fit(pd.DataFrame({"size": [3, 1]}))).columns[0].levels
        (1, 3)
    """
    names = getattr(estimator, "feature_names_in_", None)
    places = range(getattr(estimator, "n_features_in_", None) or 0)  # columns without names are known by their positions
    learnt = list(_columns_inside(estimator, places if names is None else names))
    if names is None and not learnt:
        return None
    schema = Schema(
        tuple(Column(str(name), "any") for name in (places if names is None else names)), underscores=_holds_lightgbm(estimator)
    )
    details: dict[str, Column | None] = {}
    for column in learnt:
        name = schema.comparable(str(column.name))
        details[name] = _agreed(details.get(name, column), column)
    found = [details.get(schema.comparable(str(column.name))) or column for column in schema.columns]
    columns = [replace(one, name=None if names is None else column.name) for one, column in zip(found, schema.columns, strict=True)]
    return replace(schema, columns=tuple(columns))


def _agreed(one: Column | None, other: Column) -> Column | None:
    """What two parts of an estimator both say of a column; None if they disagree, or disagreed before.

    Encoders of other rows of the same column, such as those of folds, know other categories: what one of them knows is known.
    """
    if one is None or (one.unseen == "keep") != (other.unseen == "keep"):
        return None
    gap = "none" if "none" in (one.gap, other.gap) else one.gap
    if one.levels == other.levels:
        strict = one if one.unseen == "refuse" else other
        return replace(next((column for column in (one, other) if column.type == "boolean"), strict), gap=gap)
    if one.unseen != "keep" or one.levels is None or other.levels is None:
        return None
    levels = tuple(dict.fromkeys((*one.levels, *other.levels)))
    return replace(one, levels=levels, gap=gap) if len({isinstance(level, str) for level in levels}) == 1 else None


def columns_as_numbers(estimator: Any, names: Sequence[Any] | None = None) -> set[Any] | None:
    """The columns that parts of scikit-learn read as numbers, by name, or by position where the estimator stores no names.

    Returns:
        None if all columns are read so, and the estimator does not store which they are.

    Example:
        >>> import pandas as pd
        >>> from sklearn.compose import make_column_transformer
        >>> from sklearn.preprocessing import OneHotEncoder, StandardScaler
        >>> rows = pd.DataFrame({"size": [3, 1], "colour": ["red", "blue"]})
        >>> columns_as_numbers(make_column_transformer((StandardScaler(), ["size"]), (OneHotEncoder(), ["colour"])).fit(rows))
        {'size'}
    """
    if names is None:
        count = getattr(estimator, "n_features_in_", None)
        names = getattr(estimator, "feature_names_in_", None if count is None else range(count))
    mask = getattr(estimator, "is_categorical_", None)  # of histogram gradient boosting, whose numbers are read by no part of it
    if hasattr(estimator, "_preprocessor"):
        return None if names is None else {name for place, name in enumerate(names) if mask is None or not mask[place]}
    parts = _parts(estimator, names)
    if parts:
        found = [columns_as_numbers(part, part_names) for part, part_names in parts]
        return None if None in found else {name for columns in found for name in columns or ()}
    other = booster_engine(estimator) or not type(estimator).__module__.startswith("sklearn.")
    if other or type(estimator).__module__ == "sklearn.dummy" or any(hasattr(estimator, name) for name in _OTHERS):
        return set()
    return None if names is None else set(names)


def takes_texts(estimator: Any) -> bool:
    """Whether an estimator begins with a text vectorizer, which would read a frame as the list of its column names."""
    if hasattr(estimator, "build_analyzer"):
        return True
    return not hasattr(estimator, "transformers") and any(takes_texts(part) for part, _ in _parts(estimator, None))  # which selects columns


def _holds_lightgbm(estimator: Any) -> bool:
    return booster_engine(estimator) == "lightgbm" or any(_holds_lightgbm(part) for part, _ in _parts(estimator, None))


def _columns_inside(estimator: Any, names: Sequence[Any] | None) -> Iterator[Column]:
    """What the parts of an estimator learnt of its own columns."""
    names = getattr(estimator, "feature_names_in_", names)
    schema = booster_schema(estimator)
    if schema is not None and schema.names is not None:
        yield from (column for column in schema.columns if column.type != "unread")
    elif schema is None and hasattr(estimator, "categories_"):
        if names is not None and len(names) == len(estimator.categories_):
            yield from map(_encoded_column, names, estimator.categories_)
    elif schema is None:
        for part, part_names in _parts(estimator, names):
            yield from _columns_inside(part, part_names)


def _parts(estimator: Any, names: Sequence[Any] | None) -> list[tuple[Any, Sequence[Any] | None]]:
    """The fitted parts that read the columns which the estimator reads, or some of them, and the names of these columns."""
    if hasattr(estimator, "steps"):
        steps = [step for _, step in estimator.steps if step is not None and not isinstance(step, str)]
        changed = next((place for place, step in enumerate(steps) if not _is_imputer(step)), len(steps))
        return [(step, names) for step in steps[: changed + 1]]
    if hasattr(estimator, "transformers_"):
        return [(one, _selected(names, columns)) for _, one, columns in estimator.transformers_ if not isinstance(one, str)]
    if hasattr(estimator, "transformer_list"):
        return [(one, names) for _, one in estimator.transformer_list if not isinstance(one, str)]
    preprocessor = getattr(estimator, "_preprocessor", None)  # of histogram gradient boosting
    if preprocessor is not None:
        return [(preprocessor, names)]
    return _estimators_inside(estimator, names)


def _estimators_inside(estimator: Any, names: Sequence[Any] | None) -> list[tuple[Any, Sequence[Any] | None]]:
    """The fitted estimators in a meta-estimator, such as those of its folds."""
    for name in _INNER:
        inner = getattr(estimator, name, None)
        several = inner.ravel().tolist() if isinstance(inner, np.ndarray) else inner if isinstance(inner, list) else [inner]
        fitted = [one for one in several if one is not None and not isinstance(one, str | type)]
        if not fitted:
            continue
        chosen = getattr(estimator, "estimators_features_", None)  # of bagging
        if names is not None and chosen is not None:
            return [(one, np.asarray(names, dtype=object)[places].tolist()) for one, places in zip(fitted, chosen, strict=True)]
        alike = all(type(one).__module__.startswith("sklearn.tree.") for one in fitted)
        in_chain = hasattr(estimator, "order_")  # whose other estimators read the labels before them as well
        return [(one, names) for one in (fitted[:1] if alike or in_chain else fitted)]
    return []


def _selected(names: Sequence[Any] | None, columns: Any) -> Sequence[Any] | None:
    """The names of the columns that a ColumnTransformer selects, by name, position, slice or mask; None if they are not known."""
    chosen: Any = [columns] if isinstance(columns, str | int) else columns
    if not isinstance(chosen, slice) and all(isinstance(one, str) for one in chosen):
        return list(chosen)
    return None if names is None else list(np.asarray(names, dtype=object)[chosen])


def _is_imputer(step: Any) -> bool:
    """Whether a step fills gaps and leaves the columns as they are."""
    filled = getattr(step, "statistics_", None)
    whole = filled is not None and len(filled) == step.n_features_in_ and not any(map(is_missing, filled))
    return whole and getattr(step, "indicator_", None) is None


def _encoded_column(name: Any, categories: Any) -> Column:
    levels = [level for level in np.asarray(categories, dtype=object).tolist() if not is_missing(level)]
    return Column(str(name), "category", tuple(levels), "keep", "none" if any(level is None for level in categories) else "nan")
