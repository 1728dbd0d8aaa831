"""Find a teacher that was trained on these very rows: it knows their ground truth better than that of rows next to them.

Next to each row, rows are made that share about half of its cells, the others being those of its nearest neighbour, and a model imitates
the teacher after its answers to these. A teacher that has not seen the row answers it much as the imitation does; where it does not, the
truth deviates by as much or less. A teacher that was trained on the row has learnt a part of its noise: it deviates towards the truth,
and the truth deviates by more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tutelage.checks.baselines import held_out_values, imitated_values, readable
from tutelage.checks.findings import Finding
from tutelage.checks.sampling import Sample, SampleAnswers, query_sample
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import TutelageError, one_line
from tutelage.data.structures.row_parts import rows_at
from tutelage.data.structures.structured import StructuredRows
from tutelage.data.transfer import Munge

ROWS, FEWEST_ROWS = 1000, 150
"""The most and the fewest rows that are looked at."""

NEAR = 4
"""Rows that are made next to each."""

EXACT = Munge(local_variance=1e6)
"""Cells are exchanged, not drawn around the neighbour's."""

SLOPE, STANDARD_ERRORS, PART, PART_OF_BASELINE = 1.25, 2.6, 0.35, 0.25
"""Where a teacher knows a part of the noise: the truth deviates by more than this times as much, by so many standard errors, and the
teacher's deviations explain at least these shares of the truth's, and of a plain model's errors. Forests that are too cautious reach such
a slope on new rows, but not such shares (benchmarks/seen_rows.py)."""

EXPLAINED, OF_BASELINE, ERROR_SHARE = 0.9, 0.2, 0.02
"""Where it knows the truth by heart, whatever the slope: the shares are at least these, and its squared error is at most this share of a
plain model's."""

EXACT_SHARE = 1e-9
"""Squared error, as a share of a plain model's, of a teacher whose answers are the truth up to rounding."""

REMEDY = (
    "Pass rows that the teacher was not trained on, or a teacher that was trained without these: a student is compared fairly with it "
    "only on rows that are new to both."
)


@dataclass(frozen=True)
class Memory:
    """What the teacher's own part of the answers, its deviation from the imitation, tells about the truth.

    Attributes:
        slope: how much the truth deviates where the teacher does; about 1 for a sound teacher, or less.
        slope_error: the standard error of the slope.
        explained: share of the truth's deviations that the teacher's explain, 0 to 1.
        of_baseline: share of the errors of a plain model, which has not seen the row, that they explain.
        error_share: the teacher's squared error as a share of that model's.
    """

    slope: float
    slope_error: float
    explained: float
    of_baseline: float
    error_share: float

    @property
    def part(self) -> bool:
        """Whether the teacher knows a part of the noise."""
        steep = self.slope - STANDARD_ERRORS * self.slope_error > SLOPE
        return steep and self.explained >= PART and self.of_baseline >= PART_OF_BASELINE

    @property
    def whole(self) -> bool:
        """Whether it knows the truth of these rows by heart."""
        return self.explained >= EXPLAINED and self.of_baseline >= OF_BASELINE and self.error_share <= ERROR_SHARE


def check_memorised(teacher: Teacher, answered: SampleAnswers, seed: int, *, made_rows: bool = True) -> Iterator[Finding]:
    """Find out whether the teacher was trained on the rows. Needs labels, and a teacher that answers made rows."""
    sample = answered.sample
    if sample.labels is None:
        return
    if not made_rows:
        yield _not_checked(
            "a function, whose calls may cost, is not queried with made rows unless tl.preflight is called with made_rows=True."
        )
        return
    if sample.count < FEWEST_ROWS:
        yield _not_checked(f"{sample.count} rows are too few to tell whether the teacher was trained on them.")
        return
    places = np.sort(np.random.default_rng(seed).permutation(sample.count)[:ROWS])
    rows, (truth, figure_of) = rows_at(sample.inputs, places), _one_figure(answered)
    try:
        if isinstance(rows, list | StructuredRows):
            raise TutelageError(f"no rows can be made next to {'texts' if isinstance(rows, list) else 'rows of several inputs'}.")
        near = query_sample(teacher, Sample(made := EXACT.make(rows, NEAR * len(places), seed=seed), len(made), len(made)))
        if isinstance(near, Finding):
            raise TutelageError(near.sentence)
        answers, target = figure_of(answered)[places], truth[places]
        imitated = imitated_values(readable(made), figure_of(near), readable(rows), answers, seed)
        baseline = held_out_values(readable(rows), target, seed)
    except (TutelageError, ValueError, TypeError) as error:  # rows that scikit-learn cannot process are no fault of the teacher
        yield _not_checked(one_line(error))
        return
    yield _judged(memory(answers, imitated, target, baseline), len(places))


def memory(answers: Floats, imitated: Floats, truth: Floats, baseline: Floats) -> Memory:
    """Compare the teacher's answers to rows with an imitation of it; all (rows,) in the scale of the truth.

    Args:
        answers: to the rows.
        imitated: by a model of its answers to other rows.
        truth: the ground truth.
        baseline: answers of a plain model that has not seen the row.
    """
    own, missing, left = answers - imitated, truth - imitated, truth - baseline
    size = float((own**2).sum())
    slope = float((own * missing).sum()) / size if size else 0.0
    error = float(np.sqrt(((own * missing - slope * own**2) ** 2).sum())) / size if size else 0.0
    of_baseline = float((left**2).sum())
    error_share = float(((truth - answers) ** 2).sum()) / of_baseline if of_baseline else 1.0
    return Memory(slope, error, _share(own, missing), _share(own, left), error_share)


def _share(of: Floats, explained: Floats) -> float:
    """The squared correlation through the origin; 0 where it would be negative."""
    product, sizes = float((of * explained).sum()), float((of**2).sum() * (explained**2).sum())
    return max(product, 0.0) ** 2 / sizes if sizes else 0.0


def _one_figure(answered: SampleAnswers) -> tuple[Floats, Callable[[SampleAnswers], Floats]]:
    """(rows,) one number of the truth, and the function that takes it from answers: every second class, one label, or the first value."""
    form, labels = answered.form, np.asarray(answered.sample.labels)
    if form.task == "regression":
        return labels.reshape(len(labels), -1)[:, 0].astype(np.float64), lambda one: one.answers[:, 0].astype(np.float64)
    if form.task == "multilabel":
        label = int(np.abs(labels.mean(axis=0) - 0.5).argmin())
        return labels[:, label].astype(np.float64), lambda one: one.probabilities[:, label]
    codes = form.codes(labels, unknown="mark")
    classes = np.bincount(codes[codes >= 0], minlength=len(form.classes)).argsort(kind="stable")[::2]
    return np.isin(codes, classes).astype(np.float64), lambda one: one.probabilities[:, classes].sum(axis=1)


def _judged(found: Memory, rows: int) -> Finding:
    figure = {
        "slope": found.slope,
        "slope, standard error": found.slope_error,
        "explained": found.explained,
        "explained of a plain model's errors": found.of_baseline,
        "squared error against a plain model": found.error_share,
        "rows": rows,
    }
    if found.error_share <= EXACT_SHARE:
        either = "the teacher's answers are the ground truth itself, as if it was trained on these rows, unless it computes the truth."
        return Finding("memorised", "warning", figure, either, REMEDY)
    if found.part or found.whole:
        measured = (
            f"on {rows:,} rows the teacher deviates from its own answers to rows made next to them towards the ground truth, which "
            f"explains {found.explained:.0%} of the truth's deviations (slope {found.slope:.2f})"
        )
        sentence = (
            f"{measured}, as if it was trained on these rows: its accuracy, its confidence and the agreement with it are too good here."
        )
        return Finding("memorised", "warning", figure, sentence, REMEDY)
    return Finding(
        "memorised", "ok", figure, "the teacher does not know the ground truth of these rows better than of rows made next to them."
    )


def _not_checked(why: Any) -> Finding:
    return Finding("memorised", "note", {}, f"not checked: {why}")
