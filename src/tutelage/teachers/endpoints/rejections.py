"""Prompts that an endpoint rejects: whether the text is at fault, which then has no answer, or the settings, which stop everything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REJECTIONS = (400, 413, 422)
"""Statuses by which an endpoint rejects a request: a text that is too long or filtered, or settings that it does not know."""
FILTERS = (*REJECTIONS, 403, 451)
"""Statuses by which a filter rejects a text."""
MOST_DOUBTS = 20
"""Rejected prompts without an answer to any other since, after which no further ones are sent, if no more than half as many are at once."""


def is_filtered(status: int, error: Any) -> bool:
    """Whether a filter of contents rejected the prompt, as its code or its message says.

    Args:
        status: of HTTP.
        error: what the response says of the error.

    Example:
        >>> is_filtered(400, {"code": "content_filter", "message": "no"}), is_filtered(400, {"message": "temperature must be below 2"})
        (True, False)
    """
    return status in FILTERS and any(map(_OF_A_FILTER.search, _said(error)))


def is_too_long(status: int, error: Any) -> bool:
    """Whether the prompt was rejected for its length, as its status, code or message says; the settings may leave it too little room.

    Args:
        status: of HTTP.
        error: what the response says of the error.

    Example:
        >>> is_too_long(400, {"code": "context_length_exceeded"}), is_too_long(413, None), is_too_long(400, {"message": "no"})
        (True, True, False)
    """
    return status == 413 or (status in REJECTIONS and any(map(_OF_A_LENGTH.search, _said(error))))


def _said(error: Any) -> list[str]:
    if not isinstance(error, Mapping):
        return []
    inner = error.get("innererror")
    said = [error.get(name) for name in ("code", "type", "message")] + ([inner.get("code")] if isinstance(inner, Mapping) else [])
    return [one for one in said if isinstance(one, str)]


_OF_A_FILTER = re.compile(
    r"content[ _-]?(filter|polic|management|exists risk)|responsible ?ai|moderation|data_?inspection|was flagged|usage (polic|guideline)",
    re.IGNORECASE,
)
_OF_A_LENGTH = re.compile(r"context[ _-]?(length|window|size)|too[ _]long|too many (input )?tokens|input token count", re.IGNORECASE)


@dataclass(frozen=True)
class Doubt:
    """A prompt that was rejected, of which it is not known why.

    Attributes:
        row: the first row with its text.
        why: what the endpoint says.
        brief: the same without the message, which may quote the text.
        lacking: number of answers that it lacks.
        before: the first request whose answer shows that the settings are not at fault: one that was sent after the rejection, or any
            if the prompt is too long.
    """

    row: int
    why: str
    brief: str
    lacking: int
    before: int


@dataclass
class Doubts:
    """Rejected prompts, until an answer to a later request shows that the settings are not at fault.

    Attributes:
        most: how many there may be.
        open: the prompts, by their keys.
    """

    most: int
    open: dict[str, Doubt] = field(default_factory=dict)

    def resolved_by(self, number: int) -> dict[str, Doubt]:
        """Take out the prompts whose texts are at fault, as a request with this number was answered."""
        resolved = {key: doubt for key, doubt in self.open.items() if doubt.before <= number}
        self.open = {key: doubt for key, doubt in self.open.items() if key not in resolved}
        return resolved

    @property
    def too_many(self) -> bool:
        """Whether the settings are taken to be at fault."""
        return len(self.open) >= self.most

    def __str__(self) -> str:
        first = min(self.open.values(), key=lambda doubt: doubt.row)
        more = f" and {len(self.open) - 1} more" if len(self.open) > 1 else ""
        return (
            f"{first.why} to the text of row {first.row}{more}, and has answered no other since. If these texts are at fault, such as too "
            "long, leave them out; otherwise change model, prompt=, max_tokens=, temperature= or request=."
        )
