"""What a server allows, as a value that is checked once."""

from __future__ import annotations

from dataclasses import dataclass

from tutelage.core.arguments import number, whole
from tutelage.core.errors import BadInput


@dataclass(frozen=True)
class Settings:
    """The limits of a server.

    Attributes:
        token: the bearer token that requests must carry; None for none. `/health` and the page `/docs` need none.
        max_batch: rows of several requests that are answered together, at most; a request with more rows is answered alone.
        max_wait: seconds that a row waits for others. 0 waits for none: what arrives while others are answered is joined anyway.
        queue: rows that may wait; a request that finds no room is answered with 503.
        max_body: bytes of a request's body.
        max_rows: rows of a request, at most `queue`.
        threads: threads of onnxruntime.
        teacher_timeout: seconds in which the teacher must answer the rows of a request.

    Raises:
        BadInput: a setting outside its range.

    Example:
        >>> import tutelage as tl
        >>> tl.serving.Settings(queue=256, max_rows=100).max_batch
        64
    """

    token: str | None = None
    max_batch: int = 64
    max_wait: float = 0.0
    queue: int = 1024
    max_body: int = 1_000_000
    max_rows: int = 1000
    threads: int = 1
    teacher_timeout: float = 30.0

    def __post_init__(self) -> None:
        for name in ("max_batch", "queue", "max_body", "max_rows", "threads"):
            whole(name, getattr(self, name), least=1)
        number("max_wait", self.max_wait, least=0, most=10)
        number("teacher_timeout", self.teacher_timeout, above=0, most=3600)
        if self.max_rows > self.queue:
            raise BadInput(f"max_rows is {self.max_rows} and queue is {self.queue}; expected a queue that holds the rows of one request.")
        if self.token is not None and not (self.token and self.token.isascii() and self.token.isprintable() and " " not in self.token):
            raise BadInput("the token is empty, or holds characters that no header can; expected letters, digits and signs without spaces.")
