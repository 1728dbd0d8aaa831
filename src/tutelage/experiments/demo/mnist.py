"""mnist: the second experiment of the original demo with its mistakes corrected, and optionally as published.

Source: the notebook "Neural network distillation" of tsitsimis/neural-network-distillation on GitHub,
https://github.com/tsitsimis/neural-network-distillation, after Hinton, Vinyals, Dean 2015, arXiv 1503.02531.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tutelage.core import torch_runtime
from tutelage.core.arrays import one_hot
from tutelage.core.running.stages import Stages
from tutelage.data.datasets import load_mnist
from tutelage.experiments import few_labels
from tutelage.experiments.cache import Store, key_of
from tutelage.experiments.demo import ORIGINAL_DEMO
from tutelage.experiments.demo.as_published import add_published
from tutelage.experiments.demo.hard_example_passes import Passes, train_hard_examples
from tutelage.experiments.demo.mnist_setting import (
    CLASSES,
    CONVOLUTION,
    SIDES,
    TRAIN_ROWS,
    Split,
    described,
    glorot_weights,
    measured_network,
    pictures,
    pixels,
    teacher_network,
)
from tutelage.experiments.demo.mnist_students import (
    MEANINGS,
    SMOOTHINGS,
    STUDENT_BATCH,
    STUDENT_RATE,
    TEMPERATURES,
    Setting,
    StudentTraining,
    student_schedule,
)
from tutelage.experiments.recipe import Outcome, Plan, Recipe
from tutelage.experiments.scorecard import ClassificationTest
from tutelage.experiments.side_by_side import in_parts
from tutelage.experiments.teaching import cached_labels, cached_network
from tutelage.losses.functional.classification import soft_cross_entropy
from tutelage.report.records import LabelRow, LabelTable
from tutelage.softlabels.labels import SoftLabels
from tutelage.training.student import TorchStudent

SIZES = {"": (784, 10, 10, 10), "-784-10-10": (784, 10, 10)}
"""Student sizes by the suffix of their arms: two hidden layers of 10, as the original demo's text says, and one, as its code
has, whose students are trained to be compared with the published ones."""
QUICK_ROWS = 4000
COUNTS, QUICK_COUNTS = (10_000, 3000, 600, 300), (1000, 300)
"""Numbers of labels of the students that have few."""
WITHOUT_LABELS = {
    "student-soft-no-labels": "the student on the teacher's probabilities at temperature 1; no label chose anything",
    "student-argmax-no-labels": "control: the student on the teacher's decisions only; no label chose anything",
}
UNTUNED = {"student-soft-no-labels": Setting("student-soft"), "student-argmax-no-labels": Setting("student-argmax")}
FEW_LABELS = (
    "The teacher exists already and was trained on every training label; labels are few for the owner of the student. The students on "
    "labels alone are trained and tuned with that many. The others learn from the teacher's answers to the training rows and use no label."
)
FULL, QUICK = Passes(), Passes(further=2)
"""How the teacher is trained, from Glorot initial weights; with torch's default ones the first pass ends at 5 % validation errors."""


def _teacher(split: Split, store: Store, stages: Stages, *, seed: int, passes: Passes) -> tuple[nn.Module, dict[str, Any]]:
    """The teacher, trained at temperature 1, and the values that determine it."""
    made_from = {
        "what": "mnist teacher",
        "data": split.fingerprint,
        **asdict(passes),
        "products": "coarse",
        "weights": "Glorot",
        "seed": seed,
    }

    def train(network: nn.Module) -> Mapping[str, NDArray[Any]]:
        with torch_runtime.coarse_products():
            train_hard_examples(
                network,
                soft_cross_entropy,
                inputs=torch.from_numpy(split.inputs),
                targets=torch.from_numpy(one_hot(split.labels, CLASSES)),
                passes=passes,
                freeze=network.get_submodule(CONVOLUTION),
                advance=advance,
            )
        return {}

    with stages.stage("teacher", passes.steps(len(split.inputs))) as advance:
        network, _ = cached_network(store, made_from, lambda: glorot_weights(teacher_network()), train)
    return network, made_from


def run(plan: Plan, store: Store, stages: Stages) -> Outcome:
    """Train one teacher, record its answers, and train students on them, on every label and on few."""
    with stages.stage("data"):
        split = _split(plan)
    teacher, made_from = _teacher(split, store, stages, seed=plan.seeds[0], passes=QUICK if plan.quick else FULL)
    with stages.stage("answers"):
        labels = cached_labels(store, teacher, made_from, split.inputs, tuple(range(CLASSES)))
        test_labels = cached_labels(store, teacher, made_from, split.test_inputs, tuple(range(CLASSES)))
    students = {
        "teacher": Students("the original demo's network, trained at temperature 1", (TorchStudent(teacher, classes=range(CLASSES)),))
    }
    students |= _students(plan, split, labels, key_of(made_from), store, stages)
    students |= _few_label_students(plan, split, store, stages)
    outcome = _measure(plan, split, students=students, labels=labels, test_labels=test_labels, stages=stages)
    if plan.as_published:
        return add_published(outcome, plan, store=store, stages=stages, split=split, right_labels=labels)
    return outcome


def _split(plan: Plan) -> Split:
    if plan.quick:
        return Split(load_mnist(), train_rows=QUICK_ROWS, epochs=10, held_out=2000, every=5)
    return Split(load_mnist(), train_rows=TRAIN_ROWS, epochs=20)


@dataclass(frozen=True)
class Students:
    """The models of one arm.

    Attributes:
        meaning: as in `Arm`.
        models: one per seed; the teacher is one.
        chosen: as in `Arm`.
    """

    meaning: str
    models: tuple[TorchStudent, ...]
    chosen: Mapping[str, Any] = field(default_factory=dict)


def _sizes(plan: Plan) -> Mapping[str, tuple[int, ...]]:
    return SIZES if plan.as_published else {"": SIZES[""]}


def _students(plan: Plan, split: Split, labels: SoftLabels, teacher_key: str, store: Store, stages: Stages) -> dict[str, Students]:
    """The arms of each size with every label, and those of the first size without any."""
    found, parts = {}, in_parts(plan.seeds)
    with stages.stage("students", student_schedule(split).steps * len(_sizes(plan)) * len(parts)) as advance:
        for suffix, sizes in _sizes(plan).items():
            candidates = StudentTraining(sizes, split, labels, teacher_key, store, advance).candidates(plan.seeds)
            for arm, setting in candidates.chosen().items():
                meaning = f"{MEANINGS[arm]} ({'-'.join(map(str, sizes))})"
                found[arm + suffix] = Students(meaning, candidates.students[setting], setting.chosen)
            if suffix == "":
                found |= {name: Students(meaning, candidates.students[UNTUNED[name]]) for name, meaning in WITHOUT_LABELS.items()}
    return found


def _few_label_students(plan: Plan, split: Split, store: Store, stages: Stages) -> dict[str, Students]:
    """The arms on few labels alone."""
    schedule, counts = (few_labels.QUICK, QUICK_COUNTS) if plan.quick else (few_labels.FULL, COUNTS)
    with stages.stage("few labels", 2 * schedule.steps * len(in_parts(plan.seeds))) as advance:
        training = few_labels.FewLabels(counts, SIZES[""], split, schedule, store, advance)
        students, settings = training.students(plan.seeds)
    return {
        few_label_arm(count): Students(
            f"the student on {count} true classes alone, tuned with a fifth of them",
            students[count],
            {
                "weight decay": [setting.weight_decay for setting in settings[count]],
                "label smoothing": [setting.smoothing for setting in settings[count]],
            },
        )
        for count in counts
    }


def few_label_arm(count: int) -> str:
    """The name of the arm that learns from this many labels alone."""
    return f"student-hard-{count}-labels"


def _measure(
    plan: Plan,
    split: Split,
    *,
    students: Mapping[str, Students],
    labels: SoftLabels,
    test_labels: SoftLabels,
    stages: Stages,
) -> Outcome:
    models = {name: arm.models for name, arm in students.items()}
    counts = QUICK_COUNTS if plan.quick else COUNTS
    label_rows = _label_rows(split, counts)
    with stages.stage("evaluation"):
        predictions = {
            name: np.stack([model.predict(split.test_inputs) for model in own]) for name, own in models.items() if name != "teacher"
        }
        predictions["teacher"] = test_labels.logits.argmax(axis=1)[None]
        arms = [
            measured_network(name, arm.meaning, plan.seeds[: len(arm.models)], predictions, models, chosen=arm.chosen)
            for name, arm in students.items()
        ]
        drawn = {name: predictions[name] for name in ("teacher", "student-hard", "student-soft")}
        figures = pictures(split, labels.logits, drawn)
    return Outcome(
        arms=tuple(arms),
        models=models,
        test=ClassificationTest(split.test_labels, predictions["teacher"][0]),
        pairs=_pairs(label_rows, _sizes(plan)),
        protocol=_protocol(plan, split, counts),
        data=described(split),
        figures=figures,
        by_labels=LabelTable(tuple(WITHOUT_LABELS), label_rows, FEW_LABELS),
    )


def _label_rows(split: Split, counts: tuple[int, ...]) -> tuple[LabelRow, ...]:
    """The arms that learn from labels alone, from every label, of which some validate, to the fewest."""
    every = LabelRow(split.train_rows + len(split.validation.targets), "student-hard")
    return (every, *(LabelRow(count, few_label_arm(count)) for count in counts))


def _pairs(rows: tuple[LabelRow, ...], suffixes: Iterable[str]) -> tuple[tuple[str, str, str], ...]:
    with_labels = [  # few labels first: the first pair is the main result
        (arm, row.alone, f"Is the student {meaning}, without any label, better than a tuned one on {row.labels} labels alone?")
        for row in (*rows[1:], rows[0])
        for arm, meaning in (
            ("student-soft-no-labels", "on the teacher's probabilities"),
            ("student-argmax-no-labels", "on the teacher's decisions"),
        )
    ]
    questions = (
        ("soft", "hard", "Is the student better with the teacher's probabilities than with the true classes and tuned label smoothing?"),
        ("soft", "argmax", "Is the student better with the teacher's probabilities than with its decisions only?"),
        ("argmax", "hard", "Is the student better with the teacher's decisions than with the true classes?"),
    )
    within = [(f"student-{a}{suffix}", f"student-{b}{suffix}", question) for suffix in suffixes for a, b, question in questions]
    lost = ("student-soft", "teacher", "How much of the teacher's accuracy does the student lose?")
    return (*with_labels, *within, lost)


def _protocol(plan: Plan, split: Split, counts: tuple[int, ...]) -> tuple[str, ...]:
    rows, passes = len(split.validation.targets), QUICK if plan.quick else FULL
    return (
        f"The first {split.train_rows} training rows are used for training and the last {rows} of the 60 000 for validation. The "
        f"{len(split.test_labels)} test rows are not used for any choice.",
        "Teacher: the original demo's network, trained once at temperature 1 on all training labels (Adam, one-cycle schedule): one pass "
        f"over all rows, then {passes.further} over the tenth with the largest losses and a fifth of the others, weighted for those left "
        f"out, with the convolution frozen after the first pass.",
        "The teacher is queried once, in eval mode; its logits are recorded and softened afterwards.",
        f"{len(plan.seeds)} seeds of students. For each seed all arms have the same initial weights and batches (Adam, one-cycle schedule "
        f"with peak {STUDENT_RATE}, batches of {STUDENT_BATCH}, {split.epochs} epochs).",
        f"Every arm has four candidates: temperatures {', '.join(f'{t:g}' for t in TEMPERATURES)} for soft labels, label smoothing "
        f"{', '.join(f'{s:g}' for s in SMOOTHINGS)} for hard labels. Validation chooses one candidate per arm, by the mean over the seeds.",
        f"Few labels: each seed draws {', '.join(map(str, counts))} of the training rows. The log loss of a fifth chooses one of "
        f"{len(few_labels.SETTINGS)} candidates (weight decay and label smoothing); the chosen student is trained again on all of them.",
        "Without labels: the student on the teacher's answers to all training rows, at temperature 1 and without smoothing. Nothing was "
        "chosen for it. The teacher itself was trained on every training label: it exists already, and labels are few for the student.",
        "Differences are paired by seed and test row, and the intervals cover both (crossed random effects). "
        "They hold for this one teacher; results with another teacher may be better or worse.",
    )


RECIPE = Recipe(
    name="mnist",
    title="A convolutional network distilled into ten hidden units",
    summary=f"The second experiment of the original demo, {ORIGINAL_DEMO}: a teacher of 27 million weights and students of 8 000, compared "
    "with tuned students trained on the true classes only, all of them or few.",
    seeds=5,
    quick_seeds=2,
    student="student-soft",
    headline="test_accuracy",
    run=run,
    check_rows=lambda seed, data: pixels(load_mnist().test_images),
    has_published_protocol=True,
    picture=SIDES,
)
