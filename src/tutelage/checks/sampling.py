"""A seeded sample of rows, and what the teacher says about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tutelage.checks.findings import Finding
from tutelage.core.answers import AnswerForm, label_column
from tutelage.core.arrays import Floats, Integers
from tutelage.core.contracts import Teacher
from tutelage.core.errors import TutelageError
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
        labels: the truth about them, if it was given, (rows,) class labels as they are, or as `AnswerForm.truth` gives it.
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
        codes = self.form.codes(labels, unknown="mark")
        known = codes >= 0
        return (self.probabilities[known], codes[known]) if known.any() else None


def draw(data: Any, labels: ArrayLike | None, form: AnswerForm, *, rows: int, seed: int) -> Sample:
    """At most `rows` rows of `data`, drawn without replacement, with their labels.

    Raises:
        ShapeError, BadInput: as `AnswerForm.truth`, but for labels that are not among the classes; or no rows.
    """
    source = as_rows(data)
    one_class = form.task in ("binary", "multiclass")
    truth = None
    if labels is not None:  # a label that is not among the classes is a finding, not an error
        truth = label_column(labels, source.count) if one_class else form.truth(labels, source.count)
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
