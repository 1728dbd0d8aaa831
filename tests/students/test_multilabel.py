import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression

from tutelage.core.errors import LabelMismatch, NotProbabilities, ShapeError
from tutelage.students.linear import SoftLogistic
from tutelage.students.multilabel import PerLabel
from tutelage.students.trees import SoftTree

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3))
ON = 1 / (1 + np.exp(-2 * X @ RNG.normal(size=(3, 4))))


def test_each_label_is_learnt_by_a_separate_student():
    student = PerLabel(SoftLogistic(C=10)).fit(X, ON)
    answers = student.predict_proba(X)
    for label in range(4):
        separate = SoftLogistic(C=10).fit(X, np.c_[1 - ON[:, label], ON[:, label]])
        np.testing.assert_array_equal(answers[:, label], separate.predict_proba(X)[:, 1])
    np.testing.assert_allclose(answers, ON, atol=0.1)
    np.testing.assert_array_equal(student.predict(X), answers > 0.5)
    assert student.classes_.tolist() == [0, 1, 2, 3]


def test_class_names_row_weights_and_sparse_x_are_supported():
    weights = np.where(np.arange(80) < 20, 2.0, 1.0)
    twice = np.r_[np.arange(80), np.arange(20)]
    weighted = PerLabel(SoftTree(max_leaf_nodes=4, random_state=0)).fit(csr_array(X), ON, classes=list("abcd"), sample_weight=weights)
    repeated = PerLabel(SoftTree(max_leaf_nodes=4, random_state=0)).fit(X[twice], ON[twice])
    np.testing.assert_allclose(weighted.predict_proba(csr_array(X)), repeated.predict_proba(X), atol=1e-6)
    assert weighted.classes_.tolist() == list("abcd")


def test_a_classifier_of_hard_labels_is_wrapped_to_learn_probabilities():
    wrapped = PerLabel(LogisticRegression(tol=1e-8)).fit(X, ON).predict_proba(X)
    np.testing.assert_allclose(wrapped, PerLabel(SoftLogistic()).fit(X, ON).predict_proba(X), atol=1e-2)


def test_a_constant_label_is_predicted_as_constant_and_a_single_label_is_accepted():
    student = PerLabel(LogisticRegression()).fit(X, np.c_[np.ones(80), ON[:, 0] > 0.5, np.zeros(80)])
    assert student.predict_proba(X)[:, [0, 2]].mean(axis=0).tolist() == [1, 0]
    assert PerLabel(SoftLogistic()).fit(X, ON[:, :1]).predict_proba(X).shape == (80, 1)


@pytest.mark.parametrize(
    ("y", "classes", "error", "match"),
    [
        (ON + 1, None, NotProbabilities, "80 of 80 rows hold numbers outside 0 to 1"),
        (ON[:79], None, LabelMismatch, "79 answers to 80 rows"),
        (ON, ["a", "b"], ShapeError, "4 columns; expected 2"),
        (ON, ["a", "a", "b", "c"], LabelMismatch, "named twice"),
    ],
)
def test_invalid_targets_and_classes_are_refused(y, classes, error, match):
    with pytest.raises(error, match=match):
        PerLabel(SoftTree()).fit(X, y, classes=classes)


def test_it_is_scored_by_rows_whose_labels_are_all_right_also_against_probabilities():
    random = np.random.default_rng(0)
    X, on = random.normal(size=(200, 4)), random.random((200, 3))
    student = PerLabel(SoftTree(max_leaf_nodes=8)).fit(X, on)
    right = ((student.predict_proba(X) > 0.5) == (on > 0.5)).all(axis=1).mean()
    assert student.score(X, on) == right == student.score(X, (on > 0.5).astype(int))
