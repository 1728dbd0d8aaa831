"""Samples of the positions of rows, so that the checks of answers see one answer a row, or one a position.

The positions of a row are not independent. What is tested against chance is therefore looked at in one position of each row, drawn at
random; what is only described, in many.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from tutelage.checks.findings import Finding
from tutelage.checks.sampling import Sample, SampleAnswers
from tutelage.core.position_answers import PositionAnswers
from tutelage.data.truth.position_truth import check_same_positions, ignored_names

MOST_POSITIONS = 20_000
"""The most positions that are looked at."""


def of_positions(
    answered: SampleAnswers, seed: int, check: Callable[[SampleAnswers], Iterable[Finding]], *, one_a_row: bool
) -> Iterator[Finding]:
    """The findings of a check of one answer a row, for the positions of rows, or for rows if the answers have none.

    Args:
        answered: the answers.
        seed: of the draw of positions.
        check: takes answers to rows.
        one_a_row: whether one position of each row is looked at, or many.

    Raises:
        ShapeError: a row with other labels than answers.
    """
    if not isinstance(answered.answers, PositionAnswers):
        yield from check(answered)
        return
    drawn = _drawn(answered, seed, one_a_row=one_a_row)
    positions = str(answered.form.positions)
    yield from [drawn] if isinstance(drawn, Finding) else (_named_for(finding, positions) for finding in check(drawn))


def one_position_a_row(answered: SampleAnswers, seed: int) -> SampleAnswers | Finding:
    """Answers to one position of each row, drawn at random; those to rows as they are. A finding if no position counts."""
    return _drawn(answered, seed, one_a_row=True) if isinstance(answered.answers, PositionAnswers) else answered


def left_out(answered: SampleAnswers) -> Iterator[Finding]:
    """What is not checked of teachers of positions, and why."""
    positions = answered.form.positions
    for check, why in (
        ("baseline", f"there is no baseline model for {positions}."),
        ("memorised", f"no rows are made next to rows of {positions}."),
    ):
        if answered.sample.labels is not None:
            yield Finding(check, "note", {}, f"not checked: {why}")


def _drawn(answered: SampleAnswers, seed: int, *, one_a_row: bool) -> SampleAnswers | Finding:
    answers, labels = answered.answers, answered.sample.labels
    if labels is not None:
        check_same_positions(labels, answers.shapes, "the sample")
    places = np.arange(len(answers.values)) if labels is None else np.flatnonzero(~ignored_names(labels.values))
    if not len(places):
        why = "every label is -100 or None" if len(answers.values) else "the rows have none"
        return Finding("answers", "error", {"positions": 0}, f"no position counts: {why}.", "Pass rows with tokens or pixels that count.")
    shuffled = np.random.default_rng(seed).permutation(places)
    if one_a_row:
        shuffled = shuffled[np.unique(answers.row_of[shuffled], return_index=True)[1]]
    chosen = np.sort(shuffled[:MOST_POSITIONS])
    sample = Sample(None, len(chosen), len(answers.values), None if labels is None else labels.values[chosen], answered.sample.all_labels)
    return SampleAnswers(sample, answered.form.of_each_position, answers.values[chosen])


def _named_for(finding: Finding, positions: str) -> Finding:
    """A finding about positions, which says so."""
    one = positions.removesuffix("s")
    sentence = re.sub(r"\brow(s?)\b", lambda found: one + found[1], finding.sentence)
    return replace(finding, figure={**finding.figure, "of": positions}, sentence=sentence)
