"""Students that other processes train are those of one process, whoever ends first and whatever is killed."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context

import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from students_elsewhere import deadly
from test_resume import results_of

import tutelage as tl
from tutelage.core.engines.engines import search_path
from tutelage.core.errors import BadInput
from tutelage.core.records import Latency
from tutelage.exporters.bench.shipped import ShippedFile
from tutelage.workflow.distillation.evidence import finals
from tutelage.workflow.distillation.evidence.finals import trained
from tutelage.workflow.distillation.folder import RunFolder
from tutelage.workflow.distillation.searching.search import tried

pytestmark = pytest.mark.usefixtures("unchecked")
SETTINGS = {"trials": 6}


@pytest.fixture(scope="module")
def alone(half_moons, untimed, tmp_path_factory):
    from short_runs import unchecked_teachers

    folder = tmp_path_factory.mktemp("alone") / "run"
    with unchecked_teachers():
        half_moons.distill(folder, **SETTINGS)
    return results_of(folder)


def engine(where):
    if where == "threads":
        return ThreadPoolExecutor(3)
    if where == "processes":
        return ProcessPoolExecutor(2, mp_context=get_context("spawn"))
    return nullcontext(tl.Local(2) if where == "local" else tl.Ray(workers=2))


@pytest.mark.parametrize("where", ["threads", *(pytest.param(one, marks=pytest.mark.exhaustive) for one in ("local", "processes", "ray"))])
def test_the_record_is_that_of_one_process(half_moons, alone, tmp_path, where, monkeypatch, request):
    if where == "ray":
        request.getfixturevalue("ray")
    monkeypatch.setenv("PYTHONPATH", search_path())
    with engine(where) as on:
        half_moons.distill(tmp_path / "run", **SETTINGS, on=on)
    assert results_of(tmp_path / "run") == alone
    assert not list(tmp_path.glob("run/work/*.pickle"))


class Stopped(Exception):
    pass


def test_a_stopped_run_goes_on_wherever_it_was_begun(half_moons, alone, tmp_path, monkeypatch):
    write, written = RunFolder.write, []

    def stopping(self, name, values):
        write(self, name, values)
        written.append(name)
        if len([one for one in written if one.startswith("work/trials")]) == 7 or written[-1].startswith("work/finals"):
            raise Stopped

    monkeypatch.setattr(RunFolder, "write", stopping)
    with ThreadPoolExecutor(2) as on:
        for _ in range(2):  # in the search, and in the training of all seeds
            with pytest.raises(Stopped):
                half_moons.distill(tmp_path / "run", **SETTINGS, on=on)
        monkeypatch.setattr(RunFolder, "write", write)
        assert any(name.startswith("work/finals") for name in written)
        half_moons.distill(tmp_path / "run", **SETTINGS, on=None)
    assert results_of(tmp_path / "run") == alone


@pytest.mark.exhaustive
def test_a_driver_that_is_killed_goes_on_to_the_same_results(half_moons, alone, tmp_path):
    program = (
        "import tutelage as tl; from short_runs import shortened, small_distillation, unchecked_teachers\n"
        "with shortened(), unchecked_teachers(): small_distillation().distill('run', trials=6, on=tl.Local(2))"
    )
    environment = {**os.environ, "PYTHONPATH": search_path()}
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", program], cwd=tmp_path, env=environment)
    trials = tmp_path / "run" / "work" / "trials"
    while process.poll() is None and len(list(trials.glob("*.json"))) < 3:
        time.sleep(0.01)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert (tmp_path / "run" / "work" / "rows.pickle").exists()
    half_moons.distill(tmp_path / "run", **SETTINGS)
    assert results_of(tmp_path / "run") == alone
    assert not (tmp_path / "run" / "work" / "rows.pickle").exists()


@pytest.mark.exhaustive
def test_latencies_are_measured_by_this_process_while_no_other_trains(half_moons, tmp_path, monkeypatch):
    measured, training = [], []

    def timed(*given, **options):
        assert not training
        measured.append(os.getpid())
        return Latency(10.0, 12.0, (9.0, 11.0), 99, 1)

    def noted(*given):
        training.append(1)
        try:
            return tried(*given)
        finally:
            training.pop()

    monkeypatch.setattr(ShippedFile, "latency", timed)
    monkeypatch.setattr("tutelage.workflow.distillation.searching.search.tried", noted)
    given = {**SETTINGS, "limits": tl.Limits(latency="20us")}
    half_moons.distill(tmp_path / "alone", **given)
    with ThreadPoolExecutor(3) as on:
        half_moons.distill(tmp_path / "many", **given, on=on)
    assert measured
    assert results_of(tmp_path / "many") == results_of(tmp_path / "alone")


@pytest.mark.parametrize("cannot", [lambda rows: rows, "ray"])
def test_what_cannot_be_sent_is_said_before_there_is_a_folder(half_moons, tmp_path, cannot):
    if cannot == "ray":
        changed, said = {"on": "ray"}, r"expected tl\.Local\(workers\)"
    else:
        changed, said = {"on": tl.Local(1)}, "the student 'mine' cannot be sent to other processes .* or leave on= out"
        changed["students"] = {"mine": (make_pipeline(FunctionTransformer(cannot), tl.SoftTree()), {})}
    with pytest.raises(BadInput, match=said):
        half_moons.distill(tmp_path / "run", **changed)
    assert not (tmp_path / "run").exists()


@pytest.mark.exhaustive
def test_a_training_that_kills_its_process_three_times_is_named(half_moons, tmp_path, monkeypatch):
    monkeypatch.setattr("tutelage.workflow.distillation.searching.search.tried", deadly)
    said = r"of \d+ trainings failed three times in other processes\. Trial 0 of the student 'logistic' in the arm '.*': WorkerDied: "
    with pytest.raises(BadInput, match=said):
        half_moons.distill(tmp_path / "run", students=["logistic", "tree"], trials=2, y=None, on=tl.Local(1))
    assert list(tmp_path.glob("run/work/trials/*_tree_0.json"))  # the others are stored
    assert not list(tmp_path.glob("run/work/trials/*_logistic_0.json"))


def test_the_first_students_of_other_arms_are_stored_where_one_fails(half_moons, tmp_path, monkeypatch):
    def failing(shared, arm, *given):
        if arm.name == "labels":
            raise RuntimeError("no memory")
        return trained(shared, arm, *given)

    monkeypatch.setattr(finals, "trained", failing)
    said = "The student 'tree' of the arm 'labels' with seed 0: RuntimeError: no memory"
    with ThreadPoolExecutor(2) as on, pytest.raises(BadInput, match=said):
        half_moons.distill(tmp_path / "run", trials=1, on=on)
    assert list(tmp_path.glob("run/work/finals/answers_tree_*"))
    assert not list(tmp_path.glob("run/work/finals/labels_tree_*"))
