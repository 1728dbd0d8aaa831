"""Fingerprints: what identifies a model, by its content or by a version that its owner gives."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from typing import Any

from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput
from tutelage.core.identity.hashing import content_hash

UNIDENTIFIED = "unidentified"
"""How the fingerprint of a model begins that has no content which could be read; it holds in this process only."""
_PROCESS = uuid.uuid4().hex[:8]


def fingerprint_of(model: Any, *parts: Any, name: str, version: str | None = None, without_modes: bool = False) -> str:
    """The fingerprint of a model.

    Args:
        model: any object.
        parts: what else its answers depend on, such as a function that reads its outputs.
        name: the kind of the model, which starts the fingerprint.
        version: identifies the model in place of its content.
        without_modes: as for `content_hash`.
    """
    if version is not None:
        return f"{name}:version {version}"
    try:
        return f"{name}:{content_hash((model, *parts) if parts else model, without_modes=without_modes)}"
    except BadInput as error:
        return f"{UNIDENTIFIED}:{name}:{_PROCESS}-{id(model)}: {error}"


def joint_fingerprint(name: str, identity: Any, fingerprints: Iterable[str]) -> str:
    """The fingerprint of a model made of others: a hash of theirs and of `identity`, the plain values that combine them."""
    members = list(fingerprints)
    unidentified = next((member for member in members if member.startswith(UNIDENTIFIED)), None)
    return unidentified or f"{name}:{hashlib.sha256(repr((identity, members)).encode()).hexdigest()}"


def identified(teacher: Teacher) -> str:
    """The fingerprint of a teacher, which other processes can compare.

    Raises:
        BadInput: the teacher has no content that identifies it, and no version.
    """
    fingerprint = teacher.fingerprint
    if fingerprint.startswith(f"{UNIDENTIFIED}:"):
        reason = fingerprint.split(": ", 1)[1]
        raise BadInput(
            f"this teacher cannot be told apart from another one: {reason}. Pass as_teacher(..., version=), a text to change whenever "
            "its answers change, such as the date of its training."
        )
    return fingerprint
