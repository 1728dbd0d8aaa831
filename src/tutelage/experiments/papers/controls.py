"""controls: what the runs say of teachers that know nothing, and of one that knows much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from tutelage.core.arrays import Floats
from tutelage.core.running.stages import Stages
from tutelage.experiments.cache import Store
from tutelage.experiments.in_processes import in_stage
from tutelage.experiments.papers.measures import compare, errors_of, per_seed
from tutelage.experiments.papers.paper import Findings, Paper
from tutelage.experiments.papers.stacked import Arm, Students
from tutelage.experiments.recipe import Plan
from tutelage.report.papers.records import Claim, Measure, Outcome, Source

NOISE = 0.2
"""Share of the training labels that are turned: what the planted teacher knows better."""
ALLOWED = 0.05
"""Of the questions without an answer, at most this share may find one, on either side."""
SEEDS = 5
QUESTIONS = {
    "no teacher": "students on labels against others on the same labels, with other initial weights",
    "two permuted teachers": "the planted teacher's answers in one order against the same in another, other orders for each seed",
    "two shared permuted teachers": "the same with one order of each for all seeds: two teachers, of which one is the luckier",
    "permuted teacher": "the planted teacher's answers in another order, and the labels, against labels smoothed as much",
    "planted teacher": f"a little of the true probabilities beside labels, against labels alone, of which {NOISE:.0%} are wrong",
}
BETWEEN = {
    "no teacher": "Between students on the same labels",
    "two permuted teachers": "Between students of two teachers that know nothing, whose answers are shuffled for each seed,",
}
NULLS = tuple(BETWEEN)
"""Questions without an answer: verdicts "beats" and "worse" together are no more than 5 %. Two teachers that are shared by all seeds are
no such question: one of them may be better for these rows, and no interval over seeds says that another draw would be."""
SMOOTHED, TAUGHT, HINTED = Arm(hard_weight=1.0, smoothing=0.5), Arm(hard_weight=0.5), Arm(hard_weight=0.97)
ARMS = (Arm(hard_weight=1.0), SMOOTHED, TAUGHT, HINTED)
"""Labels; labels smoothed by as much as a teacher weighs; labels and a teacher; labels and a little of a teacher."""
VERSION = 4
"""Raised when the same question would be answered otherwise."""


@dataclass(frozen=True)
class Size:
    """The size of a run: training and test rows of a question, and the students."""

    rows: int = 400
    test_rows: int = 2000
    units: int = 16
    epochs: int = 15
    parallel: bool = True


@dataclass(frozen=True)
class _Question:
    """The three verdicts on one draw of rows: each with students of five seeds."""

    size: Size
    store: Store

    def __call__(self, number: int) -> tuple[NDArray[np.int64], float]:
        """(questions,) 1 for "beats", -1 for "worse", 0 for "no difference"; and how many test errors the planted teacher spares."""
        settings = {"what": "controls", "version": VERSION, "size": str(self.size), "arms": str(ARMS), "noise": NOISE, "question": number}
        found = self.store.cached(settings, lambda: self._answered(number))
        return found["verdicts"], float(found["spared"])

    def _answered(self, number: int) -> dict[str, NDArray[Any]]:
        rng, size = np.random.default_rng((7, number)), self.size
        inputs, odds = _drawn(rng, size.rows)
        test_inputs, test_odds = _drawn(rng, size.test_rows)
        truth = (odds > 0).astype(np.int64)
        truth = np.where(rng.random(size.rows) < NOISE, 1 - truth, truth)
        answers = np.column_stack([np.zeros(size.rows), odds])
        shuffled = answers[rng.permutation(size.rows)]
        test_truth = (test_odds > 0).astype(np.int64)
        other_order = answers[rng.permutation(size.rows)]
        of_seeds = [self._of_seeds(number, inputs, answers, truth, test_inputs, rng) for _ in range(2)]
        labels, smoothed, _, hinted = self._answers(number, inputs, answers, truth, test_inputs)
        _, _, permuted, _ = self._answers(number, inputs, shuffled, truth, test_inputs)
        _, _, permuted_again, _ = self._answers(number, inputs, other_order, truth, test_inputs)
        pairs = (
            (labels[:SEEDS], labels[SEEDS:]),
            (of_seeds[0], of_seeds[1]),
            (permuted[:SEEDS], permuted_again[:SEEDS]),
            (permuted[:SEEDS], smoothed[:SEEDS]),
            (hinted[:SEEDS], labels[:SEEDS]),
        )
        found = [compare(errors_of("a", "", a, test_truth), errors_of("b", "", b, test_truth), "") for a, b in pairs]
        verdicts = np.array([{"beats": 1, "worse": -1}.get(one.verdict, 0) for one in found])
        return {"verdicts": verdicts, "spared": np.array(-found[-1].difference)}

    def _of_seeds(
        self,
        number: int,
        inputs: NDArray[np.float32],
        answers: Floats,
        truth: NDArray[np.int64],
        test_inputs: NDArray[np.float32],
        rng: np.random.Generator,
    ) -> NDArray[np.int64]:
        """(SEEDS, test rows) decisions of students of permuted teachers, each with an order of its own."""
        found = []
        for seed in range(SEEDS):
            students = self._students(inputs.shape[1], (TAUGHT,), 1)
            shuffled = answers[rng.permutation(len(answers))]
            stack = students.fresh(100_000 + SEEDS * number + seed, inputs=inputs, logits=shuffled, truth=truth)
            found.append(students.logits(stack, test_inputs)[0, 0].argmax(axis=-1))
        return np.stack(found)

    def _students(self, features: int, arms: tuple[Arm, ...], repeats: int) -> Students:
        return Students((features, self.size.units, 2), arms, repeats, self.size.epochs, 32, 1e-2, self.store)

    def _answers(
        self, number: int, inputs: NDArray[np.float32], logits: Floats, truth: NDArray[np.int64], test_inputs: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        """(arms, 2 SEEDS, test rows) decisions of the students."""
        students = self._students(inputs.shape[1], ARMS, 2 * SEEDS)
        stack = students.fresh(number, inputs=inputs, logits=logits, truth=truth)
        return np.asarray(students.logits(stack, test_inputs).argmax(axis=-1).transpose(1, 0, 2))


def _drawn(rng: np.random.Generator, count: int) -> tuple[NDArray[np.float32], Floats]:
    """(count, 6) normal rows, and the true log odds of class 1."""
    X = rng.standard_normal((count, 6)).astype(np.float32)
    return X, 3.0 * (np.sin(2 * X[:, 0]) + X[:, 1] ** 2 + X[:, 0] * X[:, 2] - 1.0)


def run(plan: Plan, store: Store, stages: Stages) -> Findings:
    """Ask every question and count the verdicts."""
    size = Size(rows=200, test_rows=1000, epochs=10, parallel=False) if plan.quick else Size()
    found = in_stage(stages, "questions", _Question(size, store), plan.seeds, parallel=size.parallel)
    verdicts = np.stack([each for each, _ in found])
    spared = per_seed(
        "planted teacher, errors spared",
        f"how many of {size.test_rows:,} test errors less than on labels",
        [gain for _, gain in found],
        "test errors",
        digits=1,
        lower_is_better=False,
    )
    count = len(plan.seeds)
    beats, worse = (verdicts == 1).sum(axis=0), (verdicts == -1).sum(axis=0)
    places = {name: place for place, name in enumerate(QUESTIONS)}
    claims = [_kept(name, int(beats[places[name]]), int(worse[places[name]]), count) for name in NULLS]
    permuted = places["permuted teacher"]
    never = Claim(
        'A permuted teacher gets no more verdicts "beats" than 2.5 % of the questions allow.',
        "-",
        f"beats in {beats[permuted]} of {count}, worse in {worse[permuted]}",
        "reproduced" if beats[permuted] <= binom.ppf(0.975, count, ALLOWED / 2) else "not reproduced",
        "Confirmed if there are no more than the 97.5 % quantile of as many questions with 2.5 % each; it does harm, so there are few.",
        bool(beats[permuted] <= worse[permuted]),
        ours=True,
    )
    planted = int(beats[places["planted teacher"]])
    enough = planted >= 0.8 * count
    return Findings(
        measures=(
            *(
                Measure(f"{name}, {word}", QUESTIONS[name], f"of {count} questions", (float(counts[place]),), None)
                for place, name in enumerate(QUESTIONS)
                for word, counts in (("beats", beats), ("worse", worse))
            ),
            spared.measure(),
        ),
        comparisons=(),
        claims=(
            *claims,
            never,
            Claim(
                "A planted gain is found in at least 80 % of the questions.",
                "-",
                f"beats in {planted} of {count}",
                "reproduced" if enough else "not reproduced",
                "Confirmed if it is found that often.",
                enough,
                ours=True,
            ),
        ),
        protocol=(
            f"Each seed of the run is a question. It draws {size.rows} training rows of six features, of whose labels {NOISE:.0%} are "
            f"turned, and {size.test_rows:,} test rows; students of {SEEDS} seeds learn each arm, and the paired interval over seeds and "
            "test rows decides, as in the runs on pictures. The last figure says how large the planted gain is.",
            "Permuted teachers have half of the weight. Their baseline is labels with as much label smoothing: a teacher that knows "
            "nothing smooths labels, and where some of them are wrong, that may help by itself. The planted teacher has 3 % of the weight.",
            "Two teachers that all seeds share differ more often than 5 %: one is the luckier for these rows, and no interval over seeds "
            "covers another teacher. Runs in which each seed has a teacher of its own do not have this fault.",
        ),
        deviations=(
            "No paper: a check of the method of the runs on pictures. Runs on generated rows and on tables have intervals over seeds "
            "alone, which are not tested here.",
            "A gain that was easier to find stood here first, and was found in 400 of 400 questions; a check that cannot fail says "
            "nothing, so that it was made smaller after that.",
        ),
        data={"data": "generated", "training rows": size.rows, "test rows": size.test_rows},
        budget={"questions": len(QUESTIONS) * count, "networks": 130 * count, "epochs": size.epochs},
    )


def _kept(name: str, beats: int, worse: int, count: int) -> Claim:
    """The claim that a question without an answer finds one no more often than chance allows."""
    most = int(binom.ppf(0.975, count, ALLOWED))
    outcome: Outcome = "reproduced" if beats + worse <= most else "not reproduced"
    return Claim(
        f"{BETWEEN[name]} a difference is found in no more than {ALLOWED:.0%} of the questions.",
        "-",
        f"beats in {beats} and worse in {worse} of {count}; chance allows up to {most}",
        outcome,
        f"Confirmed if there are no more than the 97.5 % quantile of as many questions with {ALLOWED:.0%} each.",
        beats + worse <= most,
        ours=True,
    )


PAPER = Paper(
    name="controls",
    title="Teachers that know nothing, and a planted gain",
    summary="How often the runs' method says that a teacher helps where it cannot, and whether it finds a gain that was planted.",
    source=Source("the authors of tutelage", 2026, "a control of the method, no paper", ""),
    seeds=400,
    quick_seeds=6,
    run=run,
)
