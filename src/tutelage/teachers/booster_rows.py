"""Rows in the columns that a booster learnt, in the form that its package takes them."""

from __future__ import annotations

from typing import Any

from tutelage.core.arrays import is_frame
from tutelage.core.errors import BadInput
from tutelage.data.schema import Column, Schema, listed, table_of
from tutelage.teachers.booster_columns import lightgbm_schema


def numeric_rows(engine: str, schema: Schema, rows: Any) -> Any:
    """(rows, columns) numbers and category codes for a bare Booster; a sparse matrix stays one.

    Raises:
        BadInput: rows that `Schema.encode` refuses; sparse rows for XGBoost.
    """
    if hasattr(rows, "tocsr"):
        return _sparse_rows(engine, schema, rows)
    return schema.encode(rows)


def frame_rows(engine: str, schema: Schema, rows: Any) -> Any:
    """Rows for a booster behind scikit-learn's interface, or for CatBoost: a frame if it learnt one.

    Raises:
        BadInput: rows that `Schema.arrange` refuses; sparse rows for XGBoost.
    """
    codes = engine == "xgboost" and any(column.levels is not None for column in schema.columns)
    numeric = all(column.type == "number" for column in schema.columns)
    if codes or hasattr(rows, "tocsr") or (schema.names is None and numeric):
        return numeric_rows(engine, schema, rows)
    return schema.arrange(rows)


def settled_lightgbm_schema(booster: Any, rows: Any) -> Schema:
    """Schema of a LightGBM Booster. Where the model does not store which columns are categories, the dtypes of the rows settle it.

    Raises:
        BadInput: neither tells.
    """
    schema = lightgbm_schema(booster)
    if schema is None:
        names = booster.feature_name()
        selected = Schema(tuple(Column(name, "any") for name in names), underscores=True).select(table_of(rows))
        schema = lightgbm_schema(booster, _category_places(selected) if is_frame(selected) else ())
    if schema is None:
        raise BadInput(
            f"this LightGBM model learnt {len(booster.pandas_categorical)} columns of categories and does not store which of "
            f"{listed(booster.feature_name())} they are; pass a frame in which exactly these columns have a categorical dtype."
        )
    return schema


def refuse_unknown_codes(booster: Any, schema: Schema, rows: Any) -> None:
    """Refuse a frame whose column has categories where an XGBoost model learnt codes and does not store their categories.

    Raises:
        BadInput: names the column.
    """
    kinds = booster.feature_types or []
    coded = [place for place, kind in enumerate(kinds) if kind == "c" and schema.columns[place].levels is None]
    table = table_of(rows) if coded else None
    if coded and is_frame(table):
        categories = set(_category_places(schema.select(table)))
        unknown = [schema.columns[place].name for place in coded if place in categories]
        if unknown:
            raise BadInput(
                f"this XGBoost model learnt codes in the columns {listed(unknown)} and does not store the categories that they stand "
                "for; pass the codes as numbers."
            )


def _category_places(frame: Any) -> list[int]:
    """Positions of the categorical columns of a pandas or polars frame."""
    kinds = frame.dtypes.tolist() if hasattr(frame, "iloc") else frame.dtypes
    return [place for place, kind in enumerate(kinds) if type(kind).__name__ in ("CategoricalDtype", "Categorical", "Enum")]


def _sparse_rows(engine: str, schema: Schema, rows: Any) -> Any:
    if engine == "xgboost":
        raise BadInput(
            "XGBoost reads the cells that a sparse matrix does not store as missing, and not as zero. Pass X.toarray(); if the model was "
            "trained on sparse rows, with NaN in those cells."
        )
    if all(column.type in ("number", "unread") for column in schema.columns):
        from scipy.sparse import csr_matrix

        return csr_matrix(schema.select(rows))
    return schema.encode(rows) if engine == "lightgbm" else schema.arrange(rows.toarray())
