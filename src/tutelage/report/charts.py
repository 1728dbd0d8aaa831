"""The charts of both reports: arms with intervals, decision regions, and values against values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tutelage.report.records import Regions, Scatter
from tutelage.report.svg import NARROW, Drawing, Scale, axes, both, short

LOW_CLASS, HIGH_CLASS = np.array([178, 24, 43]), np.array([33, 102, 172])
"""Colours of classes 0 and 1 in decision regions, as in the style sheet."""
MOST_POINTS = 400
Panel = Callable[[Drawing, str, float, float, float, float], None]
"""Draws one panel, given the drawing, its name, and left, upper, right and lower end."""


@dataclass(frozen=True)
class Bar:
    """One arm in a chart of intervals.

    Attributes:
        name: of the arm.
        kind: "student", "chosen", "baseline", "control" or "teacher": they have different marks.
        values: one for each seed.
        interval: its ends; None if there is none.
    """

    name: str
    kind: str
    values: tuple[float, ...]
    interval: tuple[float, float] | None

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return math.fsum(self.values) / len(self.values)


def intervals_chart(bars: Sequence[Bar], *, axis: str, text: Callable[[float], str], label: str) -> str:
    """The figure of every arm: a faint dot for each seed, the mean and its interval.

    Args:
        bars: in order.
        axis: name of the axis.
        text: a value as it is written beside the arm.
        label: what is drawn, for readers who do not see it.
    """

    def draw(width: float) -> Drawing:
        narrow = width == NARROW
        line = 50 if narrow else 34
        drawing = Drawing(width, 16 + line * len(bars) + 46, label)
        ends = [value for bar in bars for value in (*bar.values, *(bar.interval or ()))]
        x = Scale.over(ends, 12 if narrow else 210, width - 14)
        bottom = 16 + line * len(bars)
        for value in x.ticks(4 if narrow else 6):
            drawing.line([(x(value), 12), (x(value), bottom)], "grid")
            drawing.below(x(value), bottom + 17, short(value))
        drawing.text(width - 14, bottom + 37, axis, "axis", anchor="end")
        for place, bar in enumerate(bars):
            y = 16 + line * place + (33 if narrow else 15)
            if narrow:
                drawing.text(2, y - 15, f"{_cut(bar.name, 30)}: {text(bar.mean)}", f"name {bar.kind}")
            else:
                drawing.text(2, y + 1, _cut(bar.name, 27), f"name {bar.kind}")
                drawing.text(2, y + 15, text(bar.mean), "tick")
            for value in bar.values if len(bar.values) > 1 else ():
                drawing.circle(x(value), y + 9, 2.2, f"seed {bar.kind}")
            if bar.interval is not None:
                drawing.line([(x(bar.interval[0]), y), (x(bar.interval[1]), y)], f"span {bar.kind}")
            drawing.mark(x(bar.mean), y, 5, bar.kind, f"{bar.name}: {text(bar.mean)}")
        return drawing

    return both(draw)


def labels_chart(alone: Sequence[tuple[int, Bar]], taught: Sequence[Bar], *, y_name: str) -> str:
    """The figure of arms on few labels against the number of labels, with arms that need none as level lines.

    Args:
        alone: for each number of labels, the arm that learnt from them alone.
        taught: arms that learnt from the teacher's answers.
        y_name: of the vertical axis.
    """
    ends = [end for bar in (*taught, *(bar for _, bar in alone)) for end in (bar.mean, *(bar.interval or ()))]

    def draw(width: float) -> Drawing:
        drawing = Drawing(width, 330, f"{y_name} against the number of labels; the values are in the table below")
        x = Scale.over([float(count) for count, _ in alone], 52, width - 16, logarithmic=True)
        y = Scale.over(ends, drawing.height - 46, 34)
        axes(drawing, x, y, x_name="labels", y_name=y_name)
        taken: list[float] = []
        for bar in sorted(taught, key=lambda bar: -bar.mean):
            drawing.line([(x.start, y(bar.mean)), (x.end, y(bar.mean))], "curve teacher")
            at = max([y(bar.mean) + 15, *(height + 15 for height in taken)])
            taken.append(at)
            drawing.text(x(min(count for count, _ in alone)) + 9, at, _cut(f"{bar.name}: {short(round(bar.mean, 2))}", 40), "tick")
        drawing.line([(x(count), y(bar.mean)) for count, bar in sorted(alone, key=lambda one: one[0])], "span baseline")
        for count, bar in alone:
            if bar.interval is not None:
                drawing.line([(x(count), y(bar.interval[0])), (x(count), y(bar.interval[1]))], "span baseline")
            drawing.mark(x(count), y(bar.mean), 5, "baseline", f"{bar.name}: {short(round(bar.mean, 2))}")
        return drawing

    return both(draw)


def panels_chart(names: Sequence[str], panel: Panel, *, label: str, across: int) -> str:
    """Panels beside each other; on narrow screens one below the other.

    Args:
        names: titles.
        panel: draws one.
        label: what is drawn.
        across: panels in a row on wide screens.
    """

    def draw(width: float) -> Drawing:
        columns = 1 if width == NARROW else min(across, len(names))
        rows, wide = math.ceil(len(names) / columns), width / columns
        high = min(wide * 0.8, 290) + 24
        drawing = Drawing(width, rows * high, label)
        for place, name in enumerate(names):
            left, top = wide * (place % columns), high * (place // columns)
            drawing.text(left + 4, top + 15, _cut(name, 34 if columns < 3 else 26), "name")
            panel(drawing, name, left + 4, top + 24, left + wide - 8, top + high - 6)
        return drawing

    return both(draw)


def regions_chart(regions: Regions) -> str:
    """Decision regions: the probability of class 1 as colour, with a step at 0.5, and the training points."""
    of_name = {panel.title: np.array(panel.values) for panel in regions.panels}

    def panel(drawing: Drawing, name: str, left: float, top: float, right: float, bottom: float) -> None:
        x = Scale(regions.x[0], regions.x[-1], left, right)
        y = Scale(regions.y[0], regions.y[-1], bottom, top)
        drawing.image(left, top, right - left, bottom - top, _coloured(of_name[name])[::-1])
        for horizontal, vertical, label in regions.points:
            drawing.circle(x(horizontal), y(vertical), 1.9, f"point class{label}")

    return panels_chart(list(of_name), panel, label=regions.title, across=3)


def scatter_chart(scatter: Scatter) -> str:
    """Predictions against ground truth: one panel for each model, with the line of equality."""
    every = [value for pairs in scatter.panels.values() for pair in pairs for value in pair]

    def panel(drawing: Drawing, name: str, left: float, top: float, right: float, bottom: float) -> None:
        x, y = Scale.over(every, left + 34, right), Scale.over(every, bottom - 42, top + 20)
        axes(drawing, x, y, x_name="measured", y_name="")
        drawing.text(left, top + 10, "predicted", "axis")
        drawing.line([(x(min(every)), y(min(every))), (x(max(every)), y(max(every)))], "equal")
        for measured, predicted in _some(scatter.panels[name]):
            drawing.circle(x(measured), y(predicted), 1.8, "dot")

    return panels_chart(list(scatter.panels), panel, label=scatter.title, across=2)


def curves_chart(curves: Mapping[str, tuple[str, Sequence[tuple[float, float, int]]]], *, x_name: str, y_name: str, unit: bool) -> str:
    """Curves over the line of equality, as in a reliability diagram; the area of a point is its number of rows.

    Args:
        curves: for each name its kind, "chosen" or "teacher", and (x, y, rows) of its points.
        x_name: of the horizontal axis.
        y_name: of the vertical axis.
        unit: whether both axes are shares in per cent: they end at 100.
    """
    every = [value for _, points in curves.values() for point in points for value in point[:2]]
    most = max((rows for _, points in curves.values() for *_, rows in points), default=1)

    def draw(width: float) -> Drawing:
        size = min(width, 460)
        drawing = Drawing(size, size * 0.86, f"{y_name} against {x_name}")
        left, bottom = 52, size * 0.86 - 44
        x, y = Scale.over(every, left, size - 12), Scale.over(every, bottom, 34)
        if unit:
            low = 10.0 * max(math.floor(min(every, default=0.0) / 10) - 1, 0)
            x, y = Scale(low, 100, left, size - 12), Scale(low, 100, bottom, 34)
        axes(drawing, x, y, x_name=x_name, y_name=y_name)
        low, high = max(x.low, y.low), min(x.high, y.high)
        drawing.line([(x(low), y(low)), (x(high), y(high))], "equal")
        for name, (kind, points) in curves.items():
            drawing.line([(x(across), y(up)) for across, up, _ in points], f"curve {kind}")
            for across, up, rows in points:
                title = f"{name}: {short(up)} at {short(across)}, {rows:,} rows"
                drawing.mark(x(across), y(up), 2.5 + 5 * math.sqrt(rows / most), kind, title)
        return drawing

    return both(draw)


def _coloured(values: np.ndarray) -> np.ndarray:
    """(height, width, 3) from white at a probability of 0.5 to the colour of the class; either side of 0.5 has a colour of its own."""
    strength = (0.12 + 0.6 * np.abs(2 * values - 1))[..., None]
    colour = np.where((values > 0.5)[..., None], HIGH_CLASS, LOW_CLASS)
    return np.asarray(255 + strength * (colour - 255.0), dtype=np.uint8)


def _some(pairs: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    return pairs[:: math.ceil(len(pairs) / MOST_POINTS) or 1]


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
