"""Compare the teacher with simple baseline models, and a regressor's values with the scale of the true values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tutelage.checks.baselines import predicted_labels, predicted_values, readable
from tutelage.checks.findings import Finding
from tutelage.checks.sampling import SampleAnswers
from tutelage.core.arrays import Floats, Integers
from tutelage.core.errors import one_line
from tutelage.data.structures.row_parts import rows_at

ROWS = 1000
"""The most labelled rows that the baseline models are trained on."""

FEWEST_ROWS = 30
"""With fewer rows a baseline model learns too little to compare with."""

FAR = 0.05
"""Accuracy or R2 below the baseline from which the finding is an error."""

BEST_OF_TWO = 2.24
"""Standard errors of a 97.5 % interval: the better of two baselines is used, so each may err half as often (Bonferroni)."""

REMEDY_EQUAL = (
    "Compare the student with this model on the same test rows; pass more labelled rows to tell teacher and model apart, or train a better "
    "teacher."
)
REMEDY = (
    "Serve or distil the baseline model; or check that the teacher gets the columns, the scaling and the row order that it was trained on."
)


def check_against_baselines(answered: SampleAnswers, seed: int) -> Iterator[Finding]:
    """Compare with baseline models that are trained on other folds of the same rows. Needs labels."""
    truth = answered.sample.labels
    if truth is None:
        return
    if answered.form.task == "multilabel":
        yield _not_checked("there is no baseline model for multilabel answers.")
    elif answered.form.kind != "values":
        yield _of_classes(answered, answered.form.codes(truth, unknown="mark"), seed)
    elif truth.shape[1] != answered.answers.shape[1]:
        sentence = f"the ground truth has {truth.shape[1]} values a row and the teacher answers {answered.answers.shape[1]}."
        figure = {"true values": truth.shape[1], "answered": answered.answers.shape[1]}
        yield Finding(
            "outputs", "error", figure, sentence, "Pass the true values of exactly the outputs that the teacher answers, in its order."
        )
    else:
        yield _scale(answered.answers.astype(np.float64), truth)
        yield _of_values(answered, truth, seed)


def _not_checked(why: str) -> Finding:
    return Finding("baseline", "note", {}, f"not checked: {why}")


def _of_classes(answered: SampleAnswers, codes: Integers, seed: int) -> Finding:
    places = np.flatnonzero(codes >= 0)[:ROWS]
    codes = codes[places]
    seen = len(np.unique(codes))
    if len(places) < max(FEWEST_ROWS, 5 * seen) or seen < 2:
        return _not_checked(f"{len(places)} labelled rows of {seen} classes are too few to train a baseline model on.")
    try:
        predictions = predicted_labels(readable(rows_at(answered.sample.inputs, places)), codes, seed)
    except (ValueError, TypeError) as error:  # rows that scikit-learn cannot process are no fault of the teacher
        return _not_checked(one_line(error))
    right = (answered.most_probable[places] == codes).astype(np.float64)
    metric = "accuracy by the most probable class" if answered.decided_otherwise else "accuracy"
    return _compared(metric, right, {name: (labels == codes).astype(np.float64) for name, labels in predictions.items()}, 0.0)


def _of_values(answered: SampleAnswers, truth: Floats, seed: int) -> Finding:
    places = np.arange(min(ROWS, len(truth)))
    if len(places) < FEWEST_ROWS:
        return _not_checked(f"{len(places)} labelled rows are too few to train a baseline model on.")
    try:
        predictions = predicted_values(readable(rows_at(answered.sample.inputs, places)), truth[places], seed)
    except (ValueError, TypeError) as error:
        return _not_checked(one_line(error))
    variance = _variance(truth[places])
    scores = {name: -_squared_errors(values, truth[places], variance) for name, values in predictions.items()}
    return _compared("R2", -_squared_errors(answered.answers[places], truth[places], variance), scores, 1.0)


def _variance(truth: Floats) -> Floats:
    variance = truth.var(axis=0)
    return np.asarray(np.where(variance > 0, variance, 1.0))


def _squared_errors(answers: Floats, truth: Floats, variance: Floats) -> Floats:
    """(rows,) squared errors in units of the variance of the true values, mean over outputs: R2 is 1 minus their mean."""
    return np.asarray(((answers - truth) ** 2 / variance).mean(axis=1))


def _compared(metric: str, teacher: Floats, baselines: dict[str, Floats], offset: float) -> Finding:
    """The teacher's scores compared with those of the better baseline, row by row; mean score + `offset` is the metric."""
    name = max(baselines, key=lambda key: float(baselines[key].mean()))
    difference = teacher - baselines[name]
    half = BEST_OF_TWO * float(difference.std(ddof=1)) / np.sqrt(len(difference))
    gap = float(difference.mean())
    own, other = float(teacher.mean()) + offset, float(baselines[name].mean()) + offset
    figure = {
        f"teacher {metric}": own,
        f"{name} {metric}": other,
        "difference": gap,
        "97.5 %": [gap - half, gap + half],
        "rows": len(difference),
    }
    measured = f"the teacher's {metric} is {own:.3f}; that of a {name} trained on other folds of these rows is {other:.3f}"
    if gap - half > 0:
        return Finding("baseline", "ok", figure, f"{measured}.")
    if gap + half >= 0:
        sentence = f"{measured}: the teacher is not proven better than this plain model (97.5 % {gap - half:+.3f} to {gap + half:+.3f})."
        return Finding("baseline", "note", figure, sentence, REMEDY_EQUAL)
    sentence = f"{measured}: the teacher is worse by {-gap:.3f} (97.5 % {-gap - half:.3f} to {-gap + half:.3f})."
    return Finding("baseline", "error" if gap < -FAR else "warning", figure, sentence, REMEDY)


def scale_by_output(answers: Floats, truth: Floats) -> list[Finding]:
    """The check of the scale for each of several values by itself.

    Args:
        answers: (rows, outputs) the teacher's values.
        truth: (rows, outputs) the true ones.
    """
    return [_scale(answers[:, place : place + 1].astype(np.float64), truth[:, place : place + 1]) for place in range(truth.shape[1])]


def order_by_fit(answers: Floats, truth: Floats) -> list[int] | None:
    """Which column of the truth each output of a teacher answers, where that is another order than the one given; None if it is not.

    Each output has to explain one column well and, unless it stays in its place, its own column badly; only an order that no other
    fits as well is one.

    Example:
        >>> import numpy as np
        >>> truth = np.array([[1.0, 5.0], [2.0, 3.0], [3.0, 9.0], [4.0, 2.0]])
        >>> order_by_fit(truth[:, ::-1], truth), order_by_fit(truth, truth)
        ([1, 0], None)
    """
    outputs = truth.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = np.nan_to_num(np.corrcoef(answers, truth, rowvar=False)[:outputs, outputs:] ** 2)
    order = explained.argmax(axis=1)
    places = np.arange(outputs)
    moved = order != places
    well = explained[places, order] > 0.5
    clearly = explained[places, order] - explained[places, places] > 0.2
    found = moved.any() and len(set(order.tolist())) == outputs and bool((well & (clearly | ~moved)).all())
    return order.tolist() if found else None


def _scale(answers: Floats, truth: Floats) -> Finding:
    """R2 against the true values, and R2 after the best linear rescaling: a large gain means that the scales differ."""
    variance = _variance(truth)
    r2 = 1.0 - float(_squared_errors(answers, truth, variance).mean())
    centred, target = answers - answers.mean(axis=0), truth - truth.mean(axis=0)
    slope = (centred * target).sum(axis=0) / np.maximum((centred**2).sum(axis=0), 1e-300)
    rescaled = 1.0 - float(_squared_errors(centred * slope, target, variance).mean())
    figure = {"R2": r2, "R2 after a straight line": rescaled, "slope": slope, "rows": len(truth)}
    if rescaled > 0.5 and rescaled - r2 > 0.2:
        sentence = (
            f"the teacher's R2 is {r2:.3f}, and {rescaled:.3f} after a linear rescaling: it answers in another scale than the true values."
        )
        remedy = "Undo the scaling of its target (TransformedTargetRegressor), or pass the true values in its units."
        return Finding("scale", "error", figure, sentence, remedy)
    if r2 <= 0:
        sentence = f"the teacher's R2 is {r2:.3f}: predicting the mean of the true values for every row is as good or better."
        return Finding("scale", "error", figure, sentence, "Check that rows and true values belong together, in the same order.")
    return Finding("scale", "ok", figure, f"the teacher's R2 is {r2:.3f}, in the scale of the true values.")
