"""hinton2015-specialists: networks for classes that a generalist confuses, an analogue of the paper's section 5."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tutelage.core.arrays import Floats
from tutelage.core.running.stages import Stages
from tutelage.data.datasets import load_fashion_mnist
from tutelage.experiments.cache import Store, key_of
from tutelage.experiments.in_processes import in_stage
from tutelage.experiments.papers.hinton import SOURCE
from tutelage.experiments.papers.hinton.clusters import Opinion, clusters, combined, dustbin_correction, specialist_rows
from tutelage.experiments.papers.measures import Scored, claim_better, compare
from tutelage.experiments.papers.networks import Lessons, Schedule, layered, trained
from tutelage.experiments.papers.paper import Findings, Paper
from tutelage.experiments.papers.pictures import CLASSES, Pictures
from tutelage.experiments.recipe import Plan
from tutelage.losses.class_terms import hard_cross_entropy
from tutelage.report.papers.records import Curve, Series

GROUPS = 3
"""The number of groups of the claims, set before the run."""
GENERALIST, SPECIALIST = Schedule(epochs=40), Schedule(epochs=5, peak_rate=5e-4)
"""The generalist is trained to its end: specialists of one that still learns would gain by their epochs alone."""


@dataclass(frozen=True)
class Size:
    """The size of a run.

    Attributes:
        rows, test_rows: pictures; the last `held_out` training pictures decide the clusters, without labels.
        held_out: how many.
        units: hidden units per layer.
        groups: into how many groups the classes are clustered, each with specialists of its own; the claims are about `GROUPS`.
        generalist, specialist: how they are trained.
        parallel: train seeds in separate processes.
    """

    rows: int = 60_000
    test_rows: int = 10_000
    held_out: int = 10_000
    units: int = 100
    groups: tuple[int, ...] = (2, 3, 4, 5)
    generalist: Schedule = GENERALIST
    specialist: Schedule = SPECIALIST
    parallel: bool = True


QUICK = Size(
    rows=2000,
    test_rows=2000,
    held_out=500,
    units=30,
    groups=(2, GROUPS),
    generalist=Schedule(epochs=8, batch_size=32, peak_rate=3e-3),
    specialist=Schedule(epochs=4, batch_size=32, peak_rate=1e-3),
    parallel=False,
)


@dataclass(frozen=True)
class _Found:
    """What a seed found: which test rows each arm has right, by its name, and the groups, by their number."""

    right: dict[str, NDArray[np.bool_]]
    groups: dict[int, tuple[tuple[int, ...], ...]]


@dataclass(frozen=True)
class _Seed:
    """A generalist of a seed, its specialists, and the generalist that was trained on for as long as all of them together."""

    pictures: Pictures
    size: Size
    store: Store

    def __call__(self, seed: int) -> _Found:
        pictures, size = self.pictures, self.size
        own, truth = len(pictures.inputs) - size.held_out, pictures.test_labels
        rows, labels = pictures.inputs[:own], pictures.labels[:own]
        rows_from = {"pictures": pictures.fingerprint, "without": size.held_out}
        learn = partial(trained, self.store, seed=seed)
        network = partial(layered, (rows.shape[1], size.units, size.units, CLASSES))
        generalist, made_from = learn(network, hard_cross_entropy(), size.generalist, Lessons(rows, rows_from, labels))
        rows_from["generalist"] = key_of(made_from)
        held_out = generalist.predict_proba(pictures.inputs[own:])
        answers = np.asarray(generalist.predict_proba(pictures.test_inputs), dtype=np.float64)

        @cache  # a group may be the same among several numbers of groups
        def opinion(special: tuple[int, ...]) -> Opinion:
            at = specialist_rows(labels, special, seed=seed)
            build = partial(specialist_network, cast(nn.Sequential, generalist.network), special)
            lessons = Lessons(rows[at], {**rows_from, "special": list(special)}, in_dustbin(labels[at], special))
            student, _ = learn(build, hard_cross_entropy(), size.specialist, lessons, classes=len(special) + 1)
            found = np.asarray(student.predict_proba(pictures.test_inputs), dtype=np.float64)
            return Opinion.of(special, found, dustbin_correction(labels, special))

        groups = {count: clusters(held_out, count, seed=seed) for count in size.groups}
        right = {"generalist": answers.argmax(axis=1) == truth}
        for count, found in groups.items():
            opinions = [opinion(special) for special in found if len(special) > 1]
            right[f"together {count}"] = combined(answers, opinions).argmax(axis=1) == truth
            right[f"known {count}"], right[f"specialists {count}"] = within_groups(answers, opinions, truth)
        epochs = size.specialist.epochs * sum(len(special) > 1 for special in groups[GROUPS])
        again = partial(copy.deepcopy, generalist.network)
        longer, _ = learn(again, hard_cross_entropy(), replace(size.specialist, epochs=epochs), Lessons(rows, rows_from, labels))
        answers = np.asarray(longer.predict_proba(pictures.test_inputs), dtype=np.float64)
        right["longer"] = answers.argmax(axis=1) == truth
        asked = [opinion(special) for special in groups[GROUPS] if len(special) > 1]
        right["longer known"], _ = within_groups(answers, asked, truth)
        return _Found(right, groups)


def specialist_network(generalist: nn.Sequential, special: tuple[int, ...]) -> nn.Sequential:
    """The generalist with an output for each special class and one for all others, which starts as the mean of theirs."""
    network = copy.deepcopy(generalist)
    last = cast(nn.Linear, network[-1])
    others = [label for label in range(CLASSES) if label not in special]
    head = nn.Linear(last.in_features, len(special) + 1)
    with torch.no_grad():
        for old, new in ((last.weight, head.weight), (last.bias, head.bias)):
            new.copy_(torch.cat([old[list(special)], old[others].mean(dim=0, keepdim=True)]))
    network[-1] = head
    return network


def in_dustbin(labels: NDArray[np.int64], special: tuple[int, ...]) -> NDArray[np.int64]:
    """(rows,) the place of each class among the special ones; their number for all others."""
    places = np.full(CLASSES, len(special))
    places[list(special)] = np.arange(len(special))
    return np.asarray(places[labels])


def within_groups(generalist: Floats, opinions: list[Opinion], truth: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows are right if the group of their class is known, by the generalist and by specialists; of a group of one class, all are."""
    right = np.ones((2, len(truth)), dtype=bool)
    for one in opinions:
        own = np.isin(truth, one.special)
        for place, answers in enumerate((generalist[:, one.special], one.probabilities[:, :-1])):
            right[place, own] = np.array(one.special)[answers[own].argmax(axis=1)] == truth[own]
    return right[0], right[1]


def run(plan: Plan, store: Store, stages: Stages) -> Findings:
    """Train generalists and specialists, and count the test pictures that they get right."""
    size = QUICK if plan.quick else Size()
    with stages.stage("data"):
        pictures = Pictures(load_fashion_mnist(plan.data), size.rows, size.test_rows)
    found = in_stage(stages, "networks", _Seed(pictures, size, store), plan.seeds, parallel=size.parallel)
    layers = f"784-{size.units}-{size.units}-10"

    def scored(key: str, name: str, meaning: str) -> Scored:
        right = np.stack([one.right[key] for one in found]).astype(np.float64)
        return Scored(name, meaning, right, "% right", scale=100.0, digits=2, lower_is_better=False)

    generalist = scored("generalist", "generalist", f"{layers} on labels")
    longer = scored("longer", "generalist trained on", f"for as many steps as all specialists of {GROUPS} groups (ours)")
    told_longer = scored("longer known", "generalist trained on, group known", "the same, with more training than the specialist has")
    by_count = {
        count: scored(f"together {count}", f"with specialists, {count} groups", "all answers together, as in equation 5")
        for count in size.groups
    }
    told = scored(f"known {GROUPS}", "generalist, group known", f"of {GROUPS} groups, it is given the one that holds the true class")
    told_specialists = scored(f"specialists {GROUPS}", "specialists, group known", "the specialist of that group decides")
    together = by_count[GROUPS]
    gained = compare(together, generalist, "Do specialists make the generalist better?")
    conditional = compare(told_specialists, told, "Where the group is known, is the specialist better than the generalist?")
    against_longer = compare(together, longer, "Are specialists better than training the generalist for as many more steps?")
    told_against = compare(told_specialists, told_longer, "And where the group is known?")
    relative = 100 * (together.mean / generalist.mean - 1)
    gain = claim_better(
        "Specialists make the generalist better.", "25.0, with specialists 26.1 % right: 4.4 % relative", gained, lower_is_better=False
    )
    own = (
        ("They are better than training the generalist for as many more steps.", against_longer),
        ("Where the group is known, the specialist is better than the generalist with as many more steps.", told_against),
    )
    names = pictures.images.classes
    groups = "; ".join(", ".join(names[label] for label in group) for group in found[0].groups[GROUPS])
    specialists = sum(len({special for each in one.groups.values() for special in each if len(special) > 1}) for one in found)
    return Findings(
        measures=tuple(arm.measure() for arm in (generalist, *by_count.values(), longer, told, told_longer, told_specialists)),
        comparisons=(gained, conditional, against_longer, told_against),
        claims=(
            replace(gain, measured=f"{gain.measured}; {relative:+.2f} % relative", arms=()),
            claim_better(
                "Among its own classes, a specialist decides better than the generalist.",
                "43.1, specialists 45.9 % right",
                conditional,
                lower_is_better=False,
            ),
            *(replace(claim_better(words, "-", found, lower_is_better=False), ours=True) for words, found in own),
        ),
        protocol=(
            f"Each seed has a generalist of its own, trained on {size.rows - size.held_out:,} pictures; its predictions on "
            f"{size.held_out:,} others, without their labels, decide the groups of classes. The {GROUPS} of the first seed: {groups}.",
            "A group of two classes or more has a specialist: the generalist's weights, an output for each class and one, the dustbin, for "
            "all others. Half of its rows are of its classes, half of the others; the logit of the dustbin is then changed by the "
            "logarithm of how many times more often than the others its special classes were drawn.",
            "A test picture is given to the specialist whose classes hold the generalist's first choice; equation 5 puts both together.",
            "Where the group is known, a group of one class is always right.",
            "Nothing is chosen on test pictures, which are used once.",
        ),
        deviations=(
            f"An analogue: {pictures.images.name} with ten classes, in place of JFT (100 million pictures, 15 000 classes, 61 specialists "
            "of 300 classes each).",
            "k-means on all columns at once, and on covariances with other classes alone: with ten classes, the variance of each class "
            "would decide.",
            "Groups do not overlap, so that at most one specialist is asked.",
            "Equation 5 is minimised by an iteration to its fixed point instead of gradient descent; the minimum is the same.",
            f"The paper's generalist was trained for six months; here {size.generalist.epochs} epochs. They were set, and the last claim "
            "added, after a run on MNIST with 10 epochs, in which the generalist still learnt, and before any on these pictures.",
            "How the output of the dustbin starts is not stated in the paper: here as the mean of its classes.",
        ),
        data=pictures.described(),
        budget={
            "generalist": asdict(size.generalist),
            "specialists": asdict(size.specialist),
            "networks": specialists + 2 * len(plan.seeds),
        },
        curves=(
            Curve(
                title="Test pictures right by the number of groups",
                caption="Mean and 95 % interval; level lines are means. Groups of one class have no specialist.",
                x_name="groups",
                y_name="% right",
                series=(Series("with specialists", "chosen", tuple(arm.point(count) for count, arm in by_count.items())),),
                levels={"generalist": generalist.mean, "generalist trained on": longer.mean},
            ),
        ),
    )


PAPER = Paper(
    name="hinton2015-specialists",
    title="Specialists for classes that are confused",
    summary="A generalist and specialists of its confused classes on Fashion-MNIST: an analogue of the paper's experiment on JFT.",
    source=SOURCE,
    seeds=10,
    quick_seeds=2,
    run=run,
    takes_data=True,
)
