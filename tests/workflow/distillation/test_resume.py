"""A run that is killed anywhere goes on to the results that it would have had. TUTELAGE_KILLS=20 kills it more often."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import make_moons
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from torch import nn

import tutelage as tl
from tutelage.core.errors import BadInput, CannotWrite, DamagedFile, SelfCheckFailed
from tutelage.core.records import dumps
from tutelage.workflow.distillation.folder import RunFolder
from tutelage.workflow.distillation.searching.search import Judge

X, Y = make_moons(300, noise=0.3, random_state=0)
TEACHER = RandomForestClassifier(20, max_depth=5, random_state=0).fit(X[:100], Y[:100])
SMALL = {"students": ["tree"], "trials": 2, "seeds": 2, "export": "py"}


LATENCY = Judge.latency


def without_timing(self, student, rows, *, seconds):
    """The latency of a file where it is limited: every other measurement starts a process."""
    return LATENCY(self, student, rows, seconds=seconds) if self.limits.latency is not None else None


@pytest.fixture(autouse=True, scope="module")
def _untimed():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Judge, "latency", without_timing)
        yield


def distill(into, X=X[100:], y=Y[100:], teacher=TEACHER, **settings):
    return tl.distill(teacher, X, y, into=into, **{**SMALL, **settings})


def without_times(results):
    """The results but for seconds and latencies."""
    if isinstance(results, dict):
        times = ("seconds", "latency", "latency_us", "date", "read", "checksum")
        return {name: without_times(value) for name, value in results.items() if name not in times}
    return [without_times(value) for value in results] if isinstance(results, list) else results


def results_of(folder):
    return without_times(json.loads((folder / "results.json").read_text(encoding="utf-8")))


def killed_after(seconds, folder, **settings):
    """Start the run in a process of its own, and kill it. Whether it had finished before."""
    child = os.fork()
    if child == 0:
        distill(folder, **settings)
        os._exit(0)
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def kill_and_compare(place, kills):
    """Kill a run at random moments, one after the other, until it is finished; the script of the test below."""
    Judge.latency = without_timing  # in a process of its own
    random, started = np.random.default_rng(kills), time.monotonic()
    assert killed_after(600, place / "alone")
    seconds, stored = time.monotonic() - started, {}
    for number in range(kills):
        folder = place / f"killed-{number // 4}"  # killed up to four times before it is finished
        killed_after(random.uniform(0, seconds / 2), folder)
        stored |= {path: path.read_bytes() for path in folder.glob("work/**/*.json")}
    for folder in sorted(place.glob("killed-*")):
        assert killed_after(600, folder)
        assert results_of(folder) == results_of(place / "alone"), folder
    assert stored
    assert all(path.read_bytes() == content for path, content in stored.items())


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


def test_a_stopped_run_of_torch_networks_goes_on_to_the_same_results(tmp_path, monkeypatch):
    estimator, calls = tl.TorchClassifier(layers, epochs=3, batch_size=32), []
    settings = {"students": {"net": (estimator, {"width": [2, 4], "learning_rate": [0.01, 0.05]})}}
    found = distill(tmp_path / "alone", **settings)
    assert {arm.student for arm in found.arms if arm.kind == "distilled"} == {"net"}

    def stopping(self, student, rows):
        calls.append(1)
        if len(calls) in (3, 11):
            raise Stopped
        return size(self, student, rows)

    size = Judge.size
    monkeypatch.setattr(Judge, "size", stopping)
    for _ in range(2):
        with pytest.raises(Stopped):
            distill(tmp_path / "stopped", **settings)
    torch.manual_seed(9)  # of no effect
    distill(tmp_path / "stopped", **settings)
    assert results_of(tmp_path / "stopped") == results_of(tmp_path / "alone")
    student = tl.load_student(tmp_path / "stopped")
    assert np.array_equal(student.predict_proba(X), found.student.predict_proba(X))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "run"
    return distill(folder)


def test_a_finished_run_is_read_and_not_made_again(finished):
    before = {path: path.stat().st_mtime_ns for path in finished.folder.rglob("*")}
    again = distill(finished.folder)
    assert dumps(again.record.to_json()) == dumps(finished.record.to_json())
    assert {path: path.stat().st_mtime_ns for path in finished.folder.rglob("*")} == before


def test_more_exports_go_on(finished, tmp_path):
    found = distill(finished.folder, export=["py", "js"])
    assert [export.file for export in found.record.exports] == ["student.py", "student.js"]
    assert without_times(found.record.to_json()["arms"]) == without_times(finished.record.to_json()["arms"])


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"y": 1 - Y[100:]}, "other rows or another ground truth"),
        ({"X": X[100:] + 1}, "other rows"),
        ({"teacher": RandomForestClassifier(20, max_depth=4, random_state=0).fit(X[:100], Y[:100])}, "another teacher"),
        ({"trials": 3}, "another number of trials"),
        ({"students": ["tree", "logistic"]}, "other students"),
        ({"limits": tl.Limits(size="1MB")}, "other limits"),
        ({"metric": "brier"}, "another metric"),
        ({"seed": 1}, "another seed"),
        ({"export": "js"}, "another first export"),
        ({"pool": X[:50]}, "another pool"),
        ({"test": (X[:50], Y[:50])}, "other test rows"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_changed_inputs_are_refused_by_name(finished, changed, named):
    with pytest.raises(BadInput, match=f"holds a run with .*{named}.*; pass what it was started with"):
        distill(finished.folder, **changed)


def test_measured_latencies_are_reused(tmp_path):
    settings = {"y": None, "limits": tl.Limits(latency="1s"), "trials": 1}  # few arms: each measurement starts a process
    distill(tmp_path / "run", **settings)
    measured = {path: path.read_bytes() for path in tmp_path.glob("run/work/**/*.json")}
    assert any(b'"latency_us": null' not in content for path, content in measured.items() if path.parent.name == "trials")
    (tmp_path / "run" / "results.json").unlink()
    again = next(path for path in measured if path.parent.name == "finals" and path.name.startswith("decisions"))
    again.unlink()
    distill(tmp_path / "run", **settings)
    assert again.exists()
    assert {path for path, content in measured.items() if path.read_bytes() != content} <= {again}


def test_a_damaged_result_is_not_read(finished, tmp_path):
    folder = tmp_path / "damaged"
    distill(folder)
    path = folder / "results.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"accuracy"', '"precision"'), encoding="utf-8")
    with pytest.raises(DamagedFile, match=r"results\.json is damaged"):
        distill(folder)


def test_a_damaged_export_is_written_again(tmp_path):
    folder = tmp_path / "run"
    written = distill(folder).record.exports[0]
    (folder / "student.py").write_text("", encoding="utf-8")
    assert distill(folder).record.exports[0].sha256 == written.sha256
    assert (folder / "student.py").stat().st_size == written.size_bytes


def test_a_run_that_is_refused_leaves_nothing_behind(tmp_path):
    with pytest.raises(BadInput, match="rows to train on"):
        distill(tmp_path / "a" / "b", X[:8], Y[:8])
    constant = LogisticRegression().fit(np.zeros((4, 2)), [0, 1, 0, 1])
    with pytest.raises(SelfCheckFailed):
        distill(tmp_path / "c", teacher=constant)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="rows to train on"):
        distill(tmp_path / "empty", X[:8], Y[:8])
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["empty"]


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(CannotWrite, match="already holds other files"):
        distill(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_two_processes_do_not_share_a_folder(tmp_path):
    with RunFolder(tmp_path / "run").opened({}), pytest.raises(CannotWrite, match="another process works in"):
        distill(tmp_path / "run")
