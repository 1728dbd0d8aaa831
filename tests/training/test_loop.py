import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput, SelfCheckFailed, ShapeError
from tutelage.losses.functional.classification import soft_cross_entropy
from tutelage.training.feeding.feeds import TensorFeed, step_count
from tutelage.training.loop import fit, train
from tutelage.training.stacks.networks import mlp
from tutelage.training.stacks.stack import Stack
from tutelage.training.state import LoopSettings
from tutelage.training.validation import Validation

INPUTS = torch.from_numpy(np.random.default_rng(0).normal(size=(70, 4)).astype(np.float32))
LABELS = (INPUTS[:, 0] > 0).long()
TARGETS = nn.functional.one_hot(LABELS, 2).float()


def trained(network, **options):
    given = {"inputs": INPUTS, "targets": TARGETS, "epochs": 20, "batch_size": 16, **options}
    given.setdefault("optimizer", torch.optim.Adam(network.parameters(), lr=0.02))
    return fit(network, soft_cross_entropy, **given)


def test_a_network_learns_and_the_same_seed_gives_the_same_weights():
    networks = []
    for _ in range(2):
        with torch_runtime.seeded(3):
            network = mlp((4, 8, 2))
            trained(network)
        networks.append(network)
    assert (networks[0](INPUTS).argmax(1) == LABELS).float().mean() > 0.95
    assert torch.equal(networks[0][0].weight, networks[1][0].weight)


def test_each_copy_ends_with_its_best_epoch():
    with torch_runtime.seeded(0):
        stack = Stack([mlp((4, 8, 2))] * 2, wide=True)
        validation = Validation(INPUTS, LABELS)
        # The second copy is trained on the opposite targets: its first epochs are its best.
        targets = torch.stack([TARGETS, 1 - TARGETS], dim=1)
        report = fit(
            stack,
            lambda logits, expected: soft_cross_entropy(logits, expected.transpose(0, 1)),
            inputs=INPUTS,
            targets=targets,
            epochs=8,
            batch_size=16,
            optimizer=torch.optim.Adam(stack.parameters(), lr=0.02),
            validation=validation,
        )
    assert report.scores.shape == (8, 2)
    np.testing.assert_array_equal(report.best_epoch, report.scores.argmin(axis=0) + 1)
    assert validation.score(stack).tolist() == report.scores.min(axis=0).tolist()
    assert report.best_epoch[1] < report.best_epoch[0]


def test_a_network_with_norm_layers_ends_with_its_best_epoch():
    with torch_runtime.seeded(1):
        network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
        validation = Validation(INPUTS, LABELS)
        report = trained(network, epochs=6, batch_size=35, validation=validation, optimizer=torch.optim.SGD(network.parameters(), lr=3.0))
    assert validation.score(network).item() == report.scores.min()


def test_every_row_is_used_once_per_epoch_and_the_steps_are_counted():
    seen, steps = [], []

    def recording(logits, expected):
        seen.append(expected[:, 0])
        return soft_cross_entropy(logits, TARGETS[: len(expected)])

    network = mlp((4, 2))
    fit(
        network,
        recording,
        inputs=INPUTS,
        targets=torch.arange(70.0)[:, None],
        epochs=2,
        batch_size=16,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.0),
        advance=lambda: steps.append(1),
    )
    first, second = torch.cat(seen[:5]), torch.cat(seen[5:])
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(70))
    assert not torch.equal(first, second)
    assert len(steps) == step_count(70, batch_size=16, epochs=2) == 10


def test_training_leaves_eval_mode_after_each_validation():
    modes = []

    class Recording(nn.Linear):
        def forward(self, inputs):
            modes.append(self.training)
            return super().forward(inputs)

    network = Recording(4, 2)
    trained(network, epochs=3, batch_size=70, validation=Validation(INPUTS, LABELS))
    assert modes == [True, False] * 3


def test_a_loss_that_is_not_finite_stops_the_training_and_names_the_rows():
    targets = TARGETS.clone()
    targets[5] = float("nan")
    network = nn.Linear(4, 2)
    with torch_runtime.seeded(0):
        first = torch.randperm(70).split(16)
    named = next(part.tolist() for part in first if 5 in part)
    with torch_runtime.seeded(0), pytest.raises(SelfCheckFailed, match=r"loss of epoch 1 is nan, first in the batch of rows") as caught:
        trained(network, targets=targets)
    assert ", ".join(map(str, named[:8])) in str(caught.value)


def test_inputs_and_targets_of_different_lengths_are_refused():
    with pytest.raises(ShapeError, match="70 and 69 rows"):
        trained(mlp((4, 2)), targets=TARGETS[:69])


def loop_settings(network, **options):
    given = {"optimizer": torch.optim.Adam(network.parameters(), lr=0.02), "epochs": 4, "batch_size": 16, **options}
    return LoopSettings(**given)


def batch_loss_of(network):
    return lambda batch: soft_cross_entropy(network(batch.inputs), TARGETS[batch.rows])


@pytest.mark.parametrize("true", [True, np.True_, np.array([True]), torch.tensor(True), torch.tensor([True])], ids=repr)
def test_a_truth_value_of_any_library_ends_the_training(true):
    def epochs_until(end):
        network = nn.Linear(4, 2)
        losses = batch_loss_of(network)
        return len(train(network, losses, TensorFeed(INPUTS), loop_settings(network, epochs=3, callbacks=[lambda _: end])).losses)

    assert (epochs_until(true), epochs_until(~true if true is not True else False), epochs_until(None)) == (1, 3, 3)
    for other in (1, "yes", np.ones(2, bool), torch.ones(1)):
        with pytest.raises(BadInput, match=r"a callback returned .*; expected True, which ends the training, or False or None"):
            epochs_until(other)


def test_callbacks_get_each_epochs_report_and_one_may_end_the_training():
    reports = []

    def stop_at_two(report):
        reports.append(report)
        return report.epoch == 2

    network = mlp((4, 2))
    done = train(network, batch_loss_of(network), TensorFeed(INPUTS), loop_settings(network, callbacks=[stop_at_two]))
    assert [report.epoch for report in reports] == [1, 2]
    assert reports[1].loss < reports[0].loss
    assert [reports[0].loss, reports[1].loss] == done.losses.tolist()
    assert reports[0].terms == {"loss": reports[0].loss}
    assert reports[0].rate == 0.02
    assert reports[0].score is None


def test_each_term_is_reported_as_its_mean_over_rows_whatever_the_size_of_the_last_batch():
    reports, network = [], mlp((4, 2))
    no_step = torch.optim.SGD(network.parameters(), lr=0.0)

    def by_term(batch):
        soft = soft_cross_entropy(network(batch.inputs), TARGETS[batch.rows])
        return {"soft": soft, "squares": 0.5 * (network(batch.inputs) * batch.inputs[:, :2]).sum(-1)}

    train(network, by_term, TensorFeed(INPUTS), loop_settings(network, optimizer=no_step, epochs=1, callbacks=[reports.append]))
    with torch.no_grad():
        answers = network(INPUTS)
        expected = {"soft": soft_cross_entropy(answers, TARGETS).mean(), "squares": 0.5 * (answers * INPUTS[:, :2]).sum(1).mean()}
    assert reports[0].terms == pytest.approx({name: float(mean) for name, mean in expected.items()}, rel=1e-5)
    assert reports[0].loss == pytest.approx(sum(reports[0].terms.values()))


@pytest.mark.parametrize("weight", [0.5, torch.tensor([[0.5], [2.0], [0.0]])], ids=["one weight", "a weight per copy"])
@pytest.mark.parametrize("per_copy", [True, False])
def test_the_loss_of_a_stack_is_the_sum_over_its_copies(weight, per_copy):
    reports, network = [], Stack([mlp((4, 2))] * 3, wide=True)

    def by_term(batch):
        answers = network(batch.inputs)
        losses = answers.square().sum(-1) if per_copy else batch.inputs.square().sum(-1)
        return {"term": losses * weight, "learnt": 0 * answers.sum(-1)}

    train(
        network,
        by_term,
        TensorFeed(INPUTS),
        loop_settings(network, optimizer=torch.optim.SGD(network.parameters(), lr=0.0), epochs=1, callbacks=[reports.append]),
    )
    with torch.no_grad():
        losses = network(INPUTS).square().sum(-1) if per_copy else INPUTS.square().sum(-1)[None]
    assert reports[0].loss == pytest.approx(float((losses * weight).mean(1).sum()), rel=1e-5)


@pytest.mark.parametrize(
    "losses_of",
    [
        lambda step, ones: {"term": ones * step},
        lambda step, ones: {"term": (ones * step).to(torch.bfloat16 if step % 2 else torch.float32)},
        lambda step, ones: {"term": (ones * step).expand(1 + step % 2, -1) / (1 + step % 2)},
        lambda step, ones: {"term": ones * step} if step % 2 else {"one": ones * step / 2, "two": ones * step / 2},
    ],
    ids=["value", "precision", "copies", "terms"],
)
def test_the_losses_may_change_from_step_to_step(losses_of):
    reports, network, steps = [], mlp((4, 2)), iter(range(7))
    no_step = torch.optim.SGD(network.parameters(), lr=0.0)

    def changing(batch):
        return losses_of(next(steps), network(batch.inputs).sum(-1) * 0 + 1)

    train(
        network,
        changing,
        TensorFeed(INPUTS),
        loop_settings(network, optimizer=no_step, epochs=1, batch_size=10, callbacks=[reports.append]),
    )
    assert reports[0].loss == pytest.approx(3.0)


def test_no_tensor_of_a_step_outlives_it():
    network, before, alive = mlp((4, 2)), [], []

    def watched(batch):
        alive.extend(ref() is not None for ref in before)
        losses = network(batch.inputs).sum(-1)
        before[:] = [weakref.ref(losses)]
        return {"term": losses}

    train(network, watched, TensorFeed(INPUTS), loop_settings(network, epochs=1, batch_size=10))
    assert alive == [False] * 6


def test_patience_ends_a_training_that_no_longer_improves():
    network = mlp((4, 2))
    no_step = torch.optim.SGD(network.parameters(), lr=0.0)
    done = train(
        network,
        batch_loss_of(network),
        TensorFeed(INPUTS),
        loop_settings(network, optimizer=no_step, epochs=50, patience=3, validation=Validation(INPUTS, LABELS)),
    )
    assert done.best_epoch.tolist() == [1]
    assert len(done.scores) == 4


def test_gradients_are_scaled_down_to_the_norm():
    def moved(clip_norm):
        with torch_runtime.seeded(0):
            network = nn.Linear(4, 2)
        before = network.weight.detach().clone()
        one = loop_settings(network, optimizer=torch.optim.SGD(network.parameters(), lr=1.0), epochs=1, batch_size=70, clip_norm=clip_norm)
        train(network, batch_loss_of(network), TensorFeed(INPUTS), one)
        return (network.weight - before).norm().item()

    assert moved(0.001) < 0.001 < moved(None)


def test_the_result_is_the_average_of_the_weights():
    with torch_runtime.seeded(0):
        network = mlp((4, 2))
        average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.5))
        train(network, batch_loss_of(network), TensorFeed(INPUTS), loop_settings(network, epochs=1, batch_size=70, average=average))
    with torch_runtime.seeded(0):
        plain = mlp((4, 2))
        train(plain, batch_loss_of(plain), TensorFeed(INPUTS), loop_settings(plain, epochs=1, batch_size=70))
    assert torch.equal(network[0].weight, plain[0].weight)  # the first average is the weights themselves
    with torch_runtime.seeded(0):
        network = mlp((4, 2))
        average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.5))
        weights = []
        recording = loop_settings(
            network, batch_size=70, epochs=2, average=average, callbacks=[lambda _: weights.append(network[0].weight.clone())]
        )
        train(network, batch_loss_of(network), TensorFeed(INPUTS), recording)
    torch.testing.assert_close(network[0].weight, (weights[0] + weights[1]) / 2)


@pytest.mark.parametrize("options", [{"epochs": 0}, {"batch_size": 0}, {"patience": 3}])
def test_invalid_loop_settings_are_refused(options):
    with pytest.raises(BadInput, match="expected 1 or more"):
        loop_settings(mlp((4, 2)), **options)


@pytest.mark.parametrize("validated", [True, False])
def test_a_plateau_schedule_follows_the_score_of_each_epoch(validated):
    network = mlp((4, 8, 2))
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5, threshold=1e9, threshold_mode="abs")
    rates = []
    settings = LoopSettings(
        optimizer,
        4,
        35,
        schedule=schedule,
        validation=Validation(INPUTS, LABELS) if validated else None,
        callbacks=[lambda report: rates.append(report.rate)],
    )
    done = train(network, lambda batch: soft_cross_entropy(network(batch.inputs), TARGETS[batch.rows]), TensorFeed(INPUTS), settings)
    assert rates == [1.0, 0.5, 0.25, 0.125]
    assert schedule.best == (done.scores[0, 0] if validated else done.losses[0])


def test_a_schedule_for_fewer_steps_is_refused_when_it_ends():
    network = mlp((4, 2))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=3)
    with pytest.raises(BadInput, match=r"the schedule OneCycleLR failed after a step .*Tried to step"):
        trained(network, epochs=5, batch_size=35, optimizer=optimizer, schedule=schedule)
