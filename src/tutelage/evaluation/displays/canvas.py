"""Axes shared by all displays, new ones or the caller's, in one style."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tutelage.core.errors import BadInput, require, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

AS_WRITTEN: dict[str, Any] = {"parse_math": False}
"""Arguments of a text that shows names as they are: a dollar sign in a name starts no formula."""

TRUTH, TEACHER, INK, FAINT = "#1f6f8b", "#d1603d", "#333333", "#b8b8b8"


def canvas(ax: Axes | None, *, width: float, height: float) -> tuple[Axes, Figure | SubFigure]:
    """The axes to draw on and their figure: the given axes, or new ones of this size in inches.

    Raises:
        MissingExtra: matplotlib is not installed. BadInput: no axes.
    """
    require("matplotlib")
    if ax is not None and not hasattr(ax, "spines"):
        raise BadInput(f"ax is {shown(ax)}; expected matplotlib Axes, or None for new ones.")
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    return ax, ax.figure


def draw_diagonal(ax: Axes, low: float, high: float, *, above: bool = False) -> None:
    """Draw the diagonal on which both axes are equal, behind everything else or above it."""
    ax.plot([low, high], [low, high], color=FAINT, linewidth=1, linestyle=(0, (4, 3)), zorder=3 if above else 0)


def draw_colour_bar(image: Any, ax: Axes, label: str) -> None:
    """Draw a colour bar next to the axes that explains the image's colours."""
    bar: Any = ax.figure.colorbar(image, ax=ax, shrink=0.7, label=label)
    bar.outline.set_visible(False)
