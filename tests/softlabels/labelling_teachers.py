"""Teachers of a module, as worker processes import them; and what goes wrong in a worker."""

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np


def sums(rows):
    """Probabilities that depend on each row alone."""
    return 1 / (1 + np.exp(-np.asarray(rows, dtype=np.float64).sum(axis=1) / 10))


def sums_while_printing(rows):
    print("asked", len(rows))
    return sums(rows)


def dies_once(rows):
    """Kills its process when it is asked for row 0 the first time, more than a few rows at a time: a file beside it remembers."""
    mark = Path(os.environ["TUTELAGE_TEST_MARK"])
    if len(rows) > 4 and float(np.asarray(rows)[0, 0]) == 0 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return sums(rows)


def dies_once_and_leaves_a_process(rows):
    """As `dies_once`, after it forked a process that holds what it held open."""
    mark = Path(os.environ["TUTELAGE_TEST_MARK"])
    if len(rows) > 4 and not mark.exists():
        mark.touch()
        if os.fork() == 0:
            time.sleep(600)
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)
    return sums(rows)


def sums_beside_a_program_that_reads(rows):
    subprocess.run(["cat"], check=True, capture_output=True)
    return sums(rows)


def dies_at_seven(rows):
    """Kills its process whenever row 7 is among many."""
    if len(rows) > 4 and (np.asarray(rows)[:, 0] == 7 * 3).any():
        os.kill(os.getpid(), signal.SIGKILL)
    return sums(rows)


def fails_at_seven(rows):
    if len(rows) > 4 and (np.asarray(rows)[:, 0] == 7 * 3).any():
        raise ValueError("row 7 is too much")
    return sums(rows)


def slow(rows):
    time.sleep(0.005)
    return sums(rows)


SCALE = 1.0
"""What a program may change in its own process only."""


def scaled(rows):
    return sums(rows) * SCALE


def forks_and_waits(rows):
    """Starts a process, whose number the mark holds, and takes a second."""
    if len(rows) > 4:
        child = os.fork()
        if child == 0:
            time.sleep(600)
            os._exit(0)
        Path(os.environ["TUTELAGE_TEST_MARK"]).write_text(f"{child}.", encoding="utf-8")
        time.sleep(1)
    return sums(rows)
