"""What the page of a distillation draws besides its record: counts and means of the test rows, and single rows only where asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tutelage.core.stored.checksums import with_checksum

SCHEMA = 1

RowKind = Literal["table", "text", "picture", "inputs"]
"""Of rows: columns, texts, pictures, or several inputs."""


@dataclass(frozen=True)
class Reliability:
    """What a model predicts and what is observed, as means of groups of test rows.

    Attributes:
        name: of the arm; "teacher" for the teacher.
        predicted: for each group, the mean confidence in the predicted class, or the mean predicted value.
        observed: for each group, the share that is right, or the mean true value.
        rows: of each group.
        error: the expected calibration error; None for values.
    """

    name: str
    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    rows: tuple[int, ...]
    error: float | None = None


@dataclass(frozen=True)
class Confusion:
    """How often a model decides for each class.

    Attributes:
        rows_are: "ground truth", or "teacher" where that is not known.
        classes: names, in the order of rows and columns.
        counts: (classes, classes) test rows, by class of `rows_are` and by the student's decision.
    """

    rows_are: str
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ClassDisagreement:
    """The test rows of one class.

    Attributes:
        name: of the class that the teacher decides for; of the label, for several labels.
        rows: number of rows.
        disagree: number of those where the student decides otherwise.
        most_often: what it decides for most often there; "" if it never does.
    """

    name: str
    rows: int
    disagree: int
    most_often: str = ""


@dataclass(frozen=True)
class Disagreement:
    """Where student and teacher disagree on the test rows.

    Attributes:
        decisions: number of decisions: rows, times labels for several labels; rows for values.
        disagree: number of those that differ; 0 for values.
        outcomes: of those that differ, how many times "only the student is right", "only the teacher is right" and "both are wrong";
            empty if the ground truth is not known.
        by_class: by class of the teacher's decision, most disagreements first.
        quantiles: for values, (share, difference): this share of the rows has at most this absolute difference.
        spread: for one value, the standard deviation of the teacher's answers.
        in_spreads: for several values, whether the differences are in standard deviations of each.
    """

    decisions: int
    disagree: int
    outcomes: Mapping[str, int]
    by_class: tuple[ClassDisagreement, ...] = ()
    quantiles: tuple[tuple[float, float], ...] = ()
    spread: float | None = None
    in_spreads: bool = False


@dataclass(frozen=True)
class ShownRow:
    """A test row on which student and teacher disagree.

    Attributes:
        row: its number among the test rows, from 0.
        kind: how `content` is shown.
        content: cells by column, a text, or rows of pixels from 0 to 255 (three numbers a pixel for colours).
        student, teacher, truth: what they say; "" if it is not known.
        difference: the largest difference of their probabilities or values; of several values, in standard deviations of each.
    """

    row: int
    kind: RowKind
    content: Any
    student: str
    teacher: str
    truth: str
    difference: float


@dataclass(frozen=True)
class Loading:
    """How to load one of the student's files.

    Attributes:
        file: its name.
        code: lines that ask it for answers.
        note: what to know besides; "" if nothing.
    """

    file: str
    code: str
    note: str = ""


@dataclass(frozen=True)
class Figures:
    """What the page draws of one student, that of the first seed of the chosen arm.

    Attributes:
        student: the name of the chosen arm.
        reliability: of the student and of the teacher; empty if the ground truth is not known.
        confusion: None for several labels and for values.
        disagreement: where student and teacher disagree.
        shown: single rows; empty unless they were asked for.
        loading: how to load each of the student's files.
        weighted: whether the test rows have weights, which these figures leave out: rows count alike.
        rows: what the rows are.
    """

    student: str
    reliability: tuple[Reliability, ...]
    confusion: Confusion | None
    disagreement: Disagreement
    shown: tuple[ShownRow, ...] = ()
    loading: tuple[Loading, ...] = ()
    weighted: bool = False
    rows: RowKind = "table"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, with a checksum."""
        return with_checksum({"schema": SCHEMA, **asdict(self)})

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Figures:
        """The figures that `to_json` wrote."""
        confusion, disagreement = plain["confusion"], plain["disagreement"]
        return cls(
            plain["student"],
            tuple(
                Reliability(one["name"], tuple(one["predicted"]), tuple(one["observed"]), tuple(one["rows"]), one["error"])
                for one in plain["reliability"]
            ),
            None if confusion is None else Confusion(confusion["rows_are"], tuple(confusion["classes"]), _pairs(confusion["counts"])),
            Disagreement(
                disagreement["decisions"],
                disagreement["disagree"],
                disagreement["outcomes"],
                tuple(ClassDisagreement(**one) for one in disagreement["by_class"]),
                _pairs(disagreement["quantiles"]),
                disagreement["spread"],
                disagreement.get("in_spreads", False),
            ),
            tuple(ShownRow(**one) for one in plain["shown"]),
            tuple(Loading(**one) for one in plain["loading"]),
            plain["weighted"],
            plain.get("rows", "table"),
        )


def _pairs(rows: Any) -> Any:
    return tuple(map(tuple, rows))
