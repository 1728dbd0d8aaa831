"""What a cascade costs and guarantees on digits and on a table, measured: blended latency against its bill, and the rate over splits.

    scripts/bench cascade [--quick]

Latency: in each of many short rounds a bill is made for a stream of rows in random order, and these are answered one by one. The time of an
answer is that of the medians of answered and of left rows by their shares, as the bill's prediction is one of medians, and a plain mean.
Guarantee: calibration rows are drawn with replacement from rows that trained nothing, so that the rate on these is the true one; a split is
broken if its rate lies below the target.
"""

from __future__ import annotations

import argparse
import statistics
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from scipy import stats
from sklearn.datasets import load_digits, make_classification
from sklearn.ensemble import RandomForestClassifier

import tutelage as tl
from tutelage.evaluation.deployed.risk_control import learn_then_test


@dataclass(frozen=True)
class Case:
    """Student and teacher, and rows that neither has seen."""

    name: str
    student: Any
    teacher: Any
    rows: Any
    truth: Any


def digits() -> Case:
    """A linear student of a forest of 500 trees, on digits."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X[order], y[order]
    teacher = RandomForestClassifier(500, random_state=0).fit(X[:600], y[:600])
    return Case("digits, linear student", tl.SoftLogistic().fit(X[:600], tl.as_teacher(teacher)), teacher, X[600:], y[600:])


def table() -> Case:
    """A tree of 64 leaves, taught by a forest of 500 trees, on a table of 20 columns."""
    X, y = make_classification(12_000, 20, n_informative=8, n_classes=3, class_sep=1.5, random_state=0)
    teacher = RandomForestClassifier(500, min_samples_leaf=3, random_state=0).fit(X[:4000], y[:4000])
    return Case(
        "table, tree of 64 leaves", tl.SoftTree(max_leaf_nodes=64).fit(X[:4000], tl.as_teacher(teacher)), teacher, X[4000:], y[4000:]
    )


def latency(case: Case, target: float, rounds: int, stream: int) -> str:
    """A line: the bill's prediction and a stream of single rows, and their ratio: the median over rounds and its quartiles."""
    half = len(case.rows) // 2
    cascade = tl.Cascade(case.student, case.teacher, target=target).fit(case.rows[:half])
    random, figures = np.random.default_rng(0), []
    for _ in range(rounds):
        rows = case.rows[half:][random.permutation(len(case.rows) - half)[:stream]]
        bill = cascade.bill(rows, seconds=0.1)
        taken = np.array([_microseconds(cascade, row[None]) for row in rows])
        left = cascade.defers(rows)
        typical = sum(part.mean() * np.median(taken[part]) for part in (left, ~left) if part.any())
        figures.append((bill.coverage * 100, bill.student.p50_us, bill.teacher.p50_us, bill.both_us, typical, taken.mean()))
    ratios = [(typical / predicted, mean / predicted) for *_, predicted, typical, mean in figures]
    quartiles = [statistics.quantiles(one) for one in zip(*ratios, strict=True)]
    spans = [f"{middle:.3f} ({low:.3f} to {high:.3f})" for low, middle, high in quartiles]
    cells = [f"{statistics.median(column):,.0f}" for column in zip(*figures, strict=True)]
    return f"| {' | '.join([case.name, f'{target:g}', *cells, *spans])} |"


def _microseconds(cascade: tl.Cascade, row: Any) -> float:
    start = perf_counter()
    cascade.predict_proba(row)
    return (perf_counter() - start) * 1e6


def guarantee(case: Case, target: float, splits: int, rows: int, *, over: Any, against: str) -> str:
    """A line: in how many splits the rate lay below the target, and the share that the student answered."""
    by_teacher = case.teacher.predict(case.rows)
    right = by_teacher if against == "teacher" else case.truth
    confidence, student_wrong = case.student.predict_proba(case.rows).max(axis=1), case.student.predict(case.rows) != right
    teacher_wrong = by_teacher != right
    random, below, none, coverages = np.random.default_rng(0), 0, 0, []
    for _ in range(splits):
        drawn = random.integers(0, len(case.rows), rows)
        known = teacher_wrong[drawn] if against == "truth" else None
        found = learn_then_test(confidence[drawn], student_wrong[drawn], known, target=target, delta=0.05, over=over)
        if found is None:
            none += 1
            continue
        by = confidence >= found.threshold
        wrong = np.where(by, student_wrong, teacher_wrong) if over == "all" else student_wrong[by]
        below += bool(len(wrong)) and wrong.mean() > 1 - target
        coverages.append(by.mean())
    coverage = f"{np.mean(coverages):.1%}" if coverages else "-"
    most = int(stats.binom.ppf(0.975, splits, 0.05))
    return f"| {case.name} | {over} | {against} | {target:g} | {below} of {splits} (at most {most}) | {coverage} | {none} |"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="fewer rounds and splits")
    given = options.parse_args()
    rounds, stream, splits = (10, 40, 100) if given.quick else (50, 40, 1000)
    cases: list[Callable[[], Case]] = [digits, table]
    made = [case() for case in cases]
    measured = "both, measured | mean, measured | measured / predicted | mean / predicted"
    print(f"| rows | target | coverage, % | student, us | teacher, us | both, predicted | {measured} |")
    print("|---" * 10 + "|")
    for case, target in zip(made, (0.99, 0.97), strict=True):
        print(latency(case, target, rounds, stream), flush=True)
    print("\n| rows | over | against | target | splits below the target | student answers | nothing shown of the teacher |")
    print("|---|---|---|---|---|---|---|")
    for case in made:
        for over in ("all", "student"):
            for against in ("teacher", "truth"):
                for target in (0.9, 0.95, 0.99):
                    print(guarantee(case, target, splits, 600, over=over, against=against), flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
