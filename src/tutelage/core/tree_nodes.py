"""Proof that the nodes of a tree point inside it, for the engines that walk trees do not look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.tree._tree import Tree

LEAF = -1


def points_inside(left: ArrayLike, right: ArrayLike, feature: ArrayLike, *, features: int) -> bool:
    """Whether every inner node has two children further on and a feature that is there.

    Args:
        left: (nodes,) the left child of each node, `LEAF` for a leaf.
        right: (nodes,) the right child.
        feature: (nodes,) the feature that an inner node asks for; anything for a leaf.
        features: how many there are.
    """
    lefts, rights, asked = np.asarray(left), np.asarray(right), np.asarray(feature)
    if not len(lefts) == len(rights) == len(asked) > 0:
        return False
    nodes = np.arange(len(lefts))
    leaf = lefts == LEAF
    inner = ~leaf
    return (
        bool((rights[leaf] == LEAF).all())
        and all(bool((child[inner] > nodes[inner]).all() and (child[inner] < len(nodes)).all()) for child in (lefts, rights))
        and bool((asked[inner] >= 0).all() and (asked[inner] < features).all())
    )


def sound_tree(tree: Tree) -> bool:
    """Whether a tree of scikit-learn points inside itself."""
    sound = points_inside(tree.children_left, tree.children_right, tree.feature, features=tree.n_features)
    return sound and len(tree.children_left) == tree.node_count == len(tree.value)


def trees_in(value: Any, _seen: set[int] | None = None) -> Iterator[Tree]:
    """Every tree of scikit-learn that an estimator holds, however deep: in a forest, a pipeline, a student's student."""
    seen = set() if _seen is None else _seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Tree):
        yield value
        return
    for part in _parts(value):
        yield from trees_in(part, seen)


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple | set):
        return list(value)
    if isinstance(value, np.ndarray):
        return value.ravel().tolist() if value.dtype == object else []
    return list(vars(value).values()) if hasattr(value, "__dict__") and not isinstance(value, type) else []
