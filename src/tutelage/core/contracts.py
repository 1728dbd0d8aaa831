"""What a stage may expect of another: the Teacher and Student protocols."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from tutelage.core.arrays import Floats

AnswerKind = Literal["logits", "probabilities", "values"]


class Teacher(Protocol):
    """Answers rows. What the numbers mean is declared, never guessed later.

    Attributes:
        kind: "logits" (unnormalised), "probabilities" (rows sum to one) or "values" (regression).
        classes: the label of each answer column, in order; empty for regression.
    """

    @property
    def kind(self) -> AnswerKind:
        """What the numbers are."""
        ...

    @property
    def classes(self) -> tuple[Any, ...]:
        """The label of each column."""
        ...

    def answer(self, inputs: NDArray[Any]) -> Floats:
        """(rows, classes) for a classifier, (rows, outputs) for a regressor."""
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
