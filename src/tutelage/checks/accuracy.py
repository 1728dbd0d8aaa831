"""Is the teacher right about the labels, in the classes and the order that it declares?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import linear_sum_assignment

from tutelage.checks.findings import Finding, Severity
from tutelage.checks.sampling import SampleAnswers
from tutelage.core.answers import plain_or_none, shown
from tutelage.core.arrays import Floats, Integers

ENOUGH_CASES = 100
"""With fewer, what is not proven is a note: the rows are too few, and the teacher may be good."""

ROWS_A_CLASS = 20
"""Rows for each class of the teacher from which a class that never occurs is a warning."""

GAIN = 0.2
"""Mean recall that another order of classes must gain, beyond what chance gives, to be called the right one."""


def check_known(labels: NDArray[Any], classes: tuple[Any, ...]) -> Iterator[Finding]:
    """Labels that are none of the teacher's classes, and classes that no label names.

    Args:
        labels: (rows,) every label given, not only those drawn.
        classes: the teacher's.
    """
    counts = Counter(plain_or_none(label) for label in labels)
    unknown = sorted(counts.keys() - set(classes) - {None}, key=lambda label: (isinstance(label, str), label))
    missing = counts[None]
    unseen = [label for label in classes if label not in counts]
    figure = {"unknown labels": unknown, "rows without a label": missing, "classes never seen": unseen}
    if unknown:
        yield Finding("labels-known", "error", figure, _unknown(unknown, classes), _mapping(unknown, classes))
    elif missing:
        sentence = f"{missing} of {len(labels)} labels are missing."
        yield Finding("labels-known", "warning", figure, sentence, "They count in no check; give them, or leave those rows out.")
    elif unseen:
        sentence = f"no label names the teacher's classes {shown(tuple(unseen))}: what it says of them is learned and not checked."
        severity: Severity = "warning" if len(labels) >= ROWS_A_CLASS * len(classes) else "note"
        remedy = "Give rows that show them, or a teacher without them if they cannot occur."
        yield Finding("labels-known", severity, figure, sentence, remedy)
    else:
        yield Finding("labels-known", "ok", figure, "every label is one of its classes, and every class occurs.")


def _unknown(unknown: list[Any], classes: tuple[Any, ...]) -> str:
    said = f"{len(unknown)} labels are none of the teacher's classes: {shown(tuple(unknown))} are not among {shown(classes)}"
    if {str(label) for label in unknown} <= {str(label) for label in classes}:
        return f"{said}; they are the same names in another type ({type(unknown[0]).__name__} and {type(classes[0]).__name__})."
    return f"{said}."


def _mapping(unknown: list[Any], classes: tuple[Any, ...]) -> str:
    if {str(label) for label in unknown} <= {str(label) for label in classes}:
        return f"Give the labels as {type(classes[0]).__name__}, as the teacher's classes are."
    return "Map the labels to the teacher's classes, or declare the classes it was trained on; nothing is dropped silently."


def check_accuracy(asked: SampleAnswers) -> Iterator[Finding]:
    """Accuracy against the labels, beside always naming the commonest class; then the order of the classes."""
    if asked.cases is None:
        return
    p, codes = asked.cases
    right, commonest = int((p.argmax(axis=1) == codes).sum()), int(np.bincount(codes).max())
    low, high = accuracy_interval(right, len(codes))
    rate, plain = right / len(codes), commonest / len(codes)
    figure = {"accuracy": rate, "95 %": [low, high], "commonest class": plain, "cases": len(codes)}
    said = f"it is right in {rate:.1%} of {len(codes)} cases (95 % {low:.1%} to {high:.1%})"
    if high < accuracy_interval(commonest, len(codes))[0]:
        sentence = f"{said}; always naming the commonest class is right in {plain:.1%}."
        remedy = "Check that rows and labels belong together, in the same order, and the order of the classes."
        yield Finding("accuracy", "error", figure, sentence, remedy)
    elif low <= plain and not _likelier_than_shares(p, codes):
        sentence = f"{said}, which does not prove it better than always naming the commonest class ({plain:.1%})."
        remedy = "Give more labelled rows, train a better teacher, or check that rows and labels belong together."
        yield Finding("accuracy", "warning" if len(codes) >= ENOUGH_CASES else "note", figure, sentence, remedy)
    else:
        yield Finding("accuracy", "ok", figure, f"{said}.")
    if asked.form.task != "multilabel":
        yield check_order(p, codes, asked.form.classes)


def accuracy_interval(right: int, rows: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion."""
    interval = stats.binomtest(right, rows).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def _likelier_than_shares(p: Floats, codes: Integers) -> bool:
    """Whether the labels are likelier under the teacher than under the shares of the other rows' labels.

    A teacher of a rare class names it seldom or never, and may know a lot all the same.
    """
    shares = np.bincount(codes)[codes] / (len(codes) - 1 + p.shape[1])  # each row left out, every class seen once more
    gain = np.log(np.maximum(p[np.arange(len(codes)), codes], 1e-6)) - np.log(shares)
    return bool(gain.mean() > 2 * gain.std() / np.sqrt(len(gain)))


def check_order(p: Floats, codes: Integers, classes: tuple[Any, ...]) -> Finding:
    """Whether another order of the classes explains the labels far better than the declared one.

    The columns are matched to the labels by the assignment that makes the confusion matrix's trace largest. It is
    believed where the classes that it moves gain much mean recall, and more than a chance assignment could.
    """
    size = len(classes)
    confusion = np.bincount(p.argmax(axis=1) * size + codes, minlength=size * size).reshape(size, size)
    _, best = linear_sum_assignment(-(confusion + np.eye(size) / (2 * size)))  # where nothing speaks for a move, none
    columns, of_label, counts = np.arange(size), np.argsort(best), confusion.sum(axis=0)
    moved = (best != columns) & (counts > 0)
    if counts[moved].sum() >= max(5 * moved.sum(), 1):  # fewer rows fit many an order by chance
        declared = float((confusion[columns, columns][moved] / counts[moved]).mean())
        better = float((confusion[of_label, columns][moved] / counts[moved]).mean())
        if better - declared > max(GAIN, 4 / np.sqrt(counts[moved].sum())):
            order = tuple(classes[label] for label in best)
            figure = {"declared": list(classes), "by confusion": list(order), "recall declared": declared, "recall by confusion": better}
            sentence = f"the labels fit another order of classes: recall of the classes that move goes from {declared:.1%} to {better:.1%}."
            return Finding("class-order", "error", figure, sentence, f"Declare classes={order if size <= 20 else 'as in the figure'}.")
    return Finding("class-order", "ok", {"classes": size}, "no other order of classes explains the labels better.")
