import contextlib
import re
import shutil
import sys
import types

import pytest

from tutelage.workflow.distillation.reporting.tracking import ADDRESS, track

NAME = re.compile(r"[\w./ -]+")  # what MLflow takes, on any of its stores


class Recorder(types.ModuleType):
    """A module that records what it is given, as MLflow does."""

    def __init__(self):
        super().__init__("mlflow")
        self.runs, self.params, self.metrics, self.files, self.tags = [], {}, {}, [], {}

    @contextlib.contextmanager
    def start_run(self, run_name):
        self.runs.append(run_name)
        yield

    def set_tags(self, tags):
        self.tags |= tags

    def log_params(self, params):
        self.params |= params

    def log_metrics(self, metrics):
        self.metrics |= metrics

    def log_artifact(self, path):
        self.files.append(path)


@pytest.mark.exhaustive
def test_parameters_figures_and_files_are_logged(finished, monkeypatch):
    mlflow = Recorder()
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    monkeypatch.setenv(ADDRESS, "http://somewhere")
    track(finished.record, finished.folder)
    record = finished.record
    assert mlflow.runs == [finished.folder.name]
    assert mlflow.tags["tutelage.answer"] == record.answer
    assert mlflow.params["chosen.arm"] == record.chosen
    assert (mlflow.params["trials"], mlflow.params["seeds"]) == (1, 2)
    assert mlflow.metrics["test/answers-more-rows/accuracy"] == record.arm("answers, more rows").mean("accuracy")
    assert mlflow.metrics["rows/test"] == record.rows["test"]
    assert all(NAME.fullmatch(name) for name in (*mlflow.params, *mlflow.metrics))
    assert {"results.json", "report.html", "student.py"} <= {path.rpartition("/")[2] for path in mlflow.files}


@pytest.mark.exhaustive
def test_a_refusal_is_a_warning(finished, monkeypatch):
    mlflow = Recorder()
    mlflow.log_params = lambda params: 1 / 0
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    monkeypatch.setenv(ADDRESS, "http://somewhere")
    with pytest.warns(UserWarning, match="the run is complete, but MLflow at http://somewhere did not take it .ZeroDivisionError"):
        track(finished.record, finished.folder)


def test_without_the_package_it_is_named(finished, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setenv(ADDRESS, "http://somewhere")
    with pytest.warns(UserWarning, match=r"pip install .tutelage\[track\]"):
        track(finished.record, finished.folder)


def test_nothing_is_done_without_an_address(finished, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.delenv(ADDRESS, raising=False)
    track(finished.record, finished.folder)


@pytest.mark.exhaustive
def test_it_is_called_once_when_a_run_is_finished(half_moons, finished, tmp_path, monkeypatch, unchecked):
    mlflow = Recorder()
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    monkeypatch.setenv(ADDRESS, "http://somewhere")
    folder = shutil.copytree(finished.folder, tmp_path / "run")
    half_moons.distill(folder)
    assert mlflow.runs == []
    half_moons.distill(folder, export=["py", "js"])
    assert mlflow.runs == ["run"]
