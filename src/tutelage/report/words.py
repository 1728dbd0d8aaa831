"""Figures and sentences as text, shared by the terminal table and the HTML page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tutelage.core.records import Comparison, Interval, Latency
from tutelage.report.records import Arm, RunRecord

METRIC_NAMES = {"test_accuracy": "accuracy", "test_errors": "errors", "test_r2": "R2", "test_mse": "MSE", "fidelity": "fidelity"}
SECOND_METRIC = {"test_accuracy": "test_errors", "test_r2": "test_mse"}


SPREAD = "In brackets: the lowest and the highest of the seeds, which is not an interval."


def score(metric: str, value: float) -> str:
    """A value of a metric: accuracies in per cent, errors as whole numbers, the others with three decimals."""
    if metric in ("test_accuracy", "fidelity"):
        return f"{100 * value:.2f} %"
    return f"{value:.0f}" if metric == "test_errors" else f"{value:.3f}"


def span(metric: str, interval: Interval | None) -> str:
    """An interval, or a dash if there is none."""
    if interval is None:
        return "-"
    scale = 100 if metric == "test_accuracy" else 1
    digits = 2 if metric == "test_accuracy" else 3
    return f"{scale * interval.low:.{digits}f}-{scale * interval.high:.{digits}f}"


def published(arm: Arm, metric: str) -> str:
    """The published value for this arm, or an empty string."""
    figures = arm.published or {}
    return score(metric, figures[metric]) if metric in figures else ""


def difference(comparison: Comparison) -> str:
    """A signed difference with its interval; percentage points for accuracies."""
    scale, unit = (100, " points") if comparison.metric == "test_accuracy" else (1, f" {METRIC_NAMES[comparison.metric]}")
    difference, low, high = (scale * value for value in (comparison.difference, *comparison.ci95))
    digits = 2 if min(abs(low), abs(high)) >= 0.01 else 3  # a bound near zero decides the verdict: show its sign
    return f"{difference:+.{digits}f}{unit} ({low:+.{digits}f} to {high:+.{digits}f})"


def answer(record: RunRecord) -> str:
    """The run's first comparison as a sentence."""
    first = record.comparisons[0]
    seeds = len(record.arm(first.a).seeds)
    figures = f"{difference(first)}, over {seeds} seeds"
    if first.verdict == "no difference":
        return f"No difference detected at this precision between {first.a} and {first.b}: {figures}."
    if first.verdict == "differ":
        return f"These two models, {first.a} and {first.b}, differ: {difference(first)}, over {first.over}; another seed may not."
    verb = "beats" if first.verdict == "beats" else "is worse than"
    return f"{first.a} {verb} {first.b}: {figures}."


def caveat(record: RunRecord) -> str:
    """What the intervals do not cover: the choice of the teacher, if all students were trained from the same one."""
    if len(record.arm("teacher").seeds) > 1:
        return ""
    return (
        "All students were trained from one teacher; another teacher could give better or worse students, and no interval here covers that."
    )


def cautions(record: RunRecord) -> list[str]:
    """What single verdicts rest on besides, such as rare large losses that may have been missed: one sentence each."""
    return [f"{one.a} - {one.b}: {one.caution}" for one in record.comparisons if one.caution]


def milliseconds(latency: Latency | None) -> str:
    """The median in milliseconds with two significant digits, never in scientific notation; "-" if not measured."""
    if latency is None:
        return "-"
    value = latency.p50_us / 1000
    decimals = max(0, 1 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:.{decimals}f}"


def counted(count: int, noun: str) -> str:
    """A number of things."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def heading(name: str) -> str:
    """A name as a heading: its first letter in upper case, the others as they are."""
    return name[:1].upper() + name[1:]


def chosen(arm: Arm) -> str:
    """The settings chosen on validation rows, such as "temperature 2"; a range if they differ between seeds."""
    parts = []
    for name, value in arm.chosen.items():
        values: Sequence[float] = value if isinstance(value, list | tuple) else [value]
        low, high = min(values), max(values)
        parts.append(f"{name.replace('_', ' ')} {low:g}" + (f" to {high:g}" if high > low else ""))
    return ", ".join(parts)


def time_spent(record: RunRecord) -> list[tuple[str, float]]:
    """(stage, seconds) in order, followed by the rest of the total time."""
    stages = [(name, seconds) for name, seconds in record.seconds.items() if name != "total"]
    rest = record.seconds["total"] - sum(seconds for _, seconds in stages)
    return [*stages, ("rest", max(rest, 0.0))]


def kilobytes(size_bytes: float) -> str:
    """A size in bytes, kB or MB (powers of ten), with three digits."""
    if size_bytes < 999.5:
        return f"{size_bytes:.0f} bytes"
    value, unit = (size_bytes / 1e6, "MB") if size_bytes >= 999_500 else (size_bytes / 1e3, "kB")
    return f"{value:,.0f} {unit}" if value >= 99.95 else f"{value:.3g} {unit}"


def microseconds(latency_us: float) -> str:
    """A time in µs, ms or s, with three digits."""
    size, unit = (1e6, "s") if latency_us >= 999_500 else (1e3, "ms") if latency_us >= 999.5 else (1.0, "µs")
    value = latency_us / size
    return f"{value:,.0f} {unit}" if value >= 99.95 else f"{value:.3g} {unit}"
