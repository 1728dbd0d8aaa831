"""What drift is measured against: counts of recorded rows and of a student's answers to them, beside the student."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats, confidence_of
from tutelage.core.errors import require
from tutelage.core.file_systems.whole_files import write_text
from tutelage.core.records import dumps
from tutelage.core.stored.checksums import sha256_of
from tutelage.data.rows import as_rows
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.structured import StructuredRows
from tutelage.evaluation.deployed.drift import FILE, REFERENCE, Profile, columns_of_inputs, columns_of_rows, figures_of_answers
from tutelage.exporters.arrays.graph import names_of_inputs, varying_inputs
from tutelage.exporters.arrays.subject import subject_of_arrays, takes_arrays
from tutelage.exporters.subject.subject import subject_of

MOST_ROWS, MOST_CELLS = 10_000, 10_000_000


def write_reference(folder: Path, student: Any, rows: Any) -> None:
    """Write reference.json: the profile of at most `MOST_ROWS` rows and `MOST_CELLS` numbers, drawn among all, and of the answers to them.

    Args:
        folder: of the student; if student.onnx is there, the profile names it, and drift of another file is not measured against it.
        student: fitted.
        rows: that it was not trained on, as it takes them.
    """
    every = as_rows(rows)
    most = max(1, min(MOST_ROWS, MOST_CELLS // max(1, _width(rows))))
    if every.count > most:
        places = np.sort(np.random.default_rng(0).choice(every.count, most, replace=False))
        rows = every.take(places).part(0, most)
    exported = folder / FILE
    form, columns, answers = _arrays(student, rows, exported) if takes_arrays(student, rows) else _columns(student, rows)
    confidence = None if form.task == "regression" else confidence_of(answers, form.task)
    profile = Profile.of(columns, figures_of_answers(form.task, form.classes, answers, confidence))
    if exported.is_file():
        profile = replace(profile, file=sha256_of(exported))
    write_text(folder / REFERENCE, dumps(profile.to_json()))


def _width(rows: Any) -> int:
    """Numbers of a row, on average; 1 where they are not counted."""
    if not isinstance(rows, StructuredRows):
        return math.prod(getattr(rows, "shape", ())[1:])
    sizes = [field.values.size if isinstance(field, Ragged) else field.size for field in rows.fields.values()]
    return math.ceil(sum(sizes) / max(1, len(rows)))


def _columns(student: Any, rows: Any) -> tuple[AnswerForm, dict[str, NDArray[Any]], Floats]:
    """The form of a student's answers to rows of columns, texts or one array, what is counted of the rows, and the answers."""
    subject, found = subject_of(student, rows)
    names = [str(place) if one.name is None else one.name for place, one in enumerate(subject.inputs)]
    columns = columns_of_rows(names, found.numbers, found.texts, [one.kind == "text" for one in subject.inputs])
    return subject.form, columns, subject.answers(found).values


def _arrays(student: Any, rows: Any, exported: Path) -> tuple[AnswerForm, dict[str, NDArray[Any]], Floats]:
    """The same of rows of several inputs, which have the names of the file, and vary where it lets them."""
    subject = subject_of_arrays(student)
    found = subject.rows(rows)
    named = dict(zip(names_of_inputs(found), varying_inputs(found), strict=True))
    if exported.is_file():
        inputs = require("onnxruntime").InferenceSession(str(exported)).get_inputs()
        named = {one.name: any(not isinstance(length, int) for length in one.shape[1:]) for one in inputs}
    return subject.form, columns_of_inputs(found, named), np.asarray(subject.answers(found))
