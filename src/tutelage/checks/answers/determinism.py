"""Check that the teacher's answers are repeatable, and independent of the other rows in the batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tutelage.checks.answers.ceilings import own_agreement
from tutelage.checks.answers.differences import HARMLESS, graded, largest_difference
from tutelage.checks.answers.padding import check_padding
from tutelage.checks.findings import Finding
from tutelage.checks.sampling import Sample, query_sample
from tutelage.core.contracts import Teacher
from tutelage.core.position_answers import joined
from tutelage.data.row_names import row_names
from tutelage.data.structures.row_parts import rows_at
from tutelage.teachers.endpoints.chat_teacher import asks_an_endpoint

ROWS = 512
"""The most rows that are queried again; enough to detect dropout or batch statistics."""


def check_determinism(teacher: Teacher, sample: Sample, seed: int) -> Iterator[Finding]:
    """Query the same rows twice, and in another order and other batches, and compare the answers."""
    if asks_an_endpoint(teacher):
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
    yield graded("repeatable", difference, count, "queried twice with the same rows", REMEDY_TWICE)
    if difference > HARMLESS:
        yield own_agreement(teacher.form, first.answers, second.answers)
        return
    padding = list(check_padding(teacher, head.inputs))
    yield from padding
    if all(finding.severity != "error" for finding in padding):  # padding would change the answers in other batches
        yield _in_other_batches(teacher, head, first.answers, seed)


STORED_ANSWERS = (
    "answers of a language model are stored, so that each text is paid once and its answer repeats; how well the model agrees with itself "
    "is shown by several votes, or by teacher.consistency(texts), which asks some texts again."
)
REMEDY_TWICE = (
    "Switch off its randomness: network.eval() for dropout and batch statistics, a fixed seed, temperature 0 for sampled answers."
)
REMEDY_BATCH = "Call network.eval(): batch norm must use its running statistics, so that each answer depends on its row alone."


def _rows_modified(changed: int, count: int) -> Finding:
    if changed:
        sentence = f"the teacher modified {changed} of the {count} rows that it was called with; later code would use the modified rows."
        return Finding(
            "rows-untouched", "error", {"changed rows": changed}, sentence, "Copy the rows inside `answer` before working on them."
        )
    return Finding("rows-untouched", "ok", {"changed rows": 0}, "the teacher does not modify the rows.")


def _in_other_batches(teacher: Teacher, head: Sample, expected: Any, seed: int) -> Finding:
    """Query the same rows shuffled, in batches of one, seven and the rest."""
    order = np.random.default_rng(seed).permutation(head.count)
    parts = []
    for places in filter(len, np.split(order, [1, 8])):
        part = query_sample(teacher, Sample(rows_at(head.inputs, places), len(places), head.count))
        if isinstance(part, Finding):
            sentence = f"queried with {len(places)} of the rows in another batch, the teacher fails: {part.sentence}"
            return Finding("batch-independent", "error", {**part.figure}, sentence, REMEDY_BATCH)
        parts.append(part.answers)
    difference = largest_difference(teacher.form, expected[order], joined(parts))
    how = "queried with the same rows in another order and other batches"
    return graded("batch-independent", difference, head.count, how, REMEDY_BATCH)
