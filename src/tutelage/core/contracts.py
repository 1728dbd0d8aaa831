"""The protocols through which packages meet: Teacher, Classifier and Regressor."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.position_answers import Answers


@runtime_checkable
class Teacher(Protocol):
    """Protocol of a teacher: a model that answers rows and declares what its numbers mean.

    Any object with these three members is a teacher. `as_teacher` makes one from a model, `check_teacher` tests one.

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> class Threshold:
        ...     form = tl.AnswerForm("probabilities", "binary", ("low", "high"))
        ...     fingerprint = "threshold-0.5"
        ...     def answer(self, inputs):
        ...         high = np.where(np.asarray(inputs)[:, 0] > 0.5, 0.9, 0.1)
        ...         return np.column_stack([1 - high, high])
        >>> isinstance(Threshold(), tl.Teacher)
        True
        >>> tl.as_teacher(Threshold()).answer([[0.7]])
        array([[0.1, 0.9]])
    """

    @property
    def form(self) -> AnswerForm:
        """The kind, task and classes of the answers."""
        ...

    @property
    def fingerprint(self) -> str:
        """Identifies exactly this teacher: another teacher, or the same one trained further, has another fingerprint."""
        ...

    def answer(self, inputs: Any) -> Answers:
        """Answers for rows: (rows, classes) for a classifier, (rows, outputs) for a regressor, as declared by `form`.

        A form with positions: `PositionAnswers`.
        """
        ...


class Classifier(Protocol):
    """Protocol of a student that classifies: it predicts probabilities at temperature 1."""

    def predict_proba(self, inputs: NDArray[Any]) -> Floats:
        """Probabilities: (rows, features) -> (rows, classes)."""
        ...


class Regressor(Protocol):
    """Protocol of a student that predicts values."""

    def predict(self, inputs: NDArray[Any]) -> Floats:
        """Values: (rows, features) -> (rows,)."""
        ...
