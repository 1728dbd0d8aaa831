"""A run that is killed anywhere goes on to the results that it would have had. TUTELAGE_KILLS=20 kills it more often."""

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from short_runs import shortened, small_distillation, unchecked_teachers
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from torch import nn

import tutelage as tl
from tutelage.checks.preflight import preflight
from tutelage.core.errors import BadInput, CannotWrite, DamagedFile, SelfCheckFailed
from tutelage.core.records import dumps
from tutelage.workflow.distillation import run
from tutelage.workflow.distillation.folder import RunFolder
from tutelage.workflow.distillation.searching.judge import Judge

pytestmark = pytest.mark.usefixtures("unchecked")


def without_times(results):
    """The results but for seconds and latencies."""
    if isinstance(results, dict):
        times = ("seconds", "latency", "latency_us", "date", "read", "checksum")
        return {name: without_times(value) for name, value in results.items() if name not in times}
    return [without_times(value) for value in results] if isinstance(results, list) else results


def results_of(folder):
    return without_times(json.loads((folder / "results.json").read_text(encoding="utf-8")))


def begun(folder, distill):
    """Start the run in a process of its own, and return its number."""
    child = os.fork()
    if child == 0:
        distill(folder)
        (folder.parent / "modules.json").write_text(json.dumps(sorted(sys.modules)))
        os._exit(0)
    return child


def finish(folder, distill):
    assert os.waitstatus_to_exitcode(os.waitpid(begun(folder, distill), 0)[1]) == 0


def kill_after(folder, distill, delay, stage="", more=0):
    """Kill the run so many seconds after it has stored more files of a stage, unless it ends before."""
    before = stored_in(folder, stage)
    child = begun(folder, distill)
    while not (ended := os.waitpid(child, os.WNOHANG))[0] and stored_in(folder, stage) < before + more:
        time.sleep(0.001)
    stop = time.monotonic() + delay
    while not ended[0] and time.monotonic() < stop:
        time.sleep(0.001)
        ended = os.waitpid(child, os.WNOHANG)
    if ended[0]:
        assert os.waitstatus_to_exitcode(ended[1]) == 0
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def stored_in(folder, stage):
    return len(list((folder / "work" / stage).glob("*.json")))


def stage_of(folder, whole):
    """Where a killed run had come to, given how many files each stage of a whole run stores."""
    if (folder / "results.json").exists():
        return "finished"
    last = next((stage for stage in reversed(whole) if stored_in(folder, stage)), None)
    if last is None:
        return "before the trials"
    return last if stored_in(folder, last) < whole[last] else f"after the {last}"


def kill_and_compare(place, kills):
    """Kill some runs within the search and then within the finals, others at any time; the script of the test below."""
    distill = partial(small_distillation().distill, trials=2)
    random, stored, hits = np.random.default_rng(kills), {}, Counter()
    with shortened(), unchecked_teachers():
        finish(place / "alone", distill)
        for name in json.loads((place / "modules.json").read_text()):  # so that no other child has to import them
            with suppress(ImportError):
                importlib.import_module(name)
        started = time.monotonic()
        finish(place / "warm", distill)
        seconds = time.monotonic() - started
        whole = {stage: stored_in(place / "alone", stage) for stage in ("trials", "finals", "curve")}
        for number in range(kills + 9):
            if number >= kills and hits["trials"] and hits["finals"]:
                break  # a busy computer may have killed too late
            folder, stage = place / f"killed-{number // 2}", ("trials", "finals", None, None)[number % 4]
            if stage is None:
                kill_after(folder, distill, random.uniform(0, seconds))
            else:
                more = random.integers(1, max((whole[stage] - stored_in(folder, stage)) // 2, 1), endpoint=True)
                kill_after(folder, distill, random.uniform(0, seconds / 100), stage, more)
            hits[stage_of(folder, whole)] += 1
            stored |= {path: path.read_bytes() for path in folder.glob("work/**/*.json") if path.name != "seconds.json"}
        for folder in sorted(place.glob("killed-*")):
            finish(folder, distill)
            assert results_of(folder) == results_of(place / "alone"), folder
    print(dict(hits))
    assert hits["trials"], hits
    assert hits["finals"], hits
    assert all(path.read_bytes() == content for path, content in stored.items())


@pytest.mark.exhaustive
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_a_killed_run_goes_on_to_the_same_results(tmp_path):
    # in a process without threads, which can be forked
    code = "import sys, pathlib, test_resume; test_resume.kill_and_compare(pathlib.Path(sys.argv[1]), int(sys.argv[2]))"
    kills = os.environ.get("TUTELAGE_KILLS", "3")
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(tmp_path), kills], check=True, cwd=Path(__file__).parent)


def layers(inputs, outputs, width=4):
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(0.1), nn.Linear(width, outputs))


class Stopped(Exception):
    pass


@pytest.mark.exhaustive
def test_a_stopped_run_of_torch_networks_goes_on_to_the_same_results(half_moons, tmp_path, monkeypatch):
    estimator, calls = tl.TorchClassifier(layers, epochs=3, batch_size=32), []
    settings = {"students": {"net": (estimator, {"width": [2, 4], "learning_rate": [0.01, 0.05]})}}
    found = half_moons.distill(tmp_path / "alone", **settings)
    assert {arm.student for arm in found.arms if arm.kind == "distilled"} == {"net"}

    def stopping(self, student, rows):
        calls.append(1)
        if len(calls) in (3, 11):
            raise Stopped
        return file(self, student, rows)

    file = Judge.file
    monkeypatch.setattr(Judge, "file", stopping)
    for _ in range(2):
        with pytest.raises(Stopped):
            half_moons.distill(tmp_path / "stopped", **settings)
    torch.manual_seed(9)  # of no effect
    half_moons.distill(tmp_path / "stopped", **settings)
    assert results_of(tmp_path / "stopped") == results_of(tmp_path / "alone")
    student = tl.load_student(tmp_path / "stopped")
    assert np.array_equal(student.predict_proba(half_moons.X), found.student.predict_proba(half_moons.X))


@pytest.fixture
def copied(finished, tmp_path):
    """The folder of a copy of the finished run, to change."""
    return shutil.copytree(finished.folder, tmp_path / "run")


def test_a_finished_run_is_read_and_not_made_again(half_moons, finished, copied):
    before = {path: path.stat().st_mtime_ns for path in copied.rglob("*")}
    again = half_moons.distill(copied)
    assert dumps(again.record.to_json()) == dumps(finished.record.to_json())
    assert {path: path.stat().st_mtime_ns for path in copied.rglob("*")} == before


def test_the_time_of_a_run_is_that_of_all_its_calls(finished, half_moons, copied):
    (copied / "student.py").unlink()
    again = half_moons.distill(copied).record.seconds
    before = finished.record.seconds
    assert set(again) >= set(before)
    assert all(again[name] >= seconds for name, seconds in before.items())
    assert again["total"] > before["total"]


@pytest.mark.exhaustive
def test_more_exports_go_on(half_moons, finished, copied):
    found = half_moons.distill(copied, export=["py", "js"])
    assert [export.file for export in found.record.exports] == ["student.py", "student.js"]
    assert without_times(found.record.to_json()["arms"]) == without_times(finished.record.to_json()["arms"])


CHANGED = {
    "y": (lambda given: {"y": 1 - given.y}, "other rows or another ground truth"),
    "X": (lambda given: {"X": given.X + 1}, "other rows"),
    "teacher": (lambda given: {"teacher": clone(given.teacher).set_params(max_depth=4).fit(given.X, given.y)}, "another teacher"),
    "trials": (lambda given: {"trials": 3}, "another number of trials"),
    "students": (lambda given: {"students": ["tree", "logistic"], "trials": 2}, "other students"),
    "limits": (lambda given: {"limits": tl.Limits(size="1MB")}, "other limits"),
    "metric": (lambda given: {"metric": "brier"}, "another metric"),
    "seed": (lambda given: {"seed": 1}, "another seed"),
    "export": (lambda given: {"export": "js"}, "another first export"),
    "pool": (lambda given: {"pool": given.X[:50] + 1}, "another pool"),
    "test": (lambda given: {"test": (given.X[:50] + 1, given.y[:50])}, "other test rows"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_changed_inputs_are_refused_by_name(half_moons, finished, name):
    changed, named = CHANGED[name]
    with pytest.raises(BadInput, match=f"holds a run with .*{named}.*; pass what it was started with"):
        half_moons.distill(finished.folder, **changed(half_moons))


@pytest.mark.exhaustive
def test_measured_latencies_are_reused(half_moons, tmp_path):
    distill = partial(half_moons.distill, tmp_path / "run", y=None, limits=tl.Limits(latency="1s"))  # few arms
    distill()
    measured = {path: path.read_bytes() for path in tmp_path.glob("run/work/*/*.json")}
    assert any(b'"latency_us": null' not in content for path, content in measured.items() if path.parent.name == "trials")
    (tmp_path / "run" / "results.json").unlink()
    again = next(path for path in measured if path.parent.name == "finals" and path.name.startswith("decisions"))
    again.unlink()
    distill()
    assert again.exists()
    assert {path for path, content in measured.items() if path.read_bytes() != content} <= {again}


def test_a_damaged_result_is_not_read(half_moons, copied):
    path = copied / "results.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"accuracy"', '"precision"'), encoding="utf-8")
    with pytest.raises(DamagedFile, match=r"results\.json is damaged"):
        half_moons.distill(copied)


def test_a_damaged_export_is_written_again(half_moons, finished, copied):
    written = finished.record.exports[0]
    (copied / "student.py").write_text("", encoding="utf-8")
    assert half_moons.distill(copied).record.exports[0].sha256 == written.sha256
    assert (copied / "student.py").stat().st_size == written.size_bytes


def test_a_run_that_is_refused_leaves_nothing_behind(half_moons, tmp_path, monkeypatch):
    few = {"X": half_moons.X[:8], "y": half_moons.y[:8]}
    with pytest.raises(BadInput, match="rows to train on"):
        half_moons.distill(tmp_path / "a" / "b", **few)
    monkeypatch.setattr(run, "preflight", preflight)  # the real one
    constant = LogisticRegression().fit(np.zeros((4, 2)), [0, 1, 0, 1])
    with pytest.raises(SelfCheckFailed):
        half_moons.distill(tmp_path / "c", teacher=constant)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="rows to train on"):
        half_moons.distill(tmp_path / "empty", **few)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["empty"]


def test_other_files_are_left_alone(half_moons, tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(CannotWrite, match="already holds other files"):
        half_moons.distill(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_two_processes_do_not_share_a_folder(half_moons, tmp_path):
    with RunFolder(tmp_path / "run").opened({}), pytest.raises(CannotWrite, match="another process works in"):
        half_moons.distill(tmp_path / "run")
