"""beyer2022: a teacher that sees what its student sees, and a student that is trained for long."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats
from tutelage.core.running.stages import Stages
from tutelage.data.views import Views
from tutelage.experiments.cache import Store
from tutelage.experiments.in_processes import in_stage
from tutelage.experiments.papers.hinton.settings import Size as Large
from tutelage.experiments.papers.hinton.settings import large, large_network, small_network
from tutelage.experiments.papers.measures import Scored, claim_better, compare, errors_of
from tutelage.experiments.papers.networks import APART, Lessons, Schedule, trained
from tutelage.experiments.papers.paper import Findings, Paper
from tutelage.experiments.papers.pictures import CLASSES, Jitter, Pictures, mnist
from tutelage.experiments.recipe import Plan
from tutelage.experiments.teaching import cached_view_labels
from tutelage.losses.class_terms import soft_cross_entropy
from tutelage.report.papers.records import Curve, Series, Source
from tutelage.softlabels.labels import SoftLabels

FIXED, INDEPENDENT, SAME, MIXED = "fixed", "independent", "same view", "same view, mixup"
ARMS = {
    FIXED: ("the teacher answered each picture once, as it is; the student sees it moved", "baseline"),
    INDEPENDENT: ("the teacher saw the picture moved in another way", "control"),
    SAME: ("the teacher saw what the student sees", "chosen"),
    MIXED: ("the teacher saw what the student sees: two moved pictures, mixed", "teacher"),
}
"""How each arm's answers are made, and its mark."""


@dataclass(frozen=True)
class Size:
    """The size of a run.

    Attributes:
        teacher: the large network, that of hinton2015.
        units: hidden units per layer of the students.
        epochs: of the students, ascending; each has a schedule of its own, which ends at a learning rate of nothing.
        views: moved pictures of each row, one after the other in the epochs.
        student: how students are trained, but for the epochs.
        parallel: train in separate processes.
    """

    teacher: Large
    units: int
    epochs: tuple[int, ...]
    views: int
    student: Schedule
    parallel: bool


FULL = Size(
    teacher=Large(),
    units=100,
    epochs=(10, 30, 100),
    views=30,
    student=Schedule(epochs=0),
    parallel=True,
)
QUICK = Size(
    teacher=Large(units=100, teacher=Schedule(epochs=12, batch_size=64, peak_rate=3e-3, max_norm=2.0)),
    units=40,
    epochs=(3, 10),
    views=10,
    student=Schedule(epochs=0, batch_size=100, peak_rate=5e-3),
    parallel=False,
)


@dataclass(frozen=True, eq=False)
class Mixed:
    """An augmentation: a moved picture and another one, moved in its own way, in a proportion that is uniform.

    Attributes:
        others: (rows, 784) the pictures to mix with, from which one is drawn; those that are augmented, so that they need no name.
        jitter: how both are moved.
    """

    others: NDArray[np.float32] = field(repr=False)
    jitter: Jitter

    @property
    def numbers(self) -> int:
        """Those of two shifts, one for the other picture and one for the proportion."""
        return 2 * self.jitter.numbers + 2

    def __call__(self, rows: Floats, numbers: Floats) -> Floats:
        """(rows, 784) -> (rows, 784)."""
        shift = self.jitter.numbers
        drawn = np.minimum((numbers[:, 2 * shift] * len(self.others)).astype(np.int64), len(self.others) - 1)
        share = numbers[:, 2 * shift + 1 :].astype(rows.dtype)
        first, second = self.jitter(rows, numbers[:, :shift]), self.jitter(self.others[drawn], numbers[:, shift : 2 * shift])
        return np.asarray(second + share * (first - second))


def answers_of_arm(arm: str, views: SoftLabels, plain: NDArray[np.float32], *, count: int) -> SoftLabels:
    """The answers that an arm learns for each view, under the names of the views.

    Args:
        arm: one of `ARMS`.
        views: the teacher's answers to the views, view by view.
        plain: (rows, classes) its answers to the pictures as they are.
        count: the number of views.
    """
    if arm == FIXED:
        answers = np.tile(plain, (count, 1))
    elif arm == INDEPENDENT:
        answers = np.roll(views.answers.reshape(count, -1, views.answers.shape[1]), -1, axis=0).reshape(views.answers.shape)
    else:
        return views
    return replace(views, answers=np.ascontiguousarray(answers), fingerprint=f"{views.fingerprint}, {arm}")


@dataclass(frozen=True)
class _Student:
    """What the networks of a run have in common."""

    pictures: Pictures
    size: Size
    store: Store

    def teacher(self, seed: int) -> NDArray[np.int64]:
        """(test rows) classes that the teacher of a seed predicts, after it has answered all views."""
        for arm in (SAME, MIXED):
            self._answers(seed, arm)
        teacher, _ = large(self.pictures, self.size.teacher, self.store, seed=seed)
        return np.asarray(teacher.predict(self.pictures.test_inputs))

    def __call__(self, task: tuple[int, str, int]) -> NDArray[np.int64]:
        """(test rows) classes that the student of a seed, an arm and a number of epochs predicts."""
        seed, arm, epochs = task
        views, labels = self._answers(seed, arm)
        lessons = Lessons(views, {"pictures": self.pictures.fingerprint, "views": views.determined_by()}, labels=labels)
        schedule = replace(self.size.student, epochs=epochs)
        build = partial(small_network, self.size.units)
        student, _ = trained(self.store, build, soft_cross_entropy(), schedule, lessons, seed=seed + APART)
        return np.asarray(student.predict(self.pictures.test_inputs))

    def _answers(self, seed: int, arm: str) -> tuple[Views, SoftLabels]:
        """What the students of an arm see, and the answers that they learn."""
        pictures, count = self.pictures, self.size.views
        teacher, plain = large(pictures, self.size.teacher, self.store, seed=seed)
        augment = Mixed(pictures.inputs, Jitter()) if arm == MIXED else Jitter()
        views = Views(pictures.inputs, augment, count=count, seed=seed + 1000)
        network_from = {"what": "large network", "of": plain.fingerprint, "layers": str(large_network(self.size.teacher.units))}
        labels = cached_view_labels(self.store, teacher.network, network_from, views, tuple(range(CLASSES)))
        return views, answers_of_arm(arm, labels, plain.answers, count=count)


def run(plan: Plan, store: Store, stages: Stages) -> Findings:
    """Train a teacher per seed, and students of every arm and length."""
    size = QUICK if plan.quick else FULL
    with stages.stage("data"):
        pictures = mnist(quick=plan.quick, rows=1500, test_rows=1000)
    student = _Student(pictures, size, store)
    of_teachers = in_stage(stages, "teachers", student.teacher, plan.seeds, parallel=size.parallel)
    tasks = [(seed, arm, epochs) for epochs in reversed(size.epochs) for seed in plan.seeds for arm in ARMS]
    found = in_stage(stages, "students", student, tasks, parallel=size.parallel)
    predicted, truth = dict(zip(tasks, found, strict=True)), pictures.test_labels
    teacher = errors_of("teacher", f"784-{size.teacher.units}-{size.teacher.units}-10, dropout", np.stack(of_teachers), truth)
    arms: dict[tuple[str, int], Scored] = {}
    for arm, (meaning, _) in ARMS.items():
        for epochs in size.epochs:
            classes = np.stack([predicted[seed, arm, epochs] for seed in plan.seeds])
            arms[arm, epochs] = errors_of(f"{arm}, {epochs} epochs", meaning, classes, truth)
    short, longest = size.epochs[0], size.epochs[-1]
    same = arms[SAME, longest]
    against_fixed = compare(same, arms[FIXED, longest], "Is a teacher that sees the student's view better than fixed answers?")
    against_other = compare(same, arms[INDEPENDENT, longest], "And than one that sees another view?")
    mixed = compare(arms[MIXED, longest], same, "Does mixing pictures help?")
    patience = compare(same, arms[SAME, short], f"Are {longest} epochs better than {short}?")
    return Findings(
        measures=(teacher.measure(), *(arm.measure() for arm in arms.values())),
        comparisons=(
            against_fixed,
            against_other,
            mixed,
            patience,
            compare(arms[MIXED, longest], arms[MIXED, short], "And with mixed pictures?"),
        ),
        claims=(
            claim_better("A teacher that sees the student's view is better than fixed answers.", "stated", against_fixed),
            claim_better("It is better than one that sees a view of its own.", "stated", against_other),
            claim_better("Mixing pictures makes it better still, with long training.", "stated, of long training", mixed),
            claim_better(
                "A student that is trained for longer is better.",
                "accuracy 80.30, 81.54, 82.18, 82.31 % at 300, 1200, 4800, 9600 epochs",
                patience,
            ),
        ),
        protocol=(
            "MNIST. Each seed has a teacher of its own, the large network of hinton2015, trained on moved pictures.",
            f"Students: 784-{size.units}-{size.units}-10 on the teacher's answers at temperature 1 alone, without labels. Those of a seed "
            "have the same initial weights, and all but those with mixed pictures see the same moved pictures in the same order.",
            f"Pictures are moved by up to two pixels along each side, in {size.views} ways for each picture, one in each epoch, in turn. "
            "Pictures are mixed in a proportion that is uniform, as in the paper.",
            f"Students of {', '.join(map(str, size.epochs))} epochs are trained each on its own, to a learning rate of nothing.",
            "The teacher's schedule is that of hinton2015, chosen before on the last 10,000 training pictures; width, epochs and learning "
            "rate of the students were fixed before the run, not tuned. Nothing is chosen on test pictures, which are used once, as they "
            "are.",
        ),
        deviations=(
            "An analogue: the paper distils a large residual network into a ResNet-50 on ImageNet and smaller sets of photographs, for up "
            "to 9 600 epochs on ImageNet and a million on the smallest set.",
            f"Views are repeated after {size.views} epochs. Views are moved pictures in place of crops of different sizes.",
            "The paper chooses learning rate, weight decay and temperature of every arm on validation pictures, and clips gradients; here "
            "all arms have one setting, temperature 1, and a one-cycle schedule; mixed pictures may need another.",
        ),
        data=pictures.described(),
        budget={
            "teacher": asdict(size.teacher.teacher),
            "student epochs": list(size.epochs),
            "batch size": size.student.batch_size,
            "views": size.views,
            "students": len(tasks),
        },
        curves=(
            Curve(
                title="Errors by the length of the training",
                caption="Mean test errors and 95 % interval.",
                x_name="epochs",
                y_name="test errors",
                series=tuple(
                    Series(arm, kind, tuple(arms[arm, epochs].point(epochs) for epochs in size.epochs)) for arm, (_, kind) in ARMS.items()
                ),
                logarithmic=True,
                levels={"teacher": teacher.mean},
            ),
        ),
    )


PAPER = Paper(
    name="beyer2022",
    title="A patient and consistent teacher",
    summary="Students on MNIST that see what their teacher saw, or something else, for 10 to 100 epochs.",
    source=Source(
        "Beyer, Zhai, Royer, Markeeva, Anil, Kolesnikov",
        2022,
        "Knowledge distillation: A good teacher is patient and consistent",
        "https://arxiv.org/abs/2106.05237",
    ),
    seeds=5,
    quick_seeds=2,
    run=run,
)
