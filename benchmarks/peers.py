"""Comparison with imodels and AutoGluon: the same rows, teachers and student sizes, without tuning, three seeds.

A tree of 32 leaves: imodels' DistilledRegressor with scikit-learn's tree and with imodels' shrunk tree. Twenty boosted
trees of eight leaves: AutoGluon's `distill`, and tutelage's student trained on the ensemble that AutoGluon trained. The
test rows are the same for all seeds.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
from benchmark_data import BenchmarkData, Size, draw_data
from imodels import DistilledRegressor as ImodelsDistilled
from imodels import HSTreeRegressor
from quality import row_scores
from real_data import PROBLEMS
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeRegressor
from threadpoolctl import threadpool_limits

import tutelage as tl
from tutelage.core.answers import two_columns
from tutelage.core.arrays import Floats
from tutelage.evaluation.verdicts import paired_difference, verdict
from tutelage.students.columns import with_columns

DATA = ("credit", "churn")
SIZE = Size(labelled=2000, validation=1000, pool=4000, test=3000)
LEAVES = {"max_leaf_nodes": 32, "min_samples_leaf": 10, "random_state": 0}
SMALL = {"num_leaves": 8, "learning_rate": 0.2}
Answers = dict[str, Floats]


def trees(data: BenchmarkData, seed: int) -> Answers:
    """(rows, 2) answers to the test rows of trees trained on 100 boosted trees."""
    X, y, test = data.columns[False]["labelled"], data.truth["labelled"], data.columns[False]["test"]

    def teacher() -> Any:
        return lightgbm.LGBMClassifier(learning_rate=0.05, random_state=seed, verbose=-1, n_jobs=1)

    def theirs(student: Any) -> Floats:
        return two_columns(np.clip(ImodelsDistilled(teacher(), student).fit(X, y).predict(test), 0, 1), "probabilities")

    ours = tl.DistilledClassifier(teacher(), tl.SoftTree(**LEAVES), out_of_fold=4, random_state=seed)
    with_munge = tl.DistilledClassifier(
        teacher(), tl.SoftTree(**LEAVES), out_of_fold=4, transfer=tl.transfer.Munge(), transfer_rows=5.0, random_state=seed
    )
    return {
        "teacher of trees": teacher().fit(X, y).predict_proba(test),
        "tree on true classes": tl.SoftTree(**LEAVES).fit(X, y).predict_proba(test),
        "imodels, scikit-learn's tree": theirs(DecisionTreeRegressor(**LEAVES)),
        "imodels, shrunk tree": theirs(HSTreeRegressor(DecisionTreeRegressor(**LEAVES))),
        "tutelage, tree out of fold": ours.fit(X, y).predict_proba(test),
        "tutelage, tree out of fold + MUNGE": with_munge.fit(X, y).predict_proba(test),
    }


def boosting(data: BenchmarkData, seed: int) -> Answers:
    """(rows, 2) answers to the test rows of 20 small boosted trees trained on AutoGluon's ensemble of boosted trees and a forest."""
    from autogluon.tabular import TabularPredictor

    labelled, test = data.parts["labelled"], data.parts["test"]
    rows = labelled.assign(_label=data.truth["labelled"])
    predictor = TabularPredictor("_label", path=tempfile.mkdtemp(), verbosity=0, eval_metric="log_loss").fit(
        rows, hyperparameters={"GBM": {}, "RF": {}, "XT": {}}, num_cpus=1
    )
    best = predictor.model_best  # by name, because `distill` adds models
    teacher = tl.as_teacher(lambda frame: predictor.predict_proba(frame, model=best).to_numpy(), kind="probabilities", classes=[0, 1])
    answers = {"teacher of AutoGluon": predictor.predict_proba(test).to_numpy()}
    student = with_columns(tl.SoftBoosting(n_estimators=20, n_jobs=1, random_state=seed, **SMALL), labelled, scaled=False)
    with_munge = tl.DistilledClassifier(teacher, student, transfer=tl.transfer.Munge(), transfer_rows=5.0, random_state=seed)
    answers["boosting on true classes"] = student.fit(labelled, data.truth["labelled"]).predict_proba(test)
    answers["tutelage, boosting + MUNGE"] = with_munge.fit(labelled).predict_proba(test)
    distilled = predictor.distill(hyperparameters={"GBM": {"num_boost_round": 20, **SMALL}}, verbosity=0)
    answers["AutoGluon, distill"] = predictor.predict_proba(test, model=distilled[0]).to_numpy()
    return answers


def compared(name: str, of: Callable[[BenchmarkData, int], Answers], data_sets: list[BenchmarkData], against: str) -> None:
    """Print a row of the table for each model, with its difference from one of them."""
    answers = [of(data, seed) for seed, data in enumerate(data_sets)]
    pairs = list(zip(data_sets, answers, strict=True))
    scores = {
        model: np.array([row_scores("NLL", one.truth["test"], one.as_targets("test"), of_one[model]) for one, of_one in pairs])
        for model in answers[0]
    }
    for model, nll in scores.items():
        auc = np.mean([roc_auc_score(one.truth["test"], of_one[model][:, 1]) for one, of_one in pairs])
        difference, interval = paired_difference(nll, scores[against], shared_rows=True)
        text = f"{difference:+.4f} ({interval.low:+.4f} to {interval.high:+.4f}) {verdict(difference, interval, lower_is_better=True)}"
        print(f"| {name} | {model} | {nll.mean():.4f} | {auc:.3f} | {'' if model == against else text} |", flush=True)


def main() -> None:
    warnings.simplefilter("ignore")  # warnings of the peers
    logging.disable(logging.ERROR)  # AutoGluon reports that torch is missing, which is not needed here
    size, seeds = (Size(300, 300, 900, 1000), 2) if "--quick" in sys.argv else (SIZE, 3)
    print("| data | model | NLL | AUC | NLL minus the peer's |\n|---|---|---|---|---|")
    with threadpool_limits(1):
        for name in DATA:
            data_sets = [draw_data(PROBLEMS[name](), size, seed) for seed in range(seeds)]
            compared(name, trees, data_sets, "imodels, scikit-learn's tree")
            compared(name, boosting, data_sets, "AutoGluon, distill")


if __name__ == "__main__":
    main()
