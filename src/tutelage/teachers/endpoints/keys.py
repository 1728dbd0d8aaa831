"""The key of an endpoint: read from the environment when it is needed, held nowhere, and masked in every text that is quoted."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

from tutelage.core.errors import BadInput

DEFAULT_KEY = "OPENAI_API_KEY"
"""The variable that clients of such endpoints read."""
NO_KEY = "none"
"""Sent where the endpoint takes no key: the client library wants one."""
MASK = "[key]"
SHORTEST = 12
"""Characters of a key that is masked in answers too; a shorter one may be a word of them, and no endpoint grants it."""
_LIKE_A_KEY = re.compile(r"\bsk-[\w*.-]{3,}")


def checked_variable(given: str) -> str:
    """The name of a variable that holds a key, which need not be set yet.

    Raises:
        BadInput: what may be the key itself, which is not quoted: neither a name in capitals, nor a variable that is set.
    """
    if not re.fullmatch("[A-Z_][A-Z0-9_]*", given) and given not in os.environ:
        raise BadInput(
            "key_from= names no variable of the environment (it is not shown, as it may be the key itself); pass the name of the variable "
            "that holds the key."
        )
    return given


def read_key(name: str | None, *, required: bool) -> tuple[str, Callable[[str], str], Callable[[str], str]]:
    """The key in a variable of the environment, and two functions that mask it: in a message, with all that looks like a key; in an answer.

    Args:
        name: of the variable; None for an endpoint that takes no key.
        required: whether the variable must be set.

    Raises:
        BadInput: it is not set, or holds what no HTTP header can; the message does not quote it.
    """
    key = "" if name is None else os.environ.get(name, "").strip()
    if not key and required:
        raise BadInput(f"the variable {name} of the environment is not set; it must hold the key of the endpoint.")
    if not re.fullmatch(r"[\x21-\x7e]*", key):
        raise BadInput(f"the variable {name} of the environment holds characters that no key has (its value is not shown); set it again.")
    forms = sorted({key, quote(key), quote_plus(key), json.dumps(key)[1:-1]} - {""}, key=len, reverse=True)

    def without(text: str) -> str:
        for form in forms:
            text = text.replace(form, MASK)
        return text

    def in_message(text: str) -> str:
        return _LIKE_A_KEY.sub(MASK, without(text))

    return key or NO_KEY, in_message, without if len(key) >= SHORTEST else str
