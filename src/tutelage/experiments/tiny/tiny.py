"""tiny, tiny-fashion: how few errors can eight thousand weights make? The budget of the origin's student, beside its teacher of 27 million.

A small convolutional network learns from the answers of a larger one to augmented pictures, and beside it the same network
from the labels: the same views, steps and number of candidates.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray
from torch import nn

from tutelage.core import torch_runtime
from tutelage.core.stages import Advance, Stages
from tutelage.data.datasets import Images, load_mnist
from tutelage.data.views import Affine, Views
from tutelage.experiments.cache import Store
from tutelage.experiments.demo.mnist_setting import CLASSES, Split, described, pictures, pixels
from tutelage.experiments.recipe import Outcome, Plan, Recipe
from tutelage.experiments.scorecard import ClassificationTest, Measured
from tutelage.experiments.teaching import cached_labels, cached_network, cached_view_labels
from tutelage.experiments.tiny.networks import answering_as, student_network, teacher_network
from tutelage.losses.class_terms import hard_cross_entropy, soft_cross_entropy
from tutelage.losses.objective import Objective
from tutelage.search.choice import best_setting
from tutelage.softlabels.labels import SoftLabels
from tutelage.training.loop import step_count
from tutelage.training.settings import one_cycle
from tutelage.training.stacks.networks import parameter_count
from tutelage.training.student import TorchStudent
from tutelage.training.validation import Validation

BUDGET = 8070
"""Weights at most: those of the origin's student, 784-10-10-10."""
SMOOTHINGS, TEMPERATURES = (0.0, 0.1), (2.0, 4.0)


@dataclass(frozen=True)
class Size:
    """How much is done: rows that train and that choose, views, and the epochs, batch size and peak learning rate of teacher
    and students.

    Attributes:
        apart: networks learn in processes of their own, one a processor; for few and quick ones that would take longer.
    """

    rows: int = 55_000
    held_out: int = 5000
    views: int = 12
    teacher_epochs: int = 10
    student_epochs: int = 18
    teacher_batch: int = 128
    student_batch: int = 128
    teacher_rate: float = 4e-3
    student_rate: float = 1e-2
    apart: bool = True


QUICK = Size(rows=1500, held_out=1000, views=2, teacher_epochs=4, student_epochs=5, teacher_batch=32, student_batch=32, apart=False)


@dataclass(frozen=True)
class Subject:
    """What is taught.

    Attributes:
        name, title, summary: of the recipe.
        load: the pictures, from the user's folder where they need one.
        augment: how a view may differ from a picture.
        full: how much is done of it.
        dense: whether its students answer at every pixel (see `student_network`), as its validation rows prefer.
        takes_data: whether the user may name a folder of them.
    """

    name: str
    title: str
    summary: str
    load: Callable[[Path | None], Images]
    augment: Affine
    full: Size = Size()
    dense: bool = True
    takes_data: bool = False


@dataclass(frozen=True)
class Setting:
    """What a network is trained on: one candidate of one arm, or the teacher."""

    arm: str
    value: float = 0.0

    @property
    def chosen(self) -> dict[str, float]:
        """What a reader would call the choice."""
        return {"temperature" if self.arm == "student-soft" else "label smoothing": self.value}

    @property
    def objective(self) -> Objective:
        """What the student is asked to match."""
        if self.arm == "student-soft":
            return soft_cross_entropy(temperature=self.value)
        return hard_cross_entropy(smoothing=self.value)


TEACHER = Setting("teacher")
SETTINGS = (
    *(Setting("student-hard", amount) for amount in SMOOTHINGS),
    *(Setting("student-soft", temperature) for temperature in TEMPERATURES),
)
MEANINGS = {
    "student-hard": "the same network on the labels, label smoothing chosen on validation",
    "student-soft": "the network on the teacher's probabilities, temperature chosen on validation",
}


def _as_it_is(trained: nn.Module) -> nn.Module:
    return trained


Learnt = tuple[nn.Module, NDArray[np.float64]]
"""A network as it answers, and its number of validation errors."""


@dataclass(frozen=True)
class _StudentTraining:
    """What every training has in common.

    Attributes:
        views: of the rows that train.
        truth: their labels.
        held_out: the rows that choose.
        size: how much is done.
        dense: whether students answer at every pixel.
        store: where networks are kept.
        told: what the views are, for the store.
    """

    views: Views
    truth: NDArray[np.int64]
    held_out: Validation
    size: Size
    dense: bool
    store: Store
    told: Mapping[str, Any]

    def made_from(self, setting: Setting, seed: int, taught: SoftLabels | None = None) -> dict[str, Any]:
        """What settles a network: its layers, data and training."""
        size = self.size
        if setting == TEACHER:
            training = {"epochs": size.teacher_epochs, "batch_size": size.teacher_batch, "rate": size.teacher_rate, "seed": seed}
            return {"what": "tiny teacher", "network": str(teacher_network()), **self.told, **training}
        return {
            "what": "tiny student",
            "network": str(student_network()),
            "answering": str(student_network(dense=self.dense)),
            **self.told,
            "labels": "truth" if taught is None else taught.fingerprint,
            "objective": setting.objective.described(),
            "epochs": size.student_epochs,
            "batch_size": size.student_batch,
            "rate": size.student_rate,
            "seed": seed,
        }

    def network(self, setting: Setting, seed: int, taught: SoftLabels | None, advance: Advance) -> Learnt:
        """One network, trained now only if it is not kept already.

        The last epoch is kept, when the learning rate has come down to nothing: five thousand rows would choose an epoch by luck.
        """
        labels = taught if setting.arm == "student-soft" else None
        made_from = self.made_from(setting, seed, labels)
        build = teacher_network if setting == TEACHER else student_network
        answering = partial(answering_as, dense=True) if self.dense and setting != TEACHER else _as_it_is

        def train(fresh: nn.Module) -> Mapping[str, NDArray[Any]]:
            TorchStudent(fresh, setting.objective, classes=range(CLASSES)).fit(
                self.views,
                labels,
                self.truth,
                epochs=made_from["epochs"],
                batch_size=made_from["batch_size"],
                seed=seed,
                optimizer=partial(torch.optim.Adam, lr=made_from["rate"], fused=True),
                schedule=one_cycle,
                threads=1,
                advance=advance,
            )
            return {"errors": self.held_out.score(answering(fresh)).numpy()}

        trained, report = cached_network(self.store, made_from, build, train)
        return answering(trained), report["errors"]

    def networks(
        self, asked: Sequence[tuple[Setting, int]], taught: SoftLabels | None, advance: Advance
    ) -> dict[tuple[Setting, int], Learnt]:
        """Networks of these settings and seeds, as many at once as there are processors: a step is too small to be shared among them."""
        workers = min(cpu_count(only_physical_cores=False), len(asked)) if self.size.apart else 1
        if workers <= 1:
            return {each: self.network(*each, taught, advance) for each in asked}
        learnt = {}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "A worker stopped")  # joblib replaces one that keeps memory, as ours do for their next step
            for each, found in Parallel(workers, return_as="generator_unordered")(delayed(self._named)(each, taught) for each in asked):
                learnt[each] = found
                for _ in range(self.steps(each[0])):
                    advance()
        return learnt

    def steps(self, *settings: Setting) -> int:
        """How many steps it takes to train these."""
        size = self.size
        plans = [
            (size.teacher_batch, size.teacher_epochs) if each == TEACHER else (size.student_batch, size.student_epochs) for each in settings
        ]
        return sum(step_count(len(self.truth), batch_size=batch, epochs=epochs) for batch, epochs in plans)

    def _named(self, each: tuple[Setting, int], taught: SoftLabels | None) -> tuple[tuple[Setting, int], Learnt]:
        """One network in a process of its own, whose steps are not shown one by one."""
        torch_runtime.reuse_freed_memory()
        return each, self.network(*each, taught, lambda: None)


def run(subject: Subject, plan: Plan, store: Store, stages: Stages) -> Outcome:
    """One teacher, its answers to every view, every candidate on the first seed, and the chosen ones on all of them."""
    size = QUICK if plan.quick else subject.full
    with stages.stage("data"):
        split = Split(subject.load(plan.data), train_rows=size.rows, epochs=size.student_epochs, held_out=size.held_out)
        views = Views(split.inputs, subject.augment, count=size.views, plain_first=True)
        told_of = {"data": split.fingerprint, "views": views.determined_by()}
        student_training = _StudentTraining(views, split.labels, split.validation, size, subject.dense, store, told_of)
    first, *further = plan.seeds
    alone = [TEACHER, *(setting for setting in SETTINGS if setting.arm == "student-hard")]
    with stages.stage("teacher, and students on labels", student_training.steps(*alone)) as advance:
        learnt = student_training.networks([(setting, first) for setting in alone], None, advance)
    with stages.stage("answers"):
        teacher, teacher_from = learnt[TEACHER, first][0], student_training.made_from(TEACHER, first)
        taught = cached_view_labels(store, teacher, teacher_from, views, tuple(range(CLASSES)))
        told = cached_labels(store, teacher, teacher_from, split.test_inputs, tuple(range(CLASSES)))
    candidates = [setting for setting in SETTINGS if setting not in alone]
    with stages.stage("students", student_training.steps(candidates[0]) * (len(candidates) + len(MEANINGS) * len(further))) as advance:
        learnt |= student_training.networks([(setting, first) for setting in candidates], taught, advance)
        chosen = {arm: _best({setting: learnt[setting, first][1] for setting in SETTINGS if setting.arm == arm}) for arm in MEANINGS}
        learnt |= student_training.networks([(setting, seed) for setting in chosen.values() for seed in further], taught, advance)
        networks = {arm: [learnt[setting, seed][0] for seed in plan.seeds] for arm, setting in chosen.items()}
    students = {arm: tuple(TorchStudent(network, classes=range(CLASSES)) for network in of_arm) for arm, of_arm in networks.items()}
    models = {"teacher": (TorchStudent(teacher, classes=range(CLASSES)),), **students}
    return _measure(subject, plan, split, size, models=models, chosen=chosen, taught=taught, told=told, stages=stages)


def _best(errors: Mapping[Setting, NDArray[np.float64]]) -> Setting:
    return list(errors)[best_setting(np.stack(list(errors.values()), axis=1))]


def _measure(
    subject: Subject,
    plan: Plan,
    split: Split,
    size: Size,
    *,
    models: Mapping[str, tuple[Any, ...]],
    chosen: Mapping[str, Setting],
    taught: SoftLabels,
    told: SoftLabels,
    stages: Stages,
) -> Outcome:
    labels = split.images.test_labels
    with stages.stage("evaluation"):
        predictions = {name: np.stack([model.predict(split.test_inputs) for model in models[name]]) for name in chosen}
        predictions["teacher"] = told.logits.argmax(axis=1)[None]
        meanings = {"teacher": "a convolutional network of ten times the weights, on the labels", **MEANINGS}
        arms = tuple(
            Measured(
                name=name,
                meaning=meaning,
                seeds=plan.seeds[: len(models[name])],
                predictions=predictions[name],
                parameters=tuple(parameter_count(model.network) for model in models[name]),
                chosen=chosen[name].chosen if name in chosen else {},
            )
            for name, meaning in meanings.items()
        )
        as_learnt = _as_learnt({name: models[name] for name in chosen}, split) if subject.dense else ()
        figures = pictures(split, taught.logits[: size.rows], {name: predictions[name] for name in meanings})
    return Outcome(
        arms=arms,
        models=models,
        test=ClassificationTest(labels, predictions["teacher"][0]),
        pairs=(
            ("student-soft", "student-hard", "Does the small network gain from the teacher's probabilities, against tuned hard labels?"),
            ("student-soft", "teacher", "How much of the teacher's accuracy is left behind?"),
        ),
        protocol=(*_protocol(subject, plan, split, size), *as_learnt),
        data=described(split),
        figures=figures,
    )


def _as_learnt(students: Mapping[str, tuple[TorchStudent, ...]], split: Split) -> tuple[str, ...]:
    """What the weights of students that answer at every pixel would make as the teacher answers."""
    made = {}
    for name, of_arm in students.items():
        asked = [TorchStudent(answering_as(student.network, dense=False), classes=range(CLASSES)) for student in of_arm]
        made[name] = np.mean([(student.predict(split.test_inputs) != split.images.test_labels).sum() for student in asked])
    told = " and ".join(f"{errors:.0f} ({name})" for name, errors in made.items())
    return (
        f"Asked at every other pixel, as they learnt and as the teacher answers, the same weights make {told} test errors, as the mean "
        "of their seeds.",
    )


def _protocol(subject: Subject, plan: Plan, split: Split, size: Size) -> tuple[str, ...]:
    answering = "answer at every one, with the same weights; the teacher answers as it learnt" if subject.dense else "answer as they learnt"
    return (
        f"The first {split.train_rows} training rows train, the last {size.held_out} of the 60 000 validate, the test rows choose nothing.",
        f"{size.views} views of every row: as it is, and {_changes(subject.augment)}; an epoch shows one, the same to teacher and "
        "students.",
        f"Teacher: {size.teacher_epochs} epochs on the labels (Adam, one-cycle peak {size.teacher_rate:g}, batches of "
        f"{size.teacher_batch}); asked once about every view.",
        f"Students: {parameter_count(student_network())} weights, at most {BUDGET}; {size.student_epochs} epochs (Adam, one-cycle peak "
        f"{size.student_rate:g}, batches of {size.student_batch}). Within a seed both arms share initial weights, views and batches.",
        f"Students learn at every other pixel and {answering}.",
        f"Both arms have two candidates: temperatures {', '.join(f'{t:g}' for t in TEMPERATURES)} for soft labels, label smoothing "
        f"{', '.join(f'{s:g}' for s in SMOOTHINGS)} for hard ones. Validation chooses, on seed {plan.seeds[0]}, one candidate an arm; "
        "every network is that of its last epoch.",
        "Differences are paired by seed and test row; intervals allow for both (crossed random effects). "
        "They hold for this one teacher: another might teach better or worse.",
    )


def _changes(augment: Affine) -> str:
    """What makes a view another picture, in words."""
    bounds = {
        "turned by at most {:g} degrees": augment.degrees,
        "zoomed by at most {:.0%}": augment.zoom,
        "sheared by at most {:g}": augment.shear,
        "shifted by at most {:g} pixels": augment.shift,
    }
    changes = ["mirrored by chance"] * augment.mirrored + [told.format(bound) for told, bound in bounds.items() if bound]
    return ", ".join(changes)


def recipe_of(subject: Subject) -> Recipe:
    """A whole run about these pictures."""
    return Recipe(
        name=subject.name,
        title=subject.title,
        summary=subject.summary,
        seeds=5,
        quick_seeds=2,
        student="student-soft",
        headline="test_accuracy",
        run=partial(run, subject),
        check_rows=lambda seed, data: pixels(subject.load(data).test_images),
        takes_data=subject.takes_data,
    )


DIGITS = Subject(
    name="tiny",
    title="Eight thousand weights on handwritten digits",
    summary="The budget of the origin's student, spent on convolutions and augmented views, with and without a teacher.",
    load=lambda data: load_mnist(),
    augment=Affine(degrees=10, zoom=0.1, shear=0.15, shift=2, shape=(28, 28)),
)
RECIPE = recipe_of(DIGITS)
