"""Drawings as inline SVG in the colours of the page, once for wide screens and once for narrow ones."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import printable

WIDE, NARROW = 720, 360
"""Widths in pixels; text has the same size in both."""
LARGER = 1.3
"""How much larger a drawing may be shown."""


class Drawing:
    """One SVG element while it is drawn. Coordinates are pixels from the upper left; classes are those of the page's style sheet."""

    def __init__(self, width: float, height: float, label: str) -> None:
        self.width, self.height, self.label = width, height, label
        self._parts: list[str] = []

    def __str__(self) -> str:
        size = f'viewBox="0 0 {_number(self.width)} {_number(self.height)}" style="max-width: {_number(LARGER * self.width)}px"'
        head = f'<svg {size} role="img" aria-label="{_escaped(self.label)}">'
        return "".join([head, *self._parts, "</svg>"])

    def text(self, x: float, y: float, text: str, kind: str = "", *, anchor: str = "start") -> None:
        """A line of text on the baseline y."""
        self._parts.append(f'<text x="{_number(x)}" y="{_number(y)}" text-anchor="{anchor}"{_class(kind)}>{_escaped(text)}</text>')

    def below(self, x: float, y: float, text: str) -> None:
        """The value of a tick below an axis, moved inwards where it would leave the drawing."""
        half = 4.0 * len(text)
        self.text(min(max(x, half), self.width - half), y, text, "tick", anchor="middle")

    def line(self, points: Sequence[tuple[float, float]], kind: str) -> None:
        """A line through points."""
        path = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
        self._parts.append(f'<polyline points="{path}"{_class(kind)}/>')

    def circle(self, x: float, y: float, radius: float, kind: str, title: str = "") -> None:
        """A disc; the title is shown when pointed at."""
        self._mark(f'circle cx="{_number(x)}" cy="{_number(y)}" r="{_number(radius)}"{_class(kind)}', "circle", title)

    def mark(self, x: float, y: float, size: float, kind: str, title: str = "") -> None:
        """The mark of a kind of arm: a disc for students, a square for baselines, a diamond for controls, a triangle for the teacher."""
        shapes: dict[str, list[tuple[float, float]]] = {
            "baseline": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
            "control": [(0, -1.35), (1.35, 0), (0, 1.35), (-1.35, 0)],
            "teacher": [(0, -1.3), (1.3, 1), (-1.3, 1)],
        }
        corners = shapes.get(kind.split(maxsplit=1)[0])
        if corners is None:
            self.circle(x, y, size, f"mark {kind}", title)
            return
        path = " ".join(f"{_number(x + size * dx)},{_number(y + size * dy)}" for dx, dy in corners)
        self._mark(f'polygon points="{path}"{_class(f"mark {kind}")}', "polygon", title)

    def image(self, x: float, y: float, width: float, height: float, pixels: NDArray[np.uint8]) -> None:
        """A picture, stretched to a rectangle."""
        place = f'x="{_number(x)}" y="{_number(y)}" width="{_number(width)}" height="{_number(height)}"'
        self._parts.append(f'<image {place} preserveAspectRatio="none" href="{png(pixels)}"/>')

    def _mark(self, head: str, element: str, title: str) -> None:
        self._parts.append(f"<{head}><title>{_escaped(title)}</title></{element}>" if title else f"<{head}/>")


@dataclass(frozen=True)
class Scale:
    """From values to pixels along one axis.

    Attributes:
        low, high: the values at its ends.
        start, end: the pixels there.
        logarithmic: whether equal factors are equally far apart.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float, *, logarithmic: bool = False, margin: float = 0.06) -> Scale:
        """A scale that holds all values, with a margin."""
        low, high = min(values), max(values)
        if logarithmic:
            low, high = math.log10(low), math.log10(high)
        if high - low < 1e-12:
            low, high = low - 0.5 * (abs(low) or 1) * 0.1, high + 0.5 * (abs(high) or 1) * 0.1
        low, high = low - margin * (high - low), high + margin * (high - low)
        if logarithmic:
            low, high = 10**low, 10**high
        return cls(low, high, start, end, logarithmic)

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        low, high, at = (math.log10(each) if self.logarithmic else each for each in (self.low, self.high, value))
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """Round values between the ends, `most` at most, about."""
        if self.logarithmic:
            return self._decades(most)
        step = _round_step((self.high - self.low) / max(most, 1))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(step * place, 12) for place in range(first, last + 1)]

    def _decades(self, most: int) -> list[float]:
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        found: list[float] = []
        for factors in ((1, 2, 5), (1, 3), (1,)):
            found = [factor * 10.0**decade for decade in decades for factor in factors]
            found = [value for value in found if self.low <= value <= self.high]
            if len(found) <= most:
                break
        if len(found) < 2:
            return Scale(self.low, self.high, self.start, self.end).ticks(most)
        return found[:: math.ceil(len(found) / most)]


def axes(drawing: Drawing, x: Scale, y: Scale, *, x_name: str, y_name: str, x_text: Any = None, y_text: Any = None) -> None:
    """Grid, ticks and names of two axes: the name of the vertical one above it, that of the horizontal one below it."""
    across = max(3, int(abs(x.end - x.start) // 75))
    for value in x.ticks(across):
        drawing.line([(x(value), y.start), (x(value), y.end)], "grid")
        drawing.below(x(value), y.start + 17, (x_text or short)(value))
    for value in y.ticks(5):
        drawing.line([(x.start, y(value)), (x.end, y(value))], "grid")
        drawing.text(x.start - 7, y(value) + 4, (y_text or short)(value), "tick", anchor="end")
    drawing.text(x.end, y.start + 36, x_name, "axis", anchor="end")
    drawing.text(4, y.end - 12, y_name, "axis")


def both(draw: Callable[[float], Drawing]) -> str:
    """The drawing at both widths; the style sheet shows the one that fits."""
    return f'<div class="for-wide">{draw(WIDE)}</div><div class="for-narrow">{draw(NARROW)}</div>'


def short(value: float) -> str:
    """A number with few digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def png(pixels: NDArray[np.uint8]) -> str:
    """A picture as the address of a PNG file inside the page.

    Args:
        pixels: (height, width) grey, or (height, width, 3) colours.
    """
    colours = 2 if pixels.ndim == 3 else 0
    lines = np.ascontiguousarray(pixels, dtype=np.uint8).reshape(len(pixels), -1)
    raw = b"".join(b"\0" + line.tobytes() for line in lines)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, colours, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, content in ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b"")):
        parts.append(struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content)))
    return "data:image/png;base64," + base64.b64encode(b"".join(parts)).decode()


def _round_step(step: float) -> float:
    """The next of 1, 2, 5, 10, ... times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _escaped(text: str) -> str:
    return escape(printable(str(text)))


def _class(kind: str) -> str:
    return f' class="{escape(kind)}"' if kind else ""
