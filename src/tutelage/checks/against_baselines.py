"""Is the teacher better than a plain model, and are a regressor's values in the truth's scale?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tutelage.checks.baselines import classifier_probabilities, readable, regressor_values
from tutelage.checks.findings import Finding
from tutelage.checks.sampling import SampleAnswers, taken
from tutelage.core.arrays import Floats, Integers
from tutelage.core.errors import one_line

ROWS = 1000
"""Labelled rows that the plain models see."""

FEWEST_ROWS = 30
"""Fewer rows teach a plain model too little to be a yardstick."""

FAR = 0.05
"""Accuracy or R2 lost to a plain model that makes the finding an error."""

BEST_OF_TWO = 2.24
"""Standard errors of a 97.5 % interval: the better of two plain models is taken, so each is allowed half the error."""

REMEDY = "Serve or distil the plain model; or check that the teacher gets the columns, the scaling and the row order it was trained on."


def check_yardstick(asked: SampleAnswers, seed: int) -> Iterator[Finding]:
    """Against plain models trained on other folds of the same rows; needs labels."""
    truth = asked.sample.labels
    if truth is None:
        return
    if asked.form.task == "multilabel":
        yield _not_checked("no plain model is trained for multilabel answers.")
    elif asked.form.kind != "values":
        yield _of_classes(asked, asked.form.codes(truth, unknown="mark"), seed)
    elif truth.shape[1] != asked.answers.shape[1]:
        sentence = f"the truth has {truth.shape[1]} values a row and the teacher answers {asked.answers.shape[1]}."
        figure = {"true values": truth.shape[1], "answered": asked.answers.shape[1]}
        yield Finding("outputs", "error", figure, sentence, "Give the truth of exactly the outputs that the teacher answers, in its order.")
    else:
        yield _scale(asked.answers.astype(np.float64), truth)
        yield _of_values(asked, truth, seed)


def _not_checked(why: str) -> Finding:
    return Finding("baseline", "note", {}, f"not checked: {why}")


def _of_classes(asked: SampleAnswers, codes: Integers, seed: int) -> Finding:
    places = np.flatnonzero(codes >= 0)[:ROWS]
    codes = codes[places]
    seen = len(np.unique(codes))
    if len(places) < max(FEWEST_ROWS, 5 * seen) or seen < 2:
        return _not_checked(f"{len(places)} labelled rows of {seen} classes are too few to train a plain model on.")
    try:
        said = classifier_probabilities(readable(taken(asked.sample.inputs, places)), codes, seed)
    except (ValueError, TypeError) as error:  # rows that scikit-learn cannot take say nothing against the teacher
        return _not_checked(one_line(error))
    right = (asked.probabilities[places].argmax(axis=1) == codes).astype(np.float64)
    return _compared("accuracy", right, {name: (answer == codes).astype(np.float64) for name, answer in said.items()}, 0.0)


def _of_values(asked: SampleAnswers, truth: Floats, seed: int) -> Finding:
    places = np.arange(min(ROWS, len(truth)))
    if len(places) < FEWEST_ROWS:
        return _not_checked(f"{len(places)} labelled rows are too few to train a plain model on.")
    try:
        said = regressor_values(readable(taken(asked.sample.inputs, places)), truth[places], seed)
    except (ValueError, TypeError) as error:
        return _not_checked(one_line(error))
    variance = _spread(truth[places])
    scores = {name: -_squares(answer, truth[places], variance) for name, answer in said.items()}
    return _compared("R2", -_squares(asked.answers[places], truth[places], variance), scores, 1.0)


def _spread(truth: Floats) -> Floats:
    variance = truth.var(axis=0)
    return np.asarray(np.where(variance > 0, variance, 1.0))


def _squares(answers: Floats, truth: Floats, variance: Floats) -> Floats:
    """(rows,) squared errors in units of the truth's variance, mean over outputs: 1 - their mean is R2."""
    return np.asarray(((answers - truth) ** 2 / variance).mean(axis=1))


def _compared(metric: str, teacher: Floats, plain: dict[str, Floats], offset: float) -> Finding:
    """The teacher beside the better plain model, row by row; `offset` is what turns a mean score into the metric."""
    name = max(plain, key=lambda key: float(plain[key].mean()))
    difference = teacher - plain[name]
    half = BEST_OF_TWO * float(difference.std(ddof=1)) / np.sqrt(len(difference))
    gap = float(difference.mean())
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


def _scale(answers: Floats, truth: Floats) -> Finding:
    """R2 against the truth, and what it would be after a straight line: answers in another scale."""
    variance = _spread(truth)
    plain = 1.0 - float(_squares(answers, truth, variance).mean())
    centred, target = answers - answers.mean(axis=0), truth - truth.mean(axis=0)
    slope = (centred * target).sum(axis=0) / np.maximum((centred**2).sum(axis=0), 1e-300)
    line = 1.0 - float(_squares(centred * slope, target, variance).mean())
    figure = {"R2": plain, "R2 after a straight line": line, "slope": slope, "rows": len(truth)}
    if line > 0.5 and line - plain > 0.2:
        sentence = f"its R2 is {plain:.3f}, and {line:.3f} after a straight line: it answers in another scale than the truth's."
        remedy = "Undo the scaling of its target (TransformedTargetRegressor), or give the truth in its units."
        return Finding("scale", "error", figure, sentence, remedy)
    if plain <= 0:
        sentence = f"its R2 is {plain:.3f}: the truth's mean, said for every row, is as good or better."
        return Finding("scale", "error", figure, sentence, "Check that rows and truth belong together, in the same order.")
    return Finding("scale", "ok", figure, f"its R2 is {plain:.3f}, in the truth's own scale.")
