"""`check_teacher`: the requirements on a Teacher as an executable checklist, for the adapters and for custom teachers."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from tutelage.checks.answers.differences import ROUNDING, largest_difference
from tutelage.checks.answers.padding import check_padding
from tutelage.core.answers import AnswerForm
from tutelage.core.arguments import number
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput
from tutelage.core.position_answers import joined
from tutelage.data.row_names import row_names
from tutelage.data.rows import as_rows
from tutelage.data.structures.given_answers import checked_answers


def check_teacher(teacher: Any, inputs: Any, *, tolerance: float = ROUNDING) -> None:
    """Check that an object meets the requirements on a Teacher, on the given rows.

    A Teacher declares a form, and its answers have that form. It gives the same answers when it is called again, with a
    copy of the rows, and in other batches. It modifies neither the rows nor answers that it returned before, and
    answering does not change its fingerprint. Padding, which an attention mask leaves out, changes no answer.

    Args:
        teacher: any object with `form`, `fingerprint` and `answer`.
        inputs: at least two rows that it can answer: an array, a frame, a sparse matrix or a list of texts.
        tolerance: the largest allowed difference between two answers to the same row, in probability (in standard
            deviations for values). Rounding differs from batch to batch.

    Raises:
        BadInput: the first requirement that is not met.
        ShapeError, LabelMismatch, NotProbabilities: the answers do not have the declared form, as in `AnswerForm.check`.

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> class CoinToss:
        ...     form = tl.AnswerForm("probabilities", "binary", ("heads", "tails"))
        ...     fingerprint = "coin-toss-1"
        ...     def answer(self, inputs):
        ...         return np.full((len(inputs), 2), 0.5)
        >>> tl.check_teacher(CoinToss(), np.zeros((4, 1)))  # returns None: all requirements are met
    """
    name = type(teacher).__name__
    _check_declared(teacher, name)
    tolerance = number("tolerance", tolerance, least=0)
    rows = as_rows(inputs)
    if rows.count < 2:
        raise BadInput("got one row; pass at least two, since the checklist compares answers in different batches.")
    batch = rows.part(0, rows.count)
    names, fingerprint, copied = row_names(batch), teacher.fingerprint, copy.deepcopy(batch)

    def check_same(answers: Any, failure: str) -> None:
        difference = largest_difference(teacher.form, first, checked_answers(teacher.form, answers, batch, rows.count))
        if not difference <= tolerance:
            raise BadInput(f"{name} {failure} (the difference is up to {difference:.3g}, allowed {tolerance:g}).")

    returned = checked_answers(teacher.form, teacher.answer(batch), batch, rows.count)
    first = copy.deepcopy(returned)
    check_same(teacher.answer(batch), "gives other answers when it is called again")
    if not np.array_equal(row_names(batch), names):
        raise BadInput(f"{name} modifies the rows that it is called with; copy them inside `answer`.")
    check_same(teacher.answer(copied), "answers a copy of the rows differently")
    half = rows.count // 2
    ends = ((0, half), (half, rows.count))
    given = [(rows.part(*each), each[1] - each[0]) for each in ends]
    parts = [copy.deepcopy(checked_answers(teacher.form, teacher.answer(part), part, count)) for part, count in given]
    check_same(joined(parts), "answers a row differently in another batch")
    for finding in check_padding(teacher, batch):
        if finding.severity == "error":
            raise BadInput(f"{name}: {finding.sentence} {finding.remedy}")
    check_same(returned, "overwrites answers that it returned before")
    if teacher.fingerprint != fingerprint:
        raise BadInput(f"{name} changes its fingerprint when it answers; the fingerprint must depend on the model alone.")


def _check_declared(teacher: Any, name: str) -> None:
    lacking = [part for part in ("form", "fingerprint", "answer") if not hasattr(teacher, part)]
    if lacking or not isinstance(teacher, Teacher):
        raise BadInput(f"{name} is not a Teacher: it lacks {', '.join(lacking)}.")
    if not isinstance(teacher.form, AnswerForm):
        raise BadInput(f"the form of {name} is a {type(teacher.form).__name__}; expected an AnswerForm.")
    if not isinstance(teacher.fingerprint, str) or not teacher.fingerprint:
        raise BadInput(f"the fingerprint of {name} is {teacher.fingerprint!r}; expected a text that identifies it.")
