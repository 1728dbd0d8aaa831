"""One interface to rows of any kind: their number, and any part of them. Their names are computed in `row_names`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import EXACT, check_dense, tensor_array, unmasked
from tutelage.core.errors import BadInput, ShapeError, TutelageError
from tutelage.data.cells import large_whole_cells
from tutelage.data.dataset_items import inputs_and_truth
from tutelage.data.tables.arrow_frames import frame_of
from tutelage.data.tables.sources import TableSource, is_table, open_tables, table_suffix


@dataclass(frozen=True)
class Rows:
    """Rows that can be read in parts.

    Attributes:
        count: the number of rows.
        part: `part(start, stop)` returns those rows in the form that a teacher takes.
        kind: the type of the source, for error messages ("array", "pandas frame", ...).
        columns: the names of the columns, in order; empty if they have none.
    """

    count: int
    part: Callable[[int, int], Any]
    kind: str
    columns: tuple[str, ...] = ()

    def parts(self, size: int, start: int = 0) -> Iterator[tuple[int, int, Any]]:
        """Yield (start, stop, rows) from `start` to the end, `size` rows at a time."""
        for begin in range(start, self.count, size):
            end = min(begin + size, self.count)
            yield begin, end, self.part(begin, end)


def as_rows(data: Any) -> Rows:
    """Wrap rows of any supported kind.

    Args:
        data: an array or tensor (rows, ...), a pandas or polars frame, a SciPy sparse matrix, a list of texts or of
            rows, a pyarrow Table, `Views`, a map-style torch Dataset (its inputs, not its targets), or the path of a
            .parquet, .csv, .tsv, .jsonl or .npy file, of a folder of such tables, or a pattern such as `part-*.csv`. Parquet and
            .npy files are read in parts, never into memory as a whole.

    Raises:
        ShapeError: no rows, or a single value.
        BadInput: an unsupported type, or a file that does not exist or cannot be read.
    """
    if isinstance(data, Rows):
        return data
    if hasattr(data, "as_rows"):  # Views, and any other object with this method
        rows: Rows = data.as_rows()
        return rows
    if isinstance(data, str | Path):
        return _of_file(Path(data))
    rows = _of_object(data)
    if rows.count == 0:
        raise ShapeError(f"the {rows.kind} has no rows; give at least one.")
    return rows


def _of_object(data: Any) -> Rows:
    if hasattr(data, "iloc"):
        return Rows(len(data), lambda start, stop: data.iloc[start:stop], "pandas frame", tuple(map(str, getattr(data, "columns", ()))))
    if type(data).__module__.startswith("pyarrow") and hasattr(data, "num_rows"):
        return Rows(data.num_rows, lambda start, stop: frame_of(data.slice(start, stop - start)), "Arrow table", tuple(data.column_names))
    if hasattr(data, "slice") and hasattr(data, "height"):
        return Rows(data.height, lambda start, stop: data.slice(start, stop - start), "polars frame", tuple(data.columns))
    if hasattr(data, "tocsr"):
        matrix = data.tocsr()
        return Rows(matrix.shape[0], lambda start, stop: matrix[start:stop], "sparse matrix")
    return _of_values(data)


def _of_values(data: Any) -> Rows:
    if hasattr(data, "detach"):
        check_dense(data)
        return _sliced(data, "tensor", data.ndim)
    if isinstance(data, list | tuple) and data and isinstance(data[0], str):
        return Rows(len(data), lambda start, stop: list(data[start:stop]), "list of texts")
    if isinstance(data, np.ndarray | list | tuple) or (hasattr(data, "__array__") and not type(data).__module__.startswith("pyarrow")):
        array = array_of(data)
        return _sliced(array, "array", array.ndim)
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not isinstance(data, bytes | bytearray | memoryview | Mapping | range):
        return Rows(len(data), lambda start, stop: _items(data, start, stop), "Dataset")
    raise BadInput(
        f"cannot take a {type(data).__name__} as rows; expected an array, a pandas or polars frame, a sparse matrix, a list of texts, "
        "or the path of a .parquet, .csv, .tsv, .jsonl or .npy file."
    )


def _items(dataset: Any, start: int, stop: int) -> NDArray[Any]:
    """(rows, ...) inputs of the items `start` to `stop` of a torch Dataset.

    Raises:
        ShapeError: items of different shapes. BadInput: items that are neither inputs nor pairs of inputs and ground truth.
    """
    try:
        return np.stack([_inputs_of(dataset[index]) for index in range(start, stop)])
    except TutelageError:
        raise
    except ValueError as error:
        raise ShapeError(f"the items {start} to {stop - 1} of the Dataset do not have the same shape ({error}).") from error


def _inputs_of(item: Any) -> NDArray[Any]:
    """The inputs of an item of a torch Dataset, which may be a pair of inputs and target."""
    inputs, _ = inputs_and_truth(item)
    return tensor_array(inputs) if hasattr(inputs, "detach") else np.asarray(inputs)


def _sliced(data: Any, kind: str, dimensions: int) -> Rows:
    if dimensions == 0:
        article = "an" if kind == "array" else "a"
        raise ShapeError(f"got a single value; expected {article} {kind} of shape (rows, ...).")
    return Rows(len(data), lambda start, stop: data[start:stop], kind)


def array_of(data: Any, what: str = "the rows") -> NDArray[Any]:
    """Convert rows to an array.

    Args:
        data: anything that NumPy converts to an array.
        what: the name used in an error.

    Raises:
        ShapeError: rows of unequal length. BadInput: complex numbers.
    """
    if isinstance(data, np.ma.MaskedArray):
        return _unmasked(data)
    whole = large_whole_cells(data)
    if whole is not None:
        return whole
    try:
        array = np.asarray(data)
        if array.dtype.kind == "c" or (array.dtype.kind == "O" and any(isinstance(cell, complex) for cell in array.flat)):
            raise BadInput(f"Complex data not supported: {what} hold complex numbers; pass their .real, or both parts as columns.")
        if array.dtype.kind in "US" and not hasattr(data, "dtype") and not all(isinstance(cell, str | bytes) for cell in _cells_of(data)):
            return np.asarray(data, dtype=object)  # numbers beside texts stay numbers
        return array
    except TutelageError:
        raise
    except ValueError as error:  # rows of unequal length
        raise ShapeError(f"{what} do not have the same number of values ({error}).") from error


def target_array(y: Any) -> NDArray[Any]:
    """Targets as an array, as `array_of`; a masked cell would be a target that is not known.

    Raises:
        ShapeError: rows of unequal length. BadInput: a masked array that hides cells.
    """
    return array_of(unmasked(y, "the rows of y") if isinstance(y, np.ma.MaskedArray) else y, "the rows of y")


def _unmasked(array: Any) -> NDArray[Any]:
    """A masked array with NaN for the hidden cells, whose values NumPy would pass on; as objects if floats would round the others."""
    if not array.mask.any():
        return np.asarray(array.data)
    exact = array.dtype.kind == "f" or (array.dtype.kind in "iu" and not _is_large(array.compressed()))
    return np.asarray(array.astype(np.float64 if exact else object).filled(np.nan))


def _is_large(whole: NDArray[Any]) -> bool:
    return whole.size > 0 and max(-int(whole.min()), int(whole.max())) > EXACT


def _cells_of(data: Any) -> Iterator[Any]:
    for item in data:
        if isinstance(item, list | tuple | np.ndarray):
            yield from _cells_of(item)
        else:
            yield item


def _of_file(path: Path) -> Rows:
    if is_table(path):
        return rows_of(open_tables([path]))
    if path.suffix != ".npy":
        raise BadInput(f"cannot read rows from {path}; expected a .parquet, .csv, .tsv, .jsonl or .npy file.")
    if not path.is_file():
        raise BadInput(f"there is no file {path}; name the file that holds the rows.")
    rows = _of_npy(path)
    if rows.count == 0:
        raise ShapeError(f"{path} has no rows; give at least one.")
    return rows


def rows_of(source: TableSource, names: Sequence[str] | None = None) -> Rows:
    """The rows of a table in files, of these columns or of all."""
    chosen = source.names if names is None else tuple(names)
    kind = "Parquet file" if table_suffix(source.paths[0]) == ".parquet" else "Arrow table"
    return Rows(source.count, lambda start, stop: frame_of(source.part(chosen, start, stop)), kind, chosen)


def _of_npy(path: Path) -> Rows:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise ValueError("it is an archive of several arrays: save the one that holds the rows with np.save")
    except (ValueError, EOFError, OSError, BadZipFile) as error:
        raise BadInput(f"{path} is not a NumPy file of numbers ({error}).") from error
    return _sliced(array, "array", array.ndim)
