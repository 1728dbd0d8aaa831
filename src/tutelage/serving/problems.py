"""What went wrong, as one sentence in JSON (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response

from tutelage.core.errors import printable

MEDIA_TYPE = "application/problem+json"
RETRY_S = 1
"""Seconds after which a client that found no room may try again."""


class Problem(Exception):
    """A request that is answered with a sentence.

    Attributes:
        status: of HTTP.
        detail: the sentence: what was seen, what was expected, what to do.
        headers: of the response.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})

    def content(self) -> bytes:
        """The JSON of the response."""
        plain = {"type": "about:blank", "title": HTTPStatus(self.status).phrase, "status": self.status, "detail": printable(self.detail)}
        return to_json(plain)

    def response(self) -> Response:
        """The response."""
        return Response(self.content(), self.status, self.headers, MEDIA_TYPE)


def busy(detail: str) -> Problem:
    """No room at the moment."""
    return Problem(503, detail, {"retry-after": str(RETRY_S)})


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was seen, what was expected, and what to do."},
    },
    "required": ["type", "title", "status", "detail"],
}
