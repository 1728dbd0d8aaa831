"""moons: the first experiment of the original demo, with additional controls.

Source: the notebook "Soft labels as regularizers" of tsitsimis/neural-network-distillation on GitHub,
https://github.com/tsitsimis/neural-network-distillation.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.model_selection import GridSearchCV
from torch import nn

from tutelage.core.arrays import Floats, one_hot
from tutelage.core.running.stages import Stages
from tutelage.experiments.cache import Store
from tutelage.experiments.demo import ORIGINAL_DEMO
from tutelage.experiments.demo.draws import Draw, by_arm, described, draw, for_each, predictions
from tutelage.experiments.demo.figures import mean_soft_labels
from tutelage.experiments.recipe import Outcome, Plan, Recipe
from tutelage.experiments.scorecard import ClassificationTest, Measured
from tutelage.experiments.teaching import cached_labels, cached_network
from tutelage.losses.functional.classification import soft_cross_entropy
from tutelage.losses.targets import harden
from tutelage.report.records import Figures, Region, Regions
from tutelage.students.trees import SoftTree
from tutelage.training.loop import fit
from tutelage.training.stacks.networks import mlp, parameter_count
from tutelage.training.student import TorchStudent
from tutelage.training.validation import Validation

SIZES = (2, 128, 128, 2)
ROWS, NOISE = 2400, 0.3
FIT_ROWS = 1920  # 80 % train the teacher and the rest choose its epoch, as with the original demo's validation_split
LEAF_SIZES = (1, 2, 5, 10, 20, 30, 50, 80, 120, 200)

ARMS = {
    "teacher": "a 2-128-128-2 network on the true classes, its epoch chosen on a fifth of the rows",
    "tree-hard": "an unpruned tree on the true classes",
    "tree-soft": "an unpruned tree on the teacher's probabilities",
    "tree-argmax": "control: an unpruned tree on the teacher's decisions only",
    "tree-hard-tuned": "control: a tree on the true classes, its leaf size chosen by 5-fold cross-validation",
    "tree-soft-transfer": "an unpruned tree on the teacher's probabilities for the training rows and a pool of unlabelled rows",
}
PUBLISHED = {"teacher": 0.900, "tree-hard": 0.865, "tree-soft": 0.900}
PAIRS = (
    (
        "tree-soft",
        "tree-hard-tuned",
        "Is a tree trained on the network's probabilities better than a tree on the true classes with a tuned leaf size?",
    ),
    ("tree-soft", "tree-hard", "Is it better than the original demo's baseline, an unpruned tree on the true classes?"),
    ("tree-soft", "tree-argmax", "Is it better than a tree on the teacher's decisions only?"),
    ("tree-soft-transfer", "tree-hard-tuned", "With a pool of unlabelled rows for the teacher, is it better than the tuned tree?"),
    ("tree-soft-transfer", "tree-soft", "Do the unlabelled rows improve the tree trained on the teacher's probabilities?"),
    ("tree-soft-transfer", "teacher", "Does the tree lose any of the teacher's accuracy?"),
)


def _draw(seed: int, *, further: int) -> Draw:
    """2400 training rows, `further` unlabelled rows and as many test rows, all drawn independently."""
    return draw(partial(make_moons, noise=NOISE), seed, rows=ROWS, pool=further, test=further)


def _train_teacher(network: nn.Module, *, drawn: Draw, epochs: int) -> Mapping[str, NDArray[Any]]:
    rows, targets = torch.from_numpy(drawn.train), torch.from_numpy(one_hot(drawn.truth, 2))
    report = fit(
        network,
        soft_cross_entropy,
        inputs=rows[:FIT_ROWS],
        targets=targets[:FIT_ROWS],
        optimizer=torch.optim.Adam(network.parameters(), lr=1e-3, fused=True),
        epochs=epochs,
        batch_size=100,
        validation=Validation(rows[FIT_ROWS:], torch.from_numpy(drawn.truth[FIT_ROWS:]), by="loss"),
    )
    return {"best_epoch": report.best_epoch}


def _teacher(drawn: Draw, *, epochs: int, store: Store) -> tuple[TorchStudent, list[Floats]]:
    """The teacher of one seed, and its probabilities for training rows, pool and test rows."""
    made_from = {"what": "moons teacher", "data": drawn.fingerprint, "sizes": SIZES, "epochs": epochs, "seed": drawn.seed}
    network, _ = cached_network(store, made_from, lambda: mlp(SIZES), partial(_train_teacher, drawn=drawn, epochs=epochs))
    labels = cached_labels(store, network, made_from, drawn.every, (0, 1))
    return TorchStudent(network, classes=(0, 1)), drawn.split(labels.probabilities)


def _grow(drawn: Draw, answers: list[Floats]) -> dict[str, SoftTree]:
    """Fit every tree of one seed on the teacher's probabilities for training rows and pool (those for test rows are unused)."""
    of_train, of_pool, _ = answers
    tree = SoftTree(random_state=drawn.seed)
    tuned = GridSearchCV(tree, {"min_samples_leaf": LEAF_SIZES}, cv=5, scoring="accuracy")
    return {
        "tree-hard": clone(tree).fit(drawn.train, drawn.truth),
        "tree-soft": clone(tree).fit(drawn.train, of_train),
        "tree-argmax": clone(tree).fit(drawn.train, harden(of_train)),
        "tree-hard-tuned": tuned.fit(drawn.train, drawn.truth).best_estimator_,
        "tree-soft-transfer": clone(tree).fit(drawn.taught, np.concatenate([of_train, of_pool])),
    }


def run(plan: Plan, store: Store, stages: Stages) -> Outcome:
    """Train a teacher and five trees per seed, each seed on different rows, and measure them."""
    further, epochs = (5000, 30) if plan.quick else (20_000, 100)
    draws = [_draw(seed, further=further) for seed in plan.seeds]
    of_seeds = for_each(partial(_teacher, epochs=epochs, store=store), draws, stages=stages, name="teachers")
    teachers, answers = zip(*of_seeds, strict=True)
    models = {"teacher": teachers, **by_arm(for_each(_grow, draws, answers, stages=stages, name="trees"))}
    with stages.stage("evaluation"):
        predicted = predictions(models, draws)
    return Outcome(
        arms=tuple(_measured(name, plan.seeds, predicted[name], models[name]) for name in ARMS),
        models=models,
        test=ClassificationTest(np.stack([drawn.test_truth for drawn in draws]), predicted["teacher"]),
        pairs=PAIRS,
        protocol=_protocol(plan, further, epochs),
        data=described(f"two moons (scikit-learn), noise {NOISE}", draws),
        figures=Figures(
            matrices=(mean_soft_labels(answers[0][0], draws[0].truth, ("0", "1"), temperature=1.0),),
            regions=(_regions(draws[0], {name: models[name][0] for name in ("teacher", "tree-hard-tuned", "tree-soft")}),),
        ),
    )


def _measured(name: str, seeds: tuple[int, ...], predictions: NDArray[Any], models: tuple[Any, ...]) -> Measured:
    network = name == "teacher"
    return Measured(
        name=name,
        meaning=ARMS[name],
        seeds=seeds,
        predictions=predictions,
        parameters=tuple(parameter_count(m.network) if network else m.tree_.tree_.node_count for m in models),
        unit="weights" if network else "nodes",
        published={"test_accuracy": PUBLISHED[name]} if name in PUBLISHED else None,
        chosen={"min_samples_leaf": [m.min_samples_leaf for m in models]} if name == "tree-hard-tuned" else {},
    )


def _protocol(plan: Plan, further: int, epochs: int) -> tuple[str, ...]:
    return (
        f"{len(plan.seeds)} seeds; each draws {ROWS} training rows, {further} unlabelled rows and {further} test rows.",
        f"Teacher: Adam at 0.001, batches of 100, {epochs} epochs on 80 % of the training rows; the epoch is chosen by the cross-entropy "
        "on the other 20 %.",
        "The teacher is queried once, in eval mode, at temperature 1; the trees are trained on these answers.",
        f"The leaf size of tree-hard-tuned is chosen among {', '.join(map(str, LEAF_SIZES))} by 5-fold cross-validation on the training "
        "rows.",
        "Test rows are not used for any choice. Differences are paired by seed; intervals are Student's t over seeds.",
        "Deviations from the original demo: linear logits instead of ReLU ones, probabilities instead of raw outputs, "
        "many seeds and test rows instead of one seed and 600 test rows.",
    )


def _regions(drawn: Draw, models: Mapping[str, Any]) -> Regions:
    """Probability of class 1 over the plane for the first seed, one panel per model."""
    low, high = drawn.train.min(axis=0) - 0.3, drawn.train.max(axis=0) + 0.3
    x, y = np.linspace(low[0], high[0], 121), np.linspace(low[1], high[1], 91)
    plane = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(np.float32)
    every_4th = slice(None, None, 4)
    return Regions(
        title="Decision regions",
        caption="Probability of class 1 over the plane, first seed: the teacher, the tree on the true classes with a tuned leaf size, and "
        "the tree on the teacher's probabilities. The points are a quarter of the training rows.",
        x=tuple(x.round(4).tolist()),
        y=tuple(y.round(4).tolist()),
        panels=tuple(
            Region(name, tuple(map(tuple, model.predict_proba(plane)[:, 1].reshape(len(y), len(x)).round(3).tolist())))
            for name, model in models.items()
        ),
        points=tuple(
            (round(float(a), 3), round(float(b), 3), int(c))
            for (a, b), c in zip(drawn.train[every_4th], drawn.truth[every_4th], strict=True)
        ),
    )


RECIPE = Recipe(
    name="moons",
    title="A network distilled into a decision tree",
    summary=f"The first experiment of the original demo, {ORIGINAL_DEMO}, on two noisy moons, with several seeds and additional controls.",
    seeds=20,
    quick_seeds=4,
    student="tree-soft",
    headline="test_accuracy",
    run=run,
    check_rows=lambda seed, data: _draw(seed, further=20_000).test[:10_000],
)
