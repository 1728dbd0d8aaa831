"""mirzadeh2020: a network of a size in between learns from a large teacher and teaches a small student."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from tutelage.core.running.stages import Stages
from tutelage.experiments.cache import Store
from tutelage.experiments.in_processes import in_stage
from tutelage.experiments.papers.measures import Scored, claim_better, compare, mean_errors_of
from tutelage.experiments.papers.networks import Schedule
from tutelage.experiments.papers.paper import Findings, Paper
from tutelage.experiments.papers.pictures import Pictures, fashion_mnist
from tutelage.experiments.papers.teachers.chosen import SMOOTHINGS, TEMPERATURES, Classroom, Wrong, with_choices
from tutelage.experiments.recipe import Plan
from tutelage.report.papers.records import Curve, Series, Source

Arm = tuple[str, int]
"""What is scored: "labels", "direct", "teacher", "assistant" or "assisted", and the assistant's units (0 without one)."""


@dataclass(frozen=True)
class Size:
    """The size of a run.

    Attributes:
        teacher_units, units: hidden units per layer of the teacher and the students.
        assistants: those of the assistants, ascending.
        middle: the assistant whose claim leads.
        repeats: initial weights of the students of each seed.
        teacher, assistant, student: how they are trained.
        parallel: train seeds in separate processes.
    """

    teacher_units: int
    units: int
    assistants: tuple[int, ...]
    middle: int
    repeats: int
    teacher: Schedule
    assistant: Schedule
    student: Schedule
    parallel: bool


FULL = Size(
    teacher_units=1200,
    units=10,
    assistants=(30, 100, 300),
    middle=100,
    repeats=4,
    teacher=Schedule(epochs=40),
    assistant=Schedule(epochs=30),
    student=Schedule(epochs=40, peak_rate=5e-3),
    parallel=True,
)
QUICK = Size(
    teacher_units=200,
    units=10,
    assistants=(30,),
    middle=30,
    repeats=2,
    teacher=Schedule(epochs=20, batch_size=128, peak_rate=5e-3),
    assistant=Schedule(epochs=16, batch_size=128, peak_rate=5e-3),
    student=Schedule(epochs=20, batch_size=128, peak_rate=1e-2),
    parallel=False,
)


@dataclass(frozen=True)
class _Seed:
    """A teacher, its assistants, and the students on labels, of the teacher and of each assistant."""

    pictures: Pictures
    size: Size
    store: Store

    def __call__(self, seed: int) -> dict[Arm, Wrong]:
        """How the networks of each arm did."""
        size, room = self.size, Classroom(self.pictures, self.store, seed)
        teacher = room.teacher(size.teacher_units, size.teacher)
        networks = {
            ("teacher", 0): teacher,
            ("labels", 0): room.on_labels(size.units, size.student, repeats=size.repeats),
            ("direct", 0): room.taught(size.units, size.student, teacher, repeats=size.repeats),
        }
        for units in size.assistants:
            assistant = room.taught(units, size.assistant, teacher)
            networks["assistant", units] = assistant
            networks["assisted", units] = room.taught(size.units, size.student, assistant, repeats=size.repeats)
        return {arm: Wrong.of(network, self.pictures) for arm, network in networks.items()}


def run(plan: Plan, store: Store, stages: Stages) -> Findings:
    """Train a teacher per seed, assistants of it, and students of all of them."""
    size = QUICK if plan.quick else FULL
    with stages.stage("data"):
        pictures = fashion_mnist(plan.data, quick=plan.quick)
    tables = in_stage(stages, "networks", _Seed(pictures, size, store), plan.seeds, parallel=size.parallel)
    arms = {arm: _scored(arm, size, [table[arm] for table in tables]) for arm in tables[0]}
    on_labels, direct, assisted = arms["labels", 0], arms["direct", 0], arms["assisted", size.middle]
    taught = compare(direct, on_labels, "Is a student of the teacher better than one on labels?")
    gains = {
        units: compare(arms["assisted", units], direct, f"Is a student better with an assistant of {units} units in between?")
        for units in (size.middle, *(units for units in size.assistants if units != size.middle))
    }
    figures = (
        "accuracy 73.51 against 72.57 % (plain network, CIFAR-10), 44.92 against 44.57 % (CIFAR-100), 67.36 against 66.60 % (ImageNet); of "
        "residual networks on CIFAR-100 61.82 against 61.41 %"
    )
    return Findings(
        measures=tuple(arm.measure() for arm in arms.values()),
        comparisons=(*gains.values(), taught, compare(assisted, on_labels, "Is the student with an assistant better than one on labels?")),
        claims=(
            *(
                claim_better(
                    f"An assistant (of {units} units) between a large teacher and a small student makes the student better.",
                    figures if units == size.middle else "better with most sizes of the assistant (plain networks)",
                    gain,
                )
                for units, gain in gains.items()
            ),
            claim_better(
                "Without an assistant, the student of the large teacher is better than one on labels.",
                "accuracy 72.57 against 70.16 % (a plain network, CIFAR-10), 44.57 against 41.09 % (CIFAR-100), 66.60 against 65.20 % "
                "(ImageNet); of residual networks 88.65 against 88.52 and 61.41 against 61.37 %",
                taught,
            ),
        ),
        protocol=(
            f"Fashion-MNIST. Teacher: 784-{size.teacher_units}-{size.teacher_units}-10 on labels. Assistants of "
            f"{', '.join(map(str, size.assistants))} units per layer learn from it; students of {size.units} units from labels, from the "
            "teacher, or from an assistant.",
            f"Taught networks have a tenth of the weight on labels. A figure of a seed is the mean of {size.repeats} students with other "
            "initial weights, the same in all arms.",
            f"The temperature of each taught network, of {', '.join(f'{t:g}' for t in TEMPERATURES)}, is the one with the fewest errors on "
            "the last sixth of the training pictures, from which nothing learns. The label smoothing of students on labels, of "
            f"{', '.join(f'{s:g}' for s in SMOOTHINGS)}, is chosen in the same way: students with and without a teacher, and with and "
            "without an assistant, are tuned alike; the assistant's own temperature is chosen too. The teacher learns labels as they are.",
            "Widths, epochs and learning rates were fixed before the run, not tuned. Test pictures choose nothing.",
        ),
        deviations=(
            "An analogue: the paper has convolutional and residual networks on CIFAR-10, CIFAR-100 and ImageNet.",
            "The paper reports the best test accuracy of 120 trials of temperature and weight, and the best size of assistant; here "
            "four temperatures, chosen on held-out pictures, and a claim for each size.",
            "Label smoothing of the students on labels is tuned; the paper names none. Adam with a one-cycle schedule in place of gradient "
            "descent with momentum.",
            "Sizes differ in width, not in depth.",
            "With an assistant, a student has one training more behind it.",
        ),
        data=pictures.described(),
        budget={
            "teacher": asdict(size.teacher),
            "assistants": asdict(size.assistant),
            "students": asdict(size.student),
            "teachers and assistants per seed": 1 + len(TEMPERATURES) * len(size.assistants),
            "students per seed": size.repeats * (len(SMOOTHINGS) + len(TEMPERATURES) * (1 + len(size.assistants))),
        },
        curves=(
            Curve(
                title="Students by the size of the assistant",
                caption="Mean test errors and 95 % interval.",
                x_name="units per layer of the assistant",
                y_name="test errors",
                series=(
                    Series("student of the assistant", "chosen", tuple(arms["assisted", units].point(units) for units in size.assistants)),
                ),
                logarithmic=True,
                levels={"no assistant": direct.mean, "on labels": on_labels.mean},
            ),
        ),
    )


def _scored(arm: Arm, size: Size, found: Sequence[Wrong]) -> Scored:
    kind, units = arm
    name, meaning = {
        "teacher": ("teacher", f"{size.teacher_units} units per layer, on labels"),
        "labels": ("student on labels", f"{size.units} units per layer"),
        "direct": ("student of the teacher", f"{size.units} units per layer"),
        "assistant": (f"assistant of {units} units", "on the teacher's answers"),
        "assisted": (f"student of the assistant of {units} units", f"{size.units} units per layer"),
    }[kind]
    shown = meaning if kind == "teacher" else with_choices(meaning, found)
    return mean_errors_of(name, shown, np.stack([one.share for one in found]))


PAPER = Paper(
    name="mirzadeh2020",
    title="A teacher's assistant",
    summary="A large teacher, assistants of three sizes and small students on Fashion-MNIST: does a step in between help?",
    source=Source(
        "Mirzadeh, Farajtabar, Li, Levine, Matsukawa, Ghasemzadeh",
        2020,
        "Improved Knowledge Distillation via Teacher Assistant",
        "https://arxiv.org/abs/1902.03393",
    ),
    seeds=6,
    quick_seeds=2,
    run=run,
    takes_data=True,
)
