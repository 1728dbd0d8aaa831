"""tiny, tiny-fashion: how few errors a student of eight thousand weights can make.

The budget is that of the student in the original demo, tsitsimis/neural-network-distillation on GitHub
(https://github.com/tsitsimis/neural-network-distillation), whose teacher has 27 million weights. A small convolutional
network is trained on the answers of a larger one to augmented pictures, and for comparison the same network on the true
classes, with the same views, steps and number of candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tutelage.core.running.stages import Advance, Stages
from tutelage.data.datasets import Images, load_mnist
from tutelage.data.views import Affine, Views
from tutelage.experiments.cache import Store
from tutelage.experiments.demo import ORIGINAL_DEMO
from tutelage.experiments.demo.mnist_setting import CLASSES, SIDES, Split, described, pictures, pixels
from tutelage.experiments.in_processes import in_processes
from tutelage.experiments.recipe import Outcome, Plan, Recipe
from tutelage.experiments.scorecard import ClassificationTest, Measured
from tutelage.experiments.teaching import cached_labels, cached_network, cached_view_labels
from tutelage.experiments.tiny.networks import answering_as, student_network, teacher_network
from tutelage.losses.class_terms import hard_cross_entropy, soft_cross_entropy
from tutelage.losses.objective import Objective
from tutelage.search.choice import best_setting
from tutelage.softlabels.labels import SoftLabels
from tutelage.training.feeding.feeds import step_count
from tutelage.training.settings import one_cycle
from tutelage.training.stacks.networks import parameter_count
from tutelage.training.student import TorchStudent
from tutelage.training.validation import Validation

BUDGET = 8070
"""Maximum number of weights: that of the original demo's student, 784-10-10-10."""
SMOOTHINGS, TEMPERATURES = (0.0, 0.1), (2.0, 4.0)


@dataclass(frozen=True)
class Size:
    """The size of a run: training, validation and test rows, views, and the epochs, batch size and peak learning rate of teacher
    and students.

    Attributes:
        parallel: train networks in separate processes, one per processor; slower for a few quick ones.
    """

    rows: int = 55_000
    held_out: int = 5000
    test_rows: int = 10_000
    views: int = 12
    teacher_epochs: int = 10
    student_epochs: int = 18
    teacher_batch: int = 128
    student_batch: int = 128
    teacher_rate: float = 4e-3
    student_rate: float = 1e-2
    parallel: bool = True


QUICK = Size(
    rows=1000,
    held_out=500,
    test_rows=1000,
    views=2,
    teacher_epochs=4,
    student_epochs=4,
    teacher_batch=32,
    student_batch=32,
    parallel=False,
)


@dataclass(frozen=True)
class Subject:
    """A data set and its settings.

    Attributes:
        name, title, summary: those of the recipe.
        load: loads the pictures, from the user's folder if one is given.
        augment: how a view may differ from its picture.
        full: the size of a full run.
        dense: whether students answer in the dense form (see `student_network`), chosen on validation rows.
        takes_data: whether the user may name a folder of data.
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
    """The training setting of one network: a candidate of an arm, or the teacher."""

    arm: str
    value: float = 0.0

    @property
    def chosen(self) -> dict[str, float]:
        """The name and value of the setting that validation chooses."""
        return {"temperature" if self.arm == "student-soft" else "label smoothing": self.value}

    @property
    def objective(self) -> Objective:
        """The objective of the student."""
        if self.arm == "student-soft":
            return soft_cross_entropy(temperature=self.value)
        return hard_cross_entropy(smoothing=self.value)


TEACHER = Setting("teacher")
SETTINGS = (
    *(Setting("student-hard", amount) for amount in SMOOTHINGS),
    *(Setting("student-soft", temperature) for temperature in TEMPERATURES),
)
MEANINGS = {
    "student-hard": "the small network trained on the true classes, label smoothing chosen on validation",
    "student-soft": "the small network trained on the teacher's probabilities, temperature chosen on validation",
}


def _unchanged(trained: nn.Module) -> nn.Module:
    return trained


Trained = tuple[nn.Module, NDArray[np.float64]]
"""A network in the form in which it answers, and its number of validation errors."""


@dataclass(frozen=True)
class _StudentTraining:
    """What all trainings have in common.

    Attributes:
        views: views of the training rows.
        truth: (rows,) their true classes.
        held_out: the validation rows.
        size: the size of the run.
        dense: whether students answer in the dense form.
        store: the cache of networks.
        views_from: JSON values that determine the data and the views, for the cache key.
    """

    views: Views
    truth: NDArray[np.int64]
    held_out: Validation
    size: Size
    dense: bool
    store: Store
    views_from: Mapping[str, Any]

    def made_from(self, setting: Setting, seed: int, labels: SoftLabels | None = None) -> dict[str, Any]:
        """The values that determine a network: its layers, data and training."""
        size = self.size
        if setting == TEACHER:
            training = {"epochs": size.teacher_epochs, "batch_size": size.teacher_batch, "rate": size.teacher_rate, "seed": seed}
            return {"what": "tiny teacher", "network": str(teacher_network()), **self.views_from, **training}
        return {
            "what": "tiny student",
            "network": str(student_network()),
            "answering": str(student_network(dense=self.dense)),
            **self.views_from,
            "labels": "truth" if labels is None else labels.fingerprint,
            "objective": setting.objective.described(),
            "epochs": size.student_epochs,
            "batch_size": size.student_batch,
            "rate": size.student_rate,
            "seed": seed,
        }

    def network(self, setting: Setting, seed: int, soft_labels: SoftLabels | None, advance: Advance) -> Trained:
        """One network, trained only if it is not in the cache.

        The weights of the last epoch are used, when the learning rate has fallen to zero; a choice of the epoch on five
        thousand validation rows would be mostly chance.
        """
        labels = soft_labels if setting.arm == "student-soft" else None
        made_from = self.made_from(setting, seed, labels)
        build = teacher_network if setting == TEACHER else student_network
        answering = partial(answering_as, dense=True) if self.dense and setting != TEACHER else _unchanged

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
        self, settings: Sequence[tuple[Setting, int]], soft_labels: SoftLabels | None, advance: Advance
    ) -> dict[tuple[Setting, int], Trained]:
        """Networks of these settings and seeds, one per processor at a time; a step is too small to be split among processors."""

        def done(each: tuple[Setting, int]) -> None:
            for _ in range(self.steps(each[0])):
                advance()

        if not self.size.parallel or len(settings) == 1:
            return {each: self.network(*each, soft_labels, advance) for each in settings}
        found = in_processes(partial(self._silently, soft_labels=soft_labels), settings, done=done)
        return dict(zip(settings, found, strict=True))

    def steps(self, *settings: Setting) -> int:
        """Number of steps to train networks of these settings."""
        size = self.size
        plans = [
            (size.teacher_batch, size.teacher_epochs) if each == TEACHER else (size.student_batch, size.student_epochs) for each in settings
        ]
        return sum(step_count(len(self.truth), batch_size=batch, epochs=epochs) for batch, epochs in plans)

    def _silently(self, each: tuple[Setting, int], soft_labels: SoftLabels | None) -> Trained:
        """Train one network in another process, without progress of its steps."""
        return self.network(*each, soft_labels, lambda: None)


def run(subject: Subject, plan: Plan, store: Store, stages: Stages) -> Outcome:
    """Train one teacher, record its answers to every view, and train all candidates on the first seed and the chosen ones on all seeds."""
    size = QUICK if plan.quick else subject.full
    with stages.stage("data"):
        images = subject.load(plan.data)
        images = replace(images, test_images=images.test_images[: size.test_rows], test_labels=images.test_labels[: size.test_rows])
        split = Split(images, train_rows=size.rows, epochs=size.student_epochs, held_out=size.held_out)
        views = Views(split.inputs, subject.augment, count=size.views, plain_first=True)
        views_from = {"data": split.fingerprint, "views": views.determined_by()}
        student_training = _StudentTraining(views, split.labels, split.validation, size, subject.dense, store, views_from)
    first, *further = plan.seeds
    without_teacher = [TEACHER, *(setting for setting in SETTINGS if setting.arm == "student-hard")]
    with stages.stage("teacher, and students on labels", student_training.steps(*without_teacher)) as advance:
        trained = student_training.networks([(setting, first) for setting in without_teacher], None, advance)
    with stages.stage("answers"):
        teacher, teacher_from = trained[TEACHER, first][0], student_training.made_from(TEACHER, first)
        view_labels = cached_view_labels(store, teacher, teacher_from, views, tuple(range(CLASSES)))
        test_labels = cached_labels(store, teacher, teacher_from, split.test_inputs, tuple(range(CLASSES)))
    candidates = [setting for setting in SETTINGS if setting not in without_teacher]
    with stages.stage("students", student_training.steps(candidates[0]) * (len(candidates) + len(MEANINGS) * len(further))) as advance:
        trained |= student_training.networks([(setting, first) for setting in candidates], view_labels, advance)
        chosen = {arm: _best({setting: trained[setting, first][1] for setting in SETTINGS if setting.arm == arm}) for arm in MEANINGS}
        trained |= student_training.networks([(setting, seed) for setting in chosen.values() for seed in further], view_labels, advance)
        networks = {arm: [trained[setting, seed][0] for seed in plan.seeds] for arm, setting in chosen.items()}
    students = {arm: tuple(TorchStudent(network, classes=range(CLASSES)) for network in of_arm) for arm, of_arm in networks.items()}
    models = {"teacher": (TorchStudent(teacher, classes=range(CLASSES)),), **students}
    return _measure(
        subject, plan, split, size, models=models, chosen=chosen, view_labels=view_labels, test_labels=test_labels, stages=stages
    )


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
    view_labels: SoftLabels,
    test_labels: SoftLabels,
    stages: Stages,
) -> Outcome:
    labels = split.images.test_labels
    with stages.stage("evaluation"):
        predictions = {name: np.stack([model.predict(split.test_inputs) for model in models[name]]) for name in chosen}
        predictions["teacher"] = test_labels.logits.argmax(axis=1)[None]
        meanings = {"teacher": "a convolutional network with ten times the weights, trained on the true classes", **MEANINGS}
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
        strided = _strided_errors({name: models[name] for name in chosen}, split) if subject.dense else ()
        figures = pictures(split, view_labels.logits[: size.rows], {name: predictions[name] for name in meanings})
    return Outcome(
        arms=arms,
        models=models,
        test=ClassificationTest(labels, predictions["teacher"][0]),
        pairs=(
            (
                "student-soft",
                "student-hard",
                "Is the small network better with the teacher's probabilities than with the true classes and tuned label smoothing?",
            ),
            ("student-soft", "teacher", "How much of the teacher's accuracy does the student lose?"),
        ),
        protocol=(*_protocol(subject, plan, split, size), *strided),
        data=described(split),
        figures=figures,
    )


def _strided_errors(students: Mapping[str, tuple[TorchStudent, ...]], split: Split) -> tuple[str, ...]:
    """A sentence with the test errors of the students in the strided form in which they were trained."""
    mean_errors = {}
    for name, of_arm in students.items():
        strided = [TorchStudent(answering_as(student.network, dense=False), classes=range(CLASSES)) for student in of_arm]
        mean_errors[name] = np.mean([(student.predict(split.test_inputs) != split.images.test_labels).sum() for student in strided])
    counts = " and ".join(f"{errors:.0f} ({name})" for name, errors in mean_errors.items())
    return (
        f"Evaluated at every other pixel, as in training and as the teacher is evaluated, the same weights make {counts} test errors "
        "(mean over seeds).",
    )


def _protocol(subject: Subject, plan: Plan, split: Split, size: Size) -> tuple[str, ...]:
    answering = (
        "evaluated at every pixel with the same weights; the teacher is evaluated as it was trained"
        if subject.dense
        else "evaluated in the same way"
    )
    return (
        f"The first {split.train_rows} training rows are used for training and the last {size.held_out} of the 60 000 for validation. "
        f"The {len(split.images.test_labels)} test rows are not used for any choice.",
        f"There are {size.views} views of every row: the row unchanged, and {_changes(subject.augment)}. Each epoch uses one view, the "
        "same for teacher and students.",
        f"Teacher: {size.teacher_epochs} epochs on the true classes (Adam, one-cycle schedule with peak {size.teacher_rate:g}, batches of "
        f"{size.teacher_batch}); queried once on every view.",
        f"Students: {parameter_count(student_network())} weights, at most {BUDGET}; {size.student_epochs} epochs (Adam, one-cycle schedule "
        f"with peak {size.student_rate:g}, batches of {size.student_batch}). For each seed both arms have the same initial weights, views "
        "and batches.",
        f"Students are trained at every other pixel and {answering}.",
        f"Both arms have two candidates: temperatures {', '.join(f'{t:g}' for t in TEMPERATURES)} for soft labels, label smoothing "
        f"{', '.join(f'{s:g}' for s in SMOOTHINGS)} for true classes. Validation on seed {plan.seeds[0]} chooses one candidate per arm; "
        "every network has the weights of its last epoch.",
        "Differences are paired by seed and test row, and the intervals cover both (crossed random effects). "
        "They hold for this one teacher; results with another teacher may be better or worse.",
    )


def _changes(augment: Affine) -> str:
    """The augmentation of the views, in words."""
    bounds = {
        "rotated by at most {:g} degrees": augment.degrees,
        "zoomed by at most {:.0%}": augment.zoom,
        "sheared by at most {:g}": augment.shear,
        "shifted by at most {:g} pixels": augment.shift,
    }
    changes = ["mirrored at random"] * augment.mirrored + [text.format(bound) for text, bound in bounds.items() if bound]
    return ", ".join(changes)


def recipe_of(subject: Subject) -> Recipe:
    """The recipe for these pictures."""
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
        quick_check_rows=500,
        takes_data=subject.takes_data,
        picture=SIDES,
    )


DIGITS = Subject(
    name="tiny",
    title="Eight thousand weights on handwritten digits",
    summary="A convolutional student with augmented views, with and without a teacher, and with at most as many weights as the student of "
    f"the original demo, {ORIGINAL_DEMO}.",
    load=lambda data: load_mnist(),
    augment=Affine(degrees=10, zoom=0.1, shear=0.15, shift=2, shape=(28, 28)),
)
RECIPE = recipe_of(DIGITS)
