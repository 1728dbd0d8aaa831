"""The program of a worker process: it runs the functions that it is sent, and answers with their results.

Requests and answers are pickles from and to the process that started it, on standard input and output. Each is sent as bytes, which are
read whole before what they hold is made: where that fails, the next one still begins after it. What the functions print goes to standard
error, and there is nothing for them to read. It ends when its standard input ends, which it does when the other process dies in any way.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from typing import Any, BinaryIO

from tutelage.core.errors import FOREIGN, one_line


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Run what is asked until there are no more requests."""
    while True:
        try:
            request = pickle.load(requests)  # noqa: S301 - from the process that started this one
        except (EOFError, pickle.UnpicklingError):  # it may end within a request
            return
        try:
            function, arguments = pickle.loads(request)  # noqa: S301 - as above
        except FOREIGN as error:  # a function that this process cannot import
            answer: Any = (False, _told(error))
        else:
            answer = _result(function, arguments)
        try:
            answers.write(pickle.dumps(_pickled(answer)))
            answers.flush()
        except BrokenPipeError:  # the other process died
            _exit()


def _pickled(answer: tuple[bool, Any]) -> bytes:
    """An answer as bytes; an error that the other process could not read becomes a RuntimeError with its text."""
    succeeded, result = answer
    try:
        content = pickle.dumps(answer)
        if not succeeded:
            pickle.loads(content)  # noqa: S301 - our own
    except FOREIGN as error:
        return pickle.dumps((False, RuntimeError("".join(traceback.format_exception_only(error if succeeded else result)).strip())))
    return content


def _exit() -> None:
    """End this process, and those that its functions started: it leads a group of its own (see `processes`)."""
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _result(function: Any, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    try:
        return True, function(*arguments)
    except FOREIGN as error:
        return False, _told(error)


def _told(error: BaseException) -> BaseException:
    """An error as the other process gets it, where a SystemExit would end something else."""
    return RuntimeError(one_line(error)) if isinstance(error, SystemExit) else error


if __name__ == "__main__":
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # so that neither a function nor a program that it starts reads the requests
    os.dup2(2, 1)
    serve(requests, answers)
