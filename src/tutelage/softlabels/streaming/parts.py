"""`parts`: rows and their recorded answers, read shard by shard, for students that learn from more rows than fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arguments import flag, seed_of, whole
from tutelage.core.arrays import is_frame
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError, shown
from tutelage.data.row_arrays import target_array
from tutelage.data.row_names import RunningName, row_names
from tutelage.data.rows import Rows, as_rows
from tutelage.data.schema import Column, Schema
from tutelage.data.truth.given_truth import by_position, given_truth, in_words
from tutelage.data.truth.position_truth import names_of_positions
from tutelage.softlabels.folder import LabelFolder
from tutelage.softlabels.labels import SoftLabels, in_recorded_columns
from tutelage.softlabels.options import SHARD_ROWS
from tutelage.softlabels.shards import shard_path
from tutelage.softlabels.streaming.order import EpochOrder, Places, no_rows
from tutelage.softlabels.streaming.part import Part
from tutelage.softlabels.streaming.windows import Windows

WINDOW_ROWS = 262_144
"""Rows that are shuffled together, and held in memory, unless a window is given; at least a shard."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Rows and their recorded answers, read in parts; `parts` makes one. Every student's `fit` that takes it says so.

    Attributes:
        source: the rows.
        labels: the recorded answers to them.
        y: the ground truth of all rows; None if there is none, or if it is in a column.
        column: the column of the rows that holds the ground truth; None if there is none.
        window: the most rows that are held in memory and shuffled together.
        seed: what the order of an epoch, and a sample, are drawn from.
        streams: pieces of an epoch that take turns, each read by a process of its own (see `interleaved`).
        ahead: whether a thread reads the next window while this one is used.
        held_out: the numbers of rows that no epoch shows, ascending (see `without`).

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> X = np.arange(10.0).reshape(10, 1)
        >>> teacher = tl.as_teacher(lambda rows: rows[:, 0] - 5, kind="logits", classes=["small", "large"])
        >>> data = tl.parts(X, tl.record(teacher, X), window=4, seed=1)
        >>> found = [part.numbers.tolist() for part in data.batches(4)]
        >>> [len(numbers) for numbers in found], sorted(sum(found, []))
        ([4, 4, 2], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """

    source: Rows = field(repr=False)
    labels: LabelFolder | SoftLabels = field(repr=False)
    y: Any = field(repr=False)
    column: Any
    window: int
    seed: int
    streams: int = 1
    ahead: bool = True
    held_out: Places = field(default_factory=no_rows, repr=False)
    _reading: Any = field(default_factory=RLock, repr=False)  # files are read by one thread at a time

    def __len__(self) -> int:
        return self.source.count

    @property
    def form(self) -> AnswerForm:
        """The form of the answers."""
        return self.labels.form

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the teacher that gave the answers."""
        return self.labels.fingerprint

    @property
    def shard_rows(self) -> int:
        """Rows that are read together; the last shard may have fewer."""
        return self.labels.provenance.shard_rows if isinstance(self.labels, LabelFolder) else min(SHARD_ROWS, self.window)

    @property
    def shards(self) -> int:
        """The number of shards."""
        return -(-len(self) // self.shard_rows)

    def interleaved(self, streams: int) -> Parts:
        """The same rows in the order in which several processes read them, each from shards of its own.

        The rows at places i, i + streams, ... of an epoch are those of stream i, which has windows of its own. One process that trains on
        this order holds all windows and gets the same result as several, up to rounding.

        Raises:
            BadInput: not a whole number from 1 on.
        """
        return replace(self, streams=whole("streams", streams, 1))

    def without(self, numbers: Places) -> Parts:
        """The same rows in epochs that do not show those with these numbers, for example because they select the epoch.

        Args:
            numbers: of rows, ascending, each once.

        Raises:
            BadInput: no rows would be left.
        """
        if len(numbers) >= len(self):
            raise BadInput(f"all {len(self)} rows would be left out; leave some to learn from.")
        return replace(self, held_out=numbers)

    def order(self, epoch: int) -> EpochOrder:
        """The order of the rows in an epoch, from 1 on, settled by the seed."""
        most = self.window // self.shard_rows
        block = min(-(-self.source.grain // self.shard_rows), most)
        return EpochOrder(len(self), block * self.shard_rows, most // block, self.seed, epoch, self.streams, self.held_out)

    def batches(self, batch_size: int, *, epoch: int = 1, start: int = 0) -> Iterator[Part]:
        """The rows of an epoch, a batch at a time, for a training loop of your own.

        Args:
            batch_size: rows of a batch; the last may have fewer.
            epoch: the number of the epoch; each has another order.
            start: batches at the beginning that are left out, to go on where an earlier run stopped; their rows are not read.

        Raises:
            as `shard`. BadInput: a batch size below 1, or an epoch or a start below 0.
        """
        size, skipped = whole("batch_size", batch_size, 1), whole("start", start) * whole("batch_size", batch_size, 1)
        order, windows = self.order(whole("epoch", epoch)), Windows(self)
        waiting = np.zeros(0, np.int64)
        with closing(windows):
            for numbers in order.parts():
                left_out = min(skipped, len(numbers))
                skipped -= left_out
                waiting = np.concatenate([waiting, numbers[left_out:]])
                full = len(waiting) - len(waiting) % size
                for first in range(0, full, size):
                    yield windows.take(order, waiting[first : first + size])
                waiting = waiting[full:]
            if len(waiting):
                yield windows.take(order, waiting)

    def as_rows(self) -> Rows:
        """Refuse to be taken for rows in memory, wherever rows are expected.

        Raises:
            BadInput: always.
        """
        raise BadInput(
            "these are parts, rows together with their answers, and rows alone are expected here; pass the rows or their file. Parts are "
            "for fit of TorchStudent, SoftLogistic, SoftBoosting, SoftTree and SoftForest, and for evaluate(student, parts)."
        )

    def in_order(self) -> Iterator[Part]:
        """All rows in the order in which they were recorded, a shard at a time.

        Raises:
            as `shard`.
        """
        return map(self.shard, range(self.shards))

    def shard(self, index: int) -> Part:
        """The rows and answers of a shard, after checking by the names of the rows that they belong together.

        Raises:
            LabelMismatch: the answers were recorded on other rows, or columns. DamagedFile: the shard is missing or changed.
        """
        with self._reading:
            return self._shard(index)

    def _shard(self, index: int) -> Part:
        start, stop = index * self.shard_rows, min((index + 1) * self.shard_rows, len(self))
        rows, beside = self.source.paired(start, stop) if self.source.paired is not None else (self.source.part(start, stop), None)
        y: Any = beside if self.y is None else self.y[start:stop]
        if self.column is not None:
            y = target_array(_column(rows, self.column))
        labels = self._labels(index, start, stop)
        recorded = rows if self.column is None or _holds(labels, self.column) else _without(rows, self.column)
        recorded = in_recorded_columns(recorded, labels.schema)
        names = row_names(recorded)
        if not np.array_equal(names, labels.names):
            raise LabelMismatch(self._other_rows(index, start, names, labels.names))
        inputs = _without(recorded, self.column) if self.column is not None and _holds(labels, self.column) else recorded
        return Part(np.arange(start, stop), inputs, labels.answers, y)

    def _labels(self, index: int, start: int, stop: int) -> SoftLabels:
        if isinstance(self.labels, LabelFolder):
            return self.labels.part(index)
        labels = self.labels
        return SoftLabels(labels.answers[start:stop], labels.form, labels.names[start:stop], labels.fingerprint, labels.schema)

    def _other_rows(self, index: int, start: int, found: Any, expected: Any) -> str:
        other = np.flatnonzero(found != expected)
        where: Any = shard_path(self.labels.path, index) if isinstance(self.labels, LabelFolder) else f"shard {index} of the soft labels"
        return (
            f"{where} was recorded on other rows: {len(other)} of its {len(expected)} differ (first: row {start + int(other[0])}). "
            "Pass the rows that the answers were recorded on, in the same order, or record again."
        )

    def identity(self) -> tuple[Any, ...]:
        """What tells these rows, their answers, their ground truth and their order from others, as plain values."""
        data: Any = (self.labels.names, self.labels.answers) if isinstance(self.labels, SoftLabels) else self.labels.sha256
        truth: Any = self.y
        if self.column is not None or (self.y is None and self.source.paired is not None):
            running = RunningName()
            for part in self.in_order():
                running.add(self._truth_names(part))
            truth = running.value
        order = self.order(1)
        return len(self), data, truth, self.column, order.block_rows, order.window_blocks, order.seed, order.streams, self.held_out

    def _truth_names(self, part: Part) -> NDArray[np.uint64]:
        """Names of the ground truth of some rows: that of positions without the padding of its batch."""
        if part.y is None:
            return np.zeros(0, np.uint64)
        if self.form.positions is None:
            return row_names(np.asarray(part.y))
        truth = names_of_positions(part.y, self.form, part.rows, whole=False)
        return np.concatenate([row_names(truth.values[:, None]), truth.lengths.astype(np.uint64)])


def parts(
    rows: Any, labels: LabelFolder | SoftLabels, y: Any = None, *, window: int | None = None, seed: int = 0, ahead: bool = True
) -> Parts:
    """Rows and their recorded answers as a value that students learn from in parts, so that memory holds a window of them.

    Each epoch reads every row exactly once: its shards in random order, and the rows of as many of them as a window holds shuffled
    together. The order depends on the seed and the epoch alone. Each time a shard is read, the names of its rows prove that answers and
    rows belong together.

    Answers have to be recorded: a live teacher would be queried again in every epoch, and `record` asks it once.

    Args:
        rows: the rows that the answers were recorded on, in the same order, as `record` takes them: files that are read in parts
            (Parquet, .npy), or anything else, such as arrays, frames, several inputs and Datasets.
        labels: a recording in a folder, which is read shard by shard, or soft labels in memory.
        y: the ground truth, if it is known: an array, (rows,) or (rows, columns), or the name of the column of the rows that holds it,
            which students do not learn from. With positions the class names of each row, (tokens,) or (height, width).
        window: the most rows that are held in memory and shuffled together, at least a shard; by default 262,144 or a shard. Rows that
            are sorted in the data need a window of many shards. A Parquet file is read by row groups: write groups of no more rows.
        seed: settles the order of every epoch, and which rows a tree learns from.
        ahead: whether a thread reads the next window while a network learns from this one. Memory then holds two windows of rows.

    Returns:
        A `Parts`, for `fit` of `TorchStudent`, `SoftLogistic`, `SoftBoosting`, `SoftTree` and `SoftForest`, for `evaluate`, and, by
        `batches`, for a loop of your own.

    Raises:
        LabelMismatch: the answers were recorded on other rows. BadInput: labels that are no recording, a window that is smaller than a
            shard, or no such column. ShapeError: y of another number of rows.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> import tutelage as tl
        >>> X = np.random.default_rng(0).normal(size=(1000, 2))
        >>> teacher = tl.as_teacher(lambda rows: rows, kind="logits", classes=["left", "right"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     labels = tl.record(teacher, X, f"{folder}/labels", shard_rows=100)
        ...     data = tl.parts(X, labels, window=300)
        ...     batches = list(data.batches(64))
        ...     student = tl.SoftLogistic().fit(data)
        >>> len(data), len(batches), len(batches[-1])
        (1000, 16, 40)
        >>> student.classes_.tolist()
        ['left', 'right']
    """
    if not isinstance(labels, LabelFolder | SoftLabels):
        raise BadInput(
            f"labels is {shown(labels)}; expected a recording, since every epoch would query a live teacher again. Record its answers "
            "once: labels = tl.record(teacher, rows, into=...)."
        )
    source = as_rows(rows, by_position=by_position(labels.form))
    y = given_truth(rows, y, labels.form)
    if source.paired is not None:
        source = replace(source, paired=partial(_paired_in_words, source.paired, rows, labels.form))
    if labels.schema is not None and source.reread is not None:
        source = source.reread(labels.schema)
    if isinstance(y, str) and source.reread is not None:
        source = source.reread(Schema((Column(y, "any", literals=tuple(labels.form.classes)),)))
    if source.count != len(labels):
        raise LabelMismatch(
            f"there are {source.count} rows, and the answers were recorded on {len(labels)}. Pass the rows that they were recorded on, or "
            "record again."
        )
    column = y if isinstance(y, str) else None
    truth = None if y is None or column is not None else _checked_truth(y, source.count, labels.form)
    shard = labels.provenance.shard_rows if isinstance(labels, LabelFolder) else 1
    size = max(WINDOW_ROWS, shard) if window is None else whole("window", window, 1)
    if size < min(shard, source.count):
        raise BadInput(
            f"window is {size} rows, and a shard of this recording has {shard}, which are read together; pass a window of {shard} or "
            "more, or record with a smaller shard_rows."
        )
    made = Parts(source, labels, truth, column, max(size, shard), seed_of("seed", seed), ahead=flag("ahead", ahead))
    made.shard(0)  # so that other rows are an error here, and not when a student reads them
    return made


def _paired_in_words(paired: Callable[[int, int], tuple[Any, Any]], rows: Any, form: AnswerForm, start: int, stop: int) -> tuple[Any, Any]:
    """Some rows and their ground truth, by the class names that a Dataset of Hugging Face has for its numbers."""
    inputs, truth = paired(start, stop)
    return inputs, None if truth is None else in_words(truth, rows, form)


def _checked_truth(y: Any, rows: int, form: AnswerForm) -> Any:
    if form.positions is not None and not is_frame(y):
        return _truth_of_positions(y, rows)
    truth = target_array(form.truth_by_name(y))
    if truth.ndim not in (1, 2) or len(truth) != rows:
        raise ShapeError(f"y has shape {truth.shape}; expected ({rows},) or ({rows}, columns), or the name of a column of the rows.")
    return truth


def _truth_of_positions(y: Any, rows: int) -> Any:
    """The class names of each row's positions: a list with an array for each row, or one array of them all."""
    truth = target_array(y) if hasattr(y, "dtype") else list(y)
    if len(truth) != rows or np.ndim(truth[0]) == 0:
        shape = getattr(truth, "shape", (len(truth),))
        raise ShapeError(f"y has shape {shape}; expected the class names of each of {rows} rows, (tokens,) or (height, width).")
    return truth


def _column(rows: Any, column: str) -> Any:
    names = list(getattr(rows, "columns", ()))
    if column not in names:
        seen = f"the rows have the columns {', '.join(map(str, names))}" if names else f"the rows are a {type(rows).__name__}"
        raise BadInput(f"y is {column!r}, and {seen}; pass the name of a column of the rows, or an array with the ground truth.")
    return rows[column]


def _holds(labels: SoftLabels, column: str) -> bool:
    """Whether the ground truth is among the columns that were recorded."""
    return labels.schema is not None and labels.schema.names is not None and column in labels.schema.names


def _without(rows: Any, column: str) -> Any:
    return rows.drop(columns=column) if hasattr(rows, "iloc") else rows.drop(column)
