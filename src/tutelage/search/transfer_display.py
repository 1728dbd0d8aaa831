"""A transfer curve: fidelity against made rows as a record, and its picture in scikit-learn's Display convention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from tutelage.core.errors import require
from tutelage.core.records import Interval

Measure = Literal["kl_nats", "agreement", "rmse"]

AXIS = {
    "kl_nats": "mean KL from the teacher, nats (lower is closer)",
    "agreement": "agreement with the teacher (higher is closer)",
    "rmse": "RMSE against the teacher (lower is closer)",
}


@dataclass(frozen=True)
class TransferPoint:
    """One amount of made rows.

    Attributes:
        rows: how many were made.
        scores: "agreement" and "kl_nats" (mean KL from teacher to student), or "rmse", on the validation rows, means
            over seeds.
        intervals: of each score, over seeds and validation rows.
    """

    rows: int
    scores: Mapping[str, float]
    intervals: Mapping[str, Interval]


@dataclass(frozen=True)
class TransferCurve:
    """Fidelity to the teacher against made rows.

    Attributes:
        points: by number of made rows; those after the stop were not measured.
        measure: by which it was judged.
        chosen_rows: the fewest made rows after which more brought nothing that could be shown.
        stopped_because: the sentence behind the choice.
        transfer: what made the rows.
        training_rows, validation_rows, seeds: on what it was measured.
    """

    points: tuple[TransferPoint, ...]
    measure: Measure
    chosen_rows: int
    stopped_because: str
    transfer: str
    training_rows: int
    validation_rows: int
    seeds: tuple[int, ...]

    def plot(self, *, ax: Any = None) -> TransferCurveDisplay:
        """Draw it; see `TransferCurveDisplay`."""
        return TransferCurveDisplay(self).plot(ax=ax)


class TransferCurveDisplay:
    """Fidelity against made rows, with 95 % intervals and the amount that was chosen.

    Args:
        curve: as `transfer_curve` gives it.

    Attributes:
        ax_, figure_: where it was drawn. errorbar_: the points with their intervals. chosen_: the ring around the choice.
    """

    def __init__(self, curve: TransferCurve) -> None:
        self.curve = curve

    @classmethod
    def from_curve(cls, curve: TransferCurve, *, ax: Any = None, measure: Measure | None = None) -> Self:
        """Make and draw at once."""
        return cls(curve).plot(ax=ax, measure=measure)

    def plot(self, *, ax: Any = None, measure: Measure | None = None) -> Self:
        """Draw on `ax`, or on a new figure.

        Args:
            ax: matplotlib axes.
            measure: one that the curve's points have; by default the one it was judged by.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        if ax is None:
            ax = require("matplotlib.pyplot").figure(figsize=(6.0, 3.8), layout="constrained").subplots()
        points, name = self.curve.points, measure or self.curve.measure
        places = range(len(points))
        scores = [point.scores[name] for point in points]
        below = [point.scores[name] - point.intervals[name].low for point in points]
        above = [point.intervals[name].high - point.scores[name] for point in points]
        self.errorbar_ = ax.errorbar(places, scores, yerr=[below, above], fmt="o-", capsize=3, label=self.curve.transfer)
        place = next(index for index, point in enumerate(points) if point.rows == self.curve.chosen_rows)
        ring = {"linestyle": "none", "marker": "o", "markersize": 14, "markerfacecolor": "none", "markeredgecolor": "C1"}
        label = f"chosen by {self.curve.measure}: {self.curve.chosen_rows:,} rows"
        (self.chosen_,) = ax.plot([place], [scores[place]], markeredgewidth=2, label=label, **ring)
        ax.set_xticks(list(places), [f"{point.rows:,}" for point in points])
        ax.set(xlabel=f"made rows, beside {self.curve.training_rows:,} training rows", ylabel=AXIS[name])
        ax.legend(frameon=False)
        ax.grid(visible=True, axis="y", linewidth=0.5, color="0.85")
        ax.spines[["top", "right"]].set_visible(False)
        self.ax_, self.figure_ = ax, ax.figure
        return self
