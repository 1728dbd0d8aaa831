"""What a server counts, for Prometheus: requests, answers, rows left to the teacher, confidence, batches, waiting rows and drift."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from tutelage.core.arrays import Floats
from tutelage.serving.drift import BLOCK, Drift
from tutelage.serving.model import Answered
from tutelage.serving.row_format import ServedRows

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_CONFIDENCE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
GONE = 499
"""The status under which requests are counted whose client left before the answer."""


class Metrics:
    """The figures of one server, in a registry of its own.

    Args:
        about: what the model is, as labels.
        drift: of its rows; None where nothing was recorded.
        classifies: whether its answers have a confidence.

    Attributes:
        registry: of the figures.
        requests: number of requests so far.
        cut_off: number of those that had no answer when the server had to stop.
    """

    def __init__(self, about: Mapping[str, str], drift: Drift | None, *, classifies: bool) -> None:
        self.registry = CollectorRegistry()
        self.requests = self.cut_off = 0
        self._drift = drift
        self._requests = Counter("tutelage_requests", "Requests by the status of their response.", ["status"], registry=self.registry)
        self._seconds = Histogram(
            "tutelage_request_seconds", "Seconds from the headers of a request to its response.", registry=self.registry, buckets=_SECONDS
        )
        self._answers = Counter("tutelage_answers", "Rows answered, by who answered.", ["answered_by"], registry=self.registry)
        self._deferred = Counter("tutelage_deferred", "Rows that the student left to its teacher.", registry=self.registry)
        self._unanswered = Counter("tutelage_unanswered", "Rows that the teacher did not answer.", registry=self.registry)
        self._batches = Histogram(
            "tutelage_batch_rows", "Rows that were answered together.", ["model"], registry=self.registry, buckets=_ROWS
        )
        self._inference = Histogram(
            "tutelage_inference_seconds", "Seconds for the answers to a batch.", ["model"], registry=self.registry, buckets=_SECONDS
        )
        self._waiting = Gauge("tutelage_waiting_rows", "Rows that wait for their answers.", ["model"], registry=self.registry)
        Info("tutelage_model", "The model that is served.", registry=self.registry).info(dict(about))
        self._confidence = _Confidence()
        self._classifies = classifies
        if classifies:
            self.registry.register(self._confidence)
        if drift is not None:
            self.registry.register(_DriftFigures(drift))
        self._by_status = {200: self._requests.labels("200")}
        self._by_student, self._by_teacher = self._answers.labels("student"), self._answers.labels("teacher")

    def request(self, status: int, seconds: float) -> None:
        """Count a request."""
        self.requests += 1
        if status not in self._by_status:
            self._by_status[status] = self._requests.labels(str(status))
        self._by_status[status].inc()
        self._seconds.observe(seconds)

    def answers(self, answered: Answered, *, unanswered: int = 0) -> None:
        """Count the answers of a response, of which some rows have none, since their teacher did not answer."""
        taught = int(answered.by_teacher.sum())
        self._by_student.inc(len(answered) - taught - unanswered)
        if taught:
            self._by_teacher.inc(taught)
        if unanswered:
            self._unanswered.inc(unanswered)

    def watch(self, model: str, waiting: Callable[[], int]) -> Callable[[ServedRows, Answered, float], None]:
        """Figures of what answers in a thread: returns what is called after each batch.

        Args:
            model: "student" or "teacher".
            waiting: the number of rows that wait for it.
        """
        self._waiting.labels(model).set_function(waiting)
        batches, inference = self._batches.labels(model), self._inference.labels(model)

        def observe(rows: ServedRows, answered: Answered, seconds: float) -> None:
            batches.observe(len(rows))
            inference.observe(seconds)
            if model == "student":
                self._see(rows, answered)

        return observe

    def _see(self, rows: ServedRows, answered: Answered) -> None:
        deferred = int(answered.deferred.sum())
        if deferred:
            self._deferred.inc(deferred)
        finite = answered.finite()
        if not finite.all():
            rows, answered = rows[finite], Answered.of(answered.values[finite], answered.confidence[finite])
        if self._classifies:
            self._confidence.see(answered.confidence)
        if self._drift is not None:
            self._drift.see(rows, answered)

    def text(self) -> bytes:
        """All figures in the text format of Prometheus."""
        return generate_latest(self.registry)


class _Confidence(Collector):
    """A histogram that takes many observations at once."""

    def __init__(self) -> None:
        self._counts = np.zeros(len(_CONFIDENCE) + 1, dtype=np.int64)
        self._sum = 0.0
        self._uncounted: list[Floats] = []
        self._lock = threading.Lock()

    def see(self, confidence: Floats) -> None:
        with self._lock:
            self._uncounted.append(confidence)
            if len(self._uncounted) >= BLOCK:
                self._count()

    def _count(self) -> None:
        if self._uncounted:
            confidence = np.concatenate(self._uncounted).astype(np.float64)
            self._uncounted = []
            self._counts += np.bincount(np.searchsorted(_CONFIDENCE, confidence), minlength=len(self._counts))
            self._sum += float(confidence.sum())

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            self._count()
            counts, total = np.cumsum(self._counts).tolist(), self._sum
        buckets = list(zip([*map(str, _CONFIDENCE), "+Inf"], counts, strict=True))
        yield HistogramMetricFamily("tutelage_confidence", "Confidence of the student's answers.", buckets=buckets, sum_value=total)


class _DriftFigures(Collector):
    def __init__(self, drift: Drift) -> None:
        self._drift = drift

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        count, columns, answers = self._drift.shifts()
        yield GaugeMetricFamily("tutelage_drift_rows", "The latest rows, whose drift is measured.", value=count)
        of_columns = GaugeMetricFamily(
            "tutelage_drift_column",
            "Population stability index of a column of the latest rows against the recorded ones.",
            labels=["column"],
        )
        of_answers = GaugeMetricFamily(
            "tutelage_drift_answer",
            "Population stability index of a figure of the latest answers against the recorded ones.",
            labels=["figure"],
        )
        for family, shifts in ((of_columns, columns), (of_answers, answers)):
            for name, shift in shifts.items():
                family.add_metric([name], shift)
            yield family
