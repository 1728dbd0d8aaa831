import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

from tutelage.core.errors import BadInput, NotProbabilities, ShapeError
from tutelage.students.trees import SoftForest, SoftTree, centred_logits

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3))
P = RNG.dirichlet(np.ones(4), 300)


def test_an_unpruned_tree_repeats_its_targets_and_a_pruned_tree_averages_them():
    np.testing.assert_allclose(SoftTree().fit(X, P).predict_proba(X), P)
    stump = SoftTree(max_leaf_nodes=2).fit(X, P)
    leaves = stump.tree_.apply(X)
    for leaf in np.unique(leaves):
        np.testing.assert_allclose(stump.predict_proba(X[leaves == leaf])[0], P[leaves == leaf].mean(axis=0))


def test_on_class_labels_it_equals_a_gini_tree():
    labels = np.array(["b", "c", "a"])[(X[:, 0] + 0.5 * RNG.normal(size=300) > 0).astype(int) + (X[:, 1] > 1)]
    for leaf in (1, 10):
        ours = SoftTree(min_samples_leaf=leaf, random_state=0).fit(X, labels)
        theirs = DecisionTreeClassifier(min_samples_leaf=leaf, random_state=0).fit(X, labels)
        fresh = RNG.normal(size=(2000, 3))
        assert (ours.predict(fresh) == theirs.predict(fresh)).mean() > 0.99
        assert ours.tree_.get_n_leaves() == theirs.get_n_leaves()
    assert ours.classes_.tolist() == ["a", "b", "c"]


def test_two_classes_have_two_columns():
    assert SoftTree().fit(X, P[:, :2] / P[:, :2].sum(axis=1, keepdims=True)).predict_proba(X[:5]).shape == (5, 2)


def test_it_works_with_clone_and_grid_search():
    assert clone(SoftTree(max_leaf_nodes=7)).get_params()["max_leaf_nodes"] == 7
    labels = (X[:, 0] > 0).astype(int)
    search = GridSearchCV(SoftTree(random_state=0), {"min_samples_leaf": [1, 290]}, cv=3).fit(X, labels)
    assert search.best_params_ == {"min_samples_leaf": 1}
    assert search.best_score_ > 0.95


def test_invalid_targets_are_refused():
    with pytest.raises(NotProbabilities, match="the soft targets"):
        SoftTree().fit(X, P * 2)
    with pytest.raises(ShapeError, match="X and y have 300 and 299 rows"):
        SoftTree().fit(X, P[:299])
    with pytest.raises(NotFittedError):
        SoftTree().predict(X)


def test_on_logits_a_leaf_averages_log_probabilities():
    stump = SoftTree(targets="logits", max_leaf_nodes=2).fit(X, P)
    leaves = stump.tree_.apply(X)
    for leaf in np.unique(leaves):
        means = centred_logits(P[leaves == leaf], 1e-3).mean(axis=0)
        np.testing.assert_allclose(stump.predict_proba(X[leaves == leaf])[0], np.exp(means) / np.exp(means).sum())


def test_an_unpruned_tree_on_logits_repeats_targets_above_smallest_probability():
    safe = 0.9 * P + 0.1 / 4
    np.testing.assert_allclose(SoftTree(targets="logits").fit(X, safe).predict_proba(X), safe)
    hard = SoftTree(targets="logits", smallest_probability=0.01).fit(X, np.eye(4)[P.argmax(axis=1)]).predict_proba(X)
    np.testing.assert_allclose(hard.max(axis=1), 1 / 1.03)


def test_a_forest_averages_its_trees_and_beats_a_single_tree_on_noisy_labels():
    fresh = RNG.normal(size=(500, 3))
    labels = (X[:, 0] + RNG.normal(size=300) > 0).astype(int)
    forest = SoftForest(n_estimators=30, random_state=0).fit(X, labels)
    mean = np.mean([tree.predict(fresh) for tree in forest.forest_.estimators_], axis=0)
    np.testing.assert_allclose(forest.predict_proba(fresh), mean, atol=1e-6)
    tree = SoftTree(random_state=0).fit(X, labels)
    assert forest.score(fresh, fresh[:, 0] > 0) > tree.score(fresh, fresh[:, 0] > 0)


def test_nan_is_treated_as_a_missing_value():
    gone = np.where(RNG.uniform(size=X.shape) < 0.3, np.nan, X)
    labels = np.isnan(gone[:, 0])
    assert SoftTree(max_leaf_nodes=2).fit(gone, labels).score(gone, labels) == 1


def test_invalid_settings_are_refused():
    with pytest.raises(BadInput, match="targets is 'odds'"):
        SoftTree(targets="odds").fit(X, P)
    with pytest.raises(BadInput, match="smallest_probability is 0"):
        SoftForest(targets="logits", smallest_probability=0).fit(X, P)
