"""zhang2018: networks that learn labels and each other's answers at the same time, without a teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.running.stages import Stages
from tutelage.experiments.cache import Store
from tutelage.experiments.in_processes import in_stage
from tutelage.experiments.papers.measures import claim_better, compare, mean_errors_of
from tutelage.experiments.papers.networks import APART, Schedule
from tutelage.experiments.papers.paper import Findings, Paper
from tutelage.experiments.papers.pictures import CLASSES, Pictures, fashion_mnist
from tutelage.experiments.papers.stacked import Arm, Students, answers_of
from tutelage.experiments.recipe import Plan
from tutelage.experiments.side_by_side import Group, train_side_by_side
from tutelage.experiments.side_by_side import Schedule as Steps
from tutelage.experiments.teaching import cached_network
from tutelage.report.papers.records import Curve, Series, Source
from tutelage.training.stacks.networks import mlp
from tutelage.training.stacks.stack import Stack

MEMBERS = 4
"""Networks with other initial weights in each arm."""
COHORTS = (1, 2, 4)
"""How many of them learn from each other; 1 learns from labels alone."""
TEMPERATURES = (1.0, 4.0)
"""At which the static teacher teaches: it is sure of the pictures that it has learnt, and says little of them at 1."""


@dataclass(frozen=True)
class Size:
    """The size of a run: hidden units per layer of the static teacher and of all other networks, and how they are trained."""

    teacher_units: int
    units: int
    schedule: Schedule
    parallel: bool


FULL = Size(
    teacher_units=1200,
    units=300,
    schedule=Schedule(epochs=30),
    parallel=True,
)
QUICK = Size(teacher_units=120, units=40, schedule=Schedule(epochs=20, batch_size=128, peak_rate=5e-3), parallel=False)


def peers(cohorts: Sequence[int]) -> Tensor:
    """(networks, networks) by how much each network learns from each: the others of its cohort, alike; nothing of its own answers.

    Args:
        cohorts: the sizes of cohorts, one after the other.
    """
    weights = torch.zeros(sum(cohorts), sum(cohorts))
    start = 0
    for size in cohorts:
        if size > 1:
            weights[start : start + size, start : start + size] = (1 - torch.eye(size)) / (size - 1)
        start += size
    return weights


def mutual_losses(outputs: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy against the true classes and against the answers of the peers, which get no gradient.

    Against the peers' answers it is their mean KL divergence, but for terms that do not depend on the network.

    Args:
        outputs: (groups, networks, batch, classes) logits.
        truth: (groups, batch) true classes.
        weights: from `peers`.

    Returns:
        (groups, networks, batch).
    """
    log_probs = torch.log_softmax(outputs, dim=-1)
    targets = torch.einsum("ij,gjbc->gibc", weights, log_probs.detach().exp())
    targets = targets + nn.functional.one_hot(truth, outputs.shape[-1])[:, None]
    return -(targets * log_probs).sum(dim=-1)


@dataclass(frozen=True)
class _Seed:
    """The networks of a seed: alone, in pairs, all four together, and taught by a larger network that does not change."""

    pictures: Pictures
    size: Size
    store: Store

    def __call__(self, seed: int) -> dict[str, NDArray[np.float64]]:
        """For each arm, (test rows) share of its networks that are wrong."""
        pictures, size = self.pictures, self.size
        truth, weights = torch.from_numpy(pictures.labels), peers([cohort for cohort in COHORTS for _ in range(MEMBERS // cohort)])
        together = self._trained(seed, "mutual", len(COHORTS), lambda outputs, rows: mutual_losses(outputs, truth[rows], weights))
        plan = size.schedule
        sizes = (pictures.inputs.shape[1], size.teacher_units, size.teacher_units, CLASSES)
        alone = Students(sizes, (Arm(hard_weight=1.0),), 1, plan.epochs, plan.batch_size, plan.peak_rate, self.store)
        teacher = alone.trained(
            seed + APART, inputs=pictures.inputs, logits=None, truth=pictures.labels, made_from={"pictures": pictures.fingerprint}
        )
        answers, hard = torch.from_numpy(alone.logits(teacher, pictures.inputs)[0, 0]), nn.functional.one_hot(truth, CLASSES)
        temperatures = torch.tensor(TEMPERATURES).repeat_interleave(MEMBERS)[:, None, None]

        def taught_losses(outputs: Tensor, rows: Tensor) -> Tensor:
            soft = torch.softmax(answers[rows][:, None] / temperatures, dim=-1) * temperatures.square()
            from_teacher = (soft * torch.log_softmax(outputs / temperatures, dim=-1)).sum(dim=-1)
            return -(from_teacher + (hard[rows][:, None] * torch.log_softmax(outputs, dim=-1)).sum(dim=-1))

        how = f"taught by {size.teacher_units} units at {TEMPERATURES}"
        taught = self._wrong(self._trained(seed, how, len(TEMPERATURES), taught_losses)).reshape(len(TEMPERATURES), MEMBERS, -1)
        found = self._wrong(together).reshape(len(COHORTS), MEMBERS, -1).mean(axis=1)
        arms = {str(cohort): found[place] for place, cohort in enumerate(COHORTS)}
        arms |= {f"taught {temperature:g}": taught[place].mean(axis=0) for place, temperature in enumerate(TEMPERATURES)}
        return arms | {"teacher": self._wrong(teacher)[0]}

    def _trained(self, seed: int, how: str, arms: int, losses: Callable[[Tensor, Tensor], Tensor]) -> Stack:
        """The members, once for each arm; each has the same initial weights in all arms, and all have the same batches."""
        pictures, plan = self.pictures, self.size.schedule
        sizes = (pictures.inputs.shape[1], self.size.units, self.size.units, CLASSES)

        def build() -> Stack:
            members = []
            for member in range(MEMBERS):
                with torch_runtime.seeded(1000 * seed + member):
                    members.append(mlp(sizes))
            return Stack(members * arms, wide=True)

        def train(stack: Stack) -> dict[str, NDArray[np.float64]]:
            steps = Steps(plan.epochs * len(pictures.inputs) // plan.batch_size, plan.batch_size, plan.peak_rate)
            groups = [Group(1000 * seed, np.arange(len(pictures.inputs)))]
            with torch_runtime.threads(1):
                train_side_by_side(stack, losses, inputs=torch.from_numpy(pictures.inputs), groups=groups, schedule=steps)
            return {}

        made_from = {"what": "zhang2018", "how": how, "pictures": pictures.fingerprint, "sizes": sizes, **asdict(plan), "seed": seed}
        return cached_network(self.store, {**made_from, "cohorts": COHORTS, "members": MEMBERS}, build, train)[0]

    def _wrong(self, stack: Stack) -> NDArray[np.float64]:
        """(networks, test rows)."""
        return np.asarray(answers_of(stack, self.pictures.test_inputs).argmax(axis=-1) != self.pictures.test_labels, dtype=np.float64)


def run(plan: Plan, store: Store, stages: Stages) -> Findings:
    """Train networks alone, in cohorts, and with a static teacher."""
    size = QUICK if plan.quick else FULL
    with stages.stage("data"):
        pictures = fashion_mnist(plan.data, quick=plan.quick)
    tables = in_stage(stages, "networks", _Seed(pictures, size, store), plan.seeds, parallel=size.parallel)
    layers = f"784-{size.units}-{size.units}-10"
    names = {
        "1": ("alone", f"{layers} on labels"),
        "2": ("in pairs", f"{layers}, two that learn from each other"),
        "4": ("four together", f"{layers}, each learns from three others"),
        **{
            f"taught {temperature:g}": (
                f"taught at temperature {temperature:g}",
                f"{layers}, on labels and the answers of the static teacher",
            )
            for temperature in TEMPERATURES
        },
        "teacher": ("static teacher", f"784-{size.teacher_units}-{size.teacher_units}-10 on labels"),
    }
    arms = {arm: mean_errors_of(*names[arm], np.stack([table[arm] for table in tables])) for arm in names}
    pairs = compare(arms["2"], arms["1"], "Do two networks that learn from each other make fewer errors than each alone?")
    against_teacher, against_softer = (
        compare(arms["2"], arms[f"taught {temperature:g}"], f"Are they better than those of a larger, static teacher at {temperature:g}?")
        for temperature in TEMPERATURES
    )
    more = compare(arms["4"], arms["2"], "Are four together better than two?")
    return Findings(
        measures=tuple(arm.measure() for arm in arms.values()),
        comparisons=(
            pairs,
            against_teacher,
            against_softer,
            more,
            *(
                compare(
                    arms[f"taught {temperature:g}"],
                    arms["1"],
                    f"Is a network with a static teacher, at {temperature:g}, better than alone?",
                )
                for temperature in TEMPERATURES
            ),
        ),
        claims=(
            claim_better("Networks that learn from each other are better than each alone.", "stated in the abstract", pairs),
            claim_better(
                "They are better than those of a more powerful, static teacher (at temperature 1, as they teach each other).",
                "stated in the abstract",
                against_teacher,
            ),
            claim_better("Four that learn from each other are better than two.", "stated of cohorts", more),
            replace(
                claim_better(
                    f"They are better than those of the static teacher at temperature {TEMPERATURES[1]:g} too.", "-", against_softer
                ),
                ours=True,
            ),
        ),
        protocol=(
            f"Fashion-MNIST, {layers}. Each seed has {MEMBERS} networks with other initial weights, the same in all arms; all get the same "
            "batches. A figure of a seed is their mean.",
            "Alone: the cross-entropy with labels. In a cohort: also the mean KL divergence from the answers of the others in the same "
            "step, which get no gradient from it; both terms have weight 1, at temperature 1.",
            f"Taught: also the divergence from the answers of a network of {size.teacher_units} units, trained on labels before, at "
            f"temperature {TEMPERATURES[0]:g} as in a cohort, and at {TEMPERATURES[1]:g}, times its square; weight 1, not tuned.",
            "Widths, epochs and learning rate were fixed before the run, not tuned, and are the same in all arms. All training pictures "
            "train; nothing is chosen on test pictures, which are used once.",
        ),
        deviations=(
            "An analogue: the paper has residual and other convolutional networks on CIFAR-100 and Market-1501.",
            "The paper compares a small network that a larger one taught with one that learns together with that larger one; here the "
            "peers are of the same size, as its abstract says it.",
            "All networks of a cohort take their step at once. Adam with a one-cycle schedule.",
        ),
        data=pictures.described(),
        budget={**asdict(size.schedule), "networks": len(plan.seeds) * (MEMBERS * (len(COHORTS) + len(TEMPERATURES)) + 1)},
        curves=(
            Curve(
                title="Errors by the number of networks that learn from each other",
                caption="Mean test errors of a single network, with 95 % interval.",
                x_name="networks",
                y_name="test errors",
                series=(Series("learning from each other", "chosen", tuple(arms[str(cohort)].point(cohort) for cohort in COHORTS)),),
                levels={f"static teacher, at {temperature:g}": arms[f"taught {temperature:g}"].mean for temperature in TEMPERATURES},
            ),
        ),
    )


PAPER = Paper(
    name="zhang2018",
    title="Networks that teach each other",
    summary="Networks on Fashion-MNIST alone, in pairs, four together, and with a larger teacher that does not change.",
    source=Source("Zhang, Xiang, Hospedales, Lu", 2018, "Deep Mutual Learning", "https://arxiv.org/abs/1706.00384"),
    seeds=6,
    quick_seeds=2,
    run=run,
    takes_data=True,
)
