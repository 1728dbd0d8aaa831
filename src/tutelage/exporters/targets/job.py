"""What a target is given to write."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arguments import choice, whole
from tutelage.core.arrays import Integers
from tutelage.core.errors import BadInput, shown
from tutelage.core.records import Drop, Parity
from tutelage.exporters.program.program import Program
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.subject import Subject

Booleans = NDArray[np.bool_]
Precision = Literal["double", "single", "half", "int8", "int8-dynamic"]
_OWNERS = {"target_opset": "ONNX", "table": "SQL", "prefix": "C"}
"""The target of each setting that only one has."""
NOT_FINITE = (np.nan, np.inf, -np.inf)
"""What 8 bits do not hold."""
MOST_CELLS = 1024
"""Cells of a row that are asked one by one, if they agree."""
MOST_NUMBERS = 2**20
"""Numbers of a batch of such rows."""


@dataclass(frozen=True)
class Settings:
    """How a file is written.

    Attributes:
        precision: of its numbers; None for that of the student.
        target_opset: for ONNX, the version of its operators; None for 17, or for what the student needs.
        table: for SQL, the table that the rows are in.
        prefix: for C, what its names begin with; None for the name of the file.

    Raises:
        BadInput: a setting that no target has.
    """

    precision: Precision | None = None
    target_opset: int | None = None
    table: str = "rows"
    prefix: str | None = None

    def __post_init__(self) -> None:
        if self.precision is not None:
            choice("precision", self.precision, get_args(Precision))
        if self.target_opset is not None:
            whole("target_opset", self.target_opset, least=1)
        if not isinstance(self.table, str) or not self.table:
            raise BadInput(f"table is {shown(self.table)}; expected the name of a table.")
        if self.prefix is not None and not (isinstance(self.prefix, str) and re.fullmatch("[A-Za-z][A-Za-z0-9_]*", self.prefix)):
            raise BadInput(f"prefix is {shown(self.prefix)}; expected a name in C, such as 'digits': a letter, then letters, digits or _.")

    @property
    def is_rounded(self) -> bool:
        """Whether weights are rounded, so that decisions near a border may change."""
        return self.precision in ("half", "int8", "int8-dynamic")

    def check(self, target: str, precisions: tuple[str, ...]) -> None:
        """Refuse a precision that a target does not have, and a setting of another target."""
        if self.precision is not None and self.precision not in precisions:
            raise BadInput(f"precision is {self.precision!r}; a file of {target} has {' or '.join(map(repr, precisions))}.")
        for setting in fields(self):
            value, owner = getattr(self, setting.name), _OWNERS.get(setting.name, target)
            if owner != target and value != setting.default:
                raise BadInput(f"{setting.name} is {value!r}; it is for files of {owner}, and a file of {target} has none. Leave it out.")


@dataclass(frozen=True, eq=False)
class Job:
    """A student to be written.

    Attributes:
        subject: the student.
        rows: some of its rows.
        program: what it computes.
        stem: the name of the file, without its end.
        settings: how it is written.
        proofs: how it was compared with its student, once it was.
        drops: the same for a file of rounded weights.
    """

    subject: Subject
    rows: CheckRows
    program: Program
    stem: str
    settings: Settings
    proofs: tuple[Parity, ...] = ()
    drops: tuple[Drop, ...] = ()

    def drawn(self, most: int) -> CheckRows:
        """Some rows, `most` at most, drawn from all: in their order, those of a class may lie together."""
        return self.rows[np.random.default_rng(0).permutation(len(self.rows))[:most]]

    def refuses(self, value: float) -> bool:
        """Whether the student refuses a row in which each number is this one, or answers it with no number."""
        row = self.rows[:1]
        if row.numbers.dtype.kind != "f" or not row.numbers.size:
            return False
        return bool(self._unanswered(CheckRows(np.full_like(row.numbers, value), row.texts))[0])

    def refused_cells(self, value: float) -> Booleans:
        """The cells in which the student refuses this number, or answers it with none: truth values in the shape of a row's numbers.

        An ordinary row is asked once for each cell. Of very many, `MOST_CELLS` are asked first, and speak for all if they agree.
        """
        numbers = self.rows.numbers[:256]
        refused = np.zeros(numbers.shape[1:], dtype=bool)
        if numbers.dtype.kind != "f" or not refused.size:
            return refused
        row = int(np.isfinite(numbers.reshape(len(numbers), -1)).all(axis=1).argmax())
        cells = np.random.default_rng(0).permutation(refused.size)
        first = self._refused_in(self.rows[[row]], cells[:MOST_CELLS], value)
        refused.flat[cells] = first[0]
        if first.any() != first.all():
            refused.flat[cells] = np.concatenate([first, self._refused_in(self.rows[[row]], cells[MOST_CELLS:], value)])
        return refused

    def _refused_in(self, row: CheckRows, cells: Integers, value: float) -> Booleans:
        """Whether the row is refused with this number in each of these cells."""
        most = max(1, MOST_NUMBERS // row.numbers.size)
        found = [np.empty(0, dtype=bool)]
        for start in range(0, len(cells), most):
            part = cells[start : start + most]
            rows = row[np.zeros(len(part), dtype=np.intp)]
            rows.numbers.reshape(len(part), -1)[np.arange(len(part)), part] = value
            found.append(self._unanswered(rows))
        return np.concatenate(found)

    def _unanswered(self, rows: CheckRows) -> Booleans:
        """Whether the student refuses each row, or answers it with no number."""
        try:
            with np.errstate(all="ignore"):
                values = self.subject.answers(self.subject.exact(rows)).values
        except BadInput:
            if len(rows) == 1:
                return np.ones(1, dtype=bool)
            return np.concatenate([self._unanswered(rows[place : place + 1]) for place in range(len(rows))])
        return np.asarray(~np.isfinite(values.reshape(len(rows), -1)).all(axis=1))
