"""How texts become the counts and the weights of their words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer

from tutelage.core.errors import BadInput, shown
from tutelage.exporters.program.lowering import Columns, Lower, Lowering, Value
from tutelage.exporters.program.operations import Terms

TOKENS = r"(?u)\b\w\w+\b"
"""scikit-learn's own pattern of a token: the only one that is written."""


def _counts(program: Lowering, model: CountVectorizer | HashingVectorizer, rows: Value) -> Value:
    """Counts of the terms of a vocabulary, or of hashed terms."""
    name = type(model).__name__
    if not isinstance(rows, Columns) or len(rows.places) != 1 or program.inputs[rows.places[0]].kind != "text":
        raise BadInput(f"a {name} that does not read one column of texts cannot be exported; expected one on the texts of the rows.")
    _check(model, name)
    shortest, longest = (int(length) for length in model.ngram_range)
    place, norm, signed = program.place(rows.places[0]), None, False
    if isinstance(model, HashingVectorizer):
        vocabulary, width, norm, signed = None, int(model.n_features), model.norm, bool(model.alternate_sign)
    else:
        found = sorted((int(place), str(term)) for term, place in model.vocabulary_.items())
        vocabulary, width = tuple(term for _, term in found), len(found)
    lowercase, binary = bool(model.lowercase), bool(model.binary)
    return program.then(Terms(place, vocabulary, width, shortest, longest, lowercase, binary, False, None, norm, signed))


def _check(model: CountVectorizer | HashingVectorizer, name: str) -> None:
    """Refuse settings that are not written."""
    refused = {
        "input": model.input != "content",
        "analyzer": model.analyzer != "word",
        "preprocessor": model.preprocessor is not None,
        "tokenizer": model.tokenizer is not None,
        "strip_accents": model.strip_accents is not None,
        "token_pattern": model.token_pattern != TOKENS,
        "stop_words": not _needs_no_stop_words(model),
    }
    found = next((setting for setting, wrong in refused.items() if wrong), None)
    if found is not None:
        raise BadInput(
            f"a {name} with {found}={shown(getattr(model, found))} cannot be exported; expected scikit-learn's default"
            + (", or a vocabulary of single words." if found == "stop_words" else ".")
        )


def _needs_no_stop_words(model: CountVectorizer | HashingVectorizer) -> bool:
    """Whether the vocabulary alone leaves out the stop words: it holds single words, and none of them."""
    stop_words = model.get_stop_words()
    if stop_words is None:
        return True
    return isinstance(model, CountVectorizer) and tuple(model.ngram_range) == (1, 1) and not stop_words & set(model.vocabulary_)


def _tfidf(program: Lowering, model: TfidfVectorizer, rows: Value) -> Value:
    return _weights(program, model._tfidf, _counts(program, model, rows))


def _weights(program: Lowering, model: TfidfTransformer, rows: Value) -> Value:
    """Weights of terms that were just counted."""
    terms = program.steps[rows].operation if isinstance(rows, int) and rows == len(program.steps) - 1 else None
    if not isinstance(terms, Terms) or terms.norm is not None or terms.weights is not None or terms.sublinear:
        raise BadInput(
            "a TfidfTransformer cannot be exported unless it follows a CountVectorizer, or a HashingVectorizer with norm=None, directly."
        )
    if model.sublinear_tf and terms.signed:
        raise BadInput("a TfidfTransformer with sublinear_tf after hashing with alternate_sign cannot be exported: counts may be negative.")
    idf = np.asarray(model.idf_, dtype=np.float64) if model.use_idf else None
    program.steps.pop()
    return program.then(replace(terms, sublinear=bool(model.sublinear_tf), weights=idf, norm=model.norm))


TEXTS: dict[type, Lower] = {
    TfidfVectorizer: _tfidf,
    CountVectorizer: _counts,
    HashingVectorizer: _counts,
    TfidfTransformer: _weights,
}
