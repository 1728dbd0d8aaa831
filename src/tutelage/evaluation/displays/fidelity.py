"""FidelityDisplay: the student's answers against the teacher's, number by number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from tutelage.core.answer_kinds import Task
from tutelage.core.arrays import Floats, check_finite
from tutelage.core.errors import ShapeError
from tutelage.evaluation.displays.canvas import INK, TEACHER, canvas, draw_colour_bar, draw_diagonal
from tutelage.evaluation.evaluate import evaluate
from tutelage.evaluation.evaluation import Evaluation
from tutelage.evaluation.records import AlignedAnswers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

MOST_DOTS = 2000
"""Above so many points they are counted in hexagons."""


class FidelityDisplay:
    """Each answer of the teacher (across) and the student (up); on the diagonal they agree.

    Dots, or above 2000 points hexagons coloured by the logarithm of their count. Of two classes the second is drawn,
    of several all, row by row.

    Prefer `from_evaluation`, `from_estimator` or `from_predictions`.

    Args:
        teacher: (points,) probabilities or values.
        student: (points,) of the same.
        quantity: what they are: "probability" or "value".
        name: of the student, for the title.

    Attributes:
        ax_, figure_: the axes and figure, once drawn.
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(self, teacher: Floats, student: Floats, *, quantity: str = "probability", name: str = "student") -> None:
        self.teacher = teacher
        self.student = student
        self.quantity = quantity
        self.name = name

    @classmethod
    def from_evaluation(cls, evaluation: Evaluation, *, ax: Axes | None = None) -> FidelityDisplay:
        """Draw the answers that `evaluate` kept.

        Raises:
            BadInput: no teacher, or an evaluation read back from JSON.
        """
        return cls._of(evaluation.row_answers(), evaluation.student).plot(ax)

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, *, teacher: Any, name: str | None = None, ax: Axes | None = None) -> FidelityDisplay:
        """Ask a student and its teacher about X and draw; arguments as in `evaluate`."""
        return cls.from_evaluation(evaluate(estimator, teacher, X, name=name, resamples=100, budget_seconds=None), ax=ax)

    @classmethod
    def from_predictions(
        cls, teacher: ArrayLike, student: ArrayLike, *, task: Task = "multiclass", name: str = "student", ax: Axes | None = None
    ) -> FidelityDisplay:
        """Draw from answers at hand.

        Args:
            teacher: (rows, classes) probabilities, or for regression (rows,) or (rows, outputs) values.
            student: the same shape, columns in the same order.
            task: what they answer.
            name: for the title.
            ax: to draw on.

        Raises:
            ShapeError: two shapes. BadInput: NaN or inf.
        """
        asked, said = (check_finite(np.atleast_1d(np.asarray(values)), "answers") for values in (teacher, student))
        if asked.shape != said.shape or not len(asked):
            raise ShapeError(f"answers of shape {asked.shape} and {said.shape}; expected the same rows and columns, at least one row.")
        asked, said = (values.reshape(len(values), -1) for values in (asked, said))
        return cls._of(AlignedAnswers(task, (), said, asked, None), name).plot(ax)

    @classmethod
    def _of(cls, answers: AlignedAnswers, name: str) -> FidelityDisplay:
        teacher, student = answers.named("teacher"), answers.student
        second = answers.task == "binary"  # the first is its complement
        across, up = (values[:, 1] if second else values.ravel() for values in (teacher, student))
        return cls(across, up, quantity="value" if answers.task == "regression" else "probability", name=name)

    def plot(self, ax: Axes | None = None) -> FidelityDisplay:
        """Draw on these axes, or on new ones."""
        self.ax_, self.figure_ = canvas(ax, width=5.2, height=5.0)
        low, high = self._limits()
        if len(self.teacher) > MOST_DOTS:
            extent = (low, high, low, high)
            hexagons = self.ax_.hexbin(self.teacher, self.student, gridsize=40, bins="log", cmap="YlGnBu", mincnt=1, extent=extent)
            draw_colour_bar(hexagons, self.ax_, "answers in a hexagon")
        else:
            self.ax_.plot(self.teacher, self.student, "o", color=TEACHER, markersize=3.5, markeredgewidth=0, alpha=0.5)
        draw_diagonal(self.ax_, low, high, above=len(self.teacher) > MOST_DOTS)
        margin = 0.03 * (high - low)
        span = (low - margin, high + margin)
        self.ax_.set(xlim=span, ylim=span, aspect="equal", xlabel=f"{self.quantity}, teacher", ylabel=f"{self.quantity}, student")
        self.ax_.set_title(f"Fidelity of {self.name}", loc="left", color=INK)
        return self

    def _limits(self) -> tuple[float, float]:
        if self.quantity == "probability":
            return 0.0, 1.0
        low = float(min(self.teacher.min(), self.student.min()))
        high = float(max(self.teacher.max(), self.student.max()))
        return (low, high) if high > low else (low - 0.5, high + 0.5)
