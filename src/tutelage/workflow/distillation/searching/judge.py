"""By what a student is judged: figures on validation rows, and the size and latency of its exported file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tutelage.core.arrays import Floats
from tutelage.core.errors import TutelageError
from tutelage.core.records import Latency
from tutelage.exporters.bench.repeats import AGREEING
from tutelage.exporters.bench.shipped import ShippedFile, shipped_file
from tutelage.exporters.subject.threshold import with_any_threshold
from tutelage.search.families import Family
from tutelage.search.limits import Limits
from tutelage.students.saved.trained import TrainedStudent
from tutelage.workflow.distillation.given.part import Against, Part, scores_of
from tutelage.workflow.distillation.searching.arms import Arm
from tutelage.workflow.distillation.searching.training import Prepared

BETTER_IF_HIGHER = ("accuracy", "agreement", "subset_accuracy", "subset_agreement")


@dataclass(frozen=True)
class Judge:
    """How a student is judged.

    Attributes:
        metric: the figure that validation decides by.
        against: what it is measured against.
        limits: of the student.
        end: of the exported file whose size and latency count, such as ".onnx".
        teacher: fingerprint of the teacher of a cascade, whose students have files with a threshold; None for students alone.
    """

    metric: str
    against: Against
    limits: Limits
    end: str
    teacher: str | None = None

    def loss(self, scores: Mapping[str, float]) -> float:
        """What is minimised."""
        return 1 - scores[self.metric] if self.metric in BETTER_IF_HIGHER else scores[self.metric]

    def figures(self, answers: Floats, part: Part, prepared: Prepared) -> dict[str, float]:
        """Means over the rows of a part, by figure."""
        found = scores_of(answers, part, prepared.form, self.against)
        return {name: float(np.average(values, weights=part.weights)) for name, values in found.items()}

    def taught(
        self, prepared: Prepared, arm: Arm, family: Family, settings: Mapping[str, Any], *, seed: int
    ) -> tuple[TrainedStudent, dict[str, float]]:
        """A student that has learnt what the arm learns, and its figures on the validation rows.

        Raises:
            TutelageError: it cannot be trained, or cannot answer.
        """
        student = prepared.fit(arm, family, settings, seed=seed)
        return student, self.figures(prepared.validated(student, family, settings), prepared.validation, prepared)

    def drop(self, scores: Mapping[str, float], prepared: Prepared) -> float:
        """How much worse than the teacher a student is, in the unit of `Limits.drop`, on the validation rows.

        Of values without ground truth: its squared error against the teacher, in per cent of the variance of the teacher's values.
        """
        form, part = prepared.form, prepared.validation
        of_teacher = self.figures(part.answers if form.task == "regression" else form.probabilities(part.answers), part, prepared)
        if form.task != "regression":
            rate = "accuracy" if self.against == "truth" else "agreement"
            return 100 * (of_teacher[rate] - scores[rate])
        if self.against == "truth":
            return 100 * (scores["mse"] / of_teacher["mse"] - 1) if of_teacher["mse"] else float("inf")
        values = part.answers if part.units is None else part.answers / part.units
        spread = np.average((values - np.average(values, axis=0, weights=part.weights)) ** 2, axis=0, weights=part.weights)
        return 100 * scores["mse"] / float(spread.mean()) if spread.any() else float("inf")

    def shipped(self, student: Any) -> Any:
        """A student as it is exported: that of a cascade with a threshold, which is not known yet."""
        return student if self.teacher is None else with_any_threshold(student, self.teacher)

    def file(self, student: Any, rows: Any) -> ShippedFile | None:
        """The exported file, whose size and latency count; None if there is none and neither matters.

        Raises:
            TutelageError: the student cannot be exported, and its file is limited.
        """
        try:
            return shipped_file(self.shipped(student), self.end, check_on=rows)
        except TutelageError:
            if self.limits.size is not None or self.limits.latency is not None:
                raise
            return None

    def latency(self, file: ShippedFile | None, *, seconds: float, agreeing: int = AGREEING) -> Latency | None:
        """The latency of the exported file; None if it cannot be measured and is not limited. See `ShippedFile.latency`.

        Raises:
            TutelageError: it cannot be measured, and is limited.
        """
        try:
            return None if file is None else file.latency(seconds=seconds, agreeing=agreeing)
        except TutelageError:
            if self.limits.latency is not None:
                raise
            return None


def upper_end(latency: Latency | None) -> float | None:
    """The upper end of the interval of the median, in microseconds; the median where there is no interval."""
    if latency is None or latency.ci95_us is None:
        return None if latency is None else latency.p50_us
    return latency.ci95_us[1]
