"""Drift: how far rows and answers have moved from those that were recorded, by counts alone.

A profile holds, for each column and for the answers, the counts of recorded rows in a few bins. No cell of a row is in it: the borders
between bins of numbers lie near the deciles, between two cells, and texts are counted by a hash or by their length.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import DamagedFile
from tutelage.core.records import record_from
from tutelage.core.stored.checksums import checked, with_checksum
from tutelage.data.structures.ragged import Field, Ragged
from tutelage.data.structures.structured import MASK, StructuredRows, mask_of

SCHEMA = 1
REFERENCE = "reference.json"
"""The file of a profile, in the folder of a student."""
FILE = "student.onnx"
"""The file beside it that is served."""
BINS = 10
BUCKETS = 16
"""Bins of the hashes of short texts, such as categories."""
FEW_TEXTS = 64
"""A column of texts with more different ones is free text, of which the lengths are counted."""
WIDEST = 200
"""Rows of more numbers, such as pictures, are counted by the mean and the standard deviation of their numbers."""
LARGE = 0.25
"""A stability index above this is usually called a large shift, and one below 0.1 none (Siddiqi, Credit Risk Scorecards, 2006)."""

Kind = Literal["number", "text", "length"]


@dataclass(frozen=True)
class Bins:
    """The recorded counts of one column, or of one figure of the answers.

    Attributes:
        name: of the column; "" for a column without a name.
        kind: "number", or texts by a hash ("text") or by their "length".
        edges: borders of the bins of numbers and lengths, ascending; a value belongs to the bin above the last border that is below it.
        counts: recorded rows in each bin; the last bin is that of missing cells.
    """

    name: str
    kind: Kind
    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, name: str, cells: NDArray[Any]) -> Bins:
        """The bins of a column, and its counts.

        Args:
            name: of the column.
            cells: (rows,) numbers, NaN where missing, or objects: texts, None where missing.
        """
        if cells.dtype.kind == "O":
            few = len({text for text in cells.tolist() if text}) <= FEW_TEXTS
            empty = cls(name, "text", (), (0,) * (BUCKETS + 1)) if few else cls(name, "length", _deciles(_lengths(cells)), ())
        else:
            empty = cls(name, "number", _deciles(cells.astype(np.float64)), ())
        return cls(name, empty.kind, empty.edges, tuple(empty.count(cells).tolist()))

    def count(self, cells: NDArray[Any]) -> NDArray[np.int64]:
        """(bins,) rows in each bin."""
        if self.kind == "text":
            places = [BUCKETS if not text else zlib.crc32(text.encode()) % BUCKETS for text in cells.tolist()]
            return np.bincount(places, minlength=BUCKETS + 1)
        numbers = _lengths(cells) if self.kind == "length" else cells.astype(np.float64)
        bins = np.where(np.isnan(numbers), len(self.edges) + 1, np.searchsorted(self.edges, numbers))
        return np.bincount(bins, minlength=len(self.edges) + 2)

    def shift(self, counts: NDArray[np.int64]) -> float:
        """The population stability index of other rows, from their counts: 0 where the shares are equal.

        Half a row is added to each bin, so that an empty one does not make it infinite.
        """
        recorded = np.asarray(self.counts) + 0.5
        other = counts + 0.5
        expected, found = recorded / recorded.sum(), other / other.sum()
        return float(((found - expected) * np.log(found / expected)).sum())


@dataclass(frozen=True)
class Profile:
    """Recorded rows and the answers to them, as counts.

    Attributes:
        rows: number of rows.
        columns: of each column, in order; of rows of another shape, of the mean and the standard deviation of their numbers; of those of
            several inputs as `columns_of_inputs` says.
        answers: of the decisions or values, and of the confidence.
        file: SHA-256 of the exported file whose student answered; None if there was none.

    Example:
        >>> import numpy as np
        >>> from tutelage.evaluation.deployed.drift import Profile
        >>> random = np.random.default_rng(0)
        >>> recorded = Profile.of({"age": random.normal(40, 10, 1000)}, {"confidence": random.uniform(0.5, 1, 1000)})
        >>> seen = Profile.counts_of(recorded.columns, {"age": random.normal(60, 10, 1000)})
        >>> recorded.columns[0].shift(seen[0]) > 1
        True
    """

    rows: int
    columns: tuple[Bins, ...]
    answers: tuple[Bins, ...]
    file: str | None = None

    @classmethod
    def of(cls, columns: Mapping[str, NDArray[Any]], answers: Mapping[str, NDArray[Any]]) -> Profile:
        """The profile of rows.

        Args:
            columns: (rows,) cells by name, as for `Bins.of`.
            answers: (rows,) figures of the answers by name, such as the decision and its confidence.
        """
        every = [*columns.values(), *answers.values()]
        of_columns, of_answers = (tuple(Bins.of(name, cells) for name, cells in part.items()) for part in (columns, answers))
        return cls(len(every[0]), of_columns, of_answers)

    @staticmethod
    def counts_of(bins: Sequence[Bins], cells: Mapping[str, NDArray[Any]]) -> list[NDArray[np.int64]]:
        """The counts of other rows, in the order of the bins."""
        return [one.count(cells[one.name]) for one in bins]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, with a checksum."""
        return with_checksum({"schema": SCHEMA, **asdict(self)})

    @classmethod
    def from_json(cls, plain: Any, name: str) -> Profile:
        """The profile that `to_json` wrote.

        Raises:
            DamagedFile: other values. StaleCache: values of another version.
        """
        remedy = "Leave the file out to serve without figures of drift, or distil again."
        values = checked(plain, schema=SCHEMA, name=name, remedy=remedy)
        try:
            return record_from(cls, values)
        except (KeyError, TypeError) as error:
            raise DamagedFile(f"{name} is no profile of rows. {remedy}") from error


class RecentRows:
    """The counts of the latest rows, to be compared with a profile.

    Args:
        profile: the recorded rows.
        rows: number of latest rows that count, about: they are dropped in blocks of a tenth.
    """

    def __init__(self, profile: Profile, *, rows: int = 10_000) -> None:
        self.profile = profile
        self._block_rows = max(1, rows // 10)
        self._blocks: deque[list[NDArray[np.int64]]] = deque(maxlen=10)
        self._in_block = self._block_rows

    @property
    def _bins(self) -> tuple[Bins, ...]:
        return (*self.profile.columns, *self.profile.answers)

    def see(self, columns: Mapping[str, NDArray[Any]], answers: Mapping[str, NDArray[Any]]) -> None:
        """Count rows.

        Args:
            columns: (rows,) cells by name, of the columns of the profile.
            answers: (rows,) figures by name, of the answers of the profile.
        """
        counts = [*Profile.counts_of(self.profile.columns, columns), *Profile.counts_of(self.profile.answers, answers)]
        if self._in_block >= self._block_rows:
            self._blocks.append([np.zeros_like(count) for count in counts])
            self._in_block = 0
        self._blocks[-1] = [total + count for total, count in zip(self._blocks[-1], counts, strict=True)]
        self._in_block += int(counts[0].sum())

    @property
    def count(self) -> int:
        """Number of rows that count."""
        return int(sum(block[0].sum() for block in self._blocks))

    def shifts(self) -> tuple[dict[str, float], dict[str, float]]:
        """The stability index of each column, and of each figure of the answers."""
        if not self._blocks:
            return {}, {}
        totals = [np.sum(of_bins, axis=0) for of_bins in zip(*self._blocks, strict=True)]
        width = len(self.profile.columns)
        found = [one.shift(total) for one, total in zip(self._bins, totals, strict=True)]
        names = [one.name for one in self._bins]
        return dict(zip(names[:width], found[:width], strict=True)), dict(zip(names[width:], found[width:], strict=True))


def columns_of_rows(names: Sequence[str], numbers: NDArray[Any], texts: NDArray[Any], is_text: Sequence[bool]) -> dict[str, NDArray[Any]]:
    """The columns of rows by name, as profiles count them.

    Args:
        names: of the columns, in order; none for rows of another shape.
        numbers: (rows, ...) the numbers of each row.
        texts: (rows, text columns) of objects.
        is_text: for each column, whether it is one of texts.
    """
    if not names or len(names) > WIDEST:
        flat = numbers.reshape(len(numbers), -1).astype(np.float64)
        return {"mean of a row": flat.mean(axis=1), "deviation of a row": flat.std(axis=1)}
    found, number, text = {}, 0, 0
    for name, of_text in zip(names, is_text, strict=True):
        found[name] = texts[:, text] if of_text else numbers[:, number]
        number, text = number + (not of_text), text + of_text
    return found


def columns_of_inputs(rows: StructuredRows, named: Mapping[str, bool]) -> dict[str, NDArray[Any]]:
    """The numbers of rows of several inputs by name, as profiles count them.

    Of an input that varies, the length of each row, and the mean and the standard deviation of its numbers, without those that a mask
    leaves out; masks themselves are not counted. Of another, each number; of more than `WIDEST`, as of pictures, mean and deviation.

    Args:
        rows: the rows.
        named: the name of each input in their order, and whether a row may have any number of tokens in it.
    """
    fields = [(name, own, rows.fields[own]) for own, name in zip(rows.fields, named, strict=True) if not name.endswith(MASK)]
    widths = {name: int(np.prod(field.shape[1:])) for name, _, field in fields if not named[name] and not isinstance(field, Ragged)}
    widths = {name: width for name, width in widths.items() if width <= WIDEST}
    found: dict[str, NDArray[Any]] = {}
    for name, own, field in fields:
        if name in widths and (widths[name] == 1 or sum(widths.values()) <= WIDEST):
            cells = np.asarray(field).reshape(len(field), -1).astype(np.float64)
            found |= {name if widths[name] == 1 else f"{name} {place}": cells[:, place] for place in range(widths[name])}
            continue
        lengths, mean, deviation = _spread_of_rows(field, rows.fields.get(mask_of(own)) if named[name] else None)
        found |= {f"length of {name}": lengths} if named[name] else {}
        found |= {f"mean of {name}": mean, f"deviation of {name}": deviation}
    return found


def _spread_of_rows(field: Field, mask: Field | None) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(rows,) how many positions of each row count, the mean of their numbers, and the standard deviation; NaN for a row without any."""
    positions, lengths = _positions(field)
    row = np.repeat(np.arange(len(lengths)), lengths)
    counting = None if mask is None else _positions(mask)
    if counting is not None and counting[0].shape[1] == 1 and np.array_equal(counting[1], lengths):
        inside = counting[0][:, 0] != 0
        positions, row = positions[inside], row[inside]
    counts = np.bincount(row, minlength=len(lengths)).astype(np.float64)

    def means(cells: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(row, weights=cells.mean(axis=1), minlength=len(counts)) / counts)

    with np.errstate(invalid="ignore", divide="ignore"):
        mean = means(positions)
        return counts, mean, np.sqrt(means((positions - mean[row, None]) ** 2))


def _positions(field: Field) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(positions, numbers) those of all rows, one after the other, and (rows,) how many each has."""
    if isinstance(field, Ragged):
        values, lengths = field.values, field.lengths
    else:
        values, lengths = field.reshape(-1, *field.shape[2:]), np.full(len(field), field.shape[1])
    return values.reshape(len(values), int(np.prod(values.shape[1:]))).astype(np.float64), lengths


def figures_of_answers(
    task: str, classes: Sequence[Any], answers: NDArray[Any], confidence: NDArray[Any] | None
) -> dict[str, NDArray[Any]]:
    """The figures of answers by name, as profiles count them: decision and confidence, or the values.

    Args:
        task: of the student.
        classes: the class of each column, or the label.
        answers: (rows, columns) probabilities or values.
        confidence: (rows,) of the decisions; None for values.
    """
    if task == "regression":
        return {f"value {place}" if answers.shape[1] > 1 else "value": answers[:, place] for place in range(answers.shape[1])}
    if task == "multilabel":
        found = {f"label {name}": (answers[:, place] > 0.5).astype(np.float64) for place, name in enumerate(classes)}
    else:
        found = {"decision": answers.argmax(axis=1).astype(np.float64)}
    return {**found, "confidence": np.asarray(confidence)}


def _lengths(cells: NDArray[Any]) -> NDArray[np.float64]:
    return np.array([np.nan if not text else len(text) for text in cells.tolist()])


def _deciles(numbers: NDArray[np.float64]) -> tuple[float, ...]:
    """Borders between bins of about as many numbers; of few different numbers, between each two of them. None of them is a number."""
    known = numbers[np.isfinite(numbers)]
    different = np.unique(known)
    if len(different) < 2:
        return ()
    below = np.arange(len(different) - 1)
    if len(different) > BINS:
        reached = np.quantile(known, np.arange(1, BINS) / BINS, method="inverted_cdf")
        below = np.unique(np.searchsorted(different, reached).clip(max=len(different) - 2))
    borders = (_between(low, high) for low, high in zip(different[below].tolist(), different[below + 1].tolist(), strict=True))
    return tuple(border for border in borders if border is not None)


def _between(low: float, high: float) -> float | None:
    """A number between two others with few digits; None if there is none.

    Example:
        >>> _between(41.8137, 41.9266), _between(0.0, 1.0)
        (41.9, 0.5)
    """
    middle = low / 2 + high / 2
    rounded = (float(f"{middle:.{digits}g}") for digits in range(1, 18))
    return next((border for border in rounded if low < border < high), None)
