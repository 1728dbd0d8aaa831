"""Find a teacher that was trained on these very rows: it knows their ground truth better than that of rows next to them.

Next to each row, rows are made that share about half of its cells, the others being those of its nearest neighbour. A teacher that has
not seen the row answers it much as it answers these, and where it does not, the difference says little about the noise of the ground
truth. A teacher that was trained on the row differs there, towards its ground truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tutelage.checks.baselines import held_out_values, readable
from tutelage.checks.findings import Finding
from tutelage.checks.sampling import Sample, SampleAnswers, query_sample, rows_at
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import TutelageError, one_line
from tutelage.data.transfer import Munge

ROWS, FEWEST_ROWS = 1000, 150
"""The most and the fewest rows that are looked at."""

NEAR = 4
"""Rows that are made next to each."""

EXACT = Munge(local_variance=1e6)
"""Cells are exchanged, not drawn around the neighbour's."""

EXPLAINED, OF_BASELINE, ERROR_SHARE = 0.5, 0.06, 0.4
"""Where a teacher knows the truth by heart: its own part of the answer explains at least this share of the truth's deviations from the
answers next to it, and this share of a plain model's errors, and its squared error is at most this share of that model's."""

SLOPE, STANDARD_ERRORS = 1.4, 2.6
"""Where it knows part of it: the truth deviates more than this times as far in the same direction, by so many standard errors."""

REMEDY = (
    "Pass rows that the teacher was not trained on, or a teacher that was trained without these: a student is compared fairly with it "
    "only on rows that are new to both."
)


@dataclass(frozen=True)
class Memory:
    """What the teacher's own part of the answers, its difference from those next to the row, tells about the truth.

    Attributes:
        explained: share of the variance of the truth, around the answers next to it, that it explains; 0 to 1.
        of_baseline: the same of the errors of a plain model that has not seen the row.
        error_share: the teacher's squared error as a share of that model's.
        slope: by how much the truth changes with it; about 1 for a sound teacher, or less.
        slope_error: the standard error of the slope.
    """

    explained: float
    of_baseline: float
    error_share: float
    slope: float
    slope_error: float

    @property
    def whole(self) -> bool:
        """Whether the teacher knows the truth of these rows by heart."""
        return self.explained >= EXPLAINED and self.of_baseline >= OF_BASELINE and self.error_share <= ERROR_SHARE

    @property
    def part(self) -> bool:
        """Whether it knows more of it than it says."""
        return self.explained >= OF_BASELINE and self.slope - STANDARD_ERRORS * self.slope_error > SLOPE


def check_memorised(teacher: Teacher, answered: SampleAnswers, seed: int) -> Iterator[Finding]:
    """Find out whether the teacher was trained on the rows. Needs labels, and a teacher that answers made rows."""
    sample = answered.sample
    if sample.labels is None:
        return
    if sample.count < FEWEST_ROWS:
        yield _not_checked(f"{sample.count} rows are too few to tell whether the teacher was trained on them.")
        return
    places = np.sort(np.random.default_rng(seed).permutation(sample.count)[:ROWS])
    rows, (truth, figure_of) = rows_at(sample.inputs, places), _one_figure(answered)
    try:
        if isinstance(rows, list):
            raise TutelageError("no rows can be made next to texts.")
        near = query_sample(teacher, Sample(made := EXACT.make(rows, NEAR * len(places), seed=seed), len(made), len(made)))
        if isinstance(near, Finding):
            raise TutelageError(near.sentence)
        baseline = held_out_values(readable(rows), truth[places], seed)
    except (TutelageError, ValueError, TypeError) as error:  # rows that scikit-learn cannot process are no fault of the teacher
        yield _not_checked(one_line(error))
        return
    sources = EXACT.sources(len(places), NEAR * len(places), seed=seed)
    next_to = np.bincount(sources, weights=figure_of(near), minlength=len(places)) / NEAR
    yield _judged(memory(figure_of(answered)[places], next_to, truth[places], baseline), len(places))


def memory(answers: Floats, next_to: Floats, truth: Floats, baseline: Floats) -> Memory:
    """Compare the teacher's answers to rows with its answers next to them; all (rows,) in the scale of the truth.

    Args:
        answers: to the rows.
        next_to: the means of the answers to rows next to each.
        truth: the ground truth.
        baseline: answers of a plain model that has not seen the row.
    """
    own, missing = answers - next_to, truth - next_to
    size = float((own**2).sum())
    slope = float((own * missing).sum()) / size if size else 0.0
    error = float(np.sqrt(((own * missing - slope * own**2) ** 2).sum())) / size if size else 0.0
    left = truth - baseline
    return Memory(
        _share(own, missing), _share(own, left), float(((truth - answers) ** 2).sum() / max((left**2).sum(), 1e-300)), slope, error
    )


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
        "explained": found.explained,
        "of a plain model's errors": found.of_baseline,
        "squared error against a plain model": found.error_share,
        "slope": found.slope,
        "slope, standard error": found.slope_error,
        "rows": rows,
    }
    if found.whole or found.part:
        measured = (
            f"on {rows:,} rows the teacher deviates from its own answers next to them towards the ground truth, which explains "
            f"{found.explained:.0%} of what the truth deviates (slope {found.slope:.2f})"
        )
        sentence = (
            f"{measured}, as if it was trained on these rows: its accuracy, its confidence and the agreement with it are too good here."
        )
        return Finding("memorised", "warning", figure, sentence, REMEDY)
    return Finding("memorised", "ok", figure, "the teacher does not know the ground truth of these rows better than next to them.")


def _not_checked(why: Any) -> Finding:
    return Finding("memorised", "note", {}, f"not checked: {why}")
