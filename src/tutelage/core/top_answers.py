"""Answers among many classes: the k most probable ones of each row, and the probability of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats
from tutelage.core.errors import ShapeError


@dataclass(frozen=True, eq=False)
class TopAnswers:
    """The k most probable classes of each row, the most probable first, and the probability of all others together.

    Attributes:
        ids: (rows, k) unsigned integers, columns of classes.
        log_probs: (rows, k) natural logarithms of their probabilities at temperature 1.
        rest: (rows,) the same of all other classes together; -inf where they have none.
        columns: the number of classes.

    Raises:
        ShapeError: arrays of other shapes, or a class beyond the last.

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> top = tl.TopAnswers(np.array([[4, 1]], np.uint16), np.log([[0.5, 0.3]]), np.log([0.2]), columns=6)
        >>> np.exp(top.dense()).round(2)
        array([[0.05, 0.3 , 0.05, 0.05, 0.5 , 0.05]])
    """

    ids: NDArray[Any]
    log_probs: Floats
    rest: Floats
    columns: int

    def __post_init__(self) -> None:
        if self.ids.ndim != 2 or self.ids.shape != self.log_probs.shape or self.rest.shape != self.ids.shape[:1]:
            shapes = f"ids {self.ids.shape}, log_probs {self.log_probs.shape} and rest {self.rest.shape}"
            raise ShapeError(f"{shapes} do not fit; expected (rows, k), (rows, k) and (rows,).")
        if self.ids.size and int(self.ids.max()) >= self.columns:
            raise ShapeError(f"class {int(self.ids.max())} is among the answers, and there are {self.columns} classes, numbered from 0.")

    @classmethod
    def joined(cls, parts: Sequence[TopAnswers]) -> TopAnswers:
        """The rows of several parts, in their order."""
        ids, log_probs, rest = (np.concatenate([getattr(part, name) for part in parts]) for name in ("ids", "log_probs", "rest"))
        return cls(ids, log_probs, rest, parts[0].columns)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: Any) -> TopAnswers:
        """Some of the rows, by a slice or an array."""
        return TopAnswers(self.ids[rows], self.log_probs[rows], self.rest[rows], self.columns)

    @property
    def nbytes(self) -> int:
        """The memory that they take."""
        return self.ids.nbytes + self.log_probs.nbytes + self.rest.nbytes

    def dense(self) -> Floats:
        """(rows, columns) log-probabilities; that of the rest is spread over its classes in equal parts."""
        others = self.columns - self.ids.shape[1]
        with np.errstate(divide="ignore"):
            each = np.asarray(self.rest - np.log(max(others, 1)), dtype=np.result_type(self.log_probs.dtype, np.float32))
        logs = np.repeat(each[:, None], self.columns, axis=1)
        np.put_along_axis(logs, self.ids.astype(np.intp), self.log_probs.astype(logs.dtype), axis=1)
        return logs
