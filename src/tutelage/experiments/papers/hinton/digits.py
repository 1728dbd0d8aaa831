"""hinton2015: the paper's table of MNIST, a large network, a small one on labels, and the small one on the large one's answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.core.running.stages import Stages
from tutelage.experiments.cache import Store
from tutelage.experiments.in_processes import in_stage
from tutelage.experiments.papers.hinton import SOURCE
from tutelage.experiments.papers.hinton.settings import (
    DROPPED,
    DROPPED_INPUTS,
    QUICK,
    TEMPERATURE,
    Size,
    large,
    small_on_answers,
    small_on_labels,
)
from tutelage.experiments.papers.measures import claim_better, claim_way, compare, errors_of
from tutelage.experiments.papers.paper import Findings, Paper
from tutelage.experiments.papers.pictures import Pictures, mnist
from tutelage.experiments.recipe import Plan

ARMS = ("large network", "small network on labels", "small network on soft labels")


@dataclass(frozen=True)
class _Seed:
    """Everything that a seed trains: its own large network, and two small ones with the same initial weights and order of rows."""

    pictures: Pictures
    size: Size
    store: Store

    def __call__(self, seed: int) -> NDArray[np.int64]:
        """(arms, test rows) predicted classes."""
        pictures, size = self.pictures, self.size
        teacher, labels = large(pictures, size, self.store, seed=seed)
        on_labels = small_on_labels(pictures, size, self.store, seed=seed)
        on_answers = small_on_answers(pictures, size, self.store, labels, seed=seed)
        return np.stack([student.predict(pictures.test_inputs) for student in (teacher, on_labels, on_answers)])


def run(plan: Plan, store: Store, stages: Stages) -> Findings:
    """Train all networks of every seed and count their test errors."""
    size = QUICK if plan.quick else Size()
    with stages.stage("data"):
        pictures = mnist(quick=plan.quick)
    predicted = np.stack(in_stage(stages, "networks", _Seed(pictures, size, store), plan.seeds, parallel=size.parallel))
    truth, full = pictures.test_labels, not plan.quick
    meanings = (
        f"784-{size.units}-{size.units}-10, dropout, bounded weights, pictures moved by up to two pixels",
        f"784-{size.small}-{size.small}-10, not regularised",
        f"the same network on the large one's answers at temperature {TEMPERATURE:g}, pictures not moved",
    )
    teacher, hard, soft = (
        errors_of(name, meaning, predicted[:, place], truth, published=published if full else None)
        for place, (name, meaning, published) in enumerate(zip(ARMS, meanings, (67, 146, 74), strict=True))
    )
    on_labels = compare(soft, hard, "Does the small network make fewer errors on soft labels than on labels?")
    lost = compare(soft, teacher, "How many errors more than the large network does the taught one make?")
    return Findings(
        measures=tuple(arm.measure() for arm in (teacher, hard, soft)),
        comparisons=(on_labels, lost, compare(teacher, hard, "Does the large network make fewer errors than the small one on labels?")),
        claims=(
            claim_better("The small network makes fewer errors on soft labels than on labels.", "74 against 146 errors", on_labels),
            claim_way("Soft labels spare about half of the errors; here: at least 40 %.", "49 %", soft, start=hard, end=None, share=0.4),
            claim_way(
                "They transfer most of what the large network knows; here: at least 80 %.", "91 %", soft, start=hard, end=teacher, share=0.8
            ),
        ),
        protocol=(
            "Each seed has a large network of its own, so that the intervals cover the choice of the teacher too; its small networks have "
            "the same initial weights and the same order of rows, and differ in their targets only.",
            f"Large network: {meanings[0]}; a fresh shift of every picture in each epoch.",
            "It answers every training picture once, as it is, in eval mode; its logits are softened afterwards.",
            f"Small network on soft labels: 0.9 of the loss at temperature {TEMPERATURE:g}, times its square, and 0.1 on the true classes.",
            "All training pictures train; nothing is chosen on test pictures, which are used once.",
        ),
        deviations=(
            "Adam with a one-cycle schedule; the paper does not state its schedule, nor the weights of the two losses on MNIST.",
            "For dropout and the bound on the weights the paper names an earlier one, which drops 0.2 of the inputs and 0.5 of the hidden "
            f"units; here {DROPPED_INPUTS:g} and {DROPPED:g}, which made fewer errors on the last 10,000 training pictures (0.82 against "
            f"1.01 %), and a bound of {size.teacher.max_norm:g} on the norm of the weights into a unit. Peak learning rates were chosen on "
            "the same pictures, before the run.",
            "The small networks are drawn with their teacher's seed, so that their first layer starts as the first units of their "
            "teacher's.",
            "The paper reports one network of each kind, without an interval.",
        ),
        data=pictures.described(),
        budget={
            "large network": asdict(size.teacher),
            "small networks": asdict(size.student),
            "networks": 3 * len(plan.seeds),
        },
    )


PAPER = Paper(
    name="hinton2015",
    title="Soft targets on MNIST",
    summary="The paper's first experiment: a large regularised network, a small one on labels, and the small one on the large one's "
    "answers at temperature 20.",
    source=SOURCE,
    seeds=5,
    quick_seeds=2,
    run=run,
)
