"""A recording killed at 20 random moments ends in the same bytes, and no row of a finished shard is recorded twice."""

import time
from pathlib import Path

import numpy as np
import pytest
from prepared_processes import assert_finishes, kill_after, started

from tutelage.core.answers import of_classes
from tutelage.softlabels.recording import ROWS_QUERIED_AGAIN, record

KILLS, ROWS, SHARD_ROWS = 20, 12_000, 100


class Slow:
    """Takes its time and logs the first row of every shard; the few rows that a resumed recording compares are none."""

    form, fingerprint = of_classes("probabilities", ["no", "yes"]), "slow"

    def __init__(self, log: Path, seconds: float):
        self.log, self.seconds = log, seconds

    def answer(self, inputs):
        if len(inputs) > ROWS_QUERIED_AGAIN:
            with self.log.open("a") as log:
                log.write(f"{int(inputs[0, 0])}\n")
            time.sleep(self.seconds)
        p = 1 / (1 + np.exp(-inputs[:, 0] / 1000))
        return np.column_stack([1 - p, p])


def record_all(folder: Path, log: Path, seconds: float) -> None:
    log.touch()
    record(Slow(log, seconds), np.arange(float(ROWS)).reshape(-1, 1), folder, shard_rows=SHARD_ROWS, dtype="float16")


def queried(log: Path) -> list[int]:
    """The shards that the teacher was queried for, in order."""
    return [int(line) // SHARD_ROWS for line in log.read_text().splitlines()]


def finished_shards(folder: Path) -> set[int]:
    return {int(path.name[5:10]) for path in folder.glob("part-*.parquet")}


@pytest.mark.exhaustive
@pytest.mark.slow
def test_killed_and_resumed_is_as_left_alone(tmp_path):
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    assert_finishes(started(record_all, alone, tmp_path / "alone.log", 0))
    rng = np.random.default_rng(0)
    for number in range(KILLS):
        finished, log, questions = finished_shards(killed), tmp_path / f"killed-{number}.log", int(rng.integers(0, 4))
        process = started(record_all, killed, log, 0.05)
        kill_after(process, lambda log=log, least=questions: log.exists() and len(queried(log)) >= least, rng.uniform(0, 0.06))
        assert not finished & set(queried(log))
        assert len(set(queried(log))) == len(queried(log))
    assert not (killed / "manifest.json").exists(), "the kills came too late to mean anything"
    finished = finished_shards(killed)
    assert finished, "the kills came too early to mean anything"
    assert_finishes(started(record_all, killed, tmp_path / "resumed.log", 0))
    assert not finished & set(queried(tmp_path / "resumed.log"))
    assert {path.name: path.read_bytes() for path in killed.iterdir()} == {path.name: path.read_bytes() for path in alone.iterdir()}
