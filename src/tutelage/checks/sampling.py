"""Draw a seeded sample of rows, and query the teacher with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tutelage.checks.awkward_columns import table_columns
from tutelage.checks.findings import Finding
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm, label_column
from tutelage.core.arrays import Floats, Integers
from tutelage.core.contracts import Teacher
from tutelage.core.errors import FOREIGN, TutelageError
from tutelage.data.rows import Rows, as_rows
from tutelage.data.schema import Column, Schema
from tutelage.data.structures.given_answers import checked_answers
from tutelage.data.structures.row_parts import concatenated, rows_at
from tutelage.data.structures.structured import StructuredRows
from tutelage.data.truth.given_truth import by_position, given_truth, in_words
from tutelage.data.truth.position_truth import ignored_names, names_of_positions
from tutelage.teachers.decisions import Decisions, decided_by

MOST_CELLS = 8_000_000
"""The most numbers of answers that are looked at: 64 MB in float64, of which some checks make several copies."""

FEWEST_ROWS = 50
"""So many rows are looked at, however many numbers their answers have."""

BLOCK_ROWS = 65_536
"""Rows of a Parquet file read at a time."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A random sample of rows.

    Attributes:
        inputs: the rows, in the container that they came in.
        count: number of rows in the sample.
        of_count: number of rows that it was drawn from.
        labels: the ground truth of the sample, if given: (rows,) class labels as passed, or as `AnswerForm.truth` returns it; the labels of
            positions as `Ragged`.
        all_labels: the ground truth of all rows, or of all their positions that count.
    """

    inputs: Any
    count: int
    of_count: int
    labels: Any = None
    all_labels: NDArray[Any] | None = None


@dataclass(frozen=True, eq=False)
class SampleAnswers:
    """A sample and the teacher's answers to it.

    Attributes:
        sample: the rows.
        form: of the answers.
        answers: checked: (rows, columns), `PositionAnswers` or `TopAnswers`.
        decided: (rows,) columns, or (rows, labels) of 0 and 1, by a rule of the teacher's own; None if it has none.
    """

    sample: Sample
    form: AnswerForm
    answers: Any
    decided: Decisions | None = None

    @cached_property
    def probabilities(self) -> Floats:
        """(rows, classes) at temperature 1, in float64; for classifiers."""
        if isinstance(self.answers, TopAnswers):
            return np.asarray(np.exp(self.answers.dense().astype(np.float64)))
        return self.form.probabilities(self.answers.astype(np.float64))

    @cached_property
    def log_probs(self) -> Floats:
        """(rows, classes); -inf for a probability of 0. For classifiers."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.probabilities))

    @cached_property
    def decisions(self) -> Integers:
        """(rows,) columns, or (rows, labels) of 0 and 1: by the teacher's own rule, else its most probable classes. For classifiers."""
        return self.most_probable if self.decided is None else self.decided

    @property
    def decided_otherwise(self) -> int:
        """The number of rows whose most probable class, or labels, the teacher does not decide for. For classifiers."""
        return 0 if self.decided is None else int((self.decided != self.most_probable).reshape(len(self.decided), -1).any(axis=1).sum())

    @cached_property
    def most_probable(self) -> Integers:
        """(rows,) the most probable class, or (rows, labels) of 0 and 1 whether a label is more likely on than off. For classifiers."""
        return (self.probabilities > 0.5).astype(np.int64) if self.form.task == "multilabel" else self.probabilities.argmax(axis=1)

    @cached_property
    def cases(self) -> tuple[Floats, Integers] | None:
        """(cases, classes) probabilities and (cases,) the true column, or None if no label is known.

        One case per row; for multilabel one case per row and label, with the two classes off and on. Rows with a label
        that is not among the teacher's classes are left out.
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

    @cached_property
    def case_decisions(self) -> Integers:
        """(cases,) the column that the teacher decides for, where there are `cases`."""
        if self.form.task == "multilabel":
            return self.decisions.reshape(-1)
        return self.decisions[self.form.codes(self.sample.labels, unknown="mark") >= 0]


def draw(data: Any, labels: ArrayLike | None, form: AnswerForm, *, rows: int, seed: int) -> Sample:
    """Draw at most `rows` rows of `data` without replacement, with their labels.

    Raises:
        ShapeError: labels and rows differ in number, or as in `AnswerForm.truth`.
        BadInput: `data` is not a table of rows, or as in `AnswerForm.truth`. A label that is not among the classes is accepted.
    """
    source = as_rows(data, by_position=by_position(form))
    labels = given_truth(data, labels, form)
    if labels is None and source.paired is not None:
        source, labels = _read(source)
        labels = labels if labels is None else in_words(labels, data, form)
    if form.positions is not None:
        return _draw_with_positions(source, labels, form, rows=rows, seed=seed)
    one_class = form.task in ("binary", "multiclass")
    rows = min(rows, most_rows(form))
    truth = None
    if labels is not None:  # a label that is not among the classes is a finding, not an error
        truth = label_column(labels, source.count) if one_class else form.truth(labels, source.count)
    if rows >= source.count:
        return Sample(source.part(0, source.count), source.count, source.count, truth, truth)
    places = np.sort(np.random.default_rng(seed).choice(source.count, rows, replace=False))
    return Sample(_gathered(source, places), rows, source.count, None if truth is None else truth[places], truth)


def _read(source: Rows) -> tuple[Rows, Any]:
    """The rows of a Dataset and their ground truth, read together, once, if its first row has one; else as they are, and None."""
    if source.paired is None or source.paired(0, 1)[1] is None:
        return source, None
    inputs, labels = source.paired(0, source.count)
    return as_rows(inputs), labels


def most_rows(form: AnswerForm, positions: float = 1.0) -> int:
    """The most rows whose answers are looked at, so that they take at most `MOST_CELLS` numbers; at least 50.

    Args:
        form: of the answers.
        positions: the number of positions of a row.
    """
    return max(FEWEST_ROWS, int(MOST_CELLS / (max(len(form.classes), 1) * max(positions, 1.0))))


def _draw_with_positions(source: Rows, labels: Any, form: AnswerForm, *, rows: int, seed: int) -> Sample:
    whole = source.part(0, source.count)
    truth = None if labels is None else names_of_positions(labels, form, whole)
    counting = None if truth is None else truth.values[~ignored_names(truth.values)]
    rows = min(rows, source.count, most_rows(form, _positions_of_a_row(whole, form.positions)))
    places = np.arange(source.count)
    if rows < source.count:
        places = np.sort(np.random.default_rng(seed).choice(source.count, rows, replace=False))
    return Sample(rows_at(whole, places), rows, source.count, None if truth is None else truth[places], counting)


def _positions_of_a_row(rows: Any, positions: str | None) -> float:
    """About how many positions a row has, from its shape; 1 if that says nothing."""
    if isinstance(rows, StructuredRows):
        if rows.lengths.any():
            return float(rows.lengths.mean())
        shapes = [field.shape for field in rows.fields.values() if isinstance(field, np.ndarray)]
    else:
        shapes = [tuple(getattr(rows, "shape", ()))]
    axes = 1 if positions == "tokens" else 2
    sizes = [np.prod(shape[1 : 1 + axes] if axes == 1 else shape[-axes:]) for shape in shapes if len(shape) > axes]
    return float(max(sizes, default=1.0))


def arranged_like(data: Any, other: Any, drop: Sequence[str]) -> Any:
    """Other rows in the columns of the data, matched by name, so that equal rows have equal names.

    Args:
        data: the rows whose columns are expected.
        other: rows of the same table; None remains None.
        drop: names of columns that the other rows may lack, or hold in other types.

    Raises:
        BadInput: they lack another column, or hold cells of another type there.
    """
    schema = as_rows(data).schema
    if other is None or schema is None or schema.names is None:
        return other
    rows = as_rows(other)
    given = () if rows.schema is None else rows.schema.names or ()
    shared = (column for column in schema.columns if column.name not in drop or column.name in given)
    expected = Schema(tuple(Column(column.name, "any") if column.name in drop else column for column in shared))
    return replace(rows, part=lambda start, stop: expected.align(rows.part(start, stop)), describe=lambda: expected)


def _gathered(source: Rows, places: NDArray[np.intp]) -> Any:
    """The rows at these positions; of a Parquet file, read block by block."""
    block = BLOCK_ROWS if source.kind == "Parquet file" else source.count
    parts = []
    for start in range(0, source.count, block):
        inside = places[(places >= start) & (places < start + block)]
        if len(inside):
            parts.append(rows_at(source.part(start, min(start + block, source.count)), inside - start))
    return concatenated(parts)


def without_columns(rows: Any, columns: tuple[str, ...]) -> Any:
    """The rows without these columns, unless nothing would be left."""
    names = [name for name, _, _ in table_columns(rows)] if columns else []
    places = [place for place, name in enumerate(names) if name not in columns]
    if not places or len(places) == len(names):
        return rows
    return rows.iloc[:, places] if hasattr(rows, "iloc") else rows[:, places]


def query_sample(teacher: Teacher, sample: Sample, *, decisions: bool = False) -> SampleAnswers | Finding:
    """The checked answers, or a finding that reports why there are none.

    Args:
        teacher: that is asked.
        sample: the rows.
        decisions: whether it is asked for its decisions too, if it has a rule of its own.
    """
    try:
        answers = checked_answers(teacher.form, teacher.answer(sample.inputs), sample.inputs, sample.count)
    except FOREIGN as error:  # a teacher is foreign code: any exception of it is a finding
        sentence = f"queried with {sample.count} rows, the teacher raised {type(error).__name__}: {error}"
        if isinstance(error, TutelageError):
            sentence = str(error)
        return Finding("answers", "error", {"error": type(error).__name__, "rows": sample.count}, sentence, REMEDY_FOR_NO_ANSWERS)
    decided = None
    if decisions and teacher.form.positions is None:
        decided = decided_by(teacher, "decide", sample.inputs, sample.count, teacher.form)
    return SampleAnswers(sample, teacher.form, answers, decided)


REMEDY_FOR_NO_ANSWERS = "Fix this first; the checks of the teacher's answers were skipped."
