"""`preflight`: run all checks of a teacher and its transfer set, and collect the findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tutelage.checks.against_baselines import check_against_baselines
from tutelage.checks.answers.accuracy import check_accuracy, check_decisions, check_known
from tutelage.checks.answers.ceilings import check_votes
from tutelage.checks.answers.confidence import check_calibration
from tutelage.checks.answers.declared_form import check_declared, check_variation
from tutelage.checks.answers.determinism import check_determinism
from tutelage.checks.answers.sharpness import check_sharpness
from tutelage.checks.awkward_columns import identifiers
from tutelage.checks.by_position import left_out, of_positions, one_position_a_row
from tutelage.checks.columns import check_columns, check_unread
from tutelage.checks.findings import Finding, Preflight, Severity
from tutelage.checks.leaks_and_shift import (
    check_answer_shift,
    check_duplicates,
    check_leak,
    check_shift,
    check_training_rows,
    names_of,
)
from tutelage.checks.memorised import check_memorised
from tutelage.checks.networks import check_mode, check_student
from tutelage.checks.sampling import SampleAnswers, arranged_like, draw, query_sample
from tutelage.core.answer_values.named_columns import columns_like
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.arguments import flag, seed_of, texts, whole
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.core.position_answers import PositionAnswers
from tutelage.data.row_names import Names
from tutelage.data.rows import as_rows
from tutelage.data.truth.given_truth import by_position
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.adapters.function import FunctionTeacher


def preflight(
    teacher: Any,
    data: Any,
    labels: ArrayLike | None = None,
    *,
    test: Any = None,
    test_labels: ArrayLike | None = None,
    train: Any = None,
    student: Any = None,
    drop: Sequence[str] = (),
    seed: int = 0,
    rows: int = 2000,
    made_rows: bool | None = None,
) -> Preflight:
    """Check a teacher and its transfer set for known errors before a student is trained on them.

    A fault in the teacher or the data becomes a finding with a severity, the measured figures, a sentence and a remedy.
    Only an invalid call raises. Labels are optional; with them more can be checked (accuracy, class order, calibration,
    comparison with baseline models).

    Args:
        teacher: a Teacher, or a model that `as_teacher` accepts without further arguments.
        data: the transfer set, that is, the rows that the student will be trained on: an array, a frame, a sparse matrix,
            texts or the path of a file.
        labels: the ground truth of `data`: (rows,) class labels; (rows, labels) zeros and ones for a multilabel teacher;
            (rows,) or (rows, outputs) values for regression; for a teacher of tokens or pixels the labels of each row, where -100
            does not count. What is tested against chance is then looked at in one position of each row, as those of a row are not
            independent.
        test: rows that the student will be evaluated on; enables the checks for leaks and shift.
        test_labels: the ground truth of `test`.
        train: the rows that the teacher was trained on; shows which transfer and test rows it was trained on.
        student: the untrained student, to check that it shares no weights with the teacher.
        drop: names of columns that are in the rows and that the student will not be given, such as an identifier; the checks of
            columns and the search for leaks leave them out.
        seed: of the random sample and of every check that draws random numbers.
        rows: the largest number of rows of each set that the teacher is queried with; leaks are searched in all rows.
        made_rows: whether the teacher is also queried with up to 4,000 rows made next to those of each set, to find out whether it was
            trained on them. By default unless it is a function, whose calls may cost.

    Returns:
        The findings, the most severe first. `str()` shows them as a table, `to_json()` as plain values, and
        `raise_for_errors()` raises if one is an error.

    Raises:
        BadInput: not a teacher, no rows, `rows` below 1, test labels without test rows, true values that are not finite, or test or
            training rows without the columns of the data.
        ShapeError: labels and rows differ in number, or the labels do not have the shape that the task needs.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.naive_bayes import GaussianNB
        >>> X, y = load_iris(return_X_y=True)
        >>> found = tl.preflight(GaussianNB().fit(X[::2], y[::2]), X[1::2], y[1::2])
        >>> found.ok
        True
        >>> swapped = tl.preflight(GaussianNB().fit(X[::2], y[::2]), X[1::2], 2 - y[1::2])
        >>> [finding.check for finding in swapped.of("error")]
        ['class-order', 'baseline']
    """
    if test is None and test_labels is not None:
        raise BadInput("test_labels= was passed without test=; expected the test rows too.")
    rows, seed, drop = whole("rows", rows, 1), seed_of("seed", seed), texts("drop", drop)
    adapted = as_teacher(teacher)
    made_rows = asks_made_rows(adapted) if made_rows is None else flag("made_rows", made_rows)
    test, train = (arranged_like(data, other, drop) for other in (test, train))
    sample = draw(data, labels, adapted.form, rows=rows, seed=seed)
    if adapted.form.task == "regression":
        test_labels = columns_like(test_labels, labels, "the columns of test_labels")
    test_sample = None if test is None else draw(test, test_labels, adapted.form, rows=rows, seed=seed)
    answered = query_sample(adapted, sample, decisions=True)
    findings = [*check_mode(adapted), *check_student(adapted, student)]
    if isinstance(answered, Finding):
        findings.append(answered)
    else:
        findings += [*_check_answers(adapted, answered, seed, drop), *_check_against_labels(adapted, answered, seed, made_rows)]
    findings += [] if adapted.form.positions is not None else check_columns(sample, drop)
    naming = (*drop, *identifiers(sample.inputs))  # rows that differ in these alone are the same row under another name
    seen = partial(as_rows, by_position=by_position(adapted.form))
    names, train_names = names_of(seen(data), without=naming), None if train is None else names_of(seen(train), without=naming)
    findings += check_duplicates(names)
    if test_sample is not None:
        findings += [*_check_leaks(names, train_names, names_of(seen(test), without=naming)), *check_shift(sample, test_sample, seed)]
    if test_sample is not None and isinstance(answered, SampleAnswers):
        share_seen = None if train_names is None else float(np.isin(names, train_names).mean())
        findings += _check_test_answers(adapted, answered, query_sample(adapted, test_sample, decisions=True), share_seen, seed, made_rows)
    return Preflight(tuple(findings), adapted.fingerprint, sample.count, sample.of_count, seed)


def check_validation_rows(
    teacher: Teacher, data: Any, test: Any, *, seen: float | None, seed: int, rows: int = 2000
) -> tuple[Finding, ...]:
    """Whether a teacher answers rows to validate on as rows that it was trained on: on these, students that repeat its memory look best.

    Args:
        teacher: that is asked some of both.
        data: rows to validate on.
        test: rows to test on.
        seen: the share of the rows to validate on that the teacher was trained on; None if it is not known.
        seed: of the random sample.
        rows: the largest number of rows of each set.
    """
    on_data, on_test = (query_sample(teacher, draw(one, None, teacher.form, rows=rows, seed=seed)) for one in (data, test))
    if not (isinstance(on_data, SampleAnswers) and isinstance(on_test, SampleAnswers)):
        return ()
    found = check_training_rows(on_data, on_test, seen, which="validation rows")
    remedy = (
        "Choose students on rows that the teacher has not seen: on these, those that repeat what it remembers look better than they are."
    )
    return tuple(replace(one, check=f"validation-{one.check}", remedy=remedy if one.remedy else "") for one in found)


def asks_made_rows(teacher: Teacher) -> bool:
    """Whether a teacher is queried with made rows if nothing else is said: not a function, whose calls may cost."""
    return not isinstance(teacher, FunctionTeacher)


def _check_answers(teacher: Teacher, answered: SampleAnswers, seed: int, drop: tuple[str, ...]) -> Iterator[Finding]:
    repeated = list(check_determinism(teacher, answered.sample, seed))
    yield from repeated
    if not any(finding.severity == "error" for finding in repeated):
        yield from check_unread(teacher, answered, seed, drop)
    yield from of_positions(answered, seed, partial(_check_each_answer, teacher), one_a_row=False)


def _check_each_answer(teacher: Teacher, answered: SampleAnswers) -> Iterator[Finding]:
    """The checks of the numbers alone, of one answer a row."""
    if isinstance(answered.answers, TopAnswers):
        why = f"the answers hold the {answered.answers.ids.shape[1]} most probable of {answered.answers.columns} classes."
        yield Finding("sharpness", "note", {}, f"not checked: {why}")
    else:
        yield from check_votes(teacher, answered)
        yield from check_declared(answered)
        yield from check_sharpness(answered)
    yield from check_variation(answered)
    yield from check_decisions(answered)


def _check_against_labels(teacher: Teacher, answered: SampleAnswers, seed: int, made_rows: bool) -> Iterator[Finding]:
    """The checks that need labels. Unknown labels are searched among all labels, not only in the sample."""
    if isinstance(answered.answers, PositionAnswers):
        yield from of_positions(answered, seed, partial(_check_labels, seed=seed), one_a_row=True)
        yield from left_out(answered)
        return
    yield from _check_labels(answered, seed)
    yield from check_against_baselines(answered, seed)
    yield from check_memorised(teacher, answered, seed, made_rows=made_rows)


def _check_labels(answered: SampleAnswers, seed: int) -> Iterator[Finding]:
    """The checks of one answer a row against its label."""
    if answered.sample.all_labels is not None and answered.form.task in ("binary", "multiclass"):
        yield from check_known(answered.sample.all_labels, answered.form.classes)
    yield from check_accuracy(answered)
    yield from check_calibration(answered, seed)


def _check_leaks(names: Names, train_names: Names | None, test: Names) -> Iterator[Finding]:
    yield from check_leak("transfer rows", names, test)
    if train_names is not None:
        yield from check_leak("rows the teacher was trained on", train_names, test)


def _check_test_answers(
    teacher: Teacher, answered: SampleAnswers, on_test: SampleAnswers | Finding, seen: float | None, seed: int, made_rows: bool
) -> Iterator[Finding]:
    if isinstance(on_test, Finding):
        # Recorded answers are limited to the rows that they were recorded on, which need not include the test rows.
        severity: Severity = "note" if on_test.figure["error"] == LabelMismatch.__name__ else "error"
        yield replace(on_test, check="test-answers", severity=severity, remedy="Answers to test rows were not checked.")
        return
    of_transfer, of_test = (one_position_a_row(each, seed) for each in (answered, on_test))
    if isinstance(of_transfer, SampleAnswers) and isinstance(of_test, SampleAnswers):
        yield from check_answer_shift(of_transfer, of_test)
        yield from check_training_rows(of_transfer, of_test, seen)
    for finding in _check_against_labels(teacher, on_test, seed, made_rows):
        yield replace(finding, check=f"test-{finding.check}")
