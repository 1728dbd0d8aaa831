"""Runs an application until it is told to stop: it then answers what it accepted, and ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import uvicorn
from fastapi import FastAPI

from tutelage.core.errors import BadInput
from tutelage.serving.protocol import ConnectionLimits, LimitedProtocol

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

STOP_S = 30
"""Seconds in which requests that were accepted must be answered after the signal to stop; those that were not are answered with 503."""
SWITCH_S = 0.0005
"""Seconds after which a thread yields to another: the thread of the answers must not wait 5 ms for the one that reads requests."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Args:
        host: name or address.
        port: 0 for any that is free.

    Raises:
        BadInput: the address cannot be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except (OSError, OverflowError, UnicodeError) as error:
        number = getattr(error, "errno", None) or 0
        reason = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or error
        raise BadInput(f"{host} port {port} cannot be listened to ({reason}); choose another host or port.") from error


def run(app: FastAPI, listening: socket.socket, *, limits: ConnectionLimits, ready: Callable[[], None] = lambda: None) -> None:
    """Serve until SIGTERM or Ctrl-C; then accept no more, answer what was accepted, and return.

    Args:
        app: from `create_app`.
        listening: from `listen`.
        limits: of connections.
        ready: called once requests are accepted.
    """
    allow_files(limits.connections)
    config = uvicorn.Config(
        _ends_quietly(app),
        http=partial(LimitedProtocol, limits=limits),  # type: ignore[arg-type]
        ws="none",
        log_config=None,
        log_level="critical",  # what fails is logged by the application
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=limits.idle_s,
        timeout_graceful_shutdown=STOP_S,
    )
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        _Server(config, ready).run(sockets=[listening])
    finally:
        sys.setswitchinterval(before)


def _ends_quietly(app: FastAPI) -> ASGI3Application:
    """The application, whose requests end without a traceback when they are cut off."""

    async def quiet(scope: Any, receive: Any, send: Any) -> None:
        with suppress(asyncio.CancelledError):
            await app(scope, receive, send)

    return quiet


def allow_files(connections: int) -> None:
    """Raise the limit on open files to what connections need, as far as the system allows.

    Raises:
        BadInput: it does not allow enough.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    needed = 2 * connections + 200  # as many may wait to be refused
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        if soft < connections + 100:
            raise BadInput(
                f"the system allows {soft:,} open files, too few for {connections:,} connections; allow more, or fewer connections."
            )


class _Server(uvicorn.Server):
    """A server that ends with status 0 when it was told to stop."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on signals; uvicorn would raise them again at the end."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
