"""AgreementDisplay: which of the teacher's decisions does the student repeat, and what does it say instead?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from tutelage.core.answers import of_classes
from tutelage.core.errors import BadInput, ShapeError
from tutelage.evaluation.agreement import decision_counts, shares
from tutelage.evaluation.displays.canvas import INK, canvas, draw_colour_bar
from tutelage.evaluation.evaluate import evaluate
from tutelage.evaluation.evaluation import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

MOST_WRITTEN = 12
"""Above so many classes the shares are shown by colour alone."""


class AgreementDisplay:
    """The teacher's decisions against the student's, each row of the matrix summing to one.

    Prefer `from_evaluation`, `from_estimator` or `from_predictions`.

    Args:
        counts: (classes, classes) rows of data by the teacher's decision and the student's.
        classes: the label of each.
        name: of the student, for the title.

    Attributes:
        ax_, figure_: the axes and figure, once drawn. shares: (classes, classes), what is drawn.
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(self, counts: ArrayLike, classes: Sequence[Any], *, name: str = "student") -> None:
        self.counts = np.asarray(counts)
        self.classes = tuple(classes)
        self.name = name
        if self.counts.shape != (len(self.classes),) * 2:
            raise ShapeError(f"counts have shape {self.counts.shape}; expected a square, one row for each of {len(self.classes)} classes.")
        self.shares = shares(self.counts)

    @classmethod
    def from_evaluation(cls, evaluation: Evaluation, *, ax: Axes | None = None) -> AgreementDisplay:
        """Draw what `evaluate` counted.

        Raises:
            BadInput: no teacher, more than 100 classes, or a task without one decision a row.
        """
        if evaluation.decisions is None:
            raise BadInput(
                "this evaluation counted no decisions: it takes a teacher, one class a row and at most 100 classes. See FidelityDisplay."
            )
        return cls(evaluation.decisions, evaluation.classes, name=evaluation.student).plot(ax)

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, *, teacher: Any, name: str | None = None, ax: Axes | None = None) -> AgreementDisplay:
        """Ask a student and its teacher about X and draw; arguments as in `evaluate`."""
        return cls.from_evaluation(evaluate(estimator, teacher, X, name=name, resamples=100, budget_seconds=None), ax=ax)

    @classmethod
    def from_predictions(
        cls, teacher_labels: ArrayLike, student_labels: ArrayLike, *, classes: Sequence[Any], name: str = "student", ax: Axes | None = None
    ) -> AgreementDisplay:
        """Draw from decisions at hand.

        Args:
            teacher_labels: (rows,) labels.
            student_labels: (rows,) labels of the same rows.
            classes: all labels, in the order to draw them.
            name: for the title.
            ax: to draw on.

        Raises:
            LabelMismatch: a label that is no class. ShapeError: other rows.
        """
        form = of_classes("probabilities", classes)
        teacher, student, known = form.codes(teacher_labels), form.codes(student_labels), form.classes
        if len(teacher) != len(student):
            raise ShapeError(f"{len(teacher)} decisions of the teacher and {len(student)} of the student; expected the same rows.")
        return cls(decision_counts(teacher, student, len(known)), known, name=name).plot(ax)

    def plot(self, ax: Axes | None = None) -> AgreementDisplay:
        """Draw on these axes, or on new ones."""
        classes = len(self.classes)
        side = float(np.clip(1.6 + 0.55 * classes, 4.0, 8.0))
        self.ax_, self.figure_ = canvas(ax, width=side, height=side)
        image = self.ax_.imshow(self.shares, cmap="Blues", vmin=0, vmax=1)
        if classes <= MOST_WRITTEN:
            self._write_shares()
        else:
            draw_colour_bar(image, self.ax_, "share of the rows where the teacher decides so")
        names = [str(label) for label in self.classes]
        if classes <= 30:
            long = max(map(len, names)) > 4
            turned: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if long else {}
            self.ax_.set_xticks(range(classes), names, **turned)
            self.ax_.set_yticks(range(classes), names)
        self.ax_.tick_params(length=0)
        self.ax_.spines[:].set_visible(False)
        written = " (% of the row)" if classes <= MOST_WRITTEN else ""
        self.ax_.set(xlabel=f"student decides{written}", ylabel="teacher decides")
        agreed = np.trace(self.counts) / max(self.counts.sum(), 1)
        self.ax_.set_title(f"{self.name}: agreement {100 * agreed:.1f} %", loc="left", color=INK)
        return self

    def _write_shares(self) -> None:
        for (row, column), share in np.ndenumerate(self.shares):
            if share > 0:
                text = f"{100 * share:.0f}" if share >= 0.005 else "<1"
                self.ax_.text(column, row, text, ha="center", va="center", fontsize=9, color="white" if share > 0.55 else INK)
