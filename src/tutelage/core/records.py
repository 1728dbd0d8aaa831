"""Frozen records of measurements, which later packages read, and their JSON. The report reads records, never a model."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from tutelage.core.errors import printable

Verdict = Literal["beats", "no difference", "worse"]
"""Of a comparison over seeds: of two ways of training."""
PairVerdict = Literal["differ", "no difference"]
"""Of two models that were trained once each, where another seed may reverse the difference."""


@dataclass(frozen=True)
class Interval:
    """A 95 % interval.

    Attributes:
        low: the lower bound.
        high: the upper bound.
        over: the source of variation that the interval covers: "seeds", "test rows" or "seeds and test rows". No interval
            covers another teacher.
        caution: a sentence if rows with large losses that are too rare to have been seen could move the mean by more than
            the interval allows; empty otherwise.

    Example:
        >>> import tutelage as tl
        >>> difference, interval = tl.paired_difference([[0.92], [0.94], [0.91]], [[0.90], [0.91], [0.90]], shared_rows=False)
        >>> print(f"{difference:.3f} ({interval.low:.3f} to {interval.high:.3f}, over {interval.over})")
        0.020 (-0.005 to 0.045, over seeds)
    """

    low: float
    high: float
    over: str
    caution: str = ""


@dataclass(frozen=True)
class Latency:
    """Microseconds a row: median with its 95 % interval (None below 20 calls) and 99th percentile over `calls` calls.

    The median of an exported file, and of all that `bench` measures, is that of moments in which nothing else slowed the machine down.
    """

    p50_us: float
    p99_us: float
    ci95_us: tuple[float, float] | None
    calls: int
    batch_rows: int


@dataclass(frozen=True)
class Cost:
    """Size and latency of a model on this machine.

    Attributes:
        size_bytes: None if the model cannot be pickled.
        size_of: what was measured: "file" or "pickle".
        parts: number of `unit`s in the model ("weights" or "leaves"); None for an unknown kind of model.
        alone: latency of calls with one row. batch: latency of calls with many rows. Both None if not measured.
    """

    size_bytes: int | None
    size_of: str
    parts: int | None = None
    unit: str = ""
    alone: Latency | None = None
    batch: Latency | None = None

    @property
    def size(self) -> str:
        """The size in kB or MB (powers of ten); "-" if it is unknown."""
        if self.size_bytes is None:
            return "-"
        return f"{self.size_bytes / 1e6:.1f} MB" if self.size_bytes >= 1e6 else f"{self.size_bytes / 1e3:.1f} kB"


@dataclass(frozen=True)
class Parity:
    """Agreement of an exported file with its student, over ordinary rows and edge rows."""

    rows: int
    edge_rows: int
    worst_difference: float
    tolerance: float
    decisions_changed: int
    """Number of rows for which the file decides otherwise; the student's own probabilities are equal there within the tolerance."""
    refused: tuple[str, ...] = ()
    """Edge rows that the student does not answer, such as "missing values", or the format does not hold: what the file answers to them
    means nothing."""
    worst_row: str = ""
    """Where the worst difference was: "row 17", or "edge row (splits) 3"; empty if there was none."""
    runtime: str = ""
    """Where the file ran, such as "gcc 12.2.0"."""
    made_rows: int = 0
    """How many of the rows were made: their cells are drawn from those of the others, column by column."""
    deferrals_changed: int | None = None
    """Of a file with a threshold, number of rows that only one of file and student leaves to the teacher; their confidence is at the
    threshold within the tolerance. None without a threshold."""

    def __str__(self) -> str:
        """The result in a sentence, and in another what the file is not for."""
        refused = f" Not compared: {', '.join(self.refused)}; do not give them to the file." if self.refused else ""
        where = f" in {self.worst_row}" if self.worst_row else ""
        made = f" Of the rows, {self.made_rows:,} were made from the cells of the others." if self.made_rows else ""
        deferred = "" if self.deferrals_changed is None else f", {self.deferrals_changed} rows deferred otherwise"
        return (
            f"Compared with the student on {self.rows:,} rows and {self.edge_rows:,} edge rows in {self.runtime}: worst difference "
            f"{self.worst_difference:.2g}{where} (allowed {self.tolerance:g}), {self.decisions_changed} decisions changed{deferred}."
            f"{refused}{made}"
        )


@dataclass(frozen=True)
class Drop:
    """What a file of rounded weights loses against its student, on rows of the student's own.

    Attributes:
        rows: number of rows.
        metric: "decisions changed", "accuracy" if the ground truth is known, or "squared error" of values, in shares of their variance.
        drop: what is lost, in percentage points; below zero where the file is better.
        ci95: its 95 % interval over rows.
        max_drop: what was allowed.
        runtime: where the file ran.
    """

    rows: int
    metric: str
    drop: float
    ci95: tuple[float, float]
    max_drop: float
    runtime: str

    def __str__(self) -> str:
        """The result in a sentence."""
        low, high = self.ci95
        return (
            f"Compared with the student on {self.rows:,} rows in {self.runtime}: {self.metric} {self.drop:.2f} percentage points "
            f"({low:.2f} to {high:.2f}; allowed {self.max_drop:g})."
        )


@dataclass(frozen=True)
class Export:
    """What `export` wrote.

    Attributes:
        file: its name.
        target: its language or format: "ONNX", "C", "JavaScript", "Python", "SQL", "ExecuTorch".
        size_bytes: its size.
        sha256: of its bytes.
        columns: names of its columns, in order; positions for columns without names, empty for rows of another shape.
        classes: the class names, in the order of its answers; empty for regression.
        proofs: the comparison in each runtime; empty if the file is not proven, or of rounded weights.
        drops: for a file of rounded weights, what it loses in each runtime.
        cascade: the guarantee of the threshold below which the file defers rows to a teacher; None if it answers all rows.
    """

    file: str
    target: str
    size_bytes: int
    sha256: str
    columns: tuple[str | int, ...]
    classes: tuple[Any, ...]
    proofs: tuple[Parity, ...]
    drops: tuple[Drop, ...] = ()
    cascade: Mapping[str, Any] | None = None

    @property
    def proven(self) -> bool:
        """Whether the file was compared with its student."""
        return bool(self.proofs or self.drops)

    def __str__(self) -> str:
        """The result in a few sentences."""
        size = f"{self.file}: {self.size_bytes:,} bytes of {self.target}."
        found = [*map(str, self.proofs), *map(str, self.drops)]
        deferred = [] if self.cascade is None else [f"It defers rows of a confidence below {self.cascade['threshold']:.6g}."]
        return " ".join([size, *deferred, *(found or ["Not proven: it was never compared with its student."])])


@dataclass(frozen=True)
class Contender:
    """What `bench` measured of one way to answer.

    Attributes:
        name: such as "teacher", "student" or "student.c".
        runtime: where it ran, such as "gcc 12.2.0".
        alone: latency of calls with one row.
        batch: latency per row of calls with many rows.
        size_bytes: of its file; of the pickle for a model of Python.
        peak_bytes: peak memory of its process, runtime included; 0 where the system does not say.
        multiply_adds: of one row; None where it is not known.
        slower: times the single-row latency of the fastest contender, and the ratios of the ends of both intervals.
    """

    name: str
    runtime: str
    alone: Latency
    batch: Latency
    size_bytes: int
    peak_bytes: int
    multiply_adds: int | None
    slower: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Bench:
    """What `bench` measured: every contender in turn, by several processes, on one thread."""

    contenders: tuple[Contender, ...]
    processor: str
    skipped: tuple[str, ...] = ()
    """Targets that were not measured, each with the reason."""


@dataclass(frozen=True)
class Comparison:
    """The paired difference a - b of one metric, its interval and the verdict.

    Print it for one line: the difference, its interval and what it allows to be said. No verdict covers another teacher.
    """

    a: str
    b: str
    metric: str
    difference: float
    ci95: tuple[float, float]
    verdict: Verdict | PairVerdict
    """"beats", "worse" or "no difference" over seeds; "differ" or "no difference" for two models trained once each."""
    question: str
    """The question that this comparison answers, for a reader."""
    over: str
    """The source of variation that the interval covers, as in `Interval`."""
    caution: str = ""
    """What the verdict rests on besides, as in `Interval`; empty if nothing."""
    p_value: float | None = None
    """One minus the highest level whose interval excludes zero; None where several questions were not asked at once."""
    corrected_p: float | None = None
    """The same, corrected for the other questions asked of the same test rows and for every look at them; the verdict follows it where it
    is known, and then may be "no difference" although the 95 % interval excludes zero."""
    detectable: float | None = None
    """The smallest true difference that would be found in about 80 % of such runs."""

    @property
    def interval(self) -> Interval:
        """The interval as a record."""
        return Interval(*self.ci95, self.over, self.caution)

    def __str__(self) -> str:
        said = "these two models differ" if self.verdict == "differ" else self.verdict
        figures = f"{self.metric} {self.difference:+.4g} ({self.ci95[0]:+.4g} to {self.ci95[1]:+.4g})"
        return printable(f"{self.a} - {self.b}: {figures} over {self.over}: {said}" + (f". {self.caution}" if self.caution else ""))


Record = TypeVar("Record")


def record_from(kind: type[Record], plain: Mapping[str, Any]) -> Record:
    """A frozen record from the JSON values that `dataclasses.asdict` made of it; entries that are missing have their defaults.

    Args:
        kind: the class of the record, whose annotations say which entries are records, tuples or mappings of them.
        plain: the values.

    Raises:
        KeyError: an entry without a default is missing.
    """
    hints = get_type_hints(kind)
    found = {}
    for entry in fields(kind):  # type: ignore[arg-type]
        if entry.name in plain:
            found[entry.name] = _typed(hints[entry.name], plain[entry.name])
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise KeyError(entry.name)
    return kind(**found)


def _typed(hint: Any, value: Any) -> Any:
    """A JSON value as an annotation describes it."""
    if value is None:
        return None
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(one for one in get_args(hint) if one is not type(None))
    inner = get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return record_from(hint, value)
    if get_origin(hint) is tuple:
        return tuple(_typed(inner[0] if inner[-1] is Ellipsis else inner[place], one) for place, one in enumerate(value))
    if get_origin(hint) is Mapping:
        return {name: _typed(inner[1], one) for name, one in value.items()}
    return value


def dumps(plain: Mapping[str, Any]) -> str:
    """Strict JSON (NaN raises ValueError), indented so that it diffs well."""
    return json.dumps(plain, indent=1, allow_nan=False, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays, and read-only mappings, as values that JSON can represent."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
