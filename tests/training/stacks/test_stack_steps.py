from functools import partial

import pytest
import torch
from torch import nn

from tutelage.training.stacks.stack_steps import DivergenceTolerant, StackSteps, at_rate, clip_copies


def weights():
    return [nn.Parameter(torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0))), nn.Parameter(torch.ones(3, 2))]


def loss_of(parameters, scale):
    whole = sum((parameter.square() * scale).flatten(1).sum(1) for parameter in parameters)
    return whole[:, None]


@pytest.mark.parametrize(
    "make", [partial(torch.optim.Adam, lr=1.0), partial(torch.optim.SGD, lr=1.0, momentum=0.9), partial(torch.optim.AdamW, lr=1.0)]
)
def test_each_copy_has_its_own_rate_and_its_own_gradient_norm(make):
    rates = [0.1, 0.1, 0.02]
    stack = weights()
    steps = StackSteps(make, rates, clip_norm=0.5)
    optimizer = steps.optimizer(stack)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 4, eta_min=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        for share in (0.25, 0.75):  # the norm is that of both batches of the step
            steps.backward([loss_of(stack, 1.0)], 0, share)
        steps.complete_gradients([])
        optimizer.step()
        schedule.step()
    for index, rate in enumerate(rates):
        alone = [nn.Parameter(parameter.detach()[index : index + 1].clone()) for parameter in weights()]
        single = make(alone)
        single.param_groups[0]["lr"] = rate
        falls = torch.optim.lr_scheduler.CosineAnnealingLR(single, 4, eta_min=0.01)
        for _ in range(3):
            single.zero_grad()
            loss_of(alone, 1.0).sum().backward()
            nn.utils.clip_grad_norm_(alone, 0.5)
            single.step()
            falls.step()
        for together, own in zip(stack, alone, strict=True):
            torch.testing.assert_close(together[index], own[0], rtol=1e-5, atol=1e-6)


def test_equal_rates_need_no_views_and_groups_keep_their_settings():
    def make(parameters):
        return torch.optim.SGD([{"params": parameters[:1], "weight_decay": 0.5}, {"params": parameters[1:]}], lr=1.0)

    stack = weights()
    assert StackSteps(make, [0.1] * 3).optimizer(stack).param_groups[0]["params"][0] is stack[0]
    groups = StackSteps(make, [0.1, 0.2, 0.2]).optimizer(stack).param_groups
    assert [(group["lr"], group["weight_decay"], len(group["params"][0])) for group in groups] == [
        (0.1, 0.5, 1), (0.1, 0, 1), (0.2, 0.5, 2), (0.2, 0, 2)
    ]  # fmt: skip


def test_without_a_rate_the_optimizers_default_is_used():
    assert at_rate(partial(torch.optim.SGD, lr=0.7), None)(weights()).param_groups[0]["lr"] == 0.7


def test_a_frozen_weight_gets_no_gradient():
    stack = weights()
    stack[1].requires_grad_(False)
    steps = StackSteps(partial(torch.optim.SGD, lr=0.1), [0.1, 0.2, 0.3], clip_norm=1.0)
    optimizer = steps.optimizer(stack)
    steps.backward([loss_of(stack, 1.0)], 0)
    steps.complete_gradients([])
    optimizer.step()
    assert stack[1].eq(1).all()


def test_only_a_gradient_above_the_norm_is_scaled():
    gradient = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    clip_copies([gradient], 1.0)
    torch.testing.assert_close(gradient, torch.tensor([[0.6, 0.8], [0.3, 0.4]]), rtol=1e-5, atol=1e-6)


def test_a_loss_that_is_not_finite_contributes_nothing_and_does_not_affect_other_copies():
    weight = nn.Parameter(torch.tensor([[1.0], [0.0], [2.0]]))
    losses = torch.cat([weight[:1] ** 2, weight[1:2] / 0, weight[2:] ** 2])
    DivergenceTolerant().backward([losses], 0)
    assert DivergenceTolerant().batch_losses(losses.detach()[None], slice(0, 1)).tolist() == [5.0]
    assert weight.grad[0].item() == 2.0
    assert weight.grad[2].item() == 4.0
