"""Check the teacher's accuracy against the true labels, and the classes and their order that it declares."""

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
from tutelage.core.answer_values.class_names import list_classes
from tutelage.core.answers import plain_or_none
from tutelage.core.arrays import Floats, Integers
from tutelage.core.quantities import percent
from tutelage.data.truth.position_truth import VOID

ENOUGH_CASES = 100
"""With fewer cases, an accuracy that is not proven better than chance is a note only: the teacher may be good."""

MOST_NAMED = 100
"""The most classes that are named in a finding's figures."""

ROWS_A_CLASS = 20
"""From this many rows for each class of the teacher on, a class that never occurs is a warning."""

MOST_CLASSES = 1000
"""With more classes, whose pairs would fill the memory, their order is not checked."""

GAIN = 0.2
"""Gain in mean recall, beyond what chance explains, from which another order of classes is reported as the right one."""


_TYPES = {"str": "text", "int": "number", "float": "number", "bool": "boolean"}


def check_known(labels: NDArray[Any], classes: tuple[Any, ...]) -> Iterator[Finding]:
    """Find labels that are not among the teacher's classes, and classes that no label names.

    Args:
        labels: (rows,) all true labels, not only those of the sample.
        classes: the teacher's classes.
    """
    counts = Counter(plain_or_none(label) for label in labels)
    unknown = sorted(counts.keys() - set(classes) - {None}, key=lambda label: (isinstance(label, str), label))
    missing = counts[None]
    unseen = [label for label in classes if label not in counts]
    figure = {"unknown labels": unknown[:MOST_NAMED], "rows without a label": missing, "classes never seen": unseen[:MOST_NAMED]}
    if unknown:
        yield Finding("labels-known", "error", figure, _unknown(unknown, classes), _mapping(unknown, classes))
    elif missing:
        sentence = f"{missing} of {len(labels)} labels are missing; the checks against labels skip these rows."
        yield Finding("labels-known", "warning", figure, sentence, "Supply the labels, or leave those rows out.")
    elif unseen:
        sentence = f"no label names the teacher's classes {list_classes(tuple(unseen))}: its answers about them cannot be checked."
        severity: Severity = "warning" if len(labels) >= ROWS_A_CLASS * len(classes) else "note"
        remedy = "Add rows of these classes, or use a teacher without them if they cannot occur."
        yield Finding("labels-known", severity, figure, sentence, remedy)
    else:
        yield Finding("labels-known", "ok", figure, "every label is one of the teacher's classes, and every class occurs.")


def _unknown(unknown: list[Any], classes: tuple[Any, ...]) -> str:
    sentence = (
        f"{len(unknown)} labels are not among the teacher's classes: {list_classes(tuple(unknown))} are not in {list_classes(classes)}"
    )
    if {str(label) for label in unknown} <= {str(label) for label in classes}:
        return f"{sentence}; they are the same names in another type ({type(unknown[0]).__name__} and {type(classes[0]).__name__})."
    return f"{sentence}."


def _mapping(unknown: list[Any], classes: tuple[Any, ...]) -> str:
    if {str(label) for label in unknown} <= {str(label) for label in classes}:
        kind = type(classes[0]).__name__
        return f"Pass the labels as {kind}, the type of the teacher's classes; of a file, declare it (--dtype COLUMN={_TYPES[kind]})."
    if unknown == [255]:
        return VOID
    return "Map the labels to the teacher's classes, or declare the classes that it was trained on; no label is dropped silently."


def check_accuracy(answered: SampleAnswers) -> Iterator[Finding]:
    """Compare the accuracy with that of always naming the most common class; then check the order of the classes."""
    if answered.cases is None:
        return
    p, codes = answered.cases
    right, commonest = int((p.argmax(axis=1) == codes).sum()), int(np.bincount(codes).max())
    low, high = accuracy_interval(right, len(codes))
    accuracy, majority = right / len(codes), commonest / len(codes)
    figure = {"accuracy": accuracy, "95 %": [low, high], "commonest class": majority, "cases": len(codes)}
    who = "the teacher's most probable class" if answered.decided_otherwise else "the teacher"
    measured = f"{who} is right in {percent(accuracy)} of {len(codes)} cases (95 % {percent(low)} to {percent(high)})"
    if high < accuracy_interval(commonest, len(codes))[0]:
        sentence = f"{measured}; always naming the most common class is right in {percent(majority)}."
        remedy = "Check that rows and labels belong together, in the same order, and the order of the classes."
        yield Finding("accuracy", "error", figure, sentence, remedy)
    elif low <= majority and not _likelier_than_shares(p, codes):
        sentence = f"{measured}, which does not prove it better than always naming the most common class ({percent(majority)})."
        remedy = "Pass more labelled rows, train a better teacher, or check that rows and labels belong together."
        yield Finding("accuracy", "warning" if len(codes) >= ENOUGH_CASES else "note", figure, sentence, remedy)
    elif low <= majority:
        sentence = (
            f"{measured}, no better than always naming the most common class ({percent(majority)}); its probabilities do tell the "
            "rows apart."
        )
        remedy = "Use its probabilities and not its decisions: distil them, and judge the student by its log-likelihood."
        yield Finding("accuracy", "note", figure, sentence, remedy)
    else:
        yield Finding("accuracy", "ok", figure, f"{measured}; always naming the most common class is right in {percent(majority)}.")
    if answered.form.task != "multilabel":
        yield check_order(p, codes, answered.form.classes)


def check_decisions(answered: SampleAnswers) -> Iterator[Finding]:
    """Find a teacher that decides by a rule of its own, such as a tuned threshold: a student learns its probabilities, not the rule."""
    rows, count = answered.decided_otherwise, answered.sample.count
    if not rows:
        return
    figure: dict[str, Any] = {"rows decided otherwise": rows, "rows": count}
    sentence = f"the teacher's own decisions (predict) are not its most probable classes in {rows:,} of {count:,} rows"
    if answered.cases is not None:
        codes = answered.cases[1]
        figure["accuracy"] = float((answered.case_decisions == codes).mean())
        sentence += f", and right in {percent(figure['accuracy'])} of {len(codes):,} cases"
    sentence += "; a student learns its probabilities, and decides for the most probable class."
    yield Finding("decisions", "note", figure, sentence, "Let the student decide by the same rule: put the same threshold around it.")


def accuracy_interval(right: int, rows: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion."""
    interval = stats.binomtest(right, rows).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def _likelier_than_shares(p: Floats, codes: Integers) -> bool:
    """Whether the labels are more likely under the teacher than under the class shares of the other rows.

    A teacher of a rare class predicts it rarely or never, and may still rank the rows well.
    """
    shares = np.bincount(codes)[codes] / (len(codes) - 1 + p.shape[1])  # leave one out, with one added count per class
    gain = np.log(np.maximum(p[np.arange(len(codes)), codes], 1e-6)) - np.log(shares)
    return bool(gain.mean() > 2 * gain.std() / np.sqrt(len(gain)))


def check_order(p: Floats, codes: Integers, classes: tuple[Any, ...]) -> Finding:
    """Check whether another order of the classes explains the labels far better than the declared one.

    Columns are matched to labels by the assignment that maximises the trace of the confusion matrix. The match counts
    only if the classes that it moves gain much mean recall, and more than an assignment by chance would.
    """
    size = len(classes)
    if size > MOST_CLASSES:
        return Finding("class-order", "note", {"classes": size}, f"not checked: there are more than {MOST_CLASSES:,} classes.")
    confusion = np.bincount(p.argmax(axis=1) * size + codes, minlength=size * size).reshape(size, size)
    _, best = linear_sum_assignment(-(confusion + np.eye(size) / (2 * size)))  # a tie leaves a class in its place
    columns, of_label, counts = np.arange(size), np.argsort(best), confusion.sum(axis=0)
    moved = (best != columns) & (counts > 0)
    if counts[moved].sum() >= max(5 * moved.sum(), 1):  # with fewer rows many orders fit by chance
        declared = float((confusion[columns, columns][moved] / counts[moved]).mean())
        better = float((confusion[of_label, columns][moved] / counts[moved]).mean())
        if better - declared > max(GAIN, 4 / np.sqrt(counts[moved].sum())):
            order = tuple(classes[label] for label in best)
            figure = {"declared": list(classes), "by confusion": list(order), "recall declared": declared, "recall by confusion": better}
            sentence = (
                f"the labels fit another order of classes: the recall of the moved classes rises from {percent(declared)} to "
                f"{percent(better)}."
            )
            return Finding("class-order", "error", figure, sentence, _reordered(classes, order))
    return Finding("class-order", "ok", {"classes": size}, "no other order of classes explains the labels better.")


def _reordered(classes: tuple[Any, ...], order: tuple[Any, ...]) -> str:
    rename = {old: new for old, new in zip(classes, order, strict=True) if old != new}
    many = len(classes) > 20
    return (
        f"Declare classes={'as in the figure' if many else order} to as_teacher; a model that stores its class names is put right by "
        f"relabelled(teacher, {'classes' if many else classes}, rename={'from declared to by confusion' if many else rename})."
    )
