"""What would make the chosen student better, from the record of a distillation."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.report.distillation.records import DistillationRecord
from tutelage.search.advice import Advice, Metric, about_limits, about_rows, about_size, about_teacher, nothing_helps
from tutelage.search.study import Trial
from tutelage.workflow.distillation.evidence.conclusion import TEACHER
from tutelage.workflow.distillation.searching.search import BETTER_IF_HIGHER


def advice_of(record: DistillationRecord, chosen: Trial, trials: Sequence[Trial]) -> tuple[Advice, ...]:
    """Advice on the limits, more rows, a larger student and a better teacher: what of it there are figures for.

    Args:
        record: without advice.
        chosen: the trial whose settings the chosen student has.
        trials: those of its arm.
    """
    metric, arm = Metric(record.metric, record.metric in BETTER_IF_HIGHER), record.arm(record.chosen)
    latency = None if arm.latency is None else arm.latency.p50_us if arm.latency.ci95_us is None else arm.latency.ci95_us[1]
    limit = record.limits.get("drop")
    drop = arm.excess["drop"] * limit + limit if limit and "drop" in arm.excess else None
    found = [
        about_limits(arm.excess, {"size": arm.size_bytes, "latency": latency, "drop": drop}, record.limits),
        about_rows(record.curve, metric),
        about_size(trials, chosen, metric, rows=int(record.rows["validation"])),
    ]
    reached = next((one for one in record.comparisons if (one.a, one.b) == (record.chosen, TEACHER)), None)
    if reached is not None and record.against == "truth":
        figures = {"student": arm.mean(record.metric), "teacher": record.arm(TEACHER).mean(record.metric)}
        found.append(about_teacher(reached, student=figures["student"], teacher=figures["teacher"], metric=metric))
    return nothing_helps([one for one in found if one is not None])
