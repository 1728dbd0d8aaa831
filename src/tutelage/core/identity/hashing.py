"""A hash of an object's content: data, and the code that a user wrote around it, the same in every process that builds the object.

What the content of a value is, by its type, stands in `contents`.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from tutelage.core.errors import BadInput
from tutelage.core.identity.contents import Content, Unreadable, content_of, is_temporary

_PLAIN = (type(None), bool, int, float, complex, str, bytes, bytearray, range, slice, type(...), type(NotImplemented))


def content_hash(value: Any, *, without_modes: bool = False) -> str:
    """Hash (hex) of an object's content.

    Two callables share a hash only if they run the same code on the same values: what they are bound to, their defaults, closures
    and partial arguments, and the globals that they read, followed through the user's own functions, classes and modules.

    Args:
        value: data, a model, a function, a class, or any nesting of them. Locks and loggers count as empty.
        without_modes: ignore whether torch Modules are in training mode.

    Raises:
        BadInput: a part has no content that can be read, such as a socket or an open file; names the part.
    """
    try:
        return _Hasher(without_modes=without_modes).digest(value, ()).hex()
    except RecursionError as error:
        raise BadInput(f"a {type(value).__name__} is nested too deeply to be identified by its content.") from error


class _Hasher:
    """One traversal. `where` is the path from the root to a value, for an error."""

    def __init__(self, *, without_modes: bool) -> None:
        self.without_modes = without_modes
        self.open: dict[int, int] = {}
        self.known: dict[int, tuple[Any, bytes]] = {}
        """Digests by id; each object is held, so that no other object gets its id."""

    def digest(self, value: Any, where: tuple[str, ...]) -> bytes:
        """The digest of a value. A value inside itself counts as the number of levels up to its outer occurrence."""
        if type(value) in _PLAIN:
            return _joined(type(value).__name__, value if isinstance(value, bytes | bytearray) else repr(value))
        if type(value) is np.ndarray and value.dtype.names is None and not value.dtype.hasobject:
            return _joined("array", f"{value.dtype.str} {value.shape}", _bytes(value))
        if id(value) in self.known:
            return self.known[id(value)][1]
        if id(value) in self.open:
            return _joined("above", str(len(self.open) - self.open[id(value)]))
        self.open[id(value)] = len(self.open)
        try:
            found = self._of_parts(self._content(value, where), where)
        finally:
            del self.open[id(value)]
        if not is_temporary(value):
            self.known[id(value)] = (value, found)
        return found

    def _content(self, value: Any, where: tuple[str, ...]) -> Content:
        try:
            return content_of(value, without_modes=self.without_modes)
        except Unreadable as error:
            path = " > ".join(part for part in where if part)
            raise BadInput(f"{path + ': ' if path else ''}a {type(value).__name__} has no content that identifies it ({error})") from error

    def _of_parts(self, content: Content, where: tuple[str, ...]) -> bytes:
        digests = [self.digest(part, (*where, name)) for name, part in content.parts]
        return _joined(content.kind, *(digests if content.ordered else sorted(digests)))


def _joined(*parts: str | bytes | bytearray | memoryview) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.digest()


def _bytes(array: Any) -> memoryview | bytes:
    if not array.nbytes:
        return b""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
