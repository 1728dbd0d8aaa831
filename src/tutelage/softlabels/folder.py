"""A folder of recorded answers: Parquet shards, and a manifest that is written last, when all shards are complete.

    labels/
        manifest.json          teacher, form of the answers with the names of all classes, rows and their columns ("table"); SHA-256 of
                               every shard, and a checksum of its own. "side_files": further files of the recording, by name, with
                               their SHA-256
        shards.parquet         of more than 1 000 shards: their SHA-256, which the manifest then leaves out
        part-00000.parquet     row, row_name, and the answers as lists: `answers`, or `ids`, `log_probs` and `rest` of the most probable
                               classes (see `Encoding`); for answers with positions, those of all positions of a row, one after the
                               other, and how many there are: `tokens`, or `height` and `width`
        part-00001.parquet

A shard is renamed to its final name when it is complete, and its footer holds the provenance of the recording, so that an
interrupted recording can resume after the last shard; it names the classes by their hash. A folder without a manifest is unfinished
and cannot be opened.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arguments import place
from tutelage.core.errors import BadInput, DamagedFile, StaleCache, one_line
from tutelage.core.file_systems.drafts import is_draft
from tutelage.core.file_systems.paths import AnyPath, RemotePath
from tutelage.core.file_systems.places import check_place
from tutelage.core.file_systems.whole_files import whole_file, write_text
from tutelage.core.position_answers import Answers, joined
from tutelage.core.records import dumps
from tutelage.core.stored.checksums import read_json, with_checksum
from tutelage.data.row_names import Names, RunningName, row_names
from tutelage.data.schema import Schema
from tutelage.data.structures.row_parts import Gathered
from tutelage.softlabels.encoding import EncodingCost, encoding_from
from tutelage.softlabels.labels import SoftLabels, in_recorded_columns
from tutelage.softlabels.name_index import Index, contradiction, is_index, opened_index, repeated_rows, rows_of_names
from tutelage.softlabels.rounding import differ
from tutelage.softlabels.shards import LABELS_SCHEMA, MANIFEST, PLAN, Provenance, is_foreign, missing, read_shard, shard_path, table_in

SHARD_LIST = "shards.parquet"
MANY_SHARDS = 1000
"""Shards whose hashes a manifest holds itself; of more it names a file that does."""
READERS = 2
"""Shards that are read at once where rows of several are asked for."""
_AGAIN = "Delete it and record again: complete shards are reused."


@dataclass(frozen=True, eq=False)
class LabelFolder:
    """A finished recording in a folder; itself a Teacher, for exactly the rows that it holds.

    Shards are verified when they are read. `answer` reads those that hold the rows that it is asked about, found by an index of the names
    that is made once (see `name_index`), unless all answers are in memory already; `parts` reads one at a time and holds none.

    Attributes:
        path: the folder.
        provenance: teacher, form, encoding, rows.
        data: hash of the recorded rows in their order (see `data_name`).
        sha256: hash of each shard.
        cost: the loss of the encoding, over all rows.
    """

    path: AnyPath
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

        names, answers = [], Gathered(len(self), joined)
        for part in self.parts():
            names.append(part.names)
            answers.add(part.answers)
        pyarrow.default_memory_pool().release_unused()  # the read buffers are free now; later stages need the memory
        return SoftLabels(answers.whole, self.form, np.concatenate(names), self.fingerprint, self.schema)

    def parts(self) -> Iterator[SoftLabels]:
        """The answers shard by shard, in the order of the rows.

        Raises:
            DamagedFile: a shard is missing or changed.
        """
        return map(self.part, range(len(self.sha256)))

    def part(self, index: int) -> SoftLabels:
        """The answers of one shard.

        Raises:
            DamagedFile: the shard is missing or changed.
        """
        shard = read_shard(self.path, index, self.provenance, sha256=self.sha256[index])
        answers = self.provenance.encoding.decoded(shard.stored, self.form)
        return SoftLabels(answers, self.form, shard.names, self.fingerprint, self.schema)

    @property
    def cost_unit(self) -> str:
        """The unit of `cost`."""
        return "squared difference" if self.form.kind == "values" else "KL in nats"

    def answer(self, inputs: Any) -> Answers:
        """The recorded answers to these rows, in any order and selection: as `SoftLabels.answer`.

        Raises:
            LabelMismatch: as `SoftLabels.answer`.
            DamagedFile: a shard is missing or changed, or the index is.
        """
        if self.provenance.shards == 1 or "labels" in vars(self):
            return self.labels.answer(inputs)
        names = row_names(in_recorded_columns(inputs, self.schema))
        if len(names) == len(self) and self._is_whole(names):
            found: Answers = self.labels.answers
            return found
        return self._answers_of(rows_of_names(self._index, names), names)

    def _is_whole(self, names: Names) -> bool:
        """Whether these are the names of all rows in the order in which they were recorded."""
        whole = RunningName()
        whole.add(names)
        return whole.value == self.data

    @cached_property
    def _index(self) -> Index:
        shards = [shard_path(self.path, index) for index in range(len(self.sha256))]
        return opened_index(self.path, shards, self.sha256, len(self), self._check_repeated)

    def _check_repeated(self, index: Index) -> None:
        """Check that rows that occur more than once have equal answers.

        Raises:
            LabelMismatch: they have not.
        """
        rows = repeated_rows(index)
        if not len(rows):
            return
        names = index[0][np.isin(index[1], rows)]
        answers = self._answers_of(rows, names)
        same = np.flatnonzero(names[1:] == names[:-1])
        different = same[differ(answers[same], answers[same + 1], self.form)]
        if len(different):
            raise contradiction(rows[different[0]], rows[different[0] + 1])

    def _answers_of(self, rows: NDArray[np.int64], names: Names) -> Answers:
        """The answers to rows by their numbers; few of their shards are in memory at once, and the last stays for the next question."""
        shard_of = rows // self.provenance.shard_rows
        shards = np.unique(shard_of).tolist()
        places = [np.flatnonzero(shard_of == index) for index in shards]
        if not shards:
            shards, places = [0], [np.zeros(0, np.intp)]
        last = dict(self._last)
        known = {index: last.pop(index) for index in shards if index in last}
        last.clear()  # freed before the next ones are read
        self._last.clear()

        def of_shard(index: int, asked: NDArray[np.intp]) -> Answers:
            part = known.pop(index) if index in known else self.part(index)
            inside = rows[asked] - self.provenance.span(index)[0]
            if not np.array_equal(part.names[inside], names[asked]):
                raise DamagedFile(f"the index of the names in {self.path} does not match its shards. Delete names-*.npy there.")
            if index == shards[-1]:
                self._last[index] = part
            chosen: Answers = part.answers[inside]
            return chosen

        if len(shards) == 1:
            answers = [of_shard(shards[0], places[0])]
        else:
            with ThreadPoolExecutor(READERS) as readers:
                answers = list(readers.map(of_shard, shards, places))
        found: Answers = joined(answers)[np.argsort(np.concatenate(places))]
        return found

    @cached_property
    def _last(self) -> dict[int, SoftLabels]:
        return {}

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
            for index, sha256 in enumerate(() if self.side_files else self.sha256)
            for start, stop in [self.provenance.span(index)]
        ]
        cost = {"unit": self.cost_unit, "mean": self.cost.mean, **asdict(self.cost)}
        plain = {
            **self.provenance.to_json(),
            "data": self.data,
            "cost": cost,
            "shards": of_shards,
            "side_files": {name: hashlib.sha256(content).hexdigest() for name, content in self.side_files.items()},
        }
        return with_checksum(plain)

    @cached_property
    def side_files(self) -> dict[str, bytes]:
        """What a manifest of many shards leaves out, by the name of its file."""
        return {SHARD_LIST: _written(self.sha256)} if len(self.sha256) > MANY_SHARDS else {}


def write_manifest(folder: LabelFolder) -> None:
    """Write the manifest, which marks a recording as finished, after the files that belong to it."""
    for name, content in folder.side_files.items():
        with whole_file(folder.path / name) as draft:
            draft.write_bytes(content)
    write_text(folder.path / MANIFEST, dumps(folder.to_json()))


def _written(sha256: Sequence[str]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = BytesIO()
    table = pa.table({"shard": pa.array(np.arange(len(sha256))), "sha256": pa.array([bytes.fromhex(one) for one in sha256], pa.binary(32))})
    pq.write_table(table, buffer, use_dictionary=False, write_statistics=False, compression="none")
    return buffer.getvalue()


def _read(folder: AnyPath, side_files: dict[str, str]) -> tuple[str, ...]:
    """The SHA-256 of every shard, from the file beside the manifest.

    Raises:
        DamagedFile: it is missing or changed.
    """
    import pyarrow.parquet as pq

    path = folder / SHARD_LIST
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != side_files[SHARD_LIST]:
        raise DamagedFile(f"{path} is {'damaged' if content else 'missing'}. Restore it, or delete {MANIFEST} and record again.")
    return tuple(bytes(one or b"").hex() for one in pq.read_table(BytesIO(content)).column("sha256").to_pylist())


def check_folder(folder: AnyPath) -> None:
    """Check, before a teacher is loaded, that answers can be recorded into a folder.

    Raises:
        CannotWrite: the folder cannot be written, or holds other files.
    """
    check_place(folder, may_replace=_only_ours)


def _only_ours(folder: AnyPath) -> bool:
    """Whether a folder holds nothing but a recording; parts of data of the user's have the names of shards in many systems."""
    inside: list[AnyPath] = [*folder.iterdir()]
    parts = [path for path in inside if re.fullmatch(r"part-.*\.parquet", path.name)]
    rest = [path for path in inside if path not in parts]
    if not all(path.name in (MANIFEST, PLAN, SHARD_LIST) or is_draft(path) or is_index(path) for path in rest):
        return False
    begun = any(path.name in (MANIFEST, PLAN) for path in rest)
    return begun or not parts or not is_foreign(min(parts, key=str))


def open_labels(path: Path | RemotePath | str) -> LabelFolder:
    """Open a finished recording. Only the manifest is read; shards are read when answers are needed.

    Args:
        path: the folder that `record` wrote: a path, or a URI such as s3://bucket/labels.

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
    folder = place("path", path)
    if not (folder / MANIFEST).is_file():
        raise BadInput(_not_finished(folder))
    manifest = read_json(folder / MANIFEST, schema=LABELS_SCHEMA, remedy=_AGAIN)
    beside = manifest.get("side_files")
    if isinstance(beside, dict) and set(beside) - {SHARD_LIST}:
        raise StaleCache(f"{folder} holds further files, which this version of tutelage does not read. Use a later one.")
    try:
        opened = _from_manifest(folder, manifest)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DamagedFile(f"{folder / MANIFEST} is incomplete or invalid: {one_line(error)}. {_AGAIN}") from error
    gone = next(gone_shards(folder, opened.provenance), None)
    if gone is not None:
        raise DamagedFile(missing(gone))
    return opened


def gone_shards(folder: AnyPath, provenance: Provenance) -> Iterator[AnyPath]:
    """The shards that are not in a folder, by listing it once."""
    there = {path.name for path in folder.iterdir()}
    return (path for path in (shard_path(folder, index) for index in range(provenance.shards)) if path.name not in there)


def _not_finished(folder: AnyPath) -> str:
    if not folder.is_dir():
        return f"there is no folder {folder}; record into it first: tutelage record, or tl.record(teacher, data, into=...)."
    complete: list[AnyPath] = [*folder.glob("part-*.parquet")]
    if isinstance(folder, Path) and (folder / PLAN).is_dir():
        return (
            f"the recording in {folder} is not finished ({len(complete)} shards so far, by a plan). Label the others and finish it, "
            "tl.plan(...).finish(), or record again with on=, as it was begun."
        )
    if complete and not is_foreign(min(complete, key=str)):
        return f"the recording in {folder} is not finished ({len(complete)} shards so far, no {MANIFEST}). Record again to resume it."
    return f"{folder} holds no recorded answers (no {MANIFEST}). Pass a folder that was recorded into."


def _from_manifest(folder: AnyPath, manifest: dict[str, Any]) -> LabelFolder:
    form = AnswerForm(manifest["kind"], manifest["task"], tuple(manifest["classes"]), manifest["positions"])
    rows, shard_rows = int(manifest["rows"]), int(manifest["shard_rows"])
    encoding = encoding_from(manifest).fitted_to(form)
    provenance = Provenance(str(manifest["teacher"]), form, encoding, rows, shard_rows, table_in(manifest), manifest.get("served"))
    side_files = manifest["side_files"]
    sha256 = _read(folder, side_files) if side_files else tuple(str(shard["sha256"]) for shard in manifest["shards"])
    if rows < 1 or shard_rows < 1 or len(sha256) != provenance.shards:
        raise ValueError(f"shards: {len(sha256)} for {rows} rows of {shard_rows} a shard")
    cost = EncodingCost(*(manifest["cost"][name] for name in ("rows", "total", "worst")))
    return LabelFolder(folder, provenance, str(manifest["data"]), sha256, cost)
