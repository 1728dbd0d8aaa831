"""How often preflight says that a teacher was trained on the rows it is checked on: of teachers that were, and of teachers that were not.

Each teacher is trained on one part of a data set, and checked on rows of that part and on rows of the other. The rows are of scikit-learn,
made, and those of real_data.py. Printed as a table: for each kind of teacher, the share of checks that give a warning.
"""

from __future__ import annotations

import argparse
import warnings
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import real_data
from sklearn import datasets, ensemble, linear_model, neighbors, neural_network, tree
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tutelage.checks.findings import Finding
from tutelage.checks.memorised import check_memorised
from tutelage.checks.sampling import SampleAnswers, draw, query_sample
from tutelage.teachers.adapt import as_teacher

MOST, CHECKED = 12_000, 2000

CLASSIFIERS: dict[str, Any] = {
    "forest": ensemble.RandomForestClassifier(100, random_state=0),
    "forest, 5 rows a leaf": ensemble.RandomForestClassifier(100, min_samples_leaf=5, random_state=0),
    "boosting (LightGBM)": lightgbm.LGBMClassifier(verbose=-1, n_jobs=1),
    "boosting, stopped early": ensemble.HistGradientBoostingClassifier(early_stopping=True, random_state=0),
    "tree": tree.DecisionTreeClassifier(random_state=0),
    "logistic regression": linear_model.LogisticRegression(max_iter=500),
    "network": neural_network.MLPClassifier((50,), max_iter=50, random_state=0),
    "15 neighbours": neighbors.KNeighborsClassifier(15),
}
REGRESSORS: dict[str, Any] = {
    "forest": ensemble.RandomForestRegressor(100, random_state=0),
    "boosting (LightGBM)": lightgbm.LGBMRegressor(verbose=-1, n_jobs=1),
    "boosting, stopped early": ensemble.HistGradientBoostingRegressor(early_stopping=True, random_state=0),
    "ridge regression": linear_model.Ridge(),
}


def problems(seed: int) -> Iterator[tuple[str, Any, Any, bool]]:
    """Name, rows, truth, and whether the truth is values."""
    for name in ("breast_cancer", "digits"):
        yield name, *getattr(datasets, f"load_{name}")(return_X_y=True), False
    yield "diabetes", *datasets.load_diabetes(return_X_y=True), True
    yield "made, 15 % noise", *datasets.make_classification(3000, 20, n_informative=6, flip_y=0.15, random_state=seed), False
    made = datasets.make_classification(6000, 20, n_informative=8, n_classes=4, n_clusters_per_class=1, flip_y=0.02, random_state=seed)
    yield "made, 4 classes", *made, False
    yield "moons", *datasets.make_moons(2000, noise=0.3, random_state=seed), False
    yield "friedman1", *datasets.make_friedman1(3000, noise=1.0, random_state=seed), True
    for build in (real_data.credit, real_data.churn, real_data.caravan, real_data.flights, real_data.diamonds):
        problem = build()
        yield problem.name, problem.rows, problem.truth, problem.task == "regression"


def teacher_of(model: Any, rows: Any) -> Any:
    """The model behind what it needs to take the rows."""
    if not isinstance(rows, pd.DataFrame):
        return make_pipeline(StandardScaler(), clone(model))
    texts = OneHotEncoder(handle_unknown="ignore", sparse_output=False, max_categories=30)
    numbers = make_column_selector(dtype_include="number")
    return make_pipeline(
        make_column_transformer((StandardScaler(), numbers), (texts, make_column_selector(dtype_exclude="number"))), clone(model)
    )


def warned(teacher: Any, rows: Any, truth: Any, seed: int) -> Finding:
    """What the check finds."""
    adapted = as_teacher(teacher)
    answered = query_sample(adapted, draw(rows, truth, adapted.form, rows=CHECKED, seed=seed))
    if not isinstance(answered, SampleAnswers):
        raise SystemExit(answered.sentence)
    (found,) = check_memorised(adapted, answered, seed)
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=2)
    warnings.simplefilter("ignore")
    count: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for seed in range(options.parse_args().seeds):
        for name, rows, truth, values in problems(seed):
            order = np.random.default_rng(seed).permutation(len(truth))[:MOST]
            some = rows.iloc[order].dropna().reset_index(drop=True) if isinstance(rows, pd.DataFrame) else rows[order]
            kept = truth[order][rows.iloc[order].notna().all(axis=1)] if isinstance(rows, pd.DataFrame) else truth[order]
            half = len(kept) // 2
            for kind, model in (REGRESSORS if values else CLASSIFIERS).items():
                fitted = teacher_of(model, some).fit(some[:half], kept[:half])
                for which, part in (("seen", slice(0, half)), ("new", slice(half, None))):
                    found = warned(fitted, some[part], kept[part], seed)
                    count[kind, which].append(found.severity == "warning")
                    figures = " ".join(f"{value:.2f}" for value in list(found.figure.values())[:5])
                    print(f"# {seed} {name:20} {kind:25} {which:5} {found.severity:8} {figures}", flush=True)
    print("| teacher | trained on these rows | not trained on them |\n|---|---|---|")
    for kind in dict.fromkeys(kind for kind, _ in count):
        print("| " + " | ".join([kind, *(f"{sum(count[kind, which])} of {len(count[kind, which])}" for which in ("seen", "new"))]) + " |")


if __name__ == "__main__":
    main()
