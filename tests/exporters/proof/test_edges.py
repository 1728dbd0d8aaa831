import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

import tutelage as tl
from tutelage.exporters.program.build import program_of
from tutelage.exporters.proof.edges import edge_rows
from tutelage.exporters.subject.subject import subject_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3)).astype(np.float32)
TREE = tl.SoftTree(max_leaf_nodes=30, random_state=0).fit(X, RNG.dirichlet(np.ones(2), 200))


def trees_of(student, rows=X):
    return [trees for trees, _ in program_of(*subject_of(student, rows)).split_columns]


def test_every_split_is_reached_on_it_and_on_either_side():
    splits = edge_rows(X, trees_of(TREE))["splits"]
    tree = TREE.tree_.tree_
    passed = tree.decision_path(splits).toarray().astype(bool)
    assert np.isfinite(splits).all()
    for node in np.flatnonzero(tree.children_left != -1):
        feature, threshold = tree.feature[node], np.float32(tree.threshold[node])
        threshold = np.nextafter(threshold, np.float32(-np.inf)) if threshold > tree.threshold[node] else threshold
        here = splits[passed[:, node], feature]
        assert {threshold, np.nextafter(threshold, np.float32(-np.inf)), np.nextafter(threshold, np.float32(np.inf))} <= set(here.tolist())
        assert passed[:, tree.children_left[node]].any()
        assert passed[:, tree.children_right[node]].any()


def test_gaps_reach_every_split_too():
    gaps = edge_rows(X, trees_of(TREE))["missing values"]
    assert np.isnan(gaps).any(axis=1).all()
    tree = TREE.tree_.tree_
    passed = tree.decision_path(gaps).toarray().astype(bool)
    parents = {child: node for side in (tree.children_left, tree.children_right) for node, child in enumerate(side) if child != -1}
    tested = 0
    for node in np.flatnonzero(tree.children_left != -1):
        above, before = node, set()
        while above in parents:
            above = parents[above]
            before.add(tree.feature[above])
        if tree.feature[node] not in before:  # otherwise a gap may have left the path above
            assert np.isnan(gaps[passed[:, node], tree.feature[node]]).any()
            tested += 1
    assert tested >= 3


def test_splits_of_missing_values_only_are_reached():
    rows = np.where(RNG.random(X.shape) < 0.3, np.nan, 1.0)
    student = tl.SoftTree().fit(rows, np.column_stack([np.isnan(rows[:, 0]), ~np.isnan(rows[:, 0])]) * 0.8 + 0.1)
    groups = edge_rows(rows, trees_of(student, rows))
    assert not any(np.isinf(group).any() for name, group in groups.items() if name != "infinite values")
    gaps = groups["missing values"]
    assert len(set(student.tree_.apply(gaps).tolist())) == student.tree_.get_n_leaves()


def test_comparisons_in_double_precision_have_double_neighbours():
    rows = X.astype(np.float64) + 1e-9
    student = HistGradientBoostingRegressor(max_iter=2).fit(rows, rows[:, 0])
    splits = edge_rows(rows, trees_of(student, rows))["splits"]
    threshold = student._predictors[0][0].nodes["num_threshold"][0]
    assert {np.nextafter(threshold, -np.inf), threshold, np.nextafter(threshold, np.inf)} <= set(splits.ravel().tolist())


def test_a_large_student_gets_a_bounded_number_of_rows():
    forest = tl.SoftForest(n_estimators=20, random_state=0).fit(X, RNG.dirichlet(np.ones(2), 200))
    groups = edge_rows(X[:7], trees_of(forest))
    assert len(groups["splits"]) == 3000
    assert sum(map(len, groups.values())) < 10_000


def test_whole_numbers_get_their_bounds_only():
    groups = edge_rows(RNG.integers(3, 9, size=(20, 4)), ())
    assert list(groups) == ["zeros, minima and maxima"]
    np.testing.assert_array_equal(groups["zeros, minima and maxima"][0], 0)


@pytest.mark.parametrize("shape", [(1,), (1, 8, 8), (2000,)])
def test_rows_of_any_shape_get_gaps_infinities_and_extremes(shape):
    groups = edge_rows(RNG.normal(size=(5, *shape)).astype(np.float32), ())
    assert all(group.shape[1:] == shape and group.dtype == np.float32 for group in groups.values())
    axes = tuple(range(1, len(shape) + 1))
    assert np.isnan(groups["missing values"]).any(axis=axes).all()
    assert np.isinf(groups["infinite values"]).any(axis=axes).all()
    assert (np.abs(groups["extreme values"]) == np.finfo(np.float32).max).any()


def test_splits_of_trees_of_pictures_are_reached_too():
    pictures = X.reshape(-1, 3, 1)
    trees = trees_of(TREE)
    found, expected = edge_rows(pictures, trees), edge_rows(X, trees)
    assert found.keys() == expected.keys()
    for name, rows in expected.items():
        np.testing.assert_array_equal(found[name], rows.reshape(-1, 3, 1))
