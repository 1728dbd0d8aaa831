"""Soft labels: answers that know which rows they belong to."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.errors import LabelMismatch
from tutelage.data.row_names import Names, row_names


@dataclass(frozen=True, eq=False)
class SoftLabels:
    """A teacher's answers to known rows; itself a Teacher, for exactly those rows.

    Attributes:
        answers: (rows, columns), as `form` says.
        form: kind, task and classes.
        names: (rows,) the content name of each row (see `row_names`), by which an answer is found.
        fingerprint: of the teacher who said it.

    Raises:
        LabelMismatch: another number of answers than rows. ShapeError, NotProbabilities, BadInput: answers that are
            not what the form says.
    """

    answers: Floats
    form: AnswerForm
    names: Names = field(repr=False)
    fingerprint: str = "unknown"

    def __post_init__(self) -> None:
        object.__setattr__(self, "answers", self.form.check(self.answers, len(self.names), "the answers"))

    def __len__(self) -> int:
        return len(self.names)

    def answer(self, inputs: Any) -> Floats:
        """The kept answers to these rows, in any order and any selection.

        Args:
            inputs: rows as they were recorded: an array, a frame, a sparse matrix, texts.

        Raises:
            LabelMismatch: a row that was not recorded, or one that was recorded twice with different answers.
        """
        asked = row_names(inputs)
        if np.array_equal(asked, self.names):
            return self.answers
        return self.of_names(asked)

    def of_names(self, asked: Names) -> Floats:
        """(rows, columns) answers to the rows of these names.

        Raises:
            LabelMismatch: as `answer`.
        """
        order, known = self._index
        place = np.minimum(np.searchsorted(known, asked), max(len(known) - 1, 0))
        missing = known[place] != asked if len(known) else np.ones(len(asked), dtype=bool)
        if missing.any():
            raise LabelMismatch(
                f"{int(missing.sum())} of {len(asked)} rows are not among the {len(self)} that these answers were recorded on "
                f"(first: row {int(np.flatnonzero(missing)[0])}). Pass rows they were recorded on, or record again."
            )
        return np.asarray(self.answers[order[place]])

    def share_known(self, inputs: Any) -> float:
        """The share of these rows that was recorded, from 0 to 1."""
        return float(np.isin(row_names(inputs), self.names).mean())

    @cached_property
    def _index(self) -> tuple[NDArray[np.intp], Names]:
        """Positions in order of name, and the names in that order, each once."""
        order = np.argsort(self.names, kind="stable")
        named = self.names[order]
        twin = np.flatnonzero(named[1:] == named[:-1])
        differ = (self.answers[order[twin]] != self.answers[order[twin + 1]]).any(axis=1)
        if differ.any():
            first = twin[np.flatnonzero(differ)[0]]
            raise LabelMismatch(
                f"rows {order[first]} and {order[first + 1]} are the same row with different answers, so neither can be looked up. "
                "Drop one, average them, or ask for all rows in the order they were recorded."
            )
        once = np.concatenate([[True], named[1:] != named[:-1]]) if len(named) else np.zeros(0, dtype=bool)
        return order[once], named[once]

    @property
    def logits(self) -> Floats:
        """(rows, classes) logits; from probabilities they are log p, which is right up to one constant a row.

        Raises:
            LabelMismatch: these are regression values.
        """
        return self.form.logits(self.answers)

    @property
    def probabilities(self) -> Floats:
        """(rows, classes) probabilities at temperature 1; softmax is applied once, and only to logits.

        Raises:
            LabelMismatch: these are regression values.
        """
        return self.form.probabilities(self.answers)
