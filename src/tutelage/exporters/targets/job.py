"""What a target is given to write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from tutelage.core.arguments import choice, whole
from tutelage.core.errors import BadInput, shown
from tutelage.core.records import Drop, Parity
from tutelage.exporters.program.program import Program
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.subject import Subject

Precision = Literal["double", "single", "half", "int8", "int8-dynamic"]


@dataclass(frozen=True)
class Settings:
    """How a file is written.

    Attributes:
        precision: of its numbers; None for that of the student.
        target_opset: for ONNX, the version of its operators; None for 17, or for what the student needs.
        table: for SQL, the table that the rows are in.

    Raises:
        BadInput: a setting that no target has.
    """

    precision: Precision | None = None
    target_opset: int | None = None
    table: str = "rows"

    def __post_init__(self) -> None:
        if self.precision is not None:
            choice("precision", self.precision, get_args(Precision))
        if self.target_opset is not None:
            whole("target_opset", self.target_opset, least=1)
        if not isinstance(self.table, str) or not self.table:
            raise BadInput(f"table is {shown(self.table)}; expected the name of a table.")

    @property
    def is_rounded(self) -> bool:
        """Whether weights are rounded, so that decisions near a border may change."""
        return self.precision in ("half", "int8", "int8-dynamic")

    def check(self, target: str, precisions: tuple[str, ...]) -> None:
        """Refuse a precision that a target does not have."""
        if self.precision is not None and self.precision not in precisions:
            raise BadInput(f"precision is {self.precision!r}; a file of {target} has {' or '.join(map(repr, precisions))}.")


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
