"""Answers that somebody logged already: probabilities, logits, top-k or votes in a Parquet, CSV or JSONL file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answer_kinds import Task
from tutelage.core.answers import AnswerForm, of_classes, plain, shown
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities, ShapeError
from tutelage.data.row_names import Names, row_names
from tutelage.data.rows import as_rows, read_table
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.options import LOGGED_KINDS, SHARD_ROWS, LoggedKind, Repeated, Rest

MASS_SLACK = 1e-3


def read_answers(
    source: Any,
    *,
    answers: str | Sequence[str],
    kind: LoggedKind,
    content: str | Sequence[str] | None = None,
    data: Any = None,
    id_column: str | None = None,
    ids: Sequence[Any] | None = None,
    classes: Sequence[Any] | None = None,
    task: Task | None = None,
    rest: Rest = "spread",
    repeated: Repeated = "error",
    smoothing: float = 0.0,
) -> SoftLabels:
    """Soft labels from a log.

    A line of the log belongs to the row with its `content`; without content, to the row of `data` in the same
    place, or the one whose entry in `ids` is the line's `id_column`.

    Args:
        source: path of a .parquet, .csv or .jsonl file, or a pyarrow Table.
        answers: the columns that hold the answers. One name: numbers, lists of numbers, mappings from class to
            number (JSON objects; classes left out make it top-k), or for votes a label or a list of labels.
            Several names: a column a class.
        kind: what the numbers are. "votes" are counted: an LLM asked five times gives five.
        content: the columns that hold the rows themselves (for texts one column).
        data: the rows, when the log does not hold them; as `as_rows` takes them.
        id_column: the column that says which row of `data` a line is about.
        ids: (rows of data,) the id of each row.
        classes: the label of each column or place; needed for lists. By default the columns' names, the keys met,
            or the labels voted for, in sorted order.
        task: "multilabel" when each number is a probability of its own; otherwise told from kind and classes.
        rest: what becomes of the mass that a top-k line does not name: "spread" gives it in equal parts to the
            classes left out, "drop" leaves it out and scales the others up.
        repeated: what to do with several lines about one row that disagree: "error", or their "mean" (votes are
            always counted together).
        smoothing: votes added to every class before counting; above 0 no class is impossible.

    Returns:
        Soft labels, a Teacher for exactly the rows that the log answers.

    Raises:
        BadInput: no such file or column, an unknown kind, or no way to tell the rows. LabelMismatch: lines that do
            not fit the rows or classes. NotProbabilities, ShapeError: numbers that are not what `kind` says.
    """
    _check_options(kind, content=content, data=data, id_column=id_column, ids=ids)
    table = read_table(Path(source)) if isinstance(source, str | Path) else source
    columns = _Columns(table)
    wanted = [answers] if isinstance(answers, str) else list(answers)
    names = _names(columns, content=content, data=data, id_column=id_column, ids=ids)
    if kind == "votes":
        numbers, labels, names = _counted(columns.values(wanted[0]), names, classes=classes, smoothing=smoothing)
    else:
        numbers, labels = _numbers(columns, wanted, kind, classes=classes, rest=rest)
    form = _form(kind, labels, task)
    numbers = form.check(_exp(numbers) if kind == "log-probabilities" else numbers, len(names), "the logged answers")
    if repeated == "mean" and kind != "votes":
        numbers, names = _mean(form.probabilities(numbers) if kind == "logits" else numbers, names)
        form = form.as_kind("probabilities") if kind == "logits" else form
    said = hashlib.sha256(np.ascontiguousarray(numbers).tobytes() + names.tobytes() + repr(form).encode())
    kept = SoftLabels(numbers, form, names, f"logged:{said.hexdigest()}")
    kept.of_names(names[:1])  # the same row answered in two ways is told now
    return kept


def _check_options(kind: str, *, content: Any, data: Any, id_column: str | None, ids: Any) -> None:
    if kind not in LOGGED_KINDS:
        raise BadInput(f"kind {kind!r} is unknown; expected one of {', '.join(LOGGED_KINDS)}.")
    if (content is None) == (data is None):
        raise BadInput("say which rows the lines are about: pass either content=, the columns that hold the rows, or data=, the rows.")
    if (id_column is None) != (ids is None) or (ids is not None and data is None):
        raise BadInput("to join by id, pass all of data=, ids= (an id for each row of data) and id_column= (the log's column of ids).")


@dataclass(frozen=True)
class _Columns:
    """A table's columns by name."""

    table: Any

    def column(self, name: str) -> Any:
        if name not in self.table.column_names:
            raise BadInput(f"the log has no column {name!r}; it has {', '.join(map(repr, self.table.column_names))}.")
        return self.table.column(name)

    def values(self, name: str) -> list[Any]:
        """Python values; a text that holds JSON, as a CSV file must write it, is read as JSON."""
        values = self.column(name).to_pylist()
        if values and all(isinstance(value, str) and value[:1] in "[{" for value in values):
            try:
                return [json.loads(value) for value in values]
            except ValueError as error:
                raise BadInput(f"column {name!r} looks like JSON and is not ({error}).") from error
        return list(values)


def _names(columns: _Columns, *, content: str | Sequence[str] | None, data: Any, id_column: str | None, ids: Sequence[Any] | None) -> Names:
    """(lines,) the name of the row that each line is about."""
    if content is not None:
        held = [content] if isinstance(content, str) else list(content)
        lines = [columns.column(name).to_pylist() for name in held]
        return row_names(lines[0] if len(held) == 1 else np.array(lines, dtype=object).T)  # as objects: 1.5 beside a text stays a number
    names = np.concatenate([row_names(part) for *_, part in as_rows(data).parts(SHARD_ROWS)])
    if id_column is None or ids is None:
        if len(names) != columns.table.num_rows:
            raise LabelMismatch(
                f"the log has {columns.table.num_rows} lines and the data {len(names)} rows; without ids, line and row must pair up."
            )
        return names
    return names[_places(columns.column(id_column).to_pylist(), list(ids), len(names))]


def _places(said: list[Any], ids: list[Any], rows: int) -> NDArray[np.intp]:
    """(lines,) the place in data of each line's id."""
    if len(ids) != rows:
        raise LabelMismatch(f"there are {len(ids)} ids for {rows} rows; expected one a row.")
    place = {plain(known): index for index, known in enumerate(ids)}
    if len(place) < rows:
        raise LabelMismatch(f"{rows - len(place)} ids are given to more than one row; each row needs its own.")
    unknown = [one for one in said if one not in place]
    if unknown:
        raise LabelMismatch(f"{len(unknown)} of {len(said)} lines have an id that no row has (first: {unknown[0]!r}).")
    return np.array([place[one] for one in said], dtype=np.intp)


def _form(kind: LoggedKind, labels: tuple[Any, ...], task: Task | None) -> AnswerForm:
    if kind == "values":
        return AnswerForm("values", "regression")
    answer_kind: Literal["logits", "probabilities"] = "logits" if kind == "logits" else "probabilities"
    return of_classes(answer_kind, labels) if task is None else AnswerForm(answer_kind, task, labels)


def _numbers(
    columns: _Columns, wanted: list[str], kind: LoggedKind, *, classes: Sequence[Any] | None, rest: str
) -> tuple[Floats, tuple[Any, ...]]:
    """(lines, classes) numbers of a kind, log-probabilities left as they are, and the classes."""
    if len(wanted) > 1:
        wide = np.column_stack([_floats(columns.values(name), name) for name in wanted])
        return wide, () if kind == "values" else tuple(wanted if classes is None else classes)
    values = columns.values(wanted[0])
    if values and all(isinstance(value, Mapping) for value in values):
        return _from_mappings(values, kind, classes=classes, rest=rest)
    numbers = _floats(values, wanted[0])
    if kind == "values":
        return numbers, ()
    if classes is None:
        raise BadInput(f"column {wanted[0]!r} holds lists of numbers; pass classes=, the label of each place.")
    return numbers, tuple(classes)


def _floats(values: list[Any], name: str) -> Floats:
    try:
        return np.asarray(np.array(values, dtype=np.float64))
    except (TypeError, ValueError, OverflowError) as error:
        raise ShapeError(f"column {name!r} does not hold numbers, or lists of equally many ({error}).") from error


def _exp(log_probs: Floats) -> Floats:
    """Probabilities; what is no log-probability becomes inf, which the checks refuse."""
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(log_probs))


def _from_mappings(
    values: list[Mapping[str, Any]], kind: LoggedKind, *, classes: Sequence[Any] | None, rest: str
) -> tuple[Floats, tuple[Any, ...]]:
    met = sorted({key for value in values for key, number in value.items() if number is not None})
    labels = tuple(met if classes is None else classes)
    place = {str(label): index for index, label in enumerate(labels)}
    unknown = [key for key in met if key not in place]
    if unknown:
        raise LabelMismatch(f"the log names the class {unknown[0]!r}, which is not among {shown(labels)}. Add it to classes=.")
    numbers = np.full((len(values), len(labels)), np.nan)
    for line, value in enumerate(values):
        for key, number in value.items():
            if number is not None:
                numbers[line, place[key]] = number if number == number else np.inf  # noqa: PLR0124 - NaN is no class left out
    return _completed(numbers, kind, rest=rest), labels


def _completed(numbers: Floats, kind: LoggedKind, *, rest: str) -> Floats:
    """Top-k lines (NaN where a class is left out) as whole distributions."""
    left_out = np.isnan(numbers)
    if kind == "logits":
        if left_out.any():
            raise BadInput("the log leaves classes out of its logits, so the rest cannot be told; log log-probabilities, or all classes.")
        return numbers
    p = np.where(left_out, 0.0, _exp(numbers) if kind == "log-probabilities" else numbers)
    _check_named(p, kind)
    mass = 1 - p.sum(axis=1)
    if (mass < -MASS_SLACK).any():
        line = int(np.flatnonzero(mass < -MASS_SLACK)[0])
        raise NotProbabilities(f"the probabilities of line {line} add up to {1 - mass[line]:.4g}; expected at most 1. Are they {kind}?")
    missing = left_out.sum(axis=1)
    if rest == "drop":
        p = p / np.maximum(p.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    else:
        lost = (missing == 0) & (mass > MASS_SLACK)
        if lost.any():
            line = int(np.flatnonzero(lost)[0])
            raise NotProbabilities(
                f"line {line} names every class, and they add up to {1 - mass[line]:.4g}; pass rest='drop' to scale such lines up to 1."
            )
        p = np.where(left_out, (np.maximum(mass, 0) / np.maximum(missing, 1))[:, None], p)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(p) if kind == "log-probabilities" else p)


def _check_named(p: Floats, kind: LoggedKind) -> None:
    bad = ~((p >= 0) & np.isfinite(p)).all(axis=1)
    if bad.any():
        raise NotProbabilities(f"line {int(np.flatnonzero(bad)[0])} holds numbers that are no {kind}; expected 0 to 1, or their logarithm.")


def _counted(values: list[Any], names: Names, *, classes: Sequence[Any] | None, smoothing: float) -> tuple[Floats, tuple[Any, ...], Names]:
    """(rows, classes) shares of the votes, the classes, and the name of each row, in the order rows first appear."""
    votes = [list(value) if isinstance(value, list | tuple) else [value] for value in values]
    met = {plain(vote) for line in votes for vote in line}
    labels = tuple(sorted(met, key=lambda label: (isinstance(label, str), label)) if classes is None else map(plain, classes))
    unknown = sorted(map(repr, met - set(labels)))
    if unknown:
        raise LabelMismatch(f"votes were cast for {', '.join(unknown[:6])}, not among {shown(labels)}. Add them, or clean the log.")
    if smoothing < 0:
        raise BadInput(f"smoothing is {smoothing}; expected 0 or more votes a class.")
    place = {label: index for index, label in enumerate(labels)}
    _, first, row = np.unique(names, return_index=True, return_inverse=True)
    counts = np.full((len(first), len(labels)), float(smoothing))
    for line, cast in enumerate(votes):
        for vote in cast:
            counts[row[line], place[plain(vote)]] += 1
    total = counts.sum(axis=1, keepdims=True)
    if (total == smoothing * len(labels)).any():
        line = int(first[np.flatnonzero(total[:, 0] == smoothing * len(labels))[0]])
        raise LabelMismatch(f"nobody voted on the row of line {line}; drop it, or ask again.")
    order = np.argsort(first)
    return (counts / total)[order], labels, names[first[order]]


def _mean(numbers: Floats, names: Names) -> tuple[Floats, Names]:
    """One line a row, the mean of its lines, in the order rows first appear."""
    _, first, row = np.unique(names, return_index=True, return_inverse=True)
    total = np.zeros((len(first), numbers.shape[1]))
    np.add.at(total, row, numbers)
    order = np.argsort(first)
    return (total / np.bincount(row)[:, None])[order], names[first[order]]
