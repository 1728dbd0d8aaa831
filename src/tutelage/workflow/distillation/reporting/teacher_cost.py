"""What an answer of the teacher costs, where it runs here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tutelage.core.contracts import Teacher
from tutelage.core.records import Cost, Latency
from tutelage.data.rows import Rows
from tutelage.evaluation.cost import latency_of_requests, measure_latency
from tutelage.evaluation.size import pickled_bytes
from tutelage.softlabels.folder import LabelFolder
from tutelage.softlabels.labels import SoftLabels
from tutelage.teachers.adapters.boosters import BoosterTeacher
from tutelage.teachers.adapters.estimator import EstimatorTeacher
from tutelage.teachers.adapters.function import FunctionTeacher
from tutelage.teachers.endpoints.chat_teacher import ChatTeacher, asks_an_endpoint
from tutelage.workflow.distillation.folder import RunFolder

SECONDS = 0.3
FILE = "work/teacher_cost.json"


def teacher_cost(teacher: Teacher, rows: Rows, folder: RunFolder) -> Cost:
    """The latency of single rows and the size of the pickled model, measured once for a folder.

    Nothing is measured of a function, which may ask a service that is paid by the call, nor of recorded answers. The latency of a language
    model is that of the requests by which it answered the rows.

    Args:
        teacher: any.
        rows: that it is asked.
        folder: where the figures are stored.
    """
    if not folder.has(FILE):
        found = asdict(_measured(teacher, rows))
        folder.write(FILE, {name: found[name] for name in ("size_bytes", "size_of", "alone")})
    stored: dict[str, Any] = folder.read(FILE)
    alone = stored["alone"]
    latency = None if alone is None else Latency(**{**alone, "ci95_us": None if alone["ci95_us"] is None else tuple(alone["ci95_us"])})
    return Cost(stored["size_bytes"], stored["size_of"], alone=latency)


def _measured(teacher: Teacher, rows: Rows) -> Cost:
    inner: Any = teacher
    while hasattr(inner, "teacher"):  # named by the command line, or given some of the columns
        inner = inner.teacher
    if isinstance(inner, ChatTeacher):
        return Cost(None, "pickle", alone=latency_of_requests(inner))
    if isinstance(inner, FunctionTeacher | LabelFolder | SoftLabels) or asks_an_endpoint(inner):
        return Cost(None, "pickle")
    size = None
    if isinstance(inner, EstimatorTeacher):
        size = pickled_bytes(inner.estimator)
    elif isinstance(inner, BoosterTeacher):
        size = len(inner.content())
    elif hasattr(inner, "network"):
        size = pickled_bytes(inner.network)
    return Cost(size, "pickle", alone=measure_latency(teacher.answer, rows, 1, SECONDS))
