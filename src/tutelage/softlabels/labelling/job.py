"""What travels to the processes that label: where the plan lies, and from what they make the same teacher and read the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from tutelage.core.errors import BadInput, LabelMismatch, TutelageError
from tutelage.core.file_systems.copies import copied_here, local_copies
from tutelage.core.file_systems.paths import AnyPath
from tutelage.data.rows import Rows
from tutelage.data.table_file import rows_from
from tutelage.data.tables.origin import Origin, Pin
from tutelage.softlabels.labelling.plan import Plan
from tutelage.softlabels.labelling.request import Request
from tutelage.softlabels.shards import MANIFEST, PLAN, Provenance
from tutelage.teachers.files.stored import named_teacher, store_teacher, stored_teacher


@dataclass(frozen=True)
class Job:
    """A plan for other processes.

    Attributes:
        folder: of the recording, by its absolute path.
        teacher: from what the teacher is made, as `store_teacher` returns it.
        provenance: of the recording.
        origin: of the rows; None if they are sent with each shard.
        pins: of the plan.
        data: of the plan.
    """

    folder: AnyPath
    teacher: Mapping[str, Any]
    provenance: Provenance
    origin: Origin | None
    pins: tuple[Pin, ...]
    data: str | None

    @classmethod
    def of(cls, plan: Plan) -> Job:
        """The job of a plan; the teacher is written into the folder of the plan.

        Args:
            plan: that other processes label.

        Raises:
            BadInput: a teacher that cannot be sent to them. CannotWrite: the folder cannot be written.
        """
        name = plan.request.name
        if name is not None:
            about = named_teacher(name)
        else:
            with local_copies(plan.folder / PLAN) as folder:
                about = store_teacher(plan.request.teacher, folder)
        return cls(plan.folder.absolute(), about, plan.provenance, plan.request.rows.origin, plan.pins, plan.data)

    def opened(self) -> Plan:
        """The plan, with a teacher and rows that this process makes and reads.

        Raises:
            LabelMismatch: the teacher is another one. BadInput: the rows are, or this process does not see the folder.
        """
        plan = self.folder / PLAN
        if not (plan / "plan.json").is_file():
            raise BadInput(f"{self.folder} holds no plan in this process; record into a folder that all processes reach.")
        teacher = stored_teacher(self.teacher, copied_here(plan, "teacher.*"))  # a receipt for each shard lies there too
        made, planned = teacher.fingerprint, self.provenance.teacher
        if made != planned or teacher.form != self.provenance.form:
            raise LabelMismatch(
                f"another process makes another teacher of the one of the plan (fingerprint {made[:40]} there, {planned[:40]} here). "
                'Pass the name of a function or object that a module defines, "module:name".'
            )
        rows = Rows(self.provenance.rows, _not_here, "rows of another process") if self.origin is None else rows_from(self.origin)
        if rows.count != self.provenance.rows:
            raise BadInput(f"the files of the rows hold {rows.count:,} here, and {self.provenance.rows:,} where the plan was made.")
        request = Request(teacher, planned, rows, self.provenance.shard_rows, None, None)
        request = request if self.origin is None else request.in_columns(self.provenance.table)
        return Plan(self.folder, request, self.provenance, self.pins, self.data)


def _not_here(start: int, stop: int) -> Any:
    raise BadInput(f"the rows {start} to {stop - 1} are in the memory of the process that made the plan; label them there.")


def label_shard(job: Job, index: int, attempt: int, inputs: Any = None) -> int:
    """Label one shard in this process, which makes the teacher once; nothing happens if the recording is finished.

    Args:
        job: the plan.
        index: of the shard.
        attempt: its number, which makes the call another one than that before.
        inputs: the rows of the shard; None if this process reads them.

    Returns:
        The shard.

    Raises:
        as `Plan.label`; LabelMismatch: this process makes another teacher of what it was sent.
    """
    try:
        plan = _opened(job)
    except (TutelageError, OSError):
        if not (job.folder / MANIFEST).is_file():  # otherwise another process finished, and removed the plan
            raise
        return index
    plan.label(index, inputs=inputs)
    return index


_OPENING = Lock()
_last: list[tuple[Job, Plan]] = []
"""The plan that this process labels."""


def _opened(job: Job) -> Plan:
    with _OPENING:  # threads may label, of several jobs
        if not _last or _last[0][0] != job:
            _last[:] = [(job, job.opened())]
        return _last[0][1]
