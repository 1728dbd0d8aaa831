import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

from tutelage.core.errors import NotProbabilities, ShapeError
from tutelage.students.trees import SoftTree

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3))
P = RNG.dirichlet(np.ones(4), 300)


def test_an_unpruned_tree_repeats_its_targets_and_a_small_one_their_means():
    np.testing.assert_allclose(SoftTree().fit(X, P).predict_proba(X), P)
    stump = SoftTree(max_leaf_nodes=2).fit(X, P)
    leaves = stump.tree_.apply(X)
    for leaf in np.unique(leaves):
        np.testing.assert_allclose(stump.predict_proba(X[leaves == leaf])[0], P[leaves == leaf].mean(axis=0))


def test_on_labels_it_is_a_gini_tree():
    labels = np.array(["b", "c", "a"])[(X[:, 0] + 0.5 * RNG.normal(size=300) > 0).astype(int) + (X[:, 1] > 1)]
    for leaf in (1, 10):
        ours = SoftTree(min_samples_leaf=leaf, random_state=0).fit(X, labels)
        theirs = DecisionTreeClassifier(min_samples_leaf=leaf, random_state=0).fit(X, labels)
        fresh = RNG.normal(size=(2000, 3))
        assert (ours.predict(fresh) == theirs.predict(fresh)).mean() > 0.99
        assert ours.tree_.get_n_leaves() == theirs.get_n_leaves()
    assert ours.classes_.tolist() == ["a", "b", "c"]


def test_two_classes_keep_two_columns():
    assert SoftTree().fit(X, P[:, :2] / P[:, :2].sum(axis=1, keepdims=True)).predict_proba(X[:5]).shape == (5, 2)


def test_it_is_cloned_and_searched_as_scikit_learn_expects():
    assert clone(SoftTree(max_leaf_nodes=7)).get_params()["max_leaf_nodes"] == 7
    labels = (X[:, 0] > 0).astype(int)
    search = GridSearchCV(SoftTree(random_state=0), {"min_samples_leaf": [1, 290]}, cv=3).fit(X, labels)
    assert search.best_params_ == {"min_samples_leaf": 1}
    assert search.best_score_ > 0.95


def test_bad_targets_are_refused():
    with pytest.raises(NotProbabilities, match="the soft targets"):
        SoftTree().fit(X, P * 2)
    with pytest.raises(ShapeError, match="X and y have 300 and 299 rows"):
        SoftTree().fit(X, P[:299])
    with pytest.raises(NotFittedError):
        SoftTree().predict(X)
