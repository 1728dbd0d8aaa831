"""However many processes label a plan, and whichever are killed at whatever moment: what is finished is what one process records."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from labelling_teachers import slow

import tutelage as tl
from tutelage.core.engines.engines import search_path

X = np.arange(360.0).reshape(120, 3)
PROGRAM = """
import os, signal, sys, numpy as np, tutelage as tl
from labelling_teachers import slow
from tutelage.softlabels.labelling.plan import plan
X = np.arange(360.0).reshape(120, 3)
teacher = tl.as_teacher(slow, kind="probabilities", classes=["low", "high"])
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children

def label(folder, seed):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    planned = plan(teacher, X, folder, shard_rows=5)
    for shard in np.random.default_rng(seed).permutation(planned.missing()).tolist():
        planned.label(shard)
    if not planned.missing():
        planned.finish()

def drive(folder, seed):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    tl.record(teacher, X, folder, shard_rows=5, on=tl.Local(2))

for line in sys.stdin:
    kind, seed, folder = line.split(maxsplit=2)
    child = os.fork()
    if child == 0:
        try:
            globals()[kind](folder.strip(), int(seed))
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(0)
    print(child, flush=True)
"""


@pytest.fixture(scope="module")
def nursery(tmp_path_factory):
    """A process that has imported everything, and starts others that begin at once."""
    errors = tmp_path_factory.mktemp("nursery") / "errors"
    with errors.open("w") as file:
        command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": file}
        process = subprocess.Popen(command, env={"PYTHONPATH": search_path()}, text=True, **pipes)

        def start(kind, seed, folder):
            process.stdin.write(f"{kind} {seed} {folder}\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        yield start
        process.communicate()
    assert errors.read_text(encoding="utf-8") == ""


def end(pid):
    """Kill a process if it has not ended, and wait until it is gone."""
    while True:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        time.sleep(0.005)


@pytest.mark.parametrize("seed", range(20))
def test_killed_processes_and_drivers_leave_nothing_wrong(tmp_path, nursery, seed):
    teacher = tl.as_teacher(slow, kind="probabilities", classes=["low", "high"])
    tl.record(teacher, X, tmp_path / "one", shard_rows=5)
    draws, folder = random.Random(seed), tmp_path / "many"  # noqa: S311
    for turn in range(3):
        kinds = ["label", "label", "drive" if seed == turn == 0 else "label"]
        both = [nursery(kind, draws.randrange(1000), folder) for kind in kinds]
        for pid in both:
            time.sleep(draws.uniform(0.0, 0.06) * (50 if "drive" in kinds else 1))
            end(pid)
    time.sleep(1.0 if seed == 0 else 0)  # the workers of a killed driver end with their shard
    plan = tl.plan(teacher, X, folder, shard_rows=5)
    for shard in plan.missing():
        plan.label(shard)
    plan.finish()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {p.name: p.read_bytes() for p in (tmp_path / "one").iterdir()}
