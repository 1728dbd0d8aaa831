"""Ask a teacher once and keep the answers: in memory, or in a folder that a killed recording goes on with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, overload

import numpy as np

from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, CannotWrite, LabelMismatch
from tutelage.core.files import check_place
from tutelage.core.stages import Advance
from tutelage.data.row_names import Names, RunningName, data_name, row_names
from tutelage.data.rows import Rows, as_rows
from tutelage.softlabels.encoding import Cost, Encoding, measured_cost
from tutelage.softlabels.folder import (
    MANIFEST,
    LabelFolder,
    Provenance,
    Shard,
    open_labels,
    read_shard,
    sha256_of,
    shard_about,
    shard_path,
    write_manifest,
    write_shard,
)
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.options import SHARD_ROWS, Dtype
from tutelage.teachers.adapt import as_teacher


@overload
def record(teacher: Any, data: Any, into: None = None) -> SoftLabels: ...
@overload
def record(
    teacher: Any,
    data: Any,
    into: Path | str,
    *,
    dtype: Dtype | None = None,
    top_k: int | None = None,
    shard_rows: int = SHARD_ROWS,
    advance: Advance = ...,
) -> LabelFolder: ...


def record(
    teacher: Any,
    data: Any,
    into: Path | str | None = None,
    *,
    dtype: Dtype | None = None,
    top_k: int | None = None,
    shard_rows: int = SHARD_ROWS,
    advance: Advance = lambda: None,
) -> SoftLabels | LabelFolder:
    """Ask the teacher about every row, check what it said, and keep it.

    Into a folder, answers are written shard by shard, so memory does not grow with the rows. Killed at any moment,
    the same call goes on after the last finished shard, asks nothing twice, and ends in the same bytes. A folder
    that holds just this recording already is opened, and the teacher is not asked.

    Args:
        teacher: anything `as_teacher` takes.
        data: rows, as `as_rows` takes them and as the teacher knows them.
        into: the folder; None keeps the answers in memory.
        dtype: of the numbers on disk, "float16", "float32" or "float64"; what the teacher says by default. Half
            precision keeps log-probabilities; what it loses is measured (`LabelFolder.cost`).
        top_k: keep only so many of the likeliest classes a row, and the mass of the rest.
        shard_rows: rows a shard.
        advance: called after each shard, for a progress display.

    Raises:
        NotProbabilities, ShapeError, BadInput: the answers are not what the teacher declares, or an option cannot be.
        LabelMismatch: the folder holds answers of another teacher, to other rows or in another encoding.
        CannotWrite: the folder cannot be written, holds other files, or is being recorded into.
        DamagedFile: what the folder holds is damaged.
    """
    teacher, rows = as_teacher(teacher), as_rows(data)
    if into is None:
        if dtype is not None or top_k is not None:
            raise BadInput("dtype and top_k say how answers lie on disk; pass into=, the folder to record into.")
        # In the parts that a folder is recorded in: where a row stands in a batch can change its last bit.
        said = [(teacher.form.check(teacher.answer(part), stop - start), row_names(part)) for start, stop, part in rows.parts(SHARD_ROWS)]
        answers, names = (np.concatenate(column) for column in zip(*said, strict=True))
        return SoftLabels(answers, teacher.form, names, teacher.fingerprint)
    if shard_rows < 1:
        raise BadInput(f"shard_rows is {shard_rows}; expected at least 1.")
    folder = Path(into)
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        recording = _Recording(teacher, rows, folder, shard_rows, dtype, top_k, advance)
        try:
            return recording.opened() if (folder / MANIFEST).exists() else recording.finish()
        except BaseException:
            with suppress(OSError):  # shards are kept for the next run; a folder without any is not left behind
                folder.rmdir()
            raise


def check_folder(folder: Path) -> None:
    """Prove, before a teacher is loaded, that answers can be recorded into a folder.

    Raises:
        CannotWrite: says why not.
    """
    check_place(folder, may_replace=_only_ours)


@dataclass
class _Recording:
    """One call of `record` into a folder."""

    teacher: Teacher
    rows: Rows
    folder: Path
    shard_rows: int
    dtype: Dtype | None
    top_k: int | None
    advance: Advance

    def opened(self) -> LabelFolder:
        """The finished recording that is there, if it is the one asked for."""
        there = open_labels(self.folder)
        kept, wanted = there.provenance.to_json(), self._provenance(self.dtype or there.provenance.encoding.dtype).to_json()
        differs = next((key for key in wanted if kept[key] != wanted[key]), None)
        if differs is not None:
            raise LabelMismatch(
                f"{self.folder} holds another recording ({differs} is {kept[differs]} there, {wanted[differs]} here). {_ELSEWHERE}"
            )
        if data_name(self.rows) != there.data:
            raise LabelMismatch(f"{self.folder} was recorded on {len(there)} other rows (data {there.data[:8]}...). {_ELSEWHERE}")
        for _ in range(there.provenance.shards):
            self.advance()
        return there

    def finish(self) -> LabelFolder:
        """Every shard that is not there yet, and then the manifest."""
        for draft in self.folder.glob(".*.draft-*"):  # of a killed run; nobody else writes here now
            draft.unlink()
        provenance = self._begun()
        tally = _Tally(self.advance)
        with ThreadPoolExecutor(1) as writer:
            for index, (start, stop, inputs) in enumerate(self.rows.parts(self.shard_rows)):
                if provenance is not None and shard_path(self.folder, index).exists():
                    tally.flush()
                    tally.add(*self._kept(index, row_names(inputs), provenance))
                    continue
                answers = self.teacher.form.check(self.teacher.answer(inputs), stop - start)
                provenance = provenance or self._provenance(self.dtype or _dtype_of(answers))
                tally.flush()
                tally.waiting = writer.submit(self._written, index, inputs, answers, provenance)
            tally.flush()
        finished = LabelFolder(self.folder, cast(Provenance, provenance), tally.names.value, tuple(tally.sha256), tally.cost)
        write_manifest(finished)
        return finished

    def _begun(self) -> Provenance | None:
        """What is being recorded, as far as it is known before the teacher's first answer."""
        first = next(iter(sorted(self.folder.glob("part-*.parquet"))), None)
        if first is None:
            return None if self.dtype is None else self._provenance(self.dtype)
        return self._provenance(self.dtype or shard_about(first)["dtype"])

    def _provenance(self, dtype: Dtype) -> Provenance:
        form = self.teacher.form
        return Provenance(self.teacher.fingerprint, form, Encoding(dtype, self.top_k).fitted_to(form), self.rows.count, self.shard_rows)

    def _written(self, index: int, inputs: Any, answers: Floats, provenance: Provenance) -> tuple[Shard, str]:
        """Write one shard, while the teacher is asked about the next."""
        encoding, form = provenance.encoding, provenance.form
        columns = encoding.columns(answers, form)
        exact = encoding.keeps_all_of(answers.dtype)
        cost = Cost(len(answers)) if exact else measured_cost(answers, encoding.answers(columns, form), form)
        shard = Shard(columns, row_names(inputs), cost)
        write_shard(self.folder, index, shard, provenance)
        return shard, sha256_of(shard_path(self.folder, index))

    def _kept(self, index: int, names: Names, provenance: Provenance) -> tuple[Shard, str]:
        """A shard of an earlier run, after proving that it answers these rows."""
        shard = read_shard(self.folder, index, provenance)
        if not np.array_equal(names, shard.names):
            raise LabelMismatch(f"{shard_path(self.folder, index)} was recorded on other rows than these. {_ELSEWHERE}")
        return shard, sha256_of(shard_path(self.folder, index))


class _Tally:
    """What the manifest will say, shard after shard. At most one shard is being written at a time."""

    def __init__(self, advance: Advance) -> None:
        self.advance = advance
        self.names = RunningName()
        self.cost = Cost()
        self.sha256: list[str] = []
        self.waiting: Future[tuple[Shard, str]] | None = None

    def flush(self) -> None:
        """Wait for the shard that is being written."""
        if self.waiting is not None:
            self.add(*self.waiting.result())
            self.waiting = None

    def add(self, shard: Shard, sha256: str) -> None:
        """Count a shard that is whole."""
        self.names.add(shard.names)
        self.cost += shard.cost
        self.sha256.append(sha256)
        self.advance()


_ELSEWHERE = "Record into another folder, or delete this one."


def _dtype_of(answers: Floats) -> Dtype:
    return "float64" if answers.dtype == np.float64 else "float32"


def _only_ours(folder: Path) -> bool:
    return all(
        path.name == MANIFEST or (path.name.startswith("part-") and path.suffix == ".parquet") or ".draft-" in path.name
        for path in folder.iterdir()
    )


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold a folder against a second recording; the system lets go of it when the process ends, however it ends."""
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows has no such lock
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise CannotWrite(f"{folder} is being recorded into by another process. Wait for it, or choose another folder.") from error
    finally:
        os.close(handle)
