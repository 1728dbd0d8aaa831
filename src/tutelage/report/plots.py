"""Plots as inline SVG in the colours of the page's light or dark theme."""

from __future__ import annotations

import io
import math
import re
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from tutelage.core.errors import require
from tutelage.report import words
from tutelage.report.records import Regions, RunRecord, Scatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Placeholder colours in matplotlib's output: replaced by the page's text colour and its CSS variables.
INK, ACCENT, FAINT = "#010203", "#020304", "#030405"
ON_PAGE = {INK: "currentColor", ACCENT: "var(--accent)", FAINT: "var(--faint)"}


def arms_plot(record: RunRecord) -> str:
    """The headline metric of every arm as SVG text: a faint dot per seed, the mean and its interval."""
    arms = record.arms[::-1]
    figure, (axes,) = _figure(1, 1, width=7.2, height=0.6 + 0.34 * len(arms))
    scale = 100 if record.headline == "test_accuracy" else 1
    for place, arm in enumerate(arms):
        seeds = np.array(arm.scores[record.headline]) * scale
        axes.plot(seeds, np.full(len(seeds), place - 0.24), "o", color=FAINT, markersize=3.5, markeredgewidth=0)
        if arm.interval is not None:
            axes.plot([arm.interval.low * scale, arm.interval.high * scale], [place, place], color=ACCENT, linewidth=2.4)
        axes.plot([seeds.mean()], [place], "o", color=ACCENT, markersize=7, markeredgewidth=0)
    axes.set_yticks(range(len(arms)), [arm.name for arm in arms])
    axes.set_ylim(-0.6, len(arms) - 0.4)
    axes.set_xlabel(words.METRIC_NAMES[record.headline] + (" on test rows, %" if scale == 100 else " on test rows"))
    axes.grid(visible=True, axis="x", color=INK, alpha=0.12, linewidth=0.8)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return _svg(figure, "arms", f"{words.METRIC_NAMES[record.headline]} of every arm with its interval")


def regions_plot(regions: Regions, *, name: str) -> str:
    """Decision regions side by side as SVG text: probability of class 1 as colour, its 0.5 contour, and the training points."""
    figure, panels = _figure(1, len(regions.panels), width=3.3 * len(regions.panels), height=2.9)
    points = np.array(regions.points)
    for axes, panel in zip(panels, regions.panels, strict=True):
        values = np.array(panel.values)
        extent = (regions.x[0], regions.x[-1], regions.y[0], regions.y[-1])
        axes.imshow(values, extent=extent, origin="lower", cmap="RdBu", vmin=0, vmax=1, aspect="auto", alpha=0.75, interpolation="nearest")
        if values.min() < 0.5 < values.max():
            axes.contour(regions.x, regions.y, values, levels=[0.5], colors=[INK], linewidths=0.9)
        for label, colour in ((0, "#b2182b"), (1, "#2166ac")):
            of_class = points[points[:, 2] == label]
            axes.plot(of_class[:, 0], of_class[:, 1], "o", color=colour, markersize=1.8, markeredgewidth=0, alpha=0.9)
        axes.set_title(panel.title, fontsize=10, color=INK)
        axes.set_xticks([])
        axes.set_yticks([])
    return _svg(figure, name, regions.title)


def scatter_plot(scatter: Scatter, *, name: str) -> str:
    """Predictions against ground truth as SVG text: one panel per model, with the line of equality."""
    columns = min(len(scatter.panels), 2)
    rows = math.ceil(len(scatter.panels) / columns)
    figure, panels = _figure(rows, columns, width=3.4 * columns, height=3.1 * rows)
    every = np.concatenate([np.array(pairs) for pairs in scatter.panels.values()])
    low, high = float(every.min()), float(every.max())
    for axes, (title, pairs) in zip(panels, scatter.panels.items(), strict=False):
        points = np.array(pairs)
        axes.plot([low, high], [low, high], color=INK, alpha=0.4, linewidth=1)
        axes.plot(points[:, 0], points[:, 1], "o", color=ACCENT, markersize=2.4, markeredgewidth=0, alpha=0.6)
        axes.set_title(title, fontsize=10, color=INK)
        axes.set_xlabel("measured")
        axes.set_ylabel("predicted")
    for axes in panels[len(scatter.panels) :]:
        axes.set_visible(False)
    return _svg(figure, name, scatter.title)


def _figure(rows: int, columns: int, *, width: float, height: float) -> tuple[Figure, list[Axes]]:
    require("matplotlib")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    panels: list[Axes] = [figure.add_subplot(rows, columns, place + 1) for place in range(rows * columns)]
    for axes in panels:
        axes.patch.set_visible(False)
        axes.tick_params(colors=INK, labelsize=9, width=0.6)
        axes.xaxis.label.set_color(INK)
        axes.yaxis.label.set_color(INK)
        for side, spine in axes.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_color(INK)
            spine.set_linewidth(0.6)
    return figure, panels


def _svg(figure: Figure, name: str, label: str) -> str:
    """The figure as an SVG element: transparent, with text as text, reproducible bytes and unique ids."""
    import matplotlib as mpl

    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": name, "font.family": "sans-serif"}
    written = io.StringIO()
    with mpl.rc_context(settings):
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # A page holds multiple figures: the figure's name makes matplotlib's ids (axes_1, ...) unique.
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'(xlink:href="|url\()#', rf"\1#{name}-", svg)
    for placeholder, colour in ON_PAGE.items():
        svg = svg.replace(placeholder, colour)
    # Without matplotlib's fixed width and height, the figure scales with the page.
    head, rest = svg.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{escape(label)}">{rest}'.replace("font-family: sans-serif", "font-family: inherit").strip()
