"""How many transfer rows: fidelity against made rows on validation rows, and where it stops paying."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr
from sklearn.base import clone

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput
from tutelage.core.records import Interval
from tutelage.data.rows import Rows, as_rows
from tutelage.data.transfer import Transfer, rows_to_make, stacked
from tutelage.evaluation.significance import paired_difference
from tutelage.losses.targets import check_temperature
from tutelage.search.transfer_display import Measure, TransferCurve, TransferPoint
from tutelage.softlabels.querying import query
from tutelage.students.teaching import blended, fit_student, is_unfitted
from tutelage.teachers.adapt import as_teacher

if TYPE_CHECKING:
    pass


FLOOR = 1e-7
"""The least probability that a student is taken to give: log 0 would make one row outweigh all others."""


def transfer_curve(
    teacher: Any,
    student: Any,
    X: Any,
    *,
    transfer: Transfer,
    validation: Any,
    rows: Sequence[float] = (0.0, 1.0, 2.0, 4.0, 8.0),
    seeds: int | Sequence[int] = 5,
    measure: Measure | None = None,
    temperature: float = 1.0,
    tolerance: float = 0.0,
    patience: int | None = 2,
) -> TransferCurve:
    """Teach the student with more and more made rows until its fidelity to the teacher is flat.

    Each seed makes its own rows (a larger amount holds the smaller ones) and sets every `random_state` of the
    student. The teacher labels each made row once, and only when it is needed. No label of the truth is used, so
    validation rows need none; rows for the final test have no place here.

    Args:
        teacher: fitted; whatever `as_teacher` takes, or a Teacher.
        student: as `DistilledClassifier` or `DistilledRegressor` takes it.
        X: the training rows.
        transfer: what makes rows, such as `Munge()`.
        validation: rows that are neither in X nor kept for the final test, at least two.
        rows: amounts of made rows, two or more: an int is a number, a float a multiple of the rows of X.
        seeds: how many (0, 1, ...), or which; at least two.
        measure: what is to gain: "kl_nats" (if not given; it moves before decisions do) or "agreement"; "rmse" for values.
        temperature: at which a classifier learns.
        tolerance: a gain of the measure that is not worth the rows, in its own unit.
        patience: how many amounts in a row may fail to gain before larger ones are left unmeasured; one alone may be
            noise. None measures all.

    An amount gains if it beats the one held so far: the interval of its gain lies above zero, and the gain is no
    smaller than the tolerance. Then it is held instead. The last one held is chosen.

    Raises:
        BadInput: a teacher that is not fitted, fewer than two amounts, seeds or validation rows, a measure of
            another task. ShapeError: made or validation rows with other columns.
    """
    if is_unfitted(teacher):
        raise BadInput(
            f"this {type(teacher).__name__} is not fitted; a transfer curve compares students with a teacher that knows: fit it."
        )
    known, count = as_teacher(teacher), as_rows(X).count
    judged = _checked_measure(measure, known.form)
    _check_stop(tolerance, patience)
    numbers = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    amounts = sorted({rows_to_make(transfer, count, amount) for amount in rows})
    if min(len(numbers), len(amounts)) < 2:
        raise BadInput(f"{len(numbers)} seeds and {len(amounts)} amounts of rows; expected two or more of each: one shows no change.")
    exam = _Exam(known, validation, check_temperature(temperature))
    classes = [_Class(seed, student, known, X, transfer, amounts[-1], temperature) for seed in numbers]
    points: list[TransferPoint] = []
    losses: list[Floats] = []
    held, why = 0, ""
    for amount in amounts:
        scores = _losses_of_all(exam, [one.taught_with(amount) for one in classes])
        points.append(_point(amount, scores))
        losses.append(scores[judged])
        held, why = _choice(points, losses, judged, tolerance)
        if patience is not None and len(points) - 1 - held == patience:
            break
    return TransferCurve(tuple(points), judged, points[held].rows, why, repr(transfer), count, exam.rows, numbers)


class _Class:
    """One seed's lesson, which grows: the same student starts anew each time, with more made rows."""

    def __init__(self, seed: int, student: Any, teacher: Teacher, X: Any, transfer: Transfer, most: int, temperature: float) -> None:
        self._student = clone(student)
        state = {name: seed for name in self._student.get_params() if name.split("__")[-1] == "random_state"}
        self._student.set_params(**state)
        self._teacher, self._temperature = teacher, temperature
        self._made: Rows | None = as_rows(transfer.make(X, most, seed=seed)) if most else None
        self._X, self._targets = X, self._answers(X)
        self._held = 0

    def taught_with(self, amount: int) -> Any:
        """The student after X and so many made rows; no fewer than the last time."""
        if self._made is not None and amount > self._held:
            fresh = self._made.part(self._held, amount)
            self._X = stacked(self._X, fresh)
            self._targets = np.concatenate([self._targets, self._answers(fresh)])
            self._held = amount
        return fit_student(self._student, self._teacher.form, self._X, self._targets)

    def _answers(self, X: Any) -> Floats:
        return blended(query(self._teacher, X), self._teacher.form, temperature=self._temperature)


class _Exam:
    """What the teacher says of the validation rows, and how far from it a student is."""

    def __init__(self, teacher: Teacher, validation: Any, temperature: float) -> None:
        self._form, self._inputs, self._temperature = teacher.form, validation, temperature
        answers = query(teacher, validation)
        self._known = answers if self._form.kind == "values" else self._form.probabilities(answers)
        self.rows = len(answers)
        if self.rows < 2:
            raise BadInput(f"{self.rows} validation rows; expected two or more, and enough to tell students apart.")

    def losses(self, student: Any) -> dict[str, Floats]:
        """Each measure's loss, a row each; less is better."""
        if self._form.task == "regression":
            values: Floats = np.asarray(student.predict(self._inputs), dtype=np.float64).reshape(self.rows, -1)
            return {"rmse": ((values - self._known) ** 2).mean(axis=1)}
        tempered = np.asarray(student.predict_proba(self._inputs), dtype=np.float64)
        said = self._form.as_kind("probabilities").probabilities(tempered, 1 / self._temperature)
        if self._form.task == "multilabel":
            apart = ((said > 0.5) != (self._known > 0.5)).mean(axis=1)
            return {"agreement": apart, "kl_nats": _kl_nats(self._known, said) + _kl_nats(1 - self._known, 1 - said)}
        apart = (said.argmax(axis=1) != self._known.argmax(axis=1)).astype(np.float64)
        return {"agreement": apart, "kl_nats": _kl_nats(self._known, said)}


def _kl_nats(teacher_probs: Floats, student_probs: Floats) -> Floats:
    return np.asarray(rel_entr(teacher_probs, np.maximum(student_probs, FLOOR)).sum(axis=1))


def _losses_of_all(exam: _Exam, students: Sequence[Any]) -> dict[str, Floats]:
    """Each measure's (seeds, rows) losses."""
    found = [exam.losses(student) for student in students]
    return {name: np.stack([losses[name] for losses in found]) for name in found[0]}


def _check_stop(tolerance: float, patience: int | None) -> None:
    if not tolerance >= 0 or (patience is not None and patience < 1):
        raise BadInput(f"a tolerance of {tolerance} and a patience of {patience}; expected 0 or more, and 1 or more (or None).")


def _checked_measure(measure: Measure | None, form: AnswerForm) -> Measure:
    fit: tuple[Measure, ...] = ("rmse",) if form.task == "regression" else ("kl_nats", "agreement")
    if measure is not None and measure not in fit:
        raise BadInput(f"measure is {measure!r}; expected one of {', '.join(fit)} for a teacher of {form.task} answers.")
    return measure or fit[0]


def _point(amount: int, losses: Mapping[str, Floats]) -> TransferPoint:
    scores, intervals = {}, {}
    for name, loss in losses.items():
        mean, interval = _over_seeds_and_rows(loss, np.zeros((1, loss.shape[1])))
        low, high = _shown(name, interval.low), _shown(name, interval.high)
        scores[name] = _shown(name, mean)
        # An agreement is one minus its loss, so its bounds change places.
        intervals[name] = Interval(min(low, high), max(low, high), interval.over)
    return TransferPoint(amount, scores, intervals)


def _shown(measure: str, loss: float) -> float:
    """A mean loss in the measure's own unit."""
    if measure == "agreement":
        return min(max(1 - loss, 0.0), 1.0)
    return float(np.sqrt(max(loss, 0.0))) if measure == "rmse" else loss


def _over_seeds_and_rows(a: NDArray[Any], b: NDArray[Any]) -> tuple[float, Interval]:
    difference, interval = paired_difference(a, b, shared_rows=True)
    return difference, replace(interval, over="seeds and validation rows")


def _choice(points: list[TransferPoint], losses: list[Floats], measure: Measure, tolerance: float) -> tuple[int, str]:
    """Which point is held after all of these, and why."""
    held, gained = 0, ""
    failed: list[str] = []
    for place in range(1, len(points)):
        better, figures = _gain(points[held], points[place], losses[held], losses[place], measure=measure, tolerance=tolerance)
        if better:
            held, gained, failed = place, figures, []
        else:
            failed.append(figures)
    if failed:
        return held, f"More than {points[held].rows} made rows brought no gain that can be claimed: {'; '.join(failed)}."
    return held, f"The largest amount still gained: {gained}. Try more."


def _gain(
    before: TransferPoint, after: TransferPoint, worse: Floats, better: Floats, *, measure: Measure, tolerance: float
) -> tuple[bool, str]:
    """Whether one amount of rows beats another, and the figures that say so."""
    _, fall = _over_seeds_and_rows(worse, better)  # of the loss, so that above zero is a gain
    change = after.scores[measure] - before.scores[measure]
    gain = change if measure == "agreement" else -change
    loss = {"rmse": "mean squared error", "agreement": "disagreement", "kl_nats": "KL"}[measure]
    figures = (
        f"{before.rows} to {after.rows} rows took {measure} from {before.scores[measure]:.4g} to {after.scores[measure]:.4g}, "
        f"a fall in {loss} of {fall.low:.2g} to {fall.high:.2g}"
    )
    return fall.low > 0 and gain >= tolerance, figures
