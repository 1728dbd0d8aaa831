"""Trees as nested cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats
from tutelage.exporters.program.trees import Tree, Trees
from tutelage.exporters.targets.sql.literals import LARGEST, double, exact_number, number, total
from tutelage.exporters.targets.sql.statement import Statement

DEEPEST = 12
"""Largest number of cases inside one another: SQLite's parser takes about 20."""
AT_ONCE = 400
"""Largest number of columns for the answers of trees at a time."""


def trees(statement: Statement, many: Trees, row: Sequence[str]) -> list[str]:
    """The answers of trees, as expressions."""
    sums: list[list[str]] = [[] for _ in range(many.outputs)]
    width = many.trees[0].values.shape[1]
    numbered = list(enumerate(many.trees))
    size = max(1, AT_ONCE // width)
    for start in range(0, len(numbered), size):
        part = numbered[start : start + size]
        values = statement.columns(_values(statement, many, [tree for _, tree in part], row))
        for column, (place, output) in zip(values, ((place, output) for place, _ in part for output in range(width)), strict=True):
            sums[(place * width + output) % many.outputs].append(column)
        sums = [[column] for column in statement.columns([total(terms) if terms else "0e0" for terms in sums])]
    divided = "" if many.divisor == 1 else f" / {number(many.divisor)}"
    return [f"{column}{divided}{f' + {number(start)}' if start else ''}" for (column,), start in zip(sums, many.start, strict=True)]


def _values(statement: Statement, many: Trees, part: list[Tree], row: Sequence[str]) -> list[str]:
    """What each tree adds, as one expression for each number of its leaves."""
    walks = [_Walk(many, tree, row) for tree in part]
    if part[0].values.shape[1] == 1 and all(walk.depth <= DEEPEST for walk in walks):
        return [double(walk.nested(0, DEEPEST, walk.value)) for walk in walks]
    nodes = statement.columns([walk.nested(0, DEEPEST, str) for walk in walks])
    for depth in range(DEEPEST, max(walk.depth for walk in walks), DEEPEST):
        nodes = statement.columns([walk.further(column, depth) for walk, column in zip(walks, nodes, strict=True)])
    found = []
    for walk, column in zip(walks, nodes, strict=True):
        leaves = np.flatnonzero(~walk.tree.inner)
        found += [double(_looked_up(column, leaves, values)) for values in walk.tree.values[leaves].T]
    return found


class _Walk:
    """One tree, and the conditions of its nodes."""

    def __init__(self, many: Trees, tree: Tree, row: Sequence[str]) -> None:
        self.tree = tree
        self.row = row
        self.thresholds = many.double_threshold(tree)
        self.depths = np.zeros(len(tree.left), dtype=int)
        for node in np.flatnonzero(tree.inner):  # a child has a higher number than its parent
            self.depths[[tree.left[node], tree.right[node]]] = self.depths[node] + 1
        self.depth = int(self.depths.max())

    def value(self, leaf: int) -> str:
        """The number of a leaf that has one."""
        return number(self.tree.values[leaf, 0])

    def nested(self, node: int, levels: int, answer: Callable[[int], str]) -> str:
        """The node reached from a node, at most some levels below it, as `answer` writes it."""
        if not self.tree.inner[node] or not levels:
            return answer(node)
        left, right = (self.nested(int(side[node]), levels - 1, answer) for side in (self.tree.left, self.tree.right))
        return f"CASE WHEN {self._goes_left(node)} THEN {left} ELSE {right} END"

    def further(self, column: str, depth: int) -> str:
        """The node reached from the nodes at a depth."""
        starts = np.flatnonzero((self.depths == depth) & self.tree.inner)
        cases = " ".join(f"WHEN {column} = {start} THEN {self.nested(int(start), DEEPEST, str)}" for start in starts)
        return f"CASE {cases} ELSE {column} END" if cases else column

    def _goes_left(self, node: int) -> str:
        cell, threshold = self.row[self.tree.feature[node]], self.thresholds[node]
        gap = bool(self.tree.missing_left[node])
        if np.isposinf(threshold):
            return "1 = 1" if gap else f"{cell} IS NOT NULL"
        test = f"{cell} < {exact_number(-LARGEST)}" if np.isneginf(threshold) else f"{cell} <= {exact_number(threshold)}"
        return f"({test} OR {cell} IS NULL)" if gap else test


def _looked_up(column: str, leaves: NDArray[np.int64], values: Floats) -> str:
    """The value of the leaf that a column names."""
    if len(leaves) == 1 or (values == values[0]).all():
        return number(values[0])
    middle = len(leaves) // 2
    below, above = _looked_up(column, leaves[:middle], values[:middle]), _looked_up(column, leaves[middle:], values[middle:])
    return f"CASE WHEN {column} < {leaves[middle]} THEN {below} ELSE {above} END"
