"""A paper's tables that were run again, as frozen records: the contents of its page and of paper.json."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from tutelage.core.errors import DamagedFile
from tutelage.core.records import Comparison, Interval
from tutelage.core.stored.checksums import read_json, with_checksum

SCHEMA = 1
Outcome = Literal["reproduced", "not reproduced", "undecided"]
"""What became of a claim: the interval lies where the paper says, where it does not, or on both sides."""


@dataclass(frozen=True)
class Source:
    """A paper.

    Attributes:
        authors: family names.
        year: of the version that was read.
        title: of the paper.
        url: where it is found.
    """

    authors: str
    year: int
    title: str
    url: str

    def __str__(self) -> str:
        return f"{self.authors} {self.year}, {self.title}"


@dataclass(frozen=True)
class Measure:
    """One figure of a paper's table, measured again.

    Attributes:
        name: of the arm, such as "student on soft labels".
        meaning: how it was trained, in a phrase.
        unit: such as "test errors" or "% error".
        values: one per seed.
        interval: of their mean; None where none can be given.
        published: the paper's figure; None if it has none.
        digits: decimals that are shown.
    """

    name: str
    meaning: str
    unit: str
    values: tuple[float, ...]
    interval: Interval | None
    published: float | None = None
    digits: int = 0

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return math.fsum(self.values) / len(self.values)


@dataclass(frozen=True)
class Claim:
    """What the paper says, and what became of it here.

    Attributes:
        statement: the claim in a sentence.
        published: the paper's figures for it.
        measured: ours, with an interval.
        outcome: decided by `rule`.
        rule: what had to hold, in a sentence.
        same_direction: whether our mean lies on the paper's side, interval or not.
        ours: whether the claim is our own, and not the paper's.
        arms: the two arms whose difference decides it, as a comparison and its measures name them; empty if something else does.
    """

    statement: str
    published: str
    measured: str
    outcome: Outcome
    rule: str
    same_direction: bool
    ours: bool = False
    arms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Point:
    """A point of a series: its place, the mean, and the ends of its interval (both None without one)."""

    x: float
    mean: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """Points that belong together; `kind` is "chosen", "baseline", "control" or "teacher", and decides the mark."""

    name: str
    kind: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Curve:
    """A picture: series over one axis.

    Attributes:
        title: its heading.
        caption: what is seen, in a sentence.
        x_name, y_name: of the axes.
        series: at least one.
        logarithmic: whether equal factors are equally far apart on the horizontal axis.
        logarithmic_y: the same of the vertical axis; all its figures are above zero.
        levels: figures that depend on no x, by name, drawn as level lines.
    """

    title: str
    caption: str
    x_name: str
    y_name: str
    series: tuple[Series, ...]
    logarithmic: bool = False
    logarithmic_y: bool = False
    levels: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PaperRecord:
    """One finished run of a paper's tables, as written to paper.json.

    Attributes:
        name: of the run, as in `tutelage run NAME`.
        title, summary: what is run again.
        source: the paper.
        date: the day of the run, as 2026-11-30.
        options: seeds, and whether it was quick.
        budget: what the training took, by name: epochs, rows, batch sizes.
        protocol: the steps in order, one sentence each.
        deviations: every difference from the paper, one sentence each.
        measures, comparisons, claims, curves: what was found.
    """

    name: str
    title: str
    summary: str
    source: Source
    date: str
    options: Mapping[str, Any]
    budget: Mapping[str, Any]
    protocol: tuple[str, ...]
    deviations: tuple[str, ...]
    data: Mapping[str, Any]
    environment: Mapping[str, str]
    seconds: Mapping[str, float]
    measures: tuple[Measure, ...]
    comparisons: tuple[Comparison, ...]
    claims: tuple[Claim, ...]
    curves: tuple[Curve, ...] = ()

    def measure(self, name: str) -> Measure:
        """The measure of this name (KeyError if there is none)."""
        return {measure.name: measure for measure in self.measures}[name]

    def compared(self, claim: Claim) -> tuple[Comparison, Measure, Measure] | None:
        """The comparison that decides a claim, and the two arms of it; None if something else decides it."""
        measures = {measure.name: measure for measure in self.measures}
        for comparison in self.comparisons:
            if (comparison.a, comparison.b) == claim.arms and measures.keys() >= set(claim.arms):
                return comparison, measures[comparison.a], measures[comparison.b]
        return None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values with a checksum."""
        return with_checksum({"schema": SCHEMA, "paper": self.name, **asdict(self)})


def read_record(path: Path) -> PaperRecord:
    """The record that `PaperRecord.to_json` gave, from its file.

    Raises:
        DamagedFile: not such a file. StaleCache: one of another schema.
    """
    remedy = "Run the paper again."
    plain = read_json(path, schema=SCHEMA, remedy=remedy)
    plain.pop("schema")
    try:
        plain.pop("paper")
        return PaperRecord(
            **{
                **plain,
                "source": Source(**plain["source"]),
                "protocol": tuple(plain["protocol"]),
                "deviations": tuple(plain["deviations"]),
                "measures": tuple(_measure(one) for one in plain["measures"]),
                "comparisons": tuple(Comparison(**{**one, "ci95": tuple(one["ci95"])}) for one in plain["comparisons"]),
                "claims": tuple(Claim(**{**one, "arms": tuple(one.get("arms", ()))}) for one in plain["claims"]),
                "curves": tuple(_curve(one) for one in plain["curves"]),
            }
        )
    except (KeyError, TypeError) as error:
        raise DamagedFile(f"{path} holds no record of a paper's run. {remedy}") from error


def _measure(plain: Mapping[str, Any]) -> Measure:
    interval = None if plain["interval"] is None else Interval(**plain["interval"])
    return Measure(**{**plain, "values": tuple(plain["values"]), "interval": interval})


def _curve(plain: Mapping[str, Any]) -> Curve:
    series = tuple(Series(one["name"], one["kind"], tuple(Point(**point) for point in one["points"])) for one in plain["series"])
    return Curve(**{**plain, "series": series})
