"""Answers among many classes: the k most probable ones of each row, and the probability of the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats, softmax
from tutelage.core.errors import BadInput, NotProbabilities, ShapeError, shown

BLOCK_CELLS = 2**18
"""Rows times classes that are reduced at a time: 1 MiB in single precision, which stays in the cache of a processor."""
DENSE_BYTES = 2**29
"""Answers of more bytes are not spread over all classes."""
MASS_SLACK = 2e-3
"""How far the sum of the probabilities of a row may be from one: half precision rounds each of them by 1/2000."""
MOST_ROUNDED = 1e-2
"""How far half precision may bring that sum, if thousands of probabilities below 1/3000 are all rounded the same way, by up to 1/256."""
UNDERFLOW = 1e-30
"""Relative to the most probable class; a rest below is computed relative to its own largest, which single precision can hold."""


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
        if self.ids.dtype.kind not in "iu" or (self.ids.size and int(self.ids.min()) < 0):
            raise ShapeError(f"the ids of classes are {shown(self.ids)}; expected whole numbers of 0 or more, the columns of classes.")
        if self.ids.size and int(self.ids.max()) >= self.columns:
            raise ShapeError(f"class {int(self.ids.max())} is among the answers, and there are {self.columns} classes, numbered from 0.")

    @classmethod
    def of(cls, answers: Floats, kind: Literal["logits", "probabilities"], top_k: int, *, block_cells: int = BLOCK_CELLS) -> TopAnswers:
        """The most probable classes of answers to all classes; of equal ones the first.

        Args:
            answers: (rows, classes) of this kind, checked; with -inf or 0 for an impossible class.
            kind: "logits" or "probabilities".
            top_k: from 1 to the number of classes.
            block_cells: rows times classes that are reduced at a time; it does not change the result.

        Returns:
            Log-probabilities in float32.

        Example:
            >>> import numpy as np
            >>> import tutelage as tl
            >>> top = tl.TopAnswers.of(np.array([[0.1, 0.6, 0.1, 0.2]]), "probabilities", 2)
            >>> print(top.ids, np.exp(top.log_probs).round(2), np.exp(top.rest).round(2))
            [[1 3]] [[0.6 0.2]] [0.2]
        """
        parts = reduced(answers, kind, top_k, block_cells=block_cells)
        return cls.joined([part.in_precision("float32") for part, _ in parts])

    @classmethod
    def joined(cls, parts: Sequence[TopAnswers]) -> TopAnswers:
        """The rows of several parts, in their order.

        Raises:
            ShapeError: parts of other numbers of classes.
        """
        if len({(part.ids.shape[1], part.columns) for part in parts}) > 1:
            found = ", ".join(sorted({f"{part.ids.shape[1]} of {part.columns}" for part in parts}))
            raise ShapeError(f"some answers name other numbers of classes than others: {found}; expected the same number.")
        ids, log_probs, rest = (np.concatenate([getattr(part, name) for part in parts]) for name in ("ids", "log_probs", "rest"))
        return cls(ids, log_probs, rest, parts[0].columns)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: Any) -> TopAnswers:
        """Some of the rows, by a slice or an array."""
        return TopAnswers(self.ids[rows], self.log_probs[rows], self.rest[rows], self.columns)

    @property
    def top_k(self) -> int:
        """The number of classes of each row."""
        return int(self.ids.shape[1])

    @property
    def nbytes(self) -> int:
        """The memory that they take."""
        return self.ids.nbytes + self.log_probs.nbytes + self.rest.nbytes

    def checked(self, what: str = "the answers") -> TopAnswers:
        """The same, the most probable class of each row first, after checking that every row is a distribution.

        Raises:
            NotProbabilities: probabilities and rest that do not sum to 1, or a class that a row names twice.
        """
        logs, mass = self.log_probs.astype(np.float32), self._mass()
        bad = ~(np.abs(mass - 1) <= MASS_SLACK)  # in this form, NaN fails the comparison too
        in_order = np.sort(self.ids, axis=1)
        twice = (in_order[:, 1:] == in_order[:, :-1]).any(axis=1)
        if bad.any() or twice.any():
            row = int(np.flatnonzero(bad | twice)[0])
            seen = f"sum to {mass[row]:.4g} with their rest" if bad[row] else "name a class twice"
            raise NotProbabilities(
                f"{what}: the probabilities of row {row} {seen}; expected those of different classes, which sum to 1 with the rest."
            )
        if (logs[:, 1:] <= logs[:, :-1]).all():
            return self
        order = np.argsort(-logs, axis=1, kind="stable")
        return replace(self, ids=np.take_along_axis(self.ids, order, 1), log_probs=np.take_along_axis(self.log_probs, order, 1))

    def cut(self, top_k: int) -> TopAnswers:
        """The `top_k` most probable classes of each row; the probability of the others of them joins the rest.

        Raises:
            BadInput: more than there are.
        """
        if top_k > self.top_k:
            raise BadInput(f"the answers name the {self.top_k} most probable classes, and {top_k} are expected; pass top_k={self.top_k}.")
        if top_k == self.top_k:
            return self
        rest = np.logaddexp(self.rest.astype(np.float64), np.logaddexp.reduce(self.log_probs[:, top_k:].astype(np.float64), axis=1))
        return TopAnswers(self.ids[:, :top_k], self.log_probs[:, :top_k], rest.astype(np.float32), self.columns)

    def in_precision(self, dtype: str) -> TopAnswers:
        """The log-probabilities of the named classes in another precision; that of the rest is in single precision."""
        return replace(self, log_probs=self.log_probs.astype(dtype), rest=self.rest.astype(np.float32))

    def scaled(self) -> TopAnswers:
        """The same, in single precision where rounding brought a row too far from a sum of 1, which it then has."""
        mass = self._mass()
        far = (np.abs(mass - 1) > MASS_SLACK) & (np.abs(mass - 1) <= MOST_ROUNDED)
        if not far.any():
            return self
        total = np.where(far, np.log(np.where(far, mass, 1.0)), 0.0).astype(np.float32)
        return replace(self, log_probs=self.log_probs.astype(np.float32) - total[:, None], rest=self.rest.astype(np.float32) - total)

    def _mass(self) -> Floats:
        """(rows,) the sum of the probabilities of each row and its rest."""
        with np.errstate(over="ignore"):
            named = np.exp(self.log_probs.astype(np.float32)).sum(axis=1, dtype=np.float64)
            return np.asarray(named + np.exp(self.rest.astype(np.float32)))

    def dense(self) -> Floats:
        """(rows, columns) log-probabilities; that of the rest is spread over its classes in equal parts."""
        each = np.asarray(spread(self.rest, self.columns - self.top_k), dtype=np.result_type(self.log_probs.dtype, np.float32))
        logs = np.repeat(each[:, None], self.columns, axis=1)
        np.put_along_axis(logs, self.ids.astype(np.intp), self.log_probs.astype(logs.dtype), axis=1)
        return logs

    def as_kind(self, kind: str) -> Floats:
        """(rows, columns) numbers: probabilities, or log-probabilities, which are logits.

        Raises:
            BadInput: they would take more than `DENSE_BYTES`.
        """
        needed = len(self) * self.columns * max(self.log_probs.dtype.itemsize, 4)
        if needed > DENSE_BYTES:
            raise BadInput(
                f"the answers to {len(self):,} rows name the {self.top_k} most probable of {self.columns:,} classes; a number for each "
                f"class would take {needed / 2**30:.1f} GiB. Take fewer rows at a time, or learn from them with TorchStudent, whose "
                "losses need no number for each class."
            )
        return softmax(self.dense()) if kind == "probabilities" else self.dense()


def spread(rest: Floats, classes: int) -> Floats:
    """The log-probability of each of the classes that share the rest in equal parts."""
    return np.asarray(rest - np.log(max(classes, 1)), dtype=rest.dtype)


def reduced(
    answers: Floats, kind: Literal["logits", "probabilities"], top_k: int, *, block_cells: int = BLOCK_CELLS
) -> Iterator[tuple[TopAnswers, Floats]]:
    """`TopAnswers.of`, block by block, with what each row loses if its rest is spread in equal parts.

    Yields:
        The answers of a block, with log-probabilities in float64, and (rows,) float64: the Kullback-Leibler divergence in nats.
    """
    rows, columns = answers.shape
    size = max(1, block_cells // columns)
    ids_type = np.uint16 if columns <= 2**16 else np.uint32
    space = np.empty((2, min(size, rows), columns), np.result_type(answers.dtype, np.float32))  # used again for each block
    for start in range(0, max(rows, 1), size):
        block = answers[start : start + size]
        ids = _largest(block, top_k)
        weights, logs = space[:, : len(block)]
        found = _logits_reduced(block, ids, weights, logs) if kind == "logits" else _probabilities_reduced(block, ids, weights, logs)
        with np.errstate(divide="ignore", invalid="ignore"):
            rest = np.log(found.others) - found.log_total
            each = found.entropy_sum / np.exp(found.log_total) - found.log_total * np.exp(rest)  # sum of p log p over the rest
            loss = each - np.exp(rest) * spread(rest, columns - top_k)
        top = TopAnswers(ids.astype(ids_type), found.top_logs - found.log_total[:, None], rest.astype(np.float32), columns)
        yield top, np.where(found.others > 0, np.maximum(loss, 0.0), 0.0)


class _Sums(NamedTuple):
    """Sums over the classes of each row, in float64, relative to any positive number for each row.

    Attributes:
        top_logs: (rows, k) logarithms of the weights of the k most probable classes.
        others: (rows,) the weights of the others, added up.
        entropy_sum: (rows,) their weights times the logarithms of them, added up.
        log_total: (rows,) the logarithm of the weights of all classes, added up.
    """

    top_logs: Floats
    others: Floats
    entropy_sum: Floats
    log_total: Floats


def _logits_reduced(logits: Floats, ids: NDArray[np.intp], weights: Floats, shifted: Floats) -> _Sums:
    """Fills `weights` and `shifted`, arrays of the same shape, on the way."""
    top = np.take_along_axis(logits, ids, axis=1)
    np.subtract(logits, top[:, :1], out=shifted)
    np.exp(shifted, out=weights)
    np.put_along_axis(weights, ids, 0.0, axis=1)
    others = weights.sum(axis=1).astype(np.float64)
    with np.errstate(invalid="ignore"):  # impossible classes, whose rows are computed again
        shifted *= weights
    entropy_sum = shifted.sum(axis=1).astype(np.float64)
    for row in np.flatnonzero((others < UNDERFLOW) | np.isnan(entropy_sum)):
        others[row], entropy_sum[row] = _exactly(logits[row], ids[row])
    top_logs = top.astype(np.float64) - top[:, :1]
    return _Sums(top_logs, others, entropy_sum, np.log1p(np.exp(top_logs[:, 1:]).sum(axis=1) + others))


def _exactly(logits: Floats, ids: NDArray[np.intp]) -> tuple[float, float]:
    """The sums over the other classes of one row in float64, leaving out impossible classes."""
    shifted = np.delete(logits.astype(np.float64) - float(logits[ids[0]]), ids)
    shifted = shifted[shifted > -700.0]
    weights = np.exp(shifted)
    return float(weights.sum()), float((weights * shifted).sum())


def _probabilities_reduced(probabilities: Floats, ids: NDArray[np.intp], weights: Floats, logs: Floats) -> _Sums:
    """Fills `weights` and `logs`, arrays of the same shape, on the way."""
    weights[:] = probabilities
    top = np.take_along_axis(weights, ids, axis=1).astype(np.float64)
    np.put_along_axis(weights, ids, 0.0, axis=1)
    others = weights.sum(axis=1).astype(np.float64)
    with np.errstate(divide="ignore"):
        np.log(weights, out=logs)
        logs[weights == 0] = 0.0
        logs *= weights
        top_logs = np.log(top)
    return _Sums(top_logs, others, logs.sum(axis=1).astype(np.float64), np.log(top.sum(axis=1) + others))


GROUPS = 16
"""Groups of classes for each of the k: among so many, two of the largest seldom share a group."""


def _largest(values: Floats, top_k: int) -> NDArray[np.intp]:
    """(rows, k) the places of the largest values of each row, in descending order; of equal values the first.

    The k-th largest of the maxima of groups is a bound below the k-th largest value, so that only the few values above it are sorted.
    """
    rows, columns = values.shape
    groups = GROUPS * top_k
    maxima = values if columns < 4 * groups else _maxima(values, groups)
    bound = np.partition(maxima, maxima.shape[1] - top_k, axis=1)[:, -top_k]
    row, column = np.divmod(np.flatnonzero(values >= bound[:, None]), columns)
    found = values[row, column]
    order = np.lexsort((column, -found, row))
    starts = np.searchsorted(row, np.arange(rows))
    return np.asarray(column[order][starts[:, None] + np.arange(top_k)])


def _maxima(values: Floats, groups: int) -> Floats:
    """(rows, groups) the largest value of each group of columns."""
    rows, columns = values.shape
    whole = columns // groups * groups
    maxima: Floats = values[:, :whole].reshape(rows, -1, groups).max(axis=1)
    tail = values[:, whole:]
    np.maximum(maxima[:, : tail.shape[1]], tail, out=maxima[:, : tail.shape[1]])
    return maxima
