"""What a stage may expect of another: the Teacher and Student protocols."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats


@runtime_checkable
class Teacher(Protocol):
    """Answers rows. What the numbers mean is declared, never guessed later."""

    @property
    def form(self) -> AnswerForm:
        """Kind, task and classes of its answers."""
        ...

    @property
    def fingerprint(self) -> str:
        """A name for exactly this teacher: another teacher, or the same one trained further, has another name."""
        ...

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) for a classifier, (rows, outputs) for a regressor, as `form` says."""
        ...


class Classifier(Protocol):
    """A student that names classes: probabilities at temperature 1."""

    def predict_proba(self, inputs: NDArray[Any]) -> Floats:
        """(rows, features) -> (rows, classes)."""
        ...


class Regressor(Protocol):
    """A student that names values."""

    def predict(self, inputs: NDArray[Any]) -> Floats:
        """(rows, features) -> (rows,)."""
        ...
