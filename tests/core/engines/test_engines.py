import os
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from importlib import import_module
from multiprocessing import get_context

import pytest

import tutelage as tl
from tutelage.core.engines.engines import Engine, engine_named, search_path, started, workers_of
from tutelage.core.engines.processes import WorkerDied
from tutelage.core.engines.tasks import run_tasks
from tutelage.core.errors import BadInput


def done_on(engine, call, tasks=range(4), **options):
    """What came back of each task, and what was given up."""
    found = {}
    given_up = run_tasks(engine, tasks, call, found.__setitem__, **options)
    return found, given_up


def test_tasks_run_on_an_engine_and_errors_are_tried_three_times():
    tried = []

    def work(task):
        tried.append(task)
        if task == 2:
            raise ValueError("two is too much")
        return 10 * task

    with ThreadPoolExecutor(2) as pool:
        found, given_up = done_on(Engine(pool.submit, 2), lambda attempt: (work, attempt.task))
    assert found == {0: 0, 1: 10, 3: 30}
    assert given_up == {2: "ValueError: two is too much"}
    assert tried.count(2) == 3


def test_tasks_of_which_each_takes_its_own_time_are_started_once():
    numbers = []
    with ThreadPoolExecutor(3) as pool:
        engine = Engine(pool.submit, 3)
        found, _ = done_on(engine, lambda attempt: (numbers.append(attempt.number), pow, attempt.task, 2)[1:], slow=float("inf"))
    assert found == {0: 0, 1: 1, 2: 4, 3: 9}
    assert numbers == [0, 1, 2, 3]


def test_an_executor_that_was_shut_down_is_said():
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(BadInput, match="nothing can be started on it any more"):
        done_on(Engine(pool.submit, 1), lambda attempt: (str, attempt.task))


@pytest.mark.exhaustive
@pytest.mark.parametrize("where", ["local", "pool"])
def test_modules_of_the_current_folder_are_found_by_workers(tmp_path, monkeypatch, where):
    (tmp_path / "only_there.py").write_text("VALUE = 7\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    monkeypatch.setenv("PYTHONPATH", search_path().rpartition(os.pathsep)[0])  # without the current folder
    with pool, started(tl.Local(1) if where == "local" else pool) as engine:
        assert engine.submit(eval, "__import__('only_there').VALUE").result() == 7


ODD = """
class Odd(Exception):
    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


class Unmade:
    def __reduce__(self):
        return Odd, ("one", "two", "three")


def fails():
    raise Odd("one", "two")
"""


def test_what_cannot_be_read_by_the_other_process_is_said_and_spoils_no_later_task(tmp_path, monkeypatch):
    (tmp_path / "odd_errors.py").write_text(ODD, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    unmade = import_module("odd_errors").Unmade()
    with started(tl.Local(1)) as engine:
        with pytest.raises(RuntimeError, match=r"odd_errors\.Odd: one and two"):
            engine.submit(eval, "__import__('odd_errors').fails()").result()
        with pytest.raises(TypeError, match="takes 3 positional arguments"):
            engine.submit(max, [unmade, ["x" * 10] * 100_000, b"x" * 100_000]).result()
        assert [engine.submit(abs, number).result() for number in range(3)] == [0, 1, 2]


ENDING = """
import os, sys, time


class Made:
    def __reduce__(self):
        return sys.exit, (3,)


def leaves():
    sys.exit(0)


def ends(status):
    os._exit(status)


def closes(status):  # and still runs, as a program does that ends slowly
    os.closerange(3, 20)
    time.sleep(0.3)
    os._exit(status)
"""


def test_code_that_ends_a_worker_is_said_by_what_it_did(tmp_path, monkeypatch):
    (tmp_path / "ending.py").write_text(ENDING, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    made = import_module("ending").Made()
    with started(tl.Local(1)) as engine:
        for call in ((eval, "__import__('ending').leaves()"), (max, [made])):
            with pytest.raises(RuntimeError, match=r"its code called sys\.exit\([03]\), which ends a program"):
                engine.submit(*call).result()
        assert engine.submit(abs, -1).result() == 1
        for code, status in (("ends(7)", 7), ("closes(4)", 4)):
            with pytest.raises(WorkerDied, match=f"ended with status {status}$"):
                engine.submit(eval, f"__import__('ending').{code}").result()
    with ThreadPoolExecutor(1) as pool:  # one that hands a SystemExit on
        found, given_up = done_on(Engine(pool.submit, 1), lambda attempt: (sys.exit, attempt.task), [1])
    assert (found, given_up) == ({}, {1: "SystemExit: its code called sys.exit(1), which ends a program"})


@pytest.mark.parametrize(("text", "workers"), [("local:3", 3), ("ray:64", 64), ("local", os.cpu_count())])
def test_engines_are_named_by_kind_and_number(text, workers):
    found = engine_named(text)
    assert (type(found).__name__.lower(), workers_of(found)) == (text.partition(":")[0], workers)


@pytest.mark.parametrize("text", ["dask", "local:", "local:0", "ray:many"])
def test_other_names_are_refused(text):
    with pytest.raises(BadInput, match="expected local, ray, or one of them with a number"):
        engine_named(text)


@pytest.mark.parametrize("given", [{"workers": 0}, {"workers": 1.5}, {"workers": 1, "threads": 0}])
def test_numbers_of_workers_are_checked(given):
    with pytest.raises(BadInput, match="expected a whole number"):
        tl.Local(**given)


def test_a_number_of_workers_that_is_none_is_not_taken_for_one():
    class Executor:
        _max_workers, workers = None, 0  # tasks would wait for ever

    assert workers_of(Executor()) == os.cpu_count()
