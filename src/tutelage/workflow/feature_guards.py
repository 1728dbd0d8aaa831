"""What a student should not learn from: the truth left in as a feature, columns that the teacher does not read, identifiers, dates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.checks.awkward_columns import awkward_columns
from tutelage.core.answer_values.class_names import list_classes, plain
from tutelage.core.answers import AnswerForm, plain_or_none
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput

FAR_ABOVE_CHANCE = 0.25
"""A column of class names predicts the teacher's classes if it closes so much of the gap between the commonest class and all rows."""


def check_features(rows: Any, answers: Floats, form: AnswerForm, read: Sequence[str] = (), truth: NDArray[Any] | None = None) -> list[str]:
    """Warnings about the columns that a student is about to learn from; none for rows without column names.

    Args:
        rows: the student's rows; anything but a frame has no column names.
        answers: (rows, columns) the teacher's answers to them.
        form: of the answers.
        read: the columns that the teacher was given; empty if not known.
        truth: (rows,) the ground truth, if there is one.

    Raises:
        BadInput: a column that the teacher was not given holds its classes: the ground truth, left in as a feature.
    """
    if not hasattr(rows, "iloc"):
        return []
    names = [str(name) for name in rows.columns]
    unread = [name for name in names if read and name not in read]
    warned = []
    for place, name in enumerate(names):
        if form.classes and form.task != "multilabel" and _predicts(rows.iloc[:, place], answers, form, unread=name in unread):
            if name in unread:
                raise _truth_as_feature(name, form)
            warned.append(f"column {name!r} holds the teacher's classes and predicts them; if it is the ground truth, pass it as truth=.")
    if unread:
        listed = list_classes(tuple(unread))
        warned.append(f"the teacher was not given the columns {listed}, and the student learns from them; drop them with drop=.")
    return warned + [f"column {name!r} {reason}; drop it with drop=." for name, reason in awkward_columns(rows, truth)]


def refuse_named_classes(rows: Any, form: AnswerForm, read: Sequence[str]) -> None:
    """Refuse, before the teacher is asked, columns that it was not given and that hold its classes by names that are texts.

    Args:
        rows: the student's rows; anything but a frame has no column names.
        form: of the answers.
        read: the columns that the teacher was given; empty if not known.

    Raises:
        BadInput: as `check_features`, which finds columns of numbers too.
    """
    if not hasattr(rows, "iloc") or not read or form.task == "multilabel" or not any(isinstance(label, str) for label in form.classes):
        return
    for place, name in enumerate(map(str, rows.columns)):
        if name not in read and _codes_of_classes(rows.iloc[:, place], form):
            raise _truth_as_feature(name, form)


def _truth_as_feature(name: str, form: AnswerForm) -> BadInput:
    return BadInput(
        f"column {name!r} holds the classes {list_classes(form.classes)} and the teacher was not given it: it is the ground "
        f"truth, left in as a feature. Pass truth={name!r}, or drop={name!r} if it is something else."
    )


def _codes_of_classes(column: Any, form: AnswerForm) -> dict[Any, int]:
    """The class that each cell of a column names; empty if it holds anything else, or one class alone."""
    place = {str(label): position for position, label in enumerate(form.classes)}
    cells = [plain_or_none(cell) for cell in column.dropna().unique()[: len(form.classes) + 1]]
    as_names = [str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell) for cell in cells]
    if len(cells) < 2 or not set(as_names) <= set(place):
        return {}
    return dict(zip(cells, (place[name] for name in as_names), strict=True))


def _predicts(column: Any, answers: Floats, form: AnswerForm, *, unread: bool) -> bool:
    """Whether a column holds class names, and agrees with the teacher's answers far better than the commonest class does."""
    code = _codes_of_classes(column, form)
    if not code:
        return False
    if unread and any(isinstance(label, str) for label in form.classes):
        return True
    known = column.notna().to_numpy()
    answered = np.asarray(answers)[known].argmax(axis=1)
    agreement = float(np.mean(answered == np.array([code[plain(cell)] for cell in column[known]])))
    commonest = float(np.bincount(answered).max() / len(answered))
    return agreement > commonest + FAR_ABOVE_CHANCE * (1 - commonest)


def check_leaves(parts: tuple[int, str] | None, rows: int) -> list[str]:
    """A warning if a tree has a leaf for almost every row: it stores the rows rather than learn from them.

    Args:
        parts: the number and unit of the student's parts, from `count_parts`.
        rows: number of training rows.
    """
    if parts is None or parts[1] != "leaves" or parts[0] < 0.5 * rows or rows < 100:
        return []
    return [f"the student has {parts[0]:,} leaves for {rows:,} rows: it repeats the rows it has seen. Set max_leaf_nodes."]
