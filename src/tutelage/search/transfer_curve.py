"""How many transfer rows are worth their cost: fidelity on validation rows by number of transfer rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr
from sklearn.base import clone

from tutelage.core.answers import AnswerForm
from tutelage.core.arguments import number, whole
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, shown
from tutelage.core.records import Interval
from tutelage.data.rows import Rows, as_rows
from tutelage.data.transfer import Transfer, rows_to_make, stacked
from tutelage.evaluation.verdicts import paired_difference
from tutelage.losses.targets import check_temperature
from tutelage.search.transfer_display import Measure, TransferCurve, TransferPoint
from tutelage.softlabels.querying import query
from tutelage.students.teaching import is_unfitted
from tutelage.students.temperature import Targets, Taught, fit_at_temperature
from tutelage.teachers.adapt import as_teacher

MOST_SEEDS = 1000

FLOOR = 1e-7
"""Lower bound applied to the student's probabilities: log 0 would make one row outweigh all others."""


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
    """Fit the student with a growing number of transfer rows until its fidelity to the teacher stops improving.

    A number of rows is an improvement if it beats the best number so far: the 95 % interval of the gain lies above zero,
    and the gain is at least the tolerance. It then becomes the best number so far; the last such number is chosen.

    Each seed generates its own transfer rows (a larger number includes the smaller ones) and sets every `random_state`
    of the student. The teacher labels each generated row once, and only when the row is needed; no interval covers another
    teacher. No ground truth is used, so the validation rows need none. Do not pass rows of the final test set.

    Args:
        teacher: a Teacher, or a fitted model that `as_teacher` accepts.
        student: as for `DistilledClassifier` or `DistilledRegressor`.
        X: (rows, features), the training rows.
        transfer: a `Transfer` that generates rows, such as `Munge()`.
        validation: rows that are neither in X nor in the final test set, at least two.
        rows: numbers of transfer rows, at least two of them; an int is a number of rows, a float a multiple of the rows of X.
        seeds: the number of seeds (0, 1, ...), or the seeds themselves; at least two.
        measure: the measure to improve: "kl_nats" (the default; it changes before decisions change) or "agreement" for
            classifiers, "rmse" for regressors.
        temperature: temperature of a classifier's targets.
        tolerance: smallest gain that is worth additional rows, in the unit of the measure.
        patience: how many consecutive numbers of rows may bring no improvement before larger ones are skipped; a single
            one may be noise. None measures all.

    Returns:
        A `TransferCurve` with the fidelity at each number of rows and the chosen number.

    Raises:
        BadInput: the teacher is not fitted, there are fewer than two numbers of rows, seeds or validation rows, or the
            measure belongs to another task.
        ShapeError: transfer rows or validation rows have other columns than X.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> X, y = load_iris(return_X_y=True)
        >>> teacher = LogisticRegression(max_iter=1000).fit(X, y)
        >>> noise = tl.transfer.UniformNoise()
        >>> curve = tl.transfer_curve(teacher, tl.SoftTree(), X[::2], transfer=noise, validation=X[1::2], rows=(0, 500), seeds=2)
        >>> [point.rows for point in curve.points]
        [0, 500]
        >>> curve.points[1].scores["kl_nats"] < curve.points[0].scores["kl_nats"]
        True
    """
    if is_unfitted(teacher):
        raise BadInput(f"the teacher, a {type(teacher).__name__}, is not fitted; a transfer curve expects a fitted teacher. Fit it first.")
    source, count = as_teacher(teacher), as_rows(X).count
    chosen_measure = _checked_measure(measure, source.form)
    tolerance, patience = number("tolerance", tolerance, least=0), None if patience is None else whole("patience", patience, 1)
    if isinstance(student, type) or not all(hasattr(student, name) for name in ("fit", "get_params")):
        raise BadInput(f"the student is {shown(student)}; expected an unfitted scikit-learn estimator, such as SoftTree().")
    numbers = _seeds(seeds)
    if not isinstance(rows, Iterable) or isinstance(rows, str | bytes):
        raise BadInput(f"rows is {shown(rows)}; expected a list of numbers of rows, such as (0, 1.0, 2.0).")
    amounts = sorted({rows_to_make(transfer, count, amount) for amount in rows})
    if min(len(numbers), len(amounts)) < 2:
        raise BadInput(
            f"{len(numbers)} seeds and {len(amounts)} numbers of rows; expected at least two of each. Pass more to measure a change."
        )
    check_temperature(temperature)
    reference = _Reference(source, validation)
    runs = [_SeedRun(seed, student, source, X, transfer, amounts[-1], temperature) for seed in numbers]
    points: list[TransferPoint] = []
    losses: list[Floats] = []
    best, why = 0, ""
    for amount in amounts:
        scores = _losses_of_all(reference, [run.fit_with(amount) for run in runs])
        points.append(_point(amount, scores))
        losses.append(scores[chosen_measure])
        best, why = _choice(points, losses, chosen_measure, tolerance)
        if patience is not None and len(points) - 1 - best == patience:
            break
    return TransferCurve(tuple(points), chosen_measure, points[best].rows, why, repr(transfer), count, reference.rows, numbers)


class _SeedRun:
    """The fits of one seed: the same unfitted student is fitted again each time, on a growing training set."""

    def __init__(self, seed: int, student: Any, teacher: Teacher, X: Any, transfer: Transfer, most: int, temperature: float) -> None:
        self._student = clone(student)
        state = {name: seed for name in self._student.get_params() if name.split("__")[-1] == "random_state"}
        self._student.set_params(**state)
        self._teacher, self._temperature = teacher, temperature
        self._transfer_rows: Rows | None = as_rows(transfer.make(X, most, seed=seed)) if most else None
        self._X, self._targets = X, self._answers(X)
        self._used = 0

    def fit_with(self, amount: int) -> Taught:
        """The student fitted on X and this many transfer rows, which must not be fewer than in the previous call."""
        if self._transfer_rows is not None and amount > self._used:
            added = self._transfer_rows.part(self._used, amount)
            self._X = stacked(self._X, added)
            self._targets = self._targets.followed_by(self._answers(added))
            self._used = amount
        return fit_at_temperature(self._student, self._teacher.form, self._X, self._targets)

    def _answers(self, X: Any) -> Targets:
        return Targets.of(query(self._teacher, X), self._teacher.form, temperature=self._temperature)


class _Reference:
    """The teacher's answers to the validation rows, and the distance of a student from them."""

    def __init__(self, teacher: Teacher, validation: Any) -> None:
        self._form, self._inputs = teacher.form, validation
        answers = query(teacher, validation)
        self._target = answers if self._form.kind == "values" else self._form.probabilities(answers)
        self.rows = len(answers)
        if self.rows < 2:
            raise BadInput(f"{self.rows} validation rows; expected at least two, and enough to distinguish students. Pass more rows.")

    def losses(self, taught: Taught) -> dict[str, Floats]:
        """The loss of each measure, one value per row; lower is better."""
        student = taught.student
        if self._form.task == "regression":
            values: Floats = np.asarray(student.predict(self._inputs), dtype=np.float64).reshape(self.rows, -1)
            return {"rmse": ((values - self._target) ** 2).mean(axis=1)}
        predicted = np.asarray(student.predict_proba(self._inputs), dtype=np.float64)
        probs, target = self._form.as_kind("probabilities").probabilities(predicted, taught.answer_temperature), self._target
        if self._form.task == "multilabel":
            disagreement = ((probs > 0.5) != (target > 0.5)).mean(axis=1)
            return {"agreement": disagreement, "kl_nats": _kl_nats(target, probs) + _kl_nats(1 - target, 1 - probs)}
        disagreement = (probs.argmax(axis=1) != target.argmax(axis=1)).astype(np.float64)
        return {"agreement": disagreement, "kl_nats": _kl_nats(target, probs)}


def _kl_nats(teacher_probs: Floats, student_probs: Floats) -> Floats:
    return np.asarray(rel_entr(teacher_probs, np.maximum(student_probs, FLOOR)).sum(axis=1))


def _losses_of_all(reference: _Reference, students: Sequence[Any]) -> dict[str, Floats]:
    """The (seeds, rows) losses of each measure."""
    found = [reference.losses(student) for student in students]
    return {name: np.stack([losses[name] for losses in found]) for name in found[0]}


def _seeds(seeds: Any) -> tuple[int, ...]:
    """The seeds, given as a number of them or as a list."""
    if isinstance(seeds, Iterable) and not isinstance(seeds, str | bytes | Mapping | set | frozenset):
        return tuple(whole("a seed", seed, 0, 2**32 - 1) for seed in seeds)
    return tuple(range(whole("seeds", seeds, 0, MOST_SEEDS)))


def _checked_measure(measure: Measure | None, form: AnswerForm) -> Measure:
    valid: tuple[Measure, ...] = ("rmse",) if form.task == "regression" else ("kl_nats", "agreement")
    if measure is not None and not (isinstance(measure, str) and measure in valid):
        raise BadInput(f"measure is {shown(measure)}; expected one of {', '.join(valid)} for a {form.task} teacher.")
    return measure or valid[0]


def _point(amount: int, losses: Mapping[str, Floats]) -> TransferPoint:
    scores, intervals = {}, {}
    for name, loss in losses.items():
        mean, interval = _over_seeds_and_rows(loss, np.zeros((1, loss.shape[1])))
        low, high = _in_unit(name, interval.low), _in_unit(name, interval.high)
        scores[name] = _in_unit(name, mean)
        # Agreement is one minus its loss, which swaps the bounds.
        intervals[name] = Interval(min(low, high), max(low, high), interval.over)
    return TransferPoint(amount, scores, intervals)


def _in_unit(measure: str, loss: float) -> float:
    """A mean loss, converted to the unit of the measure."""
    if measure == "agreement":
        return min(max(1 - loss, 0.0), 1.0)
    return float(np.sqrt(max(loss, 0.0))) if measure == "rmse" else loss


def _over_seeds_and_rows(a: NDArray[Any], b: NDArray[Any]) -> tuple[float, Interval]:
    difference, interval = paired_difference(a, b, shared_rows=True)
    return difference, replace(interval, over="seeds and validation rows")


def _choice(points: list[TransferPoint], losses: list[Floats], measure: Measure, tolerance: float) -> tuple[int, str]:
    """The index of the best of these points, and the reason as a sentence."""
    best, gained = 0, ""
    failed: list[str] = []
    for index in range(1, len(points)):
        better, figures = _gain(points[best], points[index], losses[best], losses[index], measure=measure, tolerance=tolerance)
        if better:
            best, gained, failed = index, figures, []
        else:
            failed.append(figures)
    if failed:
        return best, f"More than {points[best].rows} transfer rows gave no demonstrable gain: {'; '.join(failed)}."
    return best, f"The largest number of rows still gave a gain: {gained}. Try more rows."


def _gain(
    before: TransferPoint, after: TransferPoint, worse: Floats, better: Floats, *, measure: Measure, tolerance: float
) -> tuple[bool, str]:
    """Whether one number of rows beats another, and the figures behind the answer."""
    _, decrease = _over_seeds_and_rows(worse, better)  # decrease of the loss: above zero is a gain
    change = after.scores[measure] - before.scores[measure]
    gain = change if measure == "agreement" else -change
    loss = {"rmse": "mean squared error", "agreement": "disagreement", "kl_nats": "KL"}[measure]
    figures = (
        f"{before.rows} to {after.rows} rows changed {measure} from {before.scores[measure]:.4g} to {after.scores[measure]:.4g}, "
        f"a decrease in {loss} of {decrease.low:.2g} to {decrease.high:.2g}"
    )
    return decrease.low > 0 and gain >= tolerance, figures
