"""Every remedy that names a function or an argument is carried out, and the fault is gone."""

import re

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sound_teachers import CustomTeacher, severity

import tutelage as tl
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import sigmoid, softmax

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(1500, 3))
SCORES = X @ DRAW.normal(size=(3, 3)) * 3
Y = np.array(list("abc"))[(softmax(SCORES).cumsum(axis=1) < DRAW.random((1500, 1))).sum(axis=1)]
PLACE = {row.tobytes(): place for place, row in enumerate(X)}


def scores(rows):
    return SCORES[[PLACE[np.ascontiguousarray(row).tobytes()] for row in rows]]


FORM = AnswerForm("probabilities", "multiclass", tuple("abc"))


def crooked(rows):
    """Too sure where the first column is positive and too unsure elsewhere, so that no single temperature helps."""
    return softmax(scores(rows) * np.where(rows[:, :1] > 0, 2.0, 0.1))


def remedy(found, check):
    return next(finding.remedy for finding in found.findings if finding.check == check and finding.severity != "ok")


def test_another_order_of_classes_is_declared_or_relabelled():
    wrong = tl.as_teacher(scores, kind="logits", classes=["b", "c", "a"])
    advice = remedy(tl.preflight(wrong, X, Y), "class-order")
    declared = eval(re.search(r"classes=(\(.*?\)) to as_teacher", advice)[1])  # noqa: S307 - a tuple of our own
    assert severity(tl.preflight(tl.as_teacher(scores, kind="logits", classes=declared), X, Y), "class-order") == "ok"
    classes, rename = (eval(part) for part in re.search(r"relabelled\(teacher, (\(.*?\)), rename=(\{.*?\})\)", advice).groups())  # noqa: S307
    assert severity(tl.preflight(tl.relabelled(wrong, classes, rename=rename), X, Y), "class-order") == "ok"


def test_a_class_that_is_never_predicted_is_dropped():
    dead = tl.as_teacher(lambda rows: np.column_stack([scores(rows), np.full(len(rows), -99.0)]), kind="logits", classes=list("abcd"))
    assert "relabelled(teacher, classes, extra='drop')" in remedy(tl.preflight(dead, X, Y), "dead-class")
    assert severity(tl.preflight(tl.relabelled(dead, list("abc"), extra="drop"), X, Y), "dead-class") == "ok"


@pytest.mark.parametrize(("function", "columns"), [(softmax, 3), (sigmoid, 1)])
def test_numbers_after_a_function_are_declared_as_probabilities(function, columns):
    def answers(rows):
        return function(scores(rows)[:, :columns])

    classes = list("abc") if columns == 3 else [0, 1]
    found = tl.preflight(tl.as_teacher(answers, kind="logits", classes=classes), X)
    assert "Declare kind='probabilities' to as_teacher" in remedy(found, "declared-kind")
    assert severity(tl.preflight(tl.as_teacher(answers, kind="probabilities", classes=classes), X), "declared-kind") == "ok"


@pytest.mark.parametrize("task", ["multilabel", "multiclass"])
def test_the_other_task_is_declared(task):
    kind, answers = (
        ("logits", lambda rows: sigmoid(scores(rows))) if task == "multilabel" else ("probabilities", lambda rows: softmax(scores(rows)))
    )
    other = "multiclass" if task == "multilabel" else "multilabel"
    found = tl.preflight(tl.as_teacher(answers, kind=kind, classes=list("abc"), task=other), X)
    assert f"declare task='{task}'" in remedy(found, "declared-kind")
    right = tl.as_teacher(answers, kind="probabilities", classes=list("abc"), task=task)
    assert severity(tl.preflight(right, X), "declared-kind") == "ok"


@pytest.mark.parametrize("factor", [4.0, 0.2])
def test_confidence_is_divided_by_the_temperature(factor):
    sharp = tl.as_teacher(lambda rows: softmax(factor * scores(rows)), kind="probabilities", classes=list("abc"))
    temperature = float(re.search(r"temper\(answers, ([\d.]+)\)", remedy(tl.preflight(sharp, X, Y), "calibration"))[1])
    mended = tl.as_teacher(lambda rows: tl.temper(sharp.answer(rows), temperature), kind="probabilities", classes=list("abc"))
    assert severity(tl.preflight(mended, X, Y), "calibration") == "ok"
    logits = tl.as_teacher(lambda rows: factor * scores(rows), kind="logits", classes=list("abc"))
    divisor = float(re.search(r"Divide its logits by ([\d.]+)", remedy(tl.preflight(logits, X, Y), "calibration"))[1])
    assert divisor == temperature


@pytest.mark.exhaustive
def test_classes_that_are_ruled_out_are_smoothed():
    model = KNeighborsClassifier(3).fit(X[:700], Y[:700])
    advice = remedy(tl.preflight(model, X[700:], Y[700:]), "ruled-out")
    scale, floor = (float(part) for part in re.search(r"as ([\d.]+) \* p \+ ([\d.]+),", advice).groups())
    smoothed = tl.as_teacher(lambda rows: scale * model.predict_proba(rows) + floor, kind="probabilities", classes=model.classes_)
    assert severity(tl.preflight(smoothed, X[700:], Y[700:]), "ruled-out") is None


@pytest.mark.exhaustive
def test_a_model_is_calibrated_with_isotonic_regression():
    finding = next(each for each in tl.preflight(CustomTeacher(crooked, FORM), X, Y).findings if each.check == "calibration")
    assert "CalibratedClassifierCV(FrozenEstimator(model), method='isotonic')" in finding.remedy
    model = CalibratedClassifierCV(FrozenEstimator(LogisticRegression().fit(X[:500], Y[:500])), method="isotonic").fit(
        X[500:900], Y[500:900]
    )
    assert severity(tl.preflight(model, X[900:], Y[900:]), "calibration") == "ok"


def test_a_teacher_that_answers_its_own_rows_is_replaced_by_folds():
    own = RandomForestClassifier(20, random_state=0).fit(X[:700], Y[:700])
    advice = remedy(tl.preflight(own, X[:700], test=X[700:]), "own-rows")
    assert "DistilledClassifier(..., out_of_fold=5)" in advice
    student = tl.DistilledClassifier(RandomForestClassifier(20, random_state=0), tl.SoftTree(max_leaf_nodes=8), out_of_fold=5)
    assert student.fit(X[:700], Y[:700]).score(X[700:], Y[700:]) > 0.5
