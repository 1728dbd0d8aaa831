import dataclasses

import pytest
import torch

from tutelage.losses.signals import Losses, Signals


def test_all_but_the_students_answers_may_be_unknown():
    signals = Signals(torch.zeros(2, 3))
    rest = {name: getattr(signals, name) for name in ("teacher_answers", "labels", "index", "modules")}
    assert set(rest.values()) == {None}
    assert signals.student_hidden == signals.teacher_hidden == signals.prepared == {}
    with pytest.raises(dataclasses.FrozenInstanceError):
        signals.labels = torch.zeros(2)


def test_losses_come_apart_in_total_and_terms():
    total, terms = Losses(torch.ones(2), {"a": torch.ones(2)})
    assert torch.equal(total, terms["a"])
