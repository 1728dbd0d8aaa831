"""The protocols through which packages meet: Teacher, Classifier and Regressor."""

from __future__ import annotations

from collections.abc import Iterator
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


class AnsweredPart(Protocol):
    """Some rows, with a teacher's answers to them and their ground truth, or None."""

    @property
    def rows(self) -> Any:
        """The rows, in the container that their source gives."""
        ...

    @property
    def answers(self) -> Answers:
        """The teacher's answers to them."""
        ...

    @property
    def y(self) -> Any:
        """Their ground truth, or None."""
        ...


@runtime_checkable
class AnsweredParts(Protocol):
    """Rows that are read in parts, with a teacher's answers to them, as `parts` gives them."""

    @property
    def form(self) -> AnswerForm:
        """The kind, task and classes of the answers."""
        ...

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the teacher."""
        ...

    def __len__(self) -> int:
        """The number of rows."""
        ...

    def in_order(self) -> Iterator[AnsweredPart]:
        """All rows in their order, some at a time."""
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
