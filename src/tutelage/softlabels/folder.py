"""A folder of recorded answers: Parquet shards, and a manifest that is written last, when all shards are complete.

    labels/
        manifest.json          teacher, form of the answers, rows and their columns ("table"); SHA-256 of every shard, and a checksum of
                               its own. "positions" is null: one answer for each row; "side_files" is empty: further files of a
                               recording, by name, with their SHA-256
        part-00000.parquet     row, row_name, and the answers (see `Encoding`)
        part-00001.parquet

A shard is renamed to its final name when it is complete, and its footer holds the provenance of the recording, so that an
interrupted recording can resume after the last shard. A folder without a manifest is unfinished and cannot be opened.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arguments import path as checked_path
from tutelage.core.errors import BadInput, DamagedFile, LabelMismatch, StaleCache, TutelageError, one_line
from tutelage.core.files import whole_file, write_text
from tutelage.core.position_answers import Answers
from tutelage.core.records import dumps
from tutelage.core.stored.checksums import checked, read_json, sha256_of, with_checksum
from tutelage.data.row_names import Names
from tutelage.data.schema import Schema
from tutelage.softlabels.encoding import Encoding, EncodingCost, encoding_from
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.options import Dtype

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

LABELS_SCHEMA = 5
MANIFEST = "manifest.json"
_AGAIN = "Delete it and record again: complete shards are reused."


@dataclass(frozen=True)
class Provenance:
    """The facts that all shards of one recording share.

    Attributes:
        teacher: the teacher's fingerprint.
        form: kind, task and classes of the answers, at temperature 1.
        encoding: how the answers are stored.
        rows: number of rows of the finished recording.
        shard_rows: rows per shard; the last may hold fewer.
        table: the columns of the rows, with their types and categories; None if they were not a frame or a table.
    """

    teacher: str
    form: AnswerForm
    encoding: Encoding
    rows: int
    shard_rows: int
    table: Schema | None = None

    @property
    def shards(self) -> int:
        """Number of shards of the finished recording."""
        return -(-self.rows // self.shard_rows)

    def span(self, index: int) -> tuple[int, int]:
        """First row of a shard, and the row after its last."""
        return index * self.shard_rows, min((index + 1) * self.shard_rows, self.rows)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the manifest and the footers."""
        return {
            "schema": LABELS_SCHEMA,
            "teacher": self.teacher,
            "kind": self.form.kind,
            "task": self.form.task,
            "classes": list(self.form.classes),
            "temperature": 1.0,
            **self.encoding.to_json(),
            "rows": self.rows,
            "shard_rows": self.shard_rows,
            "table": None if self.table is None else self.table.to_json(),
        }


@dataclass(frozen=True)
class Shard:
    """One file of a recording.

    Attributes:
        columns: the answers as stored; if read from a file, also row numbers and names.
        names: (rows,) content name of each row.
        cost: the loss of the encoding on these rows.
    """

    columns: Mapping[str, NDArray[Any]]
    names: Names
    cost: EncodingCost


def shard_path(folder: Path, index: int) -> Path:
    """Path of a shard."""
    return folder / f"part-{index:05d}.parquet"


def write_shard(folder: Path, index: int, shard: Shard, provenance: Provenance) -> None:
    """Write a shard atomically. The same answers give the same bytes.

    Raises:
        CannotWrite: the folder cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    start, stop = provenance.span(index)
    columns = {"row": np.arange(start, stop), "row_name": shard.names, **shard.columns}
    about = with_checksum({**provenance.to_json(), "shard": index, "cost": asdict(shard.cost), "content": _content_of(columns)})
    table = pa.table({name: pa.array(column) for name, column in columns.items()}).replace_schema_metadata({"tutelage": json.dumps(about)})
    with whole_file(shard_path(folder, index)) as draft:
        pq.write_table(table, draft, compression="lz4", use_dictionary=False, write_statistics=False, write_page_checksum=True)


def read_shard(folder: Path, index: int, provenance: Provenance, *, sha256: str | None = None) -> Shard:
    """Open a shard. Its answers are read from the file when they are accessed.

    Args:
        folder: the folder of the recording.
        index: number of the shard.
        provenance: of the recording that it must belong to.
        sha256: expected hash of the file; None, for an unfinished recording, verifies the checksum of the columns instead, by
            reading all of them once.

    Raises:
        DamagedFile: missing, changed, or not a shard.
        LabelMismatch: the shard belongs to another recording.
    """
    import pyarrow.parquet as pq

    path = shard_path(folder, index)
    with _reading(path):
        if sha256 is not None and sha256_of(path) != sha256:
            raise DamagedFile(f"{path} is damaged: its SHA-256 differs from the one in {MANIFEST}. Restore it, or record again.")
        file = pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False)
        about = _footer(path, file.schema_arrow)
        cost, content = EncodingCost(**about.pop("cost")), about.pop("content")
    if about != {**provenance.to_json(), "shard": index}:
        raise LabelMismatch(f"{path} belongs to another recording ({_difference(about, provenance)}). Record into another folder.")
    columns = _FileColumns(path, file)
    start, stop = provenance.span(index)
    if not np.array_equal(columns["row"], np.arange(start, stop)):
        raise DamagedFile(f"{path} does not hold rows {start} to {stop - 1}. Delete it and record again.")
    names = columns["row_name"]
    if sha256 is None and _content_of(columns) != content:
        raise DamagedFile(f"{path} is damaged: its columns do not match their checksum. Delete it and record again.")
    return Shard(columns, names, cost)


COLUMNS_A_READ = 4
"""Columns of a shard that are read at a time: a shard of many classes is large, and each column is needed only once."""


class _FileColumns(Mapping[str, NDArray[Any]]):
    """The columns of a Parquet file, read a few at a time when they are accessed in order."""

    def __init__(self, path: Path, file: pq.ParquetFile) -> None:
        self.path, self.file = path, file
        self.order = file.schema_arrow.names
        self.read: dict[str, NDArray[Any]] = {}

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self.read:
            with _reading(self.path):
                first = self.order.index(name)
                self.read = {}
                table = self.file.read(columns=self.order[first : first + COLUMNS_A_READ], use_threads=False)
                self.read = {read: table.column(read).to_numpy() for read in table.column_names}
        return self.read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.order)

    def __len__(self) -> int:
        return len(self.order)


def columns_so_far(path: Path) -> tuple[Dtype, Schema | None]:
    """The dtype of the answers and the columns of the rows in the footer of a shard.

    Raises:
        DamagedFile: not a shard. StaleCache: a shard of another version.
    """
    import pyarrow.parquet as pq

    with _reading(path):
        about = _footer(path, pq.read_schema(path))
        return about["dtype"], _table_in(about)


def _footer(path: Path, schema: pa.Schema) -> dict[str, Any]:
    """The facts in the footer of a shard; their checksum is checked."""
    return checked(json.loads(schema.metadata[b"tutelage"]), schema=LABELS_SCHEMA, name=str(path), remedy="Delete it and record again.")


def _content_of(columns: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 (hex) of columns: names, types and numbers."""
    digest = hashlib.sha256()
    for name, column in columns.items():
        digest.update(f"{name} {column.dtype.str} {len(column)} ".encode())
        digest.update(np.ascontiguousarray(column).data.cast("B"))
    return digest.hexdigest()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Re-raise errors of reading a shard as DamagedFile."""
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError as error:
        raise DamagedFile(_missing(path)) from error
    except TutelageError:
        raise
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise DamagedFile(f"{path} is not a readable shard ({one_line(error)}). Delete it and record again.") from error


def _difference(about: dict[str, Any], provenance: Provenance) -> str:
    """The first difference between a shard and the current recording."""
    for key, value in provenance.to_json().items():
        if about.get(key) != value:
            return f"{key}: {_short(about.get(key))} there, {_short(value)} here"
    return f"it is shard {about.get('shard')}"


def _missing(path: Path) -> str:
    return f"{path} is missing. Restore it, or delete {MANIFEST} and record again: complete shards are reused."


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@dataclass(frozen=True, eq=False)
class LabelFolder:
    """A finished recording in a folder; itself a Teacher, for exactly the rows that it holds.

    Shards are verified when they are read. `answer` reads all of them once and holds them in memory; `parts` reads one at a
    time and holds none.

    Attributes:
        path: the folder.
        provenance: teacher, form, encoding, rows.
        data: hash of the recorded rows in their order (see `data_name`).
        sha256: hash of each shard.
        cost: the loss of the encoding, over all rows.
    """

    path: Path
    provenance: Provenance
    data: str
    sha256: tuple[str, ...]
    cost: EncodingCost

    def __len__(self) -> int:
        return self.provenance.rows

    @property
    def form(self) -> AnswerForm:
        """Kind, task and classes of the answers."""
        return self.provenance.form

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the teacher that gave the answers."""
        return self.provenance.teacher

    @property
    def schema(self) -> Schema | None:
        """The columns of the recorded rows, with their types and categories; None if they were not a frame or a table."""
        return self.provenance.table

    @cached_property
    def labels(self) -> SoftLabels:
        """All answers in memory.

        Raises:
            DamagedFile: a shard is missing or changed.
        """
        import pyarrow

        encoding, names = self.provenance.encoding, np.empty(len(self), np.uint64)
        for index, shard in enumerate(self._shards()):
            if index == 0:
                answers = encoding.allocate(len(self), shard.columns, self.form)
            part = slice(*self.provenance.span(index))
            names[part] = shard.names
            encoding.answers(shard.columns, self.form, into=answers[part])
        pyarrow.default_memory_pool().release_unused()  # the read buffers are free now; later stages need the memory
        return SoftLabels(answers, self.form, names, self.fingerprint, self.schema)

    def parts(self) -> Iterator[SoftLabels]:
        """The answers shard by shard, in the order of the rows.

        Raises:
            DamagedFile: a shard is missing or changed.
        """
        for shard in self._shards():
            answers = self.provenance.encoding.answers(shard.columns, self.form)
            yield SoftLabels(answers, self.form, shard.names, self.fingerprint, self.schema)

    def _shards(self) -> Iterator[Shard]:
        for index, sha256 in enumerate(self.sha256):
            yield read_shard(self.path, index, self.provenance, sha256=sha256)

    @property
    def cost_unit(self) -> str:
        """The unit of `cost`."""
        return "squared difference" if self.form.kind == "values" else "KL in nats"

    def answer(self, inputs: Any) -> Answers:
        """The recorded answers to these rows, in any order and selection.

        Raises:
            LabelMismatch: as `SoftLabels.answer`.
            DamagedFile: a shard is missing or changed.
        """
        return self.labels.answer(inputs)

    def paired_with(self, rows: Any, *, own_ids: Any = None, ids: Any = None) -> SoftLabels:
        """The answers under the names of other rows: see `SoftLabels.paired_with`.

        Raises:
            DamagedFile: a shard is missing or changed. ShapeError, LabelMismatch, BadInput: as there.
        """
        return self.labels.paired_with(rows, own_ids=own_ids, ids=ids)

    def to_json(self) -> dict[str, Any]:
        """The content of the manifest."""
        of_shards = [
            {"file": shard_path(self.path, index).name, "rows": stop - start, "sha256": sha256}
            for index, sha256 in enumerate(self.sha256)
            for start, stop in [self.provenance.span(index)]
        ]
        cost = {"unit": self.cost_unit, "mean": self.cost.mean, **asdict(self.cost)}
        plain = {
            **self.provenance.to_json(),
            "positions": None,
            "data": self.data,
            "cost": cost,
            "shards": of_shards,
            "side_files": {},
        }
        return with_checksum(plain)


def write_manifest(folder: LabelFolder) -> None:
    """Write the manifest, which marks a recording as finished."""
    write_text(folder.path / MANIFEST, dumps(folder.to_json()))


def open_labels(path: Path | str) -> LabelFolder:
    """Open a finished recording. Only the manifest is read; shards are read when answers are needed.

    Args:
        path: the folder that `record` wrote.

    Returns:
        A `LabelFolder`, which is a Teacher for exactly the recorded rows.

    Raises:
        BadInput: no such folder, or an unfinished recording.
        StaleCache: the folder was written by a version of tutelage with another format.
        DamagedFile: the manifest cannot be read, or a shard is missing.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> import tutelage as tl
        >>> X = np.arange(6.0).reshape(3, 2)
        >>> teacher = tl.as_teacher(lambda rows: rows[:, 0] - rows[:, 1], kind="values")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = tl.record(teacher, X, f"{folder}/labels")
        ...     labels = tl.open_labels(f"{folder}/labels")
        ...     print(len(labels), labels.answer(X[:2]).tolist())
        3 [[-1.0], [-1.0]]
    """
    folder = checked_path("path", path)
    if not (folder / MANIFEST).is_file():
        raise BadInput(_not_finished(folder))
    manifest = read_json(folder / MANIFEST, schema=LABELS_SCHEMA, remedy=_AGAIN)
    if manifest.get("positions") is not None or manifest.get("side_files"):
        raise StaleCache(
            f"{folder} holds answers by position or further files, which this version of tutelage does not read. Use a later one."
        )
    try:
        opened = _from_manifest(folder, manifest)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DamagedFile(f"{folder / MANIFEST} is incomplete or invalid: {one_line(error)}. {_AGAIN}") from error
    for index in range(opened.provenance.shards):
        if not shard_path(folder, index).is_file():
            raise DamagedFile(_missing(shard_path(folder, index)))
    return opened


def _not_finished(folder: Path) -> str:
    if not folder.is_dir():
        return f"there is no folder {folder}; record into it first: tutelage record, or tl.record(teacher, data, into=...)."
    complete = len(list(folder.glob("part-*.parquet")))
    if complete:
        return f"the recording in {folder} is not finished ({complete} shards so far, no {MANIFEST}). Record again to resume it."
    return f"{folder} holds no recorded answers (no {MANIFEST}). Pass a folder that was recorded into."


def _from_manifest(folder: Path, manifest: dict[str, Any]) -> LabelFolder:
    form = AnswerForm(manifest["kind"], manifest["task"], tuple(manifest["classes"]))
    rows, shard_rows = int(manifest["rows"]), int(manifest["shard_rows"])
    encoding = encoding_from(manifest).fitted_to(form)
    provenance = Provenance(str(manifest["teacher"]), form, encoding, rows, shard_rows, _table_in(manifest))
    sha256 = tuple(str(shard["sha256"]) for shard in manifest["shards"])
    if rows < 1 or shard_rows < 1 or len(sha256) != provenance.shards:
        raise ValueError(f"shards: {len(sha256)} for {rows} rows of {shard_rows} a shard")
    cost = EncodingCost(*(manifest["cost"][name] for name in ("rows", "total", "worst")))
    return LabelFolder(folder, provenance, str(manifest["data"]), sha256, cost)


def _table_in(about: Mapping[str, Any]) -> Schema | None:
    """The columns of the rows, as the manifest and the footers hold them."""
    try:
        return None if about["table"] is None else Schema.from_json(about["table"])
    except BadInput as error:
        raise ValueError(str(error)) from error
