import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB

from tutelage.core.arrays import check_weights
from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities, ShapeError
from tutelage.students.any_estimator import SoftTargets
from tutelage.students.linear import SoftLogistic
from tutelage.students.soft_classifier import soft_targets
from tutelage.students.trees import SoftTree

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
P = RNG.dirichlet(np.ones(3), 40)


def test_the_columns_of_a_matrix_are_named_by_classes():
    assert SoftTree().fit(X, P).classes_.tolist() == [0, 1, 2]
    tree = SoftTree().fit(X, P, classes=["low", "mid", "high"])
    assert tree.classes_.tolist() == ["low", "mid", "high"]
    assert tree.predict(X[:5]).tolist() == [("low", "mid", "high")[i] for i in P[:5].argmax(axis=1)]
    mixed, _ = soft_targets(P, 40, ["a", 1, 2.5])
    assert mixed.tolist() == ["a", 1, 2.5]


def test_class_labels_become_one_hot_targets_of_their_sorted_classes():
    classes, targets = soft_targets(["b", "a", "b"], 3)
    assert classes.tolist() == ["a", "b"]
    assert targets.tolist() == [[0, 1], [1, 0], [0, 1]]


def test_one_column_counts_as_labels_with_a_warning():
    with pytest.warns(DataConversionWarning, match="column-vector"):
        classes, _ = soft_targets(np.array([[3], [5]]), 2)
    assert classes.tolist() == [3, 5]


def test_rows_that_sum_to_one_up_to_half_precision_are_scaled_to_one():
    half = P.astype(np.float16)
    _, targets = soft_targets(half.astype(np.float32), 40)
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
    exact = np.float32(P / P.sum(axis=1, keepdims=True))
    _, unchanged = soft_targets(exact, 40)
    assert unchanged is exact


def test_a_frame_names_its_features_and_another_order_is_refused():
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    tree = SoftTree().fit(frame, pd.DataFrame(P))
    assert tree.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names"):
        tree.predict_proba(frame[["b", "a", "c"]])


@pytest.mark.parametrize(
    ("y", "classes", "error", "match"),
    [
        (P * 2, None, NotProbabilities, "soft targets: 40 of 40 rows"),
        (P[:39], None, ShapeError, "X and y have 40 and 39 rows"),
        (P, ["a", "b"], LabelMismatch, "2 classes for soft targets of 3 columns"),
        (P, ["a", "a", "b"], LabelMismatch, "named twice"),
        (np.arange(40) % 2, [0, 1], LabelMismatch, "Leave classes out"),
        (np.zeros(40), None, BadInput, r"one class \(0.0\)"),
        (csr_array(P), None, ShapeError, "toarray"),
        (np.full((40, 2), "x"), None, ShapeError, "the soft targets are not numbers"),
        (None, None, BadInput, "requires y"),
        (X[:, 0], None, ValueError, "Unknown label type|continuous"),
        (np.zeros((40, 2, 2)), None, ValueError, "dim 3"),
    ],
)
def test_invalid_targets_are_refused(y, classes, error, match):
    with pytest.raises(error, match=match):
        SoftTree().fit(X, y, classes=classes)


@pytest.mark.parametrize(
    ("weights", "error"),
    [
        (np.ones(39), ShapeError),
        (np.ones((40, 1)), ShapeError),
        (-np.ones(40), BadInput),
        (np.zeros(40), BadInput),
        (np.full(40, np.nan), BadInput),
    ],
)
def test_invalid_weights_are_refused(weights, error):
    with pytest.raises(error, match="sample_weight"):
        check_weights(weights, 40)


def test_a_row_of_weight_two_is_equivalent_to_two_rows():
    weights = np.where(np.arange(40) < 10, 2.0, 1.0)
    twice = np.r_[np.arange(40), np.arange(10)]
    for student in (SoftTree(max_leaf_nodes=4, random_state=0), SoftLogistic(tol=1e-8)):
        weighted = student.fit(X, P, sample_weight=weights).predict_proba(X)
        np.testing.assert_allclose(weighted, student.fit(X[twice], P[twice]).predict_proba(X), atol=1e-6)


def test_rows_whose_numbers_overflow_are_refused_in_predict_proba():
    student = SoftTargets(GaussianNB()).fit(X, P)
    with pytest.raises(BadInput, match=r"1 of 2 rows have no probabilities \(first: row 1\)"), np.errstate(all="ignore"):
        student.predict_proba([X[0], [1e308, 0, 0]])


@pytest.mark.parametrize(
    ("y", "weights", "message"),
    [
        ([[0], [1, 2], [3]], None, "the rows of y do not have the same number"),
        ([0, 1, 0], ["a", "b", "c"], "the weights in sample_weight are not numbers"),
    ],
)
def test_ragged_targets_and_weights_that_are_not_numbers_are_refused(y, weights, message):
    with pytest.raises(ShapeError, match=message):
        SoftLogistic().fit([[1.0], [2.0], [3.0]], y, sample_weight=weights)


@pytest.mark.parametrize("weight", [1e308, 1e-320])
def test_weights_whose_sum_overflows_or_underflows_are_refused(weight):
    with pytest.raises(BadInput, match=r"sample_weight adds up to .*, where numbers lose their digits"):
        SoftTree().fit(X, P, sample_weight=np.full(40, weight))


@pytest.mark.parametrize("student", [SoftTree(), SoftLogistic()], ids=lambda student: type(student).__name__)
def test_several_inputs_are_refused_with_what_to_do(student):
    rows = {"input_ids": [[1, 2], [3]], "attention_mask": [[1, 1], [1]]}
    with pytest.raises(BadInput, match=r"several inputs \(input_ids, attention_mask\).*labels\.paired_with\(X\)"):
        student.fit(rows, [0, 1])


def test_a_search_over_settings_scores_soft_targets_by_their_most_probable_class():
    random = np.random.default_rng(0)
    X = random.normal(size=(200, 4))
    targets = np.exp(2 * X[:, :3])
    targets /= targets.sum(axis=1, keepdims=True)
    search = GridSearchCV(SoftTree(random_state=0), {"max_leaf_nodes": [2, 32]}, cv=3).fit(X, targets)
    assert search.best_params_ == {"max_leaf_nodes": 32}
    student = SoftTree(max_leaf_nodes=8).fit(X, targets, classes=["x", "y", "z"])
    decided = student.predict_proba(X).argmax(axis=1) == targets.argmax(axis=1)
    assert student.score(X, targets) == decided.mean()
    assert student.score(X, np.array(["x", "y", "z"])[targets.argmax(axis=1)]) == decided.mean()
    weights = np.arange(200.0)
    assert student.score(X, targets, weights) == pytest.approx(np.average(decided, weights=weights))
    with pytest.raises(ShapeError, match="y has 2 columns for 3 classes; expected one a class"):
        student.score(X, targets[:, :2])


@pytest.mark.parametrize("y", [[None, "a"] * 30, [None] * 60, ["a", np.nan] * 30])
def test_labels_that_are_missing_are_counted(y):
    with pytest.raises(BadInput, match=r"y lacks the labels of \d0 of 60 rows \(first: row [01]\); leave these rows out"):
        SoftTree().fit(np.zeros((60, 1)), np.array(y, dtype=object))


def test_soft_targets_in_a_frame_are_scored_by_the_names_of_its_columns():
    X = np.arange(8.0)[:, None]
    frame = pd.DataFrame({"no": X[:, 0] < 4, "yes": X[:, 0] >= 4}).astype(float)
    student = SoftTree().fit(X, frame, classes=["yes", "no"])
    assert student.score(X, frame) == student.score(X, frame[["yes", "no"]]) == 1


def test_a_selection_of_numbered_columns_is_matched_by_its_numbers():
    X = np.arange(8.0)[:, None]
    P = pd.DataFrame(np.column_stack([X[:, 0] < 4, X[:, 0] >= 4]).astype(float))
    for swapped in (P[[1, 0]], P.iloc[:, ::-1]):
        student = SoftTree().fit(X, swapped, classes=[0, 1])
        np.testing.assert_array_equal(student.predict(X), X[:, 0] >= 4)
