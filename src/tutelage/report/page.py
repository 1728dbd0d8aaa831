"""The HTML report of a run: a single self-contained page, without network access or scripts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tutelage.core.errors import require
from tutelage.report import words
from tutelage.report.plots import arms_plot, regions_plot, scatter_plot
from tutelage.report.records import Figures, Matrix, RunRecord


@dataclass(frozen=True)
class Cell:
    """One cell of a heat map: its text, and the strength of its fill in [0, 1]."""

    text: str
    strength: float


def render_page(record: RunRecord, figures: Figures) -> str:
    """The report as HTML text, for narrow and wide screens, in a light and a dark theme; it loads no external resources.

    Args:
        record: the finished run.
        figures: the plots and matrices of the run.

    Raises:
        MissingExtra: jinja2 or matplotlib is not installed.
    """
    jinja2 = require("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tutelage.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals["words"] = words
    spent = words.time_spent(record)
    page: str = environment.get_template("page.html.j2").render(
        record=record,
        answer=words.answer(record),
        metric=record.headline,
        second=words.SECOND_METRIC[record.headline],
        arms_plot=arms_plot(record),
        regions=[(picture, regions_plot(picture, name=f"regions{place}")) for place, picture in enumerate(figures.regions)],
        scatters=[(picture, scatter_plot(picture, name=f"scatter{place}")) for place, picture in enumerate(figures.scatters)],
        matrices=[(matrix, heat_cells(matrix)) for matrix in figures.matrices],
        spent=spent,
        longest=max(seconds for _, seconds in spent) or 1.0,
    )
    return page


def heat_cells(matrix: Matrix) -> list[tuple[str, list[Cell]]]:
    """The rows of a heat map as (label, cells). The fill is the square root of the value, so that small shares are visible."""
    return [
        (label, [Cell(share(value), math.sqrt(min(max(value, 0.0), 1.0))) for value in row])
        for label, row in zip(matrix.labels, matrix.values, strict=True)
    ]


def share(value: float) -> str:
    """A share in per cent, short enough for a cell; empty below 0.05 %."""
    percent = 100 * value
    if percent < 0.05:
        return ""
    return f"{percent:.1f}" if percent < 9.95 else f"{percent:.0f}"
