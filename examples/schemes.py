"""Six schemes of distillation, each put together from public names in a few lines: python schemes.py

Digits of 8 x 8 pixels. Each seed draws rows, teachers and initial weights of its own; the student of a scheme and the
one on hard labels have the same rows, shape, initial weights and number of steps. The teachers learnt from other
rows: what they know of those is what a scheme with a teacher has to give. Generations, peers and a student's own past
know no more labels than the student on hard labels. Prints the accuracy of all on the same test rows, which chose nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import tutelage as tl
from tutelage.evaluation.significance import verdict
from tutelage.losses.functional.classification import kl_divergence

SEEDS = range(5)
ROWS, BATCH, EPOCHS = 100, 50, 30
ROWS_OF_TEACHERS = 500
TEACHER, ASSISTANT, STUDENT = 256, 64, 32
"""Hidden units."""
SOFT, HARD = tl.losses.soft_cross_entropy(temperature=4.0), tl.losses.hard_cross_entropy()
ADAM = partial(torch.optim.Adam, lr=0.02, fused=True)


@dataclass(frozen=True)
class Lesson:
    """Rows to learn from, and the seed of all that is drawn."""

    X: np.ndarray
    y: np.ndarray
    seed: int

    def network(self, width: int = STUDENT, number: int = 0) -> nn.Module:
        """The same initial weights whenever it is asked for the same number."""
        torch.manual_seed(100 * number + self.seed)
        return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

    def taught(self, teacher: Any = None, *, width: int = STUDENT, number: int = 0) -> tl.TorchStudent:
        """A network that learnt from the teacher and a little from the labels; without a teacher from the labels alone."""
        objective = HARD if teacher is None else 0.9 * SOFT + 0.1 * HARD
        return tl.TorchStudent(self.network(width, number), objective).fit(self.X, teacher, self.y, **self.training)

    @property
    def training(self) -> dict[str, Any]:
        """The same for all students."""
        return {"epochs": EPOCHS, "batch_size": BATCH, "optimizer": ADAM, "seed": self.seed}


def directly(lesson: Lesson, teachers: list[tl.TorchStudent]) -> tl.TorchStudent:
    """For comparison: one teacher, one student (Hinton 2015, arXiv 1503.02531)."""
    return lesson.taught(teachers[0])


def born_again(lesson: Lesson, teachers: list[tl.TorchStudent]) -> tl.TorchStudent:
    """The first generation learns the labels, each later one from the one before (Furlanello 2018, arXiv 1805.04770)."""
    student = None
    for generation in (3, 2, 1):
        student = lesson.taught(student, number=generation - 1)
    return student


def mutual(lesson: Lesson, teachers: list[tl.TorchStudent]) -> tl.TorchStudent:
    """Two students learn from the labels and from each other, in the same step (Zhang 2018, arXiv 1706.00384: by turns)."""
    peers = Peers([lesson.network(), lesson.network(number=1)])
    from_each_other = tl.losses.Objective((tl.losses.Term("from each other", divergence_from_peer, ("student",)),))
    tl.TorchStudent(peers, HARD + from_each_other).fit(lesson.X, y=lesson.y, **lesson.training)
    return tl.TorchStudent(peers[0], classes=range(10))


class Peers(nn.ModuleList):
    """Two networks that see the same batches."""

    copies = 2

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, features) -> (2, batch, classes) logits, from which the training makes (2, batch) losses."""
        return torch.stack([peer(inputs) for peer in self])


def divergence_from_peer(logits: Tensor) -> Tensor:
    """(2, batch, classes) -> (2, batch): each is asked to match the other, which is not moved by that."""
    return kl_divergence(logits, logits.detach().flip(0).softmax(dim=-1))


def by_an_assistant(lesson: Lesson, teachers: list[tl.TorchStudent]) -> tl.TorchStudent:
    """The teacher teaches a network of middling size, which teaches the student (Mirzadeh 2020, arXiv 1902.03393)."""
    assistant = lesson.taught(teachers[0], width=ASSISTANT)
    return lesson.taught(assistant)


def by_an_ensemble(lesson: Lesson, teachers: list[tl.TorchStudent]) -> tl.TorchStudent:
    """The teachers answer with their mean (Hinton 2015, arXiv 1503.02531)."""
    return lesson.taught(tl.ensemble(teachers))


def by_its_past(lesson: Lesson, teachers: list[tl.TorchStudent]) -> tl.TorchStudent:
    """Self-distillation: the network after the last epoch teaches the next (Kim 2021, arXiv 2006.12000: with growing weight)."""
    network, past = lesson.network(), lesson.network()
    student = tl.TorchStudent(network, 0.5 * tl.losses.soft_cross_entropy() + 0.5 * HARD, classes=range(10))

    def remember(report: object) -> None:
        past.load_state_dict(network.state_dict())

    pairs = TensorDataset(torch.from_numpy(lesson.X), torch.from_numpy(lesson.y))  # a Dataset: the teacher is asked batch by batch
    return student.fit(pairs, past, callbacks=[remember], **lesson.training)


def without_data(lesson: Lesson, teachers: list[tl.TorchStudent]) -> tl.TorchStudent:
    """No row and no label, but noise from paper to ink, each row of it once; cubed, because a digit is mostly paper."""
    ends = np.array([np.zeros(64), np.ones(64)], dtype=np.float32)
    noise = tl.transfer.UniformNoise().make(ends, ROWS * EPOCHS, seed=lesson.seed) ** 3
    return tl.TorchStudent(lesson.network(), SOFT).fit(noise, teachers[0], **lesson.training | {"epochs": 1})


SCHEMES = {
    "one teacher": directly,
    "born again, third generation": born_again,
    "two peers": mutual,
    "an assistant in between": by_an_assistant,
    "three teachers": by_an_ensemble,
    "self-distillation": by_its_past,
    "noise in place of data": without_data,
}


def main() -> None:
    X, y = load_digits(return_X_y=True)
    X, order = (X / 16).astype(np.float32), np.random.default_rng(0).permutation(len(X))
    pool, test = order[:1000], order[1000:]
    right: dict[str, list[np.ndarray]] = {}
    for seed in SEEDS:
        rows = np.random.default_rng(seed).permutation(pool)
        own, others = rows[:ROWS], rows[ROWS : ROWS + ROWS_OF_TEACHERS]
        lesson, before = Lesson(X[own], y[own], seed), Lesson(X[others], y[others], seed)
        teachers = [tl.TorchStudent(before.network(TEACHER, number)).fit(before.X, y=before.y, batch_size=100) for number in range(3)]
        students = {"the teacher": teachers[0], "hard labels": lesson.taught()}
        students |= {name: scheme(lesson, teachers) for name, scheme in SCHEMES.items()}
        for name, student in students.items():
            right.setdefault(name, []).append(student.predict(X[test]) == y[test])

    print(f"students of {STUDENT} hidden units on {ROWS} rows, teachers of {TEACHER} on {ROWS_OF_TEACHERS} others")
    print(f"{len(SEEDS)} seeds, {len(test)} test rows; guessing has an accuracy of 0.100")
    for name, answers in right.items():
        print(f"{name:30}{np.mean(answers):.3f}  {against(answers, right['hard labels']) if name in SCHEMES else ''}".rstrip())


def against(answers: list[np.ndarray], hard: list[np.ndarray]) -> str:
    difference, interval = tl.paired_difference(answers, hard, shared_rows=True)
    found = verdict(difference, interval)
    return f"{100 * difference:+.1f} points ({100 * interval.low:+.1f} to {100 * interval.high:+.1f}) against hard labels: {found}"


if __name__ == "__main__":
    main()
