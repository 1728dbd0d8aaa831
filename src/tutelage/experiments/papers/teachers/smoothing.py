"""mueller2019: a teacher trained with label smoothing is better, and teaches worse."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.core.running.stages import Stages
from tutelage.experiments.cache import Store
from tutelage.experiments.in_processes import in_stage
from tutelage.experiments.papers.hinton.settings import QUICK, TEMPERATURE, Size, large, small_on_answers
from tutelage.experiments.papers.measures import claim_better, compare, errors_of
from tutelage.experiments.papers.networks import APART
from tutelage.experiments.papers.paper import Findings, Paper
from tutelage.experiments.papers.pictures import Pictures, mnist
from tutelage.experiments.recipe import Plan
from tutelage.report.papers.records import Source

SMOOTHING = 0.1
ARMS = (
    ("teacher with dropout", "hard labels and dropout, pictures moved by up to two pixels", 67),
    ("teacher with label smoothing", f"label smoothing {SMOOTHING:g} in place of dropout, pictures moved by up to two pixels", 59),
    ("student of the dropout teacher", f"not regularised, on its answers at temperature {TEMPERATURE:g}, pictures not moved", 74),
    ("student of the smoothed teacher", "the same, on the answers of the teacher with label smoothing", 91),
)


@dataclass(frozen=True)
class _Pair:
    """A teacher of a seed and its student; both teachers of a seed have students with the same initial weights and order of rows."""

    pictures: Pictures
    size: Size
    store: Store

    def __call__(self, task: tuple[int, bool]) -> NDArray[np.int64]:
        """(2, test rows) classes that the teacher, with label smoothing or with dropout, and its student predict."""
        seed, smoothed = task
        smoothing = SMOOTHING if smoothed else 0.0
        teacher, answers = large(self.pictures, self.size, self.store, seed=seed, smoothing=smoothing, dropout=not smoothed)
        student = small_on_answers(self.pictures, self.size, self.store, answers, seed=seed + APART)
        return np.stack([one.predict(self.pictures.test_inputs) for one in (teacher, student)])


def run(plan: Plan, store: Store, stages: Stages) -> Findings:
    """Train both teachers and their students and count test errors."""
    size = QUICK if plan.quick else Size()
    with stages.stage("data"):
        pictures = mnist(quick=plan.quick)
    tasks = [(seed, smoothed) for seed in plan.seeds for smoothed in (False, True)]
    found = dict(zip(tasks, in_stage(stages, "networks", _Pair(pictures, size, store), tasks, parallel=size.parallel), strict=True))
    dropped, smoothed, of_dropped, of_smoothed = (
        errors_of(
            name,
            meaning,
            np.stack([found[seed, place % 2 == 1][place // 2] for seed in plan.seeds]),
            pictures.test_labels,
            published=None if plan.quick else published,
        )
        for place, (name, meaning, published) in enumerate(ARMS)
    )
    better = compare(smoothed, dropped, "Does label smoothing in place of dropout make a better teacher?")
    worse = compare(of_dropped, of_smoothed, "Is the student of the dropout teacher better than that of the smoothed one?")
    return Findings(
        measures=tuple(arm.measure() for arm in (dropped, smoothed, of_dropped, of_smoothed)),
        comparisons=(better, worse),
        claims=(
            claim_better("A teacher that is trained with label smoothing teaches worse.", "0.74 against 0.91 % error", worse),
            claim_better("Label smoothing in place of dropout makes a better teacher.", "0.59 against 0.67 % error", better),
        ),
        protocol=(
            "Each seed has two teachers of its own; their students have the same initial weights and the same order of rows.",
            f"Teachers: 784-{size.units}-{size.units}-10; students: 784-{size.small}-{size.small}-10. The teacher with dropout is "
            "trained as in the run hinton2015, with the same seeds: its figure is no second measurement. Its student has other initial "
            "weights than there, which are no part of its teacher's.",
            "Schedules are those of hinton2015, chosen before its runs on the last 10,000 training pictures, for the teacher with dropout; "
            "the teacher with label smoothing has the same epochs and rate, and smoothing was fixed, not tuned. All training pictures "
            "train; nothing is chosen on test pictures, which are used once.",
        ),
        deviations=(
            "The paper does not state widths, smoothing or temperature here; they are those of hinton2015, and smoothing is 0.1.",
            "Adam with a one-cycle schedule, of equal length for both teachers; the paper does not state its schedule, and says that the "
            "network with label smoothing trains faster. A tenth of the students' loss is on the true classes; the paper does not state "
            "its share for MNIST.",
            f"Both teachers, the one with label smoothing too, keep the bound of {size.teacher.max_norm:g} on the norm of the weights into "
            "each unit, which belongs to dropout in hinton2015; the paper does not state one.",
            "Figures of the paper are test errors in per cent of 10 000, given here as counts; it reports one network of each kind.",
        ),
        data=pictures.described(),
        budget={"teachers": asdict(size.teacher), "students": asdict(size.student), "networks": 4 * len(plan.seeds)},
    )


PAPER = Paper(
    name="mueller2019",
    title="Label smoothing makes better networks and worse teachers",
    summary="Two teachers on MNIST, one regularised with dropout and one with label smoothing, and a student of each.",
    source=Source("Müller, Kornblith, Hinton", 2019, "When Does Label Smoothing Help?", "https://arxiv.org/abs/1906.02629"),
    seeds=5,
    quick_seeds=2,
    run=run,
)
