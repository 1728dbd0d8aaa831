"""Rows for a comparison: numbers and texts by column, as every target takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.exporters.subject.inputs import Input


@dataclass(frozen=True, eq=False)
class CheckRows:
    """Some rows.

    Attributes:
        numbers: (rows, ...) the numbers of each row: its columns of numbers in order, or an array of another shape. NaN where missing.
        texts: (rows, text columns) of objects: texts, None where missing.
    """

    numbers: NDArray[Any]
    texts: NDArray[Any]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, places: Any) -> CheckRows:
        return CheckRows(self.numbers[places], self.texts[places])

    @classmethod
    def of_numbers(cls, numbers: NDArray[Any]) -> CheckRows:
        """Rows without texts."""
        return cls(numbers, np.empty((len(numbers), 0), dtype=object))

    def followed_by(self, others: CheckRows) -> CheckRows:
        """These rows and others."""
        return CheckRows(np.concatenate([self.numbers, others.numbers]), np.concatenate([self.texts, others.texts]))

    def cells(self, inputs: Sequence[Input]) -> list[Any]:
        """Each row as a list: its cells in the order of the columns, or nested lists of another shape; NaN and None where missing."""
        numbers: list[Any] = self.numbers.astype(np.float64).tolist()
        if not inputs:
            return numbers
        rows = []
        for row, texts in zip(numbers, self.texts.tolist(), strict=True):
            number, text = iter(row), iter(texts)
            rows.append([next(number) if one.kind == "number" else next(text) for one in inputs])
        return rows
