"""What an endpoint answered, parsed strictly: the choices, the tokens it counted, and the model that answered."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any


class Malformed(ValueError):
    """An answer that is no chat completion; the message says why. It does not leave this folder."""


@dataclass(frozen=True)
class Choice:
    """One answer of the model.

    Attributes:
        text: what it said, or why it refused; None if it said nothing.
        finish: why it stopped, such as "stop" or "length".
        refused: whether it, or a filter, refused to answer.
        top: the likeliest first tokens with their log-probabilities; None if they were not returned.
    """

    text: str | None
    finish: str = "stop"
    refused: bool = False
    top: tuple[tuple[str, float], ...] | None = None

    @property
    def weighed(self) -> bool:
        """Whether log-probabilities say how likely other tokens were than the one that was sampled: one alone says nothing of them."""
        return self.top is not None and len(self.top) > 1

    def to_json(self) -> list[Any]:
        """The choice as a JSON list."""
        return [self.text, self.finish, self.refused, None if self.top is None else [list(pair) for pair in self.top]]

    @classmethod
    def from_json(cls, plain: list[Any]) -> Choice:
        """The choice that `to_json` wrote."""
        text, finish, refused, top = plain
        return cls(text, finish, refused, None if top is None else tuple((token, logprob) for token, logprob in top))


@dataclass(frozen=True)
class Completion:
    """The answer to one request.

    Attributes:
        model: the name that the endpoint gives to the model that answered.
        choices: the answers, at least one.
        tokens: of the prompt and of the answers, as the endpoint counted them; None if it did not. Some count what a model thinks in the
            total alone, and bill it as a part of the answer: it is counted with the answers here.
    """

    model: str
    choices: tuple[Choice, ...]
    tokens: tuple[int, int] | None


def completion_of(body: str) -> Completion:
    """Parse the body of an answer.

    Raises:
        Malformed: no JSON, or not a chat completion with at least one choice.
    """
    try:
        plain = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed("its answer is not JSON, or was cut off") from error
    if not isinstance(plain, dict) or not isinstance(plain.get("choices"), list):
        said = plain.get("error") if isinstance(plain, dict) else None
        raise Malformed(f"its answer is JSON and no chat completion{'' if said is None else f', and says: {said}'}")
    if not plain["choices"]:
        raise Malformed("its answer holds no choices")
    model = plain.get("model")
    return Completion(model if isinstance(model, str) else "", tuple(map(_choice, plain["choices"])), _tokens(plain.get("usage")))


def _choice(plain: Any) -> Choice:
    message = plain.get("message") if isinstance(plain, dict) else None
    if not isinstance(message, dict):
        raise Malformed("a choice in its answer holds no message")
    text, refusal, finish = message.get("content"), message.get("refusal"), plain.get("finish_reason")
    if text is not None and not isinstance(text, str):
        raise Malformed("the content of a message in its answer is no text")
    return Choice(
        refusal if text is None and isinstance(refusal, str) else text,
        finish if isinstance(finish, str) else "stop",
        bool(refusal) or finish == "content_filter",
        _top(plain.get("logprobs")),
    )


def _top(plain: Any) -> tuple[tuple[str, float], ...] | None:
    """The likeliest first tokens, the one that was sampled among them. Some vocabularies write two tokens as one text: both are there."""
    content = plain.get("content") if isinstance(plain, dict) else None
    if not content:
        return None
    try:
        first = content[0]
        sampled, *top = ((str(each["token"]), float(each["logprob"])) for each in (first, *(first.get("top_logprobs") or [])))
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise Malformed("the log-probabilities in its answer cannot be read") from error
    pairs = [*([] if sampled[0] in dict(top) else [sampled]), *dict.fromkeys(top)]
    numbers = [logprob for _, logprob in (sampled, *top)]
    if any(math.isnan(one) or one > _ROUNDING for one in numbers) or sum(math.exp(one) for _, one in pairs) > 1 + _ROUNDING:
        raise Malformed("the log-probabilities in its answer are none: their probabilities add up to more than 1")
    return tuple((token, max(logprob, _LEAST)) for token, logprob in pairs)


_ROUNDING = 0.01
_LEAST = -9999.0
"""What endpoints write for a token without any probability; JSON has no infinity."""


def _tokens(plain: Any) -> tuple[int, int] | None:
    if not isinstance(plain, dict):
        return None
    prompt, said, total = (_count(plain.get(name)) for name in ("prompt_tokens", "completion_tokens", "total_tokens"))
    return None if prompt is None or said is None else (prompt, max(said, (total or 0) - prompt))


def _count(plain: Any) -> int | None:
    return plain if isinstance(plain, int) and not isinstance(plain, bool) and plain >= 0 else None
