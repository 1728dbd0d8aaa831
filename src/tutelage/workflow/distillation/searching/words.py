"""The words of all texts of a run, counted once: what the vectorizer of any part of them learns follows from the counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer

Words = tuple[TfidfVectorizer, NDArray[np.intp], TfidfTransformer]
"""A fitted vectorizer, the places of its terms among all, and its weights."""


@dataclass(eq=False)
class WordCounts:
    """How often each text has each term. Counting takes ten times as long as all that follows from the counts.

    Attributes:
        texts: the texts.

    Example:
        >>> texts = ["a cat", "a cat and a dog", "a dog", "the dog"]
        >>> unfitted = TfidfVectorizer(min_df=2)
        >>> counts = WordCounts(texts)
        >>> vectorizer, *_ = words = counts.fitted(unfitted, [0, 1, 2])
        >>> vectorizer.vocabulary_ == TfidfVectorizer(min_df=2).fit(texts[:3]).vocabulary_
        True
        >>> counts.encoded(words, [3]).toarray().tolist()
        [[0.0, 1.0]]
    """

    texts: Sequence[str]
    _counted: tuple[NDArray[Any], sparse.csr_matrix] | None = None
    _lock: Any = field(default_factory=RLock, repr=False)

    def fitted(self, unfitted: TfidfVectorizer, places: Any) -> Words | None:
        """A vectorizer as it is fitted on some of the texts; None if it learns no term of them.

        Args:
            unfitted: with the same analysis of texts at each call.
            places: of the texts.
        """
        terms, counts = self._all(unfitted)
        counts = counts[places]
        kept = np.bincount(counts.indices, minlength=len(terms)) >= unfitted.min_df
        if unfitted.max_features is not None and kept.sum() > unfitted.max_features:
            often = np.asarray(counts.sum(axis=0)).ravel()[kept]
            kept[np.delete(np.flatnonzero(kept), (-often).argsort()[: unfitted.max_features])] = False
        chosen = np.flatnonzero(kept)
        if not len(chosen):
            return None
        found, settings = clone(unfitted), unfitted.get_params()
        weights = TfidfTransformer(**{name: settings[name] for name in ("norm", "use_idf", "smooth_idf", "sublinear_tf")})
        weights.fit(counts[:, chosen])
        found.vocabulary_ = {term: place for place, term in enumerate(terms[chosen].tolist())}
        found.idf_ = weights.idf_
        return found, chosen, weights

    def encoded(self, words: Words, places: Any) -> sparse.csr_matrix:
        """Some of the texts as the vectorizer transforms them, (texts, terms)."""
        vectorizer, chosen, weights = words
        _, counts = self._all(vectorizer)
        return sparse.csr_matrix(weights.transform(counts[places][:, chosen]))

    def _all(self, like: TfidfVectorizer) -> tuple[NDArray[Any], sparse.csr_matrix]:
        """All terms, in order, and how often each text has them."""
        with self._lock:
            if self._counted is None:
                counter = clone(like).set_params(max_features=None, min_df=1)
                counts = CountVectorizer.fit_transform(counter, self.texts)  # without the weights of the vectorizer
                self._counted = counter.get_feature_names_out(), sparse.csr_matrix(counts)
            return self._counted
