import numpy as np
import pytest

from tutelage.core.stored.tree_nodes import LEAF
from tutelage.exporters.program.tree_tables import TreeTables
from tutelage.exporters.program.trees import Tree, Trees

TOP = float(np.finfo(np.float32).max)


def stump(threshold, *, strict=False, single=True):
    one = Tree(
        np.array([1, LEAF, LEAF]), np.array([2, LEAF, LEAF]), np.array([0, -2, -2]), np.array([threshold, 0, 0.0]),
        np.array([True, False, False]), np.array([[0.0], [1.0], [2.0]]),
    )  # fmt: skip
    return Trees((one,), 1, np.zeros(1), single=single, strict=strict)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    "threshold", [0.0, 1.0, 1 / 3, -2.5, 1e-45, 3e-39, TOP, -TOP, np.inf, float(np.nextafter(np.float32(1), np.float32(2)))]
)
def test_doubles_go_where_their_nearest_float32_goes(threshold, strict):
    trees = stump(threshold, strict=strict)
    limit = trees.double_threshold(trees.trees[0])[0]
    single = np.float32(trees.threshold(trees.trees[0])[0])
    with np.errstate(over="ignore"):
        near = [np.nextafter(single, np.float32(way)) for way in (-np.inf, np.inf)] + [single]
        middles = [(float(a) + float(b)) / 2 for a in near for b in near if np.isfinite(a) and np.isfinite(b)]
        cells = np.array(
            [*near, *middles, 0.0, -0.0, TOP, -TOP, TOP + 2.0**103, TOP + 2.0**102, 1e300, -1e300, np.inf, -np.inf], dtype=np.float64
        )
        cells = np.concatenate([cells, np.nextafter(cells, np.inf), np.nextafter(cells, -np.inf)])
        rounded = cells.astype(np.float32)
    expected = rounded < single if strict else rounded <= single
    np.testing.assert_array_equal(cells <= limit, expected)


def test_only_what_rounds_to_minus_infinity_is_at_most_minus_infinity():
    trees = stump(-np.inf)
    assert trees.double_threshold(trees.trees[0])[0] == -TOP - 2.0**103


@pytest.mark.parametrize("strict", [False, True])
def test_thresholds_of_double_trees_stay(strict):
    trees = stump(0.1, strict=strict, single=False)
    limit = trees.double_threshold(trees.trees[0])[0]
    assert limit == (np.nextafter(0.1, -1) if strict else 0.1)


def test_tables_hold_each_leaf_once_and_name_children_by_position():
    tables = TreeTables.of(Trees((*stump(0.5).trees, *stump(1.5).trees), 2, np.zeros(2), single=True))
    assert tables.roots.tolist() == [0, 1]
    assert tables.left.tolist() == [-1, -3]
    assert tables.right.tolist() == [-2, -4]
    assert tables.first.tolist() == [0, 1]
    assert tables.leaves[:, 0].tolist() == [1, 2, 1, 2]
    assert TreeTables.of(stump(0.1, strict=True), single=True).threshold[0] < np.float32(0.1)
