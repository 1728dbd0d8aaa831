"""What a distillation is given: a teacher and sets of rows, each parsed once into what student and teacher take."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.checks.awkward_columns import identifiers
from tutelage.checks.leaks_and_shift import names_of
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats, check_weights, is_frame, tensor_array
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, ShapeError, one_line, shown
from tutelage.core.identity.hashing import content_hash
from tutelage.data.cells import is_missing
from tutelage.data.row_arrays import array_of
from tutelage.data.row_names import Names, data_name
from tutelage.data.rows import Rows, as_rows
from tutelage.data.schema import Column, Schema
from tutelage.data.structures.row_parts import taken
from tutelage.data.structures.structured import StructuredRows
from tutelage.losses.class_weights import ClassWeight
from tutelage.softlabels.folder import LabelFolder
from tutelage.softlabels.labels import SoftLabels
from tutelage.teachers.inputs import texts_of
from tutelage.workflow.feature_guards import refuse_named_classes

SAMPLE = 2000
"""Rows in which identifiers are searched."""
REPEATED = 10
"""From so many rows for each distinct one, equal rows are taken for a chance of coarse columns, not for copies."""
ISO_8601 = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?")
"""Years, months, days and moments, as texts."""


@dataclass(frozen=True, eq=False)
class RowSet:
    """Rows of one source.

    Attributes:
        rows: as the student takes them, all in memory: a frame, an array (rows, ...), a sparse matrix, a list of texts, or several inputs.
        asked: the same rows as the teacher takes them.
        truth: (rows,) or (rows, columns) ground truth; None if it is not known.
        weights: (rows,) weights; None if all rows weigh the same. NaN for rows of a pool that come without, beside others.
        groups: (rows,) of rows that belong together, such as those of one customer, and stay on one side of a split; None if none do.
        times: (rows,) when each row was seen; the latest are tested on, and rows of the pool come before; None if it does not matter.
        numbers: (rows,) their numbers in the source; None if all rows of the source are in the set.
    """

    rows: Any
    asked: Rows
    truth: NDArray[Any] | None = None
    weights: Floats | None = None
    groups: NDArray[Any] | None = None
    times: NDArray[Any] | None = None
    numbers: NDArray[np.intp] | None = None

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.asked.count

    def __post_init__(self) -> None:
        if isinstance(self.rows, np.ndarray):
            _check_array(self.rows)
        for name, column in {"groups": self.groups, "times": self.times}.items():
            missing = 0 if column is None else sum(map(is_missing, column.tolist()))
            if missing:
                raise BadInput(f"{name} has {missing:,} missing values; expected one for each row. Fill them, or leave these rows out.")

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs of rows of several; empty for other rows."""
        return tuple(self.rows.fields) if isinstance(self.rows, StructuredRows) else ()

    def take(self, places: NDArray[np.intp]) -> RowSet:
        """Some of the rows."""
        asked = as_rows(taken(self.asked.part(0, self.count), places))
        truth, groups, times = (None if column is None else column[places] for column in (self.truth, self.groups, self.times))
        weights = None if self.weights is None else self.weights[places]
        numbers = places if self.numbers is None else self.numbers[places]
        return RowSet(taken(self.rows, places), asked, truth, weights, groups, times, numbers)

    def identity(self) -> dict[str, Any]:
        """What tells these rows from others: names of content, as plain JSON values."""
        others = {name: getattr(self, name) for name in ("truth", "weights", "groups", "times")}
        return {
            "rows": self.count,
            "columns": [str(name) for name in self.rows.columns] if is_frame(self.rows) else list(self.inputs),
            "data": data_name(self.rows),
            "asked": data_name(self.asked),
            **{name: None if value is None else content_hash(np.asarray(value)) for name, value in others.items()},
        }


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """What became of the rows that came without ground truth.

    Attributes:
        use: "pool" if the teacher labels them, "drop" if they are left out.
        numbers: (rows,) their numbers among the given rows.
        names: (rows,) names of their content.
        of: number of given rows, with ground truth and without.
        test, validation: number of test and validation rows without ground truth, which are left out.
    """

    use: str
    numbers: NDArray[np.intp]
    names: Names
    of: int
    test: int = 0
    validation: int = 0

    @property
    def left_out(self) -> dict[str, int]:
        """The rows that are left out, as counts."""
        given = {"without ground truth": len(self.numbers)} if self.use == "drop" else {}
        others = {"test": self.test, "validation": self.validation}
        return {**given, **{f"of the {name}, without ground truth": count for name, count in others.items() if count}}

    @property
    def note(self) -> str:
        """What the reader of the figures should know."""
        done = "the teacher labels them, as rows of the pool" if self.use == "pool" else "they are left out"
        return f"{len(self.numbers):,} of {self.of:,} rows come without ground truth: {done}."


@dataclass(frozen=True, eq=False)
class Problem:
    """A teacher, and the rows on which a student takes its place.

    Attributes:
        teacher: answers `asked` of each set.
        teacher_name: for messages and the report.
        given: rows for training and validation, and for the test if there are no others.
        test: rows that choose nothing; None if they are drawn from `given`.
        pool: rows without ground truth, for the teacher to label; None if there are none.
        asked_columns: the columns of the student's rows that the teacher takes; empty if it takes the rows as they are.
        source: where the rows are from and what their columns are for, as `data_entry` in run.json; None for rows in memory.
        seen: rows that the teacher was trained on; None if they are not known.
        unlabelled: what became of rows that came without ground truth; None if there were none.
        class_weight: what `checked_class_weight` returned: "balanced" or the weight of every class, which multiplies that of its rows; None
            if all classes weigh the same.
        values: the names of several values in memory; empty if they have none.
        validation: rows that settings and students are chosen on; None if each seed draws its own from `given`.
    """

    teacher: Teacher
    teacher_name: str
    given: RowSet
    test: RowSet | None = None
    pool: RowSet | None = None
    asked_columns: tuple[str, ...] = ()
    source: Mapping[str, Any] | None = None
    seen: RowSet | None = None
    unlabelled: Unlabelled | None = None
    class_weight: ClassWeight = None
    values: tuple[str, ...] = ()
    validation: RowSet | None = None

    @cached_property
    def names(self) -> dict[str, Names]:
        """(rows,) content names of the student's rows of each set that there is: rows that differ in identifiers alone are equal."""
        some = np.random.default_rng(0).permutation(self.given.count)[:SAMPLE]
        without = tuple(identifiers(taken(self.given.rows, np.sort(some))))
        sets = {"given": self.given, "test": self.test, "validation": self.validation, "pool": self.pool, "seen": self.seen}
        return {name: names_of(one.rows, without=without) for name, one in sets.items() if one is not None}

    @cached_property
    def truths(self) -> dict[str, Floats | None]:
        """(rows, columns) the ground truth of "given", "test" and "validation" in the form of the answers; None where it is not known."""
        sets = {"given": self.given, "test": self.test, "validation": self.validation}
        return {
            name: None if one is None or one.truth is None else self.form.truth_as_answers(one.truth, one.count)
            for name, one in sets.items()
        }

    @cached_property
    def equal_by_chance(self) -> bool:
        """Whether rows are equal because their columns are coarse: unseen rows will equal those of training as well, and may."""
        names = self.names["given"]
        return len(np.unique(names)) * REPEATED <= len(names)

    def every_column(self, places: Any) -> Any:
        """Some of the given rows, with the columns that the student or the teacher takes."""
        rows = taken(self.given.rows, places)
        only_asked = [name for name in self.asked_columns if is_frame(rows) and name not in rows.columns]
        if not only_asked:
            return rows
        asked = taken(self.given.asked.part(0, self.given.count), places)
        return rows.reset_index(drop=True).join(asked[only_asked].reset_index(drop=True))

    def read_of(self, rows: Any) -> Any:
        """Rows of `every_column` as the student takes them."""
        return rows[list(self.given.rows.columns)] if is_frame(rows) else rows

    def asked_of(self, rows: Any) -> Any:
        """Rows of `every_column` as the teacher takes them."""
        return rows[list(self.asked_columns)] if self.asked_columns and is_frame(rows) else rows

    @property
    def form(self) -> AnswerForm:
        """What the teacher's numbers mean."""
        return self.teacher.form

    @property
    def every_asked(self) -> list[Any]:
        """All rows that the teacher is asked, of every set, where they are texts."""
        sets = [one.asked for one in (self.given, self.test, self.validation, self.pool) if one is not None]
        return [text for rows in sets for text in texts_of(rows.part(0, rows.count))]

    @property
    def is_recorded(self) -> bool:
        """Whether the teacher is its recorded answers, and asking it costs nothing."""
        return isinstance(self.teacher, LabelFolder | SoftLabels)

    @property
    def cannot_make_rows(self) -> str:
        """Why no rows can be made for the teacher to label, or ""."""
        if self.is_recorded:
            return "the answers were recorded, and there is no teacher to ask"
        kind = "texts" if isinstance(self.given.rows, list) else "sparse rows" if hasattr(self.given.rows, "tocsr") else ""
        kind = "rows of several inputs" if self.inputs else kind
        return f"{kind} are not made from others" if kind else ""

    @property
    def has_truth(self) -> bool:
        """Whether the ground truth is known."""
        return self.given.truth is not None

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs of rows of several; empty for other rows."""
        return self.given.inputs

    @property
    def is_text(self) -> bool:
        """Whether each row is a text."""
        return isinstance(self.given.rows, list)

    @property
    def single_truth(self) -> NDArray[Any] | None:
        """(rows,) the ground truth if it is one column."""
        truth = self.given.truth
        return truth if truth is not None and truth.ndim == 1 else None

    @property
    def schema(self) -> Schema | None:
        """The columns of the student's rows; of texts in a file, the column that they are in."""
        text = None if self.source is None else self.source["text"]
        return as_rows(self.given.rows).schema if text is None else Schema((Column(text, "text"),))

    def __post_init__(self) -> None:
        for name, rows in (("test", self.test), ("validation", self.validation)):
            if rows is not None:
                _check_parts(self.given, rows, f"the {name} rows")
        if self.pool is not None and self.pool.weights is not None and self.given.weights is None:
            raise BadInput("the pool comes with weights and the rows without; pass weights for both, or for the rows alone.")
        refuse_named_classes(self.given.rows, self.form, self.asked_columns)
        _ = self.truths  # refuses classes unknown to the teacher, before it is asked


def _check_parts(given: RowSet, other: RowSet, name: str) -> None:
    """Refuse rows to test or validate on that come with other parts than the given ones.

    Raises:
        BadInput: they do.
    """
    for attribute, part in (("truth", "the ground truth"), ("weights", "weights"), ("groups", "groups")):
        if (getattr(given, attribute) is None) != (getattr(other, attribute) is None):
            having, lacking = (name, "the rows") if getattr(given, attribute) is None else ("the rows", name)
            passed = "it" if attribute == "truth" else part
            raise BadInput(f"{having} come with {part} and {lacking} without; pass {passed} for both, or for neither.")


def refuse_positions(form: AnswerForm) -> None:
    """Refuse a teacher that answers tokens or pixels, once it is known and before its ground truth is read.

    Raises:
        BadInput: it does.
    """
    if form.positions is not None:
        raise BadInput(
            f"the teacher answers {form.positions}, and distill takes teachers with one answer for each row; train a TorchStudent on its "
            "answers: student.fit(X, tl.record(teacher, X))."
        )


def row_set(X: Any, y: Any = None, *, form: AnswerForm | None = None, weights: Any = None, groups: Any = None, times: Any = None) -> RowSet:
    """Rows that student and teacher take in the same form.

    Args:
        X: the rows.
        y: the ground truth, whose columns are matched by name to the labels of a form; None if it is not known.
        form: of the teacher's answers, where y is given.
        weights: (rows,) weights; None if all rows weigh the same.
        groups: (rows,) of rows that belong together; None if none do.
        times: (rows,) when each row was seen; None if it does not matter.

    Raises:
        LabelMismatch: a frame y with columns of other names.
        ShapeError: another number of true labels, weights, groups or times than rows, or rows that are single numbers. BadInput: rows of
            an unsupported kind.
    """
    rows = as_rows(_listed_texts(X))
    held = rows.part(0, rows.count)
    unnamed = [name for name in held.columns if not isinstance(name, str)] if is_frame(held) else []
    if unnamed:
        raise BadInput(f"a column of the rows is named {unnamed[0]!r}, which is no text; name the columns, or pass the rows as an array.")
    held = tensor_array(held) if hasattr(held, "detach") else held  # rows that are made from others are arrays
    found = {"groups": None if groups is None else np.asarray(groups), "times": None if times is None else moments(times)}
    y = y if form is None else form.truth_by_name(y)
    y = y.toarray() if hasattr(y, "toarray") else y  # labels as scikit-learn's indicators
    truth = None if y is None else np.asarray(y) if is_frame(y) else array_of(y, "the rows of y")
    if truth is not None and truth.ndim == 0:
        raise BadInput(f"y is {shown(y)}; expected the ground truth of each row, as an array or a column.")
    for name, column in {"y": truth, **found}.items():
        if column is not None and len(column) != rows.count:
            raise ShapeError(f"{name} has {len(column):,} entries and there are {rows.count:,} rows; expected one for each row.")
    return RowSet(held, rows, truth, check_weights(weights, rows.count), found["groups"], found["times"])


def _listed_texts(X: Any) -> Any:
    """A series or an array of texts as the list of them; anything else as it is."""
    if len(getattr(X, "shape", ())) != 1 or hasattr(X, "detach"):
        return X
    cells = np.asarray(X).tolist()
    return cells if all(isinstance(cell, str) for cell in cells) else np.asarray(X)


def _check_array(rows: NDArray[Any]) -> None:
    """Refuse what is no rows for a student.

    Raises:
        ShapeError: single numbers, or rows without any. BadInput: pictures of other cells than numbers.
    """
    if rows.ndim < 2 or 0 in rows.shape:
        remedy = "Pass X.reshape(-1, 1), if each row is one number" if rows.ndim == 1 else "Pass rows that hold numbers"
        raise ShapeError(f"the rows have shape {rows.shape}; expected (rows, ...), with one number a row at least. {remedy}.")
    if rows.ndim > 2 and rows.dtype.kind not in "biuf":
        raise BadInput(f"the rows have shape {rows.shape} and are of type {rows.dtype}; expected numbers, or a table of columns.")


def moments(times: Any) -> NDArray[Any]:
    """(rows,) times in an order: numbers and dates as they are, and texts of ISO 8601 as dates.

    Raises:
        BadInput: other texts, whose order would not be that of time.

    Example:
        >>> moments(["2026-01-05", "2025-12-31"]).argsort().tolist()
        [1, 0]
    """
    found = np.asarray(times)
    cells = found.tolist()
    if not any(isinstance(cell, str) for cell in cells):
        return found
    texts = ["NaT" if is_missing(cell) else cell for cell in cells]  # missing ones are refused with the rows, as for groups
    known = (cell for cell in cells if not is_missing(cell))
    other = next((cell for cell in known if not isinstance(cell, str) or not ISO_8601.fullmatch(cell)), None)
    if other is not None:
        raise BadInput(f"times holds texts that are no dates, such as {shown(other)}; expected numbers or dates such as 2026-01-31.")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "no explicit representation of timezones")  # converted to UTC, as is wanted
            return np.array(texts, dtype="datetime64[us]")
    except ValueError as error:
        raise BadInput(f"times holds texts that are no dates ({one_line(error)}); expected numbers or dates such as 2026-01-31.") from error
