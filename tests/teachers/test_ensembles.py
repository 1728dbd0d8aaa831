import numpy as np
import pytest
from scipy.special import expit, logit, softmax
from sklearn.linear_model import LinearRegression, LogisticRegression

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.teachers.adapters.function import FunctionTeacher
from tutelage.teachers.ensembles import ensemble

ROWS = np.zeros((2, 1))
CLASSES = ("a", "b", "c")
P = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
Q = np.array([[0.2, 0.2, 0.6], [0.3, 0.4, 0.3]])


def saying(answers, kind="probabilities", classes=CLASSES, task=None):
    form = of_classes(kind, classes) if task is None else AnswerForm(kind, task, classes)
    return FunctionTeacher(lambda rows: np.asarray(answers)[: len(rows)], form)


def test_the_arithmetic_mean_is_of_probabilities_also_of_logits():
    mean = ensemble([saying(P), saying(np.log(Q) + 5, "logits")])
    assert mean.form == of_classes("probabilities", CLASSES)
    np.testing.assert_allclose(mean.answer(ROWS), (P + Q) / 2)


def test_the_geometric_mean_is_the_softmax_of_the_mean_logits():
    mean = ensemble([saying(P), saying(np.log(Q) + 5, "logits")], how="geometric")
    np.testing.assert_allclose(mean.answer(ROWS), softmax((np.log(P) + np.log(Q)) / 2, axis=1))


def test_weights_are_shares():
    np.testing.assert_allclose(ensemble([saying(P), saying(Q)], weights=[3, 1]).answer(ROWS), 0.75 * P + 0.25 * Q)
    geometric = ensemble([saying(P), saying(np.log(Q) + 5, "logits")], how="geometric", weights=[3, 1])
    np.testing.assert_allclose(geometric.answer(ROWS), softmax(0.75 * np.log(P) + 0.25 * np.log(Q), axis=1))


@pytest.mark.parametrize("how", ["arithmetic", "geometric"])
def test_classes_are_put_in_the_order_of_the_first(how):
    turned = saying(Q[:, [2, 0, 1]], classes=("c", "a", "b"))
    np.testing.assert_allclose(ensemble([saying(P), turned], how=how).answer(ROWS), ensemble([saying(P), saying(Q)], how=how).answer(ROWS))


@pytest.mark.parametrize("how", ["arithmetic", "geometric"])
def test_a_members_own_answers_are_left_as_they_are(how):
    kept = P.copy()
    several = ensemble([saying(kept), saying(Q)], how=how)
    first = several.answer(ROWS)
    np.testing.assert_array_equal(several.answer(ROWS), first)
    np.testing.assert_array_equal(kept, P)


def test_far_logits_do_not_underflow_into_a_veto():
    far = [saying(np.array([[0.0, 2000.0]] * 2, dtype=np.float32), "logits", (0, 1)), saying([[2000.0, 0.0]] * 2, "logits", (0, 1))]
    np.testing.assert_allclose(ensemble(far, how="geometric").answer(ROWS), np.full((2, 2), 0.5))


def test_one_member_can_veto_a_class_and_two_can_leave_none():
    one = ensemble([saying([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]), saying(Q)], how="geometric")
    np.testing.assert_allclose(one.answer(ROWS)[0], [1, 0, 0])
    none = ensemble([saying([[1.0, 0.0, 0.0]] * 2), saying([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]])], how="geometric")
    with pytest.raises(LabelMismatch, match=r"rule out every class of 1 of 2 rows \(first: row 1\).*pass how='arithmetic'"):
        none.answer(ROWS)


def test_labels_of_their_own_are_averaged_one_by_one():
    on, other = np.array([[0.9, 0.0], [0.5, 1.0]]), np.array([[0.5, 0.2], [0.5, 0.4]])
    members = [saying(on, classes=("x", "y"), task="multilabel"), saying(other, classes=("x", "y"), task="multilabel")]
    np.testing.assert_allclose(ensemble(members).answer(ROWS), (on + other) / 2)
    geometric = ensemble(members, how="geometric").answer(ROWS)
    np.testing.assert_allclose(geometric[0, 0], expit(logit([0.9, 0.5]).mean()))
    np.testing.assert_array_equal(geometric[:, 1], [0.0, 1.0])
    contrary = saying(1 - on, classes=("x", "y"), task="multilabel")
    with pytest.raises(LabelMismatch, match="rule out every class"):
        ensemble([members[0], contrary], how="geometric").answer(ROWS)


def test_values_are_averaged():
    X = np.arange(4.0)[:, None]
    up, down = LinearRegression().fit(X, X[:, 0]), LinearRegression().fit(X, -X[:, 0])
    np.testing.assert_allclose(ensemble([up, down], weights=[3, 1]).answer(X), X / 2, atol=1e-12)
    with pytest.raises(BadInput, match="no geometric mean"):
        ensemble([up, down], how="geometric")
    with pytest.raises(ShapeError, match="one teacher answers 1 values a row, another 2"):
        ensemble([up, LinearRegression().fit(X, np.hstack([X, X]))]).answer(X)


@pytest.mark.parametrize(
    ("teachers", "options", "error", "said"),
    [
        ([], {}, BadInput, "no teachers"),
        (saying(P), {}, BadInput, "made of a list of teachers; got one FunctionTeacher"),
        ([saying(P)], {"how": "harmonic"}, BadInput, "expected 'arithmetic' or 'geometric'"),
        ([saying(P), saying(Q, classes=("a", "b", "d"))], {}, LabelMismatch, "see relabelled"),
        ([saying(P), saying(P[:, :2] / P[:, :2].sum(axis=1, keepdims=True), classes=("a", "b"))], {}, LabelMismatch, "teacher 2 is binary"),
        ([saying(P), saying(P, classes=CLASSES, task="multilabel")], {}, LabelMismatch, "teacher 2 is multilabel"),
        ([saying(P, classes=(1, 2, 3)), saying(P, classes=("1", "2", "3"))], {}, LabelMismatch, "needs the same"),
        ([saying(P), saying(Q)], {"weights": [1]}, BadInput, "one number above 0 for each"),
        ([saying(P), saying(Q)], {"weights": [1, 0]}, BadInput, "one number above 0 for each"),
        ([saying(P), saying(Q)], {"weights": [1, float("nan")]}, BadInput, "one number above 0 for each"),
        ([saying(P), saying(Q)], {"weights": ["much", "little"]}, BadInput, "one number above 0 for each"),
    ],
)
def test_what_cannot_answer_as_one_is_refused(teachers, options, error, said):
    with pytest.raises(error, match=said):
        ensemble(teachers, **options)


def test_an_ensemble_is_named_by_its_members_weights_and_mean():
    X, members = np.array([[0.0], [1.0], [2.0]]), []
    for strength in (1.0, 9.0):
        members.append(LogisticRegression(C=strength).fit(X, [0, 0, 1]))
    names = {ensemble(members).fingerprint, ensemble(members, how="geometric").fingerprint, ensemble(members, weights=[1, 2]).fingerprint}
    assert len({*names, ensemble(members[:1]).fingerprint, ensemble(members[::-1]).fingerprint}) == 5
    assert ensemble(members).fingerprint == ensemble(members).fingerprint
