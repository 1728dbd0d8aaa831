"""Frames and columns of pandas, polars and Arrow behind one interface, that of narwhals."""

from __future__ import annotations

from typing import Any


def frame_of(rows: Any) -> Any:
    """A frame of pandas or polars as one of narwhals, in which every column has the type that it has there.

    Example:
        >>> import pandas as pd
        >>> rows = pd.DataFrame({"seen": pd.to_datetime(["2026-03-01"]).tz_localize("America/New_York")})
        >>> str(frame_of(rows).schema["seen"])
        "Datetime(time_unit='us', time_zone=None)"
    """
    import narwhals.stable.v2 as nw

    zoned = [place for place, dtype in enumerate(rows.dtypes) if _zone(dtype)] if hasattr(rows, "iloc") else []
    if zoned:
        rows = rows.copy(deep=False)
        for place in zoned:
            rows.isetitem(place, in_utc(rows.iloc[:, place]))
    return nw.from_native(rows)


def series_of(column: Any) -> Any:
    """A series of pandas or polars, or an Arrow column, as a series of narwhals."""
    import narwhals.stable.v2 as nw

    return nw.from_native(in_utc(_arrow_column(column)), series_only=True)


def in_utc(column: Any) -> Any:
    """The moments of a pandas series with a time zone, in UTC and without a zone; any other column as it is.

    NumPy has no zones, and narwhals reads none with a mark in its name, such as America/New_York or Etc/GMT+5.
    """
    return column.dt.tz_convert(None) if _zone(getattr(column, "dtype", None)) else column


def _zone(dtype: Any) -> Any:
    """The time zone of a column of pandas; None for any other."""
    return getattr(dtype, "tz", None)


def _arrow_column(column: Any) -> Any:
    """An Arrow array, or a series of pandas on Arrow's categories, as a chunked array; any other column as it is."""
    import pyarrow as pa

    if isinstance(getattr(getattr(column, "dtype", None), "pyarrow_dtype", None), pa.DictionaryType):
        column = pa.array(column)
    return pa.chunked_array([column]) if isinstance(column, pa.Array) else column
