"""A seeded sample of rows, and what the teacher says about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tutelage.checks.findings import Finding
from tutelage.core.answers import AnswerForm, plain
from tutelage.core.arrays import Floats, Integers, check_finite
from tutelage.core.contracts import Teacher
from tutelage.core.errors import LabelMismatch, ShapeError, TutelageError
from tutelage.data.rows import Rows, as_rows

BLOCK_ROWS = 65_536
"""Rows of a Parquet file read at a time."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows drawn from more rows.

    Attributes:
        inputs: the rows, as the teacher takes them.
        count: how many were drawn.
        of_count: how many there were.
        labels: the truth about them, if it was given, as `truth_of` shapes it.
        all_labels: the truth about all rows.
    """

    inputs: Any
    count: int
    of_count: int
    labels: NDArray[Any] | None = None
    all_labels: NDArray[Any] | None = None


@dataclass(frozen=True, eq=False)
class SampleAnswers:
    """A sample and the teacher's checked answers to it."""

    sample: Sample
    form: AnswerForm
    answers: Floats

    @cached_property
    def probabilities(self) -> Floats:
        """(rows, classes) at temperature 1, in float64; for classifiers."""
        return self.form.probabilities(self.answers.astype(np.float64))

    @cached_property
    def log_probs(self) -> Floats:
        """(rows, classes); -inf where a class cannot be. For classifiers."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.probabilities))

    @cached_property
    def cases(self) -> tuple[Floats, Integers] | None:
        """(cases, classes) probabilities and (cases,) the true column, or None where no label is known.

        One case a row; for multilabel one case a row and label, with the two classes off and on. Rows whose label
        is none of the teacher's classes are left out.
        """
        labels = self.sample.labels
        if labels is None or self.form.task == "regression":
            return None
        if self.form.task == "multilabel":
            on = self.probabilities.reshape(-1)
            return np.column_stack([1 - on, on]), labels.reshape(-1).astype(np.int64)
        codes = label_codes(labels, self.form.classes)
        known = codes >= 0
        return (self.probabilities[known], codes[known]) if known.any() else None


def truth_of(labels: ArrayLike, form: AnswerForm) -> NDArray[Any]:
    """Labels as an array of the shape that the teacher's task needs.

    Returns:
        (rows,) labels; (rows, labels) zeros and ones for multilabel; (rows, outputs) values for regression.

    Raises:
        ShapeError: another shape. BadInput: values that are NaN or infinite, multilabel truth that is not 0 or 1.
    """
    truth = np.asarray(labels)
    if form.task == "regression":
        return _true_values(truth)
    if form.task == "multilabel":
        return _true_labels(truth, len(form.classes))
    truth = truth.reshape(-1) if truth.ndim == 2 and truth.shape[1] == 1 else truth
    if truth.ndim != 1:
        raise ShapeError(f"labels of shape {truth.shape}; expected one label a row. Pass labels.argmax(axis=1) if they are one-hot.")
    return truth


def _true_values(truth: NDArray[Any]) -> NDArray[Any]:
    if truth.ndim not in (1, 2) or truth.dtype.kind not in "biuf":
        raise ShapeError(f"the true values are {truth.dtype} of shape {truth.shape}; expected numbers, one a row or a column an output.")
    return check_finite(truth.reshape(len(truth), -1), "the true values")


def _true_labels(truth: NDArray[Any], columns: int) -> NDArray[Any]:
    truth = truth.reshape(-1, 1) if truth.ndim == 1 else truth
    if truth.ndim != 2 or truth.shape[1] != columns or not np.isin(truth, (0, 1)).all():
        raise ShapeError(f"labels of shape {truth.shape}; expected 0 or 1 in {columns} columns, one for each label.")
    return truth


def draw(data: Any, labels: ArrayLike | None, form: AnswerForm, *, rows: int, seed: int) -> Sample:
    """At most `rows` rows of `data`, drawn without replacement, with their labels.

    Raises:
        ShapeError: labels and rows differ in number, or as `truth_of`. BadInput: what is no rows.
    """
    source = as_rows(data)
    truth = None if labels is None else truth_of(labels, form)
    if truth is not None and len(truth) != source.count:
        raise ShapeError(f"{len(truth)} labels for {source.count} rows; expected one a row, in the order of the rows.")
    if rows >= source.count:
        return Sample(source.part(0, source.count), source.count, source.count, truth, truth)
    places = np.sort(np.random.default_rng(seed).choice(source.count, rows, replace=False))
    return Sample(_gathered(source, places), rows, source.count, None if truth is None else truth[places], truth)


def _gathered(source: Rows, places: NDArray[np.intp]) -> Any:
    """The rows at these places; of a Parquet file, a block at a time."""
    block = BLOCK_ROWS if source.kind == "Parquet file" else source.count
    parts = []
    for start in range(0, source.count, block):
        inside = places[(places >= start) & (places < start + block)]
        if len(inside):
            parts.append(taken(source.part(start, min(start + block, source.count)), inside - start))
    return joined(parts)


def taken(inputs: Any, places: NDArray[np.intp]) -> Any:
    """The rows at these places, in this order, in the form they came in."""
    if hasattr(inputs, "iloc"):
        return inputs.iloc[places]
    if isinstance(inputs, list | tuple):
        return [inputs[place] for place in places]
    return inputs[places]


def joined(parts: list[Any]) -> Any:
    """Parts of one kind as one."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if hasattr(first, "iloc"):
        import pandas as pd

        return pd.concat(parts, ignore_index=True)
    if isinstance(first, list):
        return [row for part in parts for row in part]
    if hasattr(first, "tocsr"):
        from scipy import sparse

        return sparse.vstack(parts).tocsr()
    return np.concatenate([np.asarray(part) for part in parts])


def ask(teacher: Teacher, sample: Sample) -> SampleAnswers | Finding:
    """The checked answers, or the one finding that says why there are none."""
    try:
        answers = teacher.form.check(teacher.answer(sample.inputs), sample.count)
    except Exception as error:  # a teacher may be anyone's code: whatever it raises is a finding
        said = (
            str(error)
            if isinstance(error, TutelageError)
            else f"asked about {sample.count} rows, it raised {type(error).__name__}: {error}"
        )
        return Finding("answers", "error", {"error": type(error).__name__, "rows": sample.count}, said, REMEDY_FOR_NO_ANSWERS)
    return SampleAnswers(sample, teacher.form, answers)


REMEDY_FOR_NO_ANSWERS = "Mend this first; no check that needs the teacher's answers was made."


def label_codes(labels: NDArray[Any], classes: tuple[Any, ...]) -> Integers:
    """(rows,) the column of each label, -1 for one that is none of the classes."""
    column = {label: place for place, label in enumerate(classes)}
    return np.array([column.get(plain_or_none(label), -1) for label in labels], dtype=np.int64)


def plain_or_none(label: Any) -> Any:
    """A label as a plain value, None for one that can name no class (missing, NaN, a list)."""
    try:
        return plain(label)
    except LabelMismatch:
        return None
