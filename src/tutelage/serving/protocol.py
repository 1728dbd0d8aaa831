"""Connections with limits that uvicorn does not have: how many, and how long a request may take to arrive."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tutelage.serving.app import EXTENSION, IS_GONE
from tutelage.serving.problems import RETRY_S, Problem, busy

LARGEST_HEAD = 1 << 16
"""Bytes of the headers of a request."""


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits of connections.

    Attributes:
        connections: open at a time; others are answered with 503 and closed.
        arrival_s: seconds in which a request must have arrived whole, counted from the connection or from its first byte.
        idle_s: seconds that a connection stays open between requests.
        reading_s: seconds in which a client must have made room for its response.
    """

    connections: int = 1000
    arrival_s: float = 30.0
    idle_s: int = 30
    reading_s: float = 30.0


class LimitedProtocol(HttpToolsProtocol):
    """One connection.

    Args:
        limits: of all connections.
        given: what uvicorn gives to its protocols.
    """

    def __init__(self, *, limits: ConnectionLimits, **given: Any) -> None:
        super().__init__(**given)
        self._limits = limits
        self._arrival: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._in_body = False
        self._refused = False
        self._unanswered: deque[RequestResponseCycle] = deque()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Open the connection, or refuse it where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections:
            self.connections.discard(self)
            self._refuse(busy(f"more than {self._limits.connections:,} connections are open; connect again later."))
        else:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._arrived()
        self._forget_requests()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse a part of a request; a refused connection is not listened to."""
        if self._refused:
            return
        self._expect()
        self._head_bytes += 0 if self._in_body else len(data)
        super().data_received(data)
        if self._head_bytes > LARGEST_HEAD and not self._refused and not self.transport.is_closing():
            self._refuse(Problem(431, f"the headers are larger than {LARGEST_HEAD:,} bytes; send fewer or shorter ones."))

    def on_message_begin(self) -> None:
        """A request begins to arrive."""
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: {IS_GONE: self.transport.is_closing}}
        self._expect()

    def on_headers_complete(self) -> None:
        """The headers have arrived."""
        self._head_bytes, self._in_body = 0, True  # a body is limited where it is read
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            self._unanswered.append(self.cycle)

    def on_message_complete(self) -> None:
        """The request has arrived whole."""
        self._head_bytes, self._in_body = 0, False
        self._arrived()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request, the first that was not, is answered."""
        self._unanswered.popleft()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The client does not read its response."""
        super().pause_writing()
        if self._reading is None:
            self._reading = self.loop.call_later(self._limits.reading_s, self._give_up)

    def resume_writing(self) -> None:
        """The client reads on."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(Problem(400, "the request is no valid HTTP."))

    def _give_up(self) -> None:
        """End the connection with what was not read."""
        self._forget_requests()
        self.transport.abort()

    def _forget_requests(self) -> None:
        """Write nothing more; uvicorn tells only the last of the requests that were sent at once."""
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()

    def _expect(self) -> None:
        """Wait for the rest of a request, but not for ever."""
        if self._arrival is None:
            self._arrival = self.loop.call_later(self._limits.arrival_s, self._late)

    def _arrived(self) -> None:
        if self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None

    def _late(self) -> None:
        self._arrival = None
        if self.transport.is_closing():
            return
        started = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if started or (self.cycle is not None and self.cycle.response_complete and self._in_body):
            self.transport.close()  # the rest of a body that was answered already
        else:
            seconds = f"{self._limits.arrival_s:g}"
            self._refuse(Problem(408, f"no whole request arrived within {seconds} seconds; send it faster."))

    def _refuse(self, problem: Problem) -> None:
        """Answer with a sentence and end the connection, once the client has had the time to read it."""
        self._refused = True
        self._arrived()
        content = problem.content()
        head = [
            f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}",
            "content-type: application/problem+json",
            "connection: close",
        ]
        head += [f"content-length: {len(content)}", *(f"{name}: {value}" for name, value in problem.headers.items()), "", ""]
        self.transport.write("\r\n".join(head).encode() + content)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(RETRY_S, self.transport.close)
