"""A transfer curve: fidelity by number of transfer rows, as a record and as a plot in scikit-learn's Display convention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from tutelage.core.arguments import one_of_type
from tutelage.core.errors import require
from tutelage.core.records import Interval
from tutelage.evaluation.displays.canvas import AS_WRITTEN

Measure = Literal["kl_nats", "agreement", "rmse"]

AXIS = {
    "kl_nats": "mean KL from the teacher, nats (lower is closer)",
    "agreement": "agreement with the teacher (higher is closer)",
    "rmse": "RMSE against the teacher (lower is closer)",
}


@dataclass(frozen=True)
class TransferPoint:
    """The fidelity at one number of transfer rows.

    Attributes:
        rows: number of transfer rows.
        scores: "agreement" and "kl_nats" (mean KL divergence of the student from the teacher), or "rmse", on the
            validation rows; means over seeds.
        intervals: 95 % interval of each score, over seeds and validation rows.
    """

    rows: int
    scores: Mapping[str, float]
    intervals: Mapping[str, Interval]


@dataclass(frozen=True)
class TransferCurve:
    """Fidelity to the teacher by number of transfer rows.

    Attributes:
        points: one for each number of transfer rows, ascending; numbers after the stop were not measured.
        measure: the measure that determined the choice.
        chosen_rows: the number of transfer rows beyond which more gave no demonstrable gain.
        stopped_because: the reason for the choice, as a sentence.
        transfer: repr of the `Transfer` that generated the rows.
        training_rows: number of training rows.
        validation_rows: number of validation rows.
        seeds: seeds of the transfer rows and of the students.
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
        """Plot the curve; see `TransferCurveDisplay`."""
        return TransferCurveDisplay(self).plot(ax=ax)


class TransferCurveDisplay:
    """Plot of fidelity by number of transfer rows, with 95 % intervals and a mark at the chosen number.

    Args:
        curve: a `TransferCurve`, as returned by `transfer_curve`.

    Attributes:
        ax_: matplotlib axes of the plot.
        figure_: matplotlib figure of the plot.
        errorbar_: the points with their intervals.
        chosen_: the ring around the chosen point.

    Example:
        >>> import tutelage as tl
        >>> from matplotlib.figure import Figure
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> X, y = load_iris(return_X_y=True)
        >>> teacher = LogisticRegression(max_iter=1000).fit(X, y)
        >>> noise = tl.transfer.UniformNoise()
        >>> curve = tl.transfer_curve(teacher, tl.SoftTree(), X[::2], transfer=noise, validation=X[1::2], rows=(0, 100), seeds=2)
        >>> display = tl.displays.TransferCurveDisplay.from_curve(curve, ax=Figure().subplots())
        >>> [tick.get_text() for tick in display.ax_.get_xticklabels()]
        ['0', '100']
    """

    def __init__(self, curve: TransferCurve) -> None:
        self.curve = one_of_type("curve", curve, TransferCurve, "what tutelage.transfer_curve returns")

    @classmethod
    def from_curve(cls, curve: TransferCurve, *, ax: Any = None, measure: Measure | None = None) -> Self:
        """Create the display and plot it."""
        return cls(curve).plot(ax=ax, measure=measure)

    def plot(self, *, ax: Any = None, measure: Measure | None = None) -> Self:
        """Plot on `ax`, or on a new figure.

        Args:
            ax: matplotlib axes.
            measure: a measure of the curve's points; by default the one that determined the choice.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        if ax is None:
            ax = require("matplotlib.pyplot").figure(figsize=(6.0, 3.8), layout="constrained").subplots()
        points, name = self.curve.points, measure or self.curve.measure
        positions = range(len(points))
        scores = [point.scores[name] for point in points]
        below = [point.scores[name] - point.intervals[name].low for point in points]
        above = [point.intervals[name].high - point.scores[name] for point in points]
        self.errorbar_ = ax.errorbar(positions, scores, yerr=[below, above], fmt="o-", capsize=3, label=self.curve.transfer)
        chosen = next(index for index, point in enumerate(points) if point.rows == self.curve.chosen_rows)
        ring = {"linestyle": "none", "marker": "o", "markersize": 14, "markerfacecolor": "none", "markeredgecolor": "C1"}
        label = f"chosen by {self.curve.measure}: {self.curve.chosen_rows:,} rows"
        (self.chosen_,) = ax.plot([chosen], [scores[chosen]], markeredgewidth=2, label=label, **ring)
        ax.set_xticks(list(positions), [f"{point.rows:,}" for point in points])
        ax.set(xlabel=f"transfer rows added to {self.curve.training_rows:,} training rows", ylabel=AXIS[name])
        for text in ax.legend(frameon=False).get_texts():
            text.set(**AS_WRITTEN)
        ax.grid(visible=True, axis="y", linewidth=0.5, color="0.85")
        ax.spines[["top", "right"]].set_visible(False)
        self.ax_, self.figure_ = ax, ax.figure
        return self
