"""Check that the teacher's answers are repeatable, and independent of the other rows in the batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tutelage.checks.answers.ceilings import own_agreement
from tutelage.checks.findings import Finding
from tutelage.checks.sampling import Sample, query_sample, rows_at
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.data.row_names import row_names
from tutelage.teachers.endpoints.chat_teacher import ChatTeacher

ROWS = 512
"""The most rows that are queried again; enough to detect dropout or batch statistics."""

ROUNDING = 1e-5
"""The largest difference that another order of float32 additions explains."""

HARMLESS = 1e-3
"""The largest difference in probability (in standard deviations for values) without effect on a student."""


def check_determinism(teacher: Teacher, sample: Sample, seed: int) -> Iterator[Finding]:
    """Query the same rows twice, and in another order and other batches, and compare the answers."""
    if isinstance(teacher, ChatTeacher):
        yield Finding("repeatable", "note", {}, STORED_ANSWERS)
        return
    count = min(ROWS, sample.count)
    head = Sample(rows_at(sample.inputs, np.arange(count)), count, count)
    before = row_names(head.inputs)
    first, second = query_sample(teacher, head), query_sample(teacher, head)
    if isinstance(first, Finding) or isinstance(second, Finding):
        failed = first if isinstance(first, Finding) else second
        assert isinstance(failed, Finding)  # noqa: S101 - for the type checker
        yield replace(failed, check="repeatable")
        return
    yield _rows_modified(int((row_names(head.inputs) != before).sum()), count)
    difference = largest_difference(teacher.form, first.answers, second.answers)
    yield _graded("repeatable", difference, count, "queried twice with the same rows", REMEDY_TWICE)
    if difference > HARMLESS:
        yield own_agreement(teacher.form, first.answers, second.answers)
    else:
        yield _in_other_batches(teacher, head, first.answers, seed)


STORED_ANSWERS = (
    "answers of a language model are stored, so that each text is paid once and its answer repeats; how well the model agrees with itself "
    "is shown by several votes, or by teacher.consistency(texts), which asks some texts again."
)
REMEDY_TWICE = (
    "Switch off its randomness: network.eval() for dropout and batch statistics, a fixed seed, temperature 0 for sampled answers."
)
REMEDY_BATCH = "Call network.eval(): batch norm must use its running statistics, so that each answer depends on its row alone."


def largest_difference(form: AnswerForm, first: Floats, second: Floats) -> float:
    """The largest difference between two sets of answers: in probability, or in standard deviations of the first for values."""
    if form.kind == "values":
        scale = float(first.std()) or 1.0
        return float(np.abs(first - second).max()) / scale
    return float(np.abs(form.probabilities(first) - form.probabilities(second)).max())


def _rows_modified(changed: int, count: int) -> Finding:
    if changed:
        sentence = f"the teacher modified {changed} of the {count} rows that it was called with; later code would use the modified rows."
        return Finding(
            "rows-untouched", "error", {"changed rows": changed}, sentence, "Copy the rows inside `answer` before working on them."
        )
    return Finding("rows-untouched", "ok", {"changed rows": 0}, "the teacher does not modify the rows.")


def _graded(check: str, difference: float, count: int, how: str, remedy: str) -> Finding:
    figure = {"largest difference": difference, "rows": count}
    if difference <= ROUNDING:
        return Finding(check, "ok", figure, f"{how}, the teacher gives the same answers.")
    if difference <= HARMLESS:
        sentence = f"{how}, the teacher's answers differ by up to {difference:.1e}: rounding, which does not affect a student."
        return Finding(check, "note", figure, sentence)
    return Finding(check, "error", figure, f"{how}, the teacher's answers differ by up to {difference:.2g}.", remedy)


def _in_other_batches(teacher: Teacher, head: Sample, expected: Floats, seed: int) -> Finding:
    """Query the same rows shuffled, in batches of one, seven and the rest."""
    order = np.random.default_rng(seed).permutation(head.count)
    answers = np.empty_like(expected)
    for places in filter(len, np.split(order, [1, 8])):
        part = query_sample(teacher, Sample(rows_at(head.inputs, places), len(places), head.count))
        if isinstance(part, Finding):
            sentence = f"queried with {len(places)} of the rows in another batch, the teacher fails: {part.sentence}"
            return Finding("batch-independent", "error", {**part.figure}, sentence, REMEDY_BATCH)
        answers[places] = part.answers
    difference = largest_difference(teacher.form, expected, answers)
    how = "queried with the same rows in another order and other batches"
    return _graded("batch-independent", difference, head.count, how, REMEDY_BATCH)
