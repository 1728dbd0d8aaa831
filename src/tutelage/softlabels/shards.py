"""The shards of a recording: Parquet files whose footer says what they belong to, so that a recording can resume after the last one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answer_values.class_names import ClassNames
from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput, CannotWrite, DamagedFile, LabelMismatch, ShapeError, TutelageError, one_line
from tutelage.core.file_systems.copies import seekable
from tutelage.core.file_systems.paths import AnyPath
from tutelage.core.file_systems.whole_files import whole_file, write_unless_there
from tutelage.core.position_answers import Answers, joined
from tutelage.core.stored.checksums import checked, sha256_of, with_checksum
from tutelage.data.row_names import Names, row_names
from tutelage.data.schema import Schema
from tutelage.data.tables.parquet_parts import OF_A_RECORDING, footer_of
from tutelage.softlabels.columns import answers_from, arrays_of, read_columns, table_of, writing_options
from tutelage.softlabels.encoding import Encoding, EncodingCost, encoding_from

if TYPE_CHECKING:
    import pyarrow as pa

LABELS_SCHEMA = 6
MANIFEST = "manifest.json"
PLAN = "plan"
"""The folder, within that of an unfinished recording, of a plan and of a receipt for each shard that was labelled by it."""


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
        served: the name that an endpoint gave to the model that answered, often with a date; None if the teacher is no endpoint.
    """

    teacher: str
    form: AnswerForm
    encoding: Encoding
    rows: int
    shard_rows: int
    table: Schema | None = None
    served: str | None = None

    @property
    def shards(self) -> int:
        """Number of shards of the finished recording."""
        return -(-self.rows // self.shard_rows)

    def span(self, index: int) -> tuple[int, int]:
        """First row of a shard, and the row after its last."""
        return index * self.shard_rows, min((index + 1) * self.shard_rows, self.rows)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the manifest."""
        return {**self.facts, "classes": list(self.form.classes)}

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Plain values for the footers, which name the classes by their number and hash."""
        names = ClassNames(self.form.classes)
        return {
            "schema": LABELS_SCHEMA,
            "teacher": self.teacher,
            "kind": self.form.kind,
            "task": self.form.task,
            "positions": self.form.positions,
            "classes": f"{len(names)} of hash {names.sha256}",
            "temperature": 1.0,
            **self.encoding.to_json(),
            "rows": self.rows,
            "shard_rows": self.shard_rows,
            "table": None if self.table is None else self.table.to_json(),
            **({} if self.served is None else {"served": self.served}),
        }

    def difference(self, requested: Provenance) -> str | None:
        """The first fact that is another one in a recording that is requested; None if there is none."""
        there, here = self.facts, requested.facts
        key = next((key for key in here if there.get(key) != here[key]), None)
        return None if key is None else f"{key} is {short(there.get(key))} there, {short(here[key])} here"


@dataclass(frozen=True)
class Shard:
    """One file of a recording.

    Attributes:
        stored: the answers as `Encoding.stored` returns them.
        names: (rows,) content name of each row.
        cost: the loss of the encoding on these rows.
    """

    stored: Answers
    names: Names
    cost: EncodingCost


def shard_of(parts: Sequence[tuple[Answers, EncodingCost]], inputs: Any) -> Shard:
    """The shard of some rows, from their encoded answers in parts."""
    cost = sum((cost for _, cost in parts), EncodingCost())
    stored = parts[0][0] if len(parts) == 1 else joined(stored for stored, _ in parts)
    return Shard(stored, row_names(inputs), cost)


def shard_path(folder: AnyPath, index: int) -> AnyPath:
    """Path of a shard."""
    return folder / f"part-{index:05d}.parquet"


def write_shard(folder: AnyPath, index: int, shard: Shard, provenance: Provenance) -> None:
    """Write a shard atomically, in the place of one that is there. The same answers give the same bytes.

    Raises:
        CannotWrite: the folder cannot be written.
    """
    with whole_file(shard_path(folder, index)) as draft:
        _write(draft, index, shard, provenance)


def offer_shard(folder: AnyPath, index: int, shard: Shard, provenance: Provenance) -> str:
    """Write a shard unless another process was first, whose answers then have to be the same.

    Returns:
        SHA-256 of the file that is there now.

    Raises:
        CannotWrite: the folder cannot be written, or does not hold what was written.
        LabelMismatch: the shard that is there holds other answers or rows. DamagedFile: it is damaged.
    """
    path, sha256 = shard_path(folder, index), ""

    def write(draft: Path) -> None:
        nonlocal sha256
        _write(draft, index, shard, provenance)
        sha256 = sha256_of(draft)

    was_first = write_unless_there(path, write)
    found = _sha256_if_there(path)
    if was_first and found != sha256:
        raise CannotWrite(f"{path} was written, but does not hold what was written. Check the disk, then label shard {index} again.")
    if found != sha256:
        _check_same(read_shard(folder, index, provenance), shard, path)
    return found


def _sha256_if_there(path: AnyPath) -> str:
    try:
        return sha256_of(path)
    except FileNotFoundError:
        return ""


def _check_same(first: Shard, second: Shard, path: AnyPath) -> None:
    if not np.array_equal(first.names, second.names):
        raise LabelMismatch(f"{path} was labelled on other rows. Delete it, or label into another folder.")
    one, other = arrays_of(first.stored), arrays_of(second.stored)
    if any(not np.array_equal(one[name], other[name], equal_nan=True) for name in one):
        raise LabelMismatch(
            f"{path} was written by another process with other answers to the same rows: the teacher is not deterministic, or answers "
            "otherwise on another machine. Label on one kind of machine, or round its answers."
        )


def _write(path: Path, index: int, shard: Shard, provenance: Provenance) -> None:
    import pyarrow.parquet as pq

    start, stop = provenance.span(index)
    columns = {"row": np.arange(start, stop), "row_name": shard.names}
    content = _content_of({**columns, **arrays_of(shard.stored)})
    about = with_checksum({**provenance.facts, "shard": index, "cost": asdict(shard.cost), "content": content})
    table = table_of(columns, shard.stored).replace_schema_metadata({OF_A_RECORDING: json.dumps(about)})
    options = writing_options(table)
    pq.write_table(table, path, use_dictionary=False, write_statistics=False, write_page_checksum=True, **options)


def read_shard(folder: AnyPath, index: int, provenance: Provenance, *, sha256: str | None = None) -> Shard:
    """Read a shard.

    Args:
        folder: the folder of the recording.
        index: number of the shard.
        provenance: of the recording that it must belong to.
        sha256: expected hash of the file; None, for an unfinished recording, verifies the checksum of the columns instead.

    Raises:
        DamagedFile: missing, changed, or not a shard.
        LabelMismatch: the shard belongs to another recording.
    """
    path = shard_path(folder, index)
    with _reading(path):
        source = seekable(path)
        if sha256 is not None and sha256_of(source) != sha256:
            raise DamagedFile(f"{path} is damaged: its SHA-256 differs from the one in {MANIFEST}. Restore it, or record again.")
    return _parsed(path, source, index, provenance, proven=sha256 is not None)


def shard_and_sha256(folder: AnyPath, index: int, provenance: Provenance) -> tuple[Shard, str]:
    """As `read_shard` for an unfinished recording, with the SHA-256 of the file.

    Raises:
        as `read_shard`.
    """
    path = shard_path(folder, index)
    with _reading(path):
        source = seekable(path)
        return _parsed(path, source, index, provenance, proven=False), sha256_of(source)


def names_of_signed(folder: AnyPath, index: int, provenance: Provenance, signed: Collection[str]) -> tuple[Names, EncodingCost, str] | None:
    """The names of the rows of a shard and the loss of its encoding, if the SHA-256 of its file is a known one, with that.

    Args:
        folder: the folder of the recording.
        index: number of the shard.
        provenance: of the recording that it must belong to.
        signed: SHA-256 of files that were checked when they were written.

    Raises:
        as `read_shard`.
    """
    import pyarrow.parquet as pq

    path = shard_path(folder, index)
    with _reading(path):
        source = seekable(path)
        sha256 = sha256_of(source)
        if sha256 not in signed:
            return None
        file = pq.ParquetFile(source, pre_buffer=False)
        cost, _ = _belonging(path, index, provenance, file.schema_arrow)
        names: Names = file.read(columns=["row_name"], use_threads=False).column(0).to_numpy()
        return names, cost, sha256


def _belonging(path: AnyPath, index: int, provenance: Provenance, schema: pa.Schema) -> tuple[EncodingCost, str]:
    """The loss of the encoding, and the checksum of the columns, in the footer of a shard.

    Raises:
        DamagedFile: not a shard. LabelMismatch: the shard belongs to another recording.
    """
    about = _footer(path, schema)
    cost, content = EncodingCost(**about.pop("cost")), about.pop("content")
    if about != {**provenance.facts, "shard": index}:
        raise LabelMismatch(f"{path} belongs to another recording ({_difference(about, provenance)}). Record into another folder.")
    return cost, content


def _parsed(path: AnyPath, source: Path | BytesIO, index: int, provenance: Provenance, *, proven: bool) -> Shard:
    """The shard in a file; unless it is `proven` by its SHA-256, the checksum of its columns is checked."""
    import pyarrow.parquet as pq

    with _reading(path):
        file = pq.ParquetFile(source, page_checksum_verification=not proven, pre_buffer=False)
        cost, content = _belonging(path, index, provenance, file.schema_arrow)
    start, stop = provenance.span(index)
    with _reading(path):
        columns = read_columns(file)
        if not np.array_equal(columns["row"], np.arange(start, stop)):
            raise DamagedFile(f"{path} does not hold rows {start} to {stop - 1}. Delete it and record again.")
        stored, names = _answers_in(columns, provenance, stop - start), columns["row_name"]
    held = {"row": columns["row"], "row_name": names, **arrays_of(stored)}
    if not proven and _content_of(held) != content:
        raise DamagedFile(f"{path} is damaged: its columns do not match their checksum. Delete it and record again.")
    return Shard(stored, names, cost)


def _answers_in(columns: Mapping[str, NDArray[Any]], provenance: Provenance, rows: int) -> Answers:
    try:
        return answers_from(columns, provenance.form, rows=rows, top_k=provenance.encoding.top_k)
    except ShapeError as error:
        raise ValueError(str(error)) from error


def columns_so_far(path: AnyPath) -> tuple[Encoding, Schema | None, str | None]:
    """The encoding of the answers, the columns of the rows, and the model that an endpoint served, in the footer of a shard.

    Raises:
        DamagedFile: not a shard. StaleCache: a shard of another version.
    """
    import pyarrow.parquet as pq

    with _reading(path):
        about = _footer(path, pq.read_schema(seekable(path)))
        return encoding_from(about), table_in(about), about.get("served")


def is_foreign(path: AnyPath) -> bool:
    """Whether a file is a sound Parquet file that no recording wrote; one that cannot be read may be a damaged shard."""
    found = footer_of(path)
    return found is not None and OF_A_RECORDING not in found


def _footer(path: AnyPath, schema: pa.Schema) -> dict[str, Any]:
    """The facts in the footer of a shard; their checksum is checked.

    Raises:
        LabelMismatch: no recording wrote the file. DamagedFile, StaleCache: as `checked`.
    """
    if OF_A_RECORDING not in (schema.metadata or {}):
        raise LabelMismatch(f"{path} holds other data, and no recorded answers. Record into another folder.")
    return checked(json.loads(schema.metadata[OF_A_RECORDING]), schema=LABELS_SCHEMA, name=str(path), remedy="Delete it and record again.")


def _content_of(columns: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 (hex) of columns: names, types, shapes and numbers."""
    digest = hashlib.sha256()
    for name, column in columns.items():
        digest.update(f"{name} {column.dtype.str} {column.shape} ".encode())
        digest.update(np.ascontiguousarray(column).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


@contextmanager
def _reading(path: AnyPath) -> Iterator[None]:
    """Re-raise errors of reading a shard as DamagedFile."""
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError as error:
        raise DamagedFile(missing(path)) from error
    except TutelageError:
        raise
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise DamagedFile(f"{path} is not a readable shard ({one_line(error)}). Delete it and record again.") from error


def _difference(about: dict[str, Any], provenance: Provenance) -> str:
    """The first difference between a shard and the current recording."""
    for key, value in provenance.facts.items():
        if about.get(key) != value:
            return f"{key}: {short(about.get(key))} there, {short(value)} here"
    return f"it is shard {about.get('shard')}"


def missing(path: AnyPath) -> str:
    """The message for a shard that is not there."""
    return f"{path} is missing. Restore it, or delete {MANIFEST} and record again: complete shards are reused."


def short(value: Any) -> str:
    """A value as text of at most 200 characters."""
    text = str(value)
    return text if len(text) <= 200 else f"{text[:197]}..."


def table_in(about: Mapping[str, Any]) -> Schema | None:
    """The columns of the rows, as the manifest and the footers hold them."""
    try:
        return None if about["table"] is None else Schema.from_json(about["table"])
    except BadInput as error:
        raise ValueError(str(error)) from error
