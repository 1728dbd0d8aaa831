"""The comparison of an exported file with its student, in the runtime of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats, confidence_of
from tutelage.core.errors import BadInput, ParityError, TutelageError
from tutelage.core.records import Parity
from tutelage.exporters.program.operations import Category, OnnxPart
from tutelage.exporters.program.program import Program
from tutelage.exporters.proof.as_given import LARGEST_OF_ROUNDING, OF_ROUNDING, TOLERANCE, sizes_of
from tutelage.exporters.proof.edge_cases import EMPTY, edge_cases, ordinary_rows
from tutelage.exporters.proof.refusals import FAR_DATES, OddCells, in_columns
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.student_answers import Answers
from tutelage.exporters.subject.subject import Subject
from tutelage.exporters.subject.threshold import deferred_rows

LARGEST_FACTOR = 1000
"""Rows far larger than ordinary ones may differ by up to this many times more, where weighted sums are rounded."""
CELLS = 10_000_000
"""Largest number of cells that are compared at a time: starting a runtime may cost more than its answers."""
MISREAD = f"{EMPTY} (the format reads them as missing)"
"""What is said about empty texts that a file cannot tell from missing ones, while its student does."""
LARGEST_SUMMED, LARGEST_SQUARED = 1e30, 1e15
"""Beyond such numbers, weighted sums of them, and sums of their squares, may leave single precision."""
OVERFLOWED = "numbers whose sums or squares leave single precision"


class Runtime(Protocol):
    """Where a file of some language runs.

    One that computes in less than double precision may have a number `largest`: rows with numbers beyond it are left out.
    """

    @property
    def name(self) -> str:
        """Program and version, such as "gcc 12.2.0"."""
        ...

    def answers(self, path: Path, program: Program, rows: CheckRows) -> Answers:
        """The answers and the decisions of a file, in double precision."""
        ...


@dataclass
class _Worst:
    """The largest difference so far and where it was."""

    difference: float = 0.0
    where: str = ""
    changed: int = 0
    deferrals: int = 0
    overflowed: bool = False

    def add(self, gaps: Floats, changed: int, name: str, start: int) -> None:
        row = int(gaps.argmax())
        self.changed += changed
        if gaps[row] > self.difference:
            self.difference, self.where = float(gaps[row]), f"{name} {start + row}"


def compare(
    path: Path,
    program: Program,
    subject: Subject,
    rows: CheckRows,
    runtime: Runtime,
    *,
    rounding: float | None = None,
    most: int | None = None,
) -> Parity:
    """Compare a file with its student on `ROWS` rows and on edge cases.

    Args:
        path: the file.
        program: what is written in it.
        subject: the student.
        rows: some rows of its own.
        runtime: where the file runs.
        rounding: relative error of weighted sums in the file, if it is larger than that of the student.
        most: number of rows besides edge cases, if it is another than `ROWS`.

    Raises:
        ParityError: answers or decisions differ by more than the tolerance. BadInput: the student refuses the ordinary rows.
    """
    ordinary = ordinary_rows(rows, most)
    with np.errstate(all="ignore"):  # edge rows overflow, where the comparison looks
        asked = [(start, part, subject.answers(part)) for start, part in batches(ordinary)]
        scale = sizes_of(program.form, np.concatenate([answers.values for _, _, answers in asked]))
        comparison = _Comparison(path, program, subject, runtime, max(program.rounding, rounding or 0.0), _typical(rows), scale, asked)
        return comparison.run(rows)


def _typical(rows: CheckRows) -> float:
    flat = rows.numbers[np.isfinite(rows.numbers)]
    return float(np.fmax.reduce(np.abs(flat, dtype=np.float64), initial=1e-30))


@dataclass(frozen=True, eq=False)
class _Comparison:
    path: Path
    program: Program
    subject: Subject
    runtime: Runtime
    rounding: float
    typical: float
    scale: Floats
    ordinary: Sequence[tuple[int, CheckRows, Answers]]

    def run(self, rows: CheckRows) -> Parity:
        worst = _Worst()
        for start, part, answers in self.ordinary:
            self._add(worst, part, answers, "row", start)
        edges, refused, far = 0, [], False
        cells = OddCells(rows, self.program.inputs)
        for name, group in edge_cases(rows, self.program).items():
            taken: list[CheckRows] = []
            left: list[CheckRows] = []
            made = self._readable(self._within(group))
            exact = self.subject.exact(made)
            far = far or bool((np.isnan(exact.numbers) & ~np.isnan(made.numbers)).any())
            for _, part in batches(exact):
                answered, others = self._answered(part, cells)
                left += others
                if answered:
                    given, answers = _merged(answered)
                    self._add(worst, given, answers, f"edge row ({name})", sum(map(len, taken)))
                    taken.append(given)
            edges += sum(map(len, taken))
            if len(group) and not taken:
                refused.append(name)
            elif left:
                refused.append(cells.refused(name, taken, left))
        if far:
            refused.append(FAR_DATES)
        if self._misread():
            refused = [*(name for name in refused if EMPTY not in name), MISREAD]
        if worst.overflowed:
            refused.append(OVERFLOWED)
        compared = sum(len(part) for _, part, _ in self.ordinary)
        return Parity(
            compared,
            edges,
            worst.difference,
            TOLERANCE,
            worst.changed,
            tuple(refused),
            worst.where,
            self.runtime.name,
            max(compared - len(rows), 0),
            None if self.program.threshold is None else worst.deferrals,
        )

    def _within(self, made: CheckRows) -> CheckRows:
        """Made rows without those that have numbers beyond the runtime's own."""
        beyond = np.isfinite(made.numbers) & (np.abs(made.numbers) > getattr(self.runtime, "largest", np.inf))
        return made[~beyond.any(axis=tuple(range(1, beyond.ndim)))]

    def _misread(self) -> list[int]:
        """The columns whose empty texts the runtime reads as missing, and the student does not."""
        if not getattr(self.runtime, "empty_is_missing", False):
            return []
        operations = [step.operation for step in self.program.steps]
        return [one.place for one in operations if isinstance(one, Category) and one.of_text and not one.empty_is_missing]

    def _readable(self, made: CheckRows) -> CheckRows:
        """Made rows as the runtime reads them."""
        texts = made.texts.copy()
        for column in self._misread():
            texts[texts[:, column] == "", column] = None
        return CheckRows(made.numbers, texts)

    def _answered(self, rows: CheckRows, cells: OddCells) -> tuple[list[tuple[CheckRows, Answers]], list[CheckRows]]:
        """The rows that the student answers, with finite numbers; and those that it refuses, of those that are asked alone."""
        try:
            return list(_finite(rows, self.subject.answers(rows))), []
        except BadInput:
            answered: list[tuple[CheckRows, Answers]] = []
            refused = []
            for place in cells.asked_alone(rows):
                alone = rows[slice(place, place + 1)]
                try:
                    answered += _finite(alone, self.subject.answers(alone))
                except BadInput:
                    refused.append(alone)
            return answered, refused

    def _add(self, worst: _Worst, rows: CheckRows, ours: Answers, name: str, start: int) -> None:
        """Take the differences of some rows into account.

        Raises:
            ParityError: they are more than rounding errors.
        """
        theirs = self.runtime.answers(self.path, self.program, rows)
        if ours.values.shape != theirs.values.shape:
            raise ParityError(
                f"the exported file's answers have shape {theirs.values.shape} and the student's {ours.values.shape}; nothing was written. "
                "Please report this with the student's file."
            )
        factor, found = self._factor(rows), self._gaps(ours, theirs)
        gaps = found / factor
        if (gaps > TOLERANCE).any():
            factor = np.clip(factor * self._of_own_rounding, factor, np.maximum(factor, LARGEST_OF_ROUNDING))  # large rows keep theirs
            gaps = found / factor
        squared = self.program.squares_in_single  # whose overflow divides by infinity: the student has finite answers
        overflowed = (~np.isfinite(gaps) | (squared & (gaps > TOLERANCE))) & self._may_overflow(rows)
        worst.overflowed |= bool(overflowed.any())
        gaps[overflowed] = 0.0
        if not np.isfinite(gaps).all():
            place = int(np.argmin(np.isfinite(gaps)))
            raise self._disagreement("answers are not numbers where those of the student are", f"{name} {start + place}")
        if gaps.max() > TOLERANCE:
            where = f"{name} {start + int(gaps.argmax())}"
            raise self._disagreement(f"answers differ by {gaps.max():.3g} (allowed {TOLERANCE:g})", where)
        left = np.flatnonzero(~overflowed)
        ours, theirs, factor = ours.take(left), theirs.take(left), factor[left]
        where = f"{name}s {start} to {start + len(rows) - 1}"
        worst.add(gaps, self._changed(ours, theirs, factor, where), name, start)
        worst.deferrals += self._deferrals_changed(ours, theirs, factor, where)

    def _gaps(self, ours: Answers, theirs: Answers) -> Floats:
        """(rows,) the largest difference of the answers to each row."""
        gaps = np.abs(ours.values - theirs.values) / np.maximum(self.scale, np.abs(ours.values))
        gaps[np.isnan(ours.values) & np.isnan(theirs.values)] = 0.0
        largest: Floats = gaps.max(axis=1)
        return largest

    @cached_property
    def _of_own_rounding(self) -> float:
        """How much more the file may differ because the student itself is rounded on ordinary rows: its network in double shows it."""
        exact = self.subject.in_double()
        if exact is None:
            return 1.0
        try:
            gaps = [self._gaps(ours, exact.answers(rows)) for _, rows, ours in self.ordinary]
        except TutelageError:  # its code computes in single precision alone
            return 1.0
        worst = float(np.nan_to_num(np.concatenate(gaps), nan=0.0, posinf=0.0).max(initial=0.0))
        return float(np.clip(OF_ROUNDING * worst / TOLERANCE, 1, LARGEST_OF_ROUNDING))

    def _may_overflow(self, rows: CheckRows) -> NDArray[np.bool_]:
        """(rows,) whether sums in single precision may overflow: whether they do depends on their order, which is the runtime's."""
        flat = np.abs(rows.numbers.reshape(len(rows), -1), dtype=np.float64)
        largest = LARGEST_SQUARED if self.program.squares_in_single else LARGEST_SUMMED
        return np.asarray((flat > largest).any(axis=1) & (self.program.single or self.program.partly_single))

    def _changed(self, ours: Answers, theirs: Answers, factor: Floats, where: str) -> int:
        """How many decisions differ, where the student itself is undecided."""
        if ours.decisions is None:
            return 0
        if theirs.decisions is None or ours.decisions.shape != theirs.decisions.shape:
            raise self._disagreement(f"decisions do not have the shape {ours.decisions.shape}", where)
        changed = ours.decisions != theirs.decisions
        if (changed & ~_undecided(ours.values, ours.decisions, theirs.decisions, factor)).any():
            raise self._disagreement(f"labels are not those of the student's predict in {int(changed.sum())} of {len(changed)} rows", where)
        return int((changed if changed.ndim == 1 else changed.any(axis=1)).sum())

    def _deferrals_changed(self, ours: Answers, theirs: Answers, factor: Floats, where: str) -> int:
        """How many rows are left to the teacher by one of the two alone, where the confidence is at the threshold within the tolerance."""
        threshold, task = self.program.threshold, self.program.form.task
        if threshold is None:
            return 0
        if theirs.deferred is None or theirs.deferred.shape != (len(ours.values),):
            raise self._disagreement(f"deferred rows do not have the shape {(len(ours.values),)}", where)
        changed = theirs.deferred != deferred_rows(ours.values, task, threshold)
        near = np.abs(confidence_of(ours.values, task) - threshold) <= TOLERANCE * factor
        if (changed & ~near).any():
            raise self._disagreement(
                f"deferred rows are not those below the threshold in {int(changed.sum())} of {len(changed)} rows", where
            )
        return int(changed.sum())

    def _factor(self, rows: CheckRows) -> Floats:
        """(rows,) by how much the rounding errors of a row exceed those of single precision on ordinary rows."""
        if self.rounding == 0 or not rows.numbers[0].size:
            return np.ones(len(rows))
        flat = np.abs(rows.numbers.reshape(len(rows), -1), dtype=np.float64)
        largest = np.fmax.reduce(np.where(np.isfinite(flat), flat, 0.0), axis=1, initial=0.0)
        factors: Floats = np.clip(largest / self.typical * (self.rounding / np.finfo(np.float32).eps), 1, LARGEST_FACTOR)
        return factors

    def _disagreement(self, what: str, where: str) -> ParityError:
        foreign = any(isinstance(step.operation, OnnxPart) and step.operation.estimator is not None for step in self.program.steps)
        remedy = "Please report this."
        if foreign:
            remedy = "A part of it is as skl2onnx writes it, in single precision and with another rule for gaps: use a student of tutelage."
        elif np.isfinite(getattr(self.runtime, "largest", np.inf)):
            remedy = "It computes in single precision, and its student in double: leave out precision."
        return ParityError(
            f"the exported file differs from its student in {self.runtime.name}: its {what}, in {where}; nothing was written. {remedy}"
        )


def longest_refusals(groups: Mapping[str, CheckRows], program: Program) -> tuple[str, ...]:
    """The longest that a record says of groups of edge rows of a program."""
    names = sorted((place if one.name is None else one.name for place, one in enumerate(program.inputs)), key=_length, reverse=True)
    cells = OddCells(next(iter(groups.values())), program.inputs)
    found = [in_columns(name, names) if names and cells.of(group).any() else f"some {name}" for name, group in groups.items()]
    found += [MISREAD] * bool(program.texts)
    found += [FAR_DATES] * any(one.type in ("date", "duration") for one in program.inputs)
    return (*found, *[OVERFLOWED] * (program.single or program.partly_single))


def _length(name: object) -> int:
    return len(repr(name))


def decisions(form: AnswerForm, values: Floats) -> NDArray[np.int64] | None:
    """The decisions that follow from answers, for a runtime that gives the answers alone."""
    if form.task == "regression":
        return None
    return (values > 0.5).astype(np.int64) if form.task == "multilabel" else values.argmax(axis=1)


def batches(rows: CheckRows) -> Iterator[tuple[int, CheckRows]]:
    """The rows in parts of at most `CELLS` cells, each with the position of its first row."""
    width = sum(int(np.prod(cells.shape[1:])) for cells in (rows.numbers, rows.texts))
    size = max(1, CELLS // max(1, width))
    for start in range(0, len(rows), size):
        yield start, rows[start : start + size]


def _merged(parts: list[tuple[CheckRows, Answers]]) -> tuple[CheckRows, Answers]:
    """Rows and answers of several parts, one after another."""
    rows = CheckRows(*(np.concatenate([getattr(part, each) for part, _ in parts]) for each in ("numbers", "texts")))
    decided = [answers.decisions for _, answers in parts if answers.decisions is not None]
    return rows, Answers(np.concatenate([answers.values for _, answers in parts]), np.concatenate(decided) if decided else None)


def _finite(rows: CheckRows, answers: Answers) -> Iterator[tuple[CheckRows, Answers]]:
    finite = np.isfinite(answers.values).all(axis=1)
    if finite.any():
        yield rows[finite], answers.take(finite)


def _undecided(values: Floats, ours: NDArray[np.int64], theirs: NDArray[np.int64], factor: Floats) -> NDArray[np.bool_]:
    """Where the student itself is undecided between both decisions, within the tolerance."""
    allowed = 2 * TOLERANCE * factor
    if ours.ndim == 2:
        return np.asarray(np.abs(values - 0.5) <= allowed[:, None])
    places = np.arange(len(values))
    return np.asarray((theirs >= 0) & (np.abs(values[places, ours] - values[places, theirs]) <= allowed))
