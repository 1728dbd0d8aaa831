import numpy as np
import pytest
import torch
from torch import nn

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.losses.schedules import Schedule, at_share, linear
from tutelage.losses.signals import Signals

RNG = np.random.default_rng(0)
ROWS, Y = RNG.normal(size=(30, 4)).astype(np.float32), RNG.integers(0, 3, 30)
BATCH = Signals(torch.randn(5, 3), teacher_answers=torch.randn(5, 3), labels=torch.tensor([0, 1, 2, 0, 1]))
TEMPERED = [
    tl.losses.soft_cross_entropy, tl.losses.kl_divergence, tl.losses.reverse_kl, tl.losses.jensen_shannon, tl.losses.decoupled,
    tl.losses.dist, tl.losses.standardised_divergence, tl.losses.weighted_soft_labels,
]  # fmt: skip


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


def teacher():
    torch.manual_seed(2)
    return tl.as_teacher(nn.Linear(4, 3), classes=[0, 1, 2])


def fitted(objective, labels=None, **training):
    given = {"epochs": 3, "batch_size": 8, **training}
    return tl.TorchStudent(network(), objective).fit(ROWS, labels or teacher(), Y, **given)


def weights_of(student):
    return torch.cat([value.flatten() for value in student.network.state_dict().values()])


def test_values_move_in_equal_steps_between_two_shares():
    schedule = linear(8.0, 1.0, since=0.2, until=0.6)
    assert [round(schedule(share), 6) for share in (0.0, 0.2, 0.4, 0.6, 1.0)] == [8.0, 8.0, 4.5, 1.0, 1.0]
    assert linear(0.9, 0.1)(1.0) == 0.1
    assert schedule.text == "linear(8, 1, since=0.2, until=0.6)"


def test_products_and_the_rest_of_a_whole_are_schedules():
    weight = linear(0.9, 0.1)
    assert (0.5 * weight * 2)(0.0) == 0.9
    assert (weight * weight)(1.0) == pytest.approx(0.01)
    assert (1 - weight)(0.0) == pytest.approx(0.1)
    assert (1 - weight).text == "1 - linear(0.9, 0.1)"
    per_copy = (torch.tensor([1.0, 2.0])[:, None, None] * (weight * tl.losses.kl_divergence())).at(1.0).terms[0].weight
    torch.testing.assert_close(per_copy, torch.tensor([[0.1], [0.2]]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: linear(0.9, float("nan")), "end is nan"),
        (lambda: linear(1, 0, since=0.5, until=0.5), r"since is 0\.5 and until is 0\.5; expected shares of the training"),
        (lambda: linear(1, -1) * tl.losses.kl_divergence(), "a weight is -"),
        (lambda: tl.losses.kl_divergence(temperature=linear(4, 0)), "temperature is 0"),
        (
            lambda: tl.losses.kl_divergence(temperature=Schedule(lambda share: 1 / (share - 0.5))),
            "failed at the share 0.5|temperature is -2",
        ),
        (lambda: Schedule(3) * tl.losses.kl_divergence(), "a schedule is made from 3; expected a function"),
        (lambda: "0.9" * tl.losses.kl_divergence(), "is weighted with a str; expected a number, a Schedule"),
        (lambda: tl.losses.virtual_teacher(temperature=linear(4, 1)), "temperature is Schedule"),
    ],
)
def test_schedules_that_cannot_be_used_are_refused_when_they_are_made(make, message):
    with pytest.raises(BadInput, match=message):
        make()


@pytest.mark.parametrize("loss", TEMPERED, ids=lambda loss: loss.__name__)
def test_a_loss_at_a_share_is_that_of_its_values(loss):
    changing = (linear(0.9, 0.1) * loss(temperature=linear(8.0, 2.0))).at(0.5)
    torch.testing.assert_close(changing(BATCH).total, (0.5 * loss(temperature=5.0))(BATCH).total)
    with pytest.raises(BadInput, match=r"has a (weight|temperature) that changes during a training.*objective\.at\(share\)"):
        loss(temperature=linear(8.0, 2.0))(BATCH)


def test_targets_are_prepared_unless_their_temperature_changes():
    objective = linear(0.9, 0.1) * tl.losses.kl_divergence(temperature=2.0) + tl.losses.soft_cross_entropy(temperature=linear(8.0, 2.0))
    assert list(objective.prepare(BATCH.teacher_answers)) == ["kl_divergence"]
    assert [each["weight"] for each in objective.described()] == ["linear(0.9, 0.1)", 1.0]
    assert objective.described()[1]["settings"] == {"temperature": "linear(8, 2)"}
    assert at_share(3, 0.5) == 3


def test_a_schedule_that_stays_trains_as_its_number():
    number, same = 0.3 * tl.losses.soft_cross_entropy(temperature=4.0), Schedule(lambda share: 0.3)
    stays = same * tl.losses.soft_cross_entropy(temperature=Schedule(lambda share: 4.0))
    assert torch.equal(weights_of(fitted(stays)), weights_of(fitted(number)))


CHANGING = linear(0.9, 0.1) * tl.losses.soft_cross_entropy(temperature=linear(8.0, 1.0)) + linear(0.1, 0.9) * tl.losses.hard_cross_entropy()


def test_the_first_step_has_the_first_value_and_the_last_the_last():
    seen, reports = [], []
    noting = Schedule(lambda share: seen.append(share) or 0.5)
    objective = noting * tl.losses.kl_divergence() + CHANGING
    seen.clear()
    fitted(objective, callbacks=[reports.append], epochs=2, max_steps=6)
    assert list(dict.fromkeys(seen)) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert reports[-1].scheduled["soft_cross_entropy temperature"] == 1.0
    assert reports[-1].scheduled["soft_cross_entropy weight"] == pytest.approx(0.1)
    assert reports[0].scheduled["hard_cross_entropy weight"] == pytest.approx(0.1 + 0.8 * 3 / 5)


def test_recorded_answers_train_as_the_live_teacher_and_a_resumed_training_as_one_left_alone(tmp_path):
    live = weights_of(fitted(CHANGING))
    assert torch.equal(weights_of(fitted(CHANGING, tl.record(teacher(), ROWS))), live)

    def stop(report):
        if report.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(CHANGING, checkpoints=tmp_path, callbacks=[stop])
    assert torch.equal(weights_of(fitted(CHANGING, checkpoints=tmp_path)), live)


def test_a_stack_trains_as_its_copies_do_alone():
    def objective(temperature, soft_weight):
        return linear(1.0, 0.2) * (soft_weight * tl.losses.soft_cross_entropy(temperature=temperature)) + (
            1 - soft_weight
        ) * tl.losses.kl_divergence(temperature=linear(4.0, 1.0))

    grid = {"temperature": [1.0, 4.0], "soft_weight": [0.5, 0.9], "seed": range(2), "epochs": 2, "batch_size": 8, "validation": 0.3}
    together = tl.sweep(network(), ROWS, teacher(), Y, objective=objective, **grid)
    alone = tl.sweep(network(), ROWS, teacher(), Y, objective=objective, stack_size=1, **grid)
    np.testing.assert_array_equal(together.scores, alone.scores)
    for one, other in zip(together.students, alone.students, strict=True):
        torch.testing.assert_close(weights_of(one), weights_of(other), rtol=1e-4, atol=1e-5)
