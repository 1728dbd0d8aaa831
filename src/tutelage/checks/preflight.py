"""preflight: every check, once, in an order that stops where nothing further can be asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tutelage.checks.accuracy import check_accuracy, check_known
from tutelage.checks.against_baselines import check_yardstick
from tutelage.checks.confidence import check_calibration
from tutelage.checks.declared_form import check_declared, check_varied
from tutelage.checks.determinism import check_steady
from tutelage.checks.findings import Finding, Preflight, Severity
from tutelage.checks.leaks_and_shift import (
    check_answer_shift,
    check_leak,
    check_own_rows,
    check_shift,
    check_twins,
    names_of,
)
from tutelage.checks.networks import check_mode, check_student
from tutelage.checks.sampling import SampleAnswers, ask, draw
from tutelage.checks.sharpness import check_sharpness
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.data.row_names import Names
from tutelage.teachers.adapt import as_teacher


def preflight(
    teacher: Any,
    data: Any,
    labels: ArrayLike | None = None,
    *,
    test: Any = None,
    test_labels: ArrayLike | None = None,
    train: Any = None,
    student: Any = None,
    seed: int = 0,
    rows: int = 2000,
) -> Preflight:
    """Prove that a teacher's signal is sound before anyone trains on it.

    What goes wrong in the teacher or the data becomes a finding with a severity, a figure, a sentence and a remedy;
    only a call that makes no sense is an error. Labels are optional, and let more be checked.

    Args:
        teacher: a Teacher, or anything `as_teacher` takes as it is.
        data: the transfer set: the rows a student will be taught on, as `as_rows` takes them.
        labels: (rows,) the truth about them; (rows, labels) zeros and ones for a multilabel teacher; values for
            regression.
        test: rows that the student will be measured on; shows leaks and shift.
        test_labels: the truth about those.
        train: the rows that the teacher was trained on; shows which transfer and test rows it has seen.
        student: the student to be, to prove that it is another object with weights of its own.
        seed: of everything drawn.
        rows: the most rows of a set that the teacher is asked about; leaks are looked for among all.

    Returns:
        Every finding, the gravest first. `raise_for_errors()` stops where there is an error.

    Raises:
        BadInput: no teacher, no rows, rows below 1, test labels without test rows, or true values that are not finite.
            ShapeError: labels and rows differ in number, or labels have no shape that the task knows.
    """
    if rows < 1 or (test is None and test_labels is not None):
        given = "without" if test is None else "with"
        raise BadInput(f"rows={rows}, {given} test=; expected rows of at least 1, and test= where there is test_labels=.")
    known = as_teacher(teacher)
    sample = draw(data, labels, known.form, rows=rows, seed=seed)
    held = None if test is None else draw(test, test_labels, known.form, rows=rows, seed=seed)
    asked = ask(known, sample)
    findings = [*check_mode(known), *check_student(known, student)]
    findings += [asked] if isinstance(asked, Finding) else [*_about_answers(known, asked, seed), *_about_truth(asked, seed)]
    names, fitted = names_of(data), None if train is None else names_of(train)
    findings += check_twins(names)
    if held is not None:
        findings += [*_about_leaks(names, fitted, names_of(test)), *check_shift(sample, held, seed)]
    if held is not None and isinstance(asked, SampleAnswers):
        seen = None if fitted is None else float(np.isin(names, fitted).mean())
        findings += _about_both(asked, ask(known, held), seen, seed)
    return Preflight(tuple(findings), known.fingerprint, sample.count, sample.of_count, seed)


def _about_answers(teacher: Teacher, asked: SampleAnswers, seed: int) -> Iterator[Finding]:
    yield from check_steady(teacher, asked.sample, seed)
    yield from check_declared(asked)
    yield from check_varied(asked)
    yield from check_sharpness(asked)


def _about_truth(asked: SampleAnswers, seed: int) -> Iterator[Finding]:
    """Everything that labels show; labels that are none are looked for among all, not only those drawn."""
    if asked.sample.all_labels is not None and asked.form.task in ("binary", "multiclass"):
        yield from check_known(asked.sample.all_labels, asked.form.classes)
    yield from check_accuracy(asked)
    yield from check_calibration(asked, seed)
    yield from check_yardstick(asked, seed)


def _about_leaks(names: Names, fitted: Names | None, test: Names) -> Iterator[Finding]:
    yield from check_leak("transfer rows", names, test)
    if fitted is not None:
        yield from check_leak("rows the teacher was trained on", fitted, test)


def _about_both(asked: SampleAnswers, held: SampleAnswers | Finding, seen: float | None, seed: int) -> Iterator[Finding]:
    if isinstance(held, Finding):
        # Kept answers know the rows they were recorded on, and need not know the test rows.
        severity: Severity = "note" if held.figure["error"] == LabelMismatch.__name__ else "error"
        yield replace(held, check="test-answers", severity=severity, remedy="Answers to test rows were not checked.")
        return
    yield from check_answer_shift(asked, held)
    yield from check_own_rows(asked, held, seen)
    for finding in _about_truth(held, seed):
        yield replace(finding, check=f"test-{finding.check}")
