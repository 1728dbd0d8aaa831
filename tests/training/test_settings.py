from functools import partial

import pytest
import torch
from torch import nn

from tutelage.core.errors import BadInput
from tutelage.training.settings import TrainingSettings, one_cycle

NETWORK = nn.Linear(3, 2)
NONE = nn.ModuleDict()


def test_the_default_is_adam_for_twenty_epochs():
    loop_settings = TrainingSettings().loop_settings(NETWORK, NONE, steps=9)
    assert isinstance(loop_settings.optimizer, torch.optim.Adam)
    assert (loop_settings.epochs, loop_settings.batch_size, loop_settings.schedule, loop_settings.average) == (20, 128, None, None)


def test_a_function_makes_the_optimizer_and_the_schedule_from_the_steps():
    settings = TrainingSettings(
        epochs=3, batch_size=4, optimizer=partial(torch.optim.SGD, lr=0.5), schedule=partial(one_cycle, warm_up=0.5)
    )
    loop_settings = settings.loop_settings(NETWORK, NONE, steps=9)
    assert isinstance(loop_settings.optimizer, torch.optim.SGD)
    assert loop_settings.schedule.total_steps == 9
    rates = []
    for _ in range(9):
        rates.append(loop_settings.optimizer.param_groups[0]["lr"])
        loop_settings.optimizer.step()
        loop_settings.schedule.step()
    assert max(rates) == pytest.approx(0.5, rel=0.05)
    assert rates[-1] < 0.01


def test_an_optimizer_instance_gets_the_projectors_and_no_frozen_layer():
    projectors = nn.ModuleDict({"hint": nn.Linear(2, 5)})
    own = torch.optim.SGD(NETWORK.parameters(), lr=0.1)
    TrainingSettings(optimizer=own).loop_settings(NETWORK, projectors, steps=9)
    assert [len(group["params"]) for group in own.param_groups] == [2, 2]
    head_only = torch.optim.SGD([NETWORK.bias], lr=0.1)
    TrainingSettings(optimizer=head_only).loop_settings(NETWORK, NONE, steps=9)
    assert [len(group["params"]) for group in head_only.param_groups] == [1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batchsize": 3}, r"'batchsize' is no training setting; expected one of epochs, .*Did you mean batch_size"),
        ({"average": 1.0}, r"average is 1\.0"),
        ({"clip_norm": 0}, "clip_norm is 0"),
        ({"precision": "half"}, "precision is 'half'"),
    ],
)
def test_invalid_settings_are_refused(settings, message):
    with pytest.raises(BadInput, match=message):
        TrainingSettings.of(settings)


def test_the_settings_that_determine_the_weights_are_described_as_plain_values():
    described = TrainingSettings(optimizer=partial(torch.optim.SGD, lr=0.5), schedule=one_cycle).described()
    assert described["optimizer"] == "SGD(lr=0.5)"
    assert described["schedule"] == "one_cycle"
    assert TrainingSettings(optimizer=torch.optim.SGD(NETWORK.parameters(), lr=0.2)).described()["optimizer"].startswith("SGD [{'lr': 0.2")
    assert "checkpoint_steps" not in described
