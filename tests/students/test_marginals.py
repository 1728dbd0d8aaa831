import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax, logit
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

import tutelage as tl
from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.arrays import sigmoid, softmax
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.students.marginals import SMALLEST_MEAN, match_teacher_marginals, matching_biases
from tutelage.students.saved.trained import TrainedStudent
from tutelage.teachers.adapt import as_teacher

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 4))
NAMES = ("cat", "dog", "bird")
LINES = RNG.normal(size=(4, 3))


def teacher(rows):
    return softmax(2 * rows @ LINES + [0.0, -1.0, 1.0])


TEACHER = as_teacher(teacher, kind="probabilities", classes=NAMES)
SKEWED = X[(teacher(X).argmax(axis=1) != 2) | (X[:, 0] > 1)]
STUDENT = tl.SoftLogistic().fit(SKEWED, TEACHER)
TREE = tl.SoftTree(max_leaf_nodes=6, random_state=0).fit(SKEWED, TEACHER)
NETWORK = tl.SoftMLP(epochs=2, random_state=0).fit(SKEWED, TEACHER)


def of_two(rows):
    """The teacher's probabilities of the first two classes, given that it is one of them."""
    pair = teacher(rows)[:, :2]
    return pair / pair.sum(axis=1, keepdims=True)


BLIND = as_teacher(lambda rows: np.c_[of_two(rows), np.zeros(len(rows))], kind="probabilities", classes=NAMES)


@pytest.mark.parametrize("student", [STUDENT, TREE, NETWORK], ids=["logistic", "tree", "mlp"])
def test_the_mean_probabilities_become_those_of_the_teacher(student):
    before = student.predict_proba(X)
    matched = match_teacher_marginals(student, TEACHER, X)
    after = matched.predict_proba(X)
    assert np.abs(before.mean(axis=0) - teacher(X).mean(axis=0)).max() > 0.02
    np.testing.assert_allclose(after.mean(axis=0), teacher(X).mean(axis=0), rtol=1e-7)
    np.testing.assert_allclose(after, softmax(np.log(before) + matched.biases_), rtol=1e-9)
    assert matched.biases_.sum() == pytest.approx(0, abs=1e-9)
    np.testing.assert_array_equal(student.predict_proba(X), before)
    assert matched.predict(X).tolist() == np.array(NAMES)[after.argmax(axis=1)].tolist()


def test_a_class_that_the_transfer_set_lacked_is_found_again():
    rows, answers = X[teacher(X).argmax(axis=1) != 1], teacher(X[teacher(X).argmax(axis=1) != 1])
    student = tl.SoftLogistic(C=0.05).fit(rows, answers, classes=NAMES)
    matched = match_teacher_marginals(student, TEACHER, X)
    dogs = X[teacher(X).argmax(axis=1) == 1]
    found, found_matched = ((each.predict(dogs) == "dog").mean() for each in (student, matched))
    assert found < 0.5 < found_matched
    assert matched.biases_.argmax() == 1


def test_the_biases_are_seen():
    matched = match_teacher_marginals(STUDENT, TEACHER, X)
    assert isinstance(matched, TrainedStudent)
    assert matched.classes_.tolist() == list(NAMES)
    assert f"biases={tuple(matched.biases_.tolist())}" in repr(matched)
    assert matched.fingerprint != TrainedStudent(STUDENT, "multiclass", NAMES).fingerprint


def test_recorded_answers_of_other_inputs_of_the_same_rows_are_taken(tmp_path):
    labels = tl.record(TEACHER, X)
    live = match_teacher_marginals(STUDENT, TEACHER, X)
    np.testing.assert_array_equal(match_teacher_marginals(STUDENT, labels, X).biases_, live.biases_)
    folder = tl.record(TEACHER, X, tmp_path / "labels", dtype="float64")
    np.testing.assert_array_equal(match_teacher_marginals(STUDENT, folder, X).biases_, live.biases_)
    wide = np.hstack([X, X])
    other = tl.SoftLogistic().fit(wide, labels.paired_with(wide))
    matched = match_teacher_marginals(other, labels.paired_with(wide), wide)
    np.testing.assert_allclose(matched.predict_proba(wide).mean(axis=0), teacher(X).mean(axis=0), rtol=1e-7)
    with pytest.raises(LabelMismatch, match="not among the 400"):
        match_teacher_marginals(STUDENT, labels, X + 1)


def test_classes_are_matched_by_name():
    turned = as_teacher(lambda rows: teacher(rows)[:, ::-1], kind="probabilities", classes=NAMES[::-1])
    np.testing.assert_allclose(match_teacher_marginals(STUDENT, turned, X).biases_, match_teacher_marginals(STUDENT, TEACHER, X).biases_)
    with pytest.raises(LabelMismatch, match="classes"):
        match_teacher_marginals(STUDENT, as_teacher(teacher, kind="probabilities", classes=["cat", "dog", "fish"]), X)


def test_matching_again_changes_nothing_and_another_teacher_counts_from_the_student():
    once = match_teacher_marginals(STUDENT, TEACHER, X)
    np.testing.assert_allclose(match_teacher_marginals(once, TEACHER, X).biases_, once.biases_, atol=1e-7)
    other = as_teacher(lambda rows: teacher(rows + 1), kind="probabilities", classes=NAMES)
    twice, at_once = (match_teacher_marginals(each, other, X).biases_ for each in (once, STUDENT))
    np.testing.assert_allclose(twice, at_once, atol=1e-6)


def test_biases_are_added_after_the_temperature():
    student = TrainedStudent(STUDENT, "multiclass", NAMES, answer_temperature=2.0)
    matched = match_teacher_marginals(student, TEACHER, X)
    expected = softmax(np.log(STUDENT.predict_proba(X)) / 2 + matched.biases_)
    np.testing.assert_allclose(matched.predict_proba(X), expected, rtol=1e-9)
    np.testing.assert_allclose(expected.mean(axis=0), teacher(X).mean(axis=0), rtol=1e-7)


def test_one_row_is_answered_as_the_teacher_does():
    matched = match_teacher_marginals(STUDENT, TEACHER, X[:1])
    np.testing.assert_allclose(matched.predict_proba(X[:1]), teacher(X[:1]), rtol=1e-7)
    with pytest.raises(ShapeError, match="no rows"):
        match_teacher_marginals(STUDENT, TEACHER, X[:0])


def test_each_label_has_a_bias_of_its_own():
    def on(rows):
        return sigmoid(rows @ LINES[:, :2] * 2 + 1)

    labels = as_teacher(on, kind="probabilities", classes=["red", "big"], task="multilabel")
    student = tl.PerLabel(tl.SoftLogistic()).fit(X[:40], np.clip(on(X[:40]) - 0.3, 0.01, 1), classes=["red", "big"])
    matched = match_teacher_marginals(student, labels, X)
    after = matched.predict_proba(X)
    np.testing.assert_allclose(after.mean(axis=0), on(X).mean(axis=0), rtol=1e-7)
    np.testing.assert_allclose(logit(after) - logit(student.predict_proba(X)), np.tile(matched.biases_, (400, 1)), rtol=1e-6)
    assert matched.predict(X).tolist() == (after > 0.5).astype(int).tolist()
    never = tl.PerLabel(tl.SoftTree()).fit(X[:40], np.c_[np.zeros(40), on(X[:40])[:, 0]], classes=["red", "big"])
    with pytest.raises(BadInput, match=r"the student gives label 'red' on a probability of exactly 0 on all 400 rows"):
        match_teacher_marginals(never, labels, X)


def test_a_class_that_the_teacher_never_sees_is_brought_close_to_zero():
    with pytest.warns(UserWarning, match=r"the teacher gives class 'bird' a mean probability below 1e-09 on these rows"):
        matched = match_teacher_marginals(STUDENT, BLIND, X)
    means = matched.predict_proba(X).mean(axis=0)
    assert means[2] == pytest.approx(SMALLEST_MEAN, rel=1e-6)
    np.testing.assert_allclose(means[:2], of_two(X).mean(axis=0), rtol=1e-6)


def test_a_class_without_any_probability_cannot_be_repaired():
    pair = tl.SoftLogistic().fit(X, of_two(X), classes=NAMES[:2])
    sentence = r"the student gives class 'bird' a probability of exactly 0 on all 400 rows, or does not know it, and the teacher"
    with pytest.raises(BadInput, match=sentence):
        match_teacher_marginals(pair, TEACHER, X)
    matched = match_teacher_marginals(pair, BLIND, X)
    np.testing.assert_allclose(matched.predict_proba(X).mean(axis=0), of_two(X).mean(axis=0), rtol=1e-7)


def test_means_that_no_bias_reaches_are_an_error():
    sure = tl.SoftTree(random_state=0).fit(X, np.array(NAMES)[np.arange(400) % 3])
    with pytest.raises(
        BadInput, match=r"no bias brings the student's mean probability of class '\w+' to the teacher's, 0\.\d+: 0\.\d+ is as far"
    ):
        match_teacher_marginals(sure, TEACHER, X)


def test_frames_are_taken_and_their_columns_known():
    frame = pd.DataFrame(X, columns=list("abcd"))
    student = RandomForestClassifier(5, max_depth=3, random_state=0).fit(frame, np.array(NAMES)[teacher(X).argmax(axis=1)])
    labels = tl.record(TEACHER, X).paired_with(frame)
    matched = match_teacher_marginals(student, labels, frame)
    np.testing.assert_allclose(matched.predict_proba(frame).mean(axis=0), teacher(X).mean(axis=0)[[2, 0, 1]], rtol=1e-7)
    assert matched.feature_names_in_.tolist() == list("abcd")
    assert not hasattr(TrainedStudent(STUDENT, "multiclass", NAMES), "feature_names_in_")


@pytest.mark.parametrize(
    ("student", "source", "message"),
    [
        (LinearRegression().fit(X, X[:, 0]), TEACHER, "expected a fitted classifier with predict_proba"),
        (TEACHER, TEACHER, "expected a fitted classifier with predict_proba"),
        (LogisticRegression(), TEACHER, "not fitted"),
        (STUDENT, LinearRegression().fit(X, X[:, 0]), "the teacher answers with values, which have no class probabilities"),
        (RandomForestClassifier(2).fit(X, X[:, :2] > 0), TEACHER, r"returns a list of arrays; fit it as PerLabel\(RandomForestClassifier"),
    ],
)
def test_what_cannot_be_matched_is_said(student, source, message):
    with pytest.raises(BadInput, match=message):
        match_teacher_marginals(student, source, X)


def test_a_matched_student_is_saved_evaluated_and_used_in_a_cascade(tmp_path):
    matched = match_teacher_marginals(TREE, TEACHER, X)
    again = tl.load_student(tl.save_student(matched, tmp_path / "student"))
    np.testing.assert_array_equal(again.predict_proba(X), matched.predict_proba(X))
    assert again.biases == matched.biases
    assert tl.evaluate(matched, TEACHER, X, budget_seconds=None, resamples=100).rows == 400
    cascade = tl.Cascade(matched, TEACHER, target=0.6).fit(X)
    assert cascade.predict(X).shape == (400,)
    with pytest.raises(BadInput, match="match the student, and calibrate a new cascade"):
        match_teacher_marginals(cascade, TEACHER, X)


def test_as_many_biases_as_classes():
    with pytest.raises(ShapeError, match="2 biases for 3 classes"):
        TrainedStudent(STUDENT, "multiclass", NAMES, biases=(1.0, -1.0))


@pytest.mark.parametrize("seed", range(5))
def test_newton_finds_the_biases_of_any_means(seed):
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 30))
    logs = log_softmax(rng.normal(size=(50, classes)) * 10 ** rng.uniform(-1, 2), axis=1)
    means = rng.dirichlet(np.full(classes, 0.3)) * (1 - 1e-6) + 1e-6 / classes
    biases, reached = matching_biases(logs, means)
    np.testing.assert_allclose(reached, means, rtol=1e-7)
    np.testing.assert_allclose(softmax(logs + biases).mean(axis=0), means, rtol=1e-7)


def test_the_form_of_a_binary_student_stays():
    binary = as_teacher(lambda rows: X[: len(rows), 0] * 0 + 1.0, kind="logits", classes=["no", "yes"])
    student = tl.SoftLogistic().fit(X, X[:, 0] > 0)
    renamed = tl.SoftLogistic().fit(X, np.where(X[:, 0] > 0, "yes", "no"))
    matched = match_teacher_marginals(renamed, binary, X)
    assert matched.form == AnswerForm("probabilities", "binary", ("no", "yes")) == of_classes("probabilities", renamed.classes_)
    assert matched.predict_proba(X)[:, 1].mean() == pytest.approx(sigmoid(1.0), rel=1e-7)
    with pytest.raises(LabelMismatch):
        match_teacher_marginals(student, binary, X)
