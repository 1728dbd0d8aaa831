"""Stopped at any moment: nothing half-written, and the next run comes to the same result."""

import json
import signal
import subprocess
import sys
import time

import pytest

from tutelage.cli import main


def _started(recipe: str, tmp_path, *options: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "tutelage", "run", recipe, "--quick", "--out", "run", "--cache", "cache", *options]
    return subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _until(process: subprocess.Popen, stage: str) -> None:
    for line in process.stderr:
        if line.startswith(stage):
            return
    raise AssertionError(f"the run ended before {stage}")


@pytest.mark.exhaustive(every=2)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "stage", "number", "status"),
    [("friedman", "teachers ...", signal.SIGTERM, 143), ("mnist", "teacher ...", signal.SIGINT, 130)],
)
def test_a_stopped_run_says_so_in_one_sentence_and_leaves_nothing_half_written(recipe, stage, number, status, tmp_path):
    process = _started(recipe, tmp_path)
    _until(process, stage)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert said.strip().splitlines() == [
        "tutelage: stopped; no partial output was left behind, and the next run reuses what is in the cache."
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) in ([], ["cache"])
    assert list(tmp_path.glob("cache/*")) == []


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_result(moons, tmp_path):
    process = _started("moons", tmp_path)
    while not list(tmp_path.glob("cache/*.safetensors")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert not (tmp_path / "run").exists()
    assert main(["run", "moons", "--quick", "--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]) == 0
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    scores = {arm["name"]: arm["test_errors"] for arm in results["arms"]}
    assert scores == {arm["name"]: arm["test_errors"] for arm in moons.results["arms"]}
