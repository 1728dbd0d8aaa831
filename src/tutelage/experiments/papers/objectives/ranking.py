"""losses: does the published ranking of objectives survive equal tuning, on two jobs?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import kendalltau

from tutelage.core.running.stages import Stages
from tutelage.experiments.cache import Store
from tutelage.experiments.in_processes import in_processes
from tutelage.experiments.papers.measures import Scored, claim_better, compare, errors_of
from tutelage.experiments.papers.networks import Lessons, Schedule, trained
from tutelage.experiments.papers.objectives.candidates import BASELINE, CLASSES, VANILLA, network
from tutelage.experiments.papers.paper import Findings, Paper
from tutelage.experiments.papers.pictures import CLASSES as CLASS_COUNT
from tutelage.experiments.papers.pictures import Pictures, fashion_mnist, mnist
from tutelage.experiments.recipe import Plan
from tutelage.losses.class_terms import hard_cross_entropy
from tutelage.report.papers.records import Claim, Outcome, Source
from tutelage.search.choice import best_setting
from tutelage.softlabels.recording import record
from tutelage.teachers.adapt import as_teacher
from tutelage.training.settings import one_cycle
from tutelage.training.stacks.networks import with_new_weights
from tutelage.training.student import TorchStudent

PUBLISHED = {
    "hard_cross_entropy, unsmoothed": 72.50,
    "kl_divergence": 73.33,
    "contrastive": 75.51,
    "dist": 76.31,
    "decoupled": 76.32,
    "standardised_divergence": 76.62,
}
"""Accuracy on CIFAR-100 of ResNet8x4 taught by ResNet32x4, in per cent, from the repositories of the papers: the student alone, KD, CRD,
DIST, DKD, and KD with standardised logits."""


@dataclass(frozen=True)
class Size:
    """The size of a job: rows of the student, validation rows, epochs, widths of student and teacher, the teacher's epochs."""

    rows: int = 1800
    held_out: int = 2000
    epochs: int = 30
    width: int = 8
    teacher_width: int = 32
    teacher_epochs: int = 6
    batch_size: int = 64
    parallel: bool = True


QUICK = Size(rows=300, held_out=200, epochs=6, width=4, teacher_width=8, teacher_epochs=3, batch_size=16, parallel=False)


@dataclass(frozen=True)
class _Job:
    """One data set: students on its first rows, on the answers of a teacher that learnt from all rows but the validation rows."""

    pictures: Pictures
    size: Size
    store: Store

    def teacher(self) -> TorchStudent:
        """The teacher, from the cache once it is trained."""
        rows = slice(None, len(self.pictures.inputs) - self.size.held_out)
        lessons = Lessons(
            self.pictures.inputs[rows],
            {"pictures": self.pictures.fingerprint, "without": self.size.held_out},
            self.pictures.labels[rows],
        )
        schedule = Schedule(self.size.teacher_epochs, batch_size=128, peak_rate=2e-3)
        build = partial(network, self.size.teacher_width, CLASS_COUNT)
        return trained(self.store, build, hard_cross_entropy(), schedule, lessons, seed=0)[0]

    def __call__(self, task: tuple[str, int, int]) -> dict[str, NDArray[Any]]:
        """The validation score and the predicted test classes of one objective, setting and seed."""
        name, place, seed = task
        made_from = {
            "what": "losses",
            "data": self.pictures.fingerprint,
            "size": str(self.size),
            "objective": CLASSES[name][place].described(),
            "seed": seed,
        }
        return self.store.cached(made_from, lambda: self._taught(name, place, seed))

    def _taught(self, name: str, place: int, seed: int) -> dict[str, NDArray[Any]]:
        objective, size, pictures = CLASSES[name][place], self.size, self.pictures
        rows, truth = pictures.inputs[: size.rows], pictures.labels[: size.rows]
        teacher: Any = None
        if any("teacher" in needed for needed in objective.needs):
            teacher = as_teacher(self.teacher().network, classes=range(CLASS_COUNT))
            teacher = teacher if objective.paths("teacher") else record(teacher, rows)
        student = TorchStudent(with_new_weights(network(size.width, CLASS_COUNT), seed), objective, classes=range(CLASS_COUNT))
        student.fit(
            rows,
            teacher,
            truth,
            validation=(pictures.inputs[-size.held_out :], pictures.labels[-size.held_out :]),
            epochs=size.epochs,
            batch_size=size.batch_size,
            seed=seed,
            threads=1,
            optimizer=partial(torch.optim.Adam, lr=3e-3, fused=True),
            schedule=one_cycle,
        )
        return {"score": np.array(student.fit_.scores.min()), "predicted": student.predict(pictures.test_inputs)}


def run(plan: Plan, store: Store, stages: Stages) -> Findings:
    """Train every objective with every setting and seed on both jobs; validation chooses the setting."""
    size = QUICK if plan.quick else Size()
    names = tuple(CLASSES) if not plan.quick else tuple({BASELINE: 0, VANILLA: 0, **PUBLISHED})
    with stages.stage("data"):
        jobs = {
            "MNIST": mnist(quick=plan.quick, test_rows=1000),
            "Fashion-MNIST": fashion_mnist(plan.data, quick=plan.quick, test_rows=1000),
        }
    tasks = [(name, place, seed) for name in names for place in range(1 if plan.quick else len(CLASSES[name])) for seed in plan.seeds]
    arms: dict[str, dict[str, Scored]] = {}
    for job, pictures in jobs.items():
        with stages.stage("teacher"):
            task = _Job(pictures, size, store)
            task.teacher()
        with stages.stage("students", len(tasks)) as advance:
            found = in_processes(task, tasks, parallel=size.parallel, done=lambda _: advance())
        arms[job] = {name: _chosen(job, name, dict(zip(tasks, found, strict=True)), plan, pictures) for name in names}
    comparisons = [
        compare(arms[job][name], arms[job][BASELINE], f"{job}: is {name} better than labels with tuned smoothing?")
        for job in jobs
        for name in names
        if name != BASELINE
    ]
    better = [
        claim_better(
            f"{job}: {name} is better than plain distillation (KD).",
            f"{PUBLISHED[name]:.2f} against {PUBLISHED['kl_divergence']:.2f} % on CIFAR-100",
            compare(arms[job][name], arms[job]["kl_divergence"], ""),
        )
        for job in jobs
        for name in ("decoupled", "dist", "standardised_divergence", "contrastive")
    ]
    helps = [
        claim_better(
            f"{job}: plain distillation is better than labels.",
            f"{PUBLISHED['kl_divergence']:.2f} against {PUBLISHED['hard_cross_entropy, unsmoothed']:.2f} %, without smoothing",
            compare(arms[job]["kl_divergence"], arms[job][BASELINE], ""),
        )
        for job in jobs
    ]
    return Findings(
        measures=tuple(arm.measure() for job in jobs for arm in arms[job].values()),
        comparisons=tuple(comparisons),
        claims=(*helps, *better, *(_ranking(job, arms[job]) for job in jobs)),
        protocol=(
            f"Students are small convolutional networks (width {size.width}) on {size.rows:,} rows; the teacher, wider (width "
            f"{size.teacher_width}), learned from all rows but the {size.held_out:,} validation rows.",
            "Every objective, labels with smoothing among them, has three settings, trained for the same number of steps from the same "
            "initial weights. Validation chooses the epoch, and by the mean over seeds the setting; the test rows chose nothing.",
            "Each comparison stands for itself: with as many questions, one in forty that has no answer finds one by chance.",
        ),
        deviations=(
            "The papers' figures are of CIFAR-100 and residual networks; here MNIST and Fashion-MNIST and small networks, on few rows.",
            "One teacher for all seeds of a job: intervals do not cover another teacher.",
        ),
        data={"data": ", ".join(jobs), "rows of the students": size.rows, "validation rows": size.held_out},
        budget={"epochs": size.epochs, "settings": 3, "networks": len(jobs) * len(tasks)},
    )


def _chosen(job: str, name: str, found: Mapping[tuple[str, int, int], Any], plan: Plan, pictures: Pictures) -> Scored:
    """The setting of an objective that validation chose, over all seeds."""
    places = sorted({place for own, place, _ in found if own == name})
    scores = np.array([[float(found[name, place, seed]["score"]) for place in places] for seed in plan.seeds])
    best = places[best_setting(scores)]
    predicted = np.stack([found[name, best, seed]["predicted"] for seed in plan.seeds])
    meaning = f"setting {best + 1} of {len(places)}"
    return errors_of(f"{job}, {name}", meaning, predicted, pictures.test_labels)


def _ranking(job: str, arms: Mapping[str, Scored]) -> Claim:
    """Whether the order of the published accuracies is that of our errors."""
    names = list(PUBLISHED)
    ours = [-arms[name].mean for name in names]
    tau = float(kendalltau([PUBLISHED[name] for name in names], ours).statistic)
    order = ", ".join(sorted(names, key=lambda name: arms[name].mean))
    outcome: Outcome = "reproduced" if tau >= 0.8 else "not reproduced" if tau < 0.4 else "undecided"
    return Claim(
        f"{job}: the published ranking of {len(names)} objectives survives.",
        " < ".join(names),
        f"Kendall's tau {tau:+.2f}; best first: {order}",
        outcome,
        "Reproduced if Kendall's tau between the rankings is at least 0.8, not reproduced below 0.4; the means carry no interval here.",
        tau > 0,
    )


PAPER = Paper(
    name="losses",
    title="Does the published ranking of objectives survive?",
    summary="Every objective for classes and hidden layers on two jobs, with equal tuning and several seeds.",
    source=Source(
        "Sun, Ren, Li, Wang, Cao",
        2024,
        "Logit Standardization in Knowledge Distillation, and the papers it compares",
        "https://arxiv.org/abs/2403.01427",
    ),
    seeds=5,
    quick_seeds=2,
    run=run,
    takes_data=True,
)
