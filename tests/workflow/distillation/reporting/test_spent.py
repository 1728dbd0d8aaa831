import pytest

from tutelage.core.running import stages as module
from tutelage.core.running.stages import Stages
from tutelage.workflow.distillation.folder import SPENT, RunFolder
from tutelage.workflow.distillation.reporting import spent
from tutelage.workflow.distillation.reporting.spent import Spent


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = [0.0]
    for one in (module, spent):
        monkeypatch.setattr(one, "perf_counter", lambda: now[0])
    return now


def test_the_seconds_of_all_calls_are_added_up_stage_by_stage(tmp_path, clock):
    folder = RunFolder(tmp_path)
    for call in (1, 2):
        stages = Stages()
        taken = Spent(folder, stages)
        for name, seconds in {"split": 1, "search": 10 * call}.items():
            with stages.stage(name):
                clock[0] += seconds
        clock[0] += 0.5  # between stages
        taken.store()
    assert taken.seconds() == {"total": 33.0, "split": 2.0, "search": 30.0}
    assert Spent(folder, Stages()).seconds() == taken.seconds()


def test_a_call_that_is_killed_within_a_stage_has_stored_its_time_up_to_the_last_step(tmp_path, clock):
    stages = Stages()
    Spent(RunFolder(tmp_path), stages)
    steps = stages.stage("search", 3)
    advance = steps.__enter__()
    for seconds in (5.0, 0.2):
        clock[0] += seconds
        advance()
    assert RunFolder(tmp_path).read(SPENT)["seconds"] == {"total": 5.0, "search": 5.0}  # not each tenth of a second


def test_a_stage_that_an_earlier_call_had_alone_is_kept(tmp_path, clock):
    RunFolder(tmp_path).write(SPENT, {"seconds": {"total": 7.0, "ask the language model": 6.0}})
    assert Spent(RunFolder(tmp_path), Stages()).seconds() == {"total": 7.0, "ask the language model": 6.0}
