"""friedman: the regression half. A boosted ensemble into one tree and one linear model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.datasets import make_friedman1
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeRegressor

from tutelage.core.records import Figures, Scatter
from tutelage.core.stages import Stages
from tutelage.data.fingerprint import fingerprint
from tutelage.evaluation.scorecard import Measured, RegressionTest
from tutelage.recipes.recipe import Outcome, Plan, Recipe
from tutelage.softlabels.recording import from_arrays, record
from tutelage.softlabels.store import Store
from tutelage.teachers.adapt import as_teacher

ROWS, POOL_ROWS, TEST_ROWS, NOISE = 2000, 20_000, 10_000, 1.0
TREES = 500
LEAF_SIZES = (1, 2, 5, 10, 15, 20, 30, 50)
RIDGES = tuple(float(penalty) for penalty in np.logspace(-3, 3, 13))

ARMS = {
    "teacher": f"gradient boosting, {TREES} trees of depth 3, on the measured values",
    "tree-hard": "an unpruned tree on the measured values",
    "tree-soft": "an unpruned tree on the teacher's answers",
    "tree-hard-tuned": "control: a tree on the measured values, its leaf size chosen by 5-fold cross-validation",
    "tree-soft-tuned": "a tree on the teacher's answers, its leaf size chosen in the same way",
    "tree-soft-transfer": "an unpruned tree on the teacher's answers for the rows and a pool of unlabelled ones",
    "linear-hard": "least squares on the measured values",
    "linear-hard-tuned": "control: ridge regression on the measured values, its penalty chosen by cross-validation",
    "linear-soft": "least squares on the teacher's answers",
    "linear-soft-transfer": "least squares on the teacher's answers for the rows and the pool",
}
PAIRS = (
    (
        "tree-soft-transfer",
        "tree-hard-tuned",
        "Does a tree taught with a pool of unlabelled rows beat a tuned tree on the measured values?",
    ),
    ("tree-soft", "tree-hard-tuned", "Does it without the pool?"),
    ("tree-soft-tuned", "tree-hard-tuned", "Does it without the pool, when both leaf sizes are tuned?"),
    ("tree-soft", "tree-hard", "Does an unpruned tree gain from the teacher's answers?"),
    ("tree-soft-transfer", "tree-soft", "Do the unlabelled rows add to what the teacher's answers give?"),
    ("linear-soft", "linear-hard-tuned", "Does a linear model gain from the teacher?"),
    ("linear-soft-transfer", "linear-hard-tuned", "Does it with the pool?"),
)


@dataclass(frozen=True)
class Draw:
    """One seed's rows: (rows, 10) float32 features, (rows,) measured values."""

    seed: int
    train: NDArray[np.float32]
    values: NDArray[np.float64]
    pool: NDArray[np.float32]
    test: NDArray[np.float32]
    test_values: NDArray[np.float64]

    @cached_property
    def teacher(self) -> GradientBoostingRegressor:
        """Fitted when first asked for: a second run has its answers already."""
        ensemble = GradientBoostingRegressor(n_estimators=TREES, learning_rate=0.05, subsample=0.5, random_state=self.seed)
        return ensemble.fit(self.train, self.values)


def _draw(seed: int) -> Draw:
    states = np.random.SeedSequence(seed).generate_state(3)
    (train, values), (pool, _), (test, test_values) = (
        make_friedman1(rows, noise=NOISE, random_state=int(state)) for rows, state in zip((ROWS, POOL_ROWS, TEST_ROWS), states, strict=True)
    )
    return Draw(seed, train.astype(np.float32), values, pool.astype(np.float32), test.astype(np.float32), test_values)


def _answers(draw: Draw, store: Store) -> list[NDArray[Any]]:
    """The teacher's answers for training rows, pool and test rows: (rows,) each, asked once and kept."""
    rows = np.concatenate([draw.train, draw.pool, draw.test])
    data = fingerprint(rows)
    made_from = {
        "what": "friedman answers",
        "teacher": {"trees": TREES, "seed": draw.seed, "data": fingerprint(draw.train, draw.values)},
        "data": data,
    }
    arrays = store.keep(made_from, lambda: {"answers": record(as_teacher(draw.teacher), rows, data=data).answers})
    labels = from_arrays(arrays, kind="values", classes=(), data=data, rows=len(rows))
    return np.split(labels.answers[:, 0], [ROWS, ROWS + POOL_ROWS])


def _learn(draw: Draw, taught: NDArray[Any], pooled: NDArray[Any]) -> dict[str, BaseEstimator]:
    """Every student of one seed."""
    tree = DecisionTreeRegressor(random_state=draw.seed)
    tuned = GridSearchCV(tree, {"min_samples_leaf": LEAF_SIZES}, cv=5)
    further, further_taught = np.concatenate([draw.train, draw.pool]), np.concatenate([taught, pooled])
    ridge = RidgeCV(RIDGES, cv=5).fit(draw.train, draw.values)
    return {
        "tree-hard": DecisionTreeRegressor(random_state=draw.seed).fit(draw.train, draw.values),
        "tree-soft": DecisionTreeRegressor(random_state=draw.seed).fit(draw.train, taught),
        "tree-hard-tuned": tuned.fit(draw.train, draw.values).best_estimator_,
        "tree-soft-tuned": tuned.fit(draw.train, taught).best_estimator_,
        "tree-soft-transfer": DecisionTreeRegressor(random_state=draw.seed).fit(further, further_taught),
        "linear-hard": LinearRegression().fit(draw.train, draw.values),
        "linear-hard-tuned": ridge,
        "linear-soft": LinearRegression().fit(draw.train, taught),
        "linear-soft-transfer": LinearRegression().fit(further, further_taught),
    }


def run(plan: Plan, store: Store, stages: Stages) -> Outcome:
    """Fit an ensemble and nine students a seed, each seed on rows of its own, and measure them."""
    draws = [_draw(seed) for seed in plan.seeds]
    answers, learned = [], []
    with stages.stage("teachers", len(draws)) as advance:
        for draw in draws:
            answers.append(_answers(draw, store))
            advance()
    with stages.stage("students", len(draws)) as advance:
        for draw, (taught, pooled, _) in zip(draws, answers, strict=True):
            learned.append(_learn(draw, taught, pooled))
            advance()
    with stages.stage("evaluation"):
        values, told = np.stack([draw.test_values for draw in draws]), np.stack([answer[2] for answer in answers])
        models = {name: tuple(students[name] for students in learned) for name in list(ARMS)[1:]}
        predictions = {"teacher": told} | {
            name: np.stack([student.predict(draw.test) for student, draw in zip(models[name], draws, strict=True)]) for name in models
        }
        # The cost of the ensemble is that of its first seed; the others need not be fitted again for it.
        models = {"teacher": (draws[0].teacher,), **models}
    return Outcome(
        arms=tuple(_measured(name, plan.seeds, predictions[name], models[name]) for name in ARMS),
        models=models,
        test=RegressionTest(values, told),
        pairs=PAIRS,
        protocol=_protocol(plan),
        data={
            "name": f"friedman1 (scikit-learn), 10 features, noise {NOISE:g}",
            "training rows": ROWS,
            "unlabelled rows": POOL_ROWS,
            "test rows": TEST_ROWS,
            "fingerprint of the first seed": fingerprint(draws[0].train, draws[0].values),
        },
        figures=Figures(scatters=(_scatter(values[0], {name: predictions[name][0] for name in SHOWN}),)),
    )


SHOWN = ("teacher", "tree-hard-tuned", "tree-soft-transfer", "linear-soft")


def _measured(name: str, seeds: tuple[int, ...], predictions: NDArray[Any], models: tuple[Any, ...]) -> Measured:
    linear = name.startswith("linear")
    chosen: dict[str, Any] = {}
    if name in ("tree-hard-tuned", "tree-soft-tuned"):
        chosen = {"min_samples_leaf": [model.min_samples_leaf for model in models]}
    if name == "linear-hard-tuned":
        chosen = {"penalty": [float(model.alpha_) for model in models]}
    return Measured(
        name=name,
        meaning=ARMS[name],
        seeds=seeds,
        predictions=predictions,
        parameters=tuple(model.coef_.size + 1 if linear else _nodes(model) for model in models),
        unit="weights" if linear else "nodes",
        chosen=chosen,
    )


def _nodes(model: Any) -> int:
    trees = model.estimators_.ravel() if hasattr(model, "estimators_") else [model]
    return sum(tree.tree_.node_count for tree in trees)


def _protocol(plan: Plan) -> tuple[str, ...]:
    return (
        f"{len(plan.seeds)} seeds; each draws {ROWS} training rows, {POOL_ROWS} unlabelled rows and {TEST_ROWS} test rows of its own.",
        f"Teacher: gradient boosting, {TREES} trees of depth 3, learning rate 0.05, half of the rows for each tree.",
        "The teacher is asked once about every row; students learn from those answers.",
        f"Tuned trees choose their leaf size among {', '.join(map(str, LEAF_SIZES))}, tuned linear models their penalty among "
        f"{len(RIDGES)} from {RIDGES[0]:g} to {RIDGES[-1]:g}, by 5-fold cross-validation on the training rows.",
        "Regression has no argmax control: a value holds no decision apart from itself.",
        "Test rows choose nothing. Differences are paired by seed; intervals are Student's t over seeds.",
    )


def _scatter(values: NDArray[Any], predictions: dict[str, NDArray[Any]]) -> Scatter:
    shown = slice(None, None, 25)
    return Scatter(
        title="Prediction against measured value",
        caption="Every 25th test row of the first seed. The noise alone has a standard deviation of 1.",
        panels={
            name: tuple(zip(values[shown].round(2).tolist(), predicted[shown].round(2).tolist(), strict=True))
            for name, predicted in predictions.items()
        },
    )


RECIPE = Recipe(
    name="friedman",
    title="A boosted ensemble distilled into a tree and a linear model",
    summary="The regression half: friedman1 with noise, 500 boosted trees as the teacher, tuned controls beside every student.",
    seeds=10,
    quick_seeds=3,
    student="tree-soft-transfer",
    headline="test_r2",
    run=run,
    check_rows=lambda seed: _draw(seed).test,
)
