"""Transfer sets: unlabelled rows, collected or generated, for the teacher to label.

Each is a frozen value with `make(X, rows, *, seed)`, which returns new rows of the same kind as X (an array or a pandas frame,
with the same columns, order and dtypes), generated from X alone. No method sees a label. Integer columns stay integer: values
are rounded and clipped to the range of X. A missing cell stays NaN, None or NA as in X.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arguments import number, seed_of, whole
from tutelage.core.errors import BadInput, ShapeError, require
from tutelage.data.coded_rows import Cells, encode_rows
from tutelage.data.neighbours import nearest_others
from tutelage.data.rows import as_rows
from tutelage.data.structures.structured import StructuredRows

Seed = int | np.random.Generator | None
Columns = tuple[int | str, ...]

LEAST = 1e-6
"""The smallest factor on noise, and the inverse of the largest: beyond, rows would hold infinite numbers."""

MOST_CELLS = 2**31
"""Cells of the rows that are made at once; 16 GiB of float64."""

DEFAULT_MULTIPLE, DEFAULT_MOST = 5, 100_000
"""The default number of generated rows, as a multiple of the training rows and as an upper limit: AutoGluon's values."""


@runtime_checkable
class Transfer(Protocol):
    """Protocol of a transfer set: a source of rows for the teacher to label."""

    def make(self, X: Any, rows: int, *, seed: Seed = None) -> Any:
        """Return new rows of the same kind as X.

        Args:
            X: (rows, columns) the training rows.
            rows: how many new rows to return.
            seed: the same seed gives the same rows.
        """
        ...


@dataclass(frozen=True, eq=False)
class UnlabelledPool:
    """A transfer set of collected rows without labels.

    Attributes:
        rows: of the same kind and with the same columns as the training rows: an array, a frame, a sparse matrix or texts.

    Raises:
        BadInput: when rows are drawn, more rows are requested than the pool has.

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> X, unlabelled = np.zeros((3, 1)), np.array([[10.0], [20.0], [30.0]])
        >>> pool = tl.transfer.UnlabelledPool(unlabelled)
        >>> sorted(pool.make(X, 3, seed=0).ravel().tolist())
        [10.0, 20.0, 30.0]
    """

    rows: Any = field(repr=False)

    def make(self, X: Any, rows: int, *, seed: Seed = None) -> Any:
        """Draw rows of the pool without replacement, in random order; see `Transfer`.

        Raises:
            BadInput: more rows are requested than the pool has.
        """
        available = as_rows(self.rows).count
        rows, rng = _requested(rows, seed)
        if rows > available:
            raise BadInput(f"{rows} transfer rows were requested from a pool of {available}; request fewer, or generate rows with Munge().")
        if rows == 0:  # resample raises an error for no rows
            return as_rows(self.rows).part(0, 0)
        from sklearn.utils import resample

        state = int(rng.integers(2**31))
        return resample(self.rows, replace=False, n_samples=rows, random_state=state)


@dataclass(frozen=True)
class Jitter:
    """A transfer set of training rows with noise: numbers are perturbed, some categories are resampled.

    A missing number stays missing. A missing category is resampled like any other.

    Attributes:
        noise: standard deviation of the Gaussian noise, as a multiple of each column's standard deviation.
        resample: probability that a category is replaced by that of a random row.
        categorical: positions (or names) of numeric columns that hold category codes.

    Raises:
        BadInput: noise below 0, or a probability outside [0, 1].

    Source:
        AutoGluon's distillation ("spunge"), which has these defaults; Fakoor et al. 2020, arXiv 2006.14284.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> import tutelage as tl
        >>> X = load_iris().data
        >>> rows = tl.transfer.Jitter(noise=0.1).make(X, 1000, seed=0)
        >>> rows.shape
        (1000, 4)
        >>> print((rows.var(axis=0) / X.var(axis=0)).round(1))
        [1. 1. 1. 1.]
    """

    noise: float = 0.1
    resample: float = 0.1
    categorical: Columns = ()

    def __post_init__(self) -> None:
        number("noise", self.noise, least=0, most=1 / LEAST)
        number("resample", self.resample, least=0, most=1)

    def make(self, X: Any, rows: int, *, seed: Seed = None) -> Any:
        """Generate rows; see `Transfer`."""
        table = encode_rows(X, self.categorical)
        rows, rng = _requested(rows, seed, table.cells.shape[1])
        originals = table.cells[_drawn(len(table.cells), rows, rng)]
        perturbed = originals + rng.normal(size=originals.shape) * self.noise * table.deviation
        other = cells_of_random_rows(table.cells, rows, rng)
        resampled = rng.random(originals.shape) < self.resample
        return table.restore(np.where(table.categorical, np.where(resampled, other, originals), perturbed))


@dataclass(frozen=True)
class Mixup:
    """A transfer set of points between two training rows: share a + (1 - share) b, for numeric columns only.

    A cell that is missing in either row is missing in the new row. The soft label is the teacher's answer for the new row
    itself, not a mixture of two answers.

    Attributes:
        concentration: both parameters of the Beta distribution of the share: at 1 it is uniform, below 1 most points
            are near one of the two rows, above 1 near the middle.

    Raises:
        BadInput: a concentration that is not above 0; when rows are generated, a categorical column.

    Source:
        Zhang, Cisse, Dauphin, Lopez-Paz 2018, arXiv 1710.09412.

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> rows = tl.transfer.Mixup().make(np.array([[0.0, 0.0], [1.0, 2.0]]), 100, seed=0)
        >>> bool(np.allclose(rows[:, 1], 2 * rows[:, 0]))  # on the line between the two rows
        True
        >>> float(rows.min()) >= 0.0 and float(rows.max()) <= 2.0
        True
    """

    concentration: float = 1.0

    def __post_init__(self) -> None:
        number("concentration", self.concentration, above=0, most=1 / LEAST)

    def make(self, X: Any, rows: int, *, seed: Seed = None) -> Any:
        """Generate rows; see `Transfer`."""
        table = encode_rows(X)
        rows, rng = _requested(rows, seed, table.cells.shape[1])
        if table.categorical.any():
            positions = np.flatnonzero(table.categorical).tolist()
            raise BadInput(
                f"Mixup takes numeric columns, but columns {positions} hold categories; use Munge() or Jitter(), which take both."
            )
        first = table.cells[_drawn(len(table.cells), rows, rng)]
        second = table.cells[rng.integers(len(table.cells), size=rows)]
        share = rng.beta(self.concentration, self.concentration, size=(rows, 1))
        # This form preserves equal numbers exactly; clipping ensures that rounding moves no point beyond either end.
        mixed = np.clip(second + share * (first - second), np.fmin(first, second), np.fmax(first, second))
        return table.restore(mixed)


@dataclass(frozen=True)
class Munge:
    """A transfer set of training rows that exchange attributes with their nearest neighbour (MUNGE).

    Each new row starts from a training row; all training rows are used equally often. Each attribute is exchanged with the
    given probability: a category is replaced by the neighbour's; a number is drawn from Normal(the neighbour's, |difference| /
    local_variance). The neighbour is the nearest other row, in tables of more than 10 000 rows the nearest among 10 000
    random rows (see `nearest_others`). Only the new row changes, so that rows are generated independently. A number that is
    missing in either row becomes the neighbour's.

    Attributes:
        swap_probability: probability that an attribute is exchanged.
        local_variance: the larger, the closer the numbers are to the neighbour's (s in the paper).
        categorical: positions (or names) of numeric columns that hold category codes.

    Raises:
        BadInput: a probability outside [0, 1], or a local_variance that is not above 0.

    Source:
        Bucila, Caruana, Niculescu-Mizil, "Model compression", KDD 2006 (MUNGE). The defaults are tutelage's.

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> X = np.array([[0.0, 0.0], [1.0, 1.0], [100.0, 100.0], [101.0, 101.0]])
        >>> rows = tl.transfer.Munge(swap_probability=1.0, local_variance=1e6).make(X, 4, seed=0)
        >>> sorted(rows[:, 0].round(2).tolist())  # every row took the numbers of its neighbour
        [0.0, 1.0, 100.0, 101.0]
    """

    swap_probability: float = 0.5
    local_variance: float = 1.0
    categorical: Columns = ()

    def __post_init__(self) -> None:
        number("swap_probability", self.swap_probability, least=0, most=1)
        number("local_variance", self.local_variance, least=LEAST)

    def make(self, X: Any, rows: int, *, seed: Seed = None) -> Any:
        """Generate rows; see `Transfer`."""
        return self.make_with_sources(X, rows, seed=seed)[0]

    def make_with_sources(self, X: Any, rows: int, *, seed: Seed = None) -> tuple[Any, NDArray[np.intp]]:
        """The rows of `make`, and (rows, 2) the places of the two training rows, itself and its neighbour, that each was made from."""
        table = encode_rows(X, self.categorical)
        rows, rng = _requested(rows, seed, table.cells.shape[1])
        bases = _drawn(len(table.cells), rows, rng)
        if rows == 0:
            return table.restore(table.cells[bases]), np.empty((0, 2), dtype=np.intp)
        distinct, index = np.unique(bases, return_inverse=True)
        others = nearest_others(table, distinct, rng)[index]
        originals, neighbours = table.cells[bases], table.cells[others]
        spread = np.where(table.categorical, 0.0, np.abs(originals - neighbours) / self.local_variance)
        drawn = neighbours + rng.normal(size=originals.shape) * np.where(np.isnan(spread), 0.0, spread)
        exchanged = rng.random(originals.shape) < self.swap_probability
        return table.restore(np.where(exchanged, drawn, originals)), np.column_stack([bases, others])


@dataclass(frozen=True)
class UniformNoise:
    """A transfer set of random rows: each cell is uniform over its column's range or categories, independently of the others.

    This is a baseline: it covers the bounding box of the data, most of which contains no real rows. Cells are missing with
    the same frequency as in their column of X.

    Attributes:
        categorical: positions (or names) of numeric columns that hold category codes.

    Source:
        Bucila, Caruana, Niculescu-Mizil, "Model compression", KDD 2006, whose RANDOM draws each cell from
        those of its column instead.

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> X = np.array([[0.0, 10], [1.0, 20]])
        >>> rows = tl.transfer.UniformNoise(categorical=(1,)).make(X, 1000, seed=0)
        >>> np.unique(rows[:, 1]).tolist(), round(float(rows[:, 0].mean()), 1)
        ([10.0, 20.0], 0.5)
    """

    categorical: Columns = ()

    def make(self, X: Any, rows: int, *, seed: Seed = None) -> Any:
        """Generate rows; see `Transfer`."""
        table = encode_rows(X, self.categorical)
        rows, rng = _requested(rows, seed, table.cells.shape[1])
        missing = np.isnan(table.cells)
        low = np.where(missing, np.inf, table.cells).min(axis=0)
        high = np.where(missing, -np.inf, table.cells).max(axis=0)
        low, high = np.where(missing.all(axis=0), 0.0, low), np.where(missing.all(axis=0), 0.0, high)
        shares = rng.random((rows, len(low)))
        numbers = np.clip(low + shares * (high - low), low, high)
        cells = np.where(table.categorical, np.floor(shares * table.levels), numbers)
        return table.restore(np.where(rng.random(cells.shape) < missing.mean(axis=0), np.nan, cells))


def rows_to_make(transfer: Transfer, training_rows: int, requested: float | None = None) -> int:
    """The number of transfer rows to make.

    Args:
        transfer: the transfer set.
        training_rows: the number of training rows.
        requested: an int is a number of rows, a float a multiple of the training rows. None means all rows of a pool;
            otherwise five times the training rows, at most 100 000.

    Raises:
        BadInput: a number below zero or not finite, or a `transfer` that is not a transfer set.
    """
    if isinstance(transfer, type) or not callable(getattr(transfer, "make", None)):
        found = f"the class {transfer.__name__}" if isinstance(transfer, type) else f"a {type(transfer).__name__}"
        raise BadInput(f"transfer is {found}; expected a transfer set such as Munge() or UnlabelledPool(rows).")
    if requested is None:
        if isinstance(transfer, UnlabelledPool):
            return as_rows(transfer.rows).count
        return min(DEFAULT_MULTIPLE * training_rows, DEFAULT_MOST)
    hint = "(a whole number of rows, or a multiple of the training rows)"
    amount = number("transfer_rows", requested, least=0, most=MOST_CELLS, hint=hint)
    return int(requested) if np.asarray(requested).dtype.kind in "iu" else round(amount * training_rows)


def stacked(X: Any, transfer_rows: Any) -> Any:
    """The training rows followed by the transfer rows, in the same kind of container.

    Raises:
        ShapeError: different columns, or another kind of container.
    """
    if hasattr(X, "iloc") and hasattr(transfer_rows, "iloc"):
        if list(X.columns) != list(transfer_rows.columns):
            raise ShapeError(f"the transfer rows have the columns {list(transfer_rows.columns)}; expected those of X, {list(X.columns)}.")
        return require("pandas").concat([X, transfer_rows], ignore_index=True)
    if hasattr(X, "tocsr") and hasattr(transfer_rows, "tocsr"):
        from scipy.sparse import vstack

        return vstack([X, transfer_rows], format="csr")
    if type(X) is not type(transfer_rows):
        raise ShapeError(f"the transfer rows are a {type(transfer_rows).__name__} and X is a {type(X).__name__}; expected the same kind.")
    if isinstance(X, list):
        return X + transfer_rows
    if isinstance(X, StructuredRows):
        return StructuredRows.joined([X, transfer_rows])
    if hasattr(X, "vstack"):
        return X.vstack(transfer_rows)
    if X.shape[1:] != transfer_rows.shape[1:]:
        raise ShapeError(f"the transfer rows have shape {transfer_rows.shape} and X {X.shape}; expected the same columns.")
    return np.concatenate([X, transfer_rows])


def _requested(rows: Any, seed: Any, columns: int = 1) -> tuple[int, np.random.Generator]:
    """The number of rows, and the generator to draw them with.

    Raises:
        BadInput: no number of rows, or more than memory can hold; no seed.
    """
    count = whole("rows", rows, 0, MOST_CELLS // max(columns, 1))
    return count, seed if isinstance(seed, np.random.Generator) else np.random.default_rng(None if seed is None else seed_of("seed", seed))


def _drawn(count: int, rows: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """(rows,) indices of training rows in random order; how often two rows are used differs by at most one."""
    rounds = [rng.permutation(count) for _ in range(-(-rows // count))]
    return np.concatenate([*rounds, np.zeros(0, dtype=np.intp)])[:rows].astype(np.intp)


def cells_of_random_rows(cells: Cells, rows: int, rng: np.random.Generator) -> Cells:
    """(rows, columns), each cell from an independently drawn row."""
    drawn = rng.integers(len(cells), size=(rows, cells.shape[1]))
    return np.asarray(np.take_along_axis(cells, drawn, axis=0))
