"""The test rows on which student and teacher disagree most, as plain values that a page can show."""

from __future__ import annotations

from typing import Any

import numpy as np

from tutelage.core.arrays import is_frame
from tutelage.data.structures.row_parts import taken
from tutelage.data.structures.structured import StructuredRows
from tutelage.evaluation.records import AlignedAnswers
from tutelage.report.distillation.figures import RowKind, ShownRow

LONGEST_TEXT, LONGEST_NAME = 600, 60
MOST_CELLS = 40
SMALLEST_SIDE, LARGEST_SIDE = 8, 64
"""Grey pictures are 8 pixels wide and high at least; of pictures larger than 64, every second pixel is shown, or fewer."""


def shown_rows(rows: Any, aligned: AlignedAnswers, *, most: int, units: Any = None) -> tuple[ShownRow, ...]:
    """Rows on which student and teacher disagree, the largest difference first.

    Args:
        rows: as the student takes them: a frame, an array, a list of texts, or several inputs.
        aligned: the answers to them.
        most: number of rows at most.
        units: (outputs,) of several values, in which their differences are compared.
    """
    if most == 0:
        return ()
    student, teacher = np.asarray(aligned.student), np.asarray(aligned.named("teacher"))
    difference = np.abs(student - teacher).reshape(len(student), -1)
    difference = (difference if units is None else difference / units).max(axis=1)
    if aligned.task != "regression":
        differ = aligned.decided("student") != aligned.decided("teacher")
        difference = np.where(differ.reshape(len(differ), -1).any(axis=1), difference, -1.0)
    places = [place for place in np.argsort(-difference, kind="stable")[:most] if difference[place] > 0]
    pixels = _pixels(rows)
    return tuple(_shown(rows, aligned, int(place), float(difference[place]), pixels) for place in places)


def row_kind(rows: Any) -> RowKind:
    """What rows are, as `shown_rows` takes them."""
    if isinstance(rows, StructuredRows):
        return "inputs"
    return "text" if isinstance(rows, list) else "table" if _as_pictures(rows) is None else "picture"


def _shown(rows: Any, aligned: AlignedAnswers, place: int, difference: float, pixels: Any) -> ShownRow:
    kind, content = _content(rows, place, pixels)
    student, teacher, truth = (said(aligned, answers, place) for answers in (aligned.student, aligned.named("teacher"), aligned.truth))
    return ShownRow(place, kind, content, student, teacher, truth, difference)


def said(aligned: AlignedAnswers, answers: Any, place: int) -> str:
    """What a model says of a row: its most probable class, the labels that apply, or values."""
    if answers is None:
        return ""
    answer = np.asarray(answers)[place]
    if aligned.task == "regression":
        return ", ".join(f"{value:.4g}" for value in answer)
    if aligned.task == "multilabel":
        return ", ".join(str(name) for name, value in zip(aligned.classes, answer, strict=True) if value > 0.5) or "none"
    top = int(answer.argmax())
    name = _short(str(aligned.classes[top]), LONGEST_NAME)
    return name if answers is aligned.truth else f"{name} ({100 * answer[top]:.0f} %)"


def _content(rows: Any, place: int, pixels: Any) -> tuple[RowKind, Any]:
    if pixels is not None:
        return "picture", pixels[place].tolist()
    row = taken(rows, np.array([place]))
    if isinstance(row, StructuredRows):
        return "inputs", {name: _short(" ".join(_cell(one) for one in field.ravel()), 200) for name, field in row.padded().items()}
    if isinstance(row, list):
        return "text", _short(str(row[0]), LONGEST_TEXT)
    if is_frame(row):
        return "table", {str(name): _cell(row[name].iloc[0]) for name in list(row.columns)[:MOST_CELLS]}
    cells = np.asarray(row.toarray() if hasattr(row, "toarray") else row).ravel()
    return "table", {f"column {at}": _cell(value) for at, value in enumerate(cells[:MOST_CELLS])}


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else _short(str(value), 200)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}..."


def _pixels(rows: Any) -> Any:
    """(rows, height, width) or (rows, height, width, 3) whole numbers from 0 to 255, of rows that are pictures; None for others."""
    array = _as_pictures(rows)
    if array is None:
        return None
    every = -(-max(array.shape[1:3]) // LARGEST_SIDE)
    array = array[:, ::every, ::every].astype(np.float64)
    finite = array[np.isfinite(array)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    shown = np.nan_to_num(array, nan=low, posinf=high, neginf=low)
    return np.round((shown - low) * (255 / (high - low or 1.0))).astype(np.uint8)


def _as_pictures(rows: Any) -> Any:
    """(rows, height, width) or (rows, height, width, 3), of rows that are pictures; None for others.

    An array of three axes is one of grey pictures, unless one of them is short, as in a series. One of four with 1 or 3 channels, first or
    last, is one of pictures; a matrix of numbers is if no number is below 0 and their count is a square, as of 28 x 28 pixels.
    """
    if isinstance(rows, list) or is_frame(rows) or not hasattr(rows, "dtype") or not np.issubdtype(rows.dtype, np.number):
        return None
    array = np.asarray(rows)
    if array.ndim == 3 and min(array.shape[1:]) < SMALLEST_SIDE:
        return None
    if array.ndim == 4 and array.shape[1] in (1, 3):
        array = np.moveaxis(array, 1, -1)
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    side = round(array.shape[1] ** 0.5) if array.ndim == 2 else 0
    if side >= SMALLEST_SIDE and side * side == array.shape[1] and array.min() >= 0:
        array = array.reshape(-1, side, side)
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[-1] != 3):
        return None
    return array
