"""What answers of a cascade cost: the share that the student answers, its latency and the teacher's, and money."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tutelage.core.quantities import percent
from tutelage.core.records import Latency
from tutelage.data.rows import Rows
from tutelage.evaluation.cost import measure_latency
from tutelage.evaluation.intervals import proportion_interval

MOST_SECONDS = 3600.0


@dataclass(frozen=True)
class Bill:
    """What answers to rows one by one cost with a student, with its teacher, and with both; print it for a table.

    Attributes:
        rows: number of rows.
        answered: number of those that the student answers.
        coverage_ci95: 95 % interval (Wilson) of the share that the student answers.
        student: latency of the student on one row, with what a cascade adds to find out whether it is sure enough.
        teacher: latency of the teacher on one row.
        student_cost: cost of 1 000 answers of the student.
        teacher_cost: cost of 1 000 answers of the teacher; None if it is not known.
    """

    rows: int
    answered: int
    coverage_ci95: tuple[float, float]
    student: Latency
    teacher: Latency
    student_cost: float = 0.0
    teacher_cost: float | None = None

    @property
    def coverage(self) -> float:
        """The share of the rows that the student answers."""
        return self.answered / self.rows

    @property
    def both_us(self) -> float:
        """Predicted microseconds of an answer of the cascade, the mean over rows: every row costs the student, some the teacher too."""
        return self.student.p50_us + (1 - self.coverage) * self.teacher.p50_us

    @property
    def both_cost(self) -> float | None:
        """Cost of 1 000 answers of the cascade; None if that of the teacher is not known."""
        return self._cost_at(self.coverage)

    @property
    def both_cost_ci95(self) -> tuple[float, float] | None:
        """The interval that the coverage gives `both_cost`."""
        low, high = (self._cost_at(coverage) for coverage in reversed(self.coverage_ci95))
        return None if low is None or high is None else (low, high)

    def _cost_at(self, coverage: float) -> float | None:
        return None if self.teacher_cost is None else self.student_cost + (1 - coverage) * self.teacher_cost

    def __str__(self) -> str:
        """The bill as a table."""
        low, high = self.coverage_ci95
        latencies = [f"{value:,.0f}" for value in (self.student.p50_us, self.teacher.p50_us, self.both_us)]
        costs = ["-" if value is None else f"{value:,.2f}" for value in (self.student_cost, self.teacher_cost, self.both_cost)]
        lines = [
            f"The student answers {percent(self.coverage)} of {self.rows:,} rows ({percent(low)} to {percent(high)}).",
            f"{'':24}{'student':>12}{'teacher':>12}{'both':>12}",
            f"{'microseconds a row':24}{''.join(f'{cell:>12}' for cell in latencies)}",
            f"{'cost of 1 000 answers':24}{''.join(f'{cell:>12}' for cell in costs)}",
        ]
        return "\n".join(lines)


def measure_bill(
    student: Callable[[Any], Any],
    teacher: Callable[[Any], Any] | Latency,
    rows: Rows,
    answered: int,
    *,
    costs: tuple[float, float | None],
    seconds: float,
) -> Bill:
    """Measure the latency of both on one row, and count.

    Args:
        student: the call in which the student answers rows, or leaves them.
        teacher: the call in which the teacher answers rows, or its latency where that is known.
        rows: rows as they come.
        answered: number of rows that the student answers.
        costs: of 1 000 answers of the student, and of the teacher if it is known.
        seconds: approximate time of each measurement.
    """
    interval = proportion_interval(answered, rows.count)
    of_student = measure_latency(student, rows, 1, seconds)
    of_teacher = teacher if isinstance(teacher, Latency) else measure_latency(teacher, rows, 1, seconds)
    return Bill(rows.count, answered, (interval.low, interval.high), of_student, of_teacher, *costs)
