"""Is the teacher better than a plain model, and are a regressor's values in the truth's scale?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tutelage.core.arrays import Floats, same_length
from tutelage.core.errors import ShapeError
from tutelage.teachers.preflight.asking import Asked, label_codes, taken
from tutelage.teachers.preflight.findings import Finding
from tutelage.teachers.preflight.plain_models import classifiers_said, readable, regressors_said

ROWS = 1000
"""Labelled rows that the plain models see."""

FEWEST_ROWS = 30
"""Fewer rows teach a plain model too little to be a yardstick."""

FAR = 0.05
"""Accuracy or R2 lost to a plain model that makes the finding an error."""

BEST_OF_TWO = 2.24
"""Standard errors of a 97.5 % interval: the better of two plain models is taken, so each is allowed half the error."""

REMEDY = "Serve or distil the plain model; or check that the teacher gets the columns, the scaling and the row order it was trained on."


def check_yardstick(asked: Asked, seed: int) -> Iterator[Finding]:
    """Against plain models trained on other folds of the same rows; needs labels."""
    if asked.sample.labels is None:
        return
    if asked.form.task == "multilabel":
        yield _not_checked("no plain model is trained for multilabel answers")
        return
    try:
        yield from _of_values(asked, seed) if asked.form.kind == "values" else _of_classes(asked, seed)
    except (ValueError, TypeError) as error:  # rows that scikit-learn cannot take say nothing against the teacher
        yield _not_checked(str(error).splitlines()[0])


def _not_checked(why: str) -> Finding:
    return Finding("baseline", "note", {}, f"not checked: {why}")


def _of_classes(asked: Asked, seed: int) -> Iterator[Finding]:
    assert asked.sample.labels is not None  # noqa: S101 - for the type checker
    codes = label_codes(asked.sample.labels, asked.form.classes)
    places = np.flatnonzero(codes >= 0)[:ROWS]
    if len(places) < FEWEST_ROWS or len(np.unique(codes[places])) < 2:
        yield _not_checked(f"{len(places)} labelled rows; expected {FEWEST_ROWS} of two classes and more.")
        return
    codes = codes[places]
    right = asked.probabilities[places].argmax(axis=1) == codes
    said = classifiers_said(readable(taken(asked.sample.inputs, places)), codes, seed)
    scores = {name: (answer == codes).astype(np.float64) for name, answer in said.items()}
    yield _compared("accuracy", right.astype(np.float64), scores, 1.0)


def _of_values(asked: Asked, seed: int) -> Iterator[Finding]:
    truth = values_of(asked)
    places = np.arange(min(ROWS, len(truth)))
    yield from _right(asked.answers.astype(np.float64), truth)
    if len(places) < FEWEST_ROWS:
        yield _not_checked(f"{len(places)} labelled rows; expected {FEWEST_ROWS} and more.")
        return
    variance = _spread(truth[places])
    said = regressors_said(readable(taken(asked.sample.inputs, places)), truth[places], seed)
    scores = {name: -_squares(answer, truth[places], variance) for name, answer in said.items()}
    yield _compared("R2", -_squares(asked.answers[places], truth[places], variance), scores, 0.0)


def values_of(asked: Asked) -> Floats:
    """(rows, outputs) the true values.

    Raises:
        ShapeError: another number of outputs than the teacher answers.
    """
    assert asked.sample.labels is not None  # noqa: S101 - for the type checker
    truth = np.asarray(asked.sample.labels, dtype=np.float64).reshape(asked.sample.count, -1)
    if truth.shape[1] != asked.answers.shape[1]:
        raise ShapeError(f"the truth has {truth.shape[1]} values a row and the teacher answers {asked.answers.shape[1]}.")
    same_length(truth, asked.answers, "truth and answers")
    return truth


def _spread(truth: Floats) -> Floats:
    variance = truth.var(axis=0)
    return np.asarray(np.where(variance > 0, variance, 1.0))


def _squares(answers: Floats, truth: Floats, variance: Floats) -> Floats:
    """(rows,) squared errors in units of the truth's variance, mean over outputs: 1 - their mean is R2."""
    return np.asarray(((answers - truth) ** 2 / variance).mean(axis=1))


def _compared(metric: str, teacher: Floats, plain: dict[str, Floats], best: float) -> Finding:
    """The teacher beside the best plain model, row by row; `best` is a perfect score's mean."""
    name = max(plain, key=lambda key: float(plain[key].mean()))
    difference = teacher - plain[name]
    half = BEST_OF_TWO * float(difference.std(ddof=1)) / np.sqrt(len(difference))
    gap = float(difference.mean())
    offset = 1.0 - best  # R2 is one less the mean squared error; accuracy is itself
    own, other = float(teacher.mean()) + offset, float(plain[name].mean()) + offset
    figure = {
        f"teacher {metric}": own,
        f"{name} {metric}": other,
        "difference": gap,
        "97.5 %": [gap - half, gap + half],
        "rows": len(difference),
    }
    said = f"its {metric} is {own:.3f}, and {other:.3f} of a {name} trained on other folds of these rows"
    if gap + half >= 0:
        return Finding("baseline", "ok", figure, f"{said}.")
    sentence = f"{said}: it is worse by {-gap:.3f} (97.5 % {-gap - half:.3f} to {-gap + half:.3f})."
    return Finding("baseline", "error" if gap < -FAR else "warning", figure, sentence, REMEDY)


def _right(answers: Floats, truth: Floats) -> Iterator[Finding]:
    """R2 against the truth, and what it would be after a straight line: answers in another scale."""
    variance = _spread(truth)
    plain = 1.0 - float(_squares(answers, truth, variance).mean())
    centred, target = answers - answers.mean(axis=0), truth - truth.mean(axis=0)
    slope = (centred * target).sum(axis=0) / np.maximum((centred**2).sum(axis=0), 1e-300)
    line = 1.0 - float(_squares(centred * slope, target, variance).mean())
    figure = {"R2": plain, "R2 after a straight line": line, "slope": slope, "rows": len(truth)}
    if line > 0.5 and line - plain > 0.2:
        sentence = f"its R2 is {plain:.3f}, and {line:.3f} after a straight line: it answers in another scale than the truth's."
        yield Finding(
            "scale",
            "error",
            figure,
            sentence,
            "Undo the scaling of its target (TransformedTargetRegressor), or give the truth in its units.",
        )
    elif plain <= 0:
        sentence = f"its R2 is {plain:.3f}: the truth's mean, said for every row, is as good or better."
        yield Finding("scale", "error", figure, sentence, "Check that rows and truth belong together, in the same order.")
    else:
        yield Finding("scale", "ok", figure, f"its R2 is {plain:.3f}, in the truth's own scale.")
