"""Is the teacher right about the labels, in the classes and the order that it declares?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import linear_sum_assignment

from tutelage.core.answers import shown
from tutelage.core.arrays import Floats, Integers
from tutelage.teachers.preflight.asking import Asked, plain_or_none
from tutelage.teachers.preflight.findings import Finding

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
        yield Finding(
            "labels-known",
            "warning",
            figure,
            f"{missing} of {len(labels)} labels are missing.",
            "Leave those rows out of what is judged by labels.",
        )
    elif unseen:
        sentence = f"no label names the teacher's classes {shown(tuple(unseen))}: what it says of them is learned and not checked."
        yield Finding(
            "labels-known", "warning", figure, sentence, "Give rows that show them, or a teacher without them if they cannot occur."
        )
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


def check_accuracy(asked: Asked) -> Iterator[Finding]:
    """Accuracy against the labels, beside always naming the commonest class; then the order of the classes."""
    if asked.cases is None:
        return
    p, codes = asked.cases
    right = int((p.argmax(axis=1) == codes).sum())
    low, high = accuracy_interval(right, len(codes))
    commonest = float(np.bincount(codes).max() / len(codes))
    figure = {"accuracy": right / len(codes), "95 %": [low, high], "commonest class": commonest, "cases": len(codes)}
    said = f"it is right in {right / len(codes):.1%} of {len(codes)} cases (95 % {low:.1%} to {high:.1%})"
    if high < commonest:
        sentence = f"{said}; always naming the commonest class is right in {commonest:.1%}."
        yield Finding(
            "accuracy",
            "error",
            figure,
            sentence,
            "Check that rows and labels belong together, in the same order, and the order of the classes.",
        )
    elif low <= commonest and not _likelier_than_shares(p, codes):
        sentence = f"{said}, no better than always naming the commonest class ({commonest:.1%})."
        yield Finding("accuracy", "warning", figure, sentence, "Train a better teacher, or check that rows and labels belong together.")
    else:
        yield Finding("accuracy", "ok", figure, f"{said}.")
    if asked.form.task != "multilabel":
        yield check_order(p, codes, asked.form.classes)


def accuracy_interval(right: int, rows: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion."""
    interval = stats.binomtest(right, rows).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def _likelier_than_shares(p: Floats, codes: Integers) -> bool:
    """Whether the labels are likelier under the teacher than under the classes' shares, as for a rare class."""
    gain = np.log(np.maximum(p[np.arange(len(codes)), codes], 1e-6)) - np.log(np.bincount(codes)[codes] / len(codes))
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
    if moved.any():
        declared = float((confusion[columns, columns][moved] / counts[moved]).mean())
        better = float((confusion[of_label, columns][moved] / counts[moved]).mean())
        if better - declared > max(GAIN, 4 / np.sqrt(counts[moved].sum())):
            order = tuple(classes[label] for label in best)
            figure = {"declared": list(classes), "by confusion": list(order), "recall declared": declared, "recall by confusion": better}
            sentence = f"the labels fit another order of classes: recall of the classes that move goes from {declared:.1%} to {better:.1%}."
            return Finding("class-order", "error", figure, sentence, f"Declare classes={order if size <= 20 else 'as in the figure'}.")
    return Finding("class-order", "ok", {"classes": size}, "no other order of classes explains the labels better.")
