"""Soft labels beside tuned hard ones on real data: which student gains, how much, and how sure that is.

Every arm chooses among the same three settings of its student by the same validation labels, so that the arms differ
in their targets and rows and in nothing else. The test rows are the same for five seeds; a seed draws the labelled
rows, the validation rows and the pool, and trains teacher and students anew. Results are kept in the user's cache, one
(data, student) after another, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from lessons import FOLDS, WORDS, Lesson, Size, lesson
from numpy.typing import NDArray
from real_data import PROBLEMS
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from tutelage import __version__
from tutelage.core.arrays import Floats
from tutelage.core.files import write_text
from tutelage.evaluation.agreement import agrees, cross_entropy
from tutelage.evaluation.significance import paired_difference, verdict
from tutelage.students.named import student_named

SIZES = {"full": Size(labelled=3000, validation=1500, pool=9000, test=4000), "quick": Size(300, 300, 900, 1000)}
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
    """A student and the settings that each arm chooses among.

    Attributes:
        classifier, regressor: its name in `students/named.py`; "network" for regression is scikit-learn's.
        scaled: whether it weighs columns rather than splits them.
        fixed: what bounds its size; the same for both tasks.
        classifier_grid, regressor_grid: the candidates.
    """

    classifier: str
    regressor: str
    scaled: bool
    fixed: dict[str, Any]
    classifier_grid: tuple[dict[str, Any], ...]
    regressor_grid: tuple[dict[str, Any], ...]


def _each(name: str, *values: float) -> tuple[dict[str, Any], ...]:
    return tuple({name: value} for value in values)


_LEAVES = _each("min_samples_leaf", 2, 10, 50)
_RATES = _each("learning_rate", 0.1, 0.2, 0.4)
STUDENTS = {
    "tree, 32 leaves": Student("tree", "tree", False, {"max_leaf_nodes": 32, "random_state": 0}, _LEAVES, _LEAVES),
    "tree, 256 leaves": Student("tree", "tree", False, {"max_leaf_nodes": 256, "random_state": 0}, _LEAVES, _LEAVES),
    "linear": Student("logistic", "linear", True, {}, _each("C", 0.01, 0.3, 10), _each("alpha", 100, 3, 0.1)),
    "small boosting": Student("boosting", "boosting", False, {"n_estimators": 20, "random_state": 0}, _RATES, _RATES),
    "MLP, 16 units": Student("mlp", "network", True, {"random_state": 0}, _each("l2", 0, 1e-3, 1e-2), _each("alpha", 0, 1e-3, 1e-2)),
}
_ONLY_CLASSIFIER = {"boosting": {"num_leaves": 8, "n_jobs": 1}, "mlp": {"hidden_layer_sizes": (16,), "epochs": 15, "batch_size": 128}}
_ONLY_REGRESSOR = {"boosting": {"max_leaf_nodes": 8}}


def unfitted(student: Student, settings: dict[str, Any], task: str) -> Any:
    """A student with these settings that has learnt nothing."""
    if task == "classification":
        return student_named(student.classifier, **student.fixed, **_ONLY_CLASSIFIER.get(student.classifier, {}), **settings)
    if student.regressor == "network":
        network = MLPRegressor((16,), learning_rate_init=3e-3, batch_size=128, max_iter=30, **student.fixed, **settings)
        return TransformedTargetRegressor(network, transformer=StandardScaler())
    return student_named(student.regressor, "regression", **student.fixed, **_ONLY_REGRESSOR.get(student.regressor, {}), **settings)


def row_scores(metric: str, truth: NDArray[Any], targets: Floats, answers: Floats) -> Floats:
    """(rows,) of which the figure is the mean. R2 by row is 1 - (error / deviation of the truth)^2."""
    if metric == "R2":
        return np.asarray(1 - (truth - answers[:, 0]) ** 2 / truth.var())
    return cross_entropy(targets, answers) if metric == "NLL" else agrees(targets, answers).astype(float)


def arms_of(student: Student, taught: Lesson, metric: str) -> dict[str, tuple[dict[str, Any], Floats]]:
    """By arm: the settings that validation chose, and the answers to the test rows."""
    rows = taught.columns[student.scaled]
    both = np.vstack([rows["labelled"], rows["transfer"]])
    soft = taught.answers["labelled"]
    lessons = {
        "hard": (rows["labelled"], taught.as_targets("labelled")),
        "soft": (rows["labelled"], soft),
        "transfer": (both, np.vstack([soft, taught.answers["transfer"]])),
    }
    return {arm: _best(student, taught, metric, X, targets) for arm, (X, targets) in lessons.items()}


def _best(student: Student, taught: Lesson, metric: str, X: Floats, targets: Floats) -> tuple[dict[str, Any], Floats]:
    """The candidate that validation prefers: its settings, and its answers to the test rows."""
    rows, truth = taught.columns[student.scaled], taught.truth["validation"]
    sign = -1 if metric == "NLL" else 1
    tried = []
    for settings in student.classifier_grid if taught.classes else student.regressor_grid:
        model = unfitted(student, settings, taught.task).fit(X, targets if taught.classes else targets[:, 0])
        ask: Callable[[Any], Any] = model.predict_proba if taught.classes else lambda rows, model=model: model.predict(rows)[:, None]
        score = sign * row_scores(metric, truth, taught.as_targets("validation"), ask(rows["validation"])).mean()
        tried.append((float(score), settings, np.asarray(ask(rows["test"]))))
    _, settings, answers = max(tried, key=lambda one: one[0])
    return settings, answers


def result(name: str, student: Student, lessons: list[Lesson]) -> dict[str, Any]:
    """Figures of one student on one problem over all seeds, and what may be said of them."""
    metric = METRICS[name]
    scores: dict[str, list[Floats]] = {"teacher": [], **{arm: [] for arm in ARMS}}
    auc: dict[str, list[float]] = {arm: [] for arm in scores}
    chosen: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    for taught in lessons:
        answers = {"teacher": taught.answers["test"]}
        for arm, (settings, said) in arms_of(student, taught, metric).items():
            answers[arm] = said
            chosen[arm].append(settings)
        for arm, said in answers.items():
            scores[arm].append(row_scores(metric, taught.truth["test"], taught.as_targets("test"), said))
            if metric == "NLL":
                auc[arm].append(float(roc_auc_score(taught.truth["test"], said[:, 1])))
    found: dict[str, Any] = {"metric": metric, "chosen": chosen, "mean": {arm: float(np.mean(rows)) for arm, rows in scores.items()}}
    found["auc"] = {arm: float(np.mean(values)) for arm, values in auc.items() if values}
    for arm in ("soft", "transfer"):
        difference, interval = paired_difference(np.array(scores[arm]), np.array(scores["hard"]), shared_rows=True)
        said = verdict(difference, interval, lower_is_better=metric == "NLL")
        found[arm] = {"difference": difference, "low": interval.low, "high": interval.high, "verdict": said}
    return found


def settled(size: Size, seeds: int) -> str:
    """A name for everything that a result depends on, but for the code."""
    everything = (__version__, asdict(size), seeds, FOLDS, WORDS, METRICS, _ONLY_CLASSIFIER, _ONLY_REGRESSOR)
    plain = json.dumps([everything, {name: asdict(student) for name, student in STUDENTS.items()}], sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def results(size: Size, seeds: int, *, fresh: bool) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(data, student, result), from the cache where it is there."""
    path = Path(platformdirs.user_cache_dir("tutelage")) / "quality" / f"{settled(size, seeds)}.json"
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() and not fresh else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, build in PROBLEMS.items():
        lessons: list[Lesson] = []
        for title, student in STUDENTS.items():
            key = f"{name} / {title}"
            if key not in kept:
                lessons = lessons or [lesson(build(), size, seed) for seed in range(seeds)]
                kept[key] = result(name, student, lessons)
                write_text(path, json.dumps(kept, indent=1))
            yield name, title, kept[key]


def line(name: str, title: str, found: dict[str, Any]) -> str:
    """A row of the table, in Markdown."""
    digits = 4 if found["metric"] == "NLL" else 3
    arms = [f"{found['mean'][arm]:.{digits}f}" + (f" ({found['auc'][arm]:.3f})" if found["auc"] else "") for arm in ("teacher", *ARMS)]
    against = []
    for arm in ("soft", "transfer"):
        difference, low, high = (f"{found[arm][number]:+.{digits}f}" for number in ("difference", "low", "high"))
        against.append(f"{difference} ({low} to {high}) {found[arm]['verdict']}")
    return " | ".join([f"| {name}, {found['metric']}", title, *arms, *against]) + " |"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="few rows, two seeds: shows that it works, about a minute")
    options.add_argument("--fresh", action="store_true", help="compute again what is kept")
    asked = options.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # the network of scikit-learn has a fixed number of epochs, as ours has
    if os.environ.get("OMP_NUM_THREADS") is None:
        import torch

        torch.set_num_threads(1)  # the networks are too small to share
    size, seeds = SIZES["quick" if asked.quick else "full"], 2 if asked.quick else 5
    print("| data | student | teacher | hard, tuned | soft | soft + transfer | soft - hard | with transfer - hard |")
    print("|---|---|---|---|---|---|---|---|")
    for name, title, found in results(size, seeds, fresh=asked.fresh):
        print(line(name, title, found), flush=True)


if __name__ == "__main__":
    main()
