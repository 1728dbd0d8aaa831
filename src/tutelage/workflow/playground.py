"""The playground of a student: its JavaScript, how its rows look, made rows with its answers, and recorded ones where they may be shown."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import TutelageError
from tutelage.data.rows import as_rows
from tutelage.data.structures.structured import StructuredRows
from tutelage.exporters.program.build import program_of
from tutelage.exporters.program.operations import Category, Terms
from tutelage.exporters.program.program import Program
from tutelage.exporters.proof.as_given import TOLERANCE
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.inputs import Input
from tutelage.exporters.subject.subject import Subject, subject_of
from tutelage.exporters.targets import javascript
from tutelage.exporters.targets.job import Job, Settings
from tutelage.report.playground.records import Check, Column, ColumnKind, Example, Layout, Picture, Playground, Spelling
from tutelage.report.words import kilobytes

LARGEST_STUDENT = 2_000_000
"""Bytes of JavaScript of the largest student that a page holds."""
MOST_ROWS, MOST_NUMBERS = 10_000, 10_000_000
"""Rows of which columns are summarised, and their numbers."""
CHECKS = 20
MOST_PIXELS, MOST_CELLS = 100_000, 10_000
"""Pixels and cells of all made rows together: of wide rows there are fewer than `CHECKS`."""
MOST_COLUMNS = 1000
"""Columns of a form."""
LARGEST_NUMBER = 1e100
SMALLEST_SIDE, LARGEST_SIDE = 8, 128
"""Pixels of pictures that can be drawn."""
MNIST = (28, 28)
DARK = 0.01
"""Brightness of the edges of pictures like those of MNIST, as a share of the range, at most."""
INNER = (0.01, 0.99)
"""Quantiles between which a slider moves: extreme cells of single rows are not in the page."""
SHORTEST_TEXT, LONGEST_TEXT = 3, 12
"""Words of made texts."""
_WORDS = "the a of good bad new old first last long short more less very not"
"""Words of made texts for students that store none."""


def playground_of(
    student: Any,
    rows: Any,
    *,
    examples: Any = None,
    teacher: Any = None,
    truth: Sequence[str] | None = None,
    names: Sequence[str] = (),
    picture: tuple[int, int] | None = None,
) -> Playground:
    """What a page needs to let its reader try a student.

    Args:
        student: fitted.
        rows: rows as it takes them, such as those that it was trained on; only ranges, means and counts of them are used.
        examples: rows that may be shown, as the student takes them.
        teacher: (examples, columns) the teacher's answers to them: probabilities or values.
        truth: (examples,) their ground truth as texts; None if it is not known.
        names: (examples,) what they are called.
        picture: height and width, if rows are pictures whose pixels are in a line.

    Returns:
        The playground, or one without a student that says why.
    """
    try:
        return _made(student, rows, examples, teacher, truth, names, picture)
    except TutelageError as error:
        return Playground.without(f"This student cannot be tried in the page: {error}")


def _made(
    student: Any, rows: Any, examples: Any, teacher: Any, truth: Sequence[str] | None, names: Sequence[str], picture: tuple[int, int] | None
) -> Playground:
    if isinstance(rows, StructuredRows):
        return Playground.without("Rows of several inputs have no form to be filled in, so that this student cannot be tried in the page.")
    subject, found = subject_of(student, _some(rows))
    program = program_of(subject, found)
    looks = None if found.texts.shape[1] else _picture(found.numbers, picture, program.inputs)
    module = "" if looks is None and _has_no_form(program) else _module(Job(subject, found, program, "student", Settings()))
    if not module or len(module) > LARGEST_STUDENT:
        return Playground.without(_too_large(len(module)) if module else _has_no_form(program))
    random = np.random.default_rng(0)
    columns = () if looks is not None else tuple(_columns(program, found))
    words = _vocabulary(program)
    made = _made_pictures(program, found, looks, random) if looks is not None else _made_table(program, columns, words, random)
    stored = _stored(program.inputs, looks)
    return Playground(
        module=module,
        task=subject.form.task,
        classes=tuple(map(str, subject.form.classes)),
        columns=columns,
        picture=looks,
        words=tuple(random.permutation(words)[:6].tolist()) if _is_text(program) else (),
        checks=_checks(subject, made, stored),
        examples=() if examples is None else _examples(student, examples, teacher, truth, names, stored),
        tolerance=TOLERANCE,
    )


def _has_no_form(program: Program) -> str:
    """Why rows that are no pictures cannot be filled in, in a sentence; "" if they can."""
    if not program.inputs:
        shape = " x ".join(map(str, program.row_shape))
        return f"Rows of {shape} numbers have no form to be filled in, so that this student cannot be tried in the page."
    if len(program.inputs) > MOST_COLUMNS:
        count = f"{len(program.inputs):,} columns, and a form has at most {MOST_COLUMNS:,}"
        return f"This student reads {count}, so that it cannot be tried in the page."
    return ""


def _too_large(size: int) -> str:
    return (
        f"This student is {kilobytes(size)} of JavaScript, and a page holds at most {kilobytes(LARGEST_STUDENT)}, so that it cannot be "
        "tried here. Limit its size, or load the exported file."
    )


def _some(rows: Any) -> Any:
    """At most `MOST_ROWS` rows, drawn among all; fewer wide ones."""
    every = as_rows(rows)
    width = math.prod(getattr(every.part(0, 1), "shape", ())[1:])
    count = max(2, min(MOST_ROWS, MOST_NUMBERS // max(width, 1)))
    if every.count <= count:
        return rows
    return every.take(np.sort(np.random.default_rng(0).choice(every.count, count, replace=False))).part(0, count)


def _module(job: Job) -> str:
    """The student as an ES module. It is proven where the page is read: the page compares it with the student's answers."""
    return javascript.write(job, ["", "Compared with its student by the page that holds it."])[f"{job.stem}.js"].decode("ascii")


def _is_text(program: Program) -> bool:
    """Whether a row is one text."""
    return len(program.inputs) == 1 and program.inputs[0].kind == "text" and bool(_terms(program))


def _terms(program: Program) -> list[Terms]:
    return [step.operation for step in program.steps if isinstance(step.operation, Terms)]


def _vocabulary(program: Program) -> list[str]:
    """Words of which texts are made: those that the student knows."""
    known = [term for terms in _terms(program) for term in terms.vocabulary or ()]
    return list(dict.fromkeys(known)) or _WORDS.split()


def _picture(numbers: NDArray[Any], flat: tuple[int, int] | None, inputs: Sequence[Input]) -> Picture | None:
    """How rows look that are pictures; None for others. `flat` says the sides of pictures whose pixels are in a line."""
    array = numbers.reshape(len(numbers), *flat) if flat is not None else numbers
    found = _layout(array.shape[1:])
    if found is None:
        return None
    known = array[np.isfinite(array)]
    if not known.size or known.min() == known.max():
        return None
    layout, height, width, channels = found
    low, high = float(known.min()), float(known.max())
    spatial = np.moveaxis(array, 1, -1) if layout == "CHW" else array
    edges = np.concatenate([spatial[:, [0, -1]].ravel(), spatial[:, :, [0, -1]].ravel()]).astype(np.float64)
    brightness = (float(np.nanmean(edges)) - low) / (high - low)
    like_mnist = (height, width, channels) == (*MNIST, 1) and brightness < DARK
    names = tuple(one.name for one in inputs if one.name is not None)
    return Picture(height, width, channels, layout, low, high, brightness > 0.5, like_mnist, numbers.ndim == 2, names)


def _layout(shape: tuple[int, ...]) -> tuple[Layout, int, int, int] | None:
    """The order of the numbers of a row, height, width and channels; None if a row is no picture.

    It has two axes, or three with 1 or 3 channels first or last.
    """
    layout: Layout
    if len(shape) == 2:
        layout, (height, width), channels = "HW", shape, 1
    elif len(shape) == 3 and shape[0] in (1, 3):
        layout, (channels, height, width) = "CHW", shape
    elif len(shape) == 3 and shape[2] in (1, 3):
        layout, (height, width, channels) = "HWC", shape
    else:
        return None
    return (layout, height, width, channels) if min(height, width) >= SMALLEST_SIDE and max(height, width) <= LARGEST_SIDE else None


def _columns(program: Program, rows: CheckRows) -> Iterator[Column]:
    """How each column looks: ranges, means and counts."""
    levels = {(one.of_text, one.place): one.levels for one in (step.operation for step in program.steps) if isinstance(one, Category)}
    place = {"number": 0, "text": 0}
    for one in program.inputs:
        at = place[one.kind]
        place[one.kind] += 1
        known = levels.get((one.kind == "text", at), ())
        if one.kind == "text":
            yield _text_column(one, rows.texts[:, at].tolist(), known)
        else:
            yield _number_column(one, rows.numbers[:, at].astype(np.float64), known)


def _text_column(one: Input, cells: list[str | None], levels: tuple[Any, ...]) -> Column:
    gaps = None in cells
    if not levels:
        return Column(one.name, "text", "", gaps=gaps)
    counts = dict.fromkeys(levels, 0)
    for cell in cells:
        if cell in counts:
            counts[cell] += 1
    return Column(one.name, "levels", max(counts, key=lambda level: counts[level]), gaps=gaps, levels=levels)


def _number_column(one: Input, cells: NDArray[np.float64], levels: tuple[Any, ...]) -> Column:
    gaps, known = bool(np.isnan(cells).any()), cells[np.isfinite(cells)]
    spelling: Spelling = one.type if one.type in ("date", "duration") else "plain"
    if one.type == "boolean":
        on, named = float(len(known) > 0 and known.mean() >= 0.5), ("false", "true")
        return Column(one.name, "levels", on, gaps=gaps, levels=(0.0, 1.0), named=named, spelling="boolean")
    if levels:
        counts = [int((known == level).sum()) for level in levels]
        return Column(one.name, "levels", levels[int(np.argmax(counts))], gaps=gaps, levels=levels)
    if not len(known):
        return Column(one.name, "number", None, gaps=True, spelling=spelling)
    known = known.clip(-LARGEST_NUMBER, LARGEST_NUMBER)
    whole = bool((known == np.rint(known)).all())
    ends = np.quantile(known, INNER).tolist()
    low, high = _rounded_range(*(ends if ends[0] < ends[1] else (float(known.min()), float(known.max()))), whole=whole)
    start = min(max(float(known.mean()), low), high)
    kind: ColumnKind = "date" if one.type == "date" else "number"
    return Column(one.name, kind, _rounded_start(start, high - low, whole=whole), low, high, whole, gaps, spelling=spelling)


def _rounded_range(low: float, high: float, *, whole: bool) -> tuple[float, float]:
    """Ends of a slider, rounded outwards to a hundredth of the range."""
    span = (high - low) / 50 if high > low else abs(low) or 1.0
    step = 10.0 ** math.floor(math.log10(max(span, 1e-300)))
    step = max(step, 1.0) if whole else step
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    return (float(f"{low:.12g}"), float(f"{high if high > low else low + step:.12g}"))


def _rounded_start(start: float, span: float, *, whole: bool) -> float:
    """A mean with as many digits as matter in its range."""
    return float(round(start)) if whole else float(f"{round(start, 3 - math.floor(math.log10(span))):.12g}")


def _made_pictures(program: Program, rows: CheckRows, looks: Picture, random: np.random.Generator) -> CheckRows:
    """Pictures of noise, the first of them empty."""
    shape = program.row_shape if not program.inputs else (len(program.inputs),)
    size = math.prod(shape)
    count = max(3, min(CHECKS, MOST_PIXELS // size))
    densities = random.random((count, 1))
    densities[0] = 0
    pixels = np.where(random.random((count, size)) < densities, random.integers(0, 256, (count, size)), 255 * looks.bright_background)
    numbers = looks.low + pixels.astype(np.float64) * (looks.high - looks.low) / 255  # as the page computes them
    return CheckRows.of_numbers(numbers.astype(rows.numbers.dtype).reshape(count, *shape))


def _made_table(program: Program, columns: tuple[Column, ...], words: list[str], random: np.random.Generator) -> CheckRows:
    """Rows within the range of each column, the first of them that from which a reader starts."""
    count = max(3, min(CHECKS, MOST_CELLS // len(columns)))
    cells: dict[str, list[NDArray[Any]]] = {"number": [], "text": []}
    for one, column in zip(program.inputs, columns, strict=True):
        cells[one.kind].append(np.array(_made_cells(column, count, words, random), dtype=np.float64 if one.kind == "number" else object))
    return CheckRows(
        np.column_stack(cells["number"]) if cells["number"] else np.empty((count, 0)),
        np.column_stack(cells["text"]) if cells["text"] else np.empty((count, 0), dtype=object),
    )


def _made_cells(column: Column, count: int, words: list[str], random: np.random.Generator) -> list[Any]:
    """Cells within the range of a column."""
    if column.kind == "text":
        lengths = random.integers(SHORTEST_TEXT, LONGEST_TEXT, count, endpoint=True)
        return [" ".join(random.choice(words, length).tolist()) for length in lengths]
    if column.kind == "levels":
        return [column.start, *(column.levels[place] for place in random.integers(len(column.levels), size=count - 1))]
    if column.start is None:
        return [math.nan] * count
    cells = random.uniform(column.low, column.high, count)
    cells = np.rint(cells) if column.whole else cells
    cells[0] = column.start
    if column.gaps:
        cells[-2:] = np.nan
    made: list[float] = cells.tolist()
    return made


def _stored(inputs: Sequence[Input], looks: Picture | None) -> Callable[[CheckRows], list[Any]]:
    """A function that gives rows as the page holds them."""
    if looks is None:
        return lambda rows: [[None if _is_nan(cell) else cell for cell in row] for row in rows.cells(inputs)]

    def pixels(rows: CheckRows) -> list[Any]:
        numbers = np.nan_to_num(rows.numbers.reshape(len(rows), -1).astype(np.float64), nan=looks.low)
        scaled = np.rint((numbers - looks.low) * (255 / (looks.high - looks.low)))
        return [base64.b64encode(row.tobytes()).decode("ascii") for row in scaled.clip(0, 255).astype(np.uint8)]

    return pixels


def _is_nan(cell: Any) -> bool:
    return isinstance(cell, float) and math.isnan(cell)


def _checks(subject: Subject, made: CheckRows, stored: Callable[[CheckRows], list[Any]]) -> tuple[Check, ...]:
    made = subject.exact(made)
    answers = subject.answers(made).values.tolist()
    return tuple(Check(row, tuple(found)) for row, found in zip(stored(made), answers, strict=True))


def _examples(
    student: Any, examples: Any, teacher: Any, truth: Sequence[str] | None, names: Sequence[str], stored: Callable[[CheckRows], list[Any]]
) -> tuple[Example, ...]:
    _, rows = subject_of(student, examples)
    said = np.asarray(teacher, dtype=np.float64).reshape(len(rows), -1).tolist()
    known = [""] * len(rows) if truth is None else truth
    return tuple(Example(name, row, tuple(answers), one) for name, row, answers, one in zip(names, stored(rows), said, known, strict=True))
