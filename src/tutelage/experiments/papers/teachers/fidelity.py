"""stanton2021: how many rows a network needs to become its teacher, where both have the same layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from tutelage.core.running.stages import Stages
from tutelage.data.fingerprint import fingerprint
from tutelage.data.views import Views
from tutelage.experiments.cache import Store
from tutelage.experiments.in_processes import in_stage
from tutelage.experiments.papers.hinton.settings import small_network
from tutelage.experiments.papers.measures import Scored, claim_at_least, claim_at_most, claim_better, compare, errors_of
from tutelage.experiments.papers.networks import Lessons, Schedule, lenet, trained
from tutelage.experiments.papers.paper import Findings, Paper
from tutelage.experiments.papers.pictures import CLASSES, Jitter, Pictures, mnist
from tutelage.experiments.recipe import Plan
from tutelage.experiments.teaching import cached_labels, cached_view_labels
from tutelage.losses.class_terms import hard_cross_entropy, soft_cross_entropy
from tutelage.report.papers.records import Curve, Series, Source
from tutelage.training.student import TorchStudent

TEMPERATURE = 4.0
REACHED, MISSED = 99.0, 95.0
"""Agreement, in per cent, from which a student has become its teacher, and up to which it has not."""
STUDENT_SEED = 1000
"""Added to the seed of the student's weights: it must not start where its teacher did."""
Rows = tuple[int, int]
"""A transfer set: how many pictures, and how many copies of each, of which the first is not moved."""


@dataclass(frozen=True)
class Size:
    """The size of a run.

    Attributes:
        build: creates teachers and students.
        layers: what they are called.
        own: pictures that the teacher learned from.
        sets: the transfer sets, ascending.
        seen: rows that every student sees in all; a multiple of the pictures of each set.
        teacher: how the teacher is trained.
        student: how the students are; the epochs follow from `seen`.
        parallel: train in separate processes.
    """

    build: Callable[[], nn.Module]
    layers: str
    own: int
    sets: tuple[Rows, ...]
    seen: int
    teacher: Schedule
    student: Schedule
    parallel: bool

    def schedule(self, pictures: int) -> Schedule:
        """That of a student of so many pictures: equal steps, whatever their number."""
        return replace(self.student, epochs=self.seen // pictures)


FULL = Size(
    build=lenet,
    layers="LeNet-5",
    own=200,
    sets=((200, 1), (1000, 1), (6000, 1), (60_000, 1), (60_000, 4), (60_000, 20)),
    seen=1_200_000,
    teacher=Schedule(epochs=100, batch_size=20),
    student=Schedule(epochs=0, batch_size=100),
    parallel=True,
)
QUICK = Size(
    build=partial(small_network, 50),
    layers="784-50-50-10",
    own=200,
    sets=((200, 1), (2000, 1), (2000, 4)),
    seen=40_000,
    teacher=Schedule(epochs=20, batch_size=20, peak_rate=3e-3),
    student=Schedule(epochs=0, batch_size=100, peak_rate=5e-3),
    parallel=False,
)


@dataclass(frozen=True)
class _Student:
    """The teacher of a seed, and its student on one transfer set, or the control: what the student would be on labels."""

    pictures: Pictures
    size: Size
    store: Store

    def __call__(self, task: tuple[int, Rows | None]) -> NDArray[np.int64]:
        """(2, test rows) classes that the teacher and its student, or the control, predict."""
        seed, transfer_set = task
        pictures, size = self.pictures, self.size
        order = np.random.default_rng(seed).permutation(len(pictures.inputs))
        own = order[: size.own]
        lessons = Lessons(pictures.inputs[own], _rows_from(pictures, own), pictures.labels[own])
        teacher, made_from = trained(self.store, size.build, hard_cross_entropy(), size.teacher, lessons, seed=seed)
        if transfer_set is None:
            schedule = size.schedule(size.own)
            learner, _ = trained(self.store, size.build, hard_cross_entropy(), schedule, lessons, seed=seed + STUDENT_SEED)
        else:
            learner = self._student(seed, transfer_set, order, teacher, made_from)
        return np.stack([one.predict(pictures.test_inputs) for one in (teacher, learner)])

    def _student(
        self, seed: int, transfer_set: Rows, order: NDArray[np.int64], teacher: TorchStudent, made_from: Mapping[str, Any]
    ) -> TorchStudent:
        """The student of a seed on the teacher's answers to a transfer set."""
        pictures, size, (count, copies) = self.pictures, self.size, transfer_set
        at, classes = order[:count], tuple(range(CLASSES))
        rows: Any = pictures.inputs[at]
        rows_from = _rows_from(pictures, at)
        if copies == 1:
            labels = cached_labels(self.store, teacher.network, made_from, rows, classes)
        else:
            rows = Views(rows, Jitter(), count=copies, seed=seed, plain_first=True)
            rows_from["views"] = rows.determined_by()
            labels = cached_view_labels(self.store, teacher.network, made_from, rows, classes)
        objective = soft_cross_entropy(temperature=TEMPERATURE)
        lessons = Lessons(rows, rows_from, labels=labels)
        return trained(self.store, size.build, objective, size.schedule(count), lessons, seed=seed + STUDENT_SEED)[0]


def _rows_from(pictures: Pictures, at: NDArray[np.int64]) -> dict[str, Any]:
    return {"pictures": pictures.fingerprint, "rows": fingerprint(at)}


def run(plan: Plan, store: Store, stages: Stages) -> Findings:
    """Train a teacher per seed, and a student of it on every transfer set."""
    size = QUICK if plan.quick else FULL
    with stages.stage("data"):
        pictures = mnist(quick=plan.quick, test_rows=1000)
    tasks = [(seed, rows) for seed in plan.seeds for rows in (None, *size.sets)]
    found = in_stage(stages, "networks", _Student(pictures, size, store), tasks, parallel=size.parallel)
    predicted = dict(zip(tasks, found, strict=True))
    agreement, errors = {}, {}
    for rows in size.sets:
        of_teacher, of_student = np.stack([predicted[seed, rows] for seed in plan.seeds], axis=1)
        name, meaning = f"student of {_counted(rows)}", "on the teacher's answers alone"
        agreement[rows] = _agreement(name, meaning, of_teacher, of_student)
        errors[rows] = errors_of(f"{name}, errors", meaning, of_student, pictures.test_labels)
    own, most, plain = size.sets[0], size.sets[-1], max(rows for rows in size.sets if rows[1] == 1)
    of_teacher, of_control = np.stack([predicted[seed, None] for seed in plan.seeds], axis=1)
    _, of_most = np.stack([predicted[seed, most] for seed in plan.seeds], axis=1)
    others = _agreement(
        "student of another teacher", f"of {_counted(most)}; chance that is not fidelity", of_teacher, np.roll(of_most, 1, axis=0)
    )
    teacher_is = f"{size.layers} on the labels of {size.own} pictures"
    teacher = errors_of("teacher", teacher_is, of_teacher, pictures.test_labels)
    as_long = f"control: the student's initial weights and {size.seen // size.student.batch_size:,} steps, on the teacher's labels"
    control = errors_of("on labels, for as long as a student", as_long, of_control, pictures.test_labels)
    more = compare(agreement[plain], agreement[own], "Does a student that sees more pictures than its teacher did agree more with it?")
    moved = compare(agreement[most], agreement[plain], "Do moved copies of the pictures bring it closer still?")
    by_teaching = compare(agreement[most], others, "Does a student agree more with its own teacher than with that of another seed?")
    better = compare(errors[own], teacher, "Does the student that saw the teacher's pictures only make fewer errors than the teacher?")
    beyond = compare(errors[own], control, "And fewer than a network on the same labels that is trained for as long as the student?")
    closer = compare(
        errors[most],
        errors[own],
        "Does the student that saw the most rows make fewer errors than the one that saw the teacher's pictures only?",
    )
    return Findings(
        measures=tuple(arm.measure() for arm in (teacher, control, *agreement.values(), others, *errors.values())),
        comparisons=(more, moved, by_teaching, better, beyond, closer),
        claims=(
            claim_at_least(
                "With very many rows it agrees with its teacher on more than 99 % of test rows.", "> 99 %", agreement[most], REACHED
            ),
            claim_better("More rows bring the student closer.", "a figure", more, lower_is_better=False),
            claim_at_most(
                f"From the teacher's own {size.own} pictures, a network of the same layers does not become its teacher.",
                "stated of a residual network on CIFAR-100",
                agreement[own],
                MISSED,
            ),
            *(
                replace(claim_better(words, published, found), ours=True)
                for words, published, found in (
                    ("That student is better than its teacher.", "on CIFAR-100; no difference on MNIST, from 60 000 rows on", better),
                    ("It is also better than a network that learns its teacher's labels for as long.", "-", beyond),
                )
            ),
        ),
        protocol=(
            f"Each seed has a teacher of its own: {size.layers}, on the labels of {size.own} pictures that the seed draws.",
            "Students have the same layers and other initial weights than their teacher, the same for all transfer sets of a seed.",
            f"They learn the teacher's answers alone, at temperature {TEMPERATURE:g}, without labels. A transfer set holds the teacher's "
            "pictures and the next ones in an order that the seed draws.",
            f"Every student takes the same number of steps: {size.seen:,} rows in batches of {size.student.batch_size}. The teacher takes "
            f"{size.teacher.epochs * size.own // size.teacher.batch_size:,}; a control is trained on its labels with the steps and the "
            "initial weights of the student, so that a longer training alone is seen.",
            "Of several copies of a picture one is the picture as it is, the others are moved by up to two pixels along each side; the "
            "teacher answers each copy.",
            "Steps, batches and learning rates were fixed before the run, not tuned. Agreement is the share of test rows with the same "
            "predicted class; nothing is chosen on them.",
        ),
        deviations=(
            "The paper's teacher of 200 pictures has 84 to 86 % of the test pictures right.",
            "The paper adds up to 700 000 pictures of letters and digits (EMNIST) to MNIST; here moved copies of MNIST's pictures.",
            "On MNIST the paper's transfer sets begin at 60 000 rows; that a student of the teacher's own rows fails to match it, and is "
            "better, it shows of a residual network on CIFAR-100. Here both are asked of a teacher that learned few pictures of MNIST.",
            "Temperature, optimizer (Adam, one cycle) and number of steps are ours.",
            f"That a student has not become its teacher means at most {MISSED:g} % agreement, which was set before the run.",
        ),
        data=pictures.described(),
        budget={
            "rows seen by each student": size.seen,
            "teacher": asdict(size.teacher),
            "batch size": size.student.batch_size,
            "networks": len(plan.seeds) * (2 + len(size.sets)),
        },
        curves=(
            _curve("Agreement with the teacher", "% agreement", agreement, {}),
            _curve("Test errors", "test errors", errors, {"teacher": teacher.mean, "on labels, as long": control.mean}),
        ),
    )


def _counted(rows: Rows) -> str:
    count, copies = rows
    return f"{count:,} pictures" if copies == 1 else f"{count:,} pictures, {copies} copies each"


def _agreement(name: str, meaning: str, of_teacher: NDArray[np.int64], of_student: NDArray[np.int64]) -> Scored:
    """Per cent of test rows for which both predict the same class."""
    same = np.asarray(of_teacher == of_student, dtype=np.float64)
    return Scored(f"{name}, agreement", meaning, same, "% agreement", scale=100.0, digits=2, lower_is_better=False)


def _curve(title: str, unit: str, arms: dict[Rows, Scored], levels: dict[str, float]) -> Curve:
    points = tuple(arm.point(count * copies) for (count, copies), arm in arms.items())
    caption = "Mean and 95 % interval by the number of rows that the teacher answered, at equal steps."
    return Curve(
        title, caption, "rows", unit, (Series("student with the layers of its teacher", "chosen", points),), logarithmic=True, levels=levels
    )


PAPER = Paper(
    name="stanton2021",
    title="Does a student become its teacher?",
    summary="LeNet-5 learns the answers of another LeNet-5 on 200 to 1 200 000 rows: agreement and errors, at equal steps.",
    source=Source(
        "Stanton, Izmailov, Kirichenko, Alemi, Wilson", 2021, "Does Knowledge Distillation Really Work?", "https://arxiv.org/abs/2106.05945"
    ),
    seeds=5,
    quick_seeds=2,
    run=run,
)
