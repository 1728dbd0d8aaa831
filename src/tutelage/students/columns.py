"""Preprocessing of raw rows - texts, or frames with categories and missing values - into the numbers that a student takes."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
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
    the former, and imputed and scaled for the latter. Dates and durations become numbers of days
    (`Days`). Fit it with `pipeline.fit(rows, targets, student__classes=classes)`.

    Args:
        student: any unfitted student; "passthrough" prepares the columns only.
        rows: texts, a pandas or polars frame, or a matrix of numbers.
        scaled: whether the student needs scaled columns (linear models, networks) rather than splits on them.
        max_words: use only this many of the most frequent words; limits the size of a student of texts.

    Raises:
        BadInput: a column holds neither numbers, categories nor dates, or the rows are texts and the student takes dense rows only.
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
    numbers, categories, dates = _kinds(rows)
    if not scaled:
        codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
        of_dates = [("dates", Days(), dates)] if dates else []
        return ColumnTransformer([("numbers", "passthrough", numbers), ("categories", codes, categories), *of_dates])
    fill = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=RARE)
    of_dates = [("dates", make_pipeline(Days(), *(step for _, step in fill.steps)), dates)] if dates else []
    share = 0.3 if sparse else 0.0  # scikit-learn's default: rows stay sparse up to this share of non-zero cells
    return ColumnTransformer([("numbers", fill, numbers), ("categories", one_hot, categories), *of_dates], sparse_threshold=share)


class Days(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Dates as days since 1970-01-01 in UTC, with the time of day as a fraction, and durations as days; NaN where missing.

    Example:
        >>> import pandas as pd
        >>> Days().transform(pd.DataFrame({"day": pd.to_datetime(["1970-01-02 12:00", None])}))
        array([[1.5],
               [nan]])
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn nothing."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: Any) -> NDArray[np.float64]:
        """(rows, columns) days of a pandas or polars frame of dates, times on dates or durations."""
        import narwhals.stable.v2 as nw

        frame = nw.from_native(X)
        return np.column_stack([_days(frame[name]) for name in frame.columns])


def _days(column: Any) -> NDArray[np.float64]:
    import narwhals.stable.v2 as nw

    if column.dtype == nw.Object:  # dates of the standard library
        column = nw.new_series("", column.to_list(), backend="pyarrow")
    if column.dtype == nw.Duration:
        units = column.dt.total_microseconds()
    else:
        units = (column.cast(nw.Datetime("us")) if column.dtype == nw.Date else column).dt.timestamp("us")
    return np.asarray(units.cast(nw.Float64).to_numpy(), dtype=np.float64) / 86_400e6


def _is_texts(rows: Any) -> bool:
    if isinstance(rows, list | tuple):
        return bool(rows) and isinstance(rows[0], str)
    return not hasattr(rows, "columns") and getattr(rows, "ndim", 0) == 1 and len(rows) > 0 and isinstance(next(iter(rows)), str)


def _kinds(frame: Any) -> tuple[list[str], list[str], list[str]]:
    """Names of the columns of numbers, of categories, and of dates or durations."""
    import narwhals.stable.v2 as nw

    numbers: list[str] = []
    categories: list[str] = []
    dates: list[str] = []
    for name, kind in nw.from_native(frame).schema.items():
        if kind.is_numeric() or kind == nw.Boolean:
            numbers.append(name)
        elif kind in (nw.String, nw.Categorical, nw.Enum):
            categories.append(name)
        elif kind in (nw.Date, nw.Datetime, nw.Duration):
            dates.append(name)
        else:
            found = _kind_of_objects(nw.from_native(frame)[name]) if kind == nw.Object else str(kind)
            if found not in ("categories", "dates"):
                raise BadInput(
                    f"column {name!r} holds values of type {found}; expected numbers, categories or dates. "
                    "Leave the column out, or convert it to numbers."
                )
            (categories if found == "categories" else dates).append(name)
    return numbers, categories, dates


def _kind_of_objects(column: Any) -> str:
    """What Python objects are: categories, dates, or else the names of their types."""
    import pandas

    cells = [cell for cell in column.to_list() if not (cell is None or cell is pandas.NA or cell != cell)]  # noqa: PLR0124 - NaN
    types = {type(cell) for cell in cells}
    if len(types) <= 1 and types <= {str, bool, np.bool_, int, float}:
        return "categories"
    return "dates" if types <= {date, datetime} else " and ".join(sorted(kind.__name__ for kind in types))
