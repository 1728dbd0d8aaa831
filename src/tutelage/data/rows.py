"""One interface to rows of any kind: their number, and any part of them. Their names are computed in `row_names`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import check_dense, is_frame
from tutelage.core.errors import BadInput, ShapeError, one_line
from tutelage.core.file_systems.copies import fetched
from tutelage.core.file_systems.paths import AnyPath, RemotePath, any_path, suffix_of
from tutelage.data.row_arrays import array_of
from tutelage.data.schema import Column, Schema, file_type
from tutelage.data.structures.row_parts import taken
from tutelage.data.structures.structured import TRUTH, StructuredRows, is_structure, refuse_mappings
from tutelage.data.tables.array_archive import ArrayArchive
from tutelage.data.tables.arrow_frames import frame_of, without_index
from tutelage.data.tables.arrow_parts import LAZY, ArrowParts, in_memory, is_arrow_dataset, is_lazy_frame, of_arrow_dataset
from tutelage.data.tables.column_types import Known, recorded_type
from tutelage.data.tables.found_files import is_table, table_suffix
from tutelage.data.tables.hugging_face import check_one_split, has_transform, origin_of, table_parts
from tutelage.data.tables.origin import Origin
from tutelage.data.tables.ray_data import is_ray_dataset, of_ray_dataset
from tutelage.data.tables.sources import SEARCHED_ROWS, TableSource, open_tables, searched
from tutelage.data.torch_data.dataset_items import inputs_and_truth
from tutelage.data.torch_data.loader_rows import Part, is_iterable, is_loader, joined_items, loader_parts, read_items


@dataclass(frozen=True)
class Rows:
    """Rows that can be read in parts.

    Attributes:
        count: the number of rows.
        part: `part(start, stop)` returns those rows in the form that a teacher takes.
        kind: the type of the source, for error messages ("array", "pandas frame", ...).
        describe: returns the schema of all rows; it is called once, when `schema` is first needed.
        reread: `reread(schema)` returns the same rows, read as the types of a schema; None for rows that are not read from a table.
        paired: `paired(start, stop)` returns those rows and their ground truth, or None, read together; None for rows of a kind that holds
            no ground truth, or holds it as a whole (see `given_truth`).
        origin: the files from which another process reads the same rows; None for rows that this process holds.
        grain: rows that are read at once where one of them is asked for: those of the largest row group of Parquet files.
    """

    count: int
    part: Callable[[int, int], Any]
    kind: str
    describe: Callable[[], Schema | None] = lambda: None
    reread: Callable[[Schema], Rows] | None = None
    paired: Part | None = None
    origin: Origin | None = None
    grain: int = 1

    @classmethod
    def of_pairs(cls, count: int, paired: Part, kind: str) -> Rows:
        """Rows of a Dataset or a DataLoader."""
        return cls(count, lambda start, stop: paired(start, stop)[0], kind, paired=paired)

    @cached_property
    def schema(self) -> Schema | None:
        """The columns of the rows; None for anything but a frame or a table."""
        return self.describe()

    def take(self, places: NDArray[np.intp]) -> Rows:
        """Some of the rows; they are read together."""
        reread = self.reread
        return Rows(
            len(places),
            lambda start, stop: taken(self.part(0, self.count), places[start:stop]),
            self.kind,
            self.describe,
            None if reread is None else lambda schema: reread(schema).take(places),
        )

    def parts(self, size: int, start: int = 0) -> Iterator[tuple[int, int, Any]]:
        """Yield (start, stop, rows) from `start` to the end, `size` rows at a time."""
        for begin in range(start, self.count, size):
            end = min(begin + size, self.count)
            yield begin, end, self.part(begin, end)


def as_rows(data: Any, *, by_position: bool = False) -> Rows:
    """Wrap rows of any supported kind.

    Args:
        data: an array or tensor (rows, ...), a pandas or polars frame, a SciPy sparse matrix, a list of texts or of
            rows, a pyarrow Table, `Views`, a map-style torch Dataset (its inputs, not its targets), several inputs as a
            mapping or a tuple of arrays (see `StructuredRows`), a Hugging Face Dataset without its labels, or the path of a
            .parquet, .csv, .tsv, .jsonl, .npy or .npz file (its array `X`, or its only one), of a folder of such tables, or a
            pattern such as `part-*.csv`, each also by a URI such as s3://bucket/rows.csv; a pyarrow Dataset, or a materialized
            Dataset of Ray. Parquet and .npy files and Datasets in files are read in parts, never into memory as a whole. Also a
            DataLoader that does not shuffle, and an IterableDataset, which is read once, into memory.
        by_position: whether each token or pixel has an answer, so that the second part of a pair in a Dataset is the truth of each.

    Raises:
        ShapeError: no rows, or a single value.
        BadInput: an unsupported type, or a file that does not exist or cannot be read.
    """
    if isinstance(data, Rows):
        return data
    if hasattr(data, "as_rows"):  # Views, and any other object with this method
        rows: Rows = data.as_rows()
        return rows
    if isinstance(data, str | Path | RemotePath):
        return _of_file(any_path(data))
    check_one_split(data)
    if is_structure(data):
        structure = StructuredRows.of(data)
        rows = Rows(len(structure), lambda start, stop: structure[start:stop], "structure")
    else:
        found = _of_loader(data, by_position) or (_of_hugging_face(data) if is_hugging_face(data) else _of_blocks(data))
        rows = found or _of_object(data, by_position)
    if rows.count == 0:
        raise ShapeError(f"the {rows.kind} has no rows; give at least one.")
    return rows


def _of_loader(data: Any, by_position: bool) -> Rows | None:
    """The rows of a DataLoader or an IterableDataset; None for anything else."""
    if is_loader(data):
        return Rows.of_pairs(*loader_parts(data, by_position=by_position), "DataLoader")
    if is_iterable(data):
        items = read_items(data)
        return Rows.of_pairs(
            len(items), lambda start, stop: joined_items(items[start:stop], first=start, by_position=by_position), "IterableDataset"
        )
    return None


def _of_object(data: Any, by_position: bool = False) -> Rows:
    if hasattr(data, "iloc"):
        describe = partial(Schema.of, data) if is_frame(data) else lambda: None  # a Series has no columns
        return Rows(len(data), lambda start, stop: data.iloc[start:stop], "pandas frame", describe)
    if type(data).__module__.startswith("pyarrow") and hasattr(data, "num_rows"):
        return replace(_of_arrow(in_memory(data)), describe=partial(Schema.of, data))
    if hasattr(data, "slice") and hasattr(data, "height"):
        return Rows(data.height, lambda start, stop: data.slice(start, stop - start), "polars frame", partial(Schema.of, data))
    if hasattr(data, "tocsr"):
        matrix = data.tocsr()
        return Rows(matrix.shape[0], lambda start, stop: matrix[start:stop], "sparse matrix")
    return _of_values(data, by_position)


def is_hugging_face(data: Any) -> bool:
    """Whether rows are a Dataset of the package `datasets`."""
    return hasattr(data, "column_names") and hasattr(data, "features") and type(data).__module__.startswith("datasets.")


def _of_hugging_face(data: Any) -> Rows:
    """The rows of a Hugging Face Dataset without its labels: several inputs, texts, or a table."""
    if has_transform(data):
        return _of_transform(data)
    names = [name for name in data.column_names if name not in TRUTH]
    inputs, kinds, origin = data.select_columns(names), [data.features[name] for name in names], origin_of(data)
    if all(hasattr(kind, "id") and getattr(kind, "dtype", "") in ("string", "large_string") for kind in kinds) and len(names) == 1:
        return Rows(len(data), lambda start, stop: list(inputs[start:stop][names[0]]), "list of texts", origin=origin)
    if all(type(kind).__name__ in ("Value", "ClassLabel") for kind in kinds):
        return _of_arrow(replace(table_parts(inputs), origin=origin))
    return Rows(len(data), lambda start, stop: StructuredRows.of(dict(inputs[start:stop])), "structure", origin=origin)


def _of_transform(data: Any) -> Rows:
    """The rows of a Hugging Face Dataset as its transform makes them, and the ground truth that it leaves among them.

    Raises:
        BadInput: it makes a table.
    """
    first = inputs_and_truth(data[0])[0].values() if len(data) else [""]
    texts = len(first) == 1 and all(isinstance(value, str) for value in first)
    if not texts and not any(hasattr(value, "__len__") and not isinstance(value, str) for value in first):
        return _of_arrow(table_parts(data))  # which refuses it

    def paired(start: int, stop: int) -> tuple[Any, Any]:
        inputs, truth = inputs_and_truth(data[start:stop], axes=1)
        return list(next(iter(inputs.values()))) if texts else StructuredRows.of(inputs), truth

    return replace(Rows.of_pairs(len(data), paired, "Dataset with a transform"), origin=origin_of(data))


def _of_blocks(data: Any) -> Rows | None:
    """The rows of a Dataset of pyarrow or Ray; None for anything else."""
    if is_lazy_frame(data):
        raise BadInput(LAZY)
    if is_arrow_dataset(data):
        return _of_arrow(of_arrow_dataset(data))
    return _of_arrow(of_ray_dataset(data)) if is_ray_dataset(data) else None


def _of_arrow(parts: ArrowParts) -> Rows:
    settled = cache(parts.settled)
    return Rows(
        parts.count,
        lambda start, stop: frame_of(parts.table(start, stop), settled()),
        parts.kind,
        partial(_schema_of_parts, parts),
        origin=parts.origin,
        grain=parts.grain,
    )


def _schema_of_parts(parts: ArrowParts) -> Schema:
    types = {field.name: recorded_type(field.type) for field in without_index(parts.schema.empty_table()).schema}
    texts = [name for name, kind in types.items() if kind == "text"]
    literals = searched(texts, min(parts.count, SEARCHED_ROWS), parts.table, max(parts.grain, 1 << 16))
    return Schema(tuple(Column(name, kind, unseen="keep", literals=tuple(literals.get(name, ()))) for name, kind in types.items()))


def _of_values(data: Any, by_position: bool) -> Rows:
    refuse_mappings(data)
    if hasattr(data, "detach"):
        check_dense(data)
        return _sliced(data, "tensor", data.ndim)
    if isinstance(data, list | tuple) and data and isinstance(data[0], str):
        return Rows(len(data), lambda start, stop: list(data[start:stop]), "list of texts")
    if isinstance(data, np.ndarray | list | tuple) or (hasattr(data, "__array__") and not type(data).__module__.startswith("pyarrow")):
        array = array_of(data)
        return _sliced(array, "array", array.ndim)
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not isinstance(data, bytes | bytearray | memoryview | range):
        return Rows.of_pairs(len(data), partial(_items, data, by_position), "Dataset")
    raise BadInput(
        f"cannot take a {type(data).__name__} as rows; expected an array, a pandas or polars frame, a sparse matrix, a list of texts, "
        "or the path of a .parquet, .csv, .tsv, .jsonl, .npy or .npz file."
    )


def _items(dataset: Any, by_position: bool, start: int, stop: int) -> tuple[Any, Any]:
    return joined_items([dataset[index] for index in range(start, stop)], first=start, by_position=by_position)


def _sliced(data: Any, kind: str, dimensions: int) -> Rows:
    if dimensions == 0:
        article = "an" if kind == "array" else "a"
        raise ShapeError(f"got a single value; expected {article} {kind} of shape (rows, ...).")
    return Rows(len(data), lambda start, stop: data[start:stop], kind)


def _of_file(path: AnyPath) -> Rows:
    if is_table(path):
        return rows_of(open_tables([path]))
    if suffix_of(path) == ".npz":
        return rows_of_archive(ArrayArchive.open(path))
    if suffix_of(path) != ".npy":
        raise BadInput(f"cannot read rows from {path}; expected a .parquet, .csv, .tsv, .jsonl, .npy or .npz file.")
    if not path.is_file():
        raise BadInput(f"there is no file {path}; name the file that holds the rows.")
    rows = _of_npy(path)
    if rows.count == 0:
        raise ShapeError(f"{path} has no rows; give at least one.")
    return rows


def rows_of_archive(archive: ArrayArchive, roles: Collection[str] = ()) -> Rows:
    """The rows of a .npz file, beside arrays that hold something else.

    Raises:
        as `ArrayArchive.rows`.
    """
    array = archive.rows(roles)
    return _sliced(array, "array", array.ndim)


def rows_of(source: TableSource, names: Sequence[str] | None = None) -> Rows:
    """The rows of a table in files, of these columns or of all."""
    chosen = source.names if names is None else tuple(names)
    settled = cache(partial(source.settled, chosen))
    return Rows(
        source.count,
        lambda start, stop: frame_of(source.part(chosen, start, stop), settled()),
        "Parquet file" if table_suffix(source.paths[0]) == ".parquet" else "Arrow table",
        lambda: schema_of(source, chosen),
        lambda schema: rows_of(in_types_of(source, schema), names),
        origin=Origin.of(source.files, chosen, source.known, source.ends),
        grain=source.grain,
    )


def in_types_of(source: TableSource, schema: Schema, declared: Mapping[str, Known] | None = None) -> TableSource:
    """The same files, with the columns of a schema read as its types, and none of them taken for a row index.

    Types that were declared for the files stay, and columns that the files lack are left out. A cell that spells a gap, such as NA, is a
    gap, unless it is among the literals of its column.

    Args:
        source: the files.
        schema: of a model, a recording or other files.
        declared: what a user declared for other files, which holds for these as well.

    Raises:
        BadInput: a column that does not have its type.
    """
    learnt = {
        schema.comparable(column.name): Known(file_type(column), frozenset(column.literals))
        for column in schema.columns
        if column.name is not None
    }
    found = {name: learnt[schema.comparable(name)] for name in source.types if schema.comparable(name) in learnt}
    return source.knowing(found | {name: one for name, one in (declared or {}).items() if name in source.types})


def schema_of(source: TableSource, names: Sequence[str]) -> Schema:
    """The schema of these columns of a table in files, which other files and frames of the same rows have as well."""
    literals = source.literals(names)
    types = source.recorded_types(names).items()
    return Schema(tuple(Column(name, kind, unseen="keep", literals=tuple(literals.get(name, ()))) for name, kind in types))


def _of_npy(path: AnyPath) -> Rows:
    try:
        with fetched(path) as file:
            array, size = np.load(file, mmap_mode="r", allow_pickle=False), file.stat().st_size
        if not isinstance(array, np.ndarray):
            raise ValueError("it is an archive of several arrays: call it .npz")
        if array.dtype.kind not in "biufUSmM":
            raise ValueError(f"it holds {array.dtype}")
        if isinstance(array, np.memmap) and array.size and array.offset + array.nbytes != size:
            raise ValueError(f"it is longer than its header says, rows of shape {array.shape}")
    except (ValueError, EOFError, OSError, OverflowError, BadZipFile) as error:
        why = "it holds pickled objects, which could run code" if "allow_pickle" in str(error) else one_line(error)
        raise BadInput(f"{path} is not a NumPy file of numbers ({why}).") from error
    return replace(_sliced(np.asarray(array), "array", array.ndim), origin=Origin.of_file(path))
