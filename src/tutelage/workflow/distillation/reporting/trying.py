"""The playground of a run: its chosen student, and test rows with the teacher's recorded answers where rows may be shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.data.structures.row_parts import taken
from tutelage.evaluation.records import AlignedAnswers
from tutelage.report.distillation.figures import ShownRow
from tutelage.report.playground.records import Playground
from tutelage.workflow.distillation.given.part import Part
from tutelage.workflow.distillation.reporting.shown_rows import said
from tutelage.workflow.playground import playground_of


def playground_of_run(
    student: Any, rows: Any, test: Part, form: AnswerForm, *, disagreements: Sequence[ShownRow] = (), show_rows: int = 0
) -> Playground:
    """The playground of the chosen student.

    Args:
        student: as it is shipped.
        rows: that it was trained on, of which ranges, means and counts are used.
        test: the test rows, with the teacher's answers.
        form: of the answers.
        disagreements: the test rows that the page shows.
        show_rows: number of test rows to start from, drawn at random, besides those; 0 for none at all.
    """
    if not show_rows:
        return playground_of(student, rows)
    shown = [one.row for one in disagreements]
    others = np.random.default_rng(0).permutation(np.setdiff1d(np.arange(test.count), shown))[:show_rows].tolist()
    places = [*others, *shown]
    teacher = test.answers if form.task == "regression" else form.probabilities(test.answers)
    aligned = AlignedAnswers(form.task, form.classes, teacher, teacher, test.truth)
    return playground_of(
        student,
        rows,
        examples=taken(test.rows, np.array(places)),
        teacher=np.asarray(teacher)[places],
        truth=[said(aligned, aligned.truth, place) for place in places],
        names=[f"test row {place}{', where the two disagree' if place in shown else ''}" for place in places],
    )
