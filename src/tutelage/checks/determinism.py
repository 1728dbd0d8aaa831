"""Does the teacher say the same thing twice, whoever else is in the batch?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tutelage.checks.findings import Finding
from tutelage.checks.sampling import Sample, ask, taken
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.data.row_names import row_names

ROWS = 512
"""Rows asked again; enough to see any dropout or batch statistic."""

ROUNDING = 1e-5
"""A difference that another order of additions in float32 can make."""

HARMLESS = 1e-3
"""A difference in probability (in standard deviations for values) below this costs a student nothing."""


def check_steady(teacher: Teacher, sample: Sample, seed: int) -> Iterator[Finding]:
    """Asked twice, the same answers; asked in another order and other batches, the same answers."""
    count = min(ROWS, sample.count)
    head = Sample(taken(sample.inputs, np.arange(count)), count, count)
    before = row_names(head.inputs)
    first, second = ask(teacher, head), ask(teacher, head)
    if isinstance(first, Finding) or isinstance(second, Finding):
        failed = first if isinstance(first, Finding) else second
        assert isinstance(failed, Finding)  # noqa: S101 - for the type checker
        yield replace(failed, check="repeatable")
        return
    yield _written(int((row_names(head.inputs) != before).sum()), count)
    moved = largest_difference(teacher.form, first.answers, second.answers)
    yield _graded("repeatable", moved, count, "asked twice about the same rows", REMEDY_TWICE)
    if moved <= HARMLESS:
        yield _in_other_batches(teacher, head, first.answers, seed)


REMEDY_TWICE = (
    "Switch off what is random in it: network.eval() for dropout and batch statistics, a fixed seed, temperature 0 for a sampled answer."
)
REMEDY_BATCH = "Call network.eval(): batch norm must use its running statistics, so that a row's answer is its own."


def largest_difference(form: AnswerForm, first: Floats, second: Floats) -> float:
    """The largest difference of two answers: in probability, or in standard deviations of the first for values."""
    if form.kind == "values":
        scale = float(first.std()) or 1.0
        return float(np.abs(first - second).max()) / scale
    return float(np.abs(form.probabilities(first) - form.probabilities(second)).max())


def _written(changed: int, count: int) -> Finding:
    if changed:
        sentence = f"asking changed {changed} of the {count} rows it was asked about, so whoever uses them next sees other rows."
        return Finding(
            "rows-untouched", "error", {"changed rows": changed}, sentence, "Copy the rows inside the teacher before working on them."
        )
    return Finding("rows-untouched", "ok", {"changed rows": 0}, "asking leaves the rows as they were.")


def _graded(check: str, moved: float, count: int, how: str, remedy: str) -> Finding:
    figure = {"largest difference": moved, "rows": count}
    if moved <= ROUNDING:
        return Finding(check, "ok", figure, f"{how}, it gives the same answers.")
    if moved <= HARMLESS:
        return Finding(check, "note", figure, f"{how}, its answers differ by up to {moved:.1e}: rounding, which costs a student nothing.")
    return Finding(check, "error", figure, f"{how}, its answers differ by up to {moved:.2g}.", remedy)


def _in_other_batches(teacher: Teacher, head: Sample, expected: Floats, seed: int) -> Finding:
    """The same rows shuffled: one alone, seven together, the rest together."""
    order = np.random.default_rng(seed).permutation(head.count)
    said = np.empty_like(expected)
    for places in filter(len, np.split(order, [1, 8])):
        answered = ask(teacher, Sample(taken(head.inputs, places), len(places), head.count))
        if isinstance(answered, Finding):
            sentence = f"asked about {len(places)} of the rows in another batch, it fails: {answered.sentence}"
            return Finding("batch-independent", "error", {**answered.figure}, sentence, REMEDY_BATCH)
        said[places] = answered.answers
    moved = largest_difference(teacher.form, expected, said)
    return _graded("batch-independent", moved, head.count, "asked about the same rows in another order and other batches", REMEDY_BATCH)
