"""The comparison of an exported network of several inputs, or whose answers have positions, with its student."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats, confidence_of
from tutelage.core.errors import FOREIGN, ParityError, require
from tutelage.core.position_answers import PositionAnswers
from tutelage.core.records import Parity
from tutelage.data.structures.network_answers import answers_to, pad_token_of, padded_with
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.structured import MASK, StructuredRows, mask_of
from tutelage.exporters.arrays.graph import answers_taken
from tutelage.exporters.arrays.subject import ArraysSubject, plain
from tutelage.exporters.proof.as_given import LARGEST_OF_ROUNDING, OF_ROUNDING, TOLERANCE, sizes_of
from tutelage.exporters.subject.threshold import deferred_rows
from tutelage.teachers.adapt import as_teacher

ROWS = 1000
"""Rows that are compared if not told otherwise."""
COMPARISONS = ("rows in batches", "a row alone", "rows cut to fewer tokens", "padded further")
ALONE = 10
"""Rows that are compared one by one, cut to fewer tokens, and padded further."""


def proof_of(content: bytes, subject: ArraysSubject, rows: StructuredRows, most: int | None) -> Parity:
    """Compare a file with its student: rows in batches, alone, cut to every length, and padded further than they need to be.

    Args:
        content: the file, as it will be written.
        subject: its student.
        rows: some rows.
        most: how many of them are compared; `ROWS` if None.

    Raises:
        ParityError: answers, decisions or the rows left to a teacher differ by more than rounding errors.
    """
    runtime, form = require("onnxruntime"), subject.form
    file = as_teacher(content)
    places = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most or ROWS)).astype(np.intp))
    worst, where, changed, deferrals, edges, allowed = 0.0, "", 0, 0, 0, TOLERANCE
    for name, given, expected in _groups(rows[places], pad_token_of(subject.network)):
        found, deferred = _of_file(file, plain(given), subject.threshold)
        theirs, ours = _matrix(found), _matrix(subject.answers(expected))
        if theirs.shape != ours.shape:
            raise ParityError(
                f"the exported file's answers have shape {theirs.shape} and the student's {ours.shape}, {name}; nothing was written. "
                "Please report this."
            )
        gaps = _gaps(theirs, ours, form)
        if gaps.max(initial=0.0) > allowed:
            allowed = max(allowed, min(OF_ROUNDING * _own_rounding(subject, expected, ours), LARGEST_OF_ROUNDING * TOLERANCE))
        if not np.isfinite(gaps).all() or gaps.max(initial=0.0) > allowed:
            padding = " The answers of this network change with the padding of a row." if name == "padded further" else ""
            raise ParityError(
                f"the exported file differs from its student in onnxruntime: its answers differ by {gaps.max():.3g} (allowed "
                f"{allowed:.3g}), {name}; nothing was written.{padding}"
            )
        changed += _changed(theirs, ours, form, name, allowed)
        if deferred is not None and subject.threshold is not None:
            deferrals += _deferrals_changed(deferred, ours, form.task, subject.threshold, name, allowed)
        edges += 0 if name == "rows in batches" else len(given)
        if gaps.max(initial=0.0) > worst:
            worst, where = float(gaps.max()), name
    of_threshold = None if subject.threshold is None else deferrals
    runtime_named = f"onnxruntime {runtime.__version__}"
    return Parity(len(places), edges, worst, allowed, changed, (), where, runtime_named, deferrals_changed=of_threshold)


def _of_file(file: Any, rows: Any, threshold: float | None) -> tuple[Any, NDArray[np.bool_] | None]:
    """The answers of a file, and which rows one with a threshold leaves to the teacher."""
    if threshold is None:
        return file.answer(rows), None
    answers, _, deferred = file.answer_and_decide(rows)
    return answers, deferred


def _gaps(theirs: Floats, ours: Floats, form: AnswerForm) -> Floats:
    """(answers,) the largest difference of each answer: of a value, relative to the larger of itself and the size of ordinary ones."""
    scale = 1.0 if form.task != "regression" else sizes_of(form, ours.astype(np.float64).reshape(-1, 1))
    gaps: Floats = (np.abs(theirs.astype(np.float64) - ours) / np.maximum(scale, np.abs(ours))).max(axis=1, initial=0.0)
    return gaps


def _own_rounding(subject: ArraysSubject, rows: StructuredRows, ours: Floats) -> float:
    """By how much the student's answers, and those that torch makes of its logits as the file does, differ from those in double precision.

    A sum over thousands of classes loses more in single precision than the logits do. 0 where the network computes in single alone.
    """
    output = partial(answers_taken, output=subject.output, form=subject.form)
    try:
        networks = subject.network, copy.deepcopy(subject.network).double()
        single, exact = (_matrix(answers_to(each, rows, positions=subject.form.positions, output=output)) for each in networks)
    except FOREIGN:  # whatever the code of the network raises
        return 0.0
    gaps = np.concatenate([_gaps(exact, each, subject.form) for each in (ours, single)])
    return float(np.nan_to_num(gaps, nan=0.0, posinf=0.0).max(initial=0.0))


def _groups(rows: StructuredRows, pad_token: int | None) -> Iterator[tuple[str, StructuredRows, StructuredRows]]:
    """The name of each comparison, what the file is given, and what the student is given."""
    batches, alone, cut, padded = COMPARISONS
    yield batches, rows, rows
    few = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), ALONE)).astype(np.intp))
    for place in few:
        yield alone, rows[[place]], rows[[place]]
    if not any(isinstance(field, Ragged) for field in rows.fields.values()):
        return
    short = replace(rows, fields={name: _cut(field, few) for name, field in rows.fields.items()})
    yield cut, short, short
    shorter = np.flatnonzero(rows.lengths < rows.lengths.max())[:ALONE]
    if MASK in rows.fields and not rows.unmasked and len(shorter):
        yield padded, _padded(padded_with(rows[shorter], pad_token), int(rows.lengths.max())), rows[shorter]


def _cut(field: Any, few: NDArray[np.intp]) -> Any:
    """Some rows of an input, each cut to another length, 1 among them."""
    chosen = field[few]
    if not isinstance(chosen, Ragged):
        return chosen
    lengths = np.minimum(chosen.lengths, 1 + np.arange(len(few)))
    inside = np.concatenate([np.arange(old) < new for old, new in zip(chosen.lengths, lengths, strict=True)])
    return Ragged(chosen.values[inside], lengths)


def _padded(rows: StructuredRows, length: int) -> StructuredRows:
    """The same rows with positions after their end that their mask leaves out: no more than other rows have, which the network takes."""
    masked = [name for name in rows.fields if mask_of(name) in rows.fields]
    return replace(rows, fields={**rows.fields, **{name: rows.padded_field(name, length) for name in masked}}, widths=None)


def _matrix(answers: Any) -> Floats:
    """(answers, columns), those of all positions of all rows."""
    return np.asarray(answers.dense() if isinstance(answers, PositionAnswers) else answers)


def _changed(theirs: Floats, ours: Floats, form: AnswerForm, name: str, allowed: float) -> int:
    """How many decisions differ, where the student itself is undecided within what is allowed.

    Raises:
        ParityError: others differ.
    """
    if form.task == "regression" or not len(ours):
        return 0
    if form.task == "multilabel":
        differ = (theirs > 0.5) != (ours > 0.5)
        undecided = np.abs(ours - 0.5) <= 2 * allowed
    else:
        one, other = theirs.argmax(axis=1), ours.argmax(axis=1)
        places = np.arange(len(ours))
        differ, undecided = one != other, np.abs(ours[places, one] - ours[places, other]) <= 2 * allowed
    if (differ & ~undecided).any():
        raise ParityError(f"the exported file decides otherwise than its student, {name}; nothing was written. Please report this.")
    return int(differ.sum())


def _deferrals_changed(deferred: NDArray[np.bool_], ours: Floats, task: str, threshold: float, name: str, allowed: float) -> int:
    """How many rows only one of file and student leaves to the teacher, where the confidence is at the threshold within what is allowed.

    Raises:
        ParityError: others do.
    """
    differ = deferred != deferred_rows(ours, task, threshold)
    near = np.abs(confidence_of(ours, task) - threshold) <= allowed
    if (differ & ~near).any():
        raise ParityError(
            f"the exported file leaves other rows to the teacher than those below the threshold, {name}; nothing was written. "
            "Please report this."
        )
    return int(differ.sum())
