"""Edge rows: where an exported file is most likely to answer otherwise than its student."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats
from tutelage.core.stored.tree_nodes import LEAF
from tutelage.exporters.program.trees import Tree, Trees

SPLITS = 1000
"""Largest number of splits of a student that edge rows are made for."""
GAPS = 1000
"""Largest number of rows with missing values, of up to `WIDE` numbers each; and the number of odd cells of other rows."""
WIDE, ODD = 1000, 50
SQUARED = 1e20
"""A number whose square is beyond single precision."""
BLANKED = 0.3
"""Share of the cells that are missing in every second row with missing values."""

MISSING, INFINITE, EXTREME = "missing values", "infinite values", "extreme values"


def edge_rows(rows: NDArray[np.number], trees: Sequence[Trees]) -> dict[str, NDArray[np.number]]:
    """Groups of edge rows by name.

    The student may refuse a group, such as missing values; then a file that answers them proves nothing and is not asked.

    Args:
        rows: (rows, ...) ordinary rows. Whole numbers are ids, and get no other edges than their smallest and largest.
        trees: the trees of the student that read these rows as they come; a feature below 0 is none of their columns.

    Returns:
        For each name (rows, ...) of the dtype of `rows`.
    """
    bounds = np.stack([np.zeros_like(rows[0]), _lowest(rows), _largest(rows)])
    groups = {"zeros, minima and maxima": bounds}
    if rows.dtype.kind != "f":
        return groups
    with np.errstate(over="ignore"):
        groups["rows a thousand times as large"] = rows[:10] * rows.dtype.type(1000)
    at_splits = _at_splits(rows.reshape(len(rows), -1), trees).reshape(-1, *rows.shape[1:])
    gaps = np.isnan(at_splits).any(axis=tuple(range(1, at_splits.ndim)))
    groups["splits"] = at_splits[~gaps]
    groups[MISSING] = np.concatenate([_with_gaps(rows), at_splits[gaps]])
    groups[INFINITE] = _with_odd_cells(rows, (np.inf, -np.inf))
    limits = [np.finfo(kind) for kind in (np.float32, np.float64) if np.dtype(kind).itemsize <= rows.dtype.itemsize]
    odd = [
        -0.0,
        *(sign * SQUARED for sign in (1.0, -1.0)),
        *(sign * float(value) for limit in limits for value in (limit.max, limit.tiny, limit.smallest_subnormal) for sign in (1, -1)),
    ]
    groups[EXTREME] = _with_odd_cells(rows, odd)
    return groups


def _lowest(rows: NDArray[np.number]) -> NDArray[np.number]:
    return np.asarray(np.fmin.reduce(rows, axis=0))


def _largest(rows: NDArray[np.number]) -> NDArray[np.number]:
    return np.asarray(np.fmax.reduce(rows, axis=0))


def _with_gaps(rows: NDArray[np.number]) -> NDArray[np.number]:
    """Rows with one missing cell, each column in turn; with several; and one with all."""
    width = rows[0].size
    count = GAPS if width <= WIDE else ODD
    single, several = rows[np.arange(count) % len(rows)].copy(), rows[np.arange(count) % len(rows)].copy()
    single.reshape(count, -1)[np.arange(count), np.arange(count) % width] = np.nan
    several[np.random.default_rng(0).random(several.shape) < BLANKED] = np.nan
    several.reshape(count, -1)[np.arange(count), np.arange(count) % width] = np.nan
    return np.concatenate([np.full_like(rows[:1], np.nan), single, several])


def _with_odd_cells(rows: NDArray[np.number], values: Sequence[float]) -> NDArray[np.number]:
    """Rows with one cell of such a value, in columns spread over the row."""
    width = rows[0].size
    columns = np.unique(np.linspace(0, width - 1, min(width, ODD), dtype=int))
    odd = rows[np.arange(len(columns) * len(values)) % len(rows)].copy()
    with np.errstate(over="ignore", under="ignore"):
        odd.reshape(len(odd), -1)[np.arange(len(odd)), np.repeat(columns, len(values))] = np.tile(values, len(columns))
    return odd


def _at_splits(rows: NDArray[np.number], trees: Sequence[Trees]) -> NDArray[np.number]:
    """Rows that reach a split, on it, on either side of it, and with a gap there; splits are spread over all trees."""
    places = [(many, tree, int(node)) for many in trees for tree in many.trees for node in np.flatnonzero(tree.inner & (tree.feature >= 0))]
    chosen = [places[place] for place in np.linspace(0, len(places) - 1, min(SPLITS, len(places)), dtype=int)] if places else []
    parents: dict[int, NDArray[np.int64]] = {}
    made: list[NDArray[np.number]] = []
    for number, (many, tree, node) in enumerate(chosen):
        if id(tree) not in parents:
            parents[id(tree)] = _parents(tree)
        row = rows[number % len(rows)].copy()
        _lead_to(row, many, tree, node, parents[id(tree)])
        threshold = many.threshold(tree)[node]
        if not np.isfinite(threshold):  # it separates missing values from all others
            made.append(row)
            continue
        kind = np.float32 if many.single else np.float64
        near = [np.nextafter(kind(threshold), kind(-np.inf)), threshold, np.nextafter(kind(threshold), kind(np.inf)), np.nan]
        if many.single and rows.dtype == np.float64:  # where the nearest float32 changes
            limit = many.double_threshold(tree)[node]
            near += [limit, np.nextafter(limit, np.inf)]
        for value in near:
            tied = row.copy()
            tied[tree.feature[node]] = value
            made.append(tied)
    return np.stack(made) if made else rows[:0]


def _parents(tree: Tree) -> NDArray[np.int64]:
    """(nodes,) the parent of each node; `LEAF` for the root."""
    parents = np.full(len(tree.left), LEAF, dtype=np.int64)
    inner = np.flatnonzero(tree.inner)
    parents[tree.left[inner]] = parents[tree.right[inner]] = inner
    return parents


def _lead_to(row: Floats, many: Trees, tree: Tree, node: int, parents: NDArray[np.int64]) -> None:
    """Change the cells of a row so that it reaches a node."""
    kind = np.float32 if many.single else np.float64
    thresholds = many.threshold(tree)
    low: dict[int, float] = {}
    high: dict[int, float] = {}
    while parents[node] != LEAF:
        parent = int(parents[node])
        feature, threshold = int(tree.feature[parent]), kind(thresholds[parent])
        if feature < 0:  # it is computed from the row, such as a code: the row goes where it goes
            node = parent
            continue
        if tree.left[parent] == node:
            largest = np.nextafter(threshold, kind(-np.inf)) if many.strict else threshold
            high[feature] = min(high.get(feature, np.inf), float(largest))
        else:
            smallest = threshold if many.strict else np.nextafter(threshold, kind(np.inf))
            low[feature] = max(low.get(feature, -np.inf), float(smallest))
        node = parent
    for feature, value in low.items():
        if np.isposinf(value):
            row[feature] = np.nan
        elif not row[feature] >= value:
            row[feature] = value
    for feature, value in high.items():
        if not np.isposinf(low.get(feature, 0.0)) and not row[feature] <= value:
            row[feature] = 0.0 if np.isposinf(value) else value  # a gap, where any number goes left
