"""Soft labels compared with tuned hard labels on real data: the gain of each student, with its interval.

Every arm has six candidates, chosen on the same validation rows: for hard labels six settings of the student, for soft
labels every other of these settings, each with and without half of the truth blended in. The test rows are the same for
five seeds; each seed draws the labelled rows, the validation rows and the pool, and trains teacher and students again.
Results are cached per (data, student) in the user's cache, so that an interrupted run resumes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from benchmark_data import FOLDS, WORDS, BenchmarkData, Size, draw_data
from numpy.typing import NDArray
from real_data import PROBLEMS
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from tutelage import __version__
from tutelage.core.arrays import Floats
from tutelage.core.file_systems.whole_files import write_text
from tutelage.evaluation.metrics.agreement import agrees, cross_entropy
from tutelage.evaluation.verdicts import paired_difference, verdict
from tutelage.students.by_name import student_named

SIZES = {"full": Size(labelled=2000, validation=1000, pool=4000, test=3000), "quick": Size(300, 300, 900, 1000)}
METRICS = {
    "diamonds": "R2",
    "flights": "NLL",
    "credit": "NLL",
    "digits": "accuracy",
    "newsgroups": "accuracy",
    "churn": "NLL",
    "caravan": "NLL",
}
ARMS = ("hard", "soft", "transfer")


@dataclass(frozen=True)
class Student:
    """A student and its candidate settings for hard labels, in order.

    Attributes:
        classifier, regressor: its name in `students/by_name.py`; "network" for regression is scikit-learn's.
        scaled: whether it has weights and needs scaled columns, unlike a tree.
        fixed: settings that bound its size; the same for both tasks.
        classifier_grid, regressor_grid: the candidate settings.
    """

    classifier: str
    regressor: str
    scaled: bool
    fixed: dict[str, Any]
    classifier_grid: tuple[dict[str, Any], ...]
    regressor_grid: tuple[dict[str, Any], ...]


def _each(name: str, *values: float) -> tuple[dict[str, Any], ...]:
    return tuple({name: value} for value in values)


_LEAVES = _each("min_samples_leaf", 1, 2, 5, 15, 50, 150)
_RATES = _each("learning_rate", 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
_C, _RIDGE = _each("C", 0.001, 0.01, 0.03, 0.1, 1, 10), _each("alpha", 300, 100, 30, 10, 1, 0.1)
_L2 = (1e-1, 1e-2, 3e-3, 1e-3, 1e-4, 0)
_DECAY, _ALPHA = _each("l2", *_L2), _each("alpha", *_L2)
STUDENTS = {
    "tree, 32 leaves": Student("tree", "tree", False, {"max_leaf_nodes": 32, "random_state": 0}, _LEAVES, _LEAVES),
    "tree, 256 leaves": Student("tree", "tree", False, {"max_leaf_nodes": 256, "random_state": 0}, _LEAVES, _LEAVES),
    "linear": Student("logistic", "linear", True, {}, _C, _RIDGE),
    "small boosting": Student("boosting", "boosting", False, {"n_estimators": 20, "random_state": 0}, _RATES, _RATES),
    "MLP, 16 units": Student("mlp", "network", True, {"random_state": 0}, _DECAY, _ALPHA),
}
_ONLY_CLASSIFIER: dict[str, dict[str, Any]] = {
    "boosting": {"num_leaves": 8, "n_jobs": 1},
    "mlp": {"hidden_layer_sizes": (16,), "epochs": 15, "batch_size": 128},
}
_ONLY_REGRESSOR: dict[str, dict[str, Any]] = {"boosting": {"max_leaf_nodes": 8}}


def unfitted(student: Student, settings: dict[str, Any], task: str) -> Any:
    """An unfitted student with these settings."""
    if task == "classification":
        return student_named(student.classifier, **student.fixed, **_ONLY_CLASSIFIER.get(student.classifier, {}), **settings)
    if student.regressor == "network":
        network = MLPRegressor(hidden_layer_sizes=(16,), learning_rate_init=3e-3, batch_size=128, max_iter=30, **student.fixed, **settings)
        return TransformedTargetRegressor(network, transformer=StandardScaler())
    return student_named(student.regressor, "regression", **student.fixed, **_ONLY_REGRESSOR.get(student.regressor, {}), **settings)


def row_scores(metric: str, truth: NDArray[Any], targets: Floats, answers: Floats) -> Floats:
    """(rows,) values whose mean is the metric. R2 of a row is 1 - (error / deviation of the truth)^2."""
    if metric == "R2":
        return np.asarray(1 - (truth - answers[:, 0]) ** 2 / truth.var())
    return cross_entropy(targets, answers) if metric == "NLL" else agrees(targets, answers).astype(float)


@dataclass(frozen=True)
class Candidate:
    """A candidate of an arm: settings of the student, and the share of the teacher in the targets of labelled rows."""

    settings: dict[str, Any]
    soft_weight: float
    transfer: bool


def candidates(arm: str, grid: tuple[dict[str, Any], ...]) -> list[Candidate]:
    """The candidates of an arm; the same number for every arm."""
    if arm == "hard":
        return [Candidate(settings, 0.0, False) for settings in grid]
    return [Candidate(settings, soft_weight, arm == "transfer") for settings in grid[1::2] for soft_weight in (1.0, 0.5)]


def best_of(student: Student, data: BenchmarkData, metric: str, arm: str) -> tuple[Candidate, Floats]:
    """The candidate with the best validation score, and its answers to the test rows."""
    rows, sign = data.columns[student.scaled], -1 if metric == "NLL" else 1
    scored = []
    for candidate in candidates(arm, student.classifier_grid if data.classes else student.regressor_grid):
        X, targets = rows["labelled"], data.blended(candidate.soft_weight)
        if candidate.transfer:
            X, targets = np.vstack([X, rows["transfer"]]), np.vstack([targets, data.answers["transfer"]])
        model = unfitted(student, candidate.settings, data.task).fit(X, targets if data.classes else targets[:, 0])
        answer: Callable[[Any], Any] = model.predict_proba if data.classes else lambda rows, model=model: model.predict(rows)[:, None]
        scores = row_scores(metric, data.truth["validation"], data.as_targets("validation"), answer(rows["validation"]))
        scored.append((sign * float(scores.mean()), candidate, np.asarray(answer(rows["test"]))))
    _, candidate, answers = max(scored, key=lambda one: one[0])
    return candidate, answers


def result(name: str, student: Student, data_sets: list[BenchmarkData]) -> dict[str, Any]:
    """The figures of one student on one problem over all seeds, with verdicts."""
    metric = METRICS[name]
    scores: dict[str, list[Floats]] = {"teacher": [], **{arm: [] for arm in ARMS}}
    auc: dict[str, list[float]] = {arm: [] for arm in scores}
    chosen: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    for data in data_sets:
        answers = {"teacher": data.answers["test"]}
        for arm in ARMS:
            candidate, answers[arm] = best_of(student, data, metric, arm)
            chosen[arm].append(asdict(candidate))
        for arm, of_arm in answers.items():
            scores[arm].append(row_scores(metric, data.truth["test"], data.as_targets("test"), of_arm))
            if metric == "NLL":
                auc[arm].append(float(roc_auc_score(data.truth["test"], of_arm[:, 1])))
    found: dict[str, Any] = {"metric": metric, "chosen": chosen, "mean": {arm: float(np.mean(rows)) for arm, rows in scores.items()}}
    found["auc"] = {arm: float(np.mean(values)) for arm, values in auc.items() if values}
    for arm in ("soft", "transfer"):
        difference, interval = paired_difference(np.array(scores[arm]), np.array(scores["hard"]), shared_rows=True)
        of_arm = verdict(difference, interval, lower_is_better=metric == "NLL")
        found[arm] = {"difference": difference, "low": interval.low, "high": interval.high, "verdict": of_arm}
    return found


def cache_key(size: Size, seeds: int) -> str:
    """A key for everything on which a result depends, except the code."""
    everything = (__version__, asdict(size), seeds, FOLDS, WORDS, METRICS, _ONLY_CLASSIFIER, _ONLY_REGRESSOR)
    plain = json.dumps([everything, {name: asdict(student) for name, student in STUDENTS.items()}], sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def results(size: Size, seeds: int, *, fresh: bool) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(data, student, result) for all data sets and students, from the cache if possible."""
    path = Path(platformdirs.user_cache_dir("tutelage")) / "quality" / f"{cache_key(size, seeds)}.json"
    cached: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() and not fresh else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, build in PROBLEMS.items():
        data_sets: list[BenchmarkData] = []
        for title, student in STUDENTS.items():
            key = f"{name} / {title}"
            if key not in cached:
                data_sets = data_sets or [draw_data(build(), size, seed) for seed in range(seeds)]
                cached[key] = result(name, student, data_sets)
                write_text(path, json.dumps(cached, indent=1))
            yield name, title, cached[key]


def line(name: str, title: str, found: dict[str, Any]) -> str:
    """One row of the Markdown table."""
    digits = 4 if found["metric"] == "NLL" else 3
    arms = [f"{found['mean'][arm]:.{digits}f}" + (f" ({found['auc'][arm]:.3f})" if found["auc"] else "") for arm in ("teacher", *ARMS)]
    against = []
    for arm in ("soft", "transfer"):
        difference, low, high = (f"{found[arm][number]:+.{digits}f}" for number in ("difference", "low", "high"))
        against.append(f"{difference} ({low} to {high}) {found[arm]['verdict']}")
    return " | ".join([f"| {name}, {found['metric']}", title, *arms, *against]) + " |"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="few rows and two seeds, to check that it runs; about a minute")
    options.add_argument("--fresh", action="store_true", help="ignore cached results and compute again")
    chosen = options.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # scikit-learn's network has a fixed number of epochs, like ours
    import torch  # imported here, because the peers' environment, which imports row_scores, has no torch

    torch.set_num_threads(1)  # everything here is too small to be split among threads
    size, seeds = SIZES["quick" if chosen.quick else "full"], 2 if chosen.quick else 5
    print("| data | student | teacher | hard, tuned | soft | soft + transfer | soft - hard | with transfer - hard |")
    print("|---|---|---|---|---|---|---|---|")
    with threadpool_limits(1):
        for name, title, found in results(size, seeds, fresh=chosen.fresh):
            print(line(name, title, found), flush=True)


if __name__ == "__main__":
    main()
