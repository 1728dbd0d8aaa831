"""friedman: regression, a boosted ensemble distilled into one tree and one linear model."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import make_friedman1
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeRegressor

from tutelage.core.answers import AnswerForm
from tutelage.core.running.stages import Stages
from tutelage.experiments.answers import cached_answers
from tutelage.experiments.cache import Store
from tutelage.experiments.demo.draws import Draw, by_arm, described, draw, for_each, predictions
from tutelage.experiments.recipe import Outcome, Plan, Recipe
from tutelage.experiments.scorecard import Measured, RegressionTest
from tutelage.report.records import Figures, Scatter
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
    "tree-soft-transfer": "an unpruned tree on the teacher's answers for the training rows and a pool of unlabelled rows",
    "linear-hard": "least squares on the measured values",
    "linear-hard-tuned": "control: ridge regression on the measured values, its penalty chosen by cross-validation",
    "linear-soft": "least squares on the teacher's answers",
    "linear-soft-transfer": "least squares on the teacher's answers for the training rows and the pool",
}
PAIRS = (
    (
        "tree-soft-transfer",
        "tree-hard-tuned",
        "Is a tree trained on the teacher's answers, with a pool of unlabelled rows, better than a tuned tree on the measured values?",
    ),
    ("tree-soft", "tree-hard-tuned", "Is it better without the pool?"),
    ("tree-soft-tuned", "tree-hard-tuned", "Is it better without the pool if both leaf sizes are tuned?"),
    ("tree-soft", "tree-hard", "Is an unpruned tree better with the teacher's answers than with the measured values?"),
    ("tree-soft-transfer", "tree-soft", "Do the unlabelled rows improve the tree trained on the teacher's answers?"),
    ("linear-soft", "linear-hard-tuned", "Is a linear model better with the teacher's answers than a tuned one on the measured values?"),
    ("linear-soft-transfer", "linear-hard-tuned", "Is it better with the pool?"),
)


def _draw(seed: int) -> Draw:
    return draw(partial(make_friedman1, noise=NOISE), seed, rows=ROWS, pool=POOL_ROWS, test=TEST_ROWS)


@cache
def _ensemble(seed: int) -> GradientBoostingRegressor:
    """The teacher of one seed; fitted only if needed, because a second run finds its answers in the cache."""
    drawn = _draw(seed)
    ensemble = GradientBoostingRegressor(n_estimators=TREES, learning_rate=0.05, subsample=0.5, random_state=seed)
    return ensemble.fit(drawn.train, drawn.truth)


def _answers(drawn: Draw, *, store: Store) -> list[NDArray[Any]]:
    """The teacher's answers for training rows, pool and test rows, (rows,) each, computed once and cached."""
    rows = drawn.every
    teacher_from = {"what": "friedman answers", "teacher": {"trees": TREES, "seed": drawn.seed, "data": drawn.fingerprint}}
    labels = cached_answers(store, teacher_from, rows, AnswerForm("values", "regression"), lambda: as_teacher(_ensemble(drawn.seed)))
    return drawn.split(labels.answers[:, 0])


def _learn(drawn: Draw, answers: list[NDArray[Any]]) -> dict[str, BaseEstimator]:
    """Fit every student of one seed on the teacher's answers for training rows and pool (those for test rows are unused)."""
    of_train, of_pool, _ = answers
    tree, line, of_both = DecisionTreeRegressor(random_state=drawn.seed), LinearRegression(), np.concatenate([of_train, of_pool])
    tuned = GridSearchCV(tree, {"min_samples_leaf": LEAF_SIZES}, cv=5)
    return {
        "tree-hard": clone(tree).fit(drawn.train, drawn.truth),
        "tree-soft": clone(tree).fit(drawn.train, of_train),
        "tree-hard-tuned": tuned.fit(drawn.train, drawn.truth).best_estimator_,
        "tree-soft-tuned": tuned.fit(drawn.train, of_train).best_estimator_,
        "tree-soft-transfer": clone(tree).fit(drawn.taught, of_both),
        "linear-hard": clone(line).fit(drawn.train, drawn.truth),
        "linear-hard-tuned": RidgeCV(RIDGES, cv=5).fit(drawn.train, drawn.truth),
        "linear-soft": clone(line).fit(drawn.train, of_train),
        "linear-soft-transfer": clone(line).fit(drawn.taught, of_both),
    }


def run(plan: Plan, store: Store, stages: Stages) -> Outcome:
    """Fit an ensemble and nine students per seed, each seed on different rows, and measure them."""
    draws = [_draw(seed) for seed in plan.seeds]
    answers = for_each(partial(_answers, store=store), draws, stages=stages, name="teachers")
    students = by_arm(for_each(_learn, draws, answers, stages=stages, name="students"))
    with stages.stage("evaluation"):
        of_teacher = np.stack([of_test for _, _, of_test in answers])
        predicted = {"teacher": of_teacher, **predictions(students, draws)}
        # Only the ensemble of the first seed is needed, to measure its cost.
        models = {"teacher": (_ensemble(plan.seeds[0]),), **students}
        values = np.stack([drawn.test_truth for drawn in draws])
    return Outcome(
        arms=tuple(_measured(name, plan.seeds, predicted[name], models[name]) for name in ARMS),
        models=models,
        test=RegressionTest(values, of_teacher),
        pairs=PAIRS,
        protocol=_protocol(plan),
        data=described(f"friedman1 (scikit-learn), 10 features, noise {NOISE:g}", draws),
        figures=Figures(scatters=(_scatter(values[0], {name: predicted[name][0] for name in DRAWN_ARMS}),)),
    )


DRAWN_ARMS = ("teacher", "tree-hard-tuned", "tree-soft-transfer", "linear-soft")


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
        f"{len(plan.seeds)} seeds; each draws {ROWS} training rows, {POOL_ROWS} unlabelled rows and {TEST_ROWS} test rows.",
        f"Teacher: gradient boosting, {TREES} trees of depth 3, learning rate 0.05, half of the rows for each tree.",
        "The teacher is queried once on every row; students are trained on these answers.",
        f"The leaf size of tuned trees is chosen among {', '.join(map(str, LEAF_SIZES))}, the penalty of tuned linear models among "
        f"{len(RIDGES)} values from {RIDGES[0]:g} to {RIDGES[-1]:g}, both by 5-fold cross-validation on the training rows.",
        "Regression has no argmax control, because a value contains no separate decision.",
        "Test rows are not used for any choice. Differences are paired by seed; intervals are Student's t over seeds.",
    )


def _scatter(values: NDArray[Any], predictions: dict[str, NDArray[Any]]) -> Scatter:
    every_25th = slice(None, None, 25)
    return Scatter(
        title="Prediction against measured value",
        caption="Every 25th test row of the first seed. The noise alone has a standard deviation of 1.",
        panels={
            name: tuple(zip(values[every_25th].round(2).tolist(), predicted[every_25th].round(2).tolist(), strict=True))
            for name, predicted in predictions.items()
        },
    )


RECIPE = Recipe(
    name="friedman",
    title="A boosted ensemble distilled into a tree and a linear model",
    summary="Regression on friedman1 with noise: a teacher of 500 boosted trees, students on its answers, and tuned controls.",
    seeds=10,
    quick_seeds=3,
    student="tree-soft-transfer",
    headline="test_r2",
    run=run,
    check_rows=lambda seed, data: _draw(seed).test,
)
