"""The pictures of a paper's run: series with intervals over one axis."""

from __future__ import annotations

from tutelage.report.papers.records import Curve
from tutelage.report.svg import Drawing, Scale, axes, both, short

COLOURS = {"chosen": "#1f77b4", "baseline": "#c0792a", "control": "#7a5fb5", "teacher": "#6e7781"}
"""Outside a page there is no style sheet: colours that are read on light and on dark."""
STYLE = (
    "text{fill:#848d97;font:13px sans-serif} .tick,.axis{font-size:12px} polyline{fill:none;stroke:#848d97;stroke-width:1.2} "
    ".grid{stroke:#848d97;stroke-opacity:.25} .level{stroke-dasharray:5 3} .span,.curve{stroke-width:1.8} "
    + " ".join(f".{kind}{{stroke:{colour}}} .mark.{kind}{{fill:{colour}}}" for kind, colour in COLOURS.items())
)


def curve_chart(curve: Curve) -> str:
    """A curve as an inline drawing for a page, wide and narrow."""
    return both(lambda width: _drawn(curve, width))


def curve_file(curve: Curve) -> str:
    """A curve as an SVG file of its own."""
    text = str(_drawn(curve, 720.0))
    return text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(">", f"><style>{STYLE}</style>", 1) + "\n"


def _drawn(curve: Curve, width: float) -> Drawing:
    points = [point for series in curve.series for point in series.points]
    drawing = Drawing(width, 330 + 17 * len(curve.series), f"{curve.title}: {curve.y_name} against {curve.x_name}")
    bottom = 330 - 46
    ends = [
        end for point in points for end in (point.mean, point.low, point.high) if end is not None and (end > 0 or not curve.logarithmic_y)
    ]
    x = Scale.over([point.x for point in points], 56, width - 16, logarithmic=curve.logarithmic)
    y = Scale.over([*ends, *curve.levels.values()], bottom, 34, logarithmic=curve.logarithmic_y)
    axes(drawing, x, y, x_name=curve.x_name, y_name=curve.y_name)
    for name, value in curve.levels.items():
        drawing.line([(x.start, y(value)), (x.end, y(value))], "level curve teacher")
        drawing.text(x.end - 4, y(value) - 5, f"{name}: {short(value)}", "tick", anchor="end")
    for place, series in enumerate(curve.series):
        aside = 3.0 * (place - (len(curve.series) - 1) / 2)  # so that intervals at the same place do not cover each other
        drawing.line([(x(point.x) + aside, y(point.mean)) for point in series.points], f"span {series.kind}")
        for point in series.points:
            at = x(point.x) + aside
            if point.low is not None and point.high is not None:
                low = max(point.low, y.low) if curve.logarithmic_y else point.low
                drawing.line([(at, y(low)), (at, y(point.high))], f"span {series.kind}")
            drawing.mark(at, y(point.mean), 4.2, series.kind, f"{series.name}: {short(point.mean)} at {short(point.x)}")
        if sum(other.kind == series.kind for other in curve.series) > 1:  # lines of one colour are told apart by their names
            drawing.text(x(series.points[0].x) + aside + 8, y(series.points[0].mean) - 6, series.name, "tick")
        line = 330 + 17 * place
        drawing.mark(62, line - 4, 4.2, series.kind)
        drawing.text(76, line, series.name, "tick")
    return drawing
