import os
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import labelling_teachers
import numpy as np
import pytest

import tutelage as tl
from tutelage.core.engines.engines import search_path
from tutelage.core.errors import BadInput, CannotWrite, LabelMismatch

X = np.arange(300.0).reshape(100, 3)


def teacher_of(function):
    return tl.as_teacher(function, kind="probabilities", classes=["low", "high"])


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def alone(tmp_path):
    tl.record(teacher_of(labelling_teachers.sums_while_printing), X, tmp_path / "alone", shard_rows=13)
    return files_of(tmp_path / "alone")


def test_processes_record_the_bytes_of_one_and_may_print(tmp_path, alone):
    done = []
    teacher = teacher_of(labelling_teachers.sums_while_printing)
    labels = tl.record(teacher, X, tmp_path / "many", shard_rows=13, on=tl.Local(2), advance=lambda: done.append(1))
    assert files_of(tmp_path / "many") == alone
    assert len(done) == labels.provenance.shards == 8


@pytest.mark.exhaustive
@pytest.mark.parametrize("where", ["threads", "processes", "dask", "ray"])
def test_any_object_with_submit_records_the_bytes_of_one_process(tmp_path, alone, where, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", search_path())
    teacher = teacher_of(labelling_teachers.sums_while_printing)
    if where == "threads":
        with ThreadPoolExecutor(2) as pool:
            tl.record(teacher, X, tmp_path / "many", shard_rows=13, on=pool)
    elif where == "processes":
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            tl.record(teacher, X, tmp_path / "many", shard_rows=13, on=pool)
    elif where == "dask":
        distributed = pytest.importorskip("distributed", reason="Dask is not installed")
        with distributed.Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
            tl.record(teacher, X, tmp_path / "many", shard_rows=13, on=client)
    else:
        ray = pytest.importorskip("ray", reason="the extra ray is not installed")
        ray.shutdown()  # that of other tests, which start it again
        tl.record(teacher, X, tmp_path / "many", shard_rows=13, on=tl.Ray(workers=2))
        assert not ray.is_initialized()  # what it started is stopped
    assert files_of(tmp_path / "many") == alone


@pytest.mark.exhaustive
def test_a_worker_that_dies_is_replaced_and_its_shard_done_again(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTELAGE_TEST_MARK", str(tmp_path / "died"))
    labels = tl.record(teacher_of(labelling_teachers.dies_once), X, tmp_path / "labels", shard_rows=13, on=tl.Local(2))
    assert (tmp_path / "died").exists()
    assert np.allclose(labels.answer(X)[:, 1], labelling_teachers.sums(X))


@pytest.mark.exhaustive
def test_a_process_that_a_worker_leaves_behind_holds_nobody_up(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTELAGE_TEST_MARK", str(tmp_path / "died"))
    teacher = teacher_of(labelling_teachers.dies_once_and_leaves_a_process)
    labels = tl.record(teacher, X, tmp_path / "labels", shard_rows=50, on=tl.Local(1))
    assert (tmp_path / "died").exists()
    assert np.allclose(labels.answer(X)[:, 1], labelling_teachers.sums(X))


@pytest.mark.exhaustive
def test_nothing_stays_behind_a_program_that_is_killed(tmp_path):
    mark = tmp_path / "child"
    program = (
        "import numpy as np, tutelage as tl, labelling_teachers as of; teacher = tl.as_teacher(of.forks_and_waits, kind='values'); "
        "tl.record(teacher, np.arange(60.0).reshape(20, 3), 'labels', on=tl.Local(1))"
    )
    environment = {**os.environ, "PYTHONPATH": search_path(), "TUTELAGE_TEST_MARK": str(mark)}
    process = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, env=environment)
    wait_until(lambda: mark.exists() and mark.read_text(encoding="utf-8").endswith("."))
    process.kill()
    process.wait()
    child = int(mark.read_text(encoding="utf-8").rstrip("."))
    wait_until(lambda: not Path(f"/proc/{child}").exists() or "(zombie)" in Path(f"/proc/{child}/status").read_text(encoding="utf-8"))


def wait_until(true):
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen within a minute")


@pytest.mark.exhaustive
def test_a_program_that_a_teacher_starts_does_not_read_what_the_worker_is_sent(tmp_path):
    teacher = teacher_of(labelling_teachers.sums_beside_a_program_that_reads)
    labels = tl.record(teacher, X, tmp_path / "labels", shard_rows=50, on=tl.Local(1))
    assert np.allclose(labels.answer(X)[:, 1], labelling_teachers.sums(X))


@pytest.mark.parametrize(
    ("function", "said"),
    [("fails_at_seven", "ValueError: row 7 is too much"), pytest.param("dies_at_seven", "WorkerDied", marks=pytest.mark.exhaustive)],
)
def test_rows_that_fail_three_times_are_named_and_all_others_recorded(tmp_path, function, said):
    teacher = teacher_of(getattr(labelling_teachers, function))
    with pytest.raises(
        CannotWrite, match=rf"1 of 20 shards could not be labelled; the others are complete. Shard 1, rows 5 to 9: .*{said}"
    ):
        tl.record(teacher, X, tmp_path / "labels", shard_rows=5, on=tl.Local(2))
    assert tl.plan(teacher, X, tmp_path / "labels", shard_rows=5).missing() == [1]


@pytest.mark.parametrize("version", [None, "1"])
def test_a_function_that_answers_otherwise_in_the_workers_is_an_error(tmp_path, monkeypatch, version):
    monkeypatch.setattr(labelling_teachers, "SCALE", 0.5)
    teacher = tl.as_teacher(labelling_teachers.scaled, kind="probabilities", classes=["low", "high"], version=version)
    with pytest.raises(
        (CannotWrite, LabelMismatch), match="the teacher now gives other answers" if version else "another process makes another teacher"
    ):
        tl.record(teacher, X, tmp_path / "labels", shard_rows=50, on=tl.Local(1))
    assert not (tmp_path / "labels" / "manifest.json").exists()


def test_a_function_of_the_program_itself_is_refused_and_may_be_recorded_by_this_process(tmp_path):
    teacher = teacher_of(lambda rows: 1 - labelling_teachers.sums(rows))
    with pytest.raises(BadInput, match="cannot be sent to other processes: no module defines it by a name of its own"):
        tl.record(teacher, X, tmp_path / "labels", on=tl.Local(1))
    assert not (tmp_path / "labels").exists()
    assert len(tl.record(teacher, X, tmp_path / "labels")) == 100


@pytest.mark.exhaustive
def test_a_program_needs_no_guard_against_being_started_again(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent("""
            import numpy as np, tutelage as tl
            from sklearn.linear_model import LinearRegression
            X = np.arange(30.0).reshape(10, 3)
            labels = tl.record(LinearRegression().fit(X, X[:, 0]), X, "labels", shard_rows=5, on=tl.Local(1))
            print(len(labels))
        """),
        encoding="utf-8",
    )
    ran = subprocess.run(
        [sys.executable, program], cwd=tmp_path, env={"PYTHONPATH": search_path()}, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "10\n"), ran.stderr


@pytest.mark.parametrize("on", ["ray", 4, object(), tl.Local, ThreadPoolExecutor])
def test_what_runs_nothing_is_refused(tmp_path, on):
    with pytest.raises(BadInput, match=r"expected tl\.Local"):
        tl.record(teacher_of(labelling_teachers.sums), X, tmp_path / "labels", on=on)
    assert not (tmp_path / "labels").exists()


def test_an_executor_that_was_shut_down_is_said(tmp_path):
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(BadInput, match="nothing can be started on it any more"):
        tl.record(teacher_of(labelling_teachers.sums), X, tmp_path / "labels", on=pool)


def test_on_applies_to_a_folder():
    with pytest.raises(BadInput, match="on= applies to a folder only"):
        tl.record(teacher_of(labelling_teachers.sums), X, on=tl.Local(1))
