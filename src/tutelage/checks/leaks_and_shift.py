"""The transfer set beside the test set and the teacher's own training rows: leaks, shift, over-sharp answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from tutelage.checks.baselines import readable, second_share
from tutelage.checks.findings import Finding
from tutelage.checks.sampling import BLOCK_ROWS, Sample, SampleAnswers, joined, taken
from tutelage.core.arrays import Floats
from tutelage.core.errors import one_line
from tutelage.data.row_names import Names, row_names
from tutelage.data.rows import as_rows

SHIFT_ROWS = 500
"""Rows of each set that are told apart."""

SHIFTED_AUC = 0.70
"""A lower end of the interval above this is a warning: a plain model mostly knows which set a row is from."""

ANSWER_SHIFT = 0.05
"""A change of a class's mean probability that is worth a warning."""

SHARPER = 0.02
"""Mean confidence gained on the transfer rows that is worth a warning."""


def names_of(data: Any) -> Names:
    """(rows,) content names of every row, read in parts."""
    return np.concatenate([row_names(part) for _, _, part in as_rows(data).parts(BLOCK_ROWS)])


def check_twins(names: Names) -> Iterator[Finding]:
    """Rows that occur more than once in the transfer set."""
    share = twin_share(names)
    figure = {"repeated rows": len(names) - len(np.unique(names)), "rows": len(names)}
    if share > 0.01:
        sentence = f"{figure['repeated rows']} of {len(names)} transfer rows repeat another; a student weighs them so often."
        yield Finding("duplicates", "note", figure, sentence, "Drop them, if that is not meant.")
    else:
        yield Finding("duplicates", "ok", figure, f"{figure['repeated rows']} of {len(names)} transfer rows repeat another.")


def twin_share(names: Names) -> float:
    """The share of rows that have a twin in the same set: how often rows meet by chance."""
    _, first, counts = np.unique(names, return_inverse=True, return_counts=True)
    return float((counts[first] > 1).mean())


def check_leak(source: str, names: Names, test: Names) -> Iterator[Finding]:
    """Test rows that are also in another set.

    Args:
        source: what the other set is, for the sentence.
        names: its content names.
        test: the test set's.
    """
    shared = int(np.isin(test, names).sum())
    by_chance = twin_share(names)
    figure = {"shared rows": shared, "test rows": len(test), "twins inside the other set": by_chance}
    if not shared:
        yield Finding("leak", "ok", figure, f"no test row is among the {source}.")
        return
    sentence = f"{shared} of {len(test)} test rows are also among the {source}: what is measured on them is memory."
    explained = shared / len(test) <= 2 * by_chance  # rows of a few coarse columns meet by chance, within a set as well
    yield Finding(
        "leak", "warning" if explained else "error", figure, sentence, "Split again by row, or drop the shared rows from one of the two."
    )


def check_shift(transfer: Sample, test: Sample, seed: int) -> Iterator[Finding]:
    """How well a plain model tells transfer rows from test rows: an AUC of .5 is not at all."""
    parts = [taken(sample.inputs, _some(sample.count, seed)) for sample in (transfer, test)]
    counts = [min(SHIFT_ROWS, sample.count) for sample in (transfer, test)]
    if min(counts) < 30:
        yield Finding("shift", "note", {"rows": counts}, f"not checked: {min(counts)} rows are too few to tell two sets apart.")
        return
    second = np.repeat([False, True], counts)
    try:
        said = second_share(joined([readable(part) for part in parts]), second, seed)
    except (ValueError, TypeError) as error:  # rows that scikit-learn cannot take, or two sets of other columns
        yield Finding("shift", "note", {"rows": counts}, f"not checked: {one_line(error)}")
        return
    area = float(roc_auc_score(second, said))
    low, high = area_interval(area, *counts)
    figure = {"AUC": area, "95 %": [low, high], "rows": counts}
    said_so = f"a plain model tells transfer rows from test rows with an AUC of {area:.2f} (95 % {low:.2f} to {high:.2f})"
    if low > SHIFTED_AUC:
        remedy = "Draw the transfer set from where the student will serve, or weigh its rows by this model's odds."
        yield Finding("shift", "warning", figure, f"{said_so}: the student is taught on other rows than it is tested on.", remedy)
    elif low > 0.55:
        yield Finding("shift", "note", figure, f"{said_so}: a little shift.")
    else:
        yield Finding("shift", "ok", figure, f"{said_so}.")


def _some(count: int, seed: int) -> Any:
    return np.random.default_rng(seed).permutation(count)[:SHIFT_ROWS]


def area_interval(area: float, first: int, second: int) -> tuple[float, float]:
    """95 % interval of an area under the ROC curve.

    Source:
        Hanley, McNeil 1982, "The meaning and use of the area under a ROC curve".
    """
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (area * (1 - area) + (first - 1) * (one - area**2) + (second - 1) * (two - area**2)) / (first * second)
    half = 1.96 * float(np.sqrt(max(variance, 0.0)))
    return max(area - half, 0.0), min(area + half, 1.0)


def check_answer_shift(transfer: SampleAnswers, test: SampleAnswers) -> Iterator[Finding]:
    """The teacher's mean answer to each class on both sets, and how much surer it is of the transfer rows."""
    if not transfer.form.classes:
        return
    here, there = transfer.probabilities, test.probabilities
    moved = here.mean(axis=0) - there.mean(axis=0)
    most = int(np.abs(moved).argmax())
    known = abs(moved[most]) > 4 * _error_of_mean(here[:, most], there[:, most])
    figure = {"class": transfer.form.classes[most], "transfer": float(here[:, most].mean()), "test": float(there[:, most].mean())}
    if known and abs(moved[most]) > ANSWER_SHIFT:
        sentence = f"class {figure['class']!r} has a mean of {figure['transfer']:.2f} on transfer rows, {figure['test']:.2f} on test rows."
        yield Finding(
            "answer-shift", "warning", figure, sentence, "Weigh or draw the transfer rows so that classes occur as they will in use."
        )
    else:
        yield Finding("answer-shift", "ok", figure, "its mean answers are the same on transfer and test rows.")


def check_own_rows(transfer: SampleAnswers, test: SampleAnswers, seen: float | None) -> Iterator[Finding]:
    """Whether the teacher is surer of the transfer rows than of test rows, as of rows it was trained on.

    Args:
        transfer: answers to transfer rows.
        test: answers to rows that it has not seen.
        seen: the share of the transfer rows that it was trained on; None where that is not known.
    """
    if not transfer.form.classes:
        return
    here, there = _confidence(transfer), _confidence(test)
    gain = float(here.mean() - there.mean())
    low = gain - 1.96 * _error_of_mean(here, there)
    figure = {
        "confidence, transfer": float(here.mean()),
        "confidence, test": float(there.mean()),
        "trained on": "unknown" if seen is None else seen,
    }
    said = f"its mean confidence is {here.mean():.3f} on transfer rows and {there.mean():.3f} on test rows"
    if low > SHARPER and seen != 0.0:
        of = "as a teacher is of rows it was trained on" if seen is None else f"and it was trained on {seen:.0%} of the transfer rows"
        remedy = "Record out-of-fold answers (each row answered by a teacher that has not seen it), or use other rows for transfer."
        yield Finding("own-rows", "warning", figure, f"{said}, {of}: its answers there are nearly hard labels.", remedy)
    elif seen:
        yield Finding("own-rows", "note", figure, f"it was trained on {seen:.0%} of the transfer rows; {said}, which is not sharper.")
    else:
        yield Finding("own-rows", "ok", figure, f"{said}.")


def _confidence(asked: SampleAnswers) -> Floats:
    p = asked.probabilities
    return np.asarray(np.maximum(p, 1 - p).mean(axis=1) if asked.form.task == "multilabel" else p.max(axis=1))


def _error_of_mean(first: Floats, second: Floats) -> float:
    """The standard error of the difference of two means."""
    return float(np.sqrt(first.var() / len(first) + second.var() / len(second)))
