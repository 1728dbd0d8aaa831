"""The command line: one command per stage. Every user error is reported as one sentence on stderr."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TextIO

import click

from tutelage import __version__
from tutelage.cli.bench import bench
from tutelage.cli.compare import compare
from tutelage.cli.distill import distill
from tutelage.cli.evaluate import evaluate
from tutelage.cli.export import export
from tutelage.cli.options import as_options, debug_option, echo, one_line, show_warning
from tutelage.cli.plan import plan
from tutelage.cli.predict import predict
from tutelage.cli.preflight import preflight
from tutelage.cli.record import record
from tutelage.cli.run import run
from tutelage.cli.serve import serve
from tutelage.cli.settings import with_settings
from tutelage.cli.train import train
from tutelage.core.errors import BadInput, TutelageError
from tutelage.core.errors import one_line as line_of
from tutelage.core.torch_runtime import reuse_freed_memory

BROKEN_PIPE = 141
"""The exit status of a program that SIGPIPE ends, as shells report it."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="tutelage %(version)s")
@debug_option
def cli(debug: bool) -> None:
    """Knowledge distillation: train small models on the answers of a large one, measure them, and export them.

    `distill` goes the whole way from a teacher and rows to a proven student. Its steps one by one are preflight, record, train, evaluate
    and export; predict answers new rows, and `run` repeats the experiments of the documentation.
    """


for command in (distill, predict, preflight, record, plan, train, evaluate, compare, export, serve, bench, run):
    cli.add_command(with_settings(command))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    The status is 0 for success, 1 for a bug, 2 for a user error, 3 if `preflight` found an error, 130 for Ctrl-C, and 143
    for SIGTERM; 141 if the program that reads the output ended before it was written.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _check_current_folder()
        with _sigterm_as_exception(), _one_line_warnings():
            result = cli.main(list(given), prog_name="tutelage", standalone_mode=False, obj=given)
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:  # no command: its message is the help
        echo(error.format_message(), err=True)
        return 2
    except (Exception, KeyboardInterrupt, SystemExit, Terminated) as error:
        if "--debug" in given and not isinstance(error, click.ClickException):
            raise
        return _report(*_ending(error))


def _ending(error: BaseException) -> tuple[str, int]:
    """The sentence about an error, and the exit status."""
    if isinstance(error, KeyboardInterrupt | click.Abort | Terminated):
        status = 143 if isinstance(error, Terminated) else 130
        notes = getattr(error.__cause__ or error, "__notes__", None)  # click raises Abort from KeyboardInterrupt
        kept = "; no partial output was left behind, and the next run reuses what is in the cache."
        return f"stopped{'; ' + notes[0] if notes else kept}", status
    if isinstance(error, BrokenPipeError) or _is_closed_pipe(error):
        return "the program that reads the output has ended; the output is incomplete.", BROKEN_PIPE
    if isinstance(error, click.ClickException):
        return one_line(error.format_message()), 2
    if isinstance(error, TutelageError | SystemExit):
        ended = f"the command ended early: code that it called failed ({line_of(error)}); let that code return, or raise an error."
        return as_options(one_line(ended if isinstance(error, SystemExit) else str(error))), 2
    if isinstance(error, OSError):
        of = f"{error.filename}: " if error.filename is not None else "the output cannot be written: " if error.errno in _OF_OUTPUT else ""
        return one_line(f"{of}{error.strerror or error}."), 2
    sentence = f"{type(error).__name__}: {one_line(str(error))}"
    return f"{sentence} This is a bug in tutelage; run again with --debug for a traceback.", 1


def _is_closed_pipe(error: BaseException) -> bool:
    """Whether an error is how click ends the process for a closed pipe; anything else that calls `sys.exit` is code of the user's.

    Click replaces the standard output before it does; some versions of it call `sys.exit` while they handle the error, others afterwards.
    """
    if not isinstance(error, SystemExit):
        return False
    of = error.__context__
    return (isinstance(of, OSError) and of.errno == errno.EPIPE) or type(sys.stdout).__name__ == "_PacifyFlushWrapper"


_OF_OUTPUT = (errno.ENOSPC, errno.EBADF, errno.EIO, errno.EDQUOT)
"""Errors of a file without a name, that is, of standard output."""


def _check_current_folder() -> None:
    """Check that the current folder exists, from which relative paths start.

    Raises:
        BadInput: it was deleted.
    """
    try:
        Path.cwd()
    except OSError as error:
        raise BadInput("the current folder no longer exists; change to another folder and run the command again.") from error


def entry() -> None:
    """The console script: call `main` and exit with its status."""
    # OpenMP threads that spin while waiting are very slow when other programs use the processor: a training took four
    # times as long next to one busy process. Passive waiting costs 3 %. OpenMP reads this when torch loads it, after this line.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    reuse_freed_memory()
    if not _open_closed_streams():
        sys.exit(_report("standard output is closed; redirect it to a file, or to /dev/null.", 2))
    try:
        status = main()
    except BaseException as error:  # with --debug
        traceback.print_exception(error)
        status = _ending(error)[1]
    sys.exit(_flushed(status))


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
    """Show each warning as one sentence, once, without its location in the code."""
    told: set[str] = set()  # Python forgets what it has shown whenever a library changes the filters

    def show(message: Warning | str, *place: object, **more: object) -> None:
        if str(message) not in told:
            told.add(str(message))
            show_warning(str(message))

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _report(sentence: str, status: int) -> int:
    try:
        echo(f"tutelage: {sentence}", err=True)
    except OSError:  # standard error cannot be written either; the status remains
        _discard(sys.stderr)
    return status


def _flushed(status: int) -> int:
    """The exit status after all output is written; a failure to write it is reported."""
    try:
        sys.stdout.flush()
        return status
    except OSError as error:
        _discard(sys.stdout)
        return _report(*_ending(error))


def _discard(stream: TextIO) -> None:
    """Drop what is left in a stream that cannot be written, so that Python does not try again when it ends."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def _open_closed_streams() -> bool:
    """Open the standard streams that the caller closed, and return whether standard output was not among them.

    Otherwise the next file that is opened would take the number of the closed stream, and messages would be written into it.
    """
    has_output = sys.stdout is not None
    null = os.open(os.devnull, os.O_RDWR)
    while null <= 2:
        null = os.open(os.devnull, os.O_RDWR)
    os.close(null)
    sys.stdin, sys.stdout, sys.stderr = (
        open(os.devnull, mode, encoding="utf-8") if stream is None else stream  # noqa: SIM115, PTH123 - open until the process ends
        for stream, mode in ((sys.stdin, "r"), (sys.stdout, "w"), (sys.stderr, "w"))
    )
    return has_output
