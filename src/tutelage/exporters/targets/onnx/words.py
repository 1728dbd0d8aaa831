"""The words of texts in ONNX, by operators that onnxruntime adds to the standard."""

from __future__ import annotations

import unicodedata
from itertools import product
from typing import Any

import numpy as np

from tutelage.core.errors import BadInput
from tutelage.exporters.program import operations as op
from tutelage.exporters.targets.onnx.columns import Row
from tutelage.exporters.targets.onnx.graph import DOUBLE, Graph, Value

TOKENS = r"[\p{L}\p{N}_]{2,}"
"""Runs of at least two word characters: what Python's regular expressions call word characters, in the words of RE2."""
DOTTED_I, KELVIN = "\u0130", "\u212a"
TOKENS_OF_CAPITALS = r"(?:[^\P{L}I]|[\p{N}_]){2,}I?|(?:[^\P{L}I]|[\p{N}_])I".replace("I", DOTTED_I)
"""The same before lower case: a capital dotted I ends its token, as its lower case is an i and a dot that is no word character."""
CASES_OF_ASCII, CASES = "C", "C.UTF-8"
"""Locales: the first, of ASCII alone, is on every system; the other on Linux and in browsers."""
MOST_K = 6
"""Number of k in a term up to which each of them is also known as a Kelvin sign, which the locale of ASCII leaves as it is."""


def terms(graph: Graph, row: Row, operation: op.Terms) -> Value:
    """The weights of words and word pairs.

    Raises:
        BadInput: hashed words, or words of which a runtime does not know the lower case.
    """
    vocabulary = operation.vocabulary
    if vocabulary is None:
        raise BadInput("this student cannot be written in ONNX, which has no hashing of words; export it to Python or JavaScript.")
    texts = graph.node("Reshape", row.texts[operation.place].name, graph.places(-1))
    some = graph.constant(np.array(["aa"], dtype=object))  # the operators fail without any text, or without any token
    texts = graph.node("Concat", texts, some, axis=0)
    tokens = _tokens_in_lower_case(graph, texts, _locale(vocabulary)) if operation.lowercase else _tokens(graph, texts, TOKENS)
    counts = graph.node("TfIdfVectorizer", tokens, **_attributes(operation, vocabulary))
    counts = graph.node("Slice", counts, graph.places(0), graph.places(-1), graph.places(0))
    counts = graph.node("Cast", counts, to=DOUBLE)
    return Value(_weighted(graph, operation, counts), DOUBLE, (operation.width,))


def _tokens(graph: Graph, text: str, expression: str) -> str:
    return graph.node("Tokenizer", text, domain="com.microsoft", mark=0, mincharnum=1, pad_value="", tokenexp=expression)


def _tokens_in_lower_case(graph: Graph, text: str, locale: str) -> str:
    """Tokens of the texts; the operator takes them one after another."""
    tokens = _tokens(graph, text, TOKENS_OF_CAPITALS)
    flat = graph.node("Reshape", tokens, graph.places(-1))
    lower = graph.node("StringNormalizer", flat, case_change_action="LOWER", is_case_sensitive=1, locale=locale)
    return graph.node("Reshape", lower, graph.node("Shape", tokens))


def _locale(vocabulary: tuple[str, ...]) -> str:
    if all(term.isascii() and term.count("k") <= MOST_K for term in vocabulary):
        return CASES_OF_ASCII
    if any(_may_end_in_sigma(term) for term in vocabulary):
        raise BadInput(
            "this student of texts cannot be written in ONNX: it knows words with a final sigma, which a runtime does not make from a "
            "capital one. Export it to Python or JavaScript."
        )
    return CASES


def _may_end_in_sigma(term: str) -> bool:
    """Whether the lower case of a capital sigma in a term depends on the letters around it; before a small letter it does not."""
    following = zip(term, f"{term[1:]} ", strict=True)
    return any(one == "\u03c2" or (one == "\u03c3" and unicodedata.category(after) != "Ll") for one, after in following)


def _spellings(term: str) -> list[str]:
    """A term of ASCII, and those that are left of it where capitals beyond ASCII stay as they are."""
    letters = [("k", KELVIN) if letter == "k" else (letter,) for letter in term]
    for place, letter in enumerate(term):
        if letter == "i" and term[place + 1 : place + 2] in ("", " "):
            letters[place] = ("i", DOTTED_I)
    return list(map("".join, product(*letters)))


def _attributes(operation: op.Terms, vocabulary: tuple[str, ...]) -> dict[str, Any]:
    """The vocabulary: terms of one token first, then those of two, and so on; each with its place in the result.

    A term of fewer or more words than are counted together, or of an empty one, occurs in no text: it has a place all the same, and what
    stands for it is no token.
    """
    pools: list[list[str]] = [[] for _ in range(operation.longest)]
    places: list[list[int]] = [[] for _ in range(operation.longest)]
    several = operation.lowercase and _locale(vocabulary) == CASES_OF_ASCII
    for place, term in enumerate(vocabulary):
        found = [spelling.split(" ") for spelling in (_spellings(term) if several else (term,))]
        if not operation.shortest <= len(found[0]) <= operation.longest or "" in found[0]:
            found = [[f" {place}"] * operation.shortest]
        for tokens in found:
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
