import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from tutelage.core.stored.tree_nodes import points_inside, sound_tree, trees_in
from tutelage.students.any_estimator import SoftTargets
from tutelage.students.multilabel import PerLabel
from tutelage.students.trees import SoftForest, SoftTree

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
P = RNG.dirichlet(np.ones(2), 40)
HOLDERS = [
    (SoftTree().fit(X, P), 1),
    (SoftForest(n_estimators=4).fit(X, P), 4),
    (PerLabel(SoftTree()).fit(X, P), 2),
    (SoftTargets(DecisionTreeClassifier()).fit(X, P), 1),
    (make_pipeline(StandardScaler(), RandomForestRegressor(n_estimators=3)).fit(X, P), 3),
    (GradientBoostingRegressor(n_estimators=5).fit(X, P[:, 0]), 5),
    (LinearRegression().fit(X, P), 0),
]


@pytest.mark.parametrize(("holder", "trees"), HOLDERS, ids=lambda value: type(value).__name__)
def test_trees_are_found_at_any_depth_and_are_valid(holder, trees):
    found = list(trees_in(holder))
    assert len({id(tree) for tree in found}) == len(found) == trees
    assert all(map(sound_tree, found))


def test_a_reference_cycle_terminates():
    ring: list[object] = [HOLDERS[0][0]]
    ring.append(ring)
    assert len(list(trees_in(ring))) == 1


@pytest.mark.parametrize(
    ("left", "right", "feature", "sound"),
    [
        ([1, -1, -1], [2, -1, -1], [0, -2, -2], True),
        ([-1], [-1], [-2], True),
        ([], [], [], False),
        ([1, -1, -1], [2, -1], [0, -2, -2], False),
        ([3, -1, -1], [2, -1, -1], [0, -2, -2], False),
        ([1, -1, -1], [0, -1, -1], [0, -2, -2], False),  # a cycle, which would never end
        ([1, -1, -1], [-1, -1, -1], [0, -2, -2], False),
        ([-2, -1, -1], [2, -1, -1], [0, -2, -2], False),
        ([1, -1, -1], [2, 2, -1], [0, -2, -2], False),
        ([1, -1, -1], [2, -1, -1], [3, -2, -2], False),
        ([1, -1, -1], [2, -1, -1], [-1, -2, -2], False),
    ],
)
def test_children_have_larger_indices_and_features_are_in_range(left, right, feature, sound):
    assert points_inside(left, right, feature, features=3) is sound
