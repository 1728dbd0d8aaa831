"""Validation of tree nodes: the engines that traverse trees do not check that indices are within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from sklearn.tree._tree import Tree

LEAF = -1

Kind = TypeVar("Kind")


def points_inside(left: ArrayLike, right: ArrayLike, feature: ArrayLike, *, features: int) -> bool:
    """Whether every inner node has two children of its own, within bounds, and a valid feature; a walk from the root then ends.

    Args:
        left: (nodes,) index of the left child of each node, `LEAF` for a leaf.
        right: (nodes,) index of the right child.
        feature: (nodes,) index of the feature that an inner node tests; any value for a leaf.
        features: the number of features.
    """
    lefts, rights, tested = np.asarray(left), np.asarray(right), np.asarray(feature)
    if not len(lefts) == len(rights) == len(tested) > 0:
        return False
    leaf = lefts == LEAF
    inner = ~leaf
    children = np.concatenate([lefts[inner], rights[inner]])
    return (
        bool((rights[leaf] == LEAF).all())
        and bool(((children > 0) & (children < len(lefts))).all())
        and len(np.unique(children)) == len(children)
        and bool((tested[inner] >= 0).all() and (tested[inner] < features).all())
    )


def sound_tree(tree: Tree) -> bool:
    """Whether all indices in a scikit-learn tree are within bounds."""
    sound = points_inside(tree.children_left, tree.children_right, tree.feature, features=tree.n_features)
    return sound and len(tree.children_left) == tree.node_count == len(tree.value)


def trees_in(value: Any) -> Iterator[Tree]:
    """Every scikit-learn tree in an estimator, at any depth: in a forest, a pipeline, or a student inside a student."""
    from sklearn.tree._tree import Tree

    return instances_in(value, Tree)


def instances_in(value: Any, kind: type[Kind], _seen: set[int] | None = None) -> Iterator[Kind]:
    """Every object of a kind in an estimator, at any depth."""
    seen = set() if _seen is None else _seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, kind):
        yield value
        return
    for part in _parts(value):
        yield from instances_in(part, kind, seen)


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple | set):
        return list(value)
    if isinstance(value, np.ndarray):
        return value.ravel().tolist() if value.dtype == object else []
    return list(vars(value).values()) if hasattr(value, "__dict__") and not isinstance(value, type) else []
