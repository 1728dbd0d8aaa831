import pytest

from tutelage.core.running import stages as module
from tutelage.core.running.stages import Stages


def test_seconds_accumulate_by_name_even_when_a_stage_fails(monkeypatch):
    clock = iter([0.0, 1.0, 3.0, 10.0, 14.0, 20.0])
    monkeypatch.setattr(module, "perf_counter", lambda: next(clock))
    stages = Stages()
    with stages.stage("train", 3) as advance:
        advance()
    with pytest.raises(RuntimeError), stages.stage("train"):
        raise RuntimeError
    assert stages.seconds == {"train": 6.0}
    assert stages.total() == 20.0


def test_a_watch_sees_each_step_and_the_seconds_of_the_stage_that_goes_on(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(module, "perf_counter", lambda: float(next(clock)))
    stages, seen = Stages(), []
    stages.watch = lambda: seen.append(stages.so_far())
    with stages.stage("search", 2) as advance:
        advance()
        advance()
    with stages.stage("search"):
        pass
    assert [one["search"] for one in seen] == [1.0, 2.0, 3.0, 4.0]  # each look reads the clock while the stage goes on
    assert stages.so_far() == stages.seconds
