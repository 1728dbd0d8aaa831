"""`record`: query a teacher once and store its answers, in memory or in a folder. An interrupted recording resumes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, overload

import numpy as np

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.arguments import choice, function, path, whole
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, CannotWrite, LabelMismatch
from tutelage.core.files import check_place, is_draft, locked
from tutelage.core.identity.fingerprints import identified
from tutelage.core.position_answers import Answers, PositionAnswers, joined
from tutelage.core.running.stages import Advance
from tutelage.core.stored.checksums import sha256_of
from tutelage.data.row_names import Names, RunningName, data_name, row_names
from tutelage.data.rows import Rows, as_rows
from tutelage.data.schema import Schema
from tutelage.data.structures.given_answers import checked_answers
from tutelage.data.truth.given_truth import by_position
from tutelage.softlabels.encoding import Encoding, EncodingCost
from tutelage.softlabels.folder import LabelFolder, open_labels, write_manifest
from tutelage.softlabels.labels import SoftLabels, in_recorded_columns
from tutelage.softlabels.name_index import is_index
from tutelage.softlabels.options import DTYPES, SHARD_ROWS, Dtype
from tutelage.softlabels.querying import answer_bytes, query_parts
from tutelage.softlabels.rounding import differ
from tutelage.softlabels.shards import MANIFEST, Provenance, Shard, columns_so_far, read_shard, shard_path, short, write_shard
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.endpoints.chat_teacher import ChatTeacher


@overload
def record(teacher: Any, data: Any, into: None = None, *, top_k: int | None = None) -> SoftLabels: ...
@overload
def record(
    teacher: Any,
    data: Any,
    into: Path | str,
    *,
    dtype: Dtype | None = None,
    top_k: int | None = None,
    shard_rows: int | None = None,
    advance: Advance = ...,
) -> LabelFolder: ...


def record(
    teacher: Any,
    data: Any,
    into: Path | str | None = None,
    *,
    dtype: Dtype | None = None,
    top_k: int | None = None,
    shard_rows: int | None = None,
    advance: Advance = lambda: None,
) -> SoftLabels | LabelFolder:
    """Query a teacher with all rows, check its answers, and store them as soft labels.

    Answers for a folder are written shard by shard, so that memory does not grow with the number of rows, and a teacher of many
    classes is queried with few rows at a time, whose answers take at most 16 MiB. If the process is
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
        top_k: store only this many of the most probable classes for each answer, and the total probability of the others. The
            answers are then `TopAnswers`, which the losses read without numbers for all classes. A teacher that returns
            `TopAnswers` itself is recorded as it answers, or with fewer classes.
        shard_rows: rows per shard; by default 65 536, or fewer if their answers would take more than 256 MiB.
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
    teacher = as_teacher(teacher)
    rows = as_rows(data, by_position=by_position(teacher.form))
    if folder is None:
        if dtype is not None:
            raise BadInput("dtype= applies to answers on disk only; pass into=, the folder to record into, or leave it out.")
        return _in_memory(teacher, rows, None if top_k is None else whole("top_k", top_k, 1))
    shard_rows = None if shard_rows is None else whole("shard_rows", shard_rows, 1)
    dtype = None if dtype is None else choice("dtype", dtype, DTYPES)
    top_k = None if top_k is None else whole("top_k", top_k, 1)
    function("advance", advance, "without arguments")
    check_folder(folder)
    fingerprint = identified(teacher)
    with _locked(folder):
        recording = _Recording(teacher, fingerprint, rows, folder, shard_rows or rows_of_a_shard(rows, teacher), dtype, top_k, advance)
        try:
            return recording.opened() if (folder / MANIFEST).exists() else recording.finish()
        except BaseException:
            with suppress(OSError):  # fails if there are shards, which the next run resumes from; an empty folder is removed
                folder.rmdir()
            raise


def _in_memory(teacher: Teacher, rows: Rows, top_k: int | None) -> SoftLabels:
    """All answers, in the same parts as for a folder: the position of a row in a batch can change the last bit of its answer."""
    encoding = None if top_k is None else Encoding("float32", top_k).fitted_to(teacher.form)
    parts = []
    for start, stop, part in query_parts(rows, teacher.form):
        answers = checked_answers(teacher.form, teacher.answer(part), part, stop - start)
        parts.append((answers if encoding is None else encoding.stored(answers, teacher.form)[0], row_names(part)))
    answers, names = joined(answers for answers, _ in parts), np.concatenate([names for _, names in parts])
    return SoftLabels(answers, teacher.form, names, teacher.fingerprint, rows.schema)


def rows_of_a_shard(rows: Rows, teacher: Teacher) -> int:
    """Rows whose answers take at most `SHARD_BYTES`; with positions, judged by the first rows."""
    if answer_bytes(None, teacher.form.of_each_position) * SHARD_ROWS > SHARD_BYTES or teacher.form.positions is not None:
        of_a_row = answer_bytes(rows.part(0, min(rows.count, FIRST_ROWS)), teacher.form)
        return max(1, min(SHARD_ROWS, SHARD_BYTES // of_a_row))
    return SHARD_ROWS


SHARD_BYTES = 2**28
"""Bytes that the answers of a shard may take in single precision, if all classes were stored."""
FIRST_ROWS = 64
"""Rows by which the number of positions of a row is judged."""


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
        recorded = finished.provenance.facts
        requested = self._provenance(self._encoding_like(finished.provenance.encoding)).facts
        differs = next((key for key in requested if recorded[key] != requested[key]), None)
        if differs is not None:
            raise LabelMismatch(
                f"{self.folder} holds another recording ({differs} is {short(recorded[differs])} there, {short(requested[differs])} here). "
                f"{_ELSEWHERE}"
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
                encoded: list[Future[tuple[Answers, EncodingCost]]] = []
                for first, last, part in query_parts(inputs, self.teacher.form, stop - start):
                    answers = checked_answers(self.teacher.form, self.teacher.answer(part), part, last - first)
                    if provenance is None or index == first == 0:
                        self._check_unchanged()
                    provenance = provenance or self._provenance(self._encoding_of(answers))
                    tally.flush()
                    if encoded:
                        encoded[-1].result()  # so that the answers of two parts are in memory at most
                    encoded.append(writer.submit(provenance.encoding.stored, answers, self.teacher.form))
                tally.waiting = writer.submit(self._write, index, inputs, encoded, cast(Provenance, provenance))
            tally.flush()
        finished = LabelFolder(self.folder, cast(Provenance, provenance), tally.names.value, tuple(tally.sha256), tally.cost)
        write_manifest(finished)
        gone = [path for index in range(len(finished.sha256)) if not (path := shard_path(self.folder, index)).is_file()]
        if gone:
            (self.folder / MANIFEST).unlink(missing_ok=True)
            raise CannotWrite(f"{gone[0]} was removed while the answers were recorded into {self.folder}. Record again.")
        return finished

    def _provenance_so_far(self) -> Provenance | None:
        """The provenance, if an earlier run has recorded a shard; otherwise the teacher's first answer settles it."""
        first = next(iter(sorted(self.folder.glob("part-*.parquet"))), None)
        if first is None:
            Encoding(self.dtype or "float32", self.top_k).fitted_to(self.teacher.form)
            return None
        encoding, table = columns_so_far(first)
        self._take_recorded_columns(table)
        return self._provenance(self._encoding_like(encoding))

    def _encoding_of(self, answers: Answers) -> Encoding:
        """The encoding: as requested, otherwise that of the teacher's answers."""
        values = answers.values if isinstance(answers, PositionAnswers) else answers
        numbers = values.log_probs if isinstance(values, TopAnswers) else values
        own = values.top_k if isinstance(values, TopAnswers) else None
        return Encoding(self.dtype or ("float64" if numbers.dtype == np.float64 else "float32"), self.top_k or own)

    def _encoding_like(self, recorded: Encoding) -> Encoding:
        """The encoding, if answers were recorded before: as requested, otherwise as recorded."""
        if self.top_k is None and recorded.top_k is not None:  # if it was not requested then either, the teacher itself answers so
            rows = self.rows.part(0, 1)
            answers = checked_answers(self.teacher.form, self.teacher.answer(rows), rows, 1)
            return Encoding(self.dtype or recorded.dtype, self._encoding_of(answers).top_k)
        return Encoding(self.dtype or recorded.dtype, self.top_k)

    def _provenance(self, encoding: Encoding) -> Provenance:
        form = self.teacher.form
        return Provenance(self.fingerprint, form, encoding.fitted_to(form), self.rows.count, self.shard_rows, self.rows.schema)

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
        now = encoding.decoded(encoding.stored(checked_answers(form, self.teacher.answer(inputs), inputs, count), form)[0], form)
        recorded = encoding.decoded(shard.stored[:count], form)
        different = np.flatnonzero(differ(recorded, now, form, half=encoding.dtype == "float16"))
        if len(different):
            row = int(different[0])
            raise LabelMismatch(
                f"the teacher now gives other answers than those in {self.folder}: for row {provenance.span(index)[0] + row}, "
                f"{_few(now, row)}, and {_few(recorded, row)} was recorded. It was changed since, or its answers are random. {_ELSEWHERE}"
            )

    def _write(
        self, index: int, inputs: Any, encoded: list[Future[tuple[Answers, EncodingCost]]], provenance: Provenance
    ) -> tuple[Shard, str]:
        """Write one shard of encoded parts; runs while the teacher answers the next."""
        parts = [part.result() for part in encoded]
        cost = sum((cost for _, cost in parts), EncodingCost())
        stored = parts[0][0] if len(parts) == 1 else joined(stored for stored, _ in parts)
        shard = Shard(stored, row_names(inputs), cost)
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


def _few(answers: Answers, row: int) -> str:
    if isinstance(answers, PositionAnswers):
        return f"{answers.counts[row]} answers from {_few(answers.values, int(answers.offsets[row]))} on" if answers.counts[row] else "none"
    if isinstance(answers, TopAnswers):
        return ", ".join(f"class {place}: {log:.4g}" for place, log in zip(answers.ids[row, :4], answers.log_probs[row, :4], strict=True))
    return ", ".join(f"{number:.4g}" for number in answers[row, :4]) + (", ..." if answers.shape[1] > 4 else "")


_ELSEWHERE = "Record into another folder, or delete this one."


def _only_ours(folder: Path) -> bool:
    return all(
        path.name == MANIFEST or (path.name.startswith("part-") and path.suffix == ".parquet") or is_draft(path) or is_index(path)
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
