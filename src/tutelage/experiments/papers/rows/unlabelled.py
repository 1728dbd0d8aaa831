"""unlabelled: from how few labels on does a student gain from a teacher's answers to rows that have none?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core import torch_runtime
from tutelage.core.arrays import one_hot
from tutelage.core.records import Comparison
from tutelage.core.running.stages import Stages
from tutelage.data.fingerprint import fingerprint
from tutelage.experiments.cache import Store
from tutelage.experiments.few_labels import FewLabels, labelled_rows
from tutelage.experiments.in_processes import in_stage
from tutelage.experiments.papers.measures import Scored, claim_alike, claim_better, compare
from tutelage.experiments.papers.paper import Findings, Paper
from tutelage.experiments.papers.rows.problems import POSTS, SETTINGS, Problem, Size, Teacher, Training, counts_of, sources
from tutelage.experiments.papers.stacked import Arm, Students
from tutelage.experiments.recipe import Plan
from tutelage.experiments.side_by_side import Schedule
from tutelage.report.papers.records import Claim, Curve, Measure, Series, Source

QUICK = Size(
    counts=(100,),
    few=100,
    rows=1000,
    test_rows=1000,
    table_rows=800,
    every=15,
    columns=300,
    trees=10,
    rounds=30,
    folds=3,
    teacher=Teacher(64, 150, 32, 3e-3),
    pictures=Training((16,), 8, 32, 1e-2),
    tables=Training((16, 16), 12, 32, 1e-2),
    posts=Training((16,), 15, 32, 1e-2),
    settings=SETTINGS[4:6],
    names=("MNIST", "waves"),
    parallel=False,
)
TAUGHT = Arm()
ALIKE = 1.0
"""Points of the error rate by which two arms may differ and are alike."""
LEAST = 1e-7
"""Smaller probabilities of a teacher count as this one."""

Table = dict[int, dict[str, Scored]]
"""For each number of labels, what each arm scored."""


@dataclass(frozen=True)
class _Seed:
    """Everything that a seed trains on one problem."""

    problems: Mapping[str, Callable[[int], Problem]]
    size: Size
    store: Store

    def __call__(self, task: tuple[str, int]) -> tuple[tuple[int, ...], bool, NDArray[np.bool_]]:
        """The numbers of labels, whether test rows are shared, and (arms, counts, test rows) which are wrong."""
        name, seed = task
        problem = self.problems[name](seed)
        counts = counts_of(len(problem.labels), self.size.counts)
        with torch_runtime.threads(1):
            found = [self._on_labels(problem, counts, seed)]
            answers = [self._answers(name, problem, count, seed) for count in counts]
            found.append(np.stack([test.argmax(axis=1) for _, test in answers]))
            by_count = {count: own for count, (own, _) in zip(counts, answers, strict=True)}
            found += self._taught(name, problem, by_count, seed)
            found.append(self._on_answered_labels(name, problem, by_count, seed))
        return counts, problem.shared_test, np.stack(found) != problem.test_labels

    def _on_labels(self, problem: Problem, counts: tuple[int, ...], seed: int) -> NDArray[np.int64]:
        """(counts, test rows) decisions of students that learn from labels alone."""
        training = problem.training
        schedule = Schedule(problem.steps, training.batch_size, training.peak_rate)
        few = FewLabels(counts, problem.sizes, problem, schedule, self.store, lambda: None, self.size.settings)
        students, _ = few.students((seed,))
        return np.stack([students[count][0].predict(problem.test_inputs) for count in counts])

    def _answers(self, name: str, problem: Problem, count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(rows, classes) logarithms of the probabilities of a teacher that has as many labels, and those of the test rows."""
        made_from = {**self._made_from(name, problem), "what": "unlabelled, teacher", "labels": count, "seed": seed}

        def answers() -> dict[str, NDArray[np.float32]]:
            probabilities = problem.teach(labelled_rows(len(problem.labels), count, seed), seed)
            own, test = (np.log(np.maximum(one, LEAST)).astype(np.float32) for one in probabilities)
            return {"own": own, "test": test}

        found = self.store.cached(made_from, answers)
        return found["own"], found["test"]

    def _taught(self, name: str, problem: Problem, answers: Mapping[int, NDArray[np.float32]], seed: int) -> list[NDArray[np.int64]]:
        """(counts, test rows) decisions of students on the answers of each teacher to all rows: alone, and beside the labels it had."""
        training = problem.training
        targets = [*answers.values(), *(self._beside_labels(problem, count, own, seed) for count, own in answers.items())]
        arms = (TAUGHT,) * len(targets)
        students = Students(problem.sizes, arms, 1, training.epochs, training.batch_size, training.peak_rate, self.store)
        made_from = {**self._made_from(name, problem), "counts": self.size.counts, "beside labels": "as targets of their rows"}
        stack = students.trained(seed, inputs=problem.inputs, logits=np.stack(targets), truth=None, made_from=made_from)
        decisions = students.logits(stack, problem.test_inputs)[0].argmax(axis=-1)
        return [decisions[: len(answers)], decisions[len(answers) :]]

    def _on_answered_labels(self, name: str, problem: Problem, answers: Mapping[int, NDArray[np.float32]], seed: int) -> NDArray[np.int64]:
        """(counts, test rows) decisions of students on the answers of each teacher to the rows alone whose labels it has."""
        training, seen = problem.training, problem.training.epochs * len(problem.inputs)
        decisions = []
        for count, own in answers.items():
            at = labelled_rows(len(problem.labels), count, seed)
            students = Students(problem.sizes, (TAUGHT,), 1, -(-seen // count), training.batch_size, training.peak_rate, self.store)
            made_from = {**self._made_from(name, problem), "count": count, "rows without labels": "not used"}
            stack = students.trained(seed, inputs=problem.inputs[at], logits=own[at], truth=None, made_from=made_from)
            decisions.append(students.logits(stack, problem.test_inputs)[0, 0].argmax(axis=-1))
        return np.stack(decisions)

    def _beside_labels(self, problem: Problem, count: int, answers: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
        """The answers, in place of which labelled rows have their true class."""
        at, targets = labelled_rows(len(problem.labels), count, seed), answers.copy()
        targets[at] = np.log(np.maximum(one_hot(problem.labels[at], problem.classes), LEAST))
        return targets

    def _made_from(self, name: str, problem: Problem) -> dict[str, object]:
        """What determines a teacher beside its labels and its seed."""
        size = {
            key: value for key, value in asdict(self.size).items() if key in ("trees", "rounds", "folds", "teacher", "columns", "every")
        }
        return {"problem": name, "rows": problem.fingerprint, "test rows": fingerprint(problem.test_inputs), **size}


def run(plan: Plan, store: Store, stages: Stages) -> Findings:
    """Train the teachers and students of every problem and seed, and count their test errors."""
    size = QUICK if plan.quick else Size()
    with stages.stage("data"):
        problems, left_out = sources(plan.data, size)
    tasks = [(name, seed) for name in problems for seed in plan.seeds]
    found = dict(zip(tasks, in_stage(stages, "students", _Seed(problems, size, store), tasks, parallel=size.parallel), strict=True))
    tables = {name: _table(name, [found[name, seed] for seed in plan.seeds]) for name in problems}
    same = {name: _against_labels(name, table, "taught") for name, table in tables.items()}
    below = {name: {count: arms for count, arms in table.items() if count < max(table)} for name, table in tables.items()}
    both = {name: _against_labels(name, below[name], "both") for name in tables}
    best = {
        name: _against_labels(name, below[name], "taught", teacher=max(table), taught=table[max(table)]) for name, table in tables.items()
    }
    few = {name: min(size.few, max(table)) for name, table in tables.items()}
    rest, labelled = (
        {
            name: compare(table[few[name]][a], table[few[name]][b], f"{name}, {few[name]:,} labels: {question}")
            for name, table in tables.items()
        }
        for a, b, question in (
            ("taught", "answered labels", "is a student on a teacher's answers to all rows better than on those to the labelled rows?"),
            ("answered labels", "labels", "is a student on a teacher's answers to the labelled rows better than one on their labels?"),
        )
    )
    asked: list[Mapping[Any, Comparison]] = [*same.values(), *both.values(), *best.values(), rest, labelled]
    return Findings(
        measures=(
            *(arm.measure() for table in tables.values() for arms in table.values() for arm in arms.values()),
            *(_reach(f"{name}: same labels pay up to", pairs) for name, pairs in same.items()),
            *(_reach(f"{name}: same labels, kept beside the answers, pay up to", pairs) for name, pairs in both.items()),
            *(_reach(f"{name}: a teacher of all labels pays up to", pairs) for name, pairs in best.items()),
        ),
        comparisons=tuple(one for pairs in asked for one in pairs.values()),
        claims=(
            *(_helps(name, f"a teacher that has the same {few[name]:,} labels", pairs[few[name]]) for name, pairs in same.items()),
            *(
                replace(_helps(name, "a teacher that has all labels", pairs[few[name]]), published="-", ours=True)
                for name, pairs in best.items()
            ),
            *(
                replace(
                    claim_better(f"{name}: a teacher's answers to all rows are better than those to the labelled rows alone.", "-", one),
                    ours=True,
                )
                for name, one in rest.items()
            ),
            *(
                replace(
                    claim_alike(
                        f"{name}: with all labels, a teacher makes no difference; here: less than {ALIKE:g} point.",
                        "-",
                        [pairs[max(pairs)]],
                        within=ALIKE,
                    ),
                    ours=True,
                )
                for name, pairs in same.items()
            ),
        ),
        protocol=_protocol(size, tuple(problems)),
        deviations=(
            "No table of the paper is run again: ImageNet, and teachers that learned from all pictures without labels first, are out of "
            "reach here; its question is asked of small data.",
            "Teachers are not tuned, nor are the students that they teach; students on labels are.",
            "All students take about the same number of steps. Those on the answers to labelled rows see them as often as those on labels, "
            "and have nothing to keep them from overfitting but the answers. Those on few labels see them often; weight decay and label "
            f"smoothing alone, of which they choose among {len(size.settings)} settings, keep them from overfitting.",
            "No picture is moved or changed, for teacher or student. Teachers answer the pictures and posts that they learnt, and are "
            "surer of these than of others; rows of tables they answer without having seen them.",
            "Of the table of digits, seeds split the same 1,797 rows, so that their test rows overlap.",
            *left_out,
        ),
        data={"data": ", ".join(problems), "rows": [f"{name}: {max(table):,}" for name, table in tables.items()]},
        budget={
            "candidates on labels": len(size.settings),
            "passes over all rows": [f"pictures {size.pictures.epochs}, tables {size.tables.epochs}, posts {size.posts.epochs}"],
            "networks and teachers": len(plan.seeds) * sum((len(size.settings) + 5) * len(table) for table in tables.values()),
        },
        curves=tuple(_curve(name, table, same[name]) for name, table in tables.items()),
    )


def _protocol(size: Size, problems: tuple[str, ...]) -> tuple[str, ...]:
    posts = (
        "Posts: the teacher is logistic regression on the TF-IDF of all words, which are weighed on all training posts, labelled or not; "
        f"the student has one layer of {size.posts.hidden[0]} units and sees the {size.columns:,} most frequent words that are no stop "
        "words. The test posts are the official ones.",
    )
    return (
        "Each seed draws which rows have labels, and of tables training and test rows too; a smaller number of labels is part of a larger.",
        f"A student on labels alone chooses among {len(size.settings)} settings (weight decay, label smoothing) by the log loss on a fifth "
        "of its labels, and is then trained again on all of them.",
        "A taught student sees no label: it learns a teacher's probabilities of all rows, as they are. It has the same layers as "
        "the student on labels, and takes as many steps. One more keeps the labels that there are, as targets of their rows; another "
        "learns the answers to the labelled rows alone.",
        "One teacher has the same labels as the student, another all labels of the data: with all labels they are one.",
        f"Teachers: for pictures a network with two layers of {size.teacher.units} units and dropout; for tables two forests of "
        f"{size.trees} trees and boosted trees, where labelled rows are answered by trees that learned from other rows ({size.folds} "
        "folds).",
        f"Students: two layers of {size.pictures.hidden[0]} units for pictures, of {size.tables.hidden[0]} for tables.",
        *(posts if POSTS in problems else ()),
        "Test rows chose nothing. Each comparison stands for itself, without correction for their number.",
    )


def _table(name: str, seeds: Sequence[tuple[tuple[int, ...], bool, NDArray[np.bool_]]]) -> Table:
    """The arms of a problem from what its seeds got wrong."""
    counts, shared, _ = seeds[0]
    wrong = np.stack([one for _, _, one in seeds], axis=2).astype(np.float64)

    def scored(arm: int, place: int, what: str, meaning: str) -> Scored:
        shown = f"{name}, {counts[place]:,} labels, {what}"
        return Scored(shown, meaning, wrong[arm, place], "% error", scale=100.0, digits=2, shared_rows=shared)

    return {
        count: {
            "labels": scored(0, place, "alone", "a student on these labels, tuned on a fifth of them"),
            "teacher": scored(1, place, "teacher", "the teacher that learned from these labels"),
            "taught": scored(2, place, "taught", "a student on this teacher's answers to all rows"),
            "both": scored(3, place, "both", "the same, with the true classes in place of the answers where they are known"),
            "answered labels": scored(4, place, "answered labels", "a student on this teacher's answers to the labelled rows alone"),
        }
        for place, count in enumerate(counts)
    }


def _against_labels(
    name: str, table: Table, arm: str, *, teacher: int | None = None, taught: Mapping[str, Scored] | None = None
) -> dict[int, Comparison]:
    """For each number of labels, a taught student against the one on labels.

    Args:
        name: of the problem.
        table: its arms.
        arm: "taught", or "both" for the one that keeps its labels.
        teacher: the number of labels of another teacher; by default each has those of the student on labels.
        taught: what this teacher and its students scored.
    """
    pairs = {}
    for count, arms in table.items():
        has = count if teacher is None else teacher
        kept = " and by its own labels" if arm == "both" else ""
        question = f"{name}: is a student taught by a teacher of {has:,} labels{kept} better than one on {count:,} labels?"
        pairs[count] = compare((taught or arms)[arm], arms["labels"], question)
    return pairs


def _helps(name: str, teacher: str, comparison: Comparison) -> Claim:
    """The claim that a student with few labels gains from a teacher's answers to the rest."""
    published = "73.9 against 57.9 % right on ImageNet with 1 % of the labels, with two larger models before"
    return claim_better(f"{name}: with few labels, a student gains from the answers of {teacher}.", published, comparison)


def reach(verdicts: Mapping[int, str]) -> tuple[int, str]:
    """The largest number of labels at which the taught student is better, 0 for none, and the verdict at each number in words."""
    words = {"beats": "better with", "no difference": "no difference found with", "worse": "worse with"}
    parts = []
    for verdict, phrase in words.items():
        counts = [f"{count:,}" for count, own in sorted(verdicts.items()) if own == verdict]
        if counts:
            parts.append(f"{phrase} {', '.join(counts)} labels")
    return max((count for count, own in verdicts.items() if own == "beats"), default=0), "; ".join(parts)


def _reach(name: str, pairs: Mapping[int, Comparison]) -> Measure:
    """Up to how many labels the answers help, in a figure and in words."""
    most, words = reach({count: one.verdict for count, one in pairs.items()})
    return Measure(name, f"the taught student against the one on labels: {words}", "labels", (float(most),), None)


def _curve(name: str, table: Table, pairs: Mapping[int, Comparison]) -> Curve:
    """The error by the number of labels."""
    _, words = reach({count: one.verdict for count, one in pairs.items()})
    kinds = {
        "labels": ("on these labels alone, tuned", "baseline"),
        "taught": ("on the answers of a teacher of these labels to all rows", "chosen"),
        "both": ("on these answers and the labels", "control"),
        "teacher": ("that teacher", "teacher"),
    }
    return Curve(
        title=name,
        caption=f"Mean test error and 95 % interval by the number of labels. Taught against alone: {words}.",
        x_name="labels",
        y_name="% error",
        series=tuple(
            Series(text, kind, tuple(arms[arm].point(count) for count, arms in table.items() if arm != "both" or count < max(table)))
            for arm, (text, kind) in kinds.items()
        ),
        logarithmic=True,
        levels={"taught by a teacher of all labels": table[max(table)]["taught"].mean},
    )


PAPER = Paper(
    name="unlabelled",
    title="With how few labels is a teacher worth it?",
    summary="Students on 100 to 50 000 labels, alone and taught by answers to all the rows that have none: pictures, tables and posts.",
    source=Source(
        "Chen, Kornblith, Swersky, Norouzi, Hinton",
        2020,
        "Big Self-Supervised Models are Strong Semi-Supervised Learners",
        "https://arxiv.org/abs/2006.10029",
    ),
    seeds=5,
    quick_seeds=2,
    run=run,
    takes_data=True,
)
