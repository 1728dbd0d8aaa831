"""The columns of the rows that an exported file takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tutelage.data.tables.column_types import ColumnType


@dataclass(frozen=True)
class Input:
    """One column of the rows.

    Attributes:
        name: None for a column of a matrix, which has only a position.
        kind: how a file takes it: "number" (NaN if missing), or "text" (nothing if missing).
        type: what the student takes. A file takes a boolean as 0 or 1, a date as days since 1970-01-01 in UTC with the time of day as a
            fraction, and a duration as days.
    """

    name: str | None
    kind: Literal["number", "text"] = "number"
    type: ColumnType = "number"
