"""How texts become the weights of their words."""

from __future__ import annotations

from sklearn.feature_extraction.text import TfidfVectorizer

from tutelage.core.errors import BadInput
from tutelage.exporters.program.lowering import Lower, Lowering, Value


def _tfidf(program: Lowering, model: TfidfVectorizer, rows: Value) -> Value:
    raise BadInput("a student of texts cannot be exported; expected numeric columns. Serve it from its folder.")


TEXTS: dict[type, Lower] = {TfidfVectorizer: _tfidf}
