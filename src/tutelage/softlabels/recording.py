"""`record`: query a teacher once and store its answers, in memory or in a folder. An interrupted recording resumes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, overload

import numpy as np

from tutelage.core.arguments import function, place, whole
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, CannotWrite, LabelMismatch
from tutelage.core.file_systems.drafts import is_draft, remove_draft
from tutelage.core.file_systems.locks import locked
from tutelage.core.file_systems.paths import AnyPath, RemotePath
from tutelage.core.position_answers import Answers, joined
from tutelage.core.running.stages import Advance
from tutelage.core.stored.checksums import sha256_of
from tutelage.data.row_names import Names, row_names
from tutelage.data.rows import Rows, as_rows
from tutelage.softlabels.encoding import Encoding, EncodingCost
from tutelage.softlabels.folder import LabelFolder, check_folder
from tutelage.softlabels.labelling.request import ELSEWHERE, ROWS_QUERIED_AGAIN, Request, rows_for, teacher_of
from tutelage.softlabels.labelling.tally import Tally
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.options import Dtype
from tutelage.softlabels.querying import answers_of_part, query_parts
from tutelage.softlabels.shards import MANIFEST, PLAN, Provenance, Shard, read_shard, shard_and_sha256, shard_of, shard_path, write_shard
from tutelage.teachers.endpoints.chat_teacher import check_stored_apart, language_models, served_by


@overload
def record(teacher: Any, data: Any, into: None = None, *, top_k: int | None = None) -> SoftLabels: ...
@overload
def record(
    teacher: Any,
    data: Any,
    into: Path | RemotePath | str,
    *,
    dtype: Dtype | None = None,
    top_k: int | None = None,
    shard_rows: int | None = None,
    on: Any = None,
    advance: Advance = ...,
) -> LabelFolder: ...


def record(
    teacher: Any,
    data: Any,
    into: Path | RemotePath | str | None = None,
    *,
    dtype: Dtype | None = None,
    top_k: int | None = None,
    shard_rows: int | None = None,
    on: Any = None,
    advance: Advance = lambda: None,
) -> SoftLabels | LabelFolder:
    """Query a teacher with all rows, check its answers, and store them as soft labels.

    Answers for a folder are written shard by shard, so that memory does not grow with the number of rows, and a teacher of many
    classes is queried with few rows at a time, whose answers take at most 16 MiB. If the process is
    killed, the same call resumes after the last complete shard, and produces the same bytes. A folder that already holds exactly
    this recording is opened. In both cases the teacher is queried again for a few recorded rows only, to prove that its answers are
    still those that were recorded.

    Args:
        teacher: a Teacher, a model that `as_teacher` accepts without further arguments, or the name "module:object" of one.
        data: the rows, in the form that the teacher expects: an array, a frame, a sparse matrix, texts, or the path or URI of a
            .parquet, .csv, .jsonl or .npy file, or of a folder of tables.
        into: the folder to record into: a path, or a URI such as s3://bucket/labels; None keeps the answers in memory.
        dtype: of the numbers on disk, "float16", "float32" or "float64"; by default that of the teacher's answers. Half
            precision stores log-probabilities, and its loss is measured (`LabelFolder.cost`).
        top_k: store only this many of the most probable classes for each answer, and the total probability of the others. The
            answers are then `TopAnswers`, which the losses read without numbers for all classes. A teacher that returns
            `TopAnswers` itself is recorded as it answers, or with fewer classes.
        shard_rows: rows per shard; by default 65 536, or fewer if their answers would take more than 256 MiB.
        on: with `into`: where the teacher is queried, by several processes: `Local(workers)`, `Ray(workers=...)`, or an object with
            `submit`, such as a concurrent.futures executor or a Dask Client. The folder holds the same bytes as if this process had
            recorded. The processes read rows from files themselves; others are sent to them.
        advance: called after each shard, for a progress display.

    Returns:
        `SoftLabels` in memory, or the `LabelFolder`; both are Teachers for exactly these rows.

    Raises:
        NotProbabilities, ShapeError, BadInput: the answers do not have the form that the teacher declares, or an option is
            invalid; a teacher for a folder that nothing identifies (see `version` of `as_teacher`).
        LabelMismatch: the folder holds answers of another teacher, to other rows or in another encoding; or this teacher now gives
            other answers.
        CannotWrite: the folder cannot be written, holds other files, or another process is recording into it; a language model whose
            answers are stored in it or around it; with `on`, shards that failed three times.
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
    folder = None if into is None else place("into", into)
    teacher, name = teacher_of(teacher)
    rows = rows_for(teacher, data)
    if folder is None:
        if on is not None:
            raise BadInput("on= applies to a folder only; pass into=, the folder to record into, or leave it out.")
        if dtype is not None:
            raise BadInput("dtype= applies to answers on disk only; pass into=, the folder to record into, or leave it out.")
        return _in_memory(teacher, rows, None if top_k is None else whole("top_k", top_k, 1))
    function("advance", advance, "without arguments")
    check_into(folder, teacher)
    request = Request.of(teacher, rows, dtype=dtype, top_k=top_k, shard_rows=shard_rows, name=name)
    if on is not None:
        return _on_others(request, folder, on, advance)
    if isinstance(folder, RemotePath):  # has no locks, and needs none: shards that several processes write are the same
        return _unlocked(request, folder, advance)
    _check_unplanned(folder)
    with _locked(folder):
        recording = _Recording(request, folder, advance)
        try:
            return recording.opened() if (folder / MANIFEST).is_file() else recording.finish()
        except BaseException:
            with suppress(OSError):  # fails if there are shards, which the next run resumes from; an empty folder is removed
                folder.rmdir()
            raise


def check_into(folder: AnyPath, teacher: Teacher) -> None:
    """Check, before a teacher is asked, that its answers can be recorded into a folder.

    Raises:
        CannotWrite: the folder cannot be written, holds other files, or is where a language model's answers are stored. BadInput: a
            language model, and a folder of another file system.
    """
    check_folder(folder)
    check_stored_apart(teacher, folder)
    for model in language_models(teacher) if isinstance(folder, RemotePath) else ():
        raise BadInput(
            f"the answers of {model.model} cannot be recorded into {folder}; record into a folder of this machine, and copy that."
        )


def check_fits(folder: Path, request: Request) -> None:
    """Check, before a language model is asked everything, that a folder holds nothing but this recording or the first part of it.

    Raises:
        LabelMismatch: it holds another. BadInput: an encoding that does not fit the answers. CannotWrite: it holds a plan.
            DamagedFile, StaleCache: what it holds cannot be read.
    """
    _check_unplanned(folder)
    if (folder / MANIFEST).is_file():
        request.opened(folder)
        return
    request, provenance = request.continued(folder)
    first = next((index for index in range(request.shards) if shard_path(folder, index).is_file()), None)
    if provenance is not None and first is not None:
        start, stop = provenance.span(first)
        if not np.array_equal(row_names(request.rows.part(start, stop)), read_shard(folder, first, provenance).names):
            raise LabelMismatch(f"{shard_path(folder, first)} was recorded on other rows. {ELSEWHERE}")


def _check_unplanned(folder: Path) -> None:
    if (folder / PLAN).is_dir() and not (folder / MANIFEST).is_file():
        raise CannotWrite(
            f"{folder} holds a plan, by which others may be labelling. Finish it, tl.plan(...).finish(), or delete {folder / PLAN}."
        )


def _on_others(request: Request, folder: AnyPath, on: Any, advance: Advance) -> LabelFolder:
    from tutelage.core.engines.engines import check_on
    from tutelage.softlabels.labelling.labelling import label_missing
    from tutelage.softlabels.labelling.plan import planned

    check_on(on)
    was_planned = (folder / PLAN).exists()
    plan = planned(folder, request)
    try:
        label_missing(plan, on, advance=advance)
    except BadInput:
        if not was_planned:  # nobody can go on by it as it is: record() without on= is what remains
            plan.drop()
        raise
    plan.check_recorded()  # others may have made another teacher of a name and a version, which the fingerprint does not show
    return plan.finish()


def _unlocked(request: Request, folder: RemotePath, advance: Advance) -> LabelFolder:
    """Record shard by shard by a plan of this process."""
    from tutelage.softlabels.labelling.plan import planned

    plan = planned(folder, request)
    missing = set(plan.missing())
    for index in range(len(plan)):
        if index in missing:
            plan.label(index)
        advance()
    return plan.finish()


def _in_memory(teacher: Teacher, rows: Rows, top_k: int | None) -> SoftLabels:
    """All answers, in the same parts as for a folder: the position of a row in a batch can change the last bit of its answer."""
    encoding = None if top_k is None else Encoding("float32", top_k).fitted_to(teacher.form)
    parts = []
    for start, stop, part in query_parts(rows, teacher.form):
        answers = answers_of_part(teacher, part, start, stop)
        parts.append((answers if encoding is None else encoding.stored(answers, teacher.form)[0], row_names(part)))
    answers, names = joined(answers for answers, _ in parts), np.concatenate([names for _, names in parts])
    return SoftLabels(answers, teacher.form, names, teacher.fingerprint, rows.schema)


@dataclass
class _Recording:
    """One call of `record` into a folder."""

    request: Request
    folder: Path
    advance: Advance

    def opened(self) -> LabelFolder:
        """The finished recording in the folder, if it is the requested one."""
        finished = self.request.opened(self.folder)
        for _ in range(finished.provenance.shards):
            self.advance()
        return finished

    def finish(self) -> LabelFolder:
        """Record the missing shards, then write the manifest."""
        for draft in filter(is_draft, list(self.folder.iterdir())):  # left by a killed run; the lock keeps other writers out
            remove_draft(draft)
        request, provenance = self.request.continued(self.folder)
        teacher = request.teacher
        tally = Tally(self.advance)
        complete = [index for index in range(request.shards) if shard_path(self.folder, index).exists()]
        with ThreadPoolExecutor(1) as writer:
            for index, (start, stop, inputs) in enumerate(request.rows.parts(request.shard_rows)):
                if provenance is not None and index in complete:
                    tally.flush()
                    shard, sha256 = self._reused(index, row_names(inputs), provenance)
                    if index in (complete[0], complete[-1]):
                        some = as_rows(inputs).part(0, min(stop - start, ROWS_QUERIED_AGAIN))
                        request.check_again(self.folder, index, some, shard, provenance)
                    tally.add(shard.names, shard.cost, sha256)
                    continue
                encoded: list[Future[tuple[Answers, EncodingCost]]] = []
                for first, last, part in query_parts(inputs, teacher.form, stop - start):
                    answers = answers_of_part(teacher, part, start + first, start + last)
                    if provenance is None or index == first == 0:
                        request.check_unchanged()
                    provenance = provenance or request.provenance(request.encoding_of(answers), served_by(teacher))
                    request.check_served(provenance)
                    tally.flush()
                    if encoded:
                        encoded[-1].result()  # so that the answers of two parts are in memory at most
                    encoded.append(writer.submit(provenance.encoding.stored, answers, teacher.form))
                tally.waiting = writer.submit(self._write, index, inputs, encoded, cast(Provenance, provenance))
            tally.flush()
        return tally.finished(self.folder, cast(Provenance, provenance))

    def _write(
        self, index: int, inputs: Any, encoded: list[Future[tuple[Answers, EncodingCost]]], provenance: Provenance
    ) -> tuple[Shard, str]:
        """Write one shard of encoded parts; runs while the teacher answers the next."""
        shard = shard_of([part.result() for part in encoded], inputs)
        write_shard(self.folder, index, shard, provenance)
        return shard, sha256_of(shard_path(self.folder, index))

    def _reused(self, index: int, names: Names, provenance: Provenance) -> tuple[Shard, str]:
        """A shard of an earlier run, after checking that it holds these rows."""
        shard, sha256 = shard_and_sha256(self.folder, index, provenance)
        if not np.array_equal(names, shard.names):
            raise LabelMismatch(f"{shard_path(self.folder, index)} was recorded on other rows. {ELSEWHERE}")
        return shard, sha256


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
