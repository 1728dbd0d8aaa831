"""hinton2015-regulariser: soft targets keep a network from overfitting 3 % of the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import nn

from tutelage.core.running.stages import Stages
from tutelage.data.fingerprint import fingerprint
from tutelage.data.views import Views
from tutelage.experiments.cache import Store
from tutelage.experiments.in_processes import in_stage
from tutelage.experiments.papers.hinton import SOURCE
from tutelage.experiments.papers.hinton.settings import (
    QUICK,
    TEMPERATURE,
    Size,
    large,
    large_network,
    small_network,
    small_on_labels,
    soft_objective,
)
from tutelage.experiments.papers.measures import claim_better, claim_way, compare, errors_of
from tutelage.experiments.papers.networks import APART, Lessons, Schedule, trained
from tutelage.experiments.papers.paper import Findings, Paper
from tutelage.experiments.papers.pictures import CLASSES, Jitter, Pictures, mnist
from tutelage.experiments.recipe import Plan
from tutelage.experiments.teaching import cached_view_labels
from tutelage.losses.class_terms import hard_cross_entropy
from tutelage.training.student import TorchStudent

SHARE = 0.03
HELD_OUT = 6
"""One labelled row in this many chooses how long students on labels train; they are then trained again on all of their rows."""
STUDENT, QUICK_STUDENT = Schedule(epochs=200, batch_size=64), Schedule(epochs=24, batch_size=32, peak_rate=4e-3)
LENGTHS = (0.1, 0.25, 0.5, 1.0)
"""Shares of the epochs, each a training of its own, of which students on labels choose one."""
VIEWS = 40
"""Moved pictures of each row, in turn: draws from 25 shifts."""
ARMS = (
    ("teacher", "the large network of hinton2015, on all labels"),
    ("all labels", "the students' network on the labels of all rows, not regularised, as in hinton2015"),
    ("labels", "on labels of the students' rows; how many epochs is chosen on a sixth of them"),
    ("labels, regularised", "the same with dropout and moved pictures, the teacher's own regularisation"),
    ("soft labels", f"on the teacher's answers to the rows at temperature {TEMPERATURE:g}, all epochs"),
    ("soft labels, moved pictures", "the same; the teacher answers the moved pictures too"),
)


@dataclass(frozen=True)
class _Seed:
    """The teacher of a seed, the students' network on all labels, and four students on 3 % of the rows, drawn by the seed."""

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
        views = Views(rows, Jitter(), count=VIEWS, seed=seed)
        answers_from = {"teacher": answers.fingerprint}
        view_answers = cached_view_labels(self.store, teacher.network, answers_from, views, tuple(range(CLASSES)))
        views_from = {**rows_from, "views": views.determined_by()}
        own = seed + APART
        small, regular = (partial(build, self.size.small) for build in (small_network, large_network))
        soft = soft_objective(TEMPERATURE)
        labelled = Lessons(rows, rows_from)
        students = [
            small_on_labels(pictures, self.size, self.store, seed=own),
            self._of_chosen_length(small, self.student, labelled, truth, seed=own, moved=False),
            self._of_chosen_length(regular, replace(self.student, max_norm=2.0), labelled, truth, seed=own, moved=True),
            trained(self.store, small, soft, self.student, Lessons(rows, rows_from, truth, answers), seed=own)[0],
            trained(self.store, small, soft, self.student, Lessons(views, views_from, truth, view_answers), seed=own)[0],
        ]
        return np.stack([one.predict(pictures.test_inputs) for one in (teacher, *students)])

    def _of_chosen_length(
        self, build: Callable[[], nn.Module], schedule: Schedule, given: Lessons, truth: NDArray[np.int64], *, seed: int, moved: bool
    ) -> TorchStudent:
        """A student on all labelled rows, with as many epochs as were best on a sixth of them, which it did not see then."""
        rows, held = given.rows, len(given.rows) // HELD_OUT

        def learnt(first: int, epochs: int) -> TorchStudent:
            views = Views(rows[first:], Jitter(), count=epochs, seed=seed)
            own_from = {**given.rows_from, "first": first, "views": views.determined_by() if moved else None}
            lessons = Lessons(views if moved else rows[first:], own_from, truth[first:])
            return trained(self.store, build, hard_cross_entropy(), replace(schedule, epochs=epochs), lessons, seed=seed)[0]

        lengths = [max(round(share * schedule.epochs), 1) for share in LENGTHS]
        errors = [(learnt(held, epochs).predict(rows[:held]) != truth[:held]).mean() for epochs in lengths]
        return learnt(0, lengths[int(np.argmin(errors))])


def run(plan: Plan, store: Store, stages: Stages) -> Findings:
    """Train teacher and students of every seed and count their test errors."""
    size, student, share = (QUICK, QUICK_STUDENT, 0.1) if plan.quick else (Size(), STUDENT, SHARE)
    with stages.stage("data"):
        pictures = mnist(quick=plan.quick)
    task = _Seed(pictures, size, student, share, store)
    predicted = np.stack(in_stage(stages, "networks", task, plan.seeds, parallel=size.parallel))
    teacher, whole, hard, regular, soft, moved = (
        errors_of(name, meaning, predicted[:, place], pictures.test_labels) for place, (name, meaning) in enumerate(ARMS)
    )
    on_labels = compare(soft, hard, "Does the student make fewer errors on soft labels than on labels of the same rows?")
    best = compare(moved, regular, "Does it with moved pictures too, against a student on labels that is regularised as the teacher is?")
    as_all = compare(moved, whole, f"And against the same network on the labels of all rows, with {share:.0%} of them?")
    speech = "frame accuracy 44.5 % (3 %, labels), 57.0 % (3 %, soft labels), 58.9 % (all labels)"
    return Findings(
        measures=tuple(arm.measure() for arm in (teacher, whole, hard, regular, soft, moved)),
        comparisons=(on_labels, best, as_all),
        claims=(
            claim_better(f"With {share:.0%} of the data, soft labels are better than labels.", speech, on_labels),
            claim_way(
                "They keep most of what the same model knows that learnt from all labels; here: at least 80 % of the way.",
                "87 % of the way",
                soft,
                start=hard,
                end=whole,
                share=0.8,
            ),
            *(
                replace(claim_way(words, "-", arm, start=start, end=teacher, share=0.8), ours=True)
                for words, arm, start in (
                    ("They keep at least 80 % of the way from labels to the teacher, which is larger and regularised.", soft, hard),
                    ("The same with moved pictures, which the teacher answers too, from labels with moved pictures.", moved, regular),
                    ("The same with moved pictures, from labels of the rows as they are.", moved, hard),
                )
            ),
        ),
        protocol=(
            f"Each seed has a teacher of its own, and draws {share:.0%} of the training rows for its students.",
            f"Students: 784-{size.small}-{size.small}-10, on the same rows. Those on labels are trained "
            f"for {', '.join(f'{share:.0%}' for share in LENGTHS)} of the epochs, each with a schedule of its own; a sixth of their rows "
            "chooses, and they are trained again on all of them for as long. Those on soft labels use all epochs: the paper says that they "
            "need no early stopping.",
            f"Moved pictures: draws from the 25 shifts by up to two pixels, {VIEWS} for each row, in turn, for soft labels; for labels a "
            "new one in each epoch. Learning rate, batches and the longest training were fixed before the run, not tuned.",
            "Nothing is chosen on test pictures, which are used once. The last claim and the last comparison were added after the run.",
        ),
        deviations=(
            "An analogue on MNIST of an experiment on speech (85 million weights, 3 % of 700 million frames).",
            "The paper's teacher is the students' model on all labels; here it is the larger, regularised network of hinton2015. The "
            "way of the paper's claim ends at the students' network on all labels.",
            "On labels, the length of the training is chosen in place of early stopping; Adam with a one-cycle schedule.",
            f"Temperature {TEMPERATURE:g} and 0.9 of the loss on soft labels, as in hinton2015; the paper does not state them here.",
        ),
        data={**pictures.described(), "rows of the students": round(share * pictures.rows)},
        budget={
            "large network": asdict(size.teacher),
            "students": asdict(student),
            "networks": (4 + 2 * (len(LENGTHS) + 1)) * len(plan.seeds),
        },
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
