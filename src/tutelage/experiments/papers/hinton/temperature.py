"""hinton2015-temperature: which temperature suits which width."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.core.running.stages import Stages
from tutelage.experiments.cache import Store
from tutelage.experiments.in_processes import in_stage
from tutelage.experiments.papers.hinton import SOURCE
from tutelage.experiments.papers.hinton.settings import QUICK, Size, large
from tutelage.experiments.papers.measures import Scored, claim_alike, claim_better, compare
from tutelage.experiments.papers.paper import Findings, Paper
from tutelage.experiments.papers.pictures import CLASSES, Pictures, mnist
from tutelage.experiments.papers.stacked import Arm, Students
from tutelage.experiments.recipe import Plan
from tutelage.report.papers.records import Curve, Series

TEMPERATURES = (1.0, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0, 40.0)
BEST, LOW, HIGH = (2.5, 3.0, 4.0), (1.0, 2.0), (6.0, 8.0, 12.0, 20.0, 40.0)
ABOVE_EIGHT = (8.0, 12.0, 40.0)
ALIKE = 15.0
"""Test errors by which two temperatures may differ and are alike."""


@dataclass(frozen=True)
class Widths:
    """The students of a run.

    Attributes:
        units: hidden units per layer, narrow and wide.
        repeats: initial weights for each seed and temperature, of both.
        epochs, batch_size, peak_rate: of the training, of both.
    """

    units: tuple[int, int] = (30, 300)
    repeats: tuple[int, int] = (4, 2)
    epochs: tuple[int, int] = (30, 20)
    batch_size: int = 256
    peak_rate: tuple[float, float] = (5e-3, 1e-3)


@dataclass(frozen=True)
class _Seed:
    """The students of a seed, of both widths, on the answers of the seed's own large network."""

    pictures: Pictures
    size: Size
    widths: Widths
    store: Store

    def __call__(self, seed: int) -> list[NDArray[np.int64]]:
        """For each width, (repeats, temperatures, test rows) predicted classes."""
        pictures, widths = self.pictures, self.widths
        _, labels = large(pictures, self.size, self.store, seed=seed)
        found = []
        made_from = {"pictures": pictures.fingerprint, "teacher": labels.fingerprint}
        for place, units in enumerate(widths.units):
            students = Students(
                (pictures.inputs.shape[1], units, units, CLASSES),
                tuple(Arm(temperature) for temperature in TEMPERATURES),
                widths.repeats[place],
                widths.epochs[place],
                widths.batch_size,
                widths.peak_rate[place],
                self.store,
            )
            stack = students.trained(seed, inputs=pictures.inputs, logits=labels.logits, truth=None, made_from=made_from)
            found.append(students.logits(stack, pictures.test_inputs).argmax(axis=-1))
        return found


def run(plan: Plan, store: Store, stages: Stages) -> Findings:
    """Train students of two widths at every temperature."""
    size = QUICK if plan.quick else Size()
    widths = Widths(units=(10, 60), repeats=(2, 1), epochs=(10, 10), batch_size=64) if plan.quick else Widths()
    with stages.stage("data"):
        pictures = mnist(quick=plan.quick)
    tables = in_stage(stages, "networks", _Seed(pictures, size, widths, store), plan.seeds, parallel=size.parallel)
    narrow, wide = (
        {
            t: _errors(units, t, np.stack([table[place][:, at] for table in tables]), pictures.test_labels)
            for at, t in enumerate(TEMPERATURES)
        }
        for place, units in enumerate(widths.units)
    )
    small, large_units = widths.units
    best, high, low = (_together(small, some, narrow) for some in (BEST, HIGH, LOW))
    against_high = compare(best, high, f"With {small} units, are temperatures of 2.5 to 4 better than higher ones?")
    against_low = compare(best, low, f"With {small} units, are temperatures of 2.5 to 4 better than lower ones?")
    alike = [compare(wide[t], wide[20.0], f"With {large_units} units, does temperature {t:g} differ from 20?") for t in ABOVE_EIGHT]
    all_alike = f"With 300 units or more, all temperatures above 8 give about the same (here {large_units} units)."
    return Findings(
        measures=tuple(arm.measure() for arm in (*narrow.values(), *wide.values())),
        comparisons=(against_high, against_low, *alike),
        claims=(
            claim_alike(all_alike, "stated", alike, within=ALIKE),
            claim_better("With 30 units, temperatures of 2.5 to 4 are better than higher ones.", "stated", against_high),
            claim_better("With 30 units, temperatures of 2.5 to 4 are better than lower ones.", "stated", against_low),
        ),
        protocol=(
            "Each seed has a large network of its own, that of the run hinton2015.",
            "Students learn from its answers alone: the cross-entropy at a temperature, times its square; no labels.",
            "The students of a seed have the same initial weights and batches at every temperature.",
            f"A figure of a seed is the mean of {widths.repeats[0]} initial weights at {small} units, and of {widths.repeats[1]} at "
            f"{large_units}.",
        ),
        deviations=(
            "Adam with a one-cycle schedule, the same at every temperature; the paper does not state its schedule.",
            "The paper states the finding in a sentence, without figures. Of the temperatures here, 1 and 2 count as lower than 2.5 to 4, "
            "and 6 and more as higher; 8 counts among those above 8, which is stricter.",
            f"What is alike was set before the run: {ALIKE:g} test errors of 10 000.",
        ),
        data=pictures.described(),
        budget={
            "units": widths.units,
            "initial weights per seed": widths.repeats,
            "epochs": widths.epochs,
            "batch size": widths.batch_size,
            "peak rates": widths.peak_rate,
        },
        curves=tuple(
            Curve(
                title=f"{units} units per layer",
                caption="Mean test errors and 95 % interval by the temperature of the soft labels.",
                x_name="temperature",
                y_name="test errors",
                series=(Series(f"{units} units", "chosen", tuple(arm.point(t) for t, arm in arms.items())),),
                logarithmic=True,
            )
            for units, arms in zip(widths.units, (narrow, wide), strict=True)
        ),
    )


def _errors(units: int, temperature: float, predicted: NDArray[np.int64], truth: NDArray[np.int64]) -> Scored:
    """The errors of one width and temperature; of each seed the mean over initial weights."""
    wrong = (predicted != truth).mean(axis=1)
    meaning = f"784-{units}-{units}-10 on the large network's answers at temperature {temperature:g}"
    return Scored(f"{units} units, T = {temperature:g}", meaning, wrong, "test errors", scale=float(wrong.shape[1]))


def _together(units: int, temperatures: tuple[float, ...], arms: dict[float, Scored]) -> Scored:
    """The mean over several temperatures."""
    scores = np.mean([arms[t].scores for t in temperatures], axis=0)
    name = f"{units} units, T = {', '.join(f'{t:g}' for t in temperatures)}"
    return Scored(name, "the mean over these temperatures", scores, "test errors", scale=float(scores.shape[1]))


PAPER = Paper(
    name="hinton2015-temperature",
    title="Temperature against width on MNIST",
    summary="Students of 30 and of 300 units per layer at ten temperatures: do wide ones tolerate any high temperature, and narrow ones "
    "need a low one?",
    source=SOURCE,
    seeds=5,
    quick_seeds=2,
    run=run,
)
