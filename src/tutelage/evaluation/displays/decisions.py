"""AgreementDisplay: a matrix of the teacher's decisions against the student's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from tutelage.core.answers import of_classes
from tutelage.core.arguments import one_of_type, text
from tutelage.core.errors import BadInput, ShapeError
from tutelage.evaluation.displays.canvas import AS_WRITTEN, INK, canvas, draw_colour_bar
from tutelage.evaluation.evaluate import evaluate
from tutelage.evaluation.evaluation import Evaluation
from tutelage.evaluation.metrics.agreement import decision_counts, shares

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

MOST_WRITTEN = 12
"""With more classes the shares are shown by colour only."""


class AgreementDisplay:
    """The student's decisions for each decision of the teacher, as a matrix whose rows sum to one.

    Create it with `from_evaluation`, `from_estimator` or `from_predictions`.

    Args:
        counts: (classes, classes) number of data rows by the teacher's decision (row) and the student's (column).
        classes: the name of each class.
        name: name of the student, for the title.

    Attributes:
        ax_, figure_: the axes and figure, after drawing. shares: (classes, classes), the values drawn.

    Example:
        >>> import tutelage as tl
        >>> from matplotlib.figure import Figure
        >>> teacher, student = ["no", "no", "yes", "yes"], ["no", "yes", "yes", "yes"]
        >>> display = tl.displays.AgreementDisplay.from_predictions(teacher, student, classes=["no", "yes"], ax=Figure().subplots())
        >>> print(display.ax_.get_title(loc="left"))
        student: agreement 75.0 %
        >>> display.shares
        array([[0.5, 0.5],
               [0. , 1. ]])
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(self, counts: ArrayLike, classes: Sequence[Any], *, name: str = "student") -> None:
        self.counts = np.asarray(counts)
        self.classes = tuple(classes)
        self.name = text("name", name)
        if self.counts.shape != (len(self.classes),) * 2:
            raise ShapeError(f"counts have shape {self.counts.shape}; expected a square, one row for each of {len(self.classes)} classes.")
        self.shares = shares(self.counts)

    @classmethod
    def from_evaluation(cls, evaluation: Evaluation, *, ax: Axes | None = None) -> AgreementDisplay:
        """Draw the decisions of an evaluation.

        Raises:
            BadInput: no teacher, more than 100 classes, or a task without one class per row.
        """
        one_of_type("evaluation", evaluation, Evaluation, "what tutelage.evaluate returns")
        if evaluation.decisions is None:
            raise BadInput(
                "this evaluation has no table of decisions, which needs a teacher, one class per row and at most 100 classes; "
                "use FidelityDisplay instead."
            )
        return cls(evaluation.decisions, evaluation.classes, name=evaluation.student).plot(ax)

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, *, teacher: Any, name: str | None = None, ax: Axes | None = None) -> AgreementDisplay:
        """Evaluate a student against its teacher on X and draw; arguments as for `evaluate`."""
        return cls.from_evaluation(evaluate(estimator, teacher, X, name=name, resamples=100, budget_seconds=None), ax=ax)

    @classmethod
    def from_predictions(
        cls, teacher_labels: ArrayLike, student_labels: ArrayLike, *, classes: Sequence[Any], name: str = "student", ax: Axes | None = None
    ) -> AgreementDisplay:
        """Draw from predicted classes.

        Args:
            teacher_labels: (rows,) the teacher's decisions.
            student_labels: (rows,) the student's decisions for the same rows.
            classes: all classes, in the order to draw them.
            name: name of the student, for the title.
            ax: axes to draw on; new ones by default.

        Raises:
            LabelMismatch: a decision that is not among the classes. ShapeError: a different number of rows.
        """
        form = of_classes("probabilities", classes)
        teacher, student, known = form.codes(teacher_labels), form.codes(student_labels), form.classes
        if len(teacher) != len(student):
            raise ShapeError(
                f"there are {len(teacher)} decisions of the teacher and {len(student)} of the student; expected the same rows."
            )
        return cls(decision_counts(teacher, student, len(known)), known, name=name).plot(ax)

    def plot(self, ax: Axes | None = None) -> AgreementDisplay:
        """Draw on the given axes, or on new ones."""
        classes = len(self.classes)
        side = float(np.clip(1.6 + 0.55 * classes, 4.0, 8.0))
        self.ax_, self.figure_ = canvas(ax, width=side, height=side)
        image = self.ax_.imshow(self.shares, cmap="Blues", vmin=0, vmax=1)
        if classes <= MOST_WRITTEN:
            self._write_shares()
        else:
            draw_colour_bar(image, self.ax_, "share of the rows with this decision of the teacher")
        names = [str(label) for label in self.classes]
        if classes <= 30:
            long = max(map(len, names)) > 4
            rotation: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if long else {}
            self.ax_.set_xticks(range(classes), names, **rotation, **AS_WRITTEN)
            self.ax_.set_yticks(range(classes), names, **AS_WRITTEN)
        self.ax_.tick_params(length=0)
        self.ax_.spines[:].set_visible(False)
        unit = " (% of the row)" if classes <= MOST_WRITTEN else ""
        self.ax_.set(xlabel=f"student's decision{unit}", ylabel="teacher's decision")
        agreed = np.trace(self.counts) / max(self.counts.sum(), 1)
        self.ax_.set_title(f"{self.name}: agreement {100 * agreed:.1f} %", loc="left", color=INK, **AS_WRITTEN)
        return self

    def _write_shares(self) -> None:
        for (row, column), share in np.ndenumerate(self.shares):
            if share > 0:
                text = f"{100 * share:.0f}" if share >= 0.005 else "<1"
                self.ax_.text(column, row, text, ha="center", va="center", fontsize=9, color="white" if share > 0.55 else INK)
