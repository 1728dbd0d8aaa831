"""The command line: one verb per stage. Every mistake is one sentence on stderr."""

from __future__ import annotations

import os
import re
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import click

from tutelage import __version__
from tutelage.cli.evaluate import evaluate
from tutelage.cli.export import export
from tutelage.cli.options import debug_option
from tutelage.cli.preflight import preflight
from tutelage.cli.record import record
from tutelage.cli.run import run
from tutelage.cli.train import train
from tutelage.core.errors import TutelageError
from tutelage.core.torch_runtime import reuse_freed_memory


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="tutelage %(version)s")
@debug_option
def cli(debug: bool) -> None:
    """Teach a small model what a big one knows, prove what was lost and gained, and ship it."""


for verb in (preflight, record, train, evaluate, export, run):
    cli.add_command(verb)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    0; 1 for a bug, 2 for a mistake, 3 if `preflight` found an error, 130 for Ctrl-C, 143 for SIGTERM.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        with _terminated(), _warned():
            result = cli.main(given, prog_name="tutelage", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except (KeyboardInterrupt, click.Abort, Terminated) as stop:
        if debug:
            raise
        status = 143 if isinstance(stop, Terminated) else 130
        return _complain("stopped; nothing half-written is left behind, and the next run starts from what is kept.", status)
    except click.ClickException as error:
        return _complain(_one_line(error.format_message()), 2)
    except (TutelageError, OSError) as error:
        if debug:
            raise
        return _complain(_as_options(_one_line(str(error))), 2)
    except Exception as error:
        if debug:
            raise
        return _complain(
            f"{type(error).__name__}: {_one_line(str(error))} This is a bug in tutelage; run again with --debug to see where.", 1
        )


def entry() -> None:
    """The console script: `main`, then leave at once with its status."""
    # Threads that spin while they wait for each other crawl beside any other program: a training took four times as long
    # beside one busy process. Waiting costs 3 %. Read when OpenMP loads, which is with torch, after this.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    reuse_freed_memory()
    status = main()
    sys.stdout.flush()
    sys.exit(status)


class Terminated(BaseException):
    """SIGTERM arrived; unwinds like Ctrl-C."""


@contextmanager
def _terminated() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that drafts are removed on the way out."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread: leave signals alone
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _warned() -> Iterator[None]:
    """Show a warning as one sentence, without the place in the code that raised it."""

    def show(message: Warning | str, *place: object, **more: object) -> None:
        click.echo(f"tutelage: warning: {_one_line(str(message))}", err=True)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


SPELLED = "answers|classes|content|id|kind|labels|repeated|rest|soft_weight|task|teacher|top_k|truth"
"""Arguments that an error may name, and that are options here."""


def _as_options(sentence: str) -> str:
    """The sentence with arguments of Python spelled as options: `kind='logits'` becomes `--kind 'logits'`."""
    return re.sub(
        rf"(?<![(\w])({SPELLED})=(?=([\w'\"\[])?)", lambda found: f"--{found[1].replace('_', '-')}{' ' if found[2] else ''}", sentence
    )


def _complain(sentence: str, status: int) -> int:
    click.echo(f"tutelage: {sentence}", err=True)
    return status


def _one_line(text: str) -> str:
    return " ".join(text.split())
