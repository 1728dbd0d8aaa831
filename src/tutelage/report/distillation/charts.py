"""The charts of a distillation: what each student costs and how good it is, and the front of the search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tutelage.core.records import Interval, Latency
from tutelage.report.charts import Bar, curves_chart, intervals_chart
from tutelage.report.distillation.figures import Figures
from tutelage.report.distillation.records import ArmResult, DistillationRecord
from tutelage.report.distillation.sentences import ends_of
from tutelage.report.distillation.words import SHARES, figure, metric_name
from tutelage.report.svg import NARROW, Drawing, Scale, axes, both
from tutelage.report.words import kilobytes, microseconds

LARGEST, SMALLEST = 20.0, 5.0
"""Radii in pixels of the largest file, and the least that is drawn."""
Box = tuple[float, float, float, float]


def kind_of(record: DistillationRecord, arm: ArmResult) -> str:
    """The kind of an arm's mark."""
    if arm.name == record.chosen:
        return "chosen"
    return "student" if arm.kind == "distilled" else arm.kind


def scaled(metric: str, value: float) -> float:
    """A figure as charts show it: shares in per cent."""
    return 100 * value if metric in SHARES else value


def axis_name(record: DistillationRecord, rows: str) -> str:
    """The name of the axis of the figure that decided."""
    unit = ", %" if record.metric in SHARES else ", lower is better"
    return f"{metric_name(record)} on {rows} rows{unit}"


def arms_chart(record: DistillationRecord) -> str:
    """Every arm on the test rows: each seed, the mean and its interval."""
    metric = record.metric
    bars = [
        Bar(
            arm.name,
            kind_of(record, arm),
            tuple(scaled(metric, value) for value in arm.test[metric]),
            None if arm.interval is None else _scaled_ends(metric, arm.interval),
        )
        for arm in record.arms
    ]
    unit = 100 if metric in SHARES else 1
    return intervals_chart(
        bars,
        axis=axis_name(record, "test"),
        text=lambda value: figure(metric, value / unit),
        label=f"{metric_name(record)} of every arm on the test rows, with its interval",
    )


def _scaled_ends(metric: str, interval: Interval) -> tuple[float, float]:
    low, high = ends_of(metric, interval)
    return scaled(metric, low), scaled(metric, high)


@dataclass(frozen=True)
class _Point:
    """One arm in the chart of costs."""

    arm: ArmResult
    latency: Latency
    kind: str
    value: float


def cost_chart(record: DistillationRecord) -> str:
    """The metric against the latency of a single row; the area of a student's mark is the size of its file; "" if no latency is known."""
    metric = record.metric
    points = [
        _Point(arm, arm.latency, kind_of(record, arm), scaled(metric, arm.mean(metric))) for arm in record.arms if arm.latency is not None
    ]
    if not points:
        return ""
    trials = [(trial["latency_us"], scaled(metric, trial["scores"][metric])) for trial in record.front if trial.get("latency_us")]
    bounds = [one for one in (record.limits.get("latency"),) if one is not None]
    lowest = least(record)
    across = [one.latency.p50_us for one in points] + [latency for latency, _ in trials] + bounds
    up = [one.value for one in points] + [value for _, value in trials] + ([] if lowest is None else [lowest])

    def draw(width: float) -> Drawing:
        label = f"{metric_name(record)} against latency; the values are in the table of arms"
        drawing = Drawing(width, 400 if width == NARROW else 380, label)
        x = Scale.over(across, 52, width - 16, logarithmic=True, margin=0.12)
        y = Scale.over(up, drawing.height - 46, 34, margin=0.14)
        axes(drawing, x, y, x_name="latency of one row", y_name=axis_name(record, "test"), x_text=microseconds)
        for bound in bounds:
            drawing.line([(x(bound), y.start), (x(bound), y.end)], "limit")
            drawing.text(x(bound) + 4, y.start - 6, f"limit {microseconds(bound)}", "limit-name")
        if lowest is not None:
            drawing.line([(x.start, y(lowest)), (x.end, y(lowest))], "limit")
            drawing.text(x.end, y(lowest) - 4, f"largest drop, {_drop_text(record)}", "limit-name", anchor="end")
        for latency, value in trials:
            drawing.circle(x(latency), y(value), 3, "trial", f"trial: {microseconds(latency)}")
        drawing.line(_steps([(x(one.latency.p50_us), y(one.value)) for one in _front(points, metric)]), "front")
        radii = _radii(points)
        for one in sorted(points, key=lambda one: (one.kind == "chosen", -radii[one.arm.name])):
            if one.latency.ci95_us is not None:
                low, high = (x(min(max(end, x.low), x.high)) for end in one.latency.ci95_us)
                drawing.line([(low, y(one.value)), (high, y(one.value))], f"span {one.kind}")
            size = "" if one.arm.size_bytes is None else f", {kilobytes(one.arm.size_bytes)}"
            title = f"{one.arm.name}: {figure(metric, one.arm.mean(metric))}, {microseconds(one.latency.p50_us)}{size}"
            drawing.mark(x(one.latency.p50_us), y(one.value), radii[one.arm.name], f"{one.kind} area", title)
        _label(drawing, [(one.arm.name, one.kind, x(one.latency.p50_us), y(one.value), radii[one.arm.name]) for one in points], y)
        return drawing

    return both(draw)


def trials_chart(record: DistillationRecord) -> str:
    """The trials that no other of their arm beats, on the validation rows, against the size of the file; "" if no size is known."""
    metric = record.metric
    trials = [trial for trial in record.front if trial.get("size_bytes") and trial.get("scores")]
    if not trials:
        return ""
    chosen = [trial for trial in trials if trial["arm"] == record.chosen]
    limit = record.limits.get("size")
    across = [float(trial["size_bytes"]) for trial in trials] + ([] if limit is None else [float(limit)])

    def draw(width: float) -> Drawing:
        drawing = Drawing(width, 340, "Trials of the front: the figure on validation rows against the size of the file")
        x = Scale.over(across, 52, width - 16, logarithmic=True)
        y = Scale.over([scaled(metric, trial["scores"][metric]) for trial in trials], drawing.height - 46, 34)
        axes(drawing, x, y, x_name="size of the exported file", y_name=axis_name(record, "validation"), x_text=kilobytes)
        if limit is not None:
            drawing.line([(x(limit), y.start), (x(limit), y.end)], "limit")
            drawing.text(x(limit) - 4, y.end + 12, f"limit {kilobytes(limit)}", "limit-name", anchor="end")
        places = sorted((x(trial["size_bytes"]), y(scaled(metric, trial["scores"][metric]))) for trial in chosen)
        drawing.line(_steps(places), "front")
        for trial in trials:
            kind = "chosen" if trial["arm"] == record.chosen else record.arm(trial["arm"]).kind.replace("distilled", "student")
            value = trial["scores"][metric]
            title = f"{trial['arm']}, {trial['student']}: {figure(metric, value)}, {kilobytes(trial['size_bytes'])}"
            drawing.mark(x(trial["size_bytes"]), y(scaled(metric, value)), 4, kind, title)
        return drawing

    return both(draw)


def curve_chart(record: DistillationRecord) -> str:
    """The metric on validation rows by the number of rows that the teacher labels; "" if there are none."""
    metric, points = record.metric, record.curve
    if len(points) < 2:
        return ""

    def draw(width: float) -> Drawing:
        drawing = Drawing(width, 300, "The figure on validation rows by the number of rows that the teacher labels")
        x = Scale.over([float(point.rows) for point in points], 52, width - 16)
        y = Scale.over([scaled(metric, value) for point in points for value in point.values], drawing.height - 46, 34)
        axes(drawing, x, y, x_name=f"{record.rows.get('more_are', 'rows')} that the teacher labels", y_name=axis_name(record, "validation"))
        drawing.line([(x(point.rows), y(scaled(metric, point.mean))) for point in points], "span chosen")
        for point in points:
            for value in point.values:
                drawing.circle(x(point.rows), y(scaled(metric, value)), 2.2, "seed")
            title = f"{point.rows:,} rows: {figure(metric, point.mean)}"
            drawing.mark(x(point.rows), y(scaled(metric, point.mean)), 4.5, "chosen", title)
        return drawing

    return both(draw)


def reliability_chart(figures: Figures, *, values: bool) -> str:
    """What student and teacher predict against what is observed; "" if the ground truth is not known."""
    if not figures.reliability:
        return ""
    unit = 1 if values else 100
    curves = {
        one.name: (
            "teacher" if one.name == "teacher" else "chosen",
            [(unit * across, unit * up, rows) for across, up, rows in zip(one.predicted, one.observed, one.rows, strict=True)],
        )
        for one in figures.reliability
    }
    names = ("predicted value", "mean true value") if values else ("confidence, %", "share that is right, %")
    return curves_chart(curves, x_name=names[0], y_name=names[1], unit=not values)


def _front(points: Sequence[_Point], metric: str) -> list[_Point]:
    """The arms that no other beats in figure and latency at once, the fastest first; not the teacher."""
    found: list[_Point] = []
    sign = 1 if metric in SHARES else -1
    for one in sorted((one for one in points if one.kind != "teacher"), key=lambda one: (one.latency.p50_us, -sign * one.value)):
        if not found or sign * one.value > sign * found[-1].value:
            found.append(one)
    return found


def _steps(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """A line of steps through points: right first, then up or down."""
    found = list(points[:1])
    for (_, before), (x, y) in pairwise(points):
        found += [(x, before), (x, y)]
    return found


def _radii(points: Sequence[_Point]) -> dict[str, float]:
    """Radii by arm: the area of a student's mark is the size of its file; the teacher, and files of unknown size, have one radius."""
    largest = max([one.arm.size_bytes or 0 for one in points if one.kind != "teacher"], default=0) or 1
    return {
        one.arm.name: 7.0
        if one.kind == "teacher" or one.arm.size_bytes is None
        else max(SMALLEST, LARGEST * math.sqrt(one.arm.size_bytes / largest))
        for one in points
    }


def least(record: DistillationRecord) -> float | None:
    """The figure of the teacher on the test rows less the largest drop; None without such a limit or where it is of another figure.

    A drop of values without ground truth is of the variance of the teacher's answers, which the record does not hold.
    """
    drop, metric = record.limits.get("drop"), record.metric
    teacher = next((arm for arm in record.arms if arm.kind == "teacher"), None)
    if drop is None or teacher is None or metric not in (*SHARES, "mse") or (metric == "mse" and record.against == "teacher"):
        return None
    value = teacher.mean(metric)
    return 100 * value - drop if metric in SHARES else value * (1 + drop / 100)


def _drop_text(record: DistillationRecord) -> str:
    return f"{record.limits['drop']:g} {'points' if record.metric in SHARES else '%'}"


def _label(drawing: Drawing, marks: Sequence[tuple[str, str, float, float, float]], y: Scale) -> None:
    """Write the name of each mark beside it, where no other name is."""
    taken: list[Box] = [(x - radius, up - radius, x + radius, up + radius) for _, _, x, up, radius in marks]
    for name, kind, x, up, radius in sorted(marks, key=lambda mark: mark[3]):
        wide = 7.0 * len(name)
        places: list[tuple[float, float]] = []
        for shift in (0, -16, 16, -32, 32, -48, 48, -64, 64, -80, 80):
            places += [(x + radius + 5, up + shift), (x - radius - 5 - wide, up + shift)]
        free = [
            place
            for place in places
            if place[0] >= 54
            and place[0] + wide <= drawing.width - 2
            and y.end + 14 <= place[1] <= y.start - 4
            and not any(_meet((place[0], place[1] - 8, place[0] + wide, place[1] + 6), other) for other in taken)
        ]
        left, at = free[0] if free else places[0]
        if abs(at - up) > radius:
            drawing.line([(x, up), (left if left > x else left + wide, at)], "leader")
        drawing.text(left, at + 4, name, f"name {kind}")
        taken.append((left, at - 8, left + wide, at + 6))


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
