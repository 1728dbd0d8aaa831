"""Runs in which each seed draws different rows: training rows, an unlabelled pool and test rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tutelage.core.running.stages import Stages
from tutelage.data.fingerprint import fingerprint

Result = TypeVar("Result")


@dataclass(frozen=True)
class Draw:
    """The rows of one seed.

    Attributes:
        train, pool, test: (rows, features) float32.
        truth, test_truth: (rows,) true classes or measured values; the pool has none.
    """

    seed: int
    train: NDArray[np.float32]
    truth: NDArray[Any]
    pool: NDArray[np.float32]
    test: NDArray[np.float32]
    test_truth: NDArray[Any]

    @property
    def taught(self) -> NDArray[np.float32]:
        """Training rows and pool: all rows that the teacher labels for its students."""
        return np.concatenate([self.train, self.pool])

    @property
    def every(self) -> NDArray[np.float32]:
        """All rows on which the teacher is queried, in the order expected by `split`."""
        return np.concatenate([self.train, self.pool, self.test])

    def split(self, answers: NDArray[Any]) -> list[NDArray[Any]]:
        """Split answers for `every` into answers for training rows, pool and test rows."""
        return np.split(answers, [len(self.train), len(self.train) + len(self.pool)])

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the training rows and their truth."""
        return fingerprint(self.train, self.truth)


def draw(make: Callable[..., tuple[NDArray[Any], NDArray[Any]]], seed: int, *, rows: int, pool: int, test: int) -> Draw:
    """Draw three independent samples from one seed.

    Args:
        make: one of scikit-learn's generators, called as make(rows, random_state=...).
        seed: determines all three samples.
        rows: number of training rows.
        pool: number of unlabelled rows.
        test: number of test rows.
    """
    states = np.random.SeedSequence(seed).generate_state(3)
    (train, truth), (unlabelled, _), (tested, test_truth) = (
        make(size, random_state=int(state)) for size, state in zip((rows, pool, test), states, strict=True)
    )
    return Draw(seed, train.astype(np.float32), truth, unlabelled.astype(np.float32), tested.astype(np.float32), test_truth)


def for_each(work: Callable[..., Result], *each: Sequence[Any], stages: Stages, name: str) -> list[Result]:
    """`map` as a named stage, with one step of progress per result."""
    results = []
    with stages.stage(name, len(each[0])) as advance:
        for arguments in zip(*each, strict=True):
            results.append(work(*arguments))
            advance()
    return results


def by_arm(students: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """The students of all seeds by arm, from a list of students by arm for each seed."""
    return {arm: tuple(of_seed[arm] for of_seed in students) for arm in students[0]}


def predictions(models: Mapping[str, Sequence[Any]], draws: Sequence[Draw]) -> dict[str, NDArray[Any]]:
    """For each arm, (seeds, rows) predictions of each seed's model on the test rows of that seed."""
    return {arm: np.stack([model.predict(drawn.test) for model, drawn in zip(models[arm], draws, strict=True)]) for arm in models}


def described(name: str, draws: Sequence[Draw]) -> dict[str, Any]:
    """The description of the data in the run's record."""
    first = draws[0]
    return {
        "name": name,
        "training rows": len(first.train),
        "unlabelled rows": len(first.pool),
        "test rows": len(first.test),
        "fingerprint of the first seed": first.fingerprint,
    }
