"""cho2019: a larger teacher is not a better one, and one whose training stops early teaches better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from tutelage.core.running.stages import Stages
from tutelage.experiments.cache import Store
from tutelage.experiments.in_processes import in_stage
from tutelage.experiments.papers.measures import Scored, claim_better, claim_no_gain, compare, mean_errors_of
from tutelage.experiments.papers.networks import Schedule
from tutelage.experiments.papers.paper import Findings, Paper
from tutelage.experiments.papers.pictures import Pictures, fashion_mnist
from tutelage.experiments.papers.teachers.chosen import SMOOTHINGS, TEMPERATURES, Classroom, Wrong, with_choices
from tutelage.experiments.recipe import Plan
from tutelage.report.papers.records import Curve, Series, Source

NOTHING = 20.0
"""Test errors that a student must gain from a larger teacher before that one counts as better."""
Arm = tuple[str, int]
"""What is scored: "teacher", "early teacher", "student", "student of early" or "labels", and the teacher's units (0 for none)."""


@dataclass(frozen=True)
class Size:
    """The size of a run.

    Attributes:
        widths: hidden units per layer of the teachers, ascending.
        units: those of the students.
        repeats: initial weights of the students of each seed.
        converged, early: how teachers are trained.
        student: how students are.
        parallel: train seeds in separate processes.
    """

    widths: tuple[int, ...]
    units: int
    repeats: int
    converged: Schedule
    early: Schedule
    student: Schedule
    parallel: bool


FULL = Size(
    widths=(30, 100, 300, 1200),
    units=20,
    repeats=4,
    converged=Schedule(epochs=40),
    early=Schedule(epochs=8),
    student=Schedule(epochs=40, peak_rate=5e-3),
    parallel=True,
)
QUICK = Size(
    widths=(30, 200),
    units=10,
    repeats=1,
    converged=Schedule(epochs=16, batch_size=128, peak_rate=5e-3),
    early=Schedule(epochs=5, batch_size=128, peak_rate=5e-3),
    student=Schedule(epochs=12, batch_size=128, peak_rate=1e-2),
    parallel=False,
)


@dataclass(frozen=True)
class _Seed:
    """The teachers of a seed, a student of each, and one on labels."""

    pictures: Pictures
    size: Size
    store: Store

    def __call__(self, seed: int) -> dict[Arm, Wrong]:
        """How the networks of each arm did."""
        size, room = self.size, Classroom(self.pictures, self.store, seed)
        found = {("labels", 0): Wrong.of(room.on_labels(size.units, size.student, repeats=size.repeats), self.pictures)}
        for width in size.widths:
            for teacher_arm, student_arm, schedule in (
                ("teacher", "student", size.converged),
                ("early teacher", "student of early", size.early),
            ):
                teacher = room.teacher(width, schedule)
                student = room.taught(size.units, size.student, teacher, repeats=size.repeats)
                found[teacher_arm, width] = Wrong.of(teacher, self.pictures)
                found[student_arm, width] = Wrong.of(student, self.pictures)
        return found


def run(plan: Plan, store: Store, stages: Stages) -> Findings:
    """Train teachers of every width, to the end and early, and a student of each."""
    size = QUICK if plan.quick else FULL
    with stages.stage("data"):
        pictures = fashion_mnist(plan.data, quick=plan.quick)
    tables = in_stage(stages, "networks", _Seed(pictures, size, store), plan.seeds, parallel=size.parallel)
    arms = {arm: _scored(arm, size, [table[arm] for table in tables]) for arm in tables[0]}
    on_labels, widest, middle = arms["labels", 0], size.widths[-1], size.widths[-1 - len(size.widths) // 2]
    larger = compare(arms["student", widest], arms["student", middle], f"Is the teacher of {widest} units better than that of {middle}?")
    stronger = compare(arms["teacher", widest], arms["teacher", middle], f"Does the teacher of {widest} units make fewer errors itself?")
    early = compare(
        arms["student of early", widest], arms["student", widest], f"Does a teacher of {widest} units teach better if it stops early?"
    )
    taught = compare(arms["student", widest], on_labels, "Is a student of the widest teacher better than one on labels?")
    return Findings(
        measures=tuple(arm.measure() for arm in arms.values()),
        comparisons=(larger, stronger, early, taught),
        claims=(
            claim_no_gain(
                f"A larger teacher is not a better teacher: the student of that of {widest} units makes at most {NOTHING:g} errors fewer, "
                f"of {pictures.test_rows:,}, than the student of that of {middle}.",
                "stated in the abstract",
                larger,
                within=NOTHING,
            ),
            claim_better("A large teacher that stops early teaches better than one that converged.", "stated in the abstract", early),
        ),
        protocol=(
            f"Fashion-MNIST. Teachers: 784-w-w-10 with w = {', '.join(map(str, size.widths))}, on labels, for {size.converged.epochs} "
            f"epochs and, early, for {size.early.epochs}, each with a schedule of its own, whose learning rate ends at nothing.",
            f"Students: 784-{size.units}-{size.units}-10 on a teacher's answers, with a tenth of the weight on labels. "
            f"A figure of a seed is the mean of {size.repeats} initial weights, the same for all teachers.",
            f"Each student's temperature, of {', '.join(f'{t:g}' for t in TEMPERATURES)}, is the one with the fewest errors on the last "
            "sixth of the training pictures, from which nothing learns; for every seed and teacher on its own. The label smoothing of "
            f"students on labels, of {', '.join(f'{s:g}' for s in SMOOTHINGS)}, is chosen alike. Teachers learn labels as they are.",
            "Widths, epochs and learning rates were fixed before the run, not tuned. Test pictures are used once and choose nothing.",
        ),
        deviations=(
            "An analogue: the paper has convolutional networks on CIFAR-10 and ImageNet, and depths as well as widths.",
            "The paper also ends the teacher's part of the student's loss early; here it has its weight to the end.",
            "Label smoothing of the students on labels is tuned; the paper names none. Adam with a one-cycle schedule.",
            "The paper also finds that a sequence of teachers does not help; see mirzadeh2020.",
            f"That a larger teacher is not better means that it spares at most {NOTHING:g} test errors, which was set before the run.",
        ),
        data=pictures.described(),
        budget={
            "teachers": asdict(size.converged),
            "early teachers": asdict(size.early),
            "students": asdict(size.student),
            "teachers per seed": 2 * len(size.widths),
            "students per seed": size.repeats * (len(SMOOTHINGS) + 2 * len(size.widths) * len(TEMPERATURES)),
        },
        curves=(
            _curve("Students", arms, size.widths, ("student", "student of early"), {"on labels": on_labels.mean}),
            _curve("Teachers", arms, size.widths, ("teacher", "early teacher"), {}),
        ),
    )


def _scored(arm: Arm, size: Size, found: Sequence[Wrong]) -> Scored:
    kind, width = arm
    name = {
        "labels": "student on labels",
        "teacher": f"teacher of {width} units",
        "early teacher": f"teacher of {width} units, early",
        "student": f"student of the teacher of {width} units",
        "student of early": f"student of the teacher of {width} units, early",
    }[kind]
    epochs = size.early.epochs if "early" in kind else size.converged.epochs
    meaning = f"teacher trained for {epochs} epochs" if width else f"{size.units} units per layer"
    shown = meaning if "teacher" in kind else with_choices(meaning, found)
    return mean_errors_of(name, shown, np.stack([one.share for one in found]))


def _curve(title: str, arms: dict[Arm, Scored], widths: tuple[int, ...], kinds: tuple[str, str], levels: dict[str, float]) -> Curve:
    series = tuple(
        Series(name, mark, tuple(arms[kind, width].point(width) for width in widths))
        for kind, name, mark in zip(kinds, ("teacher converged", "teacher stopped early"), ("baseline", "chosen"), strict=True)
    )
    caption = "Mean test errors and 95 % interval by the width of the teacher."
    return Curve(title, caption, "units per layer of the teacher", "test errors", series, logarithmic=True, levels=levels)


PAPER = Paper(
    name="cho2019",
    title="Larger teachers, and teachers that stop early",
    summary="Teachers of four widths on Fashion-MNIST, trained to the end and early, and a narrow student of each.",
    source=Source("Cho, Hariharan", 2019, "On the Efficacy of Knowledge Distillation", "https://arxiv.org/abs/1910.01348"),
    seeds=6,
    quick_seeds=2,
    run=run,
    takes_data=True,
)
