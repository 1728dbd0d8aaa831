"""One interface to rows of any kind: their number, and any part of them. Their names are computed in `row_names`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import BadInput, ShapeError, TutelageError, one_line, require
from tutelage.core.torch_runtime import array_of as array_of_tensor
from tutelage.data.dataset_items import inputs_and_truth


@dataclass(frozen=True)
class Rows:
    """Rows that can be read in parts.

    Attributes:
        count: the number of rows.
        part: `part(start, stop)` returns those rows in the form that a teacher takes.
        kind: the type of the source, for error messages ("array", "pandas frame", ...).
    """

    count: int
    part: Callable[[int, int], Any]
    kind: str

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
            .parquet, .csv, .jsonl or .npy file. Parquet and .npy files are read in parts, never into memory as a whole.

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
        return Rows(len(data), lambda start, stop: data.iloc[start:stop], "pandas frame")
    if type(data).__module__.startswith("pyarrow"):
        return Rows(data.num_rows, lambda start, stop: frame_of(data.slice(start, stop - start)), "Arrow table")
    if hasattr(data, "slice") and hasattr(data, "height"):
        return Rows(data.height, lambda start, stop: data.slice(start, stop - start), "polars frame")
    if hasattr(data, "tocsr"):
        matrix = data.tocsr()
        return Rows(matrix.shape[0], lambda start, stop: matrix[start:stop], "sparse matrix")
    return _of_values(data)


def _of_values(data: Any) -> Rows:
    if hasattr(data, "detach"):
        return _sliced(data, "tensor", data.ndim)
    if isinstance(data, list | tuple) and data and isinstance(data[0], str):
        return Rows(len(data), lambda start, stop: list(data[start:stop]), "list of texts")
    if isinstance(data, np.ndarray | list | tuple) or hasattr(data, "__array__"):
        array = array_of(data)
        return _sliced(array, "array", array.ndim)
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not isinstance(data, bytes | bytearray | memoryview | Mapping | range):
        return Rows(len(data), lambda start, stop: _items(data, start, stop), "Dataset")
    raise BadInput(
        f"cannot take a {type(data).__name__} as rows; expected an array, a pandas or polars frame, a sparse matrix, a list of texts, "
        "or the path of a .parquet, .csv, .jsonl or .npy file."
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
    return np.asarray(array_of_tensor(inputs) if hasattr(inputs, "detach") else inputs)


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
        ShapeError: rows of unequal length.
    """
    if isinstance(data, np.ma.MaskedArray):
        return _unmasked(data)
    try:
        array = np.asarray(data)
        if array.dtype.kind in "US" and not hasattr(data, "dtype") and not all(isinstance(cell, str | bytes) for cell in _cells_of(data)):
            return np.asarray(data, dtype=object)  # numbers beside texts stay numbers
        return array
    except ValueError as error:  # rows of unequal length
        raise ShapeError(f"{what} do not have the same number of values ({error}).") from error


def _unmasked(array: Any) -> NDArray[Any]:
    """A masked array with NaN for the hidden cells, whose values NumPy would pass on."""
    if not array.mask.any():
        return np.asarray(array.data)
    return np.asarray(array.astype(np.float64 if array.dtype.kind in "iuf" else object).filled(np.nan))


def _cells_of(data: Any) -> Iterator[Any]:
    for item in data:
        if isinstance(item, list | tuple | np.ndarray):
            yield from _cells_of(item)
        else:
            yield item


def _of_file(path: Path) -> Rows:
    readers = {".parquet": _of_parquet, ".npy": _of_npy, ".csv": _of_text, ".jsonl": _of_text}
    if path.suffix not in readers:
        raise BadInput(f"cannot read rows from {path}; expected a .parquet, .csv, .jsonl or .npy file.")
    if not path.is_file():
        raise BadInput(f"there is no file {path}; name the file that holds the rows.")
    rows = readers[path.suffix](path)
    if rows.count == 0:
        raise ShapeError(f"{path} has no rows; give at least one.")
    return rows


def _of_npy(path: Path) -> Rows:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise BadInput(f"{path} is not a NumPy file of numbers ({error}).") from error
    return _sliced(array, "array", array.ndim)


def read_table(path: Path) -> Any:
    """Read a .parquet, .csv or .jsonl file as one pyarrow Table.

    Raises:
        BadInput: another suffix, a file that does not exist, or content that does not match the suffix.
    """
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet

    readers: dict[str, Callable[[Path], Any]] = {
        ".parquet": pa.parquet.read_table,
        ".csv": pa.csv.read_csv,
        ".jsonl": pa.json.read_json,
    }
    if path.suffix not in readers:
        raise BadInput(f"cannot read a table from {path}; expected a .parquet, .csv or .jsonl file.")
    if not path.is_file():
        raise BadInput(f"there is no file {path}; name the file that holds the table.")
    try:
        return readers[path.suffix](path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise BadInput(f"{path} cannot be read as {path.suffix[1:]} ({one_line(error)}).") from error


def _of_text(path: Path) -> Rows:
    return _of_object(read_table(path))


def _of_parquet(path: Path) -> Rows:
    file = ParquetParts(path)
    return Rows(file.count, file.part, "Parquet file")


class ParquetParts:
    """Reads parts of a Parquet file, all columns or some, with one row group in memory at a time.

    Args:
        path: the file.
        columns: names of the columns to read; None reads all.

    Raises:
        BadInput: not a Parquet file.
    """

    def __init__(self, path: Path, columns: Sequence[str] | None = None) -> None:
        import pyarrow as pa
        import pyarrow.parquet

        try:
            self._file = pa.parquet.ParquetFile(path)
        except (pa.ArrowInvalid, OSError) as error:
            raise BadInput(f"{path} is not a Parquet file ({one_line(error)}).") from error
        sizes = [self._file.metadata.row_group(index).num_rows for index in range(self._file.num_row_groups)]
        self._ends = np.cumsum(sizes) if sizes else np.zeros(0, dtype=np.int64)
        self.count = int(self._ends[-1]) if sizes else 0
        self._columns = None if columns is None else list(columns)
        self._group_in_memory: tuple[int, Any] = (-1, None)

    def part(self, start: int, stop: int) -> Any:
        """Rows from `start` to `stop` as a pandas frame, or as a matrix if pandas is not installed."""
        return frame_of(self.table(start, stop))

    def table(self, start: int, stop: int) -> Any:
        """Rows from `start` to `stop` as an Arrow table."""
        import pyarrow as pa

        first, last = np.searchsorted(self._ends, [start, stop - 1], side="right")
        pieces = []
        for group in range(int(first), int(last) + 1):
            begin = int(self._ends[group - 1]) if group else 0
            table = self._group(group)
            pieces.append(table.slice(max(start - begin, 0), stop - max(start, begin)))
        return pa.concat_tables(pieces)

    def _group(self, index: int) -> Any:
        if self._group_in_memory[0] != index:
            self._group_in_memory = (-1, None)  # free the old group before the next one is read
            self._group_in_memory = (index, self._file.read_row_group(index, columns=self._columns))
        return self._group_in_memory[1]


def frame_of(table: Any) -> Any:
    """Convert an Arrow table to a pandas frame; without pandas to a matrix, if every column is numeric.

    Raises:
        MissingExtra: pandas is not installed and a column is not numeric.
    """
    import pyarrow as pa

    try:
        import pandas  # noqa: F401
    except ModuleNotFoundError:
        kinds = pa.types
        if not all(kinds.is_integer(t) or kinds.is_floating(t) or kinds.is_boolean(t) for t in table.schema.types):
            require("pandas")
        return np.column_stack([column.to_numpy() for column in table.columns])
    return table.to_pandas()
