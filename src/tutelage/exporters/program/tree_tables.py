"""Trees as flat tables, for languages that walk them in a loop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats, Integers
from tutelage.exporters.program.trees import Tree, Trees


@dataclass(frozen=True, eq=False)
class TreeTables:
    """All inner nodes of some trees one after another, and all leaves.

    A number of a child that is below zero is a leaf: -1 is leaf 0, -2 leaf 1, and so on. A row goes left where its cell is at most the
    threshold, or missing and `missing_left`.

    Attributes:
        roots: (trees,) the root of each tree, as a child.
        feature, left, right: (inner nodes,)
        threshold: (inner nodes,) for numbers in double precision, or in single precision if the row is given in it.
        missing_left: (inner nodes,)
        leaves: (leaves, width) what each adds to the answers.
        first: (trees,) the first answer to which a tree adds.
    """

    roots: Integers
    feature: Integers
    left: Integers
    right: Integers
    threshold: NDArray[np.floating]
    missing_left: NDArray[np.bool_]
    leaves: Floats
    first: Integers

    @classmethod
    def of(cls, trees: Trees, *, single: bool = False) -> TreeTables:
        """The tables of some trees.

        Args:
            trees: the trees.
            single: whether rows are given in single precision.
        """
        inner_before = np.cumsum([0, *(int(tree.inner.sum()) for tree in trees.trees)])
        leaves_before = np.cumsum([0, *(int((~tree.inner).sum()) for tree in trees.trees)])
        left, right, roots = [], [], []
        for place, tree in enumerate(trees.trees):
            inner = tree.inner
            name = np.where(inner, np.cumsum(inner) - 1 + inner_before[place], -(np.cumsum(~inner) + leaves_before[place]))
            left.append(name[tree.left[inner]])
            right.append(name[tree.right[inner]])
            roots.append(name[0])
        threshold = np.concatenate([_threshold(trees, tree, single)[tree.inner] for tree in trees.trees])
        return cls(
            np.array(roots, dtype=np.int64),
            np.concatenate([tree.feature[tree.inner] for tree in trees.trees]).astype(np.int64),
            np.concatenate(left).astype(np.int64),
            np.concatenate(right).astype(np.int64),
            threshold.astype(np.float32) if single else threshold,
            np.concatenate([tree.missing_left[tree.inner] for tree in trees.trees]),
            np.concatenate([tree.values[~tree.inner] for tree in trees.trees]),
            (np.arange(len(trees.trees)) * trees.trees[0].values.shape[1]) % trees.outputs,
        )


def _threshold(trees: Trees, tree: Tree, single: bool) -> NDArray[np.floating]:
    if not single:
        return trees.double_threshold(tree)
    threshold = trees.threshold(tree).astype(np.float32)
    return np.nextafter(threshold, np.float32(-np.inf)) if trees.strict else threshold
