import pytest

from tutelage.core import stages as module
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
