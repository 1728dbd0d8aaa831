"""A teacher of your own: what it must have, how to prove it, and what is said of one that is wrong: python own_teacher.py

Here the teacher is a rule of thumb about irises. Three things make a Teacher: `form` says what the numbers are,
`fingerprint` names exactly this teacher, `answer` gives a row of numbers for each row.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from sklearn.datasets import load_iris

import tutelage as tl
from tutelage.core.answers import AnswerForm

NAMES = ("setosa", "versicolor", "virginica")
LOGITS = AnswerForm("logits", "multiclass", NAMES)


@dataclass(frozen=True)
class RuleOfThumb:
    """Goes by the petals: how near their length and width are to what is usual."""

    sharpness: float = 4.0
    form: AnswerForm = LOGITS

    @property
    def fingerprint(self) -> str:
        """Another name for another sharpness."""
        return f"rule-of-thumb:{self.sharpness}"

    def answer(self, inputs: np.ndarray) -> np.ndarray:
        """(rows, 4) measurements -> (rows, 3) logits."""
        usual = np.array([[1.5, 0.2], [4.3, 1.3], [5.6, 2.0]])
        apart = np.abs(np.asarray(inputs)[:, None, 2:] - usual).sum(axis=2)
        return -self.sharpness * apart


@dataclass(frozen=True)
class Moody(RuleOfThumb):
    """The same with noise of its own, as a network in training mode has."""

    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def answer(self, inputs: np.ndarray) -> np.ndarray:
        """Something else each time."""
        return super().answer(inputs) + self.random.normal(size=(len(inputs), 3))


def main() -> None:
    X, y = load_iris(return_X_y=True)
    teacher = RuleOfThumb()
    tl.check_teacher(teacher, X)  # raises a sentence if it is not kept
    print("RuleOfThumb keeps the contract of a teacher")
    try:
        tl.check_teacher(Moody(), X)
    except tl.TutelageError as error:
        print(f"Moody does not: {error}")

    labels = tl.record(teacher, X)
    student = tl.SoftTree(max_leaf_nodes=5, random_state=0).fit(X, labels.probabilities, classes=NAMES)
    found = tl.evaluate(student, teacher, X, np.array(NAMES)[y], budget_seconds=None)
    print(f"the rule is right about {found.teacher_against_truth['accuracy'].value:.1%} of the irises")
    print(f"a tree of 5 leaves, taught by it and by no label, about {found.against_truth['accuracy'].value:.1%}")
    print(f"and agrees with the rule on {found.against_teacher['agreement'].value:.1%}")


if __name__ == "__main__":
    main()
