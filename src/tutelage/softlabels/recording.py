"""`record`: query a teacher once and store its answers, in memory or in a folder. An interrupted recording resumes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, overload

import numpy as np

from tutelage.core.arguments import choice, function, path, whole
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, CannotWrite, LabelMismatch
from tutelage.core.files import check_place, is_draft, locked
from tutelage.core.identity.fingerprints import identified
from tutelage.core.stages import Advance
from tutelage.core.stored.checksums import sha256_of
from tutelage.data.row_names import Names, RunningName, data_name, row_names
from tutelage.data.rows import Rows, as_rows
from tutelage.data.schema import Schema
from tutelage.softlabels.encoding import Encoding, EncodingCost, measured_cost
from tutelage.softlabels.folder import (
    MANIFEST,
    LabelFolder,
    Provenance,
    Shard,
    columns_so_far,
    open_labels,
    read_shard,
    shard_path,
    write_manifest,
    write_shard,
)
from tutelage.softlabels.labels import SoftLabels, in_recorded_columns
from tutelage.softlabels.options import DTYPES, SHARD_ROWS, Dtype
from tutelage.softlabels.rounding import differ
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.endpoints.chat_teacher import ChatTeacher


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
    """Query a teacher with all rows, check its answers, and store them as soft labels.

    Answers for a folder are written shard by shard, so that memory does not grow with the number of rows. If the process is
    killed, the same call resumes after the last complete shard, and produces the same bytes. A folder that already holds exactly
    this recording is opened. In both cases the teacher is queried again for a few recorded rows only, to prove that its answers are
    still those that were recorded.

    Args:
        teacher: a Teacher, or a model that `as_teacher` accepts without further arguments.
        data: the rows, in the form that the teacher expects: an array, a frame, a sparse matrix, texts, or the path of a
            .parquet, .csv, .jsonl or .npy file.
        into: the folder to record into; None keeps the answers in memory.
        dtype: of the numbers on disk, "float16", "float32" or "float64"; by default that of the teacher's answers. Half
            precision stores log-probabilities, and its loss is measured (`LabelFolder.cost`).
        top_k: store only this many of the most probable classes for each row, and the total probability of the others.
        shard_rows: rows per shard.
        advance: called after each shard, for a progress display.

    Returns:
        `SoftLabels` in memory, or the `LabelFolder`; both are Teachers for exactly these rows.

    Raises:
        NotProbabilities, ShapeError, BadInput: the answers do not have the form that the teacher declares, or an option is
            invalid; a teacher for a folder that nothing identifies (see `version` of `as_teacher`).
        LabelMismatch: the folder holds answers of another teacher, to other rows or in another encoding; or this teacher now gives
            other answers.
        CannotWrite: the folder cannot be written, holds other files, or another process is recording into it.
        DamagedFile: the folder holds damaged files.

    Example:
        >>> import tempfile
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.naive_bayes import GaussianNB
        >>> X, y = load_iris(return_X_y=True)
        >>> teacher = GaussianNB().fit(X, y)
        >>> labels = tl.record(teacher, X)
        >>> len(labels), labels.form.kind
        (150, 'probabilities')
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     stored = tl.record(teacher, X, f"{folder}/labels", dtype="float16")
        ...     print(stored.provenance.shards, stored.cost.mean < 1e-3)
        1 True
    """
    folder = None if into is None else path("into", into)
    teacher, rows = as_teacher(teacher), as_rows(data)
    if folder is None:
        if dtype is not None or top_k is not None:
            raise BadInput("dtype= and top_k= apply to answers on disk only; pass into=, the folder to record into, or leave them out.")
        # In the same parts as for a folder: the position of a row in a batch can change the last bit of its answer.
        parts = [(teacher.form.check(teacher.answer(part), stop - start), row_names(part)) for start, stop, part in rows.parts(SHARD_ROWS)]
        answers, names = (np.concatenate(column) for column in zip(*parts, strict=True))
        return SoftLabels(answers, teacher.form, names, teacher.fingerprint, rows.schema)
    shard_rows = whole("shard_rows", shard_rows, 1)
    dtype = None if dtype is None else choice("dtype", dtype, DTYPES)
    top_k = None if top_k is None else whole("top_k", top_k, 1)
    function("advance", advance, "without arguments")
    check_folder(folder)
    fingerprint = identified(teacher)
    with _locked(folder):
        recording = _Recording(teacher, fingerprint, rows, folder, shard_rows, dtype, top_k, advance)
        try:
            return recording.opened() if (folder / MANIFEST).exists() else recording.finish()
        except BaseException:
            with suppress(OSError):  # fails if there are shards, which the next run resumes from; an empty folder is removed
                folder.rmdir()
            raise


def check_folder(folder: Path) -> None:
    """Check, before a teacher is loaded, that answers can be recorded into a folder.

    Raises:
        CannotWrite: the folder cannot be written, or holds other files.
    """
    check_place(folder, may_replace=_only_ours)


ROWS_QUERIED_AGAIN = 4
"""Rows of the first and of the last complete shard that a resumed or repeated recording queries again."""


@dataclass
class _Recording:
    """One call of `record` into a folder."""

    teacher: Teacher
    fingerprint: str
    rows: Rows
    folder: Path
    shard_rows: int
    dtype: Dtype | None
    top_k: int | None
    advance: Advance

    def opened(self) -> LabelFolder:
        """The finished recording in the folder, if it is the requested one."""
        finished = open_labels(self.folder)
        self._take_recorded_columns(finished.schema)
        recorded = finished.provenance.to_json()
        requested = self._provenance(self.dtype or finished.provenance.encoding.dtype).to_json()
        differs = next((key for key in requested if recorded[key] != requested[key]), None)
        if differs is not None:
            raise LabelMismatch(
                f"{self.folder} holds another recording ({differs} is {recorded[differs]} there, {requested[differs]} here). {_ELSEWHERE}"
            )
        if data_name(self.rows) != finished.data:
            raise LabelMismatch(f"{self.folder} was recorded on {len(finished)} other rows (data {finished.data[:8]}...). {_ELSEWHERE}")
        for index in {0, finished.provenance.shards - 1}:
            start, stop = finished.provenance.span(index)
            shard = read_shard(self.folder, index, finished.provenance, sha256=finished.sha256[index])
            self._check_again(index, self.rows.part(start, min(stop, start + ROWS_QUERIED_AGAIN)), shard, finished.provenance)
        for _ in range(finished.provenance.shards):
            self.advance()
        return finished

    def finish(self) -> LabelFolder:
        """Record the missing shards, then write the manifest."""
        for draft in filter(is_draft, list(self.folder.iterdir())):  # left by a killed run; the lock keeps other writers out
            draft.unlink()
        provenance = self._provenance_so_far()
        tally = _Tally(self.advance)
        complete = [index for index in range(-(-self.rows.count // self.shard_rows)) if shard_path(self.folder, index).exists()]
        with ThreadPoolExecutor(1) as writer:
            for index, (start, stop, inputs) in enumerate(self.rows.parts(self.shard_rows)):
                if provenance is not None and index in complete:
                    tally.flush()
                    shard, sha256 = self._reused(index, row_names(inputs), provenance)
                    if index in (complete[0], complete[-1]):
                        self._check_again(index, as_rows(inputs).part(0, min(stop - start, ROWS_QUERIED_AGAIN)), shard, provenance)
                    tally.add(shard, sha256)
                    continue
                answers = self.teacher.form.check(self.teacher.answer(inputs), stop - start)
                if provenance is None or index == 0:
                    self._check_unchanged()
                provenance = provenance or self._provenance(self.dtype or _dtype_of(answers))
                tally.flush()
                tally.waiting = writer.submit(self._write, index, inputs, answers, provenance)
            tally.flush()
        finished = LabelFolder(self.folder, cast(Provenance, provenance), tally.names.value, tuple(tally.sha256), tally.cost)
        write_manifest(finished)
        gone = [path for index in range(len(finished.sha256)) if not (path := shard_path(self.folder, index)).is_file()]
        if gone:
            (self.folder / MANIFEST).unlink(missing_ok=True)
            raise CannotWrite(f"{gone[0]} was removed while the answers were recorded into {self.folder}. Record again.")
        return finished

    def _provenance_so_far(self) -> Provenance | None:
        """The provenance, if the dtype is known before the teacher's first answer."""
        first = next(iter(sorted(self.folder.glob("part-*.parquet"))), None)
        if first is None:
            return None if self.dtype is None else self._provenance(self.dtype)
        dtype, table = columns_so_far(first)
        self._take_recorded_columns(table)
        return self._provenance(self.dtype or dtype)

    def _provenance(self, dtype: Dtype) -> Provenance:
        form, encoding = self.teacher.form, Encoding(dtype, self.top_k).fitted_to(self.teacher.form)
        return Provenance(self.fingerprint, form, encoding, self.rows.count, self.shard_rows, self.rows.schema)

    def _take_recorded_columns(self, table: Schema | None) -> None:
        """Give teacher and recording the rows in the columns that were recorded before, whatever order and types they have now."""
        given = self.rows if table is None or self.rows.reread is None else self.rows.reread(table)
        self.rows = replace(given, part=lambda start, stop: in_recorded_columns(given.part(start, stop), table), describe=lambda: table)

    def _check_unchanged(self) -> None:
        """Check, after the first answers, that they did not change what identifies the teacher.

        Raises:
            BadInput: they did.
        """
        if self.teacher.fingerprint != self.fingerprint:
            raise BadInput(
                "this teacher changes as it answers: it holds a counter, a cache or a random state, so its fingerprint is another one "
                "afterwards. Pass as_teacher(..., version=), a text to change whenever its answers change."
            )

    def _check_again(self, index: int, inputs: Any, shard: Shard, provenance: Provenance) -> None:
        """Query the teacher again for the first rows of a shard; not a language model, whose answers would be paid again and may vary.

        Raises:
            LabelMismatch: its answers are not those that were recorded.
        """
        if isinstance(self.teacher, ChatTeacher) and self.teacher.unanswered(inputs):
            return
        encoding, form = provenance.encoding, provenance.form
        count = as_rows(inputs).count
        now = encoding.answers(encoding.columns(form.check(self.teacher.answer(inputs), count), form), form)
        recorded = encoding.answers({name: column[:count] for name, column in shard.columns.items()}, form)
        different = np.flatnonzero(differ(recorded, now, form, half=encoding.dtype == "float16"))
        if len(different):
            row = int(different[0])
            raise LabelMismatch(
                f"the teacher now gives other answers than those in {self.folder}: for row {provenance.span(index)[0] + row}, "
                f"{_few(now[row])}, and {_few(recorded[row])} was recorded. It was changed since, or its answers are random. {_ELSEWHERE}"
            )

    def _write(self, index: int, inputs: Any, answers: Floats, provenance: Provenance) -> tuple[Shard, str]:
        """Write one shard; runs while the teacher answers the next."""
        encoding, form = provenance.encoding, provenance.form
        columns = encoding.columns(answers, form)
        lossless = encoding.is_lossless_for(answers.dtype)
        cost = EncodingCost(len(answers)) if lossless else measured_cost(answers, encoding.answers(columns, form), form)
        shard = Shard(columns, row_names(inputs), cost)
        write_shard(self.folder, index, shard, provenance)
        return shard, sha256_of(shard_path(self.folder, index))

    def _reused(self, index: int, names: Names, provenance: Provenance) -> tuple[Shard, str]:
        """A shard of an earlier run, after checking that it holds these rows."""
        shard = read_shard(self.folder, index, provenance)
        if not np.array_equal(names, shard.names):
            raise LabelMismatch(f"{shard_path(self.folder, index)} was recorded on other rows. {_ELSEWHERE}")
        return shard, sha256_of(shard_path(self.folder, index))


class _Tally:
    """Collects the content of the manifest, shard by shard. At most one shard is being written at a time."""

    def __init__(self, advance: Advance) -> None:
        self.advance = advance
        self.names = RunningName()
        self.cost = EncodingCost()
        self.sha256: list[str] = []
        self.waiting: Future[tuple[Shard, str]] | None = None

    def flush(self) -> None:
        """Wait for the shard that is being written, and add it."""
        if self.waiting is not None:
            self.add(*self.waiting.result())
            self.waiting = None

    def add(self, shard: Shard, sha256: str) -> None:
        """Add a complete shard."""
        self.names.add(shard.names)
        self.cost += shard.cost
        self.sha256.append(sha256)
        self.advance()


def _few(answer: Floats) -> str:
    return ", ".join(f"{number:.4g}" for number in answer[:4]) + (", ..." if len(answer) > 4 else "")


_ELSEWHERE = "Record into another folder, or delete this one."


def _dtype_of(answers: Floats) -> Dtype:
    return "float64" if answers.dtype == np.float64 else "float32"


def _only_ours(folder: Path) -> bool:
    return all(
        path.name == MANIFEST or (path.name.startswith("part-") and path.suffix == ".parquet") or is_draft(path)
        for path in folder.iterdir()
    )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Create a folder, and lock it against a second recording."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"{folder} cannot be created ({error.strerror or error}). Choose another folder.") from error
    try:
        with locked(folder):
            yield
    except BlockingIOError as error:
        raise CannotWrite(f"another process is recording into {folder}. Wait for it, or choose another folder.") from error
