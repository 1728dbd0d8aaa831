from functools import partial

import pytest
import torch
from torch import nn

from tutelage.core.errors import BadInput
from tutelage.training.settings import TrainingSettings, one_cycle

NETWORK = nn.Linear(3, 2)
NONE = nn.ModuleDict()


def test_the_default_is_adam_for_twenty_epochs():
    settings = TrainingSettings()
    loop_settings = settings.loop_settings(NETWORK, NONE, epochs=settings.epochs, steps=9)
    assert isinstance(loop_settings.optimizer, torch.optim.Adam)
    assert (loop_settings.epochs, loop_settings.batch_size, loop_settings.schedule, loop_settings.average) == (20, 128, None, None)


def test_a_function_makes_the_optimizer_and_the_schedule_from_the_steps():
    settings = TrainingSettings(
        epochs=3, batch_size=4, optimizer=partial(torch.optim.SGD, lr=0.5), schedule=partial(one_cycle, warm_up=0.5)
    )
    loop_settings = settings.loop_settings(NETWORK, NONE, epochs=3, steps=9)
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
    TrainingSettings(optimizer=own).loop_settings(NETWORK, projectors, epochs=3, steps=9)
    assert [len(group["params"]) for group in own.param_groups] == [4]
    head_only = torch.optim.SGD([NETWORK.bias], lr=0.1)
    TrainingSettings(optimizer=head_only).loop_settings(NETWORK, NONE, epochs=3, steps=9)
    assert [len(group["params"]) for group in head_only.param_groups] == [1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batchsize": 3}, r"'batchsize' is no training setting; expected one of epochs, .*Did you mean batch_size"),
        ({"average": 1.0}, r"average is 1\.0"),
        ({"clip_norm": 0}, "clip_norm is 0"),
        ({"clip_norm": float("inf")}, "clip_norm is inf"),
        ({"clip_norm": "1"}, "clip_norm is '1'"),
        ({"epochs": "20"}, "epochs is '20'; expected a whole number, 1 or more"),
        ({"epochs": 2.5}, r"epochs is 2\.5"),
        ({"epochs": True}, "epochs is True"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"seed": -1}, "seed is -1; expected a whole number, 0 or more"),
        ({"seed": 2**64}, r"below 2 \*\* 63"),
        ({"seed": None}, "seed is None"),
        ({"patience": 0.5}, r"patience is 0\.5"),
        ({"average": "0.9"}, r"average is '0\.9'"),
        ({"threads": 1.5}, r"threads is 1\.5"),
        ({"checkpoint_steps": -1}, "checkpoint_steps is -1"),
        ({"compile": "yes"}, "compile is 'yes'"),
        ({"optimizer": "adam"}, r"optimizer is 'adam'; expected a torch Optimizer, or a function"),
        ({"schedule": "cosine"}, r"schedule is 'cosine'; expected a torch LRScheduler, or a function"),
        ({"schedule": torch.optim.lr_scheduler.StepLR(torch.optim.SGD(NETWORK.parameters(), 0.1), 1)}, "made for another optimizer"),
        ({"precision": "half"}, "precision is 'half'"),
        ({"accumulate": 0}, "accumulate is 0; expected a whole number, 1 or more"),
        ({"max_steps": 0}, "max_steps is 0"),
        ({"drop_last": 1}, "drop_last is 1"),
        ({"lr": 0}, "lr is 0"),
        ({"lr": 0.1, "optimizer": torch.optim.SGD}, r"lr is 0\.1, the learning rate of the default optimizer, and an optimizer is given"),
    ],
)
def test_invalid_settings_are_refused(settings, message):
    with pytest.raises(BadInput, match=message):
        TrainingSettings.of(settings)


def test_the_settings_that_determine_the_weights_are_named():
    settings = TrainingSettings(optimizer=partial(torch.optim.SGD, lr=0.5), schedule=one_cycle).identity()
    assert settings["optimizer"][0] == "SGD(lr=0.5)"
    assert settings["schedule"] == ("one_cycle", one_cycle)
    assert settings["epochs"] == 20  # for which the schedule was laid out
    of_instance = TrainingSettings(optimizer=torch.optim.SGD(NETWORK.parameters(), lr=0.2)).identity()
    assert of_instance["optimizer"][0].startswith("SGD [{'lr': 0.2")
    assert not {"epochs", "checkpoint_steps"} & of_instance.keys()


def test_the_rate_of_the_default_optimizer_and_the_length_of_a_training():
    assert TrainingSettings(lr=0.02).optimizer_of(list(NETWORK.parameters()), []).param_groups[0]["lr"] == 0.02
    assert TrainingSettings(epochs=3, batch_size=4, accumulate=2).steps(21) == 9
    assert TrainingSettings(epochs=3, batch_size=4, accumulate=2, drop_last=True).steps(21) == 6
    assert TrainingSettings(max_steps=1000, batch_size=4).length(6) == (167, 1000)
    assert TrainingSettings(max_steps=1000, epochs=2, batch_size=4).length(6) == (2, 12)
    assert "max_steps" not in TrainingSettings(max_steps=5).identity()
    assert TrainingSettings(max_steps=5).identity(fixed_length=True)["max_steps"] == 5


def test_a_loader_settles_batches_and_whether_the_last_is_left_out():
    rows = list(range(10))
    for loader in (
        torch.utils.data.DataLoader(rows, batch_size=4, drop_last=True),
        torch.utils.data.DataLoader(rows, batch_sampler=torch.utils.data.BatchSampler(range(10), 4, True)),
    ):
        settings = TrainingSettings.of({}, loader)
        assert (settings.batch_size, settings.drop_last) == (4, True)
        with pytest.raises(BadInput, match="drop_last is False, and the DataLoader's is True; leave drop_last out of fit"):
            TrainingSettings.of({"drop_last": False}, loader)


def test_functions_that_make_no_optimizer_or_schedule_are_refused():
    for settings, message in (
        ({"optimizer": list}, "optimizer= list returned a list; expected a torch Optimizer"),
        ({"optimizer": partial(torch.optim.SGD, lr=-1)}, "optimizer= SGD.* failed .*Invalid learning rate"),
        ({"schedule": torch.optim.lr_scheduler.CosineAnnealingWarmRestarts}, None),
        ({"schedule": torch.optim.lr_scheduler.OneCycleLR}, "schedule= OneCycleLR failed"),
        ({"schedule": lambda optimizer, steps: None}, "returned a NoneType; expected a torch LRScheduler"),
        ({"optimizer": partial(torch.optim.LBFGS, lr=1.0)}, "LBFGS computes the loss several times in a step"),
    ):
        if message is None:
            assert TrainingSettings(**settings).loop_settings(NETWORK, NONE, epochs=3, steps=9).schedule is not None
            continue
        with pytest.raises(BadInput, match=message):
            TrainingSettings(**settings).loop_settings(NETWORK, NONE, epochs=3, steps=9)
    with pytest.raises(BadInput, match="warm_up is 2"):
        one_cycle(torch.optim.SGD(NETWORK.parameters(), 0.1), 4, warm_up=2)


def test_projectors_follow_the_schedule_of_an_optimizer_instance():
    projectors = nn.ModuleDict({"hint": nn.Linear(2, 5)})
    for create in (
        lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=9),
        lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step),
        torch.optim.lr_scheduler.ReduceLROnPlateau,
    ):
        optimizer = torch.optim.SGD(NETWORK.parameters(), lr=0.1)
        schedule = create(optimizer)
        loop_settings = TrainingSettings(optimizer=optimizer, schedule=schedule).loop_settings(NETWORK, projectors, epochs=3, steps=9)
        loop_settings.optimizer.step()
        schedule.step(1.0) if loop_settings.reads_scores else schedule.step()
        assert [len(group["params"]) for group in optimizer.param_groups] == [4]
    with pytest.raises(BadInput, match="this Adagrad was created without the projectors"):
        TrainingSettings(optimizer=torch.optim.Adagrad(NETWORK.parameters())).loop_settings(NETWORK, projectors, epochs=3, steps=9)


def test_projectors_alone_are_taken_out_of_an_optimizer_that_layers_were_added_to():
    frozen, projectors = nn.Linear(2, 2), nn.ModuleDict({"hint": nn.Linear(2, 5)})
    optimizer = torch.optim.SGD(NETWORK.parameters(), lr=0.1)
    settings = TrainingSettings(optimizer=optimizer)
    with settings.own_optimizer_restored(projectors.parameters):
        settings.loop_settings(NETWORK, projectors, epochs=3, steps=9)
        optimizer.add_param_group({"params": list(frozen.parameters())})
    assert [len(group["params"]) for group in optimizer.param_groups] == [2, 2]


def test_a_moving_average_copies_what_has_no_mean():
    class Indexed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
            self.codes = nn.Parameter(torch.arange(9), requires_grad=False)
            self.register_buffer("index", torch.arange(64))
            self.register_buffer("seen", torch.zeros(3, dtype=torch.bool))
            self.register_buffer("mask", torch.full((3, 3), -torch.inf).triu(1))

    network = Indexed()
    average = TrainingSettings(average=0.9995).average_of(network)
    weights = []
    for step in range(6):
        network.layers(torch.arange(12.0).reshape(4, 3) + step)
        with torch.no_grad():
            network.layers[0].weight += 1
            network.seen[step % 3] = True
        average.update_parameters(network)
        weights.append(network.layers[0].weight.detach().clone())
    averaged = average.module
    for name in ("index", "seen", "mask", "codes", "layers.1.num_batches_tracked"):
        assert torch.equal(averaged.state_dict()[name], network.state_dict()[name]), name
    expected = weights[0]
    for weight in weights[1:]:
        expected = 0.9995 * expected + 0.0005 * weight
    torch.testing.assert_close(averaged.layers[0].weight.detach(), expected)
    assert not torch.equal(averaged.layers[1].running_mean, network.layers[1].running_mean)
