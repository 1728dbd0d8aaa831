"""How well a teacher whose answers vary agrees with itself, which limits how well any student can agree with it.

Two answers to a row give the same decision with probability sum p^2 over the decisions. A student names one decision for a row,
at best the likeliest, and agrees with one answer with probability max p, at most the root of sum p^2. The mean of roots is at
most the root of the mean, so that the root of the agreement of answers bounds the agreement of every student.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tutelage.checks.findings import Finding
from tutelage.checks.sampling import SampleAnswers
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.quantities import percent
from tutelage.teachers.endpoints.chat_teacher import ChatTeacher

MOST_VOTES = 50
"""Shares of more votes than this cannot be distinguished from other probabilities."""

VOTE_ROUNDING = 1e-4
"""How far a share times the number of votes may be from a whole number."""


def own_agreement(form: AnswerForm, first: Floats, second: Floats) -> Finding:
    """The ceiling of a teacher that gave different answers to the same rows.

    Args:
        form: form of the answers.
        first: (rows, columns) answers.
        second: (rows, columns) answers to the same rows, queried again.
    """
    if form.kind == "values":
        noise = float(((first - second) ** 2).mean() / 2)
        highest = 1 - noise / (float(np.concatenate([first, second]).var(axis=0).mean()) or 1.0)
        figure = {"variance of answers to one row": noise, "highest R2 of a student": highest}
        return Finding("ceiling", "note", figure, f"the teacher's answers to one row vary: no student reaches an R2 above {highest:.3f}.")
    one, other = form.probabilities(first), form.probabilities(second)
    if form.task == "multilabel":
        same = float(((one > 0.5) == (other > 0.5)).mean())
    else:
        same = float((one.argmax(axis=1) == other.argmax(axis=1)).mean())
    return _ceiling("the teacher, queried twice, decides alike", same)


def check_votes(teacher: Teacher, answered: SampleAnswers) -> Iterator[Finding]:
    """The ceiling of votes, logged or of a language model: how often two votes about the same row agree.

    Args:
        teacher: a language model, which knows its votes; or one whose fingerprint says that its answers come from a log.
        answered: its answers; shares of few votes are whole multiples of one over their number, and often 0.
    """
    if isinstance(teacher, ChatTeacher):
        agreement = teacher.report(answered.sample.inputs).agreement
        if agreement is not None:
            yield _ceiling("two votes about a text agree", agreement)
        return
    if not teacher.fingerprint.startswith("logged:") or answered.form.kind != "probabilities" or answered.form.task == "multilabel":
        return
    p = answered.probabilities
    numbers = [count for count in range(2, MOST_VOTES + 1) if np.abs(p * count - np.round(p * count)).max() < VOTE_ROUNDING]
    if not numbers or p.min() > 0:  # smoothed shares are above 0
        return
    votes = numbers[0]
    same = (votes * float((p**2).sum(axis=1).mean()) - 1) / (votes - 1)  # of two different votes
    yield _ceiling(f"two of the (at most {votes}) votes about a row agree", max(same, 0.0))


def _ceiling(what: str, agreement: float) -> Finding:
    highest = float(np.sqrt(agreement))
    figure = {"agreement": agreement, "highest agreement of a student": highest}
    sentence = f"{what} in {percent(agreement)} of the cases: no student agrees with one such answer in more than {percent(highest)}."
    return Finding("ceiling", "note", figure, sentence)
