"""Find, by name, the columns of a table that a student should not have, and those that change no answer of the teacher."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.checks.answers.differences import ROUNDING, largest_difference
from tutelage.checks.awkward_columns import awkward_columns, copies_of_truth, table_columns
from tutelage.checks.findings import Finding
from tutelage.checks.sampling import MOST_CELLS, Sample, SampleAnswers, query_sample, without_columns
from tutelage.core.answer_values.class_names import list_classes
from tutelage.core.contracts import Teacher
from tutelage.core.position_answers import joined
from tutelage.data.row_names import row_names
from tutelage.data.structures.row_parts import concatenated, rows_at

FEW, MANY = 32, 500
"""Rows that a column is permuted in: few show that it is read, many that it is not."""

MOST_COLUMNS = 256
"""Tables with more columns are not queried column by column."""

HARMLESS = ("is constant", "is empty")


def check_columns(sample: Sample, drop: tuple[str, ...] = ()) -> Iterator[Finding]:
    """Find columns that give the truth away, and identifiers, dates and constants.

    Args:
        sample: the rows, with labels if they are known.
        drop: names of columns that the student is not given.
    """
    rows, truth = without_columns(sample.inputs, drop), sample.labels
    count = sum(1 for _ in table_columns(rows))
    if not count:
        return
    copies = [] if truth is None else copies_of_truth(rows, truth)
    found = [column for column in awkward_columns(rows, truth) if column[0] not in dict(copies)]
    determining = [column for column in found if column[1].startswith("determines")]
    awkward = [column for column in found if column not in determining]
    if copies:
        sentence = f"{_listed(copies)}: a student would read the answer there, and every figure about it would mean nothing."
        yield Finding("truth-as-feature", "error", {"columns": list(dict(copies))}, sentence, "Drop these columns from the rows.")
    if determining:
        remedy = "Drop these columns, unless they are known before the truth is."
        yield Finding("truth-as-feature", "warning", {"columns": list(dict(determining))}, f"{_listed(determining)}.", remedy)
    figure = {"columns": list(dict(awkward))}
    if any(reason not in HARMLESS for _, reason in awkward):
        remedy = "Drop identifiers; replace a date by numbers, such as the month, the weekday or the days since an event."
        yield Finding("columns", "warning", figure, f"{_listed(awkward)}: what is learnt there does not hold for other rows.", remedy)
    elif awkward:
        yield Finding("columns", "note", figure, f"{_listed(awkward)}: there is nothing to learn from it.", "Drop these columns.")
    else:
        yield Finding("columns", "ok", {"columns": count}, "no column is an identifier, a date or a constant.")


def _listed(columns: list[tuple[str, str]]) -> str:
    """The columns by reason, such as "'a', 'b' is constant"; the first reasons and names."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in columns:
        by_reason.setdefault(reason, []).append(name)
    parts = []
    for reason, names in by_reason.items():
        listed = list_classes(tuple(names))[1:-1]
        parts.append(f"column {listed} {reason}" if len(names) == 1 else f"each of the columns {listed} {reason}")
    return "; ".join(parts[:6]) + ("; ..." if len(parts) > 6 else "")


def check_unread(teacher: Teacher, answered: SampleAnswers, seed: int, drop: tuple[str, ...] = ()) -> Iterator[Finding]:
    """Find columns that do not change any answer when their cells are exchanged between rows; those in `drop` are not tried."""
    columns = list(table_columns(answered.sample.inputs))
    varying = [place for place, (name, cells, _) in enumerate(columns) if name not in drop and _varies(cells)]
    if answered.form.positions is not None or not columns or len(columns) > MOST_COLUMNS or answered.sample.count < FEW:
        return
    if FEW * len(varying) * len(answered.form.classes) > 4 * MOST_CELLS:
        sentence = f"not checked: the answers to rows with exchanged cells have {len(answered.form.classes):,} classes each."
        yield Finding("unread-columns", "note", {}, sentence)
        return
    places = _unread(teacher, answered.sample, varying, np.random.default_rng(seed))
    if places is None:
        return
    unread = [columns[place][0] for place in places]
    figure = {"not read": unread, "columns": len(columns), "rows": min(MANY, answered.sample.count)}
    if unread:
        sentence = (
            f"no answer changes when the cells of {list_classes(tuple(unread))} are exchanged between rows: the teacher does not read "
            "these columns, or does not tell these values apart, as beyond those that it was trained on."
        )
        yield Finding("unread-columns", "note", figure, sentence, "Drop these columns, so that the student does not learn from them.")
    else:
        yield Finding("unread-columns", "ok", figure, "the answers depend on every column that varies.")


def _varies(cells: NDArray[Any]) -> bool:
    return len({str(cell) for cell in cells[:MANY].tolist()}) > 1


def _unread(teacher: Teacher, sample: Sample, places: list[int], draw: np.random.Generator) -> list[int] | None:
    """The columns whose exchanged cells change no answer, among those at these places; one that has too few differing cells is left out.

    All columns are tried on a few rows in one query; those that change nothing there, one by one on many rows. None if the teacher
    does not answer the changed rows, as recorded answers do not.
    """
    unread = places
    for count in sorted({FEW, min(MANY, sample.count)}):
        if not unread:
            return []
        head = rows_at(sample.inputs, np.arange(count))
        changed = [_exchanged(head, place, draw.permutation(count)) for place in unread]
        together = [changed] if count == FEW else [[rows] for rows in changed]
        queried = [[head], *together]
        answered = [query_sample(teacher, Sample(concatenated(rows), count * len(rows), count * len(rows))) for rows in queried]
        if any(isinstance(found, Finding) for found in answered):
            return None
        answers: Any = joined(found.answers for found in answered if isinstance(found, SampleAnswers))
        before, *after = (answers[start : start + count] for start in range(0, len(answers), count))
        tried = [
            (place, rows)
            for place, rows, now in zip(unread, changed, after, strict=True)
            if largest_difference(teacher.form, before, now) <= ROUNDING
        ]
        unread = [place for place, _ in tried]
    return [place for place, rows in tried if (row_names(head) != row_names(rows)).sum() >= FEW]


def _exchanged(rows: Any, place: int, order: NDArray[np.intp]) -> Any:
    """A copy of the rows whose column at this place is in another order."""
    if hasattr(rows, "iloc"):
        frame, column = rows.copy(), rows.iloc[order, place]
        column.index = frame.index
        frame.isetitem(place, column)
        return frame
    if hasattr(rows, "get_columns"):
        return rows.with_columns(rows.get_columns()[place].gather(order.tolist()))
    array = np.array(rows)
    array[:, place] = array[order, place]
    return array
