"""phuong2019: a linear student of a linear teacher, by gradient descent: where it ends, and how fast its risk falls with the rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from tutelage.core.arrays import Floats, sigmoid
from tutelage.core.running.stages import Stages
from tutelage.experiments.cache import Store
from tutelage.experiments.papers.measures import claim_at_least, claim_at_most, claim_better, compare, per_seed
from tutelage.experiments.papers.paper import Findings, Paper
from tutelage.experiments.recipe import Plan
from tutelage.report.papers.records import Curve, Series, Source

TEST_ROWS = 20_000
TEACHER_NORM = 2.0
"""Of the teacher's weights; it changes how sure the teacher is, not what it decides."""


@dataclass(frozen=True)
class Size:
    """The number of features, of rows for each point of the curve, of draws for each seed, and of steps of gradient descent."""

    features: int = 50
    counts: tuple[int, ...] = (5, 10, 20, 30, 40, 45, 50, 75, 100)
    draws: int = 10
    steps: int = 5000


QUICK = Size(features=20, counts=(5, 10, 20, 40), draws=3, steps=3000)


def descended(rows: Floats, targets: Floats, *, steps: int) -> Floats:
    """(features,) weights of a linear student after gradient descent, with Nesterov's momentum, from zero on its cross-entropy.

    Args:
        rows: (rows, features).
        targets: (rows,) probabilities of class 1, or labels.
        steps: of gradient descent, with the largest step that is certain to descend.
    """
    rate = 4 * len(rows) / np.linalg.norm(rows, 2) ** 2
    weights: Floats = np.zeros(rows.shape[1])
    ahead = weights
    for step in range(steps):
        before = weights
        weights = ahead - rate / len(rows) * (rows.T @ (sigmoid(rows @ ahead) - targets))
        ahead = weights + step / (step + 3) * (weights - before)
    return weights


def projected(rows: Floats, teacher: Floats) -> Floats:
    """(features,) the teacher's weights projected onto the span of the rows: where the paper proves that the student ends."""
    return np.asarray(np.linalg.lstsq(rows, rows @ teacher, rcond=None)[0])


def run(plan: Plan, store: Store, stages: Stages) -> Findings:
    """Train the students of every seed and number of rows."""
    size = QUICK if plan.quick else Size()
    with stages.stage("students", len(plan.seeds) * len(size.counts)) as advance:
        figures = []
        for seed in plan.seeds:
            of_seed = []
            for count in size.counts:
                made_from = {"what": "phuong2019", "size": str(size), "test rows": TEST_ROWS, "rows": count, "seed": seed}
                of_seed.append(store.cached(made_from, partial(_mean_figures, seed, count, size))["figures"])
                advance()
            figures.append(of_seed)
    table: Floats = np.array(figures)  # (seeds, counts, figures)
    full = size.counts.index(size.features)
    half = min(range(len(size.counts)), key=lambda at: abs(size.counts[at] - 0.6 * size.features))
    arms = {
        (name, count): per_seed(f"{name}, {count} rows", meaning, 100 * table[:, at, place], "% of rows decided otherwise")
        for place, (name, meaning) in enumerate(
            (
                ("student on the teacher", "gradient descent on its probabilities"),
                ("student on labels", "the same on its decisions"),
                ("projected teacher", "the teacher's weights projected onto the span of the rows"),
            )
        )
        for at, count in enumerate(size.counts)
    }
    fewer = [at for at, count in enumerate(size.counts) if count < size.features]
    ends = per_seed(
        "cosine at fewer rows than features",
        f"between the student's weights and the projected teacher: the smallest of {', '.join(str(size.counts[at]) for at in fewer)} rows",
        table[:, fewer, 3].min(axis=1),
        "cosine",
        digits=6,
        lower_is_better=False,
    )
    soft, hard = arms["student on the teacher", size.counts[half]], arms["student on labels", size.counts[half]]
    better = compare(soft, hard, f"With {size.counts[half]} rows, does the student on probabilities decide as the teacher more often?")
    exact = arms["student on the teacher", size.counts[full]]
    return Findings(
        measures=(ends.measure(), *(arm.measure() for arm in arms.values())),
        comparisons=(better,),
        claims=(
            claim_at_least(
                "The student ends at the teacher's weights, projected onto the span of its rows; here: a cosine of 0.999.",
                "proven",
                ends,
                0.999,
            ),
            claim_at_most(
                f"With as many rows as features, its risk is zero; here at most 1 % after {size.steps:,} steps.", "proven", exact, 1.0
            ),
            claim_better("With fewer rows, it is better than a student on labels.", "shown in a figure", better),
        ),
        protocol=(
            f"Rows have {size.features} normal features; the teacher is linear, with random weights.",
            f"Students start at zero and take {size.steps:,} steps of gradient descent on the cross-entropy.",
            f"Each figure of a seed is the mean of {size.draws} draws of teacher and rows; the risk is the share of {TEST_ROWS:,} fresh "
            "rows that student and teacher decide otherwise.",
        ),
        deviations=(
            "Gradient descent with Nesterov's momentum, which stays in the span of the rows, in place of gradient flow: the bound of "
            "1 % allows for what the last steps are short of.",
            "The paper's bounds on how fast the risk falls are not checked. Labels are the teacher's decisions, without noise.",
            "The cosine was to be 0.9999 at first, which held as well.",
            "The paper's figure has other dimensions and distributions of angles; only the direction is compared.",
        ),
        data={"data": "normal features, generated", "features": size.features},
        budget={"steps": size.steps, "draws per seed and number of rows": size.draws},
        curves=(
            Curve(
                title="Risk by the number of rows",
                caption=f"Rows that student and teacher decide otherwise, in per cent; there are {size.features} features.",
                x_name="rows",
                y_name="% decided otherwise",
                series=tuple(
                    Series(name, kind, tuple(arms[name, count].point(count) for count in size.counts))
                    for name, kind in (("student on the teacher", "chosen"), ("student on labels", "baseline"))
                ),
            ),
        ),
    )


def _mean_figures(seed: int, count: int, size: Size) -> dict[str, Floats]:
    """The mean of the figures over draws."""
    return {"figures": np.mean([_figures(seed, draw, count, size) for draw in range(size.draws)], axis=0)}


def _figures(seed: int, draw: int, count: int, size: Size) -> Floats:
    """(4,) risks of the student on the teacher, of that on labels and of the projected teacher, and the cosine of the first and last."""
    rng = np.random.default_rng((seed, draw, count))
    direction = rng.standard_normal(size.features)
    teacher = TEACHER_NORM * direction / np.linalg.norm(direction)
    rows, test = (rng.standard_normal((number, size.features)) for number in (count, TEST_ROWS))
    soft = descended(rows, sigmoid(rows @ teacher), steps=size.steps)
    hard = descended(rows, (rows @ teacher > 0).astype(np.float64), steps=size.steps)
    aim = projected(rows, teacher)
    decided = test @ teacher > 0
    risks = [float(((test @ weights > 0) != decided).mean()) for weights in (soft, hard, aim)]
    return np.array([*risks, soft @ aim / (np.linalg.norm(soft) * np.linalg.norm(aim))])


PAPER = Paper(
    name="phuong2019",
    title="Where a linear student ends, and how fast its risk falls",
    summary="A linear student learns from a linear teacher by gradient descent: what the paper proves of its weights and risk, checked.",
    source=Source("Phuong, Lampert", 2019, "Towards Understanding Knowledge Distillation", "https://arxiv.org/abs/2105.13093"),
    seeds=10,
    quick_seeds=3,
    run=run,
)
