from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor

from tutelage.core.stored.tree_nodes import LEAF
from tutelage.exporters.program import trees as module
from tutelage.exporters.program.trees import Tree, Trees, of_any, of_averaged, of_histograms, of_lightgbm, of_xgboost

RNG = np.random.default_rng(0)
X = np.where(RNG.random((200, 3)) < 0.1, np.nan, RNG.normal(size=(200, 3))).astype(np.float32)
Y = np.nan_to_num(X[:, 0]) * np.nan_to_num(X[:, 1])


def walked(trees, rows):
    """The answers, by walking each row through each tree."""
    kind = np.float32 if trees.single else np.float64
    sums = np.zeros((len(rows), trees.outputs))
    for place, row in enumerate(rows.astype(kind)):
        leaves = []
        for tree in trees.trees:
            node, thresholds = 0, trees.threshold(tree).astype(kind)
            while tree.left[node] != LEAF:
                cell, threshold = row[tree.feature[node]], thresholds[node]
                left = tree.missing_left[node] if np.isnan(cell) else cell < threshold if trees.strict else cell <= threshold
                node = tree.left[node] if left else tree.right[node]
            leaves.append(tree.values[node])
        sums[place] = np.concatenate(leaves).reshape(-1, trees.outputs).sum(axis=0)
    return sums / trees.divisor + trees.start


def test_trees_of_every_library_answer_as_their_library():
    forest = RandomForestRegressor(3, random_state=0).fit(X, np.column_stack([Y, X[:, 2] > 0]))
    np.testing.assert_allclose(walked(of_averaged(forest.estimators_, 2), X), forest.predict(X))
    histograms = HistGradientBoostingRegressor(max_iter=3).fit(X, Y)
    np.testing.assert_allclose(walked(of_histograms(histograms), X)[:, 0], histograms.predict(X))


@pytest.mark.parametrize(
    ("scale", "fits"), [(1.0, True), (1e-37, True), (1e-42, False), (1e-300, False), (1e37, True), (2e38, False), (1e300, False)]
)
@pytest.mark.parametrize("outputs", [1, 2])
def test_what_leaves_add_up_to_fits_in_single_precision_or_not(scale, fits, outputs):
    y = np.column_stack([Y / np.abs(Y).max(), Y])[:, :outputs]
    trees = of_averaged([DecisionTreeRegressor().fit(X, y) for _ in range(2)], outputs)
    scales = np.array([scale, 1.0])[:outputs]
    scaled = replace(trees, trees=tuple(replace(tree, values=tree.values * scales) for tree in trees.trees))
    assert scaled.sums_in_single == fits
    assert replace(trees, start=np.full(outputs, scale)).sums_in_single == (scale < 3e38)  # a tiny start does not count beside the leaves


def test_trees_of_lightgbm_answer_as_lightgbm():
    lightgbm = pytest.importorskip("lightgbm")
    booster = lightgbm.train({"verbosity": -1, "num_threads": 1}, lightgbm.Dataset(X, Y), 3)
    np.testing.assert_allclose(walked(of_lightgbm(booster, 1), X)[:, 0], booster.predict(X))


def test_trees_of_xgboost_answer_as_xgboost():
    xgboost = pytest.importorskip("xgboost")
    import json

    booster = xgboost.train({"base_score": 0.0, "nthread": 1}, xgboost.DMatrix(X, Y), 3)
    stored = json.loads(booster.save_raw("json"))
    np.testing.assert_allclose(walked(of_xgboost(stored, 1, np.zeros(1)), X)[:, 0], booster.predict(xgboost.DMatrix(X)), atol=1e-6)


def test_what_is_no_plain_tree_is_refused():
    lightgbm = pytest.importorskip("lightgbm")
    whole = np.repeat(np.arange(4.0), 50)[:, None]
    data = lightgbm.Dataset(whole, whole[:, 0] % 2, categorical_feature=[0])
    settings = {"verbosity": -1, "num_threads": 1, "min_data_per_group": 1, "cat_smooth": 0}
    with pytest.raises(ValueError, match="categories"):
        of_lightgbm(lightgbm.train(settings, data, 1), 1)
    linear = lightgbm.train({"verbosity": -1, "linear_tree": True, "num_threads": 1}, lightgbm.Dataset(np.nan_to_num(X), Y), 1)
    with pytest.raises(ValueError, match="linear trees"):
        of_lightgbm(linear, 1)


def test_a_threshold_in_single_precision_is_never_above_the_one_in_double():
    low = np.float32(1)
    high = np.nextafter(low, np.float32(2))
    middle = (float(low) + float(high)) / 2
    left, right, threshold = np.array([1, -1, -1]), np.array([2, -1, -1]), np.array([np.nextafter(middle, 2), 0, 0])
    one = Tree(left, right, np.zeros(3, int), threshold, np.zeros(3, bool), np.zeros((3, 1)))
    assert np.float32(one.threshold[0]) == high
    assert Trees((one,), 1, np.zeros(1), single=True).threshold(one)[0] == low
    assert Trees((one,), 1, np.zeros(1), single=False).threshold(one)[0] == one.threshold[0]


def test_thresholds_near_zero_have_the_effect_of_those_of_lightgbm():
    found = module._lightgbm_thresholds(np.array([0.0, 1e-36, module.ZERO, -1e-36, -module.ZERO, 1.0, 1e300]))
    below = np.nextafter(-module.ZERO, -np.inf)
    np.testing.assert_array_equal(found, [module.ZERO, module.ZERO, module.ZERO, below, below, 1.0, np.inf])


def test_the_trees_inside_any_estimator_are_found():
    assert len(of_any(RandomForestRegressor(3).fit(np.nan_to_num(X), Y)).trees) == 3
    assert len(of_any([DecisionTreeRegressor().fit(X, Y)]).trees) == 1


def test_a_split_of_missing_values_only_has_a_threshold_in_double_precision():
    one = Tree(
        np.array([1, -1, -1]), np.array([2, -1, -1]), np.zeros(3, int), np.array([np.inf, 0, 0]), np.zeros(3, bool), np.zeros((3, 1))
    )
    assert Trees((one,), 1, np.zeros(1), single=True).double_threshold(one)[0] == np.inf
