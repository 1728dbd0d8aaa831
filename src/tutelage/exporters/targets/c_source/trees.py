"""Trees in C: tables of their nodes and leaves, and a loop that walks them."""

from __future__ import annotations

import re

import numpy as np

from tutelage.exporters.program import operations as op
from tutelage.exporters.program.tree_tables import TreeTables
from tutelage.exporters.targets.c_source.literals import integer_type, real
from tutelage.exporters.targets.c_source.source import Place, Source


def trees(source: Source, operation: op.TreeSum, to: Place, x: Place, places: tuple[int, ...] | None) -> None:
    """Write trees.

    Args:
        source: the file.
        operation: the trees.
        to: where their answers go.
        x: the numbers that they read.
        places: for each feature, its position among these numbers; None for the same.
    """
    many = operation.trees
    tables = TreeTables.of(many, single=x.kind == "float")
    inner, leaves = (np.array([count(tree.inner) for tree in many.trees]) for count in (np.sum, lambda inner: np.sum(~inner)))
    first_node, first_leaf = (np.concatenate([[0], np.cumsum(each)[:-1]]) for each in (inner, leaves))
    tree_of = np.repeat(np.arange(len(many.trees)), inner)
    children = [np.where(side < 0, side + first_leaf[tree_of], side - first_node[tree_of]) for side in (tables.left, tables.right)]
    feature = tables.feature if places is None else np.array(places, dtype=np.int64)[tables.feature]
    feature = 2 * feature + tables.missing_left
    name, child = f"@{source.name()}", integer_type(np.concatenate([[-1], *children]))
    words = {"NAME": name, "REAL": x.kind, "CHILD": child, "FEATURE": integer_type(feature)}
    source.constants.append(source.text(_filled(_NODE, words)))
    nodes = [
        f"{{{real(threshold, x.kind)}, {left}, {right}, {place}}}"
        for threshold, left, right, place in zip(tables.threshold, *children, feature, strict=True)
    ]
    starts = [f"{{{node}, {leaf}, {first}}}" for node, leaf, first in zip(first_node, first_leaf, tables.first, strict=True)]
    words["NODES"] = source.items(source.text(f"{name}_node"), nodes or ["{0, -1, -1, 0}"])
    words["STARTS"] = source.items(source.text(f"{name}_tree"), starts)
    words["LEAVES"] = source.reals(tables.leaves)
    words["BEGIN"] = "0"
    if not inner.all():  # a tree of one leaf has no node to begin at
        words["BEGIN"] = f"{source.integers(inner > 0)}[t] ? 0 : -1"
    width = tables.leaves.shape[1]
    words["ADD"] = "y[tree.first] += *leaf;" if width == 1 else f"for (int i = 0; i < {width}; ++i) y[tree.first + (uint32_t)i] += leaf[i];"
    words |= {"WIDTH": str(width), "OUTPUTS": str(many.outputs), "TREES": str(len(many.trees))}
    source.constants.append(source.text(_filled(_WALK, words)))
    source.line(f"{name}({x.pointer}, {to.pointer});")
    ends = []
    if many.divisor != 1:
        ends.append(f" / {real(many.divisor, source.number)}")
    if many.start.any():
        ends.append(f" + {source.reals(many.start)}[i]")
    if ends:
        source.each(to, many.outputs, to.item("i") + "".join(ends))


def _filled(template: str, words: dict[str, str]) -> str:
    """A template with its words in capitals filled in."""
    return re.sub(r"NAME|\b[A-Z]{3,}\b", lambda found: words.get(found[0], found[0]), template)


_NODE = """
/* A node sends a row left where its number is at most the threshold, or missing (NaN) and the feature odd; the number is that at
   feature / 2. A child below zero is a leaf: -1 the first of its tree, -2 the second. */
typedef struct {
    REAL threshold;
    CHILD left, right;
    FEATURE feature;
} NAME_node;
/* The first node and the first leaf of a tree, and the first answer that it adds to. */
typedef struct {
    uint32_t node, leaf, first;
} NAME_tree;
"""
_WALK = """
/* Adds up the leaves that a row reaches. */
static void NAME(const REAL *x, @number *y) {
    for (int i = 0; i < OUTPUTS; ++i) y[i] = $0.0;
    for (int t = 0; t < TREES; ++t) {
        const NAME_tree tree = STARTS[t];
        const NAME_node *nodes = NODES + tree.node;
        int place = BEGIN;
        while (place >= 0) {
            const NAME_node node = nodes[place];
            const REAL cell = x[node.feature >> 1];
            const int left = (cell <= node.threshold) | ((cell != cell) & (node.feature & 1));
            place = left ? node.left : node.right;
        }
        const @number *leaf = LEAVES + (tree.leaf + (uint32_t)(-1 - place)) * WIDTH;
        ADD
    }
}
"""
