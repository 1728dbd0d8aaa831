"""hinton2015-regulariser: soft targets keep a network from overfitting 3 % of the data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tutelage.core.running.stages import Stages
from tutelage.data.fingerprint import fingerprint
from tutelage.data.views import Views
from tutelage.experiments.cache import Store
from tutelage.experiments.in_processes import in_processes
from tutelage.experiments.papers.hinton import SOURCE
from tutelage.experiments.papers.hinton.settings import QUICK, TEMPERATURE, Size, large, large_network, small_network, soft_objective
from tutelage.experiments.papers.measures import claim_better, claim_way, compare, errors_of
from tutelage.experiments.papers.networks import Lessons, Schedule, trained
from tutelage.experiments.papers.paper import Findings, Paper
from tutelage.experiments.papers.pictures import CLASSES, Jitter, Pictures, mnist
from tutelage.experiments.recipe import Plan
from tutelage.experiments.teaching import cached_view_labels
from tutelage.losses.class_terms import hard_cross_entropy

SHARE = 0.03
HELD_OUT = 6
"""One labelled row in this many chooses the epoch of the students on labels; those on soft labels use all rows and the last epoch."""
STUDENT, QUICK_STUDENT = Schedule(epochs=200, batch_size=64), Schedule(epochs=60, batch_size=64, peak_rate=2e-3)
VIEWS = 40
"""Moved pictures of each row, in turn."""
ARMS = (
    ("teacher", "the large network of hinton2015, on all labels"),
    ("labels", "on the labels of 3 % of the rows, the epoch chosen on a sixth of them"),
    ("labels, regularised", "the same with dropout and moved pictures, the teacher's own regularisation"),
    ("soft labels", f"on the teacher's answers to the same rows at temperature {TEMPERATURE:g}, last epoch"),
    ("soft labels, moved pictures", "the same; the teacher answers the moved pictures too"),
)


@dataclass(frozen=True)
class _Seed:
    """The teacher of a seed, and four students on 3 % of the rows, drawn by the seed."""

    pictures: Pictures
    size: Size
    student: Schedule
    share: float
    store: Store

    def __call__(self, seed: int) -> NDArray[np.int64]:
        """(arms, test rows) predicted classes."""
        pictures = self.pictures
        teacher, answers = large(pictures, self.size, self.store, seed=seed)
        at = np.random.default_rng(seed).permutation(len(pictures.inputs))[: round(self.share * len(pictures.inputs))]
        rows, truth = pictures.inputs[at], pictures.labels[at]
        rows_from = {"pictures": pictures.fingerprint, "rows": fingerprint(at)}
        held = len(at) // HELD_OUT
        held_out = (rows[:held], truth[:held])
        labelled_from = {**rows_from, "held out": held}
        views, labelled_views = (Views(part, Jitter(), count=VIEWS, seed=seed) for part in (rows, rows[held:]))
        teacher_from = {"teacher": answers.fingerprint}
        view_answers = cached_view_labels(self.store, teacher.network, teacher_from, views, tuple(range(CLASSES)))
        small = partial(small_network, self.size.small)
        regular = partial(large_network, self.size.small)
        learn = partial(trained, self.store, seed=seed)
        soft = soft_objective(TEMPERATURE)
        students = [
            learn(small, hard_cross_entropy(), self.student, Lessons(rows[held:], labelled_from, truth[held:], held_out=held_out)),
            learn(
                regular,
                hard_cross_entropy(),
                replace(self.student, max_norm=2.0),
                Lessons(labelled_views, {**labelled_from, "views": VIEWS}, truth[held:], held_out=held_out),
            ),
            learn(small, soft, self.student, Lessons(rows, rows_from, truth, answers)),
            learn(small, soft, self.student, Lessons(views, {**rows_from, "views": VIEWS}, truth, view_answers)),
        ]
        return np.stack([one.predict(pictures.test_inputs) for one in (teacher, *(student for student, _ in students))])


def run(plan: Plan, store: Store, stages: Stages) -> Findings:
    """Train teacher and students of every seed and count their test errors."""
    size, student, share = (QUICK, QUICK_STUDENT, 0.1) if plan.quick else (Size(), STUDENT, SHARE)
    with stages.stage("data"):
        pictures = mnist(quick=plan.quick)
    with stages.stage("networks", len(plan.seeds)) as advance:
        task = _Seed(pictures, size, student, share, store)
        predicted = np.stack(in_processes(task, plan.seeds, parallel=size.parallel, done=lambda _: advance()))
    teacher, hard, regular, soft, moved = (
        errors_of(name, meaning, predicted[:, place], pictures.test_labels) for place, (name, meaning) in enumerate(ARMS)
    )
    on_labels = compare(soft, hard, "Does the student make fewer errors on soft labels than on labels of the same rows?")
    best = compare(moved, regular, "Does it with moved pictures too, against a student on labels that is regularised as the teacher is?")
    speech = "frame accuracy 44.5 % (3 %, labels), 57.0 % (3 %, soft labels), 58.9 % (all labels)"
    return Findings(
        measures=tuple(arm.measure() for arm in (teacher, hard, regular, soft, moved)),
        comparisons=(on_labels, best),
        claims=(
            claim_better("With 3 % of the data, soft labels are better than labels.", speech, on_labels),
            claim_way(
                "They keep most of what the model on all labels knows; here: at least 80 % of the way.",
                "87 % of the way",
                soft,
                start=hard,
                end=teacher,
                share=0.8,
            ),
            claim_way(
                "The same with moved pictures, which the teacher answers too (ours, not the paper's).",
                "none",
                moved,
                start=hard,
                end=teacher,
                share=0.8,
            ),
        ),
        protocol=(
            f"Each seed has a teacher of its own, and draws {share:.0%} of the training rows for its students.",
            f"Students: 784-{size.small}-{size.small}-10. Those on labels choose their epoch on a sixth of their rows; those on soft "
            "labels use the last epoch: the paper says that they need no early stopping.",
            "Nothing is chosen on test pictures, which are used once.",
        ),
        deviations=(
            "An analogue on MNIST of an experiment on speech (85 million weights, 3 % of 700 million frames).",
            f"Temperature {TEMPERATURE:g} and 0.9 of the loss on soft labels, as in hinton2015; the paper does not state them here.",
        ),
        data={**pictures.described(), "rows of the students": round(share * pictures.rows)},
        budget={"large network": asdict(size.teacher), "students": asdict(student), "networks": 5 * len(plan.seeds)},
    )


PAPER = Paper(
    name="hinton2015-regulariser",
    title="Soft targets as regularisers",
    summary="Students on 3 % of MNIST, on labels and on the answers of a network that learned from all of it: an analogue of the paper's "
    "experiment on speech.",
    source=SOURCE,
    seeds=5,
    quick_seeds=2,
    run=run,
)
