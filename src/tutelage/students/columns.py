"""Preprocessing of raw rows - texts, or frames with categories and missing values - into the numbers that a student takes."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.utils import get_tags

from tutelage.core.errors import BadInput

RARE = 10
"""Categories with fewer rows than this share a single column."""


def with_columns(student: Any, rows: Any, *, scaled: bool, max_words: int | None = None) -> Pipeline:
    """A pipeline with the steps "columns" and "student" that accepts rows of this kind.

    Texts become TF-IDF weights of words and word pairs. In a frame, categories become integer codes for students that
    split on columns (trees, boosting) and one-hot columns for linear models and networks; numbers are passed through to
    the former, and imputed and scaled for the latter. Fit it with `pipeline.fit(rows, targets, student__classes=classes)`.

    Args:
        student: any unfitted student; "passthrough" prepares the columns only.
        rows: texts, a pandas or polars frame, or a matrix of numbers.
        scaled: whether the student needs scaled columns (linear models, networks) rather than splits on them.
        max_words: use only this many of the most frequent words; limits the size of a student of texts.

    Raises:
        BadInput: a column holds neither numbers nor categories, or the rows are texts and the student takes dense rows only.
    """
    takes_sparse = student == "passthrough" or bool(get_tags(student).input_tags.sparse)
    if _is_texts(rows) and not takes_sparse:
        raise BadInput(
            f"texts become sparse rows, which {type(student).__name__} does not accept; choose a tree, a forest or a linear student."
        )
    return Pipeline([("columns", _columns(rows, scaled=scaled, max_words=max_words, sparse=takes_sparse)), ("student", student)])


def _columns(rows: Any, *, scaled: bool, max_words: int | None, sparse: bool) -> Any:
    if _is_texts(rows):
        rarest = 2 if len(rows) >= 1000 else 1
        # float32, so that a linear student of the words is saved in half the bytes
        return TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=rarest, max_features=max_words, dtype=np.float32)
    if not hasattr(rows, "columns"):
        return StandardScaler(with_mean=not hasattr(rows, "tocsr")) if scaled else "passthrough"
    numbers, categories = _kinds(rows)
    if not scaled:
        codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
        return ColumnTransformer([("numbers", "passthrough", numbers), ("categories", codes, categories)])
    fill = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=RARE)
    share = 0.3 if sparse else 0.0  # scikit-learn's default: rows stay sparse up to this share of non-zero cells
    return ColumnTransformer([("numbers", fill, numbers), ("categories", one_hot, categories)], sparse_threshold=share)


def _is_texts(rows: Any) -> bool:
    if isinstance(rows, list | tuple):
        return bool(rows) and isinstance(rows[0], str)
    return not hasattr(rows, "columns") and getattr(rows, "ndim", 0) == 1 and len(rows) > 0 and isinstance(next(iter(rows)), str)


def _kinds(frame: Any) -> tuple[list[str], list[str]]:
    """Names of the numeric columns, and of the categorical columns."""
    import narwhals.stable.v2 as nw

    numbers, categories = [], []
    for name, kind in nw.from_native(frame).schema.items():
        if kind.is_numeric() or kind == nw.Boolean:
            numbers.append(name)
        elif kind in (nw.String, nw.Categorical, nw.Enum, nw.Object):
            categories.append(name)
        else:
            raise BadInput(
                f"column {name!r} holds values of type {kind}; expected numbers or categories. "
                "Leave the column out, or convert it to numbers."
            )
    return numbers, categories
