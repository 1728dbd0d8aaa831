"""What drift is measured against: counts of recorded rows and of a student's answers to them, beside the student."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.core.arrays import confidence_of
from tutelage.core.file_systems.whole_files import write_text
from tutelage.core.records import dumps
from tutelage.core.stored.checksums import sha256_of
from tutelage.data.rows import as_rows
from tutelage.evaluation.deployed.drift import FILE, REFERENCE, Profile, columns_of_rows, figures_of_answers
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
    most = max(1, min(MOST_ROWS, MOST_CELLS // max(1, math.prod(getattr(rows, "shape", ())[1:]))))
    if every.count > most:
        places = np.sort(np.random.default_rng(0).choice(every.count, most, replace=False))
        rows = every.take(places).part(0, most)
    subject, found = subject_of(student, rows)
    names = [str(place) if one.name is None else one.name for place, one in enumerate(subject.inputs)]
    columns = columns_of_rows(names, found.numbers, found.texts, [one.kind == "text" for one in subject.inputs])
    form, answers = subject.form, subject.answers(found).values
    confidence = None if form.task == "regression" else confidence_of(answers, form.task)
    profile = Profile.of(columns, figures_of_answers(form.task, form.classes, answers, confidence))
    exported = folder / FILE
    if exported.is_file():
        profile = replace(profile, file=sha256_of(exported))
    write_text(folder / REFERENCE, dumps(profile.to_json()))
