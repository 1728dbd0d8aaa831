"""A recording that many processes make: shards that each can be labelled on its own, in any order, and a proof of all of them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.core.arguments import place, whole
from tutelage.core.errors import BadInput, CannotWrite, DamagedFile, LabelMismatch, TutelageError
from tutelage.core.file_systems.drafts import is_draft, remove_draft, remove_folder
from tutelage.core.file_systems.paths import AnyPath, RemotePath
from tutelage.core.file_systems.whole_files import write_unless_there
from tutelage.core.records import dumps
from tutelage.core.running.stages import Advance
from tutelage.core.stored.checksums import read_json, with_checksum
from tutelage.data.row_names import data_name, row_names
from tutelage.data.rows import as_rows
from tutelage.data.tables.origin import Pin
from tutelage.softlabels.encoding import encoding_from
from tutelage.softlabels.folder import LabelFolder, check_folder, open_labels
from tutelage.softlabels.labelling.proof import check_rows, proofs
from tutelage.softlabels.labelling.request import ELSEWHERE, ROWS_QUERIED_AGAIN, Request, rows_for, teacher_of
from tutelage.softlabels.labelling.tally import Tally
from tutelage.softlabels.labels import in_recorded_columns
from tutelage.softlabels.options import Dtype
from tutelage.softlabels.querying import answers_of_part, query_parts
from tutelage.softlabels.shards import (
    MANIFEST,
    PLAN,
    Provenance,
    Shard,
    offer_shard,
    read_shard,
    shard_and_sha256,
    shard_of,
    shard_path,
    short,
)
from tutelage.teachers.endpoints.chat_teacher import check_stored_apart, language_models

PLAN_SCHEMA = 1
_REMEDY = "Delete the folder plan in it and plan again: shards that are complete are reused."


@dataclass(frozen=True, eq=False)
class Plan:
    """The shards of a recording, which any number of processes label.

    Attributes:
        folder: where the answers are recorded.
        request: teacher, rows and encoding.
        provenance: the facts of the recording.
        pins: the files of the rows as they were when the plan was made; none if the rows are in memory.
        data: hash of rows in memory (see `data_name`); None if they are in files.

    Example: see `plan`.
    """

    folder: AnyPath
    request: Request
    provenance: Provenance
    pins: tuple[Pin, ...]
    data: str | None
    _proven: list[str] = field(default_factory=list, init=False, repr=False)
    """The hash of rows in files, once `finish` has proven or read them."""

    def __len__(self) -> int:
        return self.provenance.shards

    @cached_property
    def name(self) -> str:
        """SHA-256 of what the plan says."""
        return str(self.to_json()["checksum"])

    def to_json(self) -> dict[str, Any]:
        """What plan.json holds."""
        pins, origin = [asdict(pin) for pin in self.pins], self.request.rows.origin
        choice = None if origin is None or not pins else origin.choice
        return with_checksum({**self.provenance.to_json(), "schema": PLAN_SCHEMA, "files": pins, "choice": choice, "data": self.data})

    def missing(self) -> list[int]:
        """The shards that are not labelled yet, by listing the folder alone."""
        there = {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()
        if MANIFEST in there:
            return []
        return [index for index in range(len(self)) if shard_path(self.folder, index).name not in there]

    def label(self, index: int, *, inputs: Any = None) -> None:
        """Label one shard; a shard that is labelled is left as it is.

        What is written depends on the teacher, the encoding and the rows of the shard alone. It appears whole or not at all. Of several
        processes that label it, the first to finish wins, and the others check that their answers are the same.

        Args:
            index: of the shard, from 0.
            inputs: its rows, where those of the plan are in the memory of another process; `finish` proves them. Rows of files are read
                here, and those that are given are compared with them.

        Raises:
            BadInput: no such shard, another number of rows, or rows that changed since the plan was made.
            LabelMismatch: other rows than those of the shard; or another process wrote other answers, or those to other rows.
            DamagedFile: what it wrote is damaged. CannotWrite: the folder cannot be written. Also whatever the teacher raises, and what
                its answers lack.
        """
        index = whole("index", index, 0)
        if index >= len(self):
            raise BadInput(f"index is {index}; expected 0 to {len(self) - 1}, as there are {len(self)} shards.")
        if (self.folder / MANIFEST).is_file():
            return
        self._check_files_of(index)
        try:
            if not shard_path(self.folder, index).is_file():
                shard = self._answered(index, self._rows(index, inputs))
                self._check_files_of(index)
                self._sign(index, offer_shard(self.folder, index, shard, self.provenance))
                return
            shard, sha256 = shard_and_sha256(self.folder, index, self.provenance)
            if not self._receipt(index, sha256).is_file():
                check_rows(self.folder, index, shard, self._rows(index, inputs))
                self._sign(index, sha256)
        except (TutelageError, OSError):
            if not (self.folder / MANIFEST).is_file():  # otherwise another process had labelled it, and finished
                raise

    def check_recorded(self) -> None:
        """Check that the first and the last shard that are there belong to this recording, and hold what the teacher still answers.

        Raises:
            LabelMismatch: they do not. DamagedFile: one cannot be read.
        """
        there = sorted(set(range(len(self))) - set(self.missing()))
        for index in sorted({*there[:1], *there[-1:]}):
            start, stop = self.provenance.span(index)
            shard = read_shard(self.folder, index, self.provenance)
            inputs = self.request.rows.part(start, min(stop, start + ROWS_QUERIED_AGAIN))
            if not np.array_equal(row_names(inputs), shard.names[: as_rows(inputs).count]):
                raise LabelMismatch(f"{shard_path(self.folder, index)} holds answers to other rows. Delete it, and plan again.")
            self.request.check_again(self.folder, index, inputs, shard, self.provenance)

    def drop(self) -> None:
        """Remove the plan; shards stay, and so does a folder that holds any. Another process that labels by it may go on."""
        self._remove()
        with suppress(OSError, CannotWrite):  # there are shards
            self.folder.rmdir()

    def finish(self, advance: Advance = lambda: None) -> LabelFolder:
        """Prove every shard, write the manifest, and remove the plan. The teacher is not asked.

        A shard that this plan labelled is proven by its checksums, any other by its rows as well. The same call again, or by several
        processes at once, has the same result. Where another process has finished, rows in files are read once, to compare them with
        those of the recording.

        Args:
            advance: called after each shard, for a progress display.

        Returns:
            The `LabelFolder`; the folder then holds what `record` writes, to the byte.

        Raises:
            BadInput: shards are missing, or rows changed since the plan was made.
            DamagedFile, LabelMismatch: a shard is damaged, or holds answers to other rows; or the finished recording is another one.
            CannotWrite: the folder cannot be written.
        """
        if (self.folder / MANIFEST).is_file():
            return self._finished()
        missing = self.missing()
        if missing:
            raise BadInput(
                f"{len(missing)} of the {len(self)} shards in {self.folder} are not labelled (first: {missing[0]}). Label them, and finish "
                "then."
            )
        self._check_files()
        tally = Tally(advance)
        for proof in proofs(self.folder, self.provenance, self._signed(), self._inputs):
            tally.add(*proof)
        if self.data is not None and tally.names.value != self.data:
            raise LabelMismatch(f"{self.folder} holds answers to other rows than the plan was made for. {ELSEWHERE}")
        self._check_files()
        self._proven[:] = [tally.names.value]
        try:
            finished = tally.finished(self.folder, self.provenance)
        except CannotWrite:
            if not (self.folder / MANIFEST).is_file():
                raise
            return self._finished()  # another process was first, and removed the draft of this one
        self._remove()
        return finished

    def _finished(self) -> LabelFolder:
        """The recording that is finished. The teacher is not asked, and rows are read only if they are in files, and by no call before.

        Raises:
            LabelMismatch: it is another one. BadInput: rows that have to be read changed since the plan was made.
        """
        finished = open_labels(self.folder)
        differs = finished.provenance.difference(self.provenance)
        if differs is None and (data := self._data()) != finished.data:
            differs = f"data is {finished.data[:8]}... there, {data[:8]}... here"
        if differs is not None:
            raise LabelMismatch(f"{self.folder} holds another recording ({differs}). {ELSEWHERE}")
        self._remove()
        return finished

    def _data(self) -> str:
        """The hash of all rows."""
        if self.data is not None:
            return self.data
        if not self._proven:
            self._check_files()
            self._proven[:] = [data_name(self.request.rows)]
        return self._proven[0]

    def _answered(self, index: int, inputs: Any) -> Shard:
        start, stop = self.provenance.span(index)
        teacher, form = self.request.teacher, self.provenance.form
        parts = []
        for first, last, part in query_parts(inputs, form, stop - start):
            answers = answers_of_part(teacher, part, start + first, start + last)
            parts.append(self.provenance.encoding.stored(answers, form))
        return shard_of(parts, inputs)

    def _inputs(self, index: int) -> Any:
        return self.request.rows.part(*self.provenance.span(index))

    def _rows(self, index: int, given: Any) -> Any:
        """The rows of a shard: those that were given, where the plan is of rows in memory, otherwise its own.

        Raises:
            BadInput: another number of rows. LabelMismatch: other rows.
        """
        if given is None:
            return self._inputs(index)
        start, stop = self.provenance.span(index)
        count = as_rows(given).count
        if count != stop - start:
            raise BadInput(f"inputs= holds {count:,} rows; shard {index} has {stop - start:,}, the rows {start} to {stop - 1}.")
        if self.request.rows.origin is None:
            return given
        own = self._inputs(index)
        if not np.array_equal(row_names(in_recorded_columns(given, self.provenance.table)), row_names(own)):
            raise LabelMismatch(
                f"inputs= holds other rows than shard {index}, the rows {start} to {stop - 1}. Leave it out: they are read."
            )
        return own

    def _check_files(self) -> None:
        for pin in self.pins:
            pin.check()

    def _check_files_of(self, index: int) -> None:
        """Check the sizes and times of the files that hold the rows of a shard."""
        origin = self.request.rows.origin
        for file in () if origin is None or not self.pins else origin.holding(*self.provenance.span(index)):
            self.pins[file].check(content=False)

    def _receipt(self, index: int, sha256: str) -> AnyPath:
        """An empty file whose name says that this plan labelled a shard, and what the shard holds."""
        return self.folder / PLAN / f"{shard_path(self.folder, index).stem}.{sha256}.{self.name[:16]}"

    def _sign(self, index: int, sha256: str) -> None:
        """Note that this plan labelled a shard, if it can be noted: the plan may be finished, or the disk full."""
        receipt = self._receipt(index, sha256)
        with suppress(OSError, CannotWrite):  # a shard without a receipt is proven by its rows
            if isinstance(receipt, RemotePath):
                receipt.write(b"")
                if (self.folder / MANIFEST).is_file():  # another process finished meanwhile, and removed the others
                    self._remove()
            else:
                receipt.touch()  # fails without the folder: then the plan is finished

    def _signed(self) -> dict[int, set[str]]:
        """The SHA-256 of the shards that this plan labelled, by listing the receipts."""
        signed: dict[int, set[str]] = {}
        plan = self.folder / PLAN
        for name in [path.name for path in plan.iterdir()] if plan.is_dir() else []:
            if found := re.fullmatch(rf"part-([0-9]+)[.]([0-9a-f]{{64}})[.]{self.name[:16]}", name):
                signed.setdefault(int(found[1]), set()).add(found[2])
        return signed

    def _remove(self) -> None:
        """Remove the plan, and drafts that killed processes left."""
        plan = self.folder / PLAN
        if isinstance(plan, RemotePath):
            remove_folder(plan)
        else:  # at once
            with suppress(FileNotFoundError):
                plan.replace(plan.with_name(f".{PLAN}.draft-{secrets.token_hex(8)}"))
        for draft in [path for path in self.folder.iterdir() if is_draft(path)]:
            remove_draft(draft)


def plan(
    teacher: Any,
    data: Any,
    into: Path | RemotePath | str,
    *,
    dtype: Dtype | None = None,
    top_k: int | None = None,
    shard_rows: int | None = None,
) -> Plan:
    """Plan a recording that many processes make, on one machine or many that share the folder.

    The same call in each process gives the same plan: the first writes it into the folder, the others check that theirs is the same. Then
    `plan.label(i)` labels shard i, in any process and order, and `plan.finish()` proves all of them and makes of the folder what
    `record` would have written, to the byte. A shard that is labelled twice is checked, one that is not whole is not there. Nothing
    is locked, and no process has to know of another.

    Args:
        teacher: as for `record`, or the name "module:object" of one. It is asked a few rows, which settle the encoding.
        data: as for `record`.
        into: the folder to record into, which all processes reach: a path, or a URI such as s3://bucket/labels.
        dtype: as for `record`.
        top_k: as for `record`.
        shard_rows: as for `record`.

    Returns:
        A `Plan`, whose length is the number of shards.

    Raises:
        BadInput, LabelMismatch: as `record`; a language model behind an endpoint; the folder holds another plan; or files of rows changed
            since it was made.
        CannotWrite: the folder cannot be written, holds other files, or is where a language model's answers are stored.
        DamagedFile: the folder holds damaged files.

    Example:
        >>> import tempfile
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.naive_bayes import GaussianNB
        >>> X, y = load_iris(return_X_y=True)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     plan = tl.plan(GaussianNB().fit(X, y), X, f"{folder}/labels", shard_rows=60)
        ...     for shard in plan.missing():
        ...         plan.label(shard)
        ...     labels = plan.finish()
        ...     print(len(plan), len(labels))
        3 150
    """
    folder = place("into", into)
    teacher, name = teacher_of(teacher)
    rows = rows_for(teacher, data)
    check_folder(folder)
    check_stored_apart(teacher, folder)
    return planned(folder, Request.of(teacher, rows, dtype=dtype, top_k=top_k, shard_rows=shard_rows, name=name))


def planned(folder: AnyPath, request: Request) -> Plan:
    """The plan of a request: made, or the one that is in the folder.

    Raises:
        as `plan`.
    """
    for model in language_models(request.teacher):
        raise BadInput(
            f"{model.model} is asked many texts at a time already, within a budget that holds for one process; record its "
            "answers in one: tl.record(teacher, data, into=...), without on=."
        )
    if (folder / MANIFEST).is_file():
        finished = request.opened(folder)
        return Plan(folder, request.in_columns(finished.schema), finished.provenance, (), finished.data)
    if (folder / PLAN / "plan.json").is_file():
        return _joined(folder, request)
    request, recorded = request.continued(folder)
    made = _planned(folder, request, recorded)
    made.check_recorded()

    def write(draft: Path) -> None:
        draft.write_text(dumps(made.to_json()), encoding="utf-8")

    if write_unless_there(folder / PLAN / "plan.json", write):
        return made
    return _joined(folder, request)  # another process was first


def _planned(folder: AnyPath, request: Request, provenance: Provenance | None) -> Plan:
    origin = request.rows.origin
    pins = () if origin is None else tuple(map(Pin.of, origin.paths))  # before a teacher is asked, which may take long
    data = data_name(request.rows) if origin is None else None
    return Plan(folder, request, provenance or request.first_provenance(), pins, data)


def _joined(folder: AnyPath, request: Request) -> Plan:
    """The plan that is in the folder, if it is of the requested recording.

    Raises:
        LabelMismatch: it is of another one. BadInput: its rows changed.
    """
    path = folder / PLAN / "plan.json"
    stored = read_json(path, schema=PLAN_SCHEMA, remedy=_REMEDY)
    try:
        encoding, pins = encoding_from(stored), tuple(Pin(**pin) for pin in stored["files"])
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFile(f"{path} is incomplete or invalid. {_REMEDY}") from error
    if [pin.path for pin in pins] == list(() if request.rows.origin is None else request.rows.origin.paths):
        for pin in pins:
            pin.check()
    made = _planned(folder, request, request.provenance(request.encoding_like(encoding), stored.get("served")))
    differs = _difference(stored, made.to_json())
    if differs:
        raise LabelMismatch(f"{folder} holds the plan of another recording ({differs}). {ELSEWHERE}")
    made.check_recorded()
    return made


def _difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    for key in (*(key for key in here if key not in ("checksum", "classes")), "classes"):
        if there.get(key) != here[key]:
            return f"{key} is {short(there.get(key))} there, {short(here[key])} here"
    return ""
