import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sound_teachers import CustomTeacher, severity

from tutelage.checks.answers.accuracy import accuracy_interval, check_accuracy, check_decisions, check_known, check_order
from tutelage.checks.preflight import preflight
from tutelage.checks.sampling import SampleAnswers, draw, query_sample
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import softmax
from tutelage.core.quantities import percent
from tutelage.teachers.adapt import as_teacher


def known(labels, classes):
    (finding,) = check_known(np.asarray(labels, dtype=object), classes)
    return finding


@pytest.mark.parametrize(
    ("labels", "classes", "severity", "message"),
    [
        ([0, 1, 1], (0, 1), "ok", "every label"),
        ([0.0, 1.0], (0, 1), "ok", "every label"),
        ([True, False], (0, 1), "ok", "every label"),
        (["0", "1"], (0, 1), "error", "same names in another type (str and int)"),
        ([0, 1], ("0", "1"), "error", "same names in another type (int and str)"),
        (["a", "x", 7], ("a", "b"), "error", r"2 labels are not among the teacher's classes: [7, 'x']"),
        ([0, None, float("nan"), 1], (0, 1), "warning", "2 of 4 labels are missing"),
        ([0, 1], (0, 1, 2), "note", "no label names the teacher's classes [2]"),
        ([0, 1] * 40, (0, 1, 2), "warning", "no label names the teacher's classes [2]"),
    ],
)
def test_labels_are_compared_with_the_classes(labels, classes, severity, message):
    finding = known(labels, classes)
    assert finding.severity == severity
    assert message in finding.sentence
    assert bool(finding.remedy) == (severity != "ok")


def findings_of(columns, labels, sharp=4.0, classes=3):
    """The findings about a teacher that predicts these columns."""
    p = softmax(sharp * np.eye(classes)[np.asarray(columns)])
    form = AnswerForm("probabilities", "binary" if classes == 2 else "multiclass", tuple(range(classes)))
    answered = SampleAnswers(draw(np.arange(len(p))[:, None], np.asarray(labels), form, rows=len(p), seed=0), form, p)
    return {finding.check: finding for finding in check_accuracy(answered)}


def test_accuracy_is_reported_with_its_interval():
    labels = np.arange(90) % 3
    found = findings_of(np.where(np.arange(90) < 80, labels, (labels + 1) % 3), labels)["accuracy"]
    assert (found.severity, found.figure["accuracy"]) == ("ok", pytest.approx(80 / 90))
    assert found.figure["95 %"] == pytest.approx(accuracy_interval(80, 90))
    assert accuracy_interval(8, 10) == pytest.approx((0.490, 0.943), abs=1e-3)  # from Wilson's formula


def test_worse_than_the_most_common_class_is_an_error():
    labels = np.where(np.arange(200) % 10, 0, 1)
    assert findings_of(np.ones(200, dtype=int), labels)["accuracy"].severity == "error"


def test_guessing_is_a_warning_or_with_few_rows_a_note():
    guesses = np.random.default_rng(0).integers(0, 3, (2, 300))
    assert findings_of(*guesses)["accuracy"].severity == "warning"
    assert findings_of(*guesses[:, :40])["accuracy"].severity == "note"


def test_a_teacher_of_a_rare_class_may_never_predict_it():
    draw_of = np.random.default_rng(0)
    chance = np.where(draw_of.random(2000) < 0.2, 0.2, 0.001)
    labels = (draw_of.random(2000) < chance).astype(int)
    teacher = CustomTeacher(lambda rows: np.column_stack([1 - rows[:, 0], rows[:, 0]]), AnswerForm("probabilities", "binary", (0, 1)))
    found = preflight(teacher, chance[:, None], labels)
    (finding,) = [finding for finding in found.findings if finding.check == "accuracy"]
    assert finding.severity == "note"
    assert "no better than always naming the most common class" in finding.sentence
    assert severity(found, "class-order") == "ok"


def order(columns, labels, classes):
    return check_order(np.eye(len(classes))[np.asarray(columns)], np.asarray(labels), classes)


@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize("classes", [("a", "b"), ("a", "b", "c", "d", "e")])
def test_a_rotated_class_order_is_found_even_if_the_teacher_errs(classes, share):
    draw_of, size = np.random.default_rng(0), len(classes)
    labels = draw_of.integers(0, size, 600)
    wrong = draw_of.random(600) < share
    columns = np.where(wrong, draw_of.integers(0, size, 600), (labels + 1) % size)
    finding = order(columns, labels, classes)
    assert finding.severity == "error"
    assert tuple(finding.figure["by confusion"]) == (classes[-1], *classes[:-1])  # column 0 belongs to the last class


def test_two_classes_swapped_among_many_are_found():
    labels = np.repeat(np.arange(30), 20)
    columns = np.choose(np.isin(labels, (3, 7)), [labels, 10 - labels])
    finding = order(columns, labels, tuple(range(30)))
    assert finding.severity == "error"
    assert [place for place, label in enumerate(finding.figure["by confusion"]) if place != label] == [3, 7]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(("rows", "size"), [(20, 2), (40, 10), (40, 50), (500, 3), (500, 20)])
def test_guesses_fit_no_class_order(seed, rows, size):
    columns, labels = np.random.default_rng(seed).integers(0, size, (2, rows))
    assert order(columns, labels, tuple(range(size))).severity == "ok"


@pytest.mark.parametrize("constant", [0, 1])
def test_a_constant_teacher_fits_no_class_order(constant):
    labels = np.where(np.arange(400) % 10, 1, 0)
    assert order(np.full(400, constant), labels, ("a", "b")).severity == "ok"


def test_a_rule_of_the_teachers_own_is_said_and_the_most_probable_class_is_judged():
    X = np.random.default_rng(0).normal(size=(300, 2))
    y = (X[:, 0] + np.random.default_rng(1).normal(size=300) > 1.2).astype(int)
    eager = FixedThresholdClassifier(LogisticRegression(), threshold=0.05).fit(X, y)
    teacher, differ = as_teacher(eager), int((eager.predict(X) != eager.predict_proba(X).argmax(axis=1)).sum())
    answered = query_sample(teacher, draw(X, y, teacher.form, rows=300, seed=0), decisions=True)
    (found,) = check_decisions(answered)
    assert found.severity == "note"
    assert f"in {differ} of 300 rows, and right in {percent(eager.score(X, y))} of 300 cases" in found.sentence
    accuracy, _ = check_accuracy(answered)
    assert accuracy.sentence.startswith("the teacher's most probable class is right in")
    assert accuracy.severity != "error"  # as it would be of the rule, which names the rare class for most rows
    assert eager.score(X, y) < 0.5
    (without_labels,) = check_decisions(query_sample(teacher, draw(X, None, teacher.form, rows=300, seed=0), decisions=True))
    assert f"in {differ} of 300 rows; a student learns" in without_labels.sentence


def test_a_teacher_that_decides_for_its_most_probable_class_has_no_rule():
    X = np.random.default_rng(0).normal(size=(60, 2))
    teacher = as_teacher(LogisticRegression().fit(X, X[:, 0] > 0))
    assert list(check_decisions(query_sample(teacher, draw(X, None, teacher.form, rows=60, seed=0), decisions=True))) == []
