"""Parts of the page of a distillation as sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tutelage.core.records import Comparison, Interval
from tutelage.report.distillation.figures import Disagreement, Figures
from tutelage.report.distillation.records import PLAIN, UNTUNED, DistillationRecord, OutputResult
from tutelage.report.distillation.words import SHARES, as_differences, figure, seeds_of, size_of, too_few_seeds
from tutelage.report.words import counted, heading

MOST_NAMED = 6
"""Classes that are named in a sentence."""
TASKS = {"binary": "two classes", "multiclass": "{} classes", "multilabel": "{} labels", "regression": "values"}


def summary_of(record: DistillationRecord) -> str:
    """What was distilled, in a line: task, rows and budget."""
    rows, task = record.rows, TASKS[record.task].format(len(record.classes))
    known = "" if record.against == "truth" else " No ground truth is known: all figures are fidelity to the teacher."
    developed = rows.get("development", rows.get("train", 0) + rows.get("validation", 0))  # one seed may train on a draw of them
    count = developed + rows.get("calibration", 0) + rows.get("test", 0)
    return f"{heading(task)}; {count:,} rows.{known}{weights_of(record)}"


def budget_of(record: DistillationRecord) -> str:
    """The trials and seeds of the arms: a plain model is one kind of student and has the trials of one; an untuned student has none."""
    trials = {arm.name: arm.trials for arm in record.arms}
    parts = [f"Each search had {counted(record.options['trials'], 'trial')}, shared among the kinds of students"]
    if PLAIN in trials:
        parts.append(f"the plain model, a single kind, had {trials[PLAIN]:,}")
    if UNTUNED in trials:
        parts.append("the untuned student was not searched")
    return f"{'; '.join(parts)}. All arms have {record.options['seeds']} seeds."


def weights_of(record: DistillationRecord) -> str:
    """How rows count in the figures; "" if all count the same."""
    by_class = _class_weights(record)
    own = "their own weights" if record.rows.get("weighted") else ""
    if not by_class:
        return f" Rows count by {own} in every figure." if own else ""
    counted_by = f"{own} times those of their class" if own else "the weights of their class"
    return f" Rows count by {counted_by} in every figure ({by_class}); the teacher decides by its probabilities times these weights."


def probabilities_of(record: DistillationRecord) -> str:
    """What the student's probabilities are where classes weigh differently; "" if they do not."""
    by_class = _class_weights(record)
    return (
        f"Its probabilities are multiplied by the weights of the classes ({by_class}): they are not their frequencies." if by_class else ""
    )


def _class_weights(record: DistillationRecord) -> str:
    """The weights of classes in words; "" if all weigh the same."""
    by_class = record.rows.get("class_weights") or {}
    named = ", ".join(f"{cut(name)} {weight:.3g}" for name, weight in list(by_class.items())[:MOST_NAMED])
    return named + (f" and {len(by_class) - MOST_NAMED:,} more" if len(by_class) > MOST_NAMED else "")


def settings_of(settings: Mapping[str, Any]) -> str:
    """Settings as text, such as "max leaf nodes 32, temperature 2"."""
    return ", ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in settings.items())


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return " x ".join(map(_value, value)) if isinstance(value, list | tuple) else str(value)


def ends_of(metric: str, interval: Interval) -> tuple[float, float]:
    """The ends of an interval; those of a share within 0 and 1."""
    return (max(interval.low, 0.0), min(interval.high, 1.0)) if metric in SHARES else (interval.low, interval.high)


def span(metric: str, interval: Interval) -> str:
    """An interval; in per cent for shares."""
    low, high = (f"{100 * end:.1f}" if metric in SHARES else figure(metric, end) for end in ends_of(metric, interval))
    return f"{low} to {high}"


def cut(name: str, most: int = 60) -> str:
    """A name that fits a table."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def signed_difference(comparison: Comparison) -> str:
    """A signed difference with its interval; percentage points for shares."""
    difference, low, high = as_differences(comparison.metric, (comparison.difference, *comparison.ci95), "+")
    return f"{difference}{' points' if comparison.metric in SHARES else ''} ({low} to {high})"


def detectable(record: DistillationRecord, comparison: Comparison) -> str:
    """The smallest difference that the run would have found in most cases; "-" if it is not known, or of too few seeds."""
    if comparison.detectable is None or too_few_seeds(record, comparison):
        return "-"
    return size_of(comparison.metric, comparison.detectable)


def verdict_note(record: DistillationRecord) -> str:
    """How verdicts are to be read."""
    parts = ['"No difference" means that none was found at this precision.']
    if record.metric not in SHARES:
        parts.append("Lower is better: a negative difference is a gain.")
    if any(one.corrected_p is not None for one in record.comparisons):
        parts.append(
            f"Verdicts are corrected for the {counted(len(record.comparisons), 'question')} by Holm's procedure"
            + (f" and for {len(record.looks)} looks at the test rows" if len(record.looks) > 1 else "")
            + "; intervals are not. A verdict may be no difference although the interval excludes zero."
        )
    if any(one.detectable is not None for one in record.comparisons):
        few = any(too_few_seeds(record, one) for one in record.comparisons)
        fewer = f" {heading(f'{seeds_of(record)} seeds')} are too few to know it: run more." if few else ""
        parts.append(f"Detectable: the smallest true difference that about 80 % of such runs would find.{fewer}")
    for look in record.looks if len(record.looks) > 1 else ():
        parts.append(f"Look of {look.read}: {look.seeds} seeds, {100 * look.share:.0f} % of the false verdicts allowed.")
    return " ".join(parts)


def weights_note(figures: Figures) -> str:
    """What is to be known of figures beside those that are weighted; "" if no row has a weight."""
    return " Rows count alike here, whatever their weights." if figures.weighted else ""


def calibration_of(record: DistillationRecord, figures: Figures) -> str:
    """What the reliability diagram shows."""
    errors = {one.name: one.error for one in figures.reliability if one.error is not None}
    if record.task == "regression":
        count = max((len(one.rows) for one in figures.reliability), default=0)
        groups = f"Test rows in {counted(count, 'group')} of about equal size by predicted value, first seed"
        return f"{groups}; a model without bias lies on the line.{weights_note(figures)}"
    named = [f"{100 * error:.1f} % for {'the teacher' if name == 'teacher' else 'the student'}" for name, error in errors.items()]
    labels = record.task == "multilabel"
    which = "Decisions about labels, on or off, by confidence in them" if labels else "Test rows by confidence in the predicted class"
    return (
        f"{which}, first seed; a calibrated model lies on the line. Larger marks hold more {'decisions' if labels else 'rows'}. "
        f"The expected calibration error is {' and '.join(named)}.{weights_note(figures)}"
    )


def disagreement_of(record: DistillationRecord, figures: Figures) -> str:
    """How often student and teacher disagree, and who is right then."""
    return _disagreement(record, figures.disagreement) + weights_note(figures)


def _disagreement(record: DistillationRecord, found: Disagreement) -> str:
    if found.quantiles:
        parts = [f"{100 * share:.0f} % of the test rows by at most {difference:.3g}" for share, difference in found.quantiles]
        spread = "" if found.spread is None else f"; the teacher's answers have a standard deviation of {found.spread:.3g}"
        if found.in_spreads:
            spread = "; differences are in standard deviations of each value on the training rows, the largest of each row"
        return f"The chosen student (first seed) differs from the teacher on {', on '.join(parts)}{spread}."
    what = "decisions" if record.task == "multilabel" else "test rows"
    share = 100 * found.disagree / (found.decisions or 1)
    counts = f"{found.disagree:,} of {found.decisions:,} {what} ({share:.1f} %)"
    first = f"The chosen student (first seed) decides otherwise than the teacher on {counts}."
    outcomes = [f"{name} on {count:,}" for name, count in found.outcomes.items() if count]
    return f"{first} Of these, {', '.join(outcomes)}." if outcomes else first


def outputs_note(outputs: Sequence[OutputResult], against: str) -> list[str]:
    """What is said of several values: how their errors are measured, and how well each is predicted; nothing of a single one."""
    if not outputs:
        return []
    each = ", ".join(
        f"{one.name} {_share(one.student)}" + ("" if against == "teacher" else f" (teacher {_share(one.teacher)})") for one in outputs
    )
    target = "the truth" if against == "truth" else "the teacher's values"
    return [
        f"Squared errors are means over the {len(outputs)} values, each in units of its variance on the training rows, so that none "
        f"decides by its unit. R2 of each against {target} on the test rows, first seed: {each}."
    ]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
