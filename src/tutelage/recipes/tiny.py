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

from tutelage.core.stages import Advance, Stages
from tutelage.data.datasets import Images, load_mnist
from tutelage.data.views import Affine, Views
from tutelage.evaluation.scorecard import ClassificationTest, Measured
from tutelage.objectives.objective import Objective
from tutelage.objectives.terms import hard_cross_entropy, soft_cross_entropy
from tutelage.recipes.cache import Store
from tutelage.recipes.mnist_setting import CLASSES, Split, described, pictures, pixels
from tutelage.recipes.recipe import Outcome, Plan, Recipe
from tutelage.recipes.teaching import kept_labels, kept_network, kept_view_labels
from tutelage.search.choice import best_setting
from tutelage.softlabels.labels import SoftLabels
from tutelage.students.loop import steps_of
from tutelage.students.networks import parameters_of
from tutelage.students.torch_student import TorchStudent
from tutelage.students.torch_training import one_cycle
from tutelage.students.validation import Validation

BUDGET = 8070
"""Weights at most: those of the origin's student, 784-10-10-10."""
SMOOTHINGS, TEMPERATURES = (0.0, 0.1), (2.0, 4.0)


@dataclass(frozen=True)
class Size:
    """How much is done: rows that train and that choose, views, and the epochs, batch size and peak learning rate of teacher
    and students.

    Attributes:
        apart: students learn in processes of their own, one a processor; for few and quick ones that would take longer.
    """

    rows: int = 55_000
    held_out: int = 5000
    views: int = 12
    teacher_epochs: int = 12
    student_epochs: int = 14
    teacher_batch: int = 256
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
        takes_data: whether the user may name a folder of them.
    """

    name: str
    title: str
    summary: str
    load: Callable[[Path | None], Images]
    augment: Affine
    full: Size = Size()
    takes_data: bool = False


@dataclass(frozen=True)
class Setting:
    """One candidate of one arm."""

    arm: str
    value: float

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


SETTINGS = (
    *(Setting("student-hard", amount) for amount in SMOOTHINGS),
    *(Setting("student-soft", temperature) for temperature in TEMPERATURES),
)
MEANINGS = {
    "student-hard": "the same network on the labels, label smoothing chosen on validation",
    "student-soft": "the network on the teacher's probabilities, temperature chosen on validation",
}


def _block(
    inputs: int, outputs: int, size: int = 3, stride: int = 1, *, dilation: int = 1, groups: int = 1, active: bool = True
) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2 * dilation, dilation=dilation, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), *([nn.ReLU(inplace=True)] if active else [])]


def _separable(inputs: int, outputs: int, dilation: int = 1) -> list[nn.Module]:
    """3 x 3 within each channel, then 1 x 1 across them: of 32 channels a seventh of the weights of a full 3 x 3."""
    return [*_block(inputs, inputs, dilation=dilation, groups=inputs, active=False), *_block(inputs, outputs, 1)]


def _network(before: list[nn.Module], pool: nn.Module, after: list[nn.Module], width: int) -> nn.Sequential:
    """(batch, 784) -> (batch, 10)."""
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, CLASSES)]
    layers = [nn.Unflatten(1, (1, 28, 28)), *before, pool, *after, *head]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def student_network(*, dense: bool = False) -> nn.Sequential:
    """7 834 weights: a convolution of 5 x 5 at every other pixel, then five separable ones, at 14 x 14 and 7 x 7 positions.

    Args:
        dense: at every pixel instead, with the same weights on values as far apart as before. The mean over positions is then
            over all 16 places that the coarse grid could have had on the picture, but for the border. It takes nine times the
            products: too slow to train, it answers better.
    """
    stride, early, late = (1, 2, 4) if dense else (2, 1, 1)
    pool = nn.MaxPool2d(2, 1, padding=1, dilation=2) if dense else nn.MaxPool2d(2)
    after = [layer for _ in range(4) for layer in _separable(32, 32, late)]
    return _network([*_block(1, 24, 5, stride), *_separable(24, 32, early)], pool, after, 32)


def as_it_answers(trained: nn.Module) -> nn.Sequential:
    """A trained student's weights in the dense network."""
    answering = student_network(dense=True)
    answering.load_state_dict(trained.state_dict())
    return answering


def teacher_network() -> nn.Sequential:
    """80 202 weights: four convolutions, the first of 5 x 5 at every other pixel."""
    return _network([*_block(1, 32, 5, 2), *_block(32, 48)], nn.MaxPool2d(2), [*_block(48, 64), *_block(64, 64)], 64)


@dataclass(frozen=True)
class _Lessons:
    """What every training has in common.

    Attributes:
        views: of the rows that train.
        truth: their labels.
        held_out: the rows that choose.
        size: how much is done.
        store: where networks are kept.
        told: what the views are, for the store.
    """

    views: Views
    truth: NDArray[np.int64]
    held_out: Validation
    size: Size
    store: Store
    told: Mapping[str, Any]

    def teacher(self, seed: int, advance: Advance) -> tuple[nn.Module, Mapping[str, Any]]:
        """The network that will teach, and what it was made from."""
        size = self.size
        made_from = {"what": "tiny teacher", "network": str(teacher_network()), **self.told}
        made_from |= {"epochs": size.teacher_epochs, "batch_size": size.teacher_batch, "rate": size.teacher_rate, "seed": seed}
        return self._learnt(made_from, teacher_network, hard_cross_entropy(), None, advance=advance)[0], made_from

    def student(self, setting: Setting, seed: int, taught: SoftLabels, advance: Advance) -> tuple[nn.Module, NDArray[np.float64]]:
        """A student as it answers, and its number of validation errors."""
        soft, size = setting.arm == "student-soft", self.size
        made_from = {
            "what": "tiny student",
            "network": str(student_network()),
            "answering": str(student_network(dense=True)),
            **self.told,
            "labels": taught.fingerprint if soft else "truth",
            "objective": setting.objective.described(),
            "epochs": size.student_epochs,
            "batch_size": size.student_batch,
            "rate": size.student_rate,
            "seed": seed,
        }
        labels = taught if soft else None
        return self._learnt(made_from, student_network, setting.objective, labels, as_it_answers, threads=1, advance=advance)

    def students(
        self, asked: Sequence[tuple[Setting, int]], taught: SoftLabels, advance: Advance
    ) -> list[tuple[nn.Module, NDArray[np.float64]]]:
        """Students of these settings and seeds, as many at once as there are processors: a step is too small to be shared among them."""
        steps = steps_of(len(self.truth), batch_size=self.size.student_batch, epochs=self.size.student_epochs)
        workers = min(cpu_count(only_physical_cores=False), len(asked)) if self.size.apart else 1
        if workers <= 1:
            return [self.student(setting, seed, taught, advance) for setting, seed in asked]
        done = []
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "A worker stopped")  # joblib replaces one that keeps memory, as ours do for their next step
            for student in Parallel(workers, return_as="generator")(delayed(self.student)(*each, taught, _silent) for each in asked):
                done.append(student)
                for _ in range(steps):
                    advance()
        return done

    def _learnt(
        self,
        made_from: Mapping[str, Any],
        build: Callable[[], nn.Module],
        objective: Objective,
        labels: SoftLabels | None,
        answering: Callable[[nn.Module], nn.Module] = lambda trained: trained,
        **how: Any,
    ) -> tuple[nn.Module, NDArray[np.float64]]:
        """A network as it answers, trained now only if it is not kept already, and its number of validation errors.

        The last epoch is kept, when the learning rate has come down to nothing: five thousand rows would choose an epoch by luck.
        """

        def train(fresh: nn.Module) -> Mapping[str, NDArray[Any]]:
            learner = TorchStudent(fresh, objective, classes=range(CLASSES))
            learner.fit(
                self.views,
                labels,
                self.truth,
                epochs=made_from["epochs"],
                batch_size=made_from["batch_size"],
                seed=made_from["seed"],
                optimizer=partial(torch.optim.Adam, lr=made_from["rate"], fused=True),
                schedule=one_cycle,
                **how,
            )
            return {"errors": self.held_out.score(answering(fresh)).numpy()}

        trained, report = kept_network(self.store, made_from, build, train)
        return answering(trained), report["errors"]


def _silent() -> None:
    """Steps of another process are not shown one by one."""


def run(subject: Subject, plan: Plan, store: Store, stages: Stages) -> Outcome:
    """One teacher, its answers to every view, every candidate on the first seed, and the chosen ones on all of them."""
    size = QUICK if plan.quick else subject.full
    with stages.stage("data"):
        split = Split(subject.load(plan.data), train_rows=size.rows, epochs=size.student_epochs, held_out=size.held_out)
        views = Views(split.inputs, subject.augment, count=size.views, plain_first=True)
        told_of = {"data": split.fingerprint, "views": views.settled_by()}
        lessons = _Lessons(views, split.labels, split.validation, size, store, told_of)
    with stages.stage("teacher", steps_of(size.rows, batch_size=size.teacher_batch, epochs=size.teacher_epochs)) as advance:
        teacher, teacher_from = lessons.teacher(plan.seeds[0], advance)
    with stages.stage("answers"):
        taught = kept_view_labels(store, teacher, teacher_from, views, tuple(range(CLASSES)))
        told = kept_labels(store, teacher, teacher_from, split.test_inputs, tuple(range(CLASSES)))
    trainings = len(SETTINGS) + len(MEANINGS) * (len(plan.seeds) - 1)
    with stages.stage("students", steps_of(size.rows, batch_size=size.student_batch, epochs=size.student_epochs) * trainings) as advance:
        first, *further = plan.seeds
        tried = [(setting, first) for setting in SETTINGS]
        learnt = dict(zip(tried, lessons.students(tried, taught, advance), strict=True))
        chosen = {arm: _best({setting: learnt[setting, first][1] for setting in SETTINGS if setting.arm == arm}) for arm in MEANINGS}
        asked = [(setting, seed) for setting in chosen.values() for seed in further]
        learnt |= zip(asked, lessons.students(asked, taught, advance), strict=True)
        networks = {arm: [learnt[setting, seed][0] for seed in plan.seeds] for arm, setting in chosen.items()}
    students = {arm: tuple(TorchStudent(network, classes=range(CLASSES)) for network in of_arm) for arm, of_arm in networks.items()}
    models = {"teacher": (TorchStudent(teacher, classes=range(CLASSES)),), **students}
    return _measure(plan, split, size, subject.augment, models=models, chosen=chosen, taught=taught, told=told, stages=stages)


def _best(errors: Mapping[Setting, NDArray[np.float64]]) -> Setting:
    return list(errors)[best_setting(np.stack(list(errors.values()), axis=1))]


def _measure(
    plan: Plan,
    split: Split,
    size: Size,
    augment: Affine,
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
                parameters=tuple(parameters_of(model.network) for model in models[name]),
                chosen=chosen[name].chosen if name in chosen else {},
            )
            for name, meaning in meanings.items()
        )
        figures = pictures(split, taught.logits[: size.rows], {name: predictions[name] for name in meanings})
    return Outcome(
        arms=arms,
        models=models,
        test=ClassificationTest(labels, predictions["teacher"][0]),
        pairs=(
            ("student-soft", "student-hard", "Does the small network gain from the teacher's probabilities, against tuned hard labels?"),
            ("student-soft", "teacher", "How much of the teacher's accuracy is left behind?"),
        ),
        protocol=_protocol(plan, split, size, augment),
        data=described(split),
        figures=figures,
    )


def _protocol(plan: Plan, split: Split, size: Size, augment: Affine) -> tuple[str, ...]:
    return (
        f"The first {split.train_rows} training rows train, the last {size.held_out} of the 60 000 validate, the test rows choose nothing.",
        f"{size.views} views of every row: as it is, and {'mirrored by chance, ' if augment.mirrored else ''}turned, zoomed, sheared and "
        f"shifted within {augment.degrees:g} degrees, {augment.zoom:.0%}, {augment.shear:g} and {augment.shift:g} pixels; an epoch shows "
        "one, the same to teacher and students.",
        f"Teacher: {size.teacher_epochs} epochs on the labels (Adam, one-cycle peak {size.teacher_rate:g}, batches of "
        f"{size.teacher_batch}); asked once about every view.",
        f"Students: {parameters_of(student_network())} weights, at most {BUDGET}; {size.student_epochs} epochs (Adam, one-cycle peak "
        f"{size.student_rate:g}, batches of {size.student_batch}). Within a seed both arms share initial weights, views and batches.",
        "Students learn at every other pixel and answer at every one, with the same weights; the teacher answers as it learnt.",
        f"Both arms have two candidates: temperatures {', '.join(f'{t:g}' for t in TEMPERATURES)} for soft labels, label smoothing "
        f"{', '.join(f'{s:g}' for s in SMOOTHINGS)} for hard ones. Validation chooses, on seed {plan.seeds[0]}, one candidate an arm; "
        "every network is that of its last epoch.",
        "Differences are paired by seed and test row; intervals allow for both (crossed random effects). "
        "They hold for this one teacher: another might teach better or worse.",
    )


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
