"""What `tl.distill` says where the answer is known: how often a distilled student "beats" that of the ground truth alone.

- planted: a good teacher, few labelled rows and a large pool. It should be found.
- permuted: a teacher whose answers were exchanged between rows, with preflight left out, which refuses it. It should never be found.
- equal: recorded answers that are the ground truth, so that both arms learn the same; at most 2.5 % of runs may say so. They are recorded,
  as a teacher that is asked would also label rows made from others, which is more than the ground truth teaches.

Each run draws other rows, and tries small trees in few trials with few seeds. Sizes and latencies are not measured.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

import tutelage as tl
from tutelage.checks.findings import Preflight
from tutelage.workflow.distillation import run as distillation
from tutelage.workflow.distillation.searching.judge import Judge

FEW, POOL, TEST, TRAINING = 200, 3000, 1000, 4000

Array = NDArray[Any]


class Exchanged:
    """A classifier that answers each row with the probabilities of another; rows it was not given get those of a random one."""

    def __init__(self, answers: Array, seed: int) -> None:
        self.classes_ = np.array([0, 1])
        self._answers, self._seed = answers, seed

    def fit(self, X: Any, y: Any) -> Exchanged:
        """Nothing is left to learn."""
        return self

    def predict_proba(self, X: Array) -> Array:
        """Probabilities that follow from a row, and say nothing about it."""
        keys = np.abs(np.asarray(X) @ np.linspace(1.0, 2.0, X.shape[1]) * 1e6 + self._seed).astype(np.int64) % len(self._answers)
        return np.asarray(self._answers[keys])


class Truth(Exchanged):
    """A classifier that answers the true class of the rows it knows, and of the nearest of them for others."""

    def __init__(self, X: Array, y: Array) -> None:
        super().__init__(np.eye(2)[y], 0)
        self._rows = X

    def predict_proba(self, X: Array) -> Array:
        """Zeros and ones."""
        distances = (np.asarray(X)[:, None, :] - self._rows[None]) ** 2
        return np.asarray(self._answers[distances.sum(axis=2).argmin(axis=1)])


def verdict_of(kind: str, seed: int, into: Path) -> str:
    """The verdict of one run."""
    X, y = make_classification(FEW + POOL + TEST + TRAINING, 10, n_informative=6, flip_y=0.02, class_sep=1.0, random_state=seed)
    given, pool, test, other = np.split(np.arange(len(X)), np.cumsum([FEW, POOL, TEST]))
    teacher: Any = RandomForestClassifier(100, min_samples_leaf=3, random_state=seed).fit(X[other], y[other])
    if kind == "permuted":
        teacher = Exchanged(teacher.predict_proba(X[pool]), seed)
    if kind == "equal":
        known = np.r_[given, test]
        teacher = tl.record(Truth(X[known], y[known]), X[known])
    settings: dict[str, Any] = {"students": ["tree"], "trials": 4, "seeds": 5, "export": "py", "seed": seed, "into": into}
    skipped = Preflight((), "", 0, 0, 0)
    pooled = None if kind == "equal" else X[pool]
    with ExitStack() as patched:
        for figure in ("file", "latency"):
            patched.enter_context(mock.patch.object(Judge, figure, return_value=None))
        if kind != "planted":
            patched.enter_context(mock.patch.object(distillation, "preflight", return_value=skipped))
        found = tl.distill(teacher, X[given], y[given], pool=pooled, test=(X[test], y[test]), **settings)
    return next(str(one.verdict) for one in found.comparisons if one.b == "labels")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=40)
    options.add_argument("--kinds", nargs="*", default=["planted", "permuted", "equal"])
    given = options.parse_args()
    warnings.simplefilter("ignore")
    print("| teacher | runs | beats | no difference | worse |\n|---|---|---|---|---|")
    for kind in given.kinds:
        found = []
        for seed in range(given.runs):
            with tempfile.TemporaryDirectory() as folder:
                found.append(verdict_of(kind, seed, Path(folder) / "run"))
        print(
            "| " + " | ".join([kind, str(given.runs), *(str(found.count(one)) for one in ("beats", "no difference", "worse"))]) + " |",
            flush=True,
        )


if __name__ == "__main__":
    main()
