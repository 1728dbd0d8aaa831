import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from tutelage.core.errors import BadInput, ShapeError
from tutelage.students.any_estimator import SoftTargets, expand
from tutelage.students.linear import SoftLogistic

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
P = RNG.dirichlet(np.full(4, 0.3), 60)


def test_soft_targets_around_logistic_regression_matches_soft_logistic():
    wrapped = SoftTargets(LogisticRegression(tol=1e-8, max_iter=1000), negligible=0).fit(X, P)
    np.testing.assert_allclose(wrapped.predict_proba(X), SoftLogistic().fit(X, P).predict_proba(X), atol=1e-4)
    assert wrapped.expansion_ == 4
    assert wrapped.dropped_mass_ == {"max": pytest.approx(0, abs=1e-12), "mean": pytest.approx(0, abs=1e-12)}


@pytest.mark.parametrize("negligible", [0.0, 1e-3, 0.2, 0.7])
def test_no_row_drops_more_than_negligible_and_its_weights_sum_to_one(negligible):
    expanded = expand(P, negligible=negligible)
    assert expanded.dropped.max() <= negligible + 1e-12
    np.testing.assert_allclose(np.bincount(expanded.rows, expanded.weights), 1)
    retained = np.zeros(P.shape)
    retained[expanded.rows, expanded.columns] = expanded.weights
    np.testing.assert_allclose(retained[retained > 0], (P / (1 - expanded.dropped[:, None]))[retained > 0])
    assert (P[retained == 0] <= negligible).all()


def test_a_larger_negligible_gives_fewer_rows():
    students = [SoftTargets(GaussianNB(), negligible=bound).fit(X, P) for bound in (0, 0.01, 0.3)]
    factors = [student.expansion_ for student in students]
    assert factors[0] > factors[1] > factors[2] >= 1
    assert 0 < students[1].dropped_mass_["mean"] <= students[1].dropped_mass_["max"] <= 0.01


def test_a_class_that_is_negligible_in_every_row_keeps_the_rows_where_it_is_most_likely():
    rare = np.random.default_rng(0).permutation(30) / 10_000
    targets = np.column_stack([np.full(30, 0.6), 0.4 - rare, rare])
    expanded = expand(targets, negligible=0.01)
    assert sorted(expanded.rows[expanded.columns == 2]) == np.flatnonzero(rare >= 0.001).tolist()
    few = expand(targets[:5], negligible=0.01)
    assert sorted(few.rows[few.columns == 2]) == np.flatnonzero(rare[:5] > 0).tolist()


def test_a_class_without_probability_has_a_column_of_zeros():
    targets = np.c_[P[:, :1], np.zeros(60), P[:, 1:]]
    answers = SoftTargets(GaussianNB()).fit(X, targets, classes=list("abcde")).predict_proba(X)
    assert answers.shape == (60, 5)
    assert not answers[:, 1].any()
    np.testing.assert_allclose(answers.sum(axis=1), 1)


def test_class_labels_are_passed_on_unchanged_even_without_sample_weight_support():
    labels = np.array(list("wxyz"))[P.argmax(axis=1)]
    wrapped = SoftTargets(KNeighborsClassifier()).fit(X, labels)
    assert wrapped.predict(X).tolist() == KNeighborsClassifier().fit(X, labels).predict(X).tolist()
    assert wrapped.expansion_ == 1


def test_sparse_rows_frames_and_texts_are_passed_on_unchanged():
    dense = SoftTargets(LogisticRegression()).fit(X, P).predict_proba(X)
    np.testing.assert_allclose(SoftTargets(LogisticRegression()).fit(csr_array(X), P).predict_proba(csr_array(X)), dense, atol=1e-4)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    assert SoftTargets(LogisticRegression()).fit(frame, P).estimator_.feature_names_in_.tolist() == ["a", "b", "c"]
    texts = ["good film", "bad film", "good plot"] * 20
    student = make_pipeline(HashingVectorizer(n_features=32), SoftTargets(LogisticRegression())).fit(texts, P)
    assert student.predict_proba(texts).shape == (60, 4)


@pytest.mark.parametrize(
    ("estimator", "match"),
    [
        (KNeighborsClassifier(), "fit of KNeighborsClassifier takes no sample_weight"),
        (make_pipeline(GaussianNB()), "fit of Pipeline takes no sample_weight"),
        (LinearSVC(), "LinearSVC has no predict_proba"),
    ],
)
def test_a_classifier_without_sample_weight_or_predict_proba_is_refused(estimator, match):
    with pytest.raises(BadInput, match=match):
        SoftTargets(estimator).fit(X, P)


@pytest.mark.parametrize("negligible", [-0.1, 1, np.nan])
def test_a_negligible_outside_zero_to_one_is_refused(negligible):
    with pytest.raises(BadInput, match="of 0 or more and below 1"):
        SoftTargets(DummyClassifier(), negligible=negligible).fit(X, P)


def test_an_empty_list_of_rows_is_refused():
    with pytest.raises(ShapeError, match="X has no rows"):
        SoftTargets(GaussianNB()).fit(X, P).predict_proba([])


def test_a_class_that_is_unlikely_everywhere_is_known_from_twenty_rows():
    random = np.random.default_rng(0)
    X = random.normal(size=(200, 4))
    on = 1 / (1 + np.exp(-2 * X[:, 0]))
    targets = np.column_stack([on, 1 - on, np.zeros(200)]) * (1 - 5e-4)
    targets[:, 2] = 5e-4
    rows, columns = expand(targets, negligible=1e-3).rows, expand(targets, negligible=1e-3).columns
    assert len(set(rows[columns == 2])) == 20
    answers = SoftTargets(GaussianNB()).fit(X, targets, classes=["a", "b", "rare"]).predict_proba(X)
    assert answers[:, 2].max() < 1e-3
