"""Processes that time calls: each answers rows again and again, on one thread, and is measured whole.

A child prints "ready", then reads lines of two numbers, rows of a call and calls, and prints the nanoseconds of each call.
The calls of each line begin at the first row.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import BadInput

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")

PYTHON_LOOP = """
import os, sys, time
replies = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever a model prints stays out of the replies
def serve(answer, count):
    \"\"\"answer(start, rows) answers some of `count` rows.\"\"\"
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        rows, calls = map(int, line.split())
        start, taken = 0, []
        for _ in range(calls):
            start = start if start + rows <= count else 0
            begun = time.perf_counter_ns()
            answer(start, rows)
            taken.append(time.perf_counter_ns() - begun)
            start += rows
        print(*taken, file=replies, flush=True)
"""
"""For children that are Python: serves an answer."""


class Child:
    """A process that times calls.

    Args:
        command: what to run.
        name: for messages.
    """

    def __init__(self, command: Sequence[str], name: str) -> None:
        pipe = subprocess.PIPE
        self.name = name
        self.peak_bytes = 0
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process; a pipe that nobody reads would fill up
        self._process = subprocess.Popen(  # noqa: S603 - our own programs
            command, stdin=pipe, stdout=pipe, stderr=self._messages, text=True, env=os.environ | THREADS
        )
        try:
            self._line()
        except BadInput:
            self.end()
            raise

    def times(self, rows: int, calls: int) -> NDArray[np.float64]:
        """(calls,) seconds of each call with some rows."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write(f"{rows} {calls}\n")
        self._process.stdin.flush()
        return np.array(self._line().split(), dtype=np.float64) / 1e9

    def end(self) -> None:
        """End the process; its peak memory is known from then on."""
        if self._messages.closed:
            return
        self.peak_bytes = _peak_bytes(self._process.pid)
        self._messages.close()
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101, PT018 - both are pipes
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _line(self) -> str:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._messages.seek(0)
            said = self._messages.read().decode(errors="replace").strip().splitlines()
            raise BadInput(f"{self.name} cannot be timed: its process ended ({said[-1] if said else 'without a message'}).")
        return line


def _peak_bytes(process: int) -> int:
    """Peak memory of a running process; 0 where the system does not say (`getrusage` would count that of the parent too)."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0
