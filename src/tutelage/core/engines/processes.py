"""Worker processes of this machine, one for each thread that asks for one."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any, cast

ENDING_S = 5.0
"""Seconds in which a process that has closed its output ends by itself."""


class WorkerDied(Exception):
    """A worker process ended while it worked: it was killed, or ran out of memory."""


@dataclass
class Processes:
    """A worker process for each thread that asks for one.

    Attributes:
        environment: of the processes.
    """

    environment: Mapping[str, str]
    _own: threading.local = field(default_factory=threading.local)
    _all: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: bool = False

    def run(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Run a function in the process of this thread.

        Raises:
            WorkerDied: the process ended. Also what the function raises.
        """
        process = getattr(self._own, "process", None)
        if process is None or process.poll() is not None:
            process = self._own.process = self._new()
        try:
            _send(process, (function, arguments))
            content = pickle.load(cast(IO[bytes], process.stdout))  # noqa: S301 - from the process that this one started
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise WorkerDied(f"the worker process ended with status {_ended(process)}") from error
        succeeded, result = pickle.loads(content)  # noqa: S301 - as above
        if succeeded:
            return result
        raise result

    def stop(self) -> None:
        """End all processes."""
        with self._lock:
            self._stopped = True
            for process in self._all:
                process.kill()
                process.wait()
                for stream in (process.stdin, process.stdout):
                    if stream is not None:
                        with suppress(OSError):  # what it was not sent yet
                            stream.close()

    def _new(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise WorkerDied("it was stopped")
            command = [sys.executable, "-P", "-m", "tutelage.core.engines.worker"]  # -P: no folder before those of PYTHONPATH
            pipe = subprocess.PIPE
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=self.environment, start_new_session=True)  # noqa: S603
            self._all.append(process)
        threading.Thread(target=_end_what_it_started, args=(process,), daemon=True).start()
        return process


def _ended(process: subprocess.Popen[bytes]) -> int:
    """The status of a process that writes nothing more: its own, unless it does not end."""
    try:
        return process.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _end_what_it_started(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a worker, then end the processes that it started: they may hold its output open, which would never end."""
    process.wait()
    if sys.platform != "win32":
        with suppress(ProcessLookupError, PermissionError):  # it left none
            os.killpg(process.pid, signal.SIGKILL)


def _send(process: subprocess.Popen[bytes], value: Any) -> None:
    stream = cast(IO[bytes], process.stdin)
    stream.write(pickle.dumps(pickle.dumps(value)))  # bytes, see `worker`
    stream.flush()
