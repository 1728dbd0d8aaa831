"""`tutelage serve`: a student behind HTTP."""

from __future__ import annotations

import logging
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tutelage.cli.options import FILE, FOLDER, MODEL_OPTIONS, add_options, debug_option, echo, refuse_given
from tutelage.core.errors import BadInput, require_extras
from tutelage.core.quantities import BYTES, MICROSECONDS, quantity

if TYPE_CHECKING:
    from tutelage.serving.settings import Settings

TOKEN = "TUTELAGE_TOKEN"  # noqa: S105 - the name of a variable


def size(text: str) -> int:
    """Parse a number of bytes, such as 500kB or 1MB (powers of ten)."""
    return round(quantity("the size", text, BYTES, "a number of bytes, such as 500kB or 1MB") or 0)


def seconds(text: str) -> float:
    """Parse a time, such as 2ms or 0.1s; 0 needs no unit."""
    if text.strip() == "0":
        return 0.0
    return (quantity("the time", text, MICROSECONDS, "a number and its unit, such as 2ms") or 0) / 1e6


@click.command()
@click.argument("run", type=FOLDER)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all of this machine.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port to listen on; 0 for any that is free.")
@click.option(
    "--token-file", type=FILE, help=f"File with the bearer token that requests must carry; the variable {TOKEN} by default, if it is set."
)
@click.option("--max-batch", type=click.IntRange(1), default=64, show_default=True, help="Rows of several requests answered together.")
@click.option(
    "--max-wait", type=seconds, default="0", show_default=True, metavar="TIME", help="How long a row waits for others, as in 2ms."
)
@click.option(
    "--queue", type=click.IntRange(1), default=1024, show_default=True, help="Rows that may wait; further ones are answered with 503."
)
@click.option("--max-body", type=size, default="1MB", show_default=True, metavar="SIZE", help="Largest body of a request.")
@click.option("--max-rows", type=click.IntRange(1), default=1000, show_default=True, help="Rows of a request.")
@click.option("--connections", type=click.IntRange(1), default=1000, show_default=True, help="Connections open at a time.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads that compute an answer.")
@click.option("--access-log", is_flag=True, help="Write a line for each request, without its rows, to standard error.")
@click.option("--cascade", metavar="TEACHER", help="Teacher that answers the rows that the student leaves to it, as for `distill`.")
@click.option(
    "--teacher-timeout", type=seconds, default="30s", show_default=True, metavar="TIME", help="How long a request waits for the teacher."
)
@add_options(MODEL_OPTIONS)
@debug_option
def serve(
    *,
    run: Path,
    host: str,
    port: int,
    token_file: Path | None,
    connections: int,
    access_log: bool,
    cascade: str | None,
    debug: bool,
    trust: bool,
    classes: Any,
    kind: Any,
    task: Any,
    teacher_version: str | None,
    **limits: Any,
) -> None:
    """Answer rows over HTTP with a student.

    RUN is a folder that `distill` wrote, of which student.onnx is served, or an ONNX file that tutelage exported. Rows come as JSON to
    /v1/answer (one) or /v1/answers (several); the page /docs shows how, with an example. /health and /metrics are for monitoring.

    SIGTERM and Ctrl-C stop it after it has answered what it accepted.
    """
    if cascade is None:
        refuse_given("trust", "classes", "kind", "task", "teacher_version", "teacher_timeout", of="a server without --cascade")
    require_extras(("serve",))
    from tutelage.serving import server
    from tutelage.serving.app import create_app
    from tutelage.serving.protocol import ConnectionLimits

    token = _token(token_file)
    settings, teacher = _settings(token, limits), None
    if cascade is not None:
        from tutelage.teachers.files.open import open_teacher

        teacher = open_teacher(cascade, trust=trust, classes=classes, kind=kind, task=task, version=teacher_version)
    app = create_app(run, teacher=teacher, settings=settings)
    _log(access=access_log, debug=debug)
    listening = server.listen(host, port)
    name, number = listening.getsockname()[:2]
    if token is None and not name.startswith("127.") and name != "::1":
        echo(f"tutelage: warning: {name} can be reached by others, and no token is asked for; pass --token-file.", err=True)
    address = f"http://[{name}]:{number}" if ":" in name else f"http://{name}:{number}"
    server.run(
        app,
        listening,
        limits=ConnectionLimits(connections=connections),
        ready=lambda: echo(f"{app.state.service.served.path}: serving on {address}, shown at {address}/docs. Stop with Ctrl-C.", err=True),
    )
    metrics = app.state.service.metrics
    cut = "each that was accepted had its response."
    if metrics.cut_off:
        cut = f"{metrics.cut_off:,} of them had no answer after {server.STOP_S} seconds and were cut off with 503."
    echo(f"stopped, after {metrics.requests:,} requests; {cut}", err=True)


def _settings(token: str | None, limits: dict[str, Any]) -> Settings:
    """The settings; a message speaks of the options."""
    from tutelage.serving.settings import Settings

    try:
        return Settings(token=token, **limits)
    except BadInput as error:
        said = re.sub(rf"\b({'|'.join(limits)}) is\b", lambda found: f"--{found[1].replace('_', '-')} is", str(error))
        raise BadInput(said) from None


def _token(path: Path | None) -> str | None:
    """The token in a file, or in the environment; None for none."""
    if path is None:
        return os.environ.get(TOKEN) or None
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise BadInput(f"the token cannot be read from {path} ({getattr(error, 'strerror', None) or 'it is no text'}).") from error


def _log(*, access: bool, debug: bool) -> None:
    logger = logging.getLogger("tutelage.serving")
    logger.addHandler(logging.StreamHandler(sys.stderr))
    logger.setLevel(logging.DEBUG if debug else logging.INFO if access else logging.WARNING)
    logger.propagate = False
