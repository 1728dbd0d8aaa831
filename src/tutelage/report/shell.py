"""The frame that every report shares: one self-contained page, which may load nothing from a network, for any width, light and dark."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tutelage.core.errors import printable, require
from tutelage.report.svg import Drawing
from tutelage.report.words import counted, heading

NO_SCRIPTS = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""What the browser may do with a page: show its own styles and pictures, load nothing, send nothing, run nothing."""


@dataclass(frozen=True)
class Cell:
    """One cell of a heat map: its text, and the strength of its fill in [0, 1]."""

    text: str
    strength: float


@dataclass(frozen=True)
class Drawn:
    """Text that is written to the page as it is, such as a chart as SVG; false if there is nothing."""

    svg: str

    def __html__(self) -> str:
        return self.svg

    def __bool__(self) -> bool:
        return bool(self.svg)


def render(template: str, *, policy: str = NO_SCRIPTS, **values: Any) -> str:
    """A page as HTML text; by a template .md.j2, as Markdown.

    Of HTML, every text among the values is escaped; of both, characters that control the direction of writing are written out.

    Args:
        template: its name in this folder.
        policy: the Content-Security-Policy of the page.
        values: by the names that the template uses.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    jinja2 = require("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tutelage.report", "."),
        autoescape=not template.endswith(".md.j2"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
    )
    environment.filters.update(heading=heading, as_number=lambda name: (name, True), cell=markdown_cell)
    environment.globals.update(icon=icon, heat_cells=heat_cells, counted=counted)
    page: str = environment.get_template(template).render(policy=policy, **values)
    return page


def icon(kind: str) -> Drawn:
    """The mark of a kind of arm, for a legend."""
    drawing = Drawing(16, 16, "")
    if kind in ("limit", "front", "equal", "curve teacher", "curve chosen"):
        drawing.line([(0, 8), (16, 8)], kind)
    elif kind in ("trial", "point class0", "point class1"):
        drawing.circle(8, 8, 4.5, kind)
    else:
        drawing.mark(8, 8, 4.5, kind)
    return Drawn(str(drawing))


def heat_cells(labels: tuple[str, ...], values: tuple[tuple[float, ...], ...]) -> list[tuple[str, list[Cell]]]:
    """The rows of a heat map as (label, cells). The fill is the square root of the value, so that small shares are visible."""
    return [
        (label, [Cell(share(value), math.sqrt(min(max(value, 0.0), 1.0))) for value in row])
        for label, row in zip(labels, values, strict=True)
    ]


def share(value: float) -> str:
    """A share in per cent, short enough for a cell; empty below 0.05 %."""
    percent = 100 * value
    if percent < 0.05:
        return ""
    return f"{percent:.1f}" if percent < 9.95 else f"{percent:.0f}"


def markdown_cell(text: object) -> str:
    """Text as it stands in a cell of a Markdown table."""
    return str(text).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _shown(value: Any) -> Any:
    return printable(value) if type(value) is str else value
