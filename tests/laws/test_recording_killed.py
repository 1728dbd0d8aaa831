"""A recording killed at 20 random moments ends in the same bytes, and no row of a finished shard is asked about twice."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

KILLS, SHARD_ROWS = 20, 100

SCRIPT = """
import sys, time
import numpy as np
import pyarrow.parquet  # now, so that the kills fall into the work
from tutelage.core.answers import of_classes
from tutelage.softlabels.recording import record

class Slow:
    form = of_classes("probabilities", ["no", "yes"])
    fingerprint = "slow"
    def answer(self, inputs):
        with open(sys.argv[2], "a") as log:
            log.write(f"{int(inputs[0, 0])}\\n")
        time.sleep(float(sys.argv[3]))
        p = 1 / (1 + np.exp(-inputs[:, 0] / 1000))
        return np.column_stack([1 - p, p])

print("ready", flush=True)
record(Slow(), np.arange(12_000.0).reshape(-1, 1), sys.argv[1], shard_rows=100, dtype="float16")
"""


def started(folder: Path, log: Path, seconds: float) -> subprocess.Popen:
    command = [sys.executable, "-c", SCRIPT, str(folder), str(log), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


def wait_for_lines(log: Path, count: int) -> None:
    deadline = time.monotonic() + 300
    while count and (not log.exists() or log.read_text().count("\n") < count):
        assert time.monotonic() < deadline, "the recording asks nothing"
        time.sleep(0.005)


def ended(process: subprocess.Popen) -> int:
    process.stdout.close()
    return process.wait(60)


def test_killed_and_resumed_is_as_left_alone(tmp_path):
    alone, killed, log = tmp_path / "alone", tmp_path / "killed", tmp_path / "asked.log"
    assert ended(started(alone, tmp_path / "alone.log", 0)) == 0
    rng = np.random.default_rng(0)
    lines = 0
    for _ in range(KILLS):
        finished = {int(path.name[5:10]) for path in killed.glob("part-*.parquet")}
        process = started(killed, log, 0.05)
        wait_for_lines(log, lines + int(rng.integers(0, 4)))  # by progress, not by the clock: a machine may be slow
        time.sleep(rng.uniform(0, 0.06))
        process.send_signal(signal.SIGKILL)
        ended(process)
        asked = [int(line) // SHARD_ROWS for line in log.read_text().splitlines()] if log.exists() else []
        assert not finished & set(asked[lines:])
        assert len(set(asked[lines:])) == len(asked[lines:])
        lines = len(asked)
    assert not (killed / "manifest.json").exists(), "the kills came too late to mean anything"
    finished = {int(path.name[5:10]) for path in killed.glob("part-*.parquet")}
    assert finished, "the kills came too early to mean anything"
    assert ended(started(killed, log, 0)) == 0
    assert not finished & {int(line) // SHARD_ROWS for line in log.read_text().splitlines()[lines:]}
    assert {path.name: path.read_bytes() for path in killed.iterdir()} == {path.name: path.read_bytes() for path in alone.iterdir()}
