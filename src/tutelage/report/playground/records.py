"""What a page needs to let its reader try a student: the student as JavaScript, how its rows look, and rows to start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tutelage.core.records import record_from
from tutelage.core.stored.checksums import with_checksum

SCHEMA = 1

ColumnKind = Literal["number", "date", "levels", "text"]
Spelling = Literal["plain", "boolean", "date", "duration"]
Layout = Literal["HW", "CHW", "HWC"]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: as rows name it; None for a column of a matrix.
        kind: a number, a date (days since 1970-01-01), one of some levels, or a text.
        start: its cell in the made row.
        low, high: the range of a number or date.
        whole: whether all its numbers are whole.
        gaps: whether cells are missing.
        levels: the categories that the student knows, texts or numbers.
        named: what the levels are called, if not as they are.
        spelling: how files and requests spell its cells: as they are, or as a truth value, date or duration where the student computes
            with numbers.
    """

    name: str | None
    kind: ColumnKind
    start: Any
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    gaps: bool = False
    levels: tuple[Any, ...] = ()
    named: tuple[str, ...] = ()
    spelling: Spelling = "plain"


@dataclass(frozen=True)
class Picture:
    """How the rows of pictures look.

    Attributes:
        height, width: in pixels.
        channels: numbers of a pixel; a drawing has the same in each.
        layout: the order of the numbers of a row.
        low, high: the range of a number.
        bright_background: whether pictures are dark on bright: the background is at the upper end.
        centred: whether drawings are scaled and centred as those of MNIST were.
        in_line: whether a row is one list of its numbers, and not lists of lists.
        names: of the columns whose cells are the numbers, in order; empty if rows do not name them.
    """

    height: int
    width: int
    channels: int
    layout: Layout
    low: float
    high: float
    bright_background: bool
    centred: bool
    in_line: bool = False
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """A made row, and what the student answers in Python.

    Attributes:
        row: cells in order, None where missing; of a picture, its numbers from 0 (low) to 255 (high) as bytes in base64.
        answers: probabilities or values.
    """

    row: Any
    answers: tuple[float, ...]


@dataclass(frozen=True)
class Example:
    """A recorded row.

    Attributes:
        name: what it is called.
        row: as in `Check`.
        teacher: the teacher's recorded answers to it, probabilities or values.
        truth: its ground truth; "" if it is not known.
    """

    name: str
    row: Any
    teacher: tuple[float, ...]
    truth: str = ""


@dataclass(frozen=True)
class Playground:
    """A student to be tried in a page.

    Attributes:
        module: its JavaScript, an ES module; "" if there is none.
        why_not: why there is none, in a sentence.
        task: of the student.
        classes: names, in the order of its answers; empty for values.
        columns: of a table; one of texts is a single column of kind "text". Empty for pictures.
        picture: how pictures look; None for tables and texts.
        words: some words of a made text, for texts.
        checks: made rows that the page answers before it lets anyone try.
        examples: recorded rows; empty unless rows may be shown.
        tolerance: the largest difference of an answer that the page accepts, relative to 1 or the answer, whichever is larger.
    """

    module: str = ""
    why_not: str = ""
    task: str = ""
    classes: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    picture: Picture | None = None
    words: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    examples: tuple[Example, ...] = ()
    tolerance: float = 1e-5

    @classmethod
    def without(cls, why: str) -> Playground:
        """That of a student which no page can hold, with the reason."""
        return cls(why_not=why)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, with a checksum."""
        return with_checksum({"schema": SCHEMA, **asdict(self)})

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Playground:
        """The playground that `to_json` wrote."""
        return record_from(cls, plain)
