"""`SoftLabels`: answers together with the content names of the rows that they belong to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm
from tutelage.core.arguments import one_of_type
from tutelage.core.arrays import Floats, is_frame, read_only
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError, shown
from tutelage.core.position_answers import Answers, PositionAnswers, checked
from tutelage.data.row_names import Names, row_names
from tutelage.data.rows import as_rows
from tutelage.data.schema import Schema
from tutelage.data.truth.given_truth import by_position
from tutelage.softlabels.name_index import contradiction, not_recorded
from tutelage.softlabels.options import SHARD_ROWS
from tutelage.softlabels.rounding import differ


@dataclass(frozen=True, eq=False)
class SoftLabels:
    """A teacher's answers to known rows; itself a Teacher, for exactly those rows.

    `record` and `read_answers` create them. Rows are found by content, so they can be passed in any order and selection. A row that
    occurs more than once, with answers that are equal up to rounding, is answered as at its first occurrence. The columns of a frame
    are found by name, and their cells compared in the types that were recorded (`Schema.align`).

    Attributes:
        answers: (rows, columns), of the kind that `form` declares; read-only, as is what `answer` returns for all rows. `TopAnswers`
            if only the most probable classes are known; for a form with positions `PositionAnswers`, those of each row without padding.
        form: kind, task and classes of the answers.
        names: (rows,) content name of each row (a hash of its values), by which its answer is found.
        fingerprint: the fingerprint of the teacher that gave the answers.
        schema: the columns of the recorded rows, with their types and categories; None if they were not a frame or a table.

    Raises:
        LabelMismatch: the numbers of answers and rows differ.
        ShapeError, NotProbabilities, BadInput: the answers do not have the declared form.

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> X = np.array([[0.0], [1.0], [2.0]])
        >>> teacher = tl.as_teacher(lambda rows: rows[:, 0] - 1, kind="logits", classes=["no", "yes"])
        >>> labels = tl.record(teacher, X)
        >>> labels.probabilities.round(2)
        array([[0.73, 0.27],
               [0.5 , 0.5 ],
               [0.27, 0.73]])
        >>> labels.answer(X[[2, 0]])
        array([[ 0.,  1.],
               [ 0., -1.]])
        >>> labels.answer(X + 5)
        Traceback (most recent call last):
        ...
        tutelage.core.errors.LabelMismatch: 3 of 3 rows are not among the 3 that these answers were recorded on ...
    """

    answers: Any
    form: AnswerForm
    names: Names = field(repr=False)
    fingerprint: str = "unknown"
    schema: Schema | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        one_of_type("form", self.form, AnswerForm, "an AnswerForm")
        _check_names(self.names)
        # Read-only, like all answers that are handed out: a change would change what was recorded.
        object.__setattr__(self, "answers", _read_only(checked(self.form, self.answers, len(self.names), "the answers")))
        object.__setattr__(self, "names", read_only(self.names))

    def __len__(self) -> int:
        return len(self.names)

    def answer(self, inputs: Any) -> Answers:
        """The recorded answers to these rows, in any order and selection.

        Args:
            inputs: rows with the content that was recorded: an array, a frame, a sparse matrix or texts.

        Returns:
            (rows, columns) numbers; `TopAnswers` if only the most probable classes are known, whose `as_kind` gives numbers for all;
            with positions `PositionAnswers`.

        Raises:
            LabelMismatch: a row that was not recorded, one that was recorded twice with different answers, or columns that were not
                recorded.
        """
        names = self.names_of(inputs)
        if np.array_equal(names, self.names):
            found: Answers = self.answers
            return found
        return self.of_names(names)

    def names_of(self, inputs: Any) -> Names:
        """(rows,) content name of each row, in the columns that were recorded.

        Raises:
            LabelMismatch: a frame that lacks a recorded column, or holds cells there that are not of its type.
        """
        return row_names(in_recorded_columns(inputs, self.schema))

    def of_names(self, names: Names) -> Answers:
        """The answers to the rows with these content names, as they are stored.

        Raises:
            LabelMismatch: as in `answer`.
        """
        _check_names(names)
        order, known = self._index
        place = np.minimum(np.searchsorted(known, names), max(len(known) - 1, 0))
        missing = known[place] != names if len(known) else np.ones(len(names), dtype=bool)
        if missing.any():
            raise not_recorded(missing, len(self))
        found: Answers = self.answers[order[place]]
        return found

    def paired_with(self, rows: Any, *, own_ids: Any = None, ids: Any = None) -> SoftLabels:
        """These answers under the names of other rows, such as the inputs that a student sees of the same examples.

        Args:
            rows: the rows to name the answers by; without ids row i belongs to answer i.
            own_ids: (answers,) an identifier of each recorded row, each once, in the order of the recording.
            ids: (rows,) the identifier of each of the other rows.

        Raises:
            ShapeError: another number of rows or identifiers. LabelMismatch: an identifier that was not recorded.
            BadInput: one of the two without the other, or an identifier that occurs twice among the recorded ones.

        Example:
            >>> import numpy as np
            >>> import tutelage as tl
            >>> raw, one_hot = np.array([[0], [1]]), np.eye(2)
            >>> teacher = tl.as_teacher(lambda rows: rows[:, 0] - 0.5, kind="logits", classes=["no", "yes"])
            >>> tl.record(teacher, raw).paired_with(one_hot).answer(one_hot[[1]])
            array([[0. , 0.5]])
        """
        given = as_rows(rows, by_position=by_position(self.form))
        names = np.concatenate([row_names(part) for *_, part in given.parts(SHARD_ROWS)])
        if (own_ids is None) != (ids is None):
            raise BadInput("own_ids and ids belong together; pass both, or none to pair the rows by their position.")
        places = np.arange(len(self)) if own_ids is None else _places_of(own_ids, ids, len(self))
        if len(places) != len(names):
            raise ShapeError(f"there are {len(names)} rows and {len(places)} answers to pair with them; expected one answer for each row.")
        return SoftLabels(self.answers[places], self.form, names, self.fingerprint, given.schema)

    def share_known(self, inputs: Any) -> float:
        """The share of these rows that were recorded, from 0 to 1."""
        return float(np.isin(self.names_of(inputs), self.names).mean())

    @cached_property
    def _index(self) -> tuple[NDArray[np.intp], Names]:
        """Positions sorted by name, and the sorted names, each once."""
        order = np.argsort(self.names, kind="stable")
        in_order = self.names[order]
        repeated = np.flatnonzero(in_order[1:] == in_order[:-1])
        different = differ(self.answers[order[repeated]], self.answers[order[repeated + 1]], self.form)
        if different.any():
            first = repeated[np.flatnonzero(different)[0]]
            raise contradiction(order[first], order[first + 1])
        once = np.concatenate([[True], in_order[1:] != in_order[:-1]]) if len(in_order) else np.zeros(0, dtype=bool)
        return order[once], in_order[once]

    @property
    def logits(self) -> Any:
        """(rows, classes) logits; from probabilities log p, which equals the logits up to a constant per row. With positions
        `PositionAnswers`.

        Raises:
            LabelMismatch: these are regression values. BadInput: only the most probable of so many classes are
                known that numbers for all would take more than half a GiB.
        """
        return self._numbers(self.form.logits)

    @property
    def probabilities(self) -> Any:
        """(rows, classes) probabilities at temperature 1, a new array; softmax is applied once, and only to logits. With positions
        `PositionAnswers`.

        Raises:
            LabelMismatch: these are regression values. BadInput: only the most probable of so many classes are
                known that numbers for all would take more than half a GiB.
        """
        return self._numbers(self.form.probabilities)

    def _numbers(self, computed: Callable[[Floats], Floats]) -> Answers:
        """What is computed of the numbers for all classes, as new arrays."""

        def new(answers: Floats | TopAnswers) -> Floats:
            found = computed(answers.as_kind(self.form.kind) if isinstance(answers, TopAnswers) else answers)
            return found if found.flags.writeable else found.copy()

        return self.answers.with_values(new(self.answers.values)) if isinstance(self.answers, PositionAnswers) else new(self.answers)


def _places_of(own_ids: Any, ids: Any, answers: int) -> NDArray[np.intp]:
    """The recorded answer of each identifier."""
    own, wanted = (np.asarray(each) for each in (own_ids, ids))
    if own.shape != (answers,) or wanted.ndim != 1:
        raise ShapeError(f"own_ids has shape {own.shape} and ids {wanted.shape}; expected ({answers},) and (rows,).")
    place = {label: position for position, label in enumerate(own.tolist())}
    if len(place) < len(own):
        raise BadInput("an identifier occurs twice in own_ids; expected another one for each recorded row.")
    missing = [label for label in wanted.tolist() if label not in place]
    if missing:
        raise LabelMismatch(f"{len(missing)} of {len(wanted)} ids were not recorded (first: {shown(missing[0])}).")
    return np.array([place[label] for label in wanted.tolist()], dtype=np.intp)


def _read_only(answers: Answers) -> Answers:
    if isinstance(answers, PositionAnswers):
        values = _read_only(answers.values)
        return values if isinstance(values, PositionAnswers) else answers.with_values(values)
    if isinstance(answers, TopAnswers):
        return TopAnswers(read_only(answers.ids), read_only(answers.log_probs), read_only(answers.rest), answers.columns)
    return read_only(answers)


def in_recorded_columns(rows: Any, schema: Schema | None) -> Any:
    """Rows in the columns that answers were recorded on; any rows where these are not known.

    A column of objects of which these rows hold none stays one: other rows of the table may hold some, which stay objects.

    Raises:
        LabelMismatch: a frame without one of these columns, or with cells there that are not of its type.
    """
    try:
        return rows if schema is None else _open_where_empty(schema, rows).align(rows)
    except BadInput as error:
        raise LabelMismatch(f"these are not the columns that the answers were recorded on: {error}") from error


def _open_where_empty(schema: Schema, rows: Any) -> Schema:
    if not is_frame(rows) or not hasattr(rows, "iloc"):
        return schema
    empty = {str(name) for name, cells in rows.items() if cells.dtype == object and cells.isna().all()}
    columns = (replace(column, type="any", levels=None) if column.name in empty else column for column in schema.columns)
    return replace(schema, columns=tuple(columns)) if empty else schema


def _check_names(names: Any) -> None:
    if np.ndim(names) != 1 or np.asarray(names).dtype.kind not in "iu":
        raise BadInput(f"names is {shown(names)}; expected (rows,) whole numbers, the content name of each row.")
