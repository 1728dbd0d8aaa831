"""ReliabilityDisplay: is the student as often right as it says?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from tutelage.core.answers import of_classes, plain
from tutelage.core.errors import BadInput
from tutelage.evaluation.calibration import BINS, Binning, reliability_curve, top_label
from tutelage.evaluation.displays.canvas import FAINT, INK, TEACHER, TRUTH, canvas, draw_diagonal
from tutelage.evaluation.evaluate import evaluate
from tutelage.evaluation.evaluation import Evaluation
from tutelage.evaluation.records import ReliabilityCurve
from tutelage.evaluation.significance import proportion_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

STYLES = {"truth": (TRUTH, "o", "against the truth"), "teacher": (TEACHER, "s", "against the teacher")}


class ReliabilityDisplay:
    """Confidence in the top class against how often it is borne out, with the number of rows in each bin below.

    Prefer `from_evaluation`, `from_estimator` or `from_predictions`.

    Args:
        curves: "truth" and/or "teacher" to the curve against it.
        ece: the calibration error against each, for the legend.
        name: of the student, for the title.

    Attributes:
        ax_, figure_: the axes and figure, once drawn. counts_ax_: the axes of the row counts.
    """

    ax_: Axes
    counts_ax_: Axes
    figure_: Figure | SubFigure

    def __init__(self, curves: Mapping[str, ReliabilityCurve], *, ece: Mapping[str, float], name: str = "student") -> None:
        self.curves = curves
        self.ece = ece
        self.name = name

    @classmethod
    def from_evaluation(cls, evaluation: Evaluation, *, ax: Axes | None = None) -> ReliabilityDisplay:
        """Draw what `evaluate` measured.

        Raises:
            BadInput: a regression student, which gives no probabilities.
        """
        if not evaluation.reliability:
            raise BadInput("a regression student gives no probabilities, so there is no reliability to draw; see FidelityDisplay.")
        figures = {"truth": evaluation.against_truth, "teacher": evaluation.against_teacher}
        ece = {against: figures[against]["ece"].value for against in evaluation.reliability}
        return cls(evaluation.reliability, ece=ece, name=evaluation.student).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        teacher: Any = None,
        bins: int = BINS,
        binning: Binning = "equal-width",
        name: str | None = None,
        ax: Axes | None = None,
    ) -> ReliabilityDisplay:
        """Ask a student about X and draw; arguments as in `evaluate`."""
        measured = evaluate(estimator, teacher, X, y, bins=bins, binning=binning, name=name, resamples=100, budget_seconds=None)
        return cls.from_evaluation(measured, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        target: ArrayLike,
        student_probs: ArrayLike,
        *,
        classes: Sequence[Any] | None = None,
        against: Literal["truth", "teacher"] = "truth",
        bins: int = BINS,
        binning: Binning = "equal-width",
        name: str = "student",
        ax: Axes | None = None,
    ) -> ReliabilityDisplay:
        """Draw from answers at hand.

        Args:
            target: (rows,) labels, or (rows, classes) probabilities of the teacher in the same columns.
            student_probs: (rows, classes).
            classes: the label of each column; 0, 1, ... unless told.
            against: what the target is.
            bins: of confidence.
            binning: "equal-width" or "equal-mass".
            name: for the title.
            ax: to draw on.

        Raises:
            LabelMismatch: labels that are no class, or other rows. NotProbabilities: rows that are none.
        """
        said = np.asarray(student_probs)
        labels = tuple(range(said.shape[-1])) if classes is None else tuple(plain(label) for label in classes)
        form = of_classes("probabilities", labels)
        probs = form.check(said, len(said), "the student's probabilities")
        wanted = np.asarray(target)
        outcome = form.check(wanted, len(said), "the target") if wanted.ndim == 2 else form.truth_as_answers(wanted, len(probs))
        curve = reliability_curve(*top_label(outcome, probs), bins=bins, binning=binning)
        gaps = np.abs(np.subtract(curve.confidence, curve.outcome))
        ece = float(np.dot(curve.rows, gaps) / len(said))
        return cls({against: curve}, ece={against: ece}, name=name).plot(ax)

    def plot(self, ax: Axes | None = None) -> ReliabilityDisplay:
        """Draw on these axes, or on new ones; row counts go into a strip below them."""
        self.ax_, self.figure_ = canvas(ax, width=5.2, height=5.6)
        draw_diagonal(self.ax_, 0, 1)
        for against, curve in self.curves.items():
            self._draw_curve(against, curve)
        low = min(min(curve.low) for curve in self.curves.values())
        self.ax_.set(xlim=(low - 0.02, 1.02), ylim=(-0.02, 1.02), ylabel="how far it is borne out")
        self.ax_.set_title(f"Reliability of {self.name}", loc="left", color=INK)
        self.ax_.legend(frameon=False, loc="best")
        self.ax_.tick_params(labelbottom=False)
        self._draw_counts(next(iter(self.curves.values())))
        return self

    def _draw_curve(self, against: str, curve: ReliabilityCurve) -> None:
        colour, marker, told = STYLES[against]
        if against == "truth":  # the teacher's probabilities are no coin tosses, so Wilson says nothing of them
            spans = [proportion_interval(round(rate * rows), rows) for rate, rows in zip(curve.outcome, curve.rows, strict=True)]
            self.ax_.vlines(curve.confidence, [span.low for span in spans], [span.high for span in spans], color=colour, alpha=0.45)
        label = f"{told} (ECE {self.ece[against]:.3f})"
        self.ax_.plot(curve.confidence, curve.outcome, color=colour, marker=marker, markersize=5, linewidth=1.4, label=label)

    def _draw_counts(self, curve: ReliabilityCurve) -> None:
        self.counts_ax_ = self.ax_.inset_axes((0, -0.27, 1, 0.2), sharex=self.ax_)
        widths = np.subtract(curve.high, curve.low)
        self.counts_ax_.bar(curve.low, curve.rows, width=widths, align="edge", color=FAINT, edgecolor="white", linewidth=0.5)
        self.counts_ax_.set(xlabel="confidence of the student in its top class", ylabel="rows")
        for side in ("top", "right"):
            self.counts_ax_.spines[side].set_visible(False)
