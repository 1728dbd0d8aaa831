"""Biases of the classes, found without labels: the student's mean probabilities become those of its teacher."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import log_softmax, logsumexp

from tutelage.core.answers import AnswerForm, label_array
from tutelage.core.arrays import Floats, softmax
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, shown
from tutelage.data.rows import as_rows
from tutelage.evaluation.aligning.alignment import in_order_of, student_form
from tutelage.softlabels.querying import query
from tutelage.students.cascade import Cascade
from tutelage.students.cascades.models import LabelStudent
from tutelage.students.saved.trained import TrainedStudent
from tutelage.teachers.adapt import as_teacher

SMALLEST_MEAN = 1e-9
"""The mean probability to which a class is brought whose teacher gives it less: none at all would need a bias of minus infinity."""
CLOSE = 1e-8
"""The relative error of the mean probabilities that were matched."""
STEPS = 300
"""The most steps of the search, which usually takes ten."""


def match_teacher_marginals(student: Any, teacher: Any, unlabelled: Any) -> Any:
    """Add a bias to each class, so that the student's mean probabilities on unlabelled rows are those of its teacher.

    A student whose transfer set lacks a class, or holds some classes too often, has wrong biases: it gives such a class too little
    probability everywhere. The teacher's answers to rows as the student will meet them say how much each class should get on average,
    without a label. The student answers softmax(log p + b) instead of p, with the only b of sum zero for which

        mean over rows of softmax(log p + b) = mean over rows of the teacher's probabilities,

    which is the maximum of <teacher's mean, b> - mean of log sum exp(log p + b), a concave function. For multilabel students each label
    has a bias of its own, sigmoid(logit p + b). The odds between two classes change by one factor on all rows.

    Means of few rows are known roughly: take as many rows as you have, drawn as those to come. They may be those of the training.

    Args:
        student: a fitted classifier: an estimator with `predict_proba`, or a `TorchStudent` whose logits come from a Linear layer. It is
            not changed.
        teacher: anything that `as_teacher` takes, or soft labels recorded on these rows (of other inputs for the same rows:
            `labels.paired_with(rows)`). Classes are matched by name.
        unlabelled: rows of any kind that student and teacher take, (rows, ...); their labels, if there are any, are not looked at.

    Returns:
        A student with the biases, in `biases_`, (classes,) in the order of its `classes_`. Of a `TorchStudent`, another one whose last
        layer has them. Of an estimator, one around it that predicts the most probable class, whose `student_` is the estimator. It is
        saved, exported, evaluated and used in a `Cascade` as any other.

    Raises:
        BadInput: a student or a teacher of values, tokens or pixels; a class to which the teacher gives probability, and the student
            exactly none, on all rows or on so many that no bias is enough; a network whose logits do not come from a Linear layer; or a
            cascade. LabelMismatch: other classes, or rows that were not recorded. ShapeError: no rows.

    Warns:
        UserWarning: the teacher gives a class hardly any probability on these rows, so that its mean is brought to 1e-9.

    Source:
        Hinton, Vinyals, Dean 2015, section 3, arXiv 1503.02531, where the bias of a class that the transfer set lacked was chosen on the
        test set. Here no label is looked at.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_digits
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> teacher = tl.as_teacher(RandomForestClassifier(30, random_state=0).fit(X[:900], y[:900]))
        >>> student = tl.SoftLogistic().fit(X[:900][y[:900] != 3], teacher)
        >>> matched = tl.match_teacher_marginals(student, teacher, X[900:])
        >>> threes = X[900:][y[900:] == 3]
        >>> [float((each.predict(threes) == 3).mean().round(1)) for each in (student, matched)]
        [0.6, 0.8]
        >>> int(matched.biases_.argmax())
        3
    """
    _check_student(student)
    source = _classifier("teacher", teacher)
    rows = as_rows(unlabelled)
    model = _as_teacher(student, source)
    target = source.form
    own = in_order_of(_probabilities(model, rows), model.form, target)
    expected = target.probabilities(query(source, rows)).mean(axis=0)
    if target.task == "multilabel":
        found = np.array([_bias_of_label(column, mean, name) for column, mean, name in zip(own.T, expected, target.classes, strict=True)])
    else:
        found = _biases(own, expected, [f"class {shown(name)}" for name in target.classes])
    biases = found[target.codes(label_array(model.form.classes))]
    if hasattr(student, "network"):
        from tutelage.students.networks.class_biases import with_biases

        return with_biases(student, biases, rows.part(0, min(rows.count, 2)))
    if isinstance(student, TrainedStudent):
        return replace(student, biases=tuple((biases + student.biases_).tolist()))
    return TrainedStudent(student, model.form.task, model.form.classes, biases=tuple(biases.tolist()))


def matching_biases(log_probs: Floats, means: Floats) -> tuple[Floats, Floats]:
    """The biases at which the mean of softmax(log_probs + biases) is as given, by Newton's method.

    Args:
        log_probs: (rows, classes) of which each class has a finite number in some row.
        means: (classes,) above zero, of sum 1.

    Returns:
        (classes,) biases of sum zero, and (classes,) the means that they reach: others than those given, where these cannot be reached.

    Example:
        >>> import numpy as np
        >>> biases, reached = matching_biases(np.log([[0.9, 0.1], [0.5, 0.5]]), np.array([0.5, 0.5]))
        >>> biases.round(2), reached.round(4)
        (array([-0.55,  0.55]), array([0.5, 0.5]))
    """
    biases = np.zeros(len(means))

    def value(of: Floats) -> float:
        return float(means @ of - logsumexp(log_probs + of, axis=1).mean())

    for step in range(STEPS):
        shares = softmax(log_probs + biases)
        reached = shares.mean(axis=0)
        gap = means - reached
        if (np.abs(gap) <= CLOSE * means).all():
            break
        # Iterative scaling always gains, though slowly: where Newton's step, which is fast close to the maximum, goes too far.
        scaled = np.log(means) - np.log(np.maximum(reached, np.finfo(np.float64).tiny))
        biases = biases + (scaled if step == 0 else _newton_step(shares, reached, gap, biases, value, scaled))
        biases -= biases.mean()
    return biases, reached


def _newton_step(shares: Floats, reached: Floats, gap: Floats, biases: Floats, value: Any, otherwise: Floats) -> Floats:
    """A step of Newton's method, halved until it gains; another one if it does not."""
    curvature = np.diag(reached) - shares.T @ shares / len(shares)
    try:
        step = np.linalg.solve(curvature + 1 / len(gap), gap)  # a number that is added to all biases changes nothing
    except np.linalg.LinAlgError:
        return otherwise
    before = value(biases)
    for _ in range(4):
        if np.isfinite(step).all() and value(biases + step) >= before - np.finfo(np.float64).eps:
            return step
        step = step / 2
    return otherwise


def _biases(own: Floats, expected: Floats, names: list[str]) -> Floats:
    """(classes,) biases, for (rows, classes) probabilities of a student and (classes,) means of its teacher; names are for messages."""
    reached = own.mean(axis=0)
    never = (reached == 0) & (expected > SMALLEST_MEAN)
    if never.any():
        place = int(np.flatnonzero(never)[0])
        raise BadInput(
            f"the student gives {names[place]} a probability of exactly 0 on all {len(own):,} rows, or does not know "
            f"it, and the teacher gives it {expected[place]:.3g} on average, which no bias repairs. Fit the student on rows to which the "
            "teacher's soft labels give this class some probability."
        )
    rare = expected < SMALLEST_MEAN
    lowered = [name for name, low in zip(names, rare & (reached > SMALLEST_MEAN), strict=True) if low]
    if lowered:
        warnings.warn(
            f"the teacher gives {', '.join(lowered[:3])}{' and others' if len(lowered) > 3 else ''} a mean probability below "
            f"{SMALLEST_MEAN:g} on these rows, which would need a bias without bound; the student's is brought to {SMALLEST_MEAN:g}.",
            stacklevel=3,
        )
    means = np.where(rare, np.minimum(reached, SMALLEST_MEAN), expected)
    known = means > 0
    with np.errstate(divide="ignore"):
        log_probs = np.log(own[:, known])
    found, matched = matching_biases(log_probs, means[known] / means[known].sum())
    _check_matched(own[:, known], matched, means[known], [name for name, one in zip(names, known, strict=True) if one])
    biases = np.zeros(len(names))
    biases[known] = found
    return biases


def _bias_of_label(on: Floats, mean: float, name: Any) -> float:
    """The bias of one label, from (rows,) probabilities that it is on and the teacher's mean of them."""
    states = [f"label {shown(name)} {state}" for state in ("off", "on")]
    off, added = _biases(np.column_stack([1 - on, on]), np.array([1 - mean, mean]), states)
    return float(added - off)


def _check_matched(own: Floats, reached: Floats, means: Floats, names: list[str]) -> None:
    error = np.abs(reached - means) / means
    place = int(error.argmax())
    if error[place] > 100 * CLOSE:
        zeros = int((own[:, place] == 0).sum())
        raise BadInput(
            f"no bias brings the student's mean probability of {names[place]} to the teacher's, {means[place]:.4g}: "
            f"{reached[place]:.4g} is as far as it gets, since the student gives probabilities of exactly 0 (to this class on {zeros:,} of "
            f"{len(own):,} rows). Take a student whose probabilities are above zero, such as a tree with larger leaves."
        )


def _probabilities(model: Teacher, rows: Any) -> Floats:
    """(rows, classes) of the student, in double precision from its logits where it has them."""
    answers = query(model, rows)
    if model.form.kind == "logits" and model.form.task != "multilabel":
        return np.exp(log_softmax(answers, axis=1))
    return model.form.probabilities(answers)


def _as_teacher(student: Any, teacher: Teacher) -> Teacher:
    """The student as a Teacher; of several labels, with their names."""
    if teacher.form.task == "multilabel" and not hasattr(student, "answer") and not hasattr(student, "network"):
        return LabelStudent(student, student_form(student, teacher))
    return _classifier("student", student)


def _check_student(student: Any) -> None:
    kind = type(student).__name__
    if isinstance(student, Cascade):
        raise BadInput(
            "the student is a Cascade, whose guarantee holds for its student's own probabilities; match the student, and calibrate a new "
            "cascade with it."
        )
    if isinstance(student, type) or not (hasattr(student, "predict_proba") and hasattr(student, "predict")):
        raise BadInput(
            f"the student is {shown(student)}; expected a fitted classifier with predict_proba, a TorchStudent or a scikit-learn estimator."
        )
    if isinstance(getattr(student, "classes_", None), list):
        raise BadInput(f"a {kind} of several labels returns a list of arrays; fit it as PerLabel({kind}(...)).")


def _classifier(name: str, model: Any) -> Teacher:
    """Student or teacher as a Teacher whose answers are one class distribution, or one probability for each label, a row."""
    found = as_teacher(model)
    form: AnswerForm = found.form
    if form.task == "regression":
        raise BadInput(f"the {name} answers with values, which have no class probabilities; expected a classifier.")
    if form.positions is not None:
        raise BadInput(f"the {name} answers {form.positions}; expected one answer for each row.")
    return found
