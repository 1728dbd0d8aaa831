"""FidelityDisplay: a scatter plot of the student's answers against the teacher's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from tutelage.core.answer_kinds import TASKS, Task
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.arguments import choice, one_of_type, text
from tutelage.core.arrays import Floats, check_finite, real_numbers
from tutelage.core.errors import BadInput, ShapeError
from tutelage.evaluation.displays.canvas import AS_WRITTEN, INK, TEACHER, canvas, draw_colour_bar, draw_diagonal
from tutelage.evaluation.evaluate import evaluate
from tutelage.evaluation.evaluation import Evaluation
from tutelage.evaluation.records import AlignedAnswers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

MOST_DOTS = 2000
"""With more points they are counted in hexagonal bins."""


class FidelityDisplay:
    """Each answer of the teacher (horizontal axis) against the student's (vertical axis); on the diagonal they are equal.

    Points, or with more than 2000 points hexagons coloured by the logarithm of their count. For two classes the
    probability of the second is drawn, for more classes the probabilities of all.

    Create it with `from_evaluation`, `from_estimator` or `from_predictions`.

    Args:
        teacher: (points,) probabilities or values.
        student: (points,) probabilities or values for the same rows and columns.
        quantity: "probability" or "value".
        name: name of the student, for the title.

    Attributes:
        ax_, figure_: the axes and figure, after drawing.

    Example:
        >>> import tutelage as tl
        >>> from matplotlib.figure import Figure
        >>> teacher, student = [[0.9, 0.1], [0.2, 0.8]], [[0.7, 0.3], [0.4, 0.6]]
        >>> display = tl.displays.FidelityDisplay.from_predictions(teacher, student, name="tree", ax=Figure().subplots())
        >>> print(display.ax_.get_title(loc="left"), "-", display.ax_.get_xlabel(), "-", len(display.teacher), "points")
        Fidelity of tree - probability, teacher - 4 points
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(self, teacher: Floats, student: Floats, *, quantity: str = "probability", name: str = "student") -> None:
        self.teacher, self.student = check_finite(teacher, "the teacher's answers"), check_finite(student, "the student's answers")
        self.quantity = quantity
        self.name = text("name", name)

    @classmethod
    def from_evaluation(cls, evaluation: Evaluation, *, ax: Axes | None = None) -> FidelityDisplay:
        """Draw the row-by-row answers of an evaluation.

        Raises:
            BadInput: no teacher, or an evaluation read from JSON.
        """
        one_of_type("evaluation", evaluation, Evaluation, "what tutelage.evaluate returns")
        return cls._of(evaluation.row_answers(), evaluation.student).plot(ax)

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, *, teacher: Any, name: str | None = None, ax: Axes | None = None) -> FidelityDisplay:
        """Evaluate a student against its teacher on X and draw; arguments as for `evaluate`."""
        return cls.from_evaluation(evaluate(estimator, teacher, X, name=name, resamples=100, budget_seconds=None), ax=ax)

    @classmethod
    def from_predictions(
        cls, teacher: ArrayLike, student: ArrayLike, *, task: Task = "multiclass", name: str = "student", ax: Axes | None = None
    ) -> FidelityDisplay:
        """Draw from predictions.

        Args:
            teacher: (rows, classes) probabilities, or for regression (rows,) or (rows, outputs) values.
            student: the student's predictions, in the same shape and order of columns.
            task: "binary", "multiclass", "multilabel" or "regression".
            name: name of the student, for the title.
            ax: axes to draw on; new ones by default.

        Raises:
            ShapeError: the two shapes differ. BadInput: NaN or inf.
        """
        of_teacher, of_student = (real_numbers(values, "the answers") for values in (teacher, student))
        if of_teacher.shape != of_student.shape or not of_teacher.ndim or not of_teacher.size:
            raise ShapeError(
                f"the teacher's answers have shape {of_teacher.shape} and the student's {of_student.shape}; "
                "expected the same rows and columns, at least one row."
            )
        of_teacher, of_student = (check_finite(values, "the answers").reshape(len(values), -1) for values in (of_teacher, of_student))
        choice("task", task, TASKS)
        if task == "binary" and of_teacher.shape[1] != 2:
            raise ShapeError(f"the answers have shape {of_teacher.shape}; expected (rows, 2) for the two classes of a binary task.")
        return cls._of(AlignedAnswers(task, (), of_student, of_teacher, None), name).plot(ax)

    @classmethod
    def _of(cls, answers: AlignedAnswers, name: str) -> FidelityDisplay:
        teacher, student = answers.named("teacher"), answers.student
        if isinstance(teacher, TopAnswers) or isinstance(student, TopAnswers):
            raise BadInput("only the most probable classes of each answer are known; a scatter plot needs the probability of every class.")
        second = answers.task == "binary"  # the first is its complement
        across, up = (values[:, 1] if second else values.ravel() for values in (teacher, student))
        return cls(across, up, quantity="value" if answers.task == "regression" else "probability", name=name)

    def plot(self, ax: Axes | None = None) -> FidelityDisplay:
        """Draw on the given axes, or on new ones."""
        self.ax_, self.figure_ = canvas(ax, width=5.2, height=5.0)
        low, high = self._limits()
        if len(self.teacher) > MOST_DOTS:
            extent = (low, high, low, high)
            hexagons = self.ax_.hexbin(self.teacher, self.student, gridsize=40, bins="log", cmap="YlGnBu", mincnt=1, extent=extent)
            draw_colour_bar(hexagons, self.ax_, "answers per hexagon")
        else:
            self.ax_.plot(self.teacher, self.student, "o", color=TEACHER, markersize=3.5, markeredgewidth=0, alpha=0.5)
        draw_diagonal(self.ax_, low, high, above=len(self.teacher) > MOST_DOTS)
        margin = 0.03 * (high - low)
        span = (low - margin, high + margin)
        self.ax_.set(xlim=span, ylim=span, aspect="equal", xlabel=f"{self.quantity}, teacher", ylabel=f"{self.quantity}, student")
        self.ax_.set_title(f"Fidelity of {self.name}", loc="left", color=INK, **AS_WRITTEN)
        return self

    def _limits(self) -> tuple[float, float]:
        if self.quantity == "probability":
            return 0.0, 1.0
        low = float(min(self.teacher.min(), self.student.min()))
        high = float(max(self.teacher.max(), self.student.max()))
        return (low, high) if high > low else (low - 0.5, high + 0.5)
