"""The section of a page about a student that leaves rows to its teacher: its texts, and coverage against agreement as a chart."""

from __future__ import annotations

from dataclasses import dataclass

from tutelage.core.quantities import percent
from tutelage.report.distillation.records import CascadePoint, CascadeResult, DistillationRecord, Rate
from tutelage.report.distillation.words import bounds, fallen_short, how_far
from tutelage.report.svg import NARROW, Drawing, Scale, axes, both
from tutelage.report.words import microseconds

CLOSE = 0.9995


@dataclass(frozen=True)
class CascadeView:
    """The texts of the section.

    Attributes:
        guarantee: what calibration proved, and what it does not cover.
        found: what the test rows say.
        targets: for each rate the guarantee, threshold, coverage, agreement, own agreement and latency; and whether it was asked for.
        bill: what an answer costs, and how often it is right: names and figures of student, teacher and both.
        bill_heads: what the figures are.
    """

    guarantee: str
    found: str
    targets: list[tuple[tuple[str, ...], bool]]
    bill: list[tuple[str, tuple[str, ...]]]
    bill_heads: tuple[str, ...]


def cascade_of(record: DistillationRecord) -> CascadeView | None:
    """The texts of the section; None for a student alone."""
    found = record.cascade
    if found is None:
        return None
    heads = ["Latency of one row", *(["Accuracy (95 %)"] if found.accuracy else [])]
    latencies = {"student": found.student_us, "teacher": found.teacher_us, "both": found.blended_us}
    bill = []
    for name, latency in latencies.items():
        right = found.accuracy.get("cascade" if name == "both" else name)
        cells = (_latency(latency, predicted=name == "both"), *([_rate(right)] if right is not None else []))
        bill.append((f"the {name} alone" if name != "both" else "both together", cells))
    targets = [(_cells(one), one.target == found.guarantee["target"]) for one in found.targets]
    return CascadeView(_guarantee(found), _tested(record, found), targets, bill, tuple(heads))


def _guarantee(found: CascadeResult) -> str:
    said = found.guarantee
    rate, sure = percent(said["target"]), percent(1 - said["delta"])
    if not found.attained:
        return (
            f"The student may answer no row on its own at {rate}, with probability {sure}: {how_far(found)}. The files of the student "
            "have no threshold."
        )
    which = f"rows of a confidence of at least {threshold_text(said['threshold'])}, and leaves the others to the teacher"
    units = "calibration rows"
    over, like = "", "rows like those"
    if found.over_groups:
        units = "calibration rows, one of each group,"
        over, like = " It is a rate over groups, in which each counts once, not over rows.", "groups like those"
    return (
        f"The student answers {which if said['threshold'] else 'every row, and leaves none to the teacher'}. With "
        f"probability {sure}, at least {rate} of all answers are then the teacher's, proven on {said['rows']:,} {units} that "
        f"trained and chose nothing ({said['answered']:,} answered by the student, {said['wrong']:,} of them otherwise than by the "
        f"teacher).{over} It holds for {like}, and not for rows that come from elsewhere."
    )


def _tested(record: DistillationRecord, found: CascadeResult) -> str:
    if not found.attained:
        return ""
    latency = [] if found.blended_us is None else [f"A row takes about {microseconds(found.blended_us)} on average, predicted."]
    said = (
        f"On the {record.rows['test']:,} test rows the student (first seed) answers {_rate(found.coverage)}, and {_rate(found.agreement)} "
        "of all answers are the teacher's."
    )
    return " ".join([said, *fallen_short(found), *latency])


def _latency(latency: float | None, *, predicted: bool) -> str:
    """A latency of one row, measured or predicted."""
    return "-" if latency is None else f"about {microseconds(latency)}, predicted" if predicted else microseconds(latency)


def _rate(rate: Rate) -> str:
    """A share of the test rows with its interval."""
    return f"{percent(rate.value)} ({bounds(rate.interval)})"


def threshold_text(threshold: float) -> str:
    """A threshold, by its distance from 1 where it is close to that.

    Example:
        >>> threshold_text(0.64167), threshold_text(0.99999751)
        ('0.6417', '1 - 2.5e-06')
    """
    return f"{threshold:.4g}" if threshold < CLOSE else f"1 - {1 - threshold:.2g}"


def _cells(one: CascadePoint) -> tuple[str, ...]:
    """One rate as the cells of a table."""
    return (
        percent(one.target or 0.0),
        "none" if one.threshold is None else threshold_text(one.threshold),
        percent(one.coverage),
        percent(one.agreement),
        "-" if one.own_agreement is None else percent(one.own_agreement),
        "-" if one.latency_us is None else microseconds(one.latency_us),
    )


def cascade_chart(record: DistillationRecord) -> str:
    """The share of all answers that are the teacher's by the share that the student gives, on the test rows; "" for a student alone."""
    found = record.cascade
    if found is None:
        return ""
    target, chosen = 100 * found.guarantee["target"], found.coverage.value
    points = [(0.0, 100.0), *((100 * one.coverage, 100 * one.agreement) for one in found.curve)]

    def draw(width: float) -> Drawing:
        drawing = Drawing(
            width, 330 if width == NARROW else 320, "Agreement with the teacher by the share of rows that the student answers"
        )
        x = Scale(0, 100, 52, width - 16)
        y = Scale.over([*(up for _, up in points), target, 100.0], drawing.height - 46, 34)
        axes(drawing, x, y, x_name="test rows that the student answers, %", y_name="answers that are the teacher's, %")
        drawing.line([(x.start, y(target)), (x.end, y(target))], "limit")
        drawing.text(x.start + 8, y(target) + 14, f"{percent(target / 100)} asked for", "limit-name")
        drawing.line([(x(across), y(up)) for across, up in points], "curve chosen")
        drawing.mark(x(0), y(100), 5.5, "teacher", "the teacher alone")
        for one in found.targets:
            if one.threshold is not None and one.target != found.guarantee["target"]:
                title = f"{percent(one.target or 0.0)} guaranteed: {percent(one.coverage)} by the student, {percent(one.agreement)} agree"
                drawing.circle(x(100 * one.coverage), y(100 * one.agreement), 3, "trial", title)
        if found.attained:
            title = (
                f"threshold {threshold_text(found.guarantee['threshold'])}: {percent(chosen)} by the student, "
                f"{percent(found.agreement.value)} agree"
            )
            drawing.mark(x(100 * chosen), y(100 * found.agreement.value), 6, "chosen", title)
        return drawing

    return both(draw)
