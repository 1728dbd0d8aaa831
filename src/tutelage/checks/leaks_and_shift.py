"""Compare the transfer set with the test set and with the teacher's training rows: leaks, shift, overconfident answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from tutelage.checks.baselines import readable, second_set_probabilities
from tutelage.checks.findings import Finding
from tutelage.checks.sampling import BLOCK_ROWS, Sample, SampleAnswers, without_columns
from tutelage.core.arrays import Floats
from tutelage.core.errors import one_line
from tutelage.data.row_names import Names, row_names
from tutelage.data.rows import as_rows
from tutelage.data.structures.row_parts import concatenated, rows_at

SHIFT_ROWS = 500
"""The most rows of each set that the shift is measured on."""

SHIFTED_AUC = 0.70
"""A lower end of the interval above this is a warning: a simple model can mostly tell which set a row is from."""

ANSWER_SHIFT = 0.05
"""Change in the mean probability of a class from which a finding is a warning."""

SHARPER = 0.02
"""Excess of mean confidence on the transfer rows from which a finding is a warning."""


def names_of(data: Any, *, without: tuple[str, ...] = ()) -> Names:
    """(rows,) content names of all rows, read in parts.

    Args:
        data: the rows.
        without: names of columns to leave out, as in `table_columns`.
    """
    return np.concatenate([row_names(without_columns(part, without)) for _, _, part in as_rows(data).parts(BLOCK_ROWS)])


def check_duplicates(names: Names) -> Iterator[Finding]:
    """Find rows that occur more than once in the transfer set."""
    share = duplicate_share(names)
    figure = {"repeated rows": len(names) - len(np.unique(names)), "rows": len(names)}
    if share > 0.01:
        sentence = f"{figure['repeated rows']} of {len(names)} transfer rows repeat another row; a student weights them by their number."
        yield Finding("duplicates", "note", figure, sentence, "Drop the duplicates, unless this is intended.")
    else:
        yield Finding("duplicates", "ok", figure, f"{figure['repeated rows']} of {len(names)} transfer rows repeat another row.")


def duplicate_share(names: Names) -> float:
    """The share of rows with a duplicate in the same set: how often rows are equal by chance."""
    _, first, counts = np.unique(names, return_inverse=True, return_counts=True)
    return float((counts[first] > 1).mean())


def check_leak(source: str, names: Names, test: Names) -> Iterator[Finding]:
    """Find test rows that are also in another set.

    Args:
        source: description of the other set, for the sentence.
        names: content names of the rows of the other set.
        test: content names of the test rows.
    """
    shared = int(np.isin(test, names).sum())
    by_chance = duplicate_share(names)
    figure = {"shared rows": shared, "test rows": len(test), "twins inside the other set": by_chance}
    if not shared:
        yield Finding("leak", "ok", figure, f"no test row is among the {source}.")
        return
    sentence = f"{shared} of {len(test)} test rows are also among the {source}: a measurement on them rewards memorisation."
    explained = shared / len(test) <= 2 * by_chance  # rows of a few coarse columns are equal by chance, within one set as well
    yield Finding(
        "leak", "warning" if explained else "error", figure, sentence, "Split again by row, or drop the shared rows from one of the two."
    )


def check_shift(transfer: Sample, test: Sample, seed: int) -> Iterator[Finding]:
    """Measure how well a simple model distinguishes transfer rows from test rows; an AUC of .5 means not at all."""
    parts = [rows_at(sample.inputs, _some(sample.count, seed)) for sample in (transfer, test)]
    counts = [min(SHIFT_ROWS, sample.count) for sample in (transfer, test)]
    if min(counts) < 30:
        yield Finding("shift", "note", {"rows": counts}, f"not checked: {min(counts)} rows are too few to distinguish two sets.")
        return
    second = np.repeat([False, True], counts)
    try:
        probabilities = second_set_probabilities(concatenated([readable(part) for part in parts]), second, seed)
    except (ValueError, TypeError) as error:  # rows that scikit-learn cannot process, or sets with different columns
        yield Finding("shift", "note", {"rows": counts}, f"not checked: {one_line(error)}")
        return
    area = float(roc_auc_score(second, probabilities))
    low, high = area_interval(area, *counts)
    figure = {"AUC": area, "95 %": [low, high], "rows": counts}
    measured = f"a simple model distinguishes transfer rows from test rows with an AUC of {area:.2f} (95 % {low:.2f} to {high:.2f})"
    if low > SHIFTED_AUC:
        remedy = "Draw the transfer set from the population that the student will serve, or pass the odds of such a model as sample_weight."
        yield Finding(
            "shift", "warning", figure, f"{measured}: the student is trained on a different population than it is tested on.", remedy
        )
    elif low > 0.55:
        yield Finding("shift", "note", figure, f"{measured}: a small shift.")
    else:
        yield Finding("shift", "ok", figure, f"{measured}.")


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
    """Compare the teacher's mean probability of each class on transfer rows and on test rows."""
    if not transfer.form.classes:
        return
    on_transfer, on_test = transfer.probabilities, test.probabilities
    shift = on_transfer.mean(axis=0) - on_test.mean(axis=0)
    most = int(np.abs(shift).argmax())
    significant = abs(shift[most]) > 4 * _standard_error(on_transfer[:, most], on_test[:, most])
    figure = {"class": transfer.form.classes[most], "transfer": float(on_transfer[:, most].mean()), "test": float(on_test[:, most].mean())}
    if significant and abs(shift[most]) > ANSWER_SHIFT:
        means = f"{figure['transfer']:.2f} on transfer rows and {figure['test']:.2f} on test rows"
        sentence = f"the mean probability of class {figure['class']!r} is {means}."
        yield Finding(
            "answer-shift",
            "warning",
            figure,
            sentence,
            "Weight or draw the transfer rows so that classes occur as often as they will in use.",
        )
    else:
        yield Finding("answer-shift", "ok", figure, "the teacher's mean answers are the same on transfer and test rows.")


def check_training_rows(
    transfer: SampleAnswers, test: SampleAnswers, seen: float | None, *, which: str = "transfer rows"
) -> Iterator[Finding]:
    """Check whether the teacher is more confident on the transfer rows than on test rows, as on rows that it was trained on.

    Args:
        transfer: answers to transfer rows.
        test: answers to rows that the teacher was not trained on.
        seen: the share of the transfer rows that the teacher was trained on; None if unknown.
        which: what the transfer rows are, for messages.
    """
    if not transfer.form.classes:
        return
    on_transfer, on_test = _confidence(transfer), _confidence(test)
    gain = float(on_transfer.mean() - on_test.mean())
    low = gain - 1.96 * _standard_error(on_transfer, on_test)
    figure = {
        f"confidence, {which.removesuffix(' rows')}": float(on_transfer.mean()),
        "confidence, test": float(on_test.mean()),
        "trained on": "unknown" if seen is None else seen,
    }
    measured = f"the teacher's mean confidence is {on_transfer.mean():.3f} on {which} and {on_test.mean():.3f} on test rows"
    if low > SHARPER and seen != 0.0:
        cause = "as on rows that it was trained on" if seen is None else f"and it was trained on {seen:.0%} of the {which}"
        remedy = (
            "Use other transfer rows, or answers of teachers that were not trained on the row: DistilledClassifier(..., out_of_fold=5) "
            "fits an unfitted teacher by folds."
        )
        yield Finding("own-rows", "warning", figure, f"{measured}, {cause}: its answers there are nearly hard labels.", remedy)
    elif seen:
        yield Finding(
            "own-rows",
            "note",
            figure,
            f"the teacher was trained on {seen:.0%} of the {which}, but is not more confident there; {measured}.",
        )
    else:
        yield Finding("own-rows", "ok", figure, f"{measured}.")


def _confidence(answered: SampleAnswers) -> Floats:
    p = answered.probabilities
    return np.asarray(np.maximum(p, 1 - p).mean(axis=1) if answered.form.task == "multilabel" else p.max(axis=1))


def _standard_error(first: Floats, second: Floats) -> float:
    """Standard error of the difference of two means."""
    return float(np.sqrt(first.var() / len(first) + second.var() / len(second)))
