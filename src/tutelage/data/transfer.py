"""Transfer sets: rows without labels, found or made, for the teacher to label.

Each is a frozen value with `make(X, rows, *, seed)`: new rows of the same kind as X (an array or a pandas frame, with
its columns, their order and dtypes), made from X alone. None of them ever sees a label. Whole numbers stay whole:
they are rounded and kept within the range seen. A missing cell is NaN, None or NA as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import BadInput, ShapeError, require
from tutelage.data.coded_rows import Cells, coded
from tutelage.data.neighbours import nearest_others
from tutelage.data.rows import as_rows

Seed = int | np.random.Generator | None
Columns = tuple[int | str, ...]

DEFAULT_MULTIPLE, DEFAULT_MOST = 5, 100_000
"""Rows to make if nothing is said, in multiples of the training rows and at most: AutoGluon's."""


@runtime_checkable
class Transfer(Protocol):
    """What gives rows for the teacher to label."""

    def make(self, X: Any, rows: int, *, seed: Seed = None) -> Any:
        """As many new rows of the kind of X; the same seed gives the same rows."""
        ...


@dataclass(frozen=True, eq=False)
class UnlabelledPool:
    """Real rows that nobody labelled.

    Attributes:
        rows: of the same kind and with the same columns as the training rows: arrays, frames, sparse, texts.
    """

    rows: Any = field(repr=False)

    def make(self, X: Any, rows: int, *, seed: Seed = None) -> Any:
        """So many rows of the pool, drawn without replacement, in random order.

        Raises:
            BadInput: the pool holds fewer rows.
        """
        held = as_rows(self.rows).count
        if rows > held:
            raise BadInput(f"{rows} transfer rows were asked of a pool of {held}; ask for fewer, or make rows with Munge().")
        if rows == 0:  # resample would refuse
            return as_rows(self.rows).part(0, 0)
        from sklearn.utils import resample

        state = int(np.random.default_rng(seed).integers(2**31))
        return resample(self.rows, replace=False, n_samples=rows, random_state=state)


@dataclass(frozen=True)
class Jitter:
    """Training rows with noise: numbers move a little, some categories are drawn anew.

    A missing number stays missing; a missing category is drawn like any other.

    Attributes:
        noise: standard deviation of the noise, in units of each column's own.
        resample: probability that a category is replaced by that of a random row.
        categorical: positions (or names) of number columns that hold codes of categories.

    Raises:
        BadInput: noise below 0, or a probability outside 0 to 1.

    Source:
        AutoGluon's distillation ("spunge"), which has these defaults; Fakoor et al. 2020, arXiv 2006.14284.
    """

    noise: float = 0.1
    resample: float = 0.1
    categorical: Columns = ()

    def __post_init__(self) -> None:
        _check("noise", self.noise, low=0)
        _check("resample", self.resample, low=0, high=1)

    def make(self, X: Any, rows: int, *, seed: Seed = None) -> Any:
        """So many new rows; see `Transfer`."""
        table, rng = coded(X, self.categorical), np.random.default_rng(seed)
        made = table.cells[_drawn(len(table.cells), rows, rng)]
        moved = made + rng.normal(size=made.shape) * self.noise * table.deviation
        other = _cells_of_random_rows(table.cells, rows, rng)
        again = rng.random(made.shape) < self.resample
        return table.restored(np.where(table.categorical, np.where(again, other, made), moved))


@dataclass(frozen=True)
class Mixup:
    """Points between two training rows: share a + (1 - share) b, for columns of numbers only.

    A cell that is missing in either row is missing. The label is the teacher's answer to the point itself, not a
    mixture of two answers.

    Attributes:
        concentration: of the Beta distribution from which the share is drawn: 1 is uniform, below 1 most points
            lie near one of the two rows, above 1 near the middle.

    Raises:
        BadInput: a concentration that is not above 0; when making, a column of categories.

    Source:
        Zhang, Cisse, Dauphin, Lopez-Paz 2018, arXiv 1710.09412.
    """

    concentration: float = 1.0

    def __post_init__(self) -> None:
        _check("concentration", self.concentration, low=np.finfo(float).tiny)

    def make(self, X: Any, rows: int, *, seed: Seed = None) -> Any:
        """So many new rows; see `Transfer`."""
        table, rng = coded(X), np.random.default_rng(seed)
        if table.categorical.any():
            places = np.flatnonzero(table.categorical).tolist()
            raise BadInput(f"Mixup mixes numbers, and columns {places} hold categories; use Munge() or Jitter(), which take both.")
        first = table.cells[_drawn(len(table.cells), rows, rng)]
        second = table.cells[rng.integers(len(table.cells), size=rows)]
        share = rng.beta(self.concentration, self.concentration, size=(rows, 1))
        # This form leaves equal numbers as they are; rounding must not carry a point past either end.
        mixed = np.clip(second + share * (first - second), np.fmin(first, second), np.fmax(first, second))
        return table.restored(mixed)


@dataclass(frozen=True)
class Munge:
    """Training rows that trade attributes with their nearest neighbour.

    Each made row starts from a training row, every row equally often. With the given probability an attribute is
    exchanged: a category becomes the neighbour's; a number is drawn from Normal(the neighbour's, |difference| /
    local_variance). A neighbour is the nearest other row, in tables of many rows the nearest of 10 000 drawn at
    random (see `nearest_others`). Only the made row changes, so that rows are made independently. A number that is missing in
    either row becomes the neighbour's.

    Attributes:
        swap_probability: of each attribute being exchanged.
        local_variance: larger keeps the numbers closer to the neighbour's (the paper's s).
        categorical: positions (or names) of number columns that hold codes of categories.

    Raises:
        BadInput: a probability outside 0 to 1, or a local_variance that is not above 0.

    Source:
        Bucila, Caruana, Niculescu-Mizil, "Model compression", KDD 2006 (MUNGE). The defaults are ours.
    """

    swap_probability: float = 0.5
    local_variance: float = 1.0
    categorical: Columns = ()

    def __post_init__(self) -> None:
        _check("swap_probability", self.swap_probability, low=0, high=1)
        _check("local_variance", self.local_variance, low=np.finfo(float).tiny)

    def make(self, X: Any, rows: int, *, seed: Seed = None) -> Any:
        """So many new rows; see `Transfer`."""
        table, rng = coded(X, self.categorical), np.random.default_rng(seed)
        bases = _drawn(len(table.cells), rows, rng)
        if rows == 0:
            return table.restored(table.cells[bases])
        used, place = np.unique(bases, return_inverse=True)
        mine, theirs = table.cells[bases], table.cells[nearest_others(table, used, rng)[place]]
        spread = np.where(table.categorical, 0.0, np.abs(mine - theirs) / self.local_variance)
        drawn = theirs + rng.normal(size=mine.shape) * np.where(np.isnan(spread), 0.0, spread)
        exchanged = rng.random(mine.shape) < self.swap_probability
        return table.restored(np.where(exchanged, drawn, mine))


@dataclass(frozen=True)
class UniformNoise:
    """Rows from nowhere: each cell uniform over its column's range or categories, columns independent.

    The plain control: it covers the box around the data, most of which no row ever visits. A column's cells are
    missing as often as they were.

    Attributes:
        categorical: positions (or names) of number columns that hold codes of categories.

    Source:
        Bucila, Caruana, Niculescu-Mizil, "Model compression", KDD 2006 (there called RANDOM).
    """

    categorical: Columns = ()

    def make(self, X: Any, rows: int, *, seed: Seed = None) -> Any:
        """So many new rows; see `Transfer`."""
        table, rng = coded(X, self.categorical), np.random.default_rng(seed)
        gone = np.isnan(table.cells)
        low = np.where(gone, np.inf, table.cells).min(axis=0)
        high = np.where(gone, -np.inf, table.cells).max(axis=0)
        low, high = np.where(gone.all(axis=0), 0.0, low), np.where(gone.all(axis=0), 0.0, high)
        shares = rng.random((rows, len(low)))
        numbers = np.clip(low + shares * (high - low), low, high)
        cells = np.where(table.categorical, np.floor(shares * table.levels), numbers)
        return table.restored(np.where(rng.random(cells.shape) < gone.mean(axis=0), np.nan, cells))


def rows_to_make(transfer: Transfer, training_rows: int, wanted: float | None = None) -> int:
    """How many transfer rows to ask for.

    Args:
        transfer: a pool gives all its rows if nothing is said.
        training_rows: how many there are.
        wanted: an int is a number of rows, a float a multiple of the training rows; None is five times as many, at
            most 100 000.

    Raises:
        BadInput: below zero, or not finite; a transfer that makes no rows.
    """
    if isinstance(transfer, type) or not callable(getattr(transfer, "make", None)):
        named = f"the class {transfer.__name__}" if isinstance(transfer, type) else f"a {type(transfer).__name__}"
        raise BadInput(f"transfer is {named}; expected what makes rows, such as Munge(), or UnlabelledPool(rows).")
    if wanted is None:
        if isinstance(transfer, UnlabelledPool):
            return as_rows(transfer.rows).count
        return min(DEFAULT_MULTIPLE * training_rows, DEFAULT_MOST)
    if not (np.isfinite(wanted) and wanted >= 0):
        raise BadInput(f"transfer_rows is {wanted}; expected a number of rows (int) or a multiple of the training rows (float), 0 or more.")
    return round(wanted * training_rows) if isinstance(wanted, float) else int(wanted)


def stacked(X: Any, made: Any) -> Any:
    """The training rows and then the made ones, in the form they came in.

    Raises:
        ShapeError: other columns, or another kind of table.
    """
    if hasattr(X, "iloc") and hasattr(made, "iloc"):
        if list(X.columns) != list(made.columns):
            raise ShapeError(f"the transfer rows have the columns {list(made.columns)}; expected those of X, {list(X.columns)}.")
        return require("pandas").concat([X, made], ignore_index=True)
    if hasattr(X, "tocsr") and hasattr(made, "tocsr"):
        from scipy.sparse import vstack

        return vstack([X, made], format="csr")
    if type(X) is not type(made):
        raise ShapeError(f"the transfer rows are a {type(made).__name__} and X is a {type(X).__name__}; expected the same kind.")
    if isinstance(X, list):
        return X + made
    if hasattr(X, "vstack"):
        return X.vstack(made)
    if X.shape[1:] != made.shape[1:]:
        raise ShapeError(f"the transfer rows have shape {made.shape} and X {X.shape}; expected the same columns.")
    return np.concatenate([X, made])


def _check(name: str, value: float, *, low: float, high: float = float("inf")) -> None:
    if not (low <= value <= high and np.isfinite(value)):
        limits = f"from {low:g} to {high:g}" if np.isfinite(high) else ("of 0 or more" if low == 0 else "above 0")
        raise BadInput(f"{name} is {value}; expected a number {limits}.")


def _drawn(count: int, rows: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """(rows,) training rows in random order, each as often as the next, give or take one."""
    if rows < 0:
        raise BadInput(f"{rows} rows were asked for; expected 0 or more.")
    rounds = [rng.permutation(count) for _ in range(-(-rows // count))]
    return np.concatenate([*rounds, np.zeros(0, dtype=np.intp)])[:rows].astype(np.intp)


def _cells_of_random_rows(cells: Cells, rows: int, rng: np.random.Generator) -> Cells:
    """(rows, columns), each cell of a random row of its own."""
    drawn = rng.integers(len(cells), size=(rows, cells.shape[1]))
    return np.asarray(np.take_along_axis(cells, drawn, axis=0))
