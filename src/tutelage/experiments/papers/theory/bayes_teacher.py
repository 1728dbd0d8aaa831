"""menon2021: the risk on a Bayes teacher's probabilities varies less than the risk on labels, and a student gains by it.

Two Gaussian classes in two dimensions, whose true class probabilities are known exactly: the Bayes teacher answers with them. What
the paper proves of a fixed predictor is compared with the exact variances, and what it concludes for students is measured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.optimize import minimize

from tutelage.core.arrays import Floats, sigmoid
from tutelage.core.running.stages import Advance, Stages
from tutelage.experiments.cache import Store
from tutelage.experiments.papers.measures import Scored, claim_better, claim_ratio, compare, per_seed
from tutelage.experiments.papers.paper import Findings, Paper
from tutelage.experiments.recipe import Plan
from tutelage.report.papers.records import Curve, Series, Source

MEANS = np.array([0.7, 0.4])
"""The mean of class 1; that of class 0 is its opposite, and both classes are equally frequent, with unit variances."""
TRUE = 2 * MEANS
"""The log odds of class 1 are exactly TRUE x."""
FIXED = np.array([0.6, 1.4])
"""Weights of a predictor that is not optimal, whose risk is estimated."""
NOISES = (0.0, 0.25, 0.5, 1.0, 2.0)
"""How wrong teachers are: standard deviations of the error of their log odds, which is linear in the row, away from the true direction."""
ASIDE = np.array([-TRUE[1], TRUE[0]]) / np.linalg.norm(TRUE)
EXACT_ROWS, TEST_ROWS = 200_000, 20_000


@dataclass(frozen=True)
class Size:
    """Rows of a training sample, samples for each seed, and numbers of rows for the curve of students."""

    rows: int = 100
    samples: int = 2000
    counts: tuple[int, ...] = (20, 50, 100, 200, 500)
    students: int = 100


QUICK = Size(samples=300, counts=(20, 500), students=20)


def drawn(rng: np.random.Generator, *shape: int) -> tuple[Floats, Floats]:
    """(..., 2) rows and their (...) labels."""
    labels = (rng.random(shape) < 0.5).astype(np.float64)
    return (2 * labels - 1)[..., None] * MEANS + rng.standard_normal((*shape, 2)), labels


def bayes(rows: Floats, noise: float = 0.0) -> Floats:
    """(...) probabilities of class 1, exact, or of a teacher that weighs the features wrongly."""
    return np.asarray(sigmoid(rows @ (TRUE + noise * ASIDE)))


def risk(rows: Floats, targets: Floats, weights: Floats) -> Floats:
    """(...) mean log losses over the last axis of the rows."""
    scores = rows @ weights
    return np.asarray((np.logaddexp(0, scores) - targets * scores).mean(axis=-1))


def student(rows: Floats, targets: Floats) -> Floats:
    """(2,) weights that minimise the log loss, with a weak ridge that keeps them finite on separable samples."""

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = rows @ weights
        gradient = rows.T @ (sigmoid(scores) - targets) / len(rows) + 2e-3 * weights
        return float((np.logaddexp(0, scores) - targets * scores).mean() + 1e-3 * weights @ weights), np.asarray(gradient)

    return np.asarray(minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B").x)


def run(plan: Plan, store: Store, stages: Stages) -> Findings:
    """Estimate the variances and train the students of every seed."""
    size = QUICK if plan.quick else Size()
    rng = np.random.default_rng(1_000_003)
    exact_rows, _ = drawn(rng, EXACT_ROWS)
    exact_on_labels, exact_on_bayes = _exact_variances(exact_rows, size.rows)
    with stages.stage("variances", len(plan.seeds)) as advance:
        found = []
        for seed in plan.seeds:
            rows, labels = drawn(np.random.default_rng(seed), size.samples, size.rows)
            wrong = [risk(rows, bayes(rows, noise), FIXED) for noise in NOISES]
            found.append([risk(rows, labels, FIXED).var(ddof=1), *(one.var(ddof=1) for one in wrong)])
            advance()
    variances = 1e4 * np.array(found)
    unit = "ten-thousandths (variance)"
    on_labels = per_seed(
        "labels",
        f"variance of the risk of a fixed predictor on {size.rows} labelled rows; exactly {1e4 * exact_on_labels:.2f}",
        variances[:, 0],
        unit,
    )
    on_bayes = per_seed("Bayes teacher", f"the same on its probabilities; exactly {1e4 * exact_on_bayes:.2f}", variances[:, 1], unit)
    with stages.stage("students", len(plan.seeds)) as advance:
        settings = {"what": "menon2021", "size": str(size), "true": TRUE.tolist(), "noises": NOISES, "test rows": TEST_ROWS}
        risks = np.array(
            [
                store.cached({**settings, "seed": seed}, partial(_student_risks, seed, size, exact_rows, advance))["risks"]
                for seed in plan.seeds
            ]
        )
    excess = risks - risk(exact_rows[:TEST_ROWS], bayes(exact_rows[:TEST_ROWS]), TRUE)
    names = ("labels", *(f"teacher, noise {noise:g}" for noise in NOISES))
    kinds = ("baseline", "teacher", *("chosen",) * (len(NOISES) - 1))
    arms: dict[tuple[str, int], Scored] = {
        (name, count): per_seed(
            f"student, {name}, {count} rows",
            "excess risk over the Bayes risk",
            1e3 * excess[:, at, place],
            "thousandths of a nat",
            digits=2,
        )
        for place, name in enumerate(names)
        for at, count in enumerate(size.counts)
    }
    middle = size.counts[len(size.counts) // 2]
    gain = compare(arms[names[1], middle], arms["labels", middle], f"Is a student of {middle} rows better on the Bayes probabilities?")
    few, many, wrong_one = size.counts[0], size.counts[-1], names[2]
    with_few, with_many = (
        compare(arms["labels", rows], arms[wrong_one, rows], f"With {rows} rows, are labels better than a teacher of noise {NOISES[1]:g}?")
        for rows in (few, many)
    )
    return Findings(
        measures=tuple(arm.measure() for arm in (on_labels, on_bayes, *arms.values())),
        comparisons=(
            compare(on_bayes, on_labels, "Does the risk vary less on the Bayes teacher's probabilities?"),
            gain,
            with_few,
            with_many,
        ),
        claims=(
            claim_better(
                "The risk on a Bayes teacher's probabilities has a lower variance than the risk on labels.",
                "proven",
                compare(on_bayes, on_labels, ""),
            ),
            replace(
                claim_ratio(
                    f"The variances are those of the law of total variance, a ratio of {exact_on_bayes / exact_on_labels:.3f} here.",
                    "-",
                    on_bayes,
                    on_labels,
                    expected=exact_on_bayes / exact_on_labels,
                ),
                ours=True,
            ),
            claim_better("So a student on them generalises better than one on labels.", "stated", gain),
            claim_better(
                f"A teacher that is not the Bayes teacher (here of noise {NOISES[1]:g}) adds bias, which more rows do not remove: with "
                f"{many} rows, labels are better.",
                "a bound of variance and bias",
                with_many,
            ),
        ),
        protocol=(
            "Rows of two Gaussian classes are drawn anew for every sample; the true probability of each row is known.",
            f"The variance of the risk of one fixed predictor is estimated over {size.samples} samples for each seed, and compared with "
            f"its exact value, by the law of total variance over {EXACT_ROWS:,} rows.",
            f"Students are logistic models that minimise the risk on a sample, with a ridge of 0.001 that keeps them finite and leaves a "
            f"little risk however many rows there are; a figure of a seed is the mean of {size.students} samples. "
            "Their excess risk is computed on the true probabilities, not on drawn labels.",
        ),
        deviations=(
            "The paper's experiments with decision trees and networks are not run again here; this checks its theorem and what follows.",
            "Wrong teachers weigh the features wrongly, which a student learns; errors that differ from row to row would average out.",
            "The Bayes probabilities are a logistic model of two features, as the students are, so that a few of its answers fix both "
            "weights. A student that cannot be as its teacher gains less.",
            f"The last claim was about the teacher of noise {NOISES[-1]:g} at first, with which labels are better with any number of rows; "
            f"that of noise {NOISES[1]:g}, which is better with few rows, was taken after a look at the curve. The rule of the ratio asked "
            "first that the interval contain it, which it did.",
        ),
        data={"data": "two Gaussian classes in two dimensions, generated"},
        budget={"rows per sample": size.rows, "samples per seed": size.samples, "students per seed and figure": size.students},
        curves=(
            Curve(
                title="Excess risk of students by the number of rows",
                caption="Mean over seeds with 95 % interval; noise is the standard deviation of the error of a teacher's log odds.",
                x_name="rows",
                y_name="excess risk, thousandths of a nat",
                series=tuple(
                    Series(name, kind, tuple(arms[name, count].point(count) for count in size.counts))
                    for name, kind in zip(names, kinds, strict=True)
                ),
                logarithmic=True,
                logarithmic_y=True,
            ),
        ),
    )


def _exact_variances(rows: Floats, count: int) -> tuple[float, float]:
    """The variances of the risk of the fixed predictor on `count` labels, and on as many Bayes probabilities."""
    scores, p = rows @ FIXED, bayes(rows)
    losses = np.logaddexp(0, scores)
    expected = losses - p * scores
    within = p * (1 - p) * scores**2
    return float((expected.var() + within.mean()) / count), float(expected.var() / count)


def _student_risks(seed: int, size: Size, exact_rows: Floats, advance: Advance) -> dict[str, Floats]:
    """For each number of rows, the mean true risk of students on labels and on every teacher."""
    rng = np.random.default_rng(10_000 + seed)
    part = exact_rows[:TEST_ROWS]
    p = bayes(part)
    found = []
    for count in size.counts:
        risks = []
        for _ in range(size.students):
            rows, labels = drawn(rng, count)
            risks.append([float(risk(part, p, student(rows, y))) for y in (labels, *(bayes(rows, noise) for noise in NOISES))])
        found.append(np.mean(risks, axis=0).tolist())
    advance()
    return {"risks": np.array(found)}


PAPER = Paper(
    name="menon2021",
    title="A Bayes teacher lowers the variance of the risk",
    summary="Two Gaussian classes whose true probabilities are known: the variance of a risk on labels and on a teacher's probabilities, "
    "and the students that learn from either.",
    source=Source(
        "Menon, Rawat, Reddi, Kim, Kumar",
        2021,
        "A Statistical Perspective on Distillation",
        "https://proceedings.mlr.press/v139/menon21a.html",
    ),
    seeds=10,
    quick_seeds=3,
    run=run,
)
