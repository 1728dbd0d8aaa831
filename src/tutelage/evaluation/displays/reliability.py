"""ReliabilityDisplay: a reliability diagram of the student's confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from tutelage.core.answers import labels_of, of_classes
from tutelage.core.arguments import choice, one_of_type, text
from tutelage.core.arrays import as_matrix, unmasked
from tutelage.core.errors import BadInput, shown
from tutelage.evaluation.displays.canvas import AS_WRITTEN, FAINT, INK, TEACHER, TRUTH, canvas, draw_diagonal
from tutelage.evaluation.evaluate import evaluate
from tutelage.evaluation.evaluation import Evaluation
from tutelage.evaluation.intervals import proportion_interval
from tutelage.evaluation.metrics.calibration import BINS, Binning, ReliabilityCurve, reliability_curve, top_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

STYLES = {"truth": (TRUTH, "o", "against the truth"), "teacher": (TEACHER, "s", "against the teacher")}


class ReliabilityDisplay:
    """Reliability diagram: the student's confidence in its top class against the observed outcome, with the row counts below.

    Create it with `from_evaluation`, `from_estimator` or `from_predictions`.

    Args:
        curves: one curve for each of "truth" and "teacher", or for one of them.
        ece: the calibration error against each, for the legend.
        name: name of the student, for the title.
        counted: what the curves count: "rows", or "tokens" or "pixels", which have no interval, as those of a row are not independent.

    Attributes:
        ax_, figure_: the axes and figure, after drawing. counts_ax_: the axes of the row counts.

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> from matplotlib.figure import Figure
        >>> y, probs = np.array([1, 0, 1, 1]), np.array([[0.36, 0.64], [0.34, 0.66], [0.05, 0.95], [0.05, 0.95]])
        >>> display = tl.displays.ReliabilityDisplay.from_predictions(y, probs, bins=10, ax=Figure().subplots())
        >>> print(f"{display.ece['truth']:.3f}", display.ax_.get_title(loc="left"))
        0.100 Reliability of student
    """

    ax_: Axes
    counts_ax_: Axes
    figure_: Figure | SubFigure

    def __init__(
        self, curves: Mapping[str, ReliabilityCurve], *, ece: Mapping[str, float], name: str = "student", counted: str = "rows"
    ) -> None:
        if not isinstance(curves, Mapping) or not curves or not set(curves) <= set(STYLES):
            raise BadInput(f"curves is {shown(curves)}; expected a reliability curve for 'truth', 'teacher' or both.")
        self.curves = curves
        self.ece = ece
        self.name = text("name", name)
        self.counted = text("counted", counted)

    @classmethod
    def from_evaluation(cls, evaluation: Evaluation, *, ax: Axes | None = None) -> ReliabilityDisplay:
        """Draw the reliability curves of an evaluation.

        Raises:
            BadInput: a regression student, which has no probabilities.
        """
        one_of_type("evaluation", evaluation, Evaluation, "what tutelage.evaluate returns")
        if not evaluation.reliability:
            raise BadInput("a regression student has no probabilities, so it has no reliability curve; use FidelityDisplay instead.")
        figures = {"truth": evaluation.against_truth, "teacher": evaluation.against_teacher}
        ece = {against: figures[against]["ece"].value for against in evaluation.reliability}
        return cls(evaluation.reliability, ece=ece, name=evaluation.student, counted=evaluation.positions or "rows").plot(ax)

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
        """Evaluate a student on X and draw; arguments as for `evaluate`."""
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
        """Draw from predictions.

        Args:
            target: (rows,) true classes, or (rows, classes) probabilities of the teacher with the same columns.
            student_probs: (rows, classes) probabilities of the student.
            classes: the class of each column; 0, 1, ... by default.
            against: whether the target is the truth or the teacher.
            bins: number of confidence bins.
            binning: "equal-width" or "equal-mass".
            name: name of the student, for the title.
            ax: axes to draw on; new ones by default.

        Raises:
            LabelMismatch: a true class that is not among the classes, or a different number of rows. NotProbabilities: rows
                that are not probabilities.
        """
        choice("against", against, tuple(STYLES))
        outputs = as_matrix(student_probs, "the student's probabilities")
        names = tuple(range(outputs.shape[1])) if classes is None else labels_of(classes)
        form = of_classes("probabilities", names)
        probs = form.check(outputs, len(outputs), "the student's probabilities")
        targets = unmasked(target, "the target")
        outcome = form.check(targets, len(outputs), "the target") if targets.ndim == 2 else form.truth_as_answers(targets, len(probs))
        curve = reliability_curve(*top_label(outcome, probs), bins=bins, binning=binning)
        gaps = np.abs(np.subtract(curve.confidence, curve.outcome))
        ece = float(np.dot(curve.rows, gaps) / len(outputs))
        return cls({against: curve}, ece={against: ece}, name=name).plot(ax)

    def plot(self, ax: Axes | None = None) -> ReliabilityDisplay:
        """Draw on the given axes, or on new ones; a strip below them shows the row counts."""
        self.ax_, self.figure_ = canvas(ax, width=5.2, height=5.6)
        draw_diagonal(self.ax_, 0, 1)
        for against, curve in self.curves.items():
            self._draw_curve(against, curve)
        low = min(min(curve.low) for curve in self.curves.values())
        self.ax_.set(xlim=(low - 0.02, 1.02), ylim=(-0.02, 1.02), ylabel="observed outcome")
        self.ax_.set_title(f"Reliability of {self.name}", loc="left", color=INK, **AS_WRITTEN)
        self.ax_.legend(frameon=False, loc="best")
        self.ax_.tick_params(labelbottom=False)
        self._draw_counts(next(iter(self.curves.values())))
        return self

    def _draw_curve(self, against: str, curve: ReliabilityCurve) -> None:
        colour, marker, description = STYLES[against]
        if against == "truth" and self.counted == "rows":  # Wilson's interval needs independent outcomes of 0 or 1
            spans = [proportion_interval(round(rate * rows), rows) for rate, rows in zip(curve.outcome, curve.rows, strict=True)]
            self.ax_.vlines(curve.confidence, [span.low for span in spans], [span.high for span in spans], color=colour, alpha=0.45)
        label = f"{description} (ECE {self.ece[against]:.3f})"
        self.ax_.plot(curve.confidence, curve.outcome, color=colour, marker=marker, markersize=5, linewidth=1.4, label=label)

    def _draw_counts(self, curve: ReliabilityCurve) -> None:
        self.counts_ax_ = self.ax_.inset_axes((0, -0.27, 1, 0.2), sharex=self.ax_)
        widths = np.subtract(curve.high, curve.low)
        self.counts_ax_.bar(curve.low, curve.rows, width=widths, align="edge", color=FAINT, edgecolor="white", linewidth=0.5)
        self.counts_ax_.set(xlabel="confidence of the student in its top class", ylabel=self.counted)
        for side in ("top", "right"):
            self.counts_ax_.spines[side].set_visible(False)
