"""The command line: one command per stage. Every user error is reported as one sentence on stderr."""

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
    """Knowledge distillation: train small models on the answers of a large one, measure them, and export them.

    The usual order is preflight, record, train, evaluate, export; `run` repeats the experiments of the documentation.
    """


for command in (preflight, record, train, evaluate, export, run):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    The status is 0 for success, 1 for a bug, 2 for a user error, 3 if `preflight` found an error, 130 for Ctrl-C, and 143
    for SIGTERM.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        with _sigterm_as_exception(), _one_line_warnings():
            result = cli.main(given, prog_name="tutelage", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except (KeyboardInterrupt, click.Abort, Terminated) as stop:
        if debug:
            raise
        status = 143 if isinstance(stop, Terminated) else 130
        return _report("stopped; no partial output was left behind, and the next run reuses what is in the cache.", status)
    except click.ClickException as error:
        return _report(_one_line(error.format_message()), 2)
    except (TutelageError, OSError) as error:
        if debug:
            raise
        return _report(_as_options(_one_line(str(error))), 2)
    except Exception as error:
        if debug:
            raise
        return _report(
            f"{type(error).__name__}: {_one_line(str(error))} This is a bug in tutelage; run again with --debug for a traceback.", 1
        )


def entry() -> None:
    """The console script: call `main` and exit with its status."""
    # OpenMP threads that spin while waiting are very slow when other programs use the processor: a training took four
    # times as long next to one busy process. Passive waiting costs 3 %. OpenMP reads this when torch loads it, after this line.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    reuse_freed_memory()
    status = main()
    sys.stdout.flush()
    sys.exit(status)


class Terminated(BaseException):
    """SIGTERM was received; handled like Ctrl-C."""


@contextmanager
def _sigterm_as_exception() -> Iterator[None]:
    """Raise an exception on SIGTERM, so that temporary files are removed before the exit."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread, where signal handlers cannot be set
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _one_line_warnings() -> Iterator[None]:
    """Show each warning as one sentence, without its location in the code."""

    def show(message: Warning | str, *place: object, **more: object) -> None:
        click.echo(f"tutelage: warning: {_one_line(str(message))}", err=True)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


OPTION_ARGUMENTS = "answers|classes|content|id|kind|labels|repeated|rest|soft_weight|task|teacher|top_k|truth"
"""Python arguments named in error messages that are options of the command line."""


def _as_options(sentence: str) -> str:
    """Replace Python arguments in a message with options: `kind='logits'` becomes `--kind 'logits'`."""
    return re.sub(
        rf"(?<![(\w])({OPTION_ARGUMENTS})=(?=([\w'\"\[])?)",
        lambda found: f"--{found[1].replace('_', '-')}{' ' if found[2] else ''}",
        sentence.replace("as_teacher(..., version=)", "--teacher-version"),
    )


def _report(sentence: str, status: int) -> int:
    click.echo(f"tutelage: {sentence}", err=True)
    return status


def _one_line(text: str) -> str:
    return " ".join(text.split())
