import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit, softmax
from sklearn.linear_model import LinearRegression, LogisticRegression

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.core.position_answers import PositionAnswers
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.adapters.function import FunctionTeacher
from tutelage.teachers.ensembles import ensemble

ROWS = np.zeros((2, 1))
CLASSES = ("a", "b", "c")
P = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
Q = np.array([[0.2, 0.2, 0.6], [0.3, 0.4, 0.3]])


def teacher_of(answers, kind="probabilities", classes=CLASSES, task=None):
    form = of_classes(kind, classes) if task is None else AnswerForm(kind, task, classes)
    return FunctionTeacher(lambda rows: np.asarray(answers)[: len(rows)], form)


def test_the_arithmetic_mean_is_of_probabilities():
    mean = ensemble([teacher_of(P), teacher_of(np.log(Q) + 5, "logits")])
    assert mean.form == of_classes("probabilities", CLASSES)
    np.testing.assert_allclose(mean.answer(ROWS), (P + Q) / 2)


def test_the_geometric_mean_is_the_softmax_of_the_mean_logits():
    mean = ensemble([teacher_of(P), teacher_of(np.log(Q) + 5, "logits")], how="geometric")
    np.testing.assert_allclose(mean.answer(ROWS), softmax((np.log(P) + np.log(Q)) / 2, axis=1))


def test_weights_are_normalised():
    np.testing.assert_allclose(ensemble([teacher_of(P), teacher_of(Q)], weights=[3, 1]).answer(ROWS), 0.75 * P + 0.25 * Q)
    geometric = ensemble([teacher_of(P), teacher_of(np.log(Q) + 5, "logits")], how="geometric", weights=[3, 1])
    np.testing.assert_allclose(geometric.answer(ROWS), softmax(0.75 * np.log(P) + 0.25 * np.log(Q), axis=1))


@pytest.mark.parametrize("how", ["arithmetic", "geometric"])
def test_classes_are_put_in_the_order_of_the_first(how):
    reordered = teacher_of(Q[:, [2, 0, 1]], classes=("c", "a", "b"))
    np.testing.assert_allclose(
        ensemble([teacher_of(P), reordered], how=how).answer(ROWS), ensemble([teacher_of(P), teacher_of(Q)], how=how).answer(ROWS)
    )


@pytest.mark.parametrize("how", ["arithmetic", "geometric"])
def test_the_answers_of_the_members_are_not_modified(how):
    own = P.copy()
    both = ensemble([teacher_of(own), teacher_of(Q)], how=how)
    first = both.answer(ROWS)
    np.testing.assert_array_equal(both.answer(ROWS), first)
    np.testing.assert_array_equal(own, P)


def test_large_logits_do_not_underflow_to_a_veto():
    far = [teacher_of(np.array([[0.0, 2000.0]] * 2, dtype=np.float32), "logits", (0, 1)), teacher_of([[2000.0, 0.0]] * 2, "logits", (0, 1))]
    np.testing.assert_allclose(ensemble(far, how="geometric").answer(ROWS), np.full((2, 2), 0.5))


def test_members_can_veto_a_class_and_all_classes_together():
    one = ensemble([teacher_of([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]), teacher_of(Q)], how="geometric")
    np.testing.assert_allclose(one.answer(ROWS)[0], [1, 0, 0])
    none = ensemble([teacher_of([[1.0, 0.0, 0.0]] * 2), teacher_of([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]])], how="geometric")
    with pytest.raises(LabelMismatch, match=r"rule out every class of 1 of 2 rows \(first: row 1\).*pass how='arithmetic'"):
        none.answer(ROWS)


def test_multilabel_answers_are_averaged_label_by_label():
    on, other = np.array([[0.9, 0.0], [0.5, 1.0]]), np.array([[0.5, 0.2], [0.5, 0.4]])
    members = [teacher_of(on, classes=("x", "y"), task="multilabel"), teacher_of(other, classes=("x", "y"), task="multilabel")]
    np.testing.assert_allclose(ensemble(members).answer(ROWS), (on + other) / 2)
    geometric = ensemble(members, how="geometric").answer(ROWS)
    np.testing.assert_allclose(geometric[0, 0], expit(logit([0.9, 0.5]).mean()))
    np.testing.assert_array_equal(geometric[:, 1], [0.0, 1.0])
    contrary = teacher_of(1 - on, classes=("x", "y"), task="multilabel")
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
    ("teachers", "options", "error", "message"),
    [
        ([], {}, BadInput, "no teachers"),
        (teacher_of(P), {}, BadInput, "an ensemble needs a list of teachers; got one FunctionTeacher"),
        ([teacher_of(P)], {"how": "harmonic"}, BadInput, "expected 'arithmetic' or 'geometric'"),
        ([teacher_of(P), teacher_of(Q, classes=("a", "b", "d"))], {}, LabelMismatch, "map them with relabelled"),
        (
            [teacher_of(P), teacher_of(P[:, :2] / P[:, :2].sum(axis=1, keepdims=True), classes=("a", "b"))],
            {},
            LabelMismatch,
            "teacher 2 is binary",
        ),
        ([teacher_of(P), teacher_of(P, classes=CLASSES, task="multilabel")], {}, LabelMismatch, "teacher 2 is multilabel"),
        ([teacher_of(P, classes=(1, 2, 3)), teacher_of(P, classes=("1", "2", "3"))], {}, LabelMismatch, "needs the same task and classes"),
        ([teacher_of(P), teacher_of(Q)], {"weights": [1]}, BadInput, "one number above 0 for each"),
        ([teacher_of(P), teacher_of(Q)], {"weights": [1, 0]}, BadInput, "one number above 0 for each"),
        ([teacher_of(P), teacher_of(Q)], {"weights": [1, float("nan")]}, BadInput, "one number above 0 for each"),
        ([teacher_of(P), teacher_of(Q)], {"weights": ["much", "little"]}, BadInput, "one number above 0 for each"),
    ],
)
def test_unsuitable_members_and_options_are_refused(teachers, options, error, message):
    with pytest.raises(error, match=message):
        ensemble(teachers, **options)


def test_the_fingerprint_follows_members_weights_and_mean():
    X, members = np.array([[0.0], [1.0], [2.0]]), []
    for strength in (1.0, 9.0):
        members.append(LogisticRegression(C=strength).fit(X, [0, 0, 1]))
    names = {ensemble(members).fingerprint, ensemble(members, how="geometric").fingerprint, ensemble(members, weights=[1, 2]).fingerprint}
    assert len({*names, ensemble(members[:1]).fingerprint, ensemble(members[::-1]).fingerprint}) == 5
    assert ensemble(members).fingerprint == ensemble(members).fingerprint


def test_members_that_learnt_other_orders_of_columns_are_given_names():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["a", "b"])
    y = (frame["a"] > 0).to_numpy(int)
    members = [LogisticRegression().fit(frame, y), LogisticRegression().fit(frame[["b", "a"]], y)]
    teacher = ensemble(members)
    np.testing.assert_allclose(teacher.answer(frame), (members[0].predict_proba(frame) + members[1].predict_proba(frame[["b", "a"]])) / 2)
    with pytest.raises(BadInput, match="learnt their columns in different orders, and the rows have no column names; pass a frame"):
        teacher.answer(frame.to_numpy())
    assert teacher.schema is None
    assert ensemble(members[:1] * 2).schema.names == ("a", "b")


def test_members_may_name_the_most_probable_classes_alone():
    top = FunctionTeacher(lambda rows: TopAnswers.of(Q, "probabilities", 1), of_classes("probabilities", ("c", "b", "a")))
    spread = np.array([[0.2, 0.2, 0.6], [0.3, 0.4, 0.3]])[:, ::-1]
    np.testing.assert_allclose(ensemble([teacher_of(P), top]).answer(ROWS), (P + spread) / 2, rtol=1e-6)


def test_the_most_probable_classes_of_positions_are_averaged_as_probabilities():
    top = TopAnswers(np.array([[1], [0]]), np.log([[0.9], [0.8]]), np.log([0.1, 0.2]), 3)
    tokens = as_teacher(lambda rows: PositionAnswers(top, np.array([[2]])), kind="probabilities", classes=list("abc"), positions="tokens")
    np.testing.assert_allclose(ensemble([tokens, tokens]).answer(["two words"]).values, [[0.05, 0.9, 0.05], [0.8, 0.1, 0.1]])
