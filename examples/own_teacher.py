"""Write a custom teacher and check it with tutelage.check_teacher: python own_teacher.py

The teacher here is a simple rule about irises. A Teacher has three parts: `form` declares what its answers are,
`fingerprint` identifies exactly this teacher, and `answer` returns one row of numbers for each input row.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from sklearn.datasets import load_iris

import tutelage as tl

NAMES = ("setosa", "versicolor", "virginica")
LOGITS = tl.AnswerForm("logits", "multiclass", NAMES)


@dataclass(frozen=True)
class PetalRule:
    """Compares petal length and width with the typical values of each species."""

    sharpness: float = 4.0
    form: tl.AnswerForm = LOGITS

    @property
    def fingerprint(self) -> str:
        """Different for a different sharpness."""
        return f"petal-rule:{self.sharpness}"

    def answer(self, inputs: np.ndarray) -> np.ndarray:
        """(rows, 4) measurements -> (rows, 3) logits."""
        typical = np.array([[1.5, 0.2], [4.3, 1.3], [5.6, 2.0]])
        distance = np.abs(np.asarray(inputs)[:, None, 2:] - typical).sum(axis=2)
        return -self.sharpness * distance


@dataclass(frozen=True)
class NoisyRule(PetalRule):
    """The same rule with random noise, like a network in training mode; not a valid teacher."""

    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def answer(self, inputs: np.ndarray) -> np.ndarray:
        """(rows, 4) measurements -> (rows, 3) logits, different in each call."""
        return super().answer(inputs) + self.random.normal(size=(len(inputs), 3))


def main() -> None:
    X, y = load_iris(return_X_y=True)
    teacher = PetalRule()
    tl.check_teacher(teacher, X)  # raises an error if the contract is violated
    print("PetalRule satisfies the contract of a teacher")
    try:
        tl.check_teacher(NoisyRule(), X)
    except tl.TutelageError as error:
        print(f"NoisyRule does not: {error}")

    labels = tl.record(teacher, X)
    student = tl.SoftTree(max_leaf_nodes=5, random_state=0).fit(X, labels.probabilities, classes=NAMES)
    found = tl.evaluate(student, teacher, X, np.array(NAMES)[y], budget_seconds=None)
    print(f"accuracy of the rule: {found.teacher_against_truth['accuracy'].value:.1%}")
    print(f"accuracy of a tree of 5 leaves trained on its answers only: {found.against_truth['accuracy'].value:.1%}")
    print(f"agreement of the tree with the rule: {found.against_teacher['agreement'].value:.1%}")


if __name__ == "__main__":
    main()
