"""furlanello2018: a network learns from one with the same layers, the next learns from that, and so on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tutelage.core.running.stages import Stages
from tutelage.experiments.cache import Store
from tutelage.experiments.in_processes import in_stage
from tutelage.experiments.papers.measures import claim_better, compare, errors_of
from tutelage.experiments.papers.networks import Schedule
from tutelage.experiments.papers.paper import Findings, Paper
from tutelage.experiments.papers.pictures import CLASSES, Pictures, fashion_mnist
from tutelage.experiments.papers.stacked import Arm, Students, together
from tutelage.experiments.recipe import Plan
from tutelage.report.papers.records import Curve, Series, Source
from tutelage.report.papers.words import difference

ON_LABELS = Arm(hard_weight=1.0)
SMOOTHED = Arm(hard_weight=1.0, smoothing=0.1)
"""Labels that are smoothed by a constant: what a teacher's answers would be if they only regularised."""
BORN_AGAIN = Arm()
"""The teacher's answers at temperature 1, without labels."""
GENERATIONS = 3


@dataclass(frozen=True)
class Size:
    """The size of a run: hidden units per layer, and how every generation is trained."""

    units: int
    schedule: Schedule
    parallel: bool


FULL = Size(
    units=300,
    schedule=Schedule(epochs=30),
    parallel=True,
)
QUICK = Size(units=40, schedule=Schedule(epochs=25, batch_size=128, peak_rate=5e-3), parallel=False)


@dataclass(frozen=True)
class _Seed:
    """The generations of a seed; beside each, networks on labels, and on smoothed labels, with the same initial weights and batches."""

    pictures: Pictures
    size: Size
    store: Store

    def __call__(self, seed: int) -> dict[str, NDArray[np.int64]]:
        """For each arm, (test rows) predicted classes."""
        pictures, plan = self.pictures, self.size.schedule
        sizes = (pictures.inputs.shape[1], self.size.units, self.size.units, CLASSES)
        answers, on_labels, smoothed, born_again = None, [], [], []
        for generation in range(GENERATIONS + 1):
            arms = (ON_LABELS, SMOOTHED, BORN_AGAIN) if generation else (ON_LABELS,)
            students = Students(sizes, arms, 1, plan.epochs, plan.batch_size, plan.peak_rate, self.store)
            stack = students.trained(
                (GENERATIONS + 1) * seed + generation,
                inputs=pictures.inputs,
                logits=answers,
                truth=pictures.labels,
                made_from={"pictures": pictures.fingerprint, "generation": generation},
            )
            answers = students.logits(stack, pictures.inputs)[0, -1]
            found = students.logits(stack, pictures.test_inputs)[0]
            on_labels.append(found[0])
            smoothed.append(found[1 if generation else 0])
            born_again.append(found[-1])
        arms_found = {f"labels {place}": logits for place, logits in enumerate(on_labels)}
        arms_found |= {f"smoothed {place}": logits for place, logits in enumerate(smoothed) if place}
        arms_found |= {f"generation {place}": logits for place, logits in enumerate(born_again) if place}
        arms_found["ensemble of generations"] = together(np.stack(born_again[1:]))
        arms_found["ensemble on labels"] = together(np.stack(on_labels[1:]))
        return {arm: logits.argmax(axis=-1) for arm, logits in arms_found.items()}


def run(plan: Plan, store: Store, stages: Stages) -> Findings:
    """Train all generations of every seed, and networks on labels beside them."""
    size = QUICK if plan.quick else FULL
    with stages.stage("data"):
        pictures = fashion_mnist(plan.data, quick=plan.quick)
    tables = in_stage(stages, "networks", _Seed(pictures, size, store), plan.seeds, parallel=size.parallel)
    layers = f"784-{size.units}-{size.units}-10"
    names = {"labels 0": ("first teacher", f"{layers} on labels")}
    for place in range(1, GENERATIONS + 1):
        names[f"generation {place}"] = (f"generation {place}", "the same layers, on the answers of the one before")
        names[f"labels {place}"] = (f"on labels, beside generation {place}", "the same initial weights and batches, on labels")
        smoothing = f"the same, on labels smoothed by {SMOOTHED.smoothing:g}"
        names[f"smoothed {place}"] = (f"on smoothed labels, beside generation {place}", smoothing)
    names["ensemble of generations"] = (f"ensemble of generations 1 to {GENERATIONS}", "mean probabilities")
    names["ensemble on labels"] = (f"ensemble of {GENERATIONS} on labels", "mean probabilities of as many networks on labels alone")
    truth = pictures.test_labels
    arms = {arm: errors_of(*names[arm], np.stack([table[arm] for table in tables]), truth) for arm in names}
    teacher, last = arms["labels 0"], arms[f"generation {GENERATIONS}"]
    ensemble, plain = arms["ensemble of generations"], arms["ensemble on labels"]
    first = compare(arms["generation 1"], arms["labels 1"], "Is a network that its like taught better than the same one on labels?")
    regular = compare(arms["generation 1"], arms["smoothed 1"], "And better than the same one on smoothed labels?")
    teacher_too = compare(arms["generation 1"], teacher, "Is it better than its teacher?")
    later = compare(last, arms["generation 1"], f"Is generation {GENERATIONS} better than generation 1?")
    ensembles = compare(ensemble, last, "Is the ensemble of all generations better than the last?")
    against_plain = compare(ensemble, plain, "Is it better than an ensemble of as many networks on labels?")
    return Findings(
        measures=tuple(arm.measure() for arm in arms.values()),
        comparisons=(
            first,
            regular,
            teacher_too,
            later,
            ensembles,
            against_plain,
        ),
        claims=(
            claim_better(
                "A network that its like taught is better than one on labels with the same initial weights.",
                "than its teacher: 16.36 against 17.16 % error (a dense network, CIFAR-100); on CIFAR-10, 5 of 8 networks",
                first,
            ),
            claim_better(
                "An ensemble of the generations is better than the last of them, as ensembles usually are.",
                "15.14 against 15.5 % error (a dense network, CIFAR-100)",
                ensembles,
            ),
            replace(
                claim_better(
                    f"The network that its like taught is better than on labels that are smoothed by {SMOOTHED.smoothing:g}.", "-", regular
                ),
                ours=True,
            ),
            replace(
                claim_better("An ensemble of the generations is better than one of as many networks on labels.", "-", against_plain),
                ours=True,
            ),
        ),
        protocol=(
            f"Fashion-MNIST, {layers}. A generation has initial weights and an order of rows of its own; beside it one network with the "
            f"same learns from labels, and one from labels that are smoothed by {SMOOTHED.smoothing:g}, which was not tuned.",
            "A generation learns the answers of the one before to the training pictures alone, at temperature 1, without labels, as the "
            "paper's do on pictures; the first learns labels.",
            "An ensemble averages probabilities. Width, epochs and learning rate were fixed before the run, not tuned, the same for "
            "all networks. All training pictures train; test pictures are used once and choose nothing.",
        ),
        deviations=(
            "An analogue: the paper has dense and wide residual networks on CIFAR-10 and CIFAR-100, and language models.",
            "The paper compares a generation with its teacher; the first claim here with a network on labels that has the same initial "
            f"weights, which is a fairer pair. By the paper's comparison it would be {claim_better('', '', teacher_too).outcome}: "
            f"{difference(teacher_too)}.",
            "That the ensemble is better than its last generation stood among the comparisons alone at first, and was made a claim after "
            "the run, because it is one of the paper.",
            "The paper takes the answers apart by controls that weigh labels by the teacher's confidence, or permute what it says of other "
            "classes; here labels that are smoothed by a constant stand beside.",
            "Adam with a one-cycle schedule.",
        ),
        data=pictures.described(),
        budget={
            "epochs": size.schedule.epochs,
            "batch size": size.schedule.batch_size,
            "peak rate": size.schedule.peak_rate,
            "networks": len(plan.seeds) * (1 + 3 * GENERATIONS),
        },
        curves=(
            Curve(
                title="Errors by generation",
                caption="Mean test errors and 95 % interval; generation 0 learns from labels.",
                x_name="generation",
                y_name="test errors",
                series=(
                    Series(
                        "taught by the one before",
                        "chosen",
                        (teacher.point(0), *(arms[f"generation {place}"].point(place) for place in range(1, GENERATIONS + 1))),
                    ),
                    Series("on labels", "baseline", tuple(arms[f"labels {place}"].point(place) for place in range(GENERATIONS + 1))),
                    Series(
                        "on smoothed labels",
                        "control",
                        tuple(arms[f"smoothed {place}"].point(place) for place in range(1, GENERATIONS + 1)),
                    ),
                ),
                levels={"ensemble of generations": ensemble.mean, "ensemble on labels": plain.mean},
            ),
        ),
    )


PAPER = Paper(
    name="furlanello2018",
    title="Born-again networks",
    summary="Three generations of a network on Fashion-MNIST, each taught by the one before, and their ensemble.",
    source=Source(
        "Furlanello, Lipton, Tschannen, Itti, Anandkumar", 2018, "Born-Again Neural Networks", "https://arxiv.org/abs/1805.04770"
    ),
    seeds=6,
    quick_seeds=2,
    run=run,
    takes_data=True,
)
