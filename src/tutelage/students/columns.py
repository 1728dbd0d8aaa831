"""Preprocessing of raw rows - texts, or frames with categories and missing values - into the numbers that a student takes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.utils import get_tags

from tutelage.core.arrays import is_frame
from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.cells import is_missing
from tutelage.data.days import days_of
from tutelage.data.frames import frame_of
from tutelage.data.row_arrays import array_of
from tutelage.data.structures.scale import Scale

RARE = 10
"""Categories with fewer rows than this share a single column."""


def with_columns(student: Any, rows: Any, *, scaled: bool, max_words: int | None = None) -> Pipeline:
    """A pipeline with the steps "columns" and "student" that accepts rows of this kind.

    Texts become TF-IDF weights of words and word pairs. In a frame, categories become integer codes for students that
    split on columns (trees, boosting) and one-hot columns for linear models and networks; numbers, and dates as numbers of
    days, are passed through to the former, and imputed and scaled for the latter (`Numbers`). The numbers of pictures and series
    are put in a line, but for torch networks (`RowShape`). Fit it with `pipeline.fit(rows, targets, student__classes=classes)`.

    Args:
        student: any unfitted student; "passthrough" prepares the columns only.
        rows: texts, a pandas or polars frame, or an array of numbers (rows, ...).
        scaled: whether the student needs scaled columns (linear models, networks) rather than splits on them.
        max_words: use only this many of the most frequent words; limits the size of a student of texts.

    Raises:
        BadInput: a column holds neither numbers, categories nor dates, or the rows are texts and the student takes dense rows only.
    """
    takes_sparse = student == "passthrough" or bool(get_tags(student).input_tags.sparse)
    if _is_texts(rows) and not takes_sparse:
        raise BadInput(
            f"texts become sparse rows, which {type(student).__name__} does not accept; choose a tree, a forest, a network or a linear "
            "student."
        )
    if student != "passthrough" and get_tags(student).input_tags.three_d_array and not is_frame(rows) and np.ndim(rows) > 2:
        return Pipeline([("columns", RowShape(flat=False)), ("student", student)])
    return Pipeline([("columns", _columns(rows, scaled=scaled, max_words=max_words, sparse=takes_sparse)), ("student", student)])


def _columns(rows: Any, *, scaled: bool, max_words: int | None, sparse: bool) -> Any:
    if _is_texts(rows):
        rarest = 2 if len(rows) >= 1000 else 1
        # float32, so that a linear student of the words is saved in half the bytes
        return TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=rarest, max_features=max_words, dtype=np.float32)
    if not is_frame(rows):
        sparse_rows = hasattr(rows, "tocsr")
        step = StandardScaler(with_mean=not sparse_rows) if scaled else "passthrough"
        if sparse_rows or np.ndim(rows) <= 2:
            return step
        return make_pipeline(RowShape(), step) if scaled else RowShape()
    numbers, categories, dates = column_kinds(rows)
    if not scaled:
        codes = make_pipeline(Levels(), OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2))
        return ColumnTransformer([("numbers", Numbers(), numbers), ("categories", codes, categories), ("dates", Numbers(), dates)])
    fill = make_pipeline(Numbers(), SimpleImputer(strategy=median_of, keep_empty_features=True), StandardScaler())
    one_hot = make_pipeline(Levels(), OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=RARE))
    share = 0.3 if sparse else 0.0  # scikit-learn's default: rows stay sparse up to this share of non-zero cells
    steps = [("numbers", fill, numbers), ("categories", one_hot, categories), ("dates", clone(fill), dates)]
    return ColumnTransformer(steps, sparse_threshold=share)


def median_of(column: NDArray[np.float64]) -> float:
    """What gaps in a column of numbers are filled with: the median of the others, 0 if there are none.

    It is scikit-learn's own strategy "median", which sorts all columns with their gaps and takes a dozen times as long.

    Example:
        >>> median_of(np.array([1.0, 2.0, 9.0])), median_of(np.array([]))
        (2.0, 0.0)
    """
    return float(np.median(column)) if len(column) else 0.0


def levels_of(pipeline: Pipeline) -> dict[str, list[Any]]:
    """The known categories of each column of categories of a fitted pipeline of `with_columns`, without missing ones."""
    columns = pipeline.named_steps["columns"]
    fitted = {name: (step, chosen) for name, step, chosen in getattr(columns, "transformers_", ())}
    step, names = fitted.get("categories", (None, ()))
    if step is None or not len(names):
        return {}
    return {
        str(name): [level for level in found.tolist() if not is_missing(level)]
        for name, found in zip(names, step[-1].categories_, strict=True)
    }


class RowShape(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Pictures, series and other rows of more axes, proven to be like those of training; for students that take columns, in a line.

    It takes rows of the shape of training, and refuses whole numbers by their type after training on fractions, as of pixels that were not
    divided by 255. What only the values tell is checked where a set of rows comes in, by `check_scale`: one row is too little to tell.

    Attributes:
        flat: whether the numbers of each row are put in a line, (rows, numbers); otherwise they keep their shape.
        row_shape_: the shape of a row.
        fractions_: whether the numbers of training were fractions.
        largest_: the largest absolute number of training.

    Example:
        >>> pictures = np.arange(8).reshape(2, 2, 2)
        >>> RowShape().fit(pictures).transform(pictures)
        array([[0, 1, 2, 3],
               [4, 5, 6, 7]])
    """

    def __init__(self, *, flat: bool = True) -> None:
        self.flat = flat

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the shape of a row, and what its numbers are.

        Raises:
            BadInput: cells that are no numbers. ShapeError: rows of unequal shape, or of a single number.
        """
        rows = _row_array(X)
        if rows.ndim < 2:
            raise ShapeError(f"the rows have shape {rows.shape}; expected (rows, ...).")
        self.row_shape_ = tuple(map(int, rows.shape[1:]))
        scale = Scale.of(rows)
        self.fractions_, self.largest_ = scale.fractions, scale.largest
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """(rows, numbers), or (rows, ...), of the type that they have.

        Raises:
            ShapeError: rows of another shape. BadInput: whole numbers by type after fractions, or cells that are no numbers.
        """
        rows, expected = _row_array(X), tuple(self.row_shape_)
        if rows.shape[1:] != expected:
            of_size = rows.ndim > 1 and [n for n in rows.shape[1:] if n != 1] in ([n for n in expected if n != 1], [int(np.prod(expected))])
            shaped = ", ".join(map(str, (-1, *expected)))
            remedy = f"Pass X.reshape({shaped})" if of_size else "Pass rows like those of training"
            raise ShapeError(f"the rows have shape {rows.shape}; this student expects (rows, {shaped[4:]}). {remedy}.")
        if self.scale.refuses(rows.dtype):
            seen = f"whole numbers ({rows.dtype})"
            raise BadInput(f"the rows hold {seen}, and this student was trained on {self.scale}. Scale them as in training.")
        return rows.reshape(len(rows), -1) if self.flat else rows

    @property
    def scale(self) -> Scale:
        """That of the numbers of training."""
        return Scale(self.fractions_, self.largest_)


def check_scale(student: Pipeline, rows: Any, name: str) -> None:
    """Refuse a set of pictures, series or other rows of more axes whose numbers are of another scale than those of training.

    Args:
        student: a fitted pipeline of `with_columns`; one without `RowShape` takes any numbers.
        rows: the whole set; one of another kind, or of another shape, is left to the student.
        name: what the rows are, for the message.

    Raises:
        BadInput: numbers of another scale.
    """
    columns = getattr(student, "named_steps", {}).get("columns")
    steps = [columns, *(step for _, step in getattr(columns, "steps", ()))]
    shape = next((step for step in steps if isinstance(step, RowShape)), None)
    if shape is None or np.shape(rows)[1:] != tuple(shape.row_shape_):
        return
    difference = shape.scale.difference(_row_array(rows))
    if difference:
        raise BadInput(f"{name} holds {difference[0]}, and the student was trained on {difference[1]}. Scale them as in training.")


def _row_array(rows: Any) -> NDArray[Any]:
    array = array_of(rows)
    if array.dtype.kind not in "biuf":
        raise BadInput(f"the rows are an array of {array.dtype}; expected numbers.")
    return array


class Levels(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The columns of a frame as an array of objects: texts or numbers, NaN where missing. Times of day become texts.

    Example:
        >>> import pandas as pd
        >>> Levels().transform(pd.DataFrame({"colour": pd.array(["red", None], dtype="string")}))
        array([['red'],
               [nan]], dtype=object)
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn nothing."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: Any) -> NDArray[Any]:
        """(rows, columns) levels of a pandas or polars frame."""
        frame = frame_of(X)
        cells = np.empty((len(X), len(frame.columns)), dtype=object)
        for place, name in enumerate(frame.columns):
            cells[:, place] = [_level(cell) for cell in frame[name].to_list()]
        return cells


def _level(cell: Any) -> Any:
    if is_missing(cell):
        return np.nan
    return cell.isoformat() if isinstance(cell, time) else cell


class Numbers(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The columns of a frame as float64, NaN where missing.

    Truth values become 0 and 1; dates become days since 1970-01-01 in UTC, with the time of day as a fraction; durations days.

    Example:
        >>> import pandas as pd
        >>> Numbers().transform(pd.DataFrame({"size": [3, None], "day": pd.to_datetime(["1970-01-02 12:00", None], format="mixed")}))
        array([[3. , 1.5],
               [nan, nan]])
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn nothing."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: Any) -> NDArray[np.float64]:
        """(rows, columns) numbers of a pandas or polars frame.

        Raises:
            BadInput: a cell that is no number, or a number that single precision, in which trees compare, cannot hold.
        """
        frame = frame_of(X)
        if not frame.columns:
            return np.empty((len(X), 0))
        numbers = _numbers_at_once(X, frame)
        if numbers is None:
            numbers = np.column_stack([_numbers(frame[name], name) for name in frame.columns])
        return _within_float32(numbers, frame.columns)


def _numbers_at_once(X: Any, frame: Any) -> NDArray[np.float64] | None:
    """The cells of a frame of numbers alone, of which there may be thousands of columns; None where a column has to be looked at."""
    import narwhals.stable.v2 as nw

    if hasattr(X, "iloc"):
        numpys = all(isinstance(kind, np.dtype) and kind.kind in "biuf" for kind in X.dtypes)
        return np.array(X.to_numpy(dtype=np.float64), order="C") if numpys else None  # a copy, which may be changed
    if not all(kind.is_numeric() or kind == nw.Boolean for kind in frame.schema.values()):
        return None
    return np.array(frame.select(nw.all().cast(nw.Float64)).to_numpy(), order="C")


def _numbers(column: Any, name: str) -> NDArray[np.float64]:
    import narwhals.stable.v2 as nw

    days = days_of(column)
    if days is not None:
        return days
    if column.dtype.is_numeric() or column.dtype == nw.Boolean:
        return np.asarray(column.cast(nw.Float64).to_numpy(), dtype=np.float64)
    return np.array([_number(cell, name) for cell in column.to_list()], dtype=np.float64)


def _within_float32(values: NDArray[np.float64], names: Sequence[str]) -> NDArray[np.float64]:
    large = np.argwhere(np.abs(values.T) > np.finfo(np.float32).max)  # by column
    if len(large):
        column, row = large[0]
        raise BadInput(
            f"column {names[column]!r} holds {values[row, column]:g} in row {row}; expected numbers of at most 3.4e38. "
            "Replace it, or leave the cell empty."
        )
    return values


def _number(cell: Any, name: str) -> float:
    if is_missing(cell):
        return np.nan
    if isinstance(cell, bool | np.bool_ | int | float | np.number | Decimal):
        return float(cell)
    raise BadInput(f"column {name!r} holds {cell!r}, where the student expects a number. Convert the column, as in training.")


def _is_texts(rows: Any) -> bool:
    if isinstance(rows, list | tuple):
        return bool(rows) and isinstance(rows[0], str)
    return not is_frame(rows) and getattr(rows, "ndim", 0) == 1 and len(rows) > 0 and isinstance(next(iter(rows)), str)


def column_kinds(frame: Any) -> tuple[list[str], list[str], list[str]]:
    """Names of the columns of numbers, of categories, and of dates or durations.

    Raises:
        BadInput: a column holds other values, such as bytes, or values of several types.
    """
    import narwhals.stable.v2 as nw

    numbers: list[str] = []
    categories: list[str] = []
    dates: list[str] = []
    columns = frame_of(frame)
    for name, kind in columns.schema.items():
        if kind.is_numeric() or kind == nw.Boolean or columns[name].null_count() == len(columns):
            numbers.append(name)
        elif kind in (nw.String, nw.Categorical, nw.Enum, nw.Time):
            categories.append(name)
        elif kind in (nw.Date, nw.Datetime, nw.Duration):
            dates.append(name)
        else:
            found = _kind_of_objects(columns[name]) if kind == nw.Object else str(kind)
            kinds = {"numbers": numbers, "categories": categories, "dates": dates}
            if found not in kinds:
                raise BadInput(
                    f"column {name!r} holds values of type {found}; expected numbers, categories or dates. "
                    "Leave the column out, or convert it to numbers."
                )
            kinds[found].append(name)
    return numbers, categories, dates


def _kind_of_objects(column: Any) -> str:
    """What Python objects are: numbers, categories, dates, or else the names of their types."""
    types = {type(cell) for cell in column.to_list() if not is_missing(cell)}
    if types <= {bool, np.bool_} or all(issubclass(kind, int | float | np.number | Decimal) and kind is not bool for kind in types):
        return "numbers"
    if types <= {str} or types <= {time}:
        return "categories"
    return "dates" if types <= {date, datetime} or types <= {timedelta} else " and ".join(sorted(kind.__name__ for kind in types))
