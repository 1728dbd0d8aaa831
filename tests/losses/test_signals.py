import dataclasses

import pytest
import torch

from tutelage.losses.signals import Losses, Signals


def test_everything_but_the_students_answers_is_optional():
    signals = Signals(torch.zeros(2, 3))
    optional = {name: getattr(signals, name) for name in ("teacher_answers", "labels", "index", "modules")}
    assert set(optional.values()) == {None}
    assert signals.student_hidden == signals.teacher_hidden == signals.prepared == {}
    with pytest.raises(dataclasses.FrozenInstanceError):
        signals.labels = torch.zeros(2)


def test_losses_unpack_into_total_and_terms():
    total, terms = Losses(torch.ones(2), {"a": torch.ones(2)})
    assert torch.equal(total, terms["a"])
