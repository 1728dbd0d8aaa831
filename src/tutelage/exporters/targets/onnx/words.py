"""The words of texts in ONNX, by operators that onnxruntime adds to the standard."""

from __future__ import annotations

from typing import Any

import numpy as np

from tutelage.core.errors import BadInput
from tutelage.exporters.program import operations as op
from tutelage.exporters.targets.onnx.columns import Row
from tutelage.exporters.targets.onnx.graph import DOUBLE, Graph, Value

TOKENS = r"[\p{L}\p{N}_]{2,}"
"""Runs of at least two word characters: what Python's regular expressions call word characters, in the words of RE2."""
FINAL_SIGMA = "\u03c2"
CASES_OF_ASCII, CASES = "C", "C.UTF-8"
"""Locales: the first, of ASCII alone, is on every system; the other on Linux and in browsers."""


def terms(graph: Graph, row: Row, operation: op.Terms) -> Value:
    """The weights of words and word pairs.

    Raises:
        BadInput: hashed words, or words of which a runtime does not know the lower case.
    """
    vocabulary = operation.vocabulary
    if vocabulary is None:
        raise BadInput("this student cannot be written in ONNX, which has no hashing of words; export it to Python or JavaScript.")
    text = graph.node("Reshape", row.texts[operation.place].name, graph.places(-1))
    if operation.lowercase:
        text = graph.node("StringNormalizer", text, case_change_action="LOWER", is_case_sensitive=1, locale=_locale(vocabulary))
    tokens = graph.node("Tokenizer", text, domain="com.microsoft", mark=0, mincharnum=1, pad_value="", tokenexp=TOKENS)
    counts = graph.node("Cast", graph.node("TfIdfVectorizer", tokens, **_attributes(operation, vocabulary)), to=DOUBLE)
    return Value(_weighted(graph, operation, counts), DOUBLE, (operation.width,))


def _locale(vocabulary: tuple[str, ...]) -> str:
    if all(term.isascii() for term in vocabulary):
        return CASES_OF_ASCII
    if any(FINAL_SIGMA in term for term in vocabulary):
        raise BadInput(
            "this student of texts cannot be written in ONNX: it knows words with a final sigma, which a runtime does not make from a "
            "capital one. Export it to Python or JavaScript."
        )
    return CASES


def _attributes(operation: op.Terms, vocabulary: tuple[str, ...]) -> dict[str, Any]:
    """The vocabulary: terms of one token first, then those of two, and so on; each with its place in the result."""
    pools: list[list[str]] = [[] for _ in range(operation.longest)]
    places: list[list[int]] = [[] for _ in range(operation.longest)]
    for place, term in enumerate(vocabulary):
        tokens = term.split(" ")
        pools[len(tokens) - 1] += tokens
        places[len(tokens) - 1].append(place)
    return {
        "mode": "TF",
        "min_gram_length": operation.shortest,
        "max_gram_length": operation.longest,
        "max_skip_count": 0,
        "ngram_counts": np.cumsum([0, *map(len, pools)])[:-1].tolist(),
        "ngram_indexes": [place for of_length in places for place in of_length],
        "pool_strings": [token for pool in pools for token in pool],
    }


def _weighted(graph: Graph, operation: op.Terms, counts: str) -> str:
    if operation.binary:
        counts = graph.node("Min", counts, graph.constant(np.float64(1.0)))
    if operation.sublinear:
        logs = graph.node("Add", graph.node("Log", counts), graph.constant(np.float64(1.0)))
        counts = graph.node("Where", graph.node("Greater", counts, graph.constant(np.float64(0.0))), logs, counts)
    if operation.weights is not None:
        counts = graph.node("Mul", counts, graph.numbers(operation.weights, DOUBLE))
    if operation.norm is None:
        return counts
    sizes = graph.node("Mul", counts, counts) if operation.norm == "l2" else graph.node("Abs", counts)
    total = graph.reduced("ReduceSum", sizes, 1, keep=True)
    total = graph.node("Sqrt", total) if operation.norm == "l2" else total
    empty = graph.node("Equal", total, graph.constant(np.float64(0.0)))
    return graph.node("Div", counts, graph.node("Where", empty, graph.constant(np.float64(1.0)), total))
