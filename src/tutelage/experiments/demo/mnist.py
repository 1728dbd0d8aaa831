"""mnist: the second experiment of the original demo with its mistakes corrected, and optionally as published.

Source: the notebook "Neural network distillation" of tsitsimis/neural-network-distillation on GitHub,
https://github.com/tsitsimis/neural-network-distillation, after Hinton, Vinyals, Dean 2015, arXiv 1503.02531.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tutelage.core import torch_runtime
from tutelage.core.arrays import Floats, one_hot
from tutelage.core.stages import Advance, Stages
from tutelage.data.datasets import load_mnist
from tutelage.experiments.cache import Store, key_of
from tutelage.experiments.demo import ORIGINAL_DEMO
from tutelage.experiments.demo.as_published import add_published
from tutelage.experiments.demo.hard_example_passes import Passes, train_hard_examples
from tutelage.experiments.demo.mnist_setting import (
    CLASSES,
    CONVOLUTION,
    TRAIN_ROWS,
    Split,
    described,
    glorot_weights,
    measured_network,
    pictures,
    pixels,
    teacher_network,
)
from tutelage.experiments.recipe import Outcome, Plan, Recipe
from tutelage.experiments.scorecard import ClassificationTest
from tutelage.experiments.teaching import cached_labels, cached_network
from tutelage.losses.functional.classification import soft_cross_entropy
from tutelage.losses.targets import harden, smooth, soften
from tutelage.search.choice import best_setting
from tutelage.softlabels.labels import SoftLabels
from tutelage.training.feeding.feeds import step_count
from tutelage.training.loop import fit
from tutelage.training.settings import one_cycle
from tutelage.training.stacks.networks import mlp
from tutelage.training.stacks.stack import Stack
from tutelage.training.student import TorchStudent

SIZES = {"": (784, 10, 10, 10), "-784-10-10": (784, 10, 10)}
"""Student sizes by the suffix of their arms: two hidden layers of 10, as the original demo's text says, and one, as its code has."""
SMOOTHINGS = (0.0, 0.05, 0.1, 0.2)
TEMPERATURES = (1.0, 2.0, 4.0, 8.0)
QUICK_ROWS = 4000
TUNING_SEEDS = 2
"""All candidates are trained on this many seeds; on the other seeds only those that validation chose."""
STUDENT_BATCH, STUDENT_RATE = 256, 1e-2
"""The peak learning rate of the students' one-cycle schedule was the best of 0.001, 0.003 and 0.01 on validation for hard labels."""


FULL, QUICK = Passes(), Passes(further=2, batch_size=128)
"""How the teacher is trained, from Glorot initial weights; with torch's default ones the first pass ends at 5 % validation errors."""


@dataclass(frozen=True)
class Setting:
    """One candidate of one arm: its label smoothing, and the temperature of student and teacher."""

    arm: str
    smoothing: float = 0.0
    temperature: float = 1.0

    @property
    def chosen(self) -> dict[str, float]:
        """The name and value of the setting that validation chooses."""
        return {"temperature": self.temperature} if self.arm == "student-soft" else {"label smoothing": self.smoothing}


# Four candidates for every arm, trained for the same number of steps: the hard-label arms are tuned as carefully as the soft one.
SETTINGS = (
    *(Setting("student-hard", smoothing=amount) for amount in SMOOTHINGS),
    *(Setting("student-soft", temperature=temperature) for temperature in TEMPERATURES),
    *(Setting("student-argmax", smoothing=amount) for amount in SMOOTHINGS),
)
MEANINGS = {
    "student-hard": "the student on the true classes, label smoothing chosen on validation",
    "student-soft": "the student on the teacher's probabilities, temperature chosen on validation",
    "student-argmax": "control: the student on the teacher's decisions only, label smoothing chosen on validation",
}


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


def targets_of(setting: Setting, truth: NDArray[np.int64], labels: SoftLabels) -> Floats:
    """(rows, classes) targets of a candidate.

    Args:
        setting: the candidate.
        truth: (rows,) true classes.
        labels: the teacher's answers to the same rows.
    """
    if setting.arm == "student-soft":
        return soften(labels.logits, setting.temperature)
    hard = one_hot(truth, CLASSES) if setting.arm == "student-hard" else harden(labels.probabilities)
    return smooth(hard, setting.smoothing)


@dataclass(frozen=True)
class StudentTraining:
    """What all trainings of students of one size have in common.

    Attributes:
        sizes: the sizes of the layers.
        split: the rows.
        labels: the teacher's answers to the training rows.
        teacher_key: the cache key of the teacher.
        store: the cache of trained stacks.
        advance: called after each step.
    """

    sizes: tuple[int, ...]
    split: Split
    labels: SoftLabels
    teacher_key: str
    store: Store
    advance: Advance

    def learnt(self, settings: tuple[Setting, ...], seed: int) -> tuple[Stack, NDArray[np.float64]]:
        """One student per setting as a stack with the same initial weights and batches, and (settings,) lowest validation errors."""
        made_from = {
            "what": "mnist students",
            "data": self.split.fingerprint,
            "labels": self.teacher_key,
            "sizes": self.sizes,
            "settings": [[setting.arm, setting.smoothing, setting.temperature] for setting in settings],
            "epochs": self.split.epochs,
            "batch_size": STUDENT_BATCH,
            "peak_rate": STUDENT_RATE,
            "seed": seed,
        }
        stack, report = cached_network(
            self.store, made_from, lambda: Stack([mlp(self.sizes)] * len(settings), wide=True), lambda stack: self._trained(stack, settings)
        )
        return stack, report["errors"]

    def _trained(self, stack: nn.Module, settings: tuple[Setting, ...]) -> Mapping[str, NDArray[Any]]:
        # (rows, candidates, classes), so that one index operation per step fetches the targets of all candidates.
        targets = np.stack([targets_of(setting, self.split.labels, self.labels) for setting in settings], axis=1).astype(np.float32)
        inputs = torch.from_numpy(self.split.inputs)
        temperature = torch.tensor([setting.temperature for setting in settings])[:, None, None]
        optimizer = torch.optim.Adam(stack.parameters(), lr=STUDENT_RATE, fused=True)
        report = fit(
            stack,
            lambda logits, target_probs: soft_cross_entropy(logits, target_probs.transpose(0, 1), temperature=temperature),
            inputs=inputs,
            targets=torch.from_numpy(targets),
            epochs=self.split.epochs,
            batch_size=STUDENT_BATCH,
            validation=self.split.validation,
            advance=self.advance,
            optimizer=optimizer,
            schedule=one_cycle(optimizer, step_count(len(inputs), batch_size=STUDENT_BATCH, epochs=self.split.epochs)),
        )
        return {"errors": report.scores.min(axis=0)}

    def chosen(self, seeds: tuple[int, ...]) -> dict[str, tuple[Setting, tuple[TorchStudent, ...]]]:
        """For each arm, the candidate with the fewest validation errors on the first seeds, and its students of all seeds."""
        tried = [self.learnt(SETTINGS, seed) for seed in seeds[:TUNING_SEEDS]]
        errors = np.stack([found for _, found in tried])
        best = {}
        for arm in MEANINGS:
            candidates = [index for index, setting in enumerate(SETTINGS) if setting.arm == arm]
            best[arm] = candidates[best_setting(errors[:, candidates])]
        settings = tuple(SETTINGS[index] for index in best.values())
        further = [self.learnt(settings, seed)[0] for seed in seeds[TUNING_SEEDS:]]
        return {
            arm: (SETTINGS[index], (*(_student(stack, index) for stack, _ in tried), *(_student(stack, place) for stack in further)))
            for place, (arm, index) in enumerate(best.items())
        }


def _student(stack: Stack, index: int) -> TorchStudent:
    return TorchStudent(stack.copy(index), classes=range(CLASSES))


def run(plan: Plan, store: Store, stages: Stages) -> Outcome:
    """Train one teacher, record its answers, and train students of two sizes: all candidates on two seeds, the chosen ones on all."""
    with stages.stage("data"):
        split = Split(load_mnist(), train_rows=QUICK_ROWS if plan.quick else TRAIN_ROWS, epochs=10 if plan.quick else 20)
    teacher, made_from = _teacher(split, store, stages, seed=plan.seeds[0], passes=QUICK if plan.quick else FULL)
    with stages.stage("answers"):
        labels = cached_labels(store, teacher, made_from, split.inputs, tuple(range(CLASSES)))
        test_labels = cached_labels(store, teacher, made_from, split.test_inputs, tuple(range(CLASSES)))
    steps = step_count(len(split.inputs), batch_size=STUDENT_BATCH, epochs=split.epochs)
    models: dict[str, tuple[Any, ...]] = {"teacher": (TorchStudent(teacher, classes=range(CLASSES)),)}
    chosen: dict[str, Setting] = {}
    with stages.stage("students", steps * len(SIZES) * len(plan.seeds)) as advance:
        for suffix, sizes in SIZES.items():
            student_training = StudentTraining(sizes, split, labels, key_of(made_from), store, advance)
            for arm, (setting, students) in student_training.chosen(plan.seeds).items():
                models[arm + suffix], chosen[arm + suffix] = students, setting
    outcome = _measure(plan, split, models=models, chosen=chosen, labels=labels, test_labels=test_labels, stages=stages)
    if plan.as_published:
        return add_published(outcome, plan, store=store, stages=stages, split=split, right_labels=labels)
    return outcome


def _measure(
    plan: Plan,
    split: Split,
    *,
    models: Mapping[str, tuple[Any, ...]],
    chosen: Mapping[str, Setting],
    labels: SoftLabels,
    test_labels: SoftLabels,
    stages: Stages,
) -> Outcome:
    with stages.stage("evaluation"):
        predictions = {name: np.stack([model.predict(split.test_inputs) for model in models[name]]) for name in chosen}
        predictions["teacher"] = test_labels.logits.argmax(axis=1)[None]
        arms = [measured_network("teacher", "the original demo's network, trained at temperature 1", plan.seeds[:1], predictions, models)]
        for name, setting in chosen.items():
            meaning = MEANINGS[setting.arm] + (" (784-10-10)" if name != setting.arm else " (784-10-10-10)")
            arms.append(measured_network(name, meaning, plan.seeds, predictions, models, chosen=setting.chosen))
        drawn = {name: predictions[name] for name in ("teacher", "student-hard", "student-soft")}
        figures = pictures(split, labels.logits, drawn)
    return Outcome(
        arms=tuple(arms),
        models=models,
        test=ClassificationTest(split.images.test_labels, predictions["teacher"][0]),
        pairs=_pairs(),
        protocol=_protocol(plan, split),
        data=described(split),
        figures=figures,
    )


def _pairs() -> tuple[tuple[str, str, str], ...]:
    questions: tuple[Callable[[str], tuple[str, str, str]], ...] = (
        lambda s: (
            f"student-soft{s}",
            f"student-hard{s}",
            "Is the student better with the teacher's probabilities than with the true classes and tuned label smoothing?",
        ),
        lambda s: (
            f"student-soft{s}",
            f"student-argmax{s}",
            "Is the student better with the teacher's probabilities than with its decisions only?",
        ),
        lambda s: (
            f"student-argmax{s}",
            f"student-hard{s}",
            "Is the student better with the teacher's decisions than with the true classes?",
        ),
    )
    within = tuple(question(suffix) for suffix in SIZES for question in questions)
    return (*within, ("student-soft", "teacher", "How much of the teacher's accuracy does the student lose?"))


def _protocol(plan: Plan, split: Split) -> tuple[str, ...]:
    rows = len(split.validation.targets)
    return (
        f"The first {split.train_rows} training rows are used for training and the last {rows} of the 60 000 for validation. The 10 000 "
        "test rows are not used for any choice.",
        "Teacher: the original demo's network, trained once at temperature 1 (Adam, one-cycle schedule): one pass over all rows, then "
        "passes over the tenth with the largest losses and a fifth of the others, weighted for those left out, with the convolution frozen "
        "after the first pass.",
        "The teacher is queried once, in eval mode; its logits are recorded and softened afterwards.",
        f"{len(plan.seeds)} seeds of students. For each seed all arms have the same initial weights and batches (Adam, one-cycle schedule "
        f"with peak {STUDENT_RATE}, batches of {STUDENT_BATCH}, {split.epochs} epochs).",
        f"Every arm has four candidates: temperatures {', '.join(f'{t:g}' for t in TEMPERATURES)} for soft labels, label smoothing "
        f"{', '.join(f'{s:g}' for s in SMOOTHINGS)} for hard labels. Validation chooses the epoch of each student and, by the mean over "
        f"the first {TUNING_SEEDS} seeds, one candidate per arm.",
        "Differences are paired by seed and test row, and the intervals cover both (crossed random effects). "
        "They hold for this one teacher; results with another teacher may be better or worse.",
    )


RECIPE = Recipe(
    name="mnist",
    title="A convolutional network distilled into ten hidden units",
    summary=f"The second experiment of the original demo, {ORIGINAL_DEMO}: a teacher of 27 million weights and students of 8 000, compared "
    "with tuned students trained on the true classes only.",
    seeds=5,
    quick_seeds=2,
    student="student-soft",
    headline="test_accuracy",
    run=run,
    check_rows=lambda seed, data: pixels(load_mnist().test_images),
    has_published_protocol=True,
)
