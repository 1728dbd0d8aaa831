"""What would make the chosen student better, from the record of a distillation."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.report.distillation.limits import drop_unit, measured_of
from tutelage.report.distillation.records import MORE_ROWS, TEACHER, DistillationRecord
from tutelage.report.distillation.words import metric_name
from tutelage.search.advice import Advice, Metric, about_limits, about_rows, about_size, about_teacher, nothing_helps
from tutelage.search.study import Trial
from tutelage.workflow.distillation.searching.judge import BETTER_IF_HIGHER


def advice_of(record: DistillationRecord, chosen: Trial, trials: Sequence[Trial]) -> tuple[Advice, ...]:
    """Advice on the limits, more rows, a larger student and a better teacher: what of it there are figures for.

    Args:
        record: without advice.
        chosen: the trial whose settings the chosen student has.
        trials: those of its arm.
    """
    metric, arm = Metric(metric_name(record), record.metric in BETTER_IF_HIGHER), record.arm(record.chosen)
    learnt = next((one.name for one in record.arms if one.name == MORE_ROWS), "")
    found = [
        about_limits(arm.excess, measured_of(arm), record.limits, drop_unit=drop_unit(record.task, record.against)),
        about_rows(record.curve, metric, rows=str(record.rows.get("more_are", "rows")), arm=learnt),
        about_size(trials, chosen, metric, rows=int(record.rows["validation"])),
    ]
    reached = next((one for one in record.comparisons if (one.a, one.b) == (record.chosen, TEACHER)), None)
    if reached is not None and record.against == "truth":
        figures = {"student": arm.mean(record.metric), "teacher": record.arm(TEACHER).mean(record.metric)}
        found.append(about_teacher(reached, **figures, metric=metric, taught=arm.kind == "distilled"))
    return nothing_helps([one for one in found if one is not None])
