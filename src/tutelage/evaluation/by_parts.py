"""Evaluation of rows that are read in parts, in one pass: every figure from sums that are added up part by part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.core.contracts import AnsweredParts
from tutelage.core.errors import BadInput
from tutelage.core.position_answers import Answers
from tutelage.core.records import Cost
from tutelage.data.fingerprint import RunningFingerprint
from tutelage.data.row_names import Names, row_names
from tutelage.data.rows import as_rows
from tutelage.evaluation.aligning.alignment import align
from tutelage.evaluation.evaluation import Evaluation
from tutelage.evaluation.metrics.agreement import as_distributions, decision_counts, decisions
from tutelage.evaluation.metrics.calibration import bin_edges, bin_sums, curve_of
from tutelage.evaluation.records import AlignedAnswers
from tutelage.evaluation.scoring.row_scores import Model, Settings, Target, top_labels
from tutelage.evaluation.scoring.scores import scores
from tutelage.evaluation.scoring.summed import RunningScores

NOTE = (
    "Computed in one pass over rows that are read in parts: there is no AUC, which ranks all rows at once, and figures that are no means "
    "over rows have no interval, which resamples them."
)


@dataclass(frozen=True)
class _Recorded:
    """The recorded answers to a part, as a Teacher of its rows."""

    form: AnswerForm
    fingerprint: str
    answers: Answers

    def answer(self, inputs: Any) -> Answers:
        """The answers."""
        return self.answers


@dataclass
class _Totals:
    """What is added up over the parts."""

    settings: Settings
    most_classes: int
    fingerprint: RunningFingerprint
    groups: dict[str, RunningScores] = field(default_factory=dict)
    curves: dict[str, Any] = field(default_factory=dict)
    decisions: Any = None
    own: dict[str, int] = field(default_factory=dict)
    rows: int = 0

    def add(self, aligned: AlignedAnswers, names: Names) -> None:
        """Add the answers to the rows of one part, and their names."""
        self.rows += aligned.rows
        self.fingerprint.add(names)
        groups: list[tuple[str, Target, Model]] = [("against_teacher", "teacher", "student")]
        if aligned.truth is not None:
            groups += [("against_truth", "truth", "student"), ("teacher_against_truth", "truth", "teacher")]
        for group, against, of in groups:
            found = scores(aligned, against, self.settings, of=of, ranks=False)
            self.groups.setdefault(group, RunningScores()).add(found, aligned.side(against), aligned.side(of))
        if aligned.task == "regression":
            return
        edges = bin_edges(np.zeros(0), bins=self.settings.bins)
        for _, against, _ in groups[:2]:
            self.curves[against] = self.curves.get(against, 0.0) + bin_sums(*top_labels(aligned, against, "student"), edges)
        if aligned.task != "multilabel" and len(aligned.classes) <= self.most_classes:
            counts = np.asarray(decision_counts(aligned.decided("teacher"), aligned.decided("student"), len(aligned.classes)))
            self.decisions = counts if self.decisions is None else self.decisions + counts
        self._count_own(aligned)

    def _count_own(self, aligned: AlignedAnswers) -> None:
        """Count rows that the model's own predict decides otherwise than its most probable class."""
        for who, own, answers in (
            ("student", aligned.student_decisions, aligned.student),
            ("teacher", aligned.teacher_decisions, aligned.teacher),
        ):
            if own is not None:
                differ = (own != decisions(as_distributions(answers, aligned.task))).reshape(len(own), -1).any(axis=1)
                self.own[who] = self.own.get(who, 0) + int(differ.sum())

    def notes(self) -> tuple[str, ...]:
        """What a reader has to know besides."""
        own = [
            f"The decisions of the {who} are those of its predict; in {count:,} of {self.rows:,} rows its most probable class is another."
            for who, count in self.own.items()
        ]
        lacking = sorted({name for group in self.groups.values() for name in group.left_out})
        return (*own, *(f"{name} is left out: some parts do not have it." for name in lacking), NOTE)


def evaluate_parts(
    student: Any, parts: AnsweredParts, *, name: str, settings: Settings, most_classes: int, cost: Callable[[Any], Cost]
) -> Evaluation:
    """Measure a student on rows that are read in parts; see `evaluate`.

    Args:
        student: as for `evaluate`.
        parts: the rows, their teacher's answers, and their ground truth where it is known.
        name: of the student.
        settings: bins and floor are used.
        most_classes: with more, the table of decisions is left out.
        cost: measures the student on some rows.

    Raises:
        as `evaluate`, and as `Parts.shard`. BadInput: bins of equal mass, or answers with positions.
    """
    if settings.binning != "equal-width":
        raise BadInput("binning='equal-mass' needs all confidences at once, and the rows are read in parts; use 'equal-width'.")
    if parts.form.positions is not None:
        raise BadInput(
            f"the answers have positions ({parts.form.positions}), and rows that are read in parts are evaluated with one answer each; "
            "pass the rows in memory."
        )
    totals, first = _Totals(settings, most_classes, RunningFingerprint(np.dtype(np.uint64), len(parts))), None
    for part in parts.in_order():
        first = part.rows if first is None else first
        aligned = align(student, _Recorded(parts.form, parts.fingerprint, part.answers), part.rows, part.y)
        totals.add(aligned, row_names(part.rows))
        task, classes = aligned.task, aligned.classes
    figures = {group: running.estimates(settings, classes) for group, running in totals.groups.items()}
    edges = bin_edges(np.zeros(0), bins=settings.bins)
    return Evaluation(
        student=name,
        teacher=parts.fingerprint,
        task=task,
        classes=classes,
        rows=totals.rows,
        answers_count=totals.rows,
        against_truth=figures.get("against_truth", {}),
        against_teacher=figures["against_teacher"],
        teacher_against_truth=figures.get("teacher_against_truth", {}),
        reliability={against: curve_of(edges, sums) for against, sums in sorted(totals.curves.items(), reverse=True)},
        decisions=None if totals.decisions is None else tuple(tuple(row) for row in totals.decisions.tolist()),
        cost=cost(as_rows(first)),
        settings=asdict(settings),
        rows_fingerprint=totals.fingerprint.value,
        notes=totals.notes(),
    )
