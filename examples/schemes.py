"""Six distillation schemes, each built from public names in a few lines: python schemes.py

The data are digits of 8 x 8 pixels. Each seed draws rows, teachers and initial weights; the student of a scheme and the
student on hard labels have the same rows, architecture, initial weights and number of steps. The teachers are trained on
other rows, so a student with a teacher can gain from what these rows contain. Schemes without a teacher (generations,
peers, self-distillation) use the same true classes as the student on hard labels and no others. Prints the accuracy of all
students on the same test rows, which are not used for any choice.
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
from tutelage.evaluation.verdicts import verdict

SEEDS = range(5)
ROWS, BATCH, EPOCHS = 100, 50, 30
ROWS_OF_TEACHERS = 500
TEACHER, ASSISTANT, STUDENT = 256, 64, 32
"""Hidden units of each network."""
SOFT, HARD = tl.losses.soft_cross_entropy(temperature=4.0), tl.losses.hard_cross_entropy()
ADAM = partial(torch.optim.Adam, lr=0.02, fused=True)


@dataclass(frozen=True)
class TrainingRows:
    """Training rows with their true classes, and the seed of all random draws."""

    X: np.ndarray
    y: np.ndarray
    seed: int

    def network(self, width: int = STUDENT, number: int = 0) -> nn.Module:
        """A new network; the same number gives the same initial weights."""
        torch.manual_seed(100 * number + self.seed)
        return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

    def trained(self, teacher: Any = None, *, width: int = STUDENT, number: int = 0) -> tl.TorchStudent:
        """A network trained on the teacher's answers with a small share of true classes; without a teacher on true classes only."""
        objective = HARD if teacher is None else 0.9 * SOFT + 0.1 * HARD
        return tl.TorchStudent(self.network(width, number), objective).fit(self.X, teacher, self.y, **self.training)

    @property
    def training(self) -> dict[str, Any]:
        """Training settings, the same for all students."""
        return {"epochs": EPOCHS, "batch_size": BATCH, "optimizer": ADAM, "seed": self.seed}


def directly(rows: TrainingRows, teachers: list[tl.TorchStudent]) -> tl.TorchStudent:
    """For comparison: one teacher, one student (Hinton 2015, arXiv 1503.02531)."""
    return rows.trained(teachers[0])


def born_again(rows: TrainingRows, teachers: list[tl.TorchStudent]) -> tl.TorchStudent:
    """The first generation is trained on true classes, each later one on the previous (Furlanello 2018, arXiv 1805.04770)."""
    student = None
    for generation in (3, 2, 1):
        student = rows.trained(student, number=generation - 1)
    return student


def mutual(rows: TrainingRows, teachers: list[tl.TorchStudent]) -> tl.TorchStudent:
    """Two students learn from the true classes and from each other, in the same step (Zhang 2018, arXiv 1706.00384, alternates)."""
    peers = Peers([rows.network(), rows.network(number=1)])
    from_each_other = tl.losses.Objective((tl.losses.Term("from each other", divergence_from_peer, ("student",)),))
    tl.TorchStudent(peers, HARD + from_each_other).fit(rows.X, y=rows.y, **rows.training)
    return tl.TorchStudent(peers[0], classes=range(10))


class Peers(tl.training.StackedNetwork, nn.ModuleList):
    """Two networks that receive the same batches."""

    copies = 2

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, features) -> (2, batch, classes) logits, from which the training computes (2, batch) losses."""
        return torch.stack([peer(inputs) for peer in self])


def divergence_from_peer(logits: Tensor) -> Tensor:
    """(2, batch, classes) -> (2, batch) divergence of each peer from the other, which gets no gradient from it."""
    return tl.losses.functional.kl_divergence(logits, logits.detach().flip(0).softmax(dim=-1))


def by_an_assistant(rows: TrainingRows, teachers: list[tl.TorchStudent]) -> tl.TorchStudent:
    """The teacher trains a network of intermediate size, which trains the student (Mirzadeh 2020, arXiv 1902.03393)."""
    assistant = rows.trained(teachers[0], width=ASSISTANT)
    return rows.trained(assistant)


def by_an_ensemble(rows: TrainingRows, teachers: list[tl.TorchStudent]) -> tl.TorchStudent:
    """The student is trained on the mean of the teachers' answers (Hinton 2015, arXiv 1503.02531)."""
    return rows.trained(tl.ensemble(teachers))


def by_its_past(rows: TrainingRows, teachers: list[tl.TorchStudent]) -> tl.TorchStudent:
    """Self-distillation: the network of the previous epoch is the teacher (Kim 2021, arXiv 2006.12000, with increasing weight)."""
    network, past = rows.network(), rows.network()
    student = tl.TorchStudent(network, 0.5 * tl.losses.soft_cross_entropy() + 0.5 * HARD, classes=range(10))

    def copy_weights(report: object) -> None:
        past.load_state_dict(network.state_dict())

    pairs = TensorDataset(torch.from_numpy(rows.X), torch.from_numpy(rows.y))  # with a Dataset the teacher is queried for each batch
    return student.fit(pairs, past, callbacks=[copy_weights], **rows.training)


def without_data(rows: TrainingRows, teachers: list[tl.TorchStudent]) -> tl.TorchStudent:
    """Uniform noise in place of data, each row used once; cubed, because most pixels of a digit are near 0."""
    ends = np.array([np.zeros(64), np.ones(64)], dtype=np.float32)
    noise = tl.transfer.UniformNoise().make(ends, ROWS * EPOCHS, seed=rows.seed) ** 3
    return tl.TorchStudent(rows.network(), SOFT).fit(noise, teachers[0], **rows.training | {"epochs": 1})


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
        shuffled = np.random.default_rng(seed).permutation(pool)
        of_student, of_teachers = shuffled[:ROWS], shuffled[ROWS : ROWS + ROWS_OF_TEACHERS]
        rows, others = TrainingRows(X[of_student], y[of_student], seed), TrainingRows(X[of_teachers], y[of_teachers], seed)
        teachers = [tl.TorchStudent(others.network(TEACHER, number)).fit(others.X, y=others.y, batch_size=100) for number in range(3)]
        students = {"the teacher": teachers[0], "hard labels": rows.trained()}
        students |= {name: scheme(rows, teachers) for name, scheme in SCHEMES.items()}
        for name, student in students.items():
            right.setdefault(name, []).append(student.predict(X[test]) == y[test])

    print(f"students with {STUDENT} hidden units on {ROWS} rows, teachers with {TEACHER} on {ROWS_OF_TEACHERS} other rows")
    print(f"{len(SEEDS)} seeds, {len(test)} test rows; chance level of accuracy 0.100")
    for name, answers in right.items():
        print(f"{name:30}{np.mean(answers):.3f}  {against(answers, right['hard labels']) if name in SCHEMES else ''}".rstrip())


def against(answers: list[np.ndarray], hard: list[np.ndarray]) -> str:
    difference, interval = tl.paired_difference(answers, hard, shared_rows=True)
    found = verdict(difference, interval)
    return f"{100 * difference:+.1f} points ({100 * interval.low:+.1f} to {100 * interval.high:+.1f}) against hard labels: {found}"


if __name__ == "__main__":
    main()
