"""The effect of each objective on a common job: MNIST with 3 % of its rows, five seeds, the same budget for each objective.

A student of 28 554 weights is trained on 1 800 digits and the answers of a teacher trained on 50 000. Every objective,
including the one on true classes only (with label smoothing; terms combined with true classes use unsmoothed ones), has
three candidates, trained for the same number of steps from the same initial weights; 2 000 validation rows choose the epoch
and, by the mean over seeds, the candidate; the 10 000 test rows are not used for any choice. The same is done for four
multilabel outputs of the same digits, and for values (friedman1, with a Gaussian process as the teacher).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import make_friedman1
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from torch import nn

import tutelage as tl
from tutelage.evaluation.verdicts import paired_difference, verdict
from tutelage.experiments.demo.mnist_setting import pixels
from tutelage.experiments.papers.objectives.candidates import CLASSES, HARD, network
from tutelage.search.choice import best_setting
from tutelage.training.stacks.networks import mlp, with_new_weights

Objectives = Mapping[str, tuple[tl.losses.Objective, ...]]
ON_OR_OFF: Objectives = {
    "hard_bernoulli": tuple(w * tl.losses.hard_bernoulli() for w in (0.3, 1.0, 3.0)),
    "soft_bernoulli": tuple(tl.losses.soft_bernoulli(temperature=t) for t in (1.0, 2.0, 4.0)),
}
TRUE_VALUES = partial(tl.losses.squared_error, against="labels")
VALUES: Objectives = {
    "squared_error, labels": tuple(w * TRUE_VALUES() for w in (0.3, 1.0, 3.0)),
    "squared_error, teacher": tuple(tl.losses.squared_error() + w * TRUE_VALUES() for w in (0.0, 0.1, 1.0)),
    "huber": tuple(tl.losses.huber(delta=d) for d in (0.1, 0.3, 1.0)),
    "gaussian": tuple(tl.losses.gaussian() + w * TRUE_VALUES() for w in (0.0, 0.1, 1.0)),
    "teacher_bounded": tuple(TRUE_VALUES() + w * tl.losses.teacher_bounded() for w in (0.3, 1.0, 3.0)),
}


@dataclass(frozen=True)
class Job:
    """Rows with their truth, student and teacher; the first of the objectives is the baseline for the others.

    Attributes:
        train, validation, test: inputs and truth of each part.
        student: the student with the initial weights of a seed.
        teacher: the teacher for an objective: live for objectives on hidden layers, recorded answers for others.
        score: (predictions of a student for the test rows, truth) -> (rows,) errors.
    """

    objectives: Objectives
    train: tuple[NDArray[Any], NDArray[Any]]
    validation: tuple[NDArray[Any], NDArray[Any]]
    test: tuple[NDArray[Any], NDArray[Any]]
    student: Callable[[int], nn.Module]
    teacher: Callable[[tl.losses.Objective], Any]
    score: Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float64]]
    epochs: int

    def measured(self, objectives: tuple[tl.losses.Objective, ...], seeds: range) -> NDArray[np.float64]:
        """(seeds, test rows) errors of the chosen candidate."""
        found = [[self._one(objective, seed) for objective in objectives] for seed in seeds]
        best = best_setting(np.array([[score for score, _ in row] for row in found]))
        print(f"    chosen: {objectives[best].described()}", file=sys.stderr)
        return np.stack([row[best][1] for row in found])

    def _one(self, objective: tl.losses.Objective, seed: int) -> tuple[float, NDArray[np.float64]]:
        student = tl.TorchStudent(self.student(seed), objective)
        teacher = self.teacher(objective) if any("teacher" in needed for needed in objective.needs) else None
        inputs, truth = self.train
        optimizer = partial(torch.optim.Adam, lr=3e-3, fused=True)
        settings: dict[str, Any] = {"epochs": self.epochs, "batch_size": 64, "seed": seed, "threads": 1}
        settings |= {"optimizer": optimizer, "schedule": tl.training.one_cycle}
        student.fit(inputs, teacher, truth, validation=self.validation, **settings)
        return float(student.fit_.scores.min()), self.score(student.predict(self.test[0]), self.test[1])

    def table(self, seeds: range) -> None:
        """Print one row per objective, with its difference from the first."""
        first = None
        for name, objectives in self.objectives.items():
            errors = self.measured(objectives, seeds)
            mean, spread = errors.mean(), errors.mean(axis=1).std(ddof=1)
            if first is None:
                first = errors
                print(f"| {name} | {mean:.4f} +- {spread:.4f} | baseline |", flush=True)
                continue
            difference, interval = paired_difference(errors, first, shared_rows=True)
            against_first = f"{difference:+.4f} ({interval.low:+.4f} to {interval.high:+.4f})"
            print(
                f"| {name} | {mean:.4f} +- {spread:.4f} | {against_first} {verdict(difference, interval, lower_is_better=True)} |",
                flush=True,
            )


def _digits(targets: Callable[[NDArray[Any]], NDArray[Any]]) -> tuple[Any, Any, Any, Any]:
    mnist = tl.load_mnist()
    images, labels = pixels(mnist.train_images), targets(mnist.train_labels)
    whole = (images[:50_000], labels[:50_000])
    return whole, (images[:1800], labels[:1800]), (images[-2000:], labels[-2000:]), (pixels(mnist.test_images), targets(mnist.test_labels))


def _trained_teacher(outputs: int, objective: tl.losses.Objective, whole: tuple[Any, Any], epochs: int) -> nn.Module:
    """A wider network of the same architecture, trained on 50 000 rows with their truth."""
    teacher = with_new_weights(network(32, outputs), 0)
    settings: dict[str, Any] = {
        "batch_size": 128,
        "optimizer": partial(torch.optim.Adam, lr=2e-3, fused=True),
        "schedule": tl.training.one_cycle,
    }
    tl.TorchStudent(teacher, objective).fit(whole[0], None, whole[1], epochs=epochs, **settings)
    return teacher.eval()


def classes(quick: bool) -> Job:
    """Ten digits."""
    whole, train, validation, test = _digits(lambda labels: labels)
    teacher = tl.as_teacher(_trained_teacher(10, HARD(), whole, 1 if quick else 4), classes=range(10))
    labels = tl.record(teacher, train[0])
    error = (tl.record(teacher, test[0]).answers.argmax(axis=1) != test[1]).mean()
    print(f"digits: error of the teacher {error:.4f}", flush=True)
    return Job(
        CLASSES,
        train,
        validation,
        test,
        lambda seed: with_new_weights(network(8, 10), seed),
        lambda objective: teacher if objective.paths("teacher") else labels,
        lambda answers, truth: (answers != truth).astype(np.float64),
        epochs=2 if quick else 30,
    )


NAMES = ("even", "above four", "prime", "loop")


def on_or_off(quick: bool) -> Job:
    """Four multilabel outputs for a digit: even, above four, prime, with a loop."""
    whole, train, validation, test = _digits(
        lambda d: np.stack([d % 2 == 0, d > 4, np.isin(d, (2, 3, 5, 7)), np.isin(d, (0, 6, 8, 9))], axis=1).astype(np.int64)
    )
    trained = _trained_teacher(4, tl.losses.hard_bernoulli(), whole, 1 if quick else 4)
    teacher = tl.as_teacher(trained, task="multilabel", classes=NAMES)
    labels = tl.record(teacher, train[0])
    error = ((tl.record(teacher, test[0]).answers > 0) != test[1]).mean()
    print(f"multilabel: error of the teacher {error:.4f}", flush=True)
    return Job(
        ON_OR_OFF,
        train,
        validation,
        test,
        lambda seed: with_new_weights(network(8, 4), seed),
        lambda objective: labels,
        lambda answers, truth: (answers != truth).mean(axis=1),
        epochs=2 if quick else 30,
    )


class GaussianProcess:
    """A Gaussian process whose answers are its mean and its variance."""

    def __init__(self, X: NDArray[Any], y: NDArray[Any]) -> None:
        self.process = GaussianProcessRegressor(ConstantKernel() * RBF(np.ones(X.shape[1])) + WhiteKernel(), random_state=0).fit(X, y)

    def answer(self, X: NDArray[Any], outputs: int) -> NDArray[np.float32]:
        """(rows, 1) means, or (rows, 2) means and variances."""
        mean, deviation = self.process.predict(X, return_std=True)
        return np.column_stack([mean, deviation**2])[:, :outputs].astype(np.float32)


def values(quick: bool) -> Job:
    """friedman1 with noise: 200 rows for the student, 1 000 for its teacher."""

    def drawn_rows(rows: int, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
        X, y = make_friedman1(rows, noise=1.0, random_state=seed)
        return X.astype(np.float32), ((y - 14.4) / 5).astype(np.float32)

    whole, test = drawn_rows(1000, 0), drawn_rows(10_000, 1)
    train, validation = (whole[0][:200], whole[1][:200]), drawn_rows(500, 2)
    teacher = GaussianProcess(*whole)
    error = ((teacher.answer(test[0], 1)[:, 0] - test[1]) ** 2).mean()
    print(f"values: squared error of the teacher {error:.4f}", flush=True)
    labels = {
        outputs: tl.record(tl.as_teacher(partial(teacher.answer, outputs=outputs), kind="values", task="regression"), train[0])
        for outputs in (1, 2)
    }

    def student(seed: int) -> nn.Module:
        return with_new_weights(mlp((10, 32, 1)), seed)

    return Job(
        VALUES,
        train,
        validation,
        test,
        student,
        lambda objective: labels[2 if "gaussian" in str(objective.described()) else 1],
        lambda answers, truth: (answers - truth) ** 2,
        epochs=5 if quick else 150,
    )


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    selected = [name for name in sys.argv[1:] if not name.startswith("-")]
    for name, job in {"classes": classes, "on_or_off": on_or_off, "values": values}.items():
        if not selected or name in selected:
            job(quick).table(range(2 if quick else 5))
