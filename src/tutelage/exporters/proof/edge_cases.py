"""The rows of a comparison: ordinary ones, made ones, and edge cases in every kind of column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tutelage.exporters.program.operations import Category, Terms
from tutelage.exporters.program.program import Program
from tutelage.exporters.program.trees import Trees
from tutelage.exporters.proof.edges import edge_rows
from tutelage.exporters.subject.check_rows import CheckRows

ROWS = 10_000
"""Rows that are compared, besides the edge cases."""
SPELLED = 30
"""Largest number of words of a vocabulary that are each given in another spelling."""
KNOWN = 200
"""Largest number of known categories of a column that are each given to the file."""
MISSING_TEXT, UNSEEN, EMPTY, SPELLINGS = "missing texts", "unseen categories", "empty texts", "words in other spellings"
_ODD_TEXTS = (
    *("?", " ", "\t\n", "a", "zz top", "Grüße, ÄÖÜ ß", "I\u0307stanbul \u0130", "日本語 テキスト", "naïve café", "1e5", "x" * 300),
    *("'\"\\`${}", "\U0001f642 ok", "\ufb01_1"),
)
_SPELLINGS: tuple[Callable[[str], str], ...] = (
    *(str.upper, str.title, lambda word: f"\u0130{word}", lambda word: f"{word}\u0130", lambda word: f"{word}-{word}_{word}1"),
    *(lambda word: word.replace("i", "\u0130"), lambda word: word.replace("k", "\u212a"), lambda word: word.replace("\u00df", "\u1e9e")),
    *(lambda word: word.replace("\u03c2", "\u03c3"), lambda word: word.replace("\u03c3", "\u03a3").replace("\u03c2", "\u03a3")),
)
"""Capitals whose lower case is peculiar, and words that are joined."""


def ordinary_rows(rows: CheckRows, most: int | None = None) -> CheckRows:
    """`most` or `ROWS` rows: some of the given ones, evenly chosen, or all and others whose cells are drawn column by column."""
    count, expected = len(rows), ROWS if most is None else most
    if count >= expected:
        return rows[np.unique(np.linspace(0, count - 1, expected, dtype=np.int64))]
    random = np.random.default_rng(0)
    missing = expected - count
    flat = rows.numbers.reshape(count, -1)
    numbers = np.empty((missing, flat.shape[1]), dtype=flat.dtype)
    for column in range(flat.shape[1]):
        numbers[:, column] = flat[random.integers(count, size=missing), column]
    texts = np.empty((missing, rows.texts.shape[1]), dtype=object)
    for column in range(texts.shape[1]):
        texts[:, column] = rows.texts[random.integers(count, size=missing), column]
    return rows.followed_by(CheckRows(numbers.reshape(missing, *rows.numbers.shape[1:]), texts))


def edge_cases(rows: CheckRows, program: Program) -> dict[str, CheckRows]:
    """Groups of edge cases by name; the student may refuse a group.

    Args:
        rows: ordinary rows.
        program: what the student computes.
    """
    groups: dict[str, CheckRows] = {}
    if rows.numbers[0].size:
        for name, group in edge_rows(rows.numbers, [_on_row(trees, places) for trees, places in program.split_columns]).items():
            groups[name] = CheckRows(group, rows.texts[np.arange(len(group)) % len(rows)])
    for column in range(rows.texts.shape[1]):
        known = _known(program, column)
        cells: dict[str, Sequence[str | None]] = {
            MISSING_TEXT: [None],
            EMPTY: [""],
            UNSEEN: [*_ODD_TEXTS, *_near(known)],
            "known categories": known,
            SPELLINGS: _spelled(program, column),
        }
        for name, values in cells.items():
            made = _with_texts(rows, column, values)
            groups[name] = made if name not in groups else groups[name].followed_by(made)
    return groups


def _on_row(trees: Trees, places: tuple[int, ...]) -> Trees:
    """The trees with the positions of their features among the numbers of the row; -1 for a feature that is none of them."""
    features = np.array(places)
    return replace(trees, trees=tuple(replace(tree, feature=features[np.where(tree.inner, tree.feature, 0)]) for tree in trees.trees))


def _known(program: Program, column: int) -> list[str]:
    for step in program.steps:
        operation = step.operation
        if isinstance(operation, Category) and operation.of_text and operation.place == column:
            return list(operation.levels[:KNOWN])
        if isinstance(operation, Terms) and operation.place == column:
            return list(operation.vocabulary[:KNOWN]) if operation.vocabulary else []
    return []


def _near(known: list[str]) -> list[str]:
    """Texts that are almost a category."""
    return [
        text for level in known[:10] for text in (f" {level}", f"{level} ", level.upper(), level.lower(), level[:-1]) if text not in known
    ]


def _spelled(program: Program, column: int) -> list[str]:
    """Words of a vocabulary, and pairs of them, in other spellings."""
    operations = [step.operation for step in program.steps]
    words = [word for one in operations if isinstance(one, Terms) and one.place == column for word in one.vocabulary or ()]
    spelled = []
    for change in _SPELLINGS:
        changed = [other for word in words if (other := change(word)) != word]
        spelled += changed[:: len(changed) // SPELLED + 1]
    return [*spelled, *map(" ".join, pairwise(spelled))]


def _with_texts(rows: CheckRows, column: int, values: Sequence[str | None]) -> CheckRows:
    """For each value, a row that has it in a column."""
    places: NDArray[np.int64] = np.arange(len(values)) % len(rows)
    made = rows[places]
    texts = made.texts.copy()
    for number, value in enumerate(values):
        texts[number, column] = value
    return CheckRows(made.numbers, texts)
