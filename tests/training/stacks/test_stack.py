import copy

import pytest
import torch
from torch import nn

from tutelage.core import torch_runtime
from tutelage.training.stacks.networks import mlp, with_new_weights
from tutelage.training.stacks.stack import Stack, stack_of

ROWS = torch.randn(7, 6, generator=torch.Generator().manual_seed(0))


def wide():
    return nn.Sequential(
        nn.Flatten(), nn.Dropout(0.1), nn.Linear(6, 8), nn.LayerNorm(8), nn.ReLU(inplace=True), nn.Dropout(0.3),
        nn.Sequential(nn.Linear(8, 5, bias=False), nn.GELU(), nn.LayerNorm(5, bias=False), nn.Flatten()), nn.Linear(5, 3),
    )  # fmt: skip


def norm_first():
    return nn.Sequential(nn.LayerNorm(6), nn.LayerNorm(6, elementwise_affine=False), nn.Linear(6, 3))


def pictures():
    return nn.Sequential(
        nn.Unflatten(1, (1, 2, 3)), nn.Conv2d(1, 4, 2, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(8, 3),
    )  # fmt: skip


def tokens():
    return nn.Sequential(nn.Unflatten(1, (3, 2)), nn.Linear(2, 4), nn.Tanh(), nn.Flatten(), nn.Linear(12, 3))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.once = nn.Linear(6, 6)
        self.again = nn.Linear(6, 6)
        self.again.weight = self.once.weight

    def forward(self, inputs):
        return {"logits": self.again(self.once(inputs).tanh())}


class ValueDependent(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(6, 3)

    def forward(self, inputs):
        logits = self.inner(inputs)
        return logits if logits.sum() > 0 else -logits


def three(make):
    return [with_new_weights(make, seed) for seed in range(3)]


@pytest.mark.parametrize("make", [wide, norm_first, lambda: mlp((6, 8, 8, 3)), lambda: nn.Linear(6, 3)])
def test_plain_layers_run_as_wide_products(make):
    stack, why = stack_of(three(make), ROWS)
    assert why == ""
    assert stack._layers is not None


@pytest.mark.parametrize("make", [pictures, tokens])
def test_other_networks_run_under_vmap(make):
    stack, why = stack_of(three(make), ROWS)
    assert why == ""
    assert stack._layers is None


@pytest.mark.parametrize("make", [wide, norm_first, pictures, tokens])
def test_answers_gradients_masks_and_statistics_are_those_of_the_copies_alone(make):
    networks = three(make)
    stack, _ = stack_of(networks, ROWS)
    with torch_runtime.seeded(1):
        together = stack.train()(ROWS)
    together.square().sum().backward()
    assert together.shape == (3, 7, 3)
    for index, network in enumerate(networks):
        with torch_runtime.seeded(1):
            alone = network.train()(ROWS)
        alone.square().sum().backward()
        torch.testing.assert_close(together[index], alone, rtol=1e-4, atol=1e-5)
        for whole, own in zip(stack.inner.parameters(), network.parameters(), strict=True):
            torch.testing.assert_close(whole.grad[index], own.grad, rtol=1e-3, atol=1e-4)
        for whole, own in zip(stack.inner.buffers(), network.buffers(), strict=True):
            torch.testing.assert_close(whole[index], own)


def test_checking_a_stack_changes_neither_it_nor_the_networks():
    networks = three(pictures)
    before = copy.deepcopy([network.state_dict() for network in networks])
    stack, _ = stack_of(networks, ROWS)
    for index, state in enumerate(before):
        for alone in (networks[index], stack.copy(index)):
            assert all(torch.equal(value, state[name]) for name, value in alone.state_dict().items())


def test_a_copy_is_an_ordinary_network_with_copied_weights():
    stack, _ = stack_of(three(wide), ROWS)
    alone = stack.copy(1)
    assert type(alone) is nn.Sequential
    torch.testing.assert_close(alone.eval()(ROWS), stack.eval()(ROWS)[1])
    nn.init.zeros_(alone[2].weight)
    assert all(weight.any() for weight in stack.inner[2].weight)


def test_tied_weights_stay_tied_and_an_output_function_is_called():
    stack, why = stack_of(three(Tied), ROWS, output=lambda returned: returned["logits"])
    assert why == ""
    assert stack(ROWS).shape == (3, 7, 6)
    assert len(list(stack.parameters())) == 3
    alone = stack.copy(2)
    assert alone.again.weight is alone.once.weight


def test_a_network_with_value_dependent_control_flow_cannot_be_stacked_and_the_reason_is_returned():
    stack, why = stack_of(three(ValueDependent), ROWS)
    assert stack is None
    assert "torch.vmap cannot run a ValueDependent" in why


def test_a_stack_whose_answers_differ_from_its_copies_is_not_used():
    class Counting(nn.Linear):
        calls = 0

        def forward(self, inputs):
            Counting.calls += 1
            return super().forward(inputs) * Counting.calls

    stack, why = stack_of(three(lambda: Counting(6, 3)), ROWS)
    assert stack is None
    assert "would not give the answers that its copies give alone" in why


def test_frozen_weights_stay_frozen():
    networks = three(wide)
    for network in networks:
        network[2].weight.requires_grad_(False)
    assert [parameter.requires_grad for parameter in Stack(networks, wide=True).parameters()][:2] == [False, True]


def test_groups_of_copies_may_have_rows_of_their_own():
    networks = [with_new_weights(lambda: mlp((6, 4, 3)), seed) for seed in range(4)]
    stack, rows = Stack(networks, wide=True), torch.stack([ROWS, ROWS.flip(0)])
    answers = stack(rows)
    for index, network in enumerate(networks):
        torch.testing.assert_close(answers[index], network(rows[index // 2]))
    answers.square().mean().backward()
    (first,) = torch.autograd.grad(networks[3](rows[1]).square().sum() / answers.numel(), [networks[3][0].weight])
    torch.testing.assert_close(dict(stack.named_parameters())["inner.0.weight"].grad[3], first)


def test_networks_whose_rows_have_three_axes_are_not_taken_for_groups():
    def make():
        return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Flatten(), nn.Linear(8, 3))

    networks, rows = three(make), torch.randn(3, 2, 3)
    stack, why = stack_of(networks, rows)
    assert why == ""
    torch.testing.assert_close(stack(rows)[2], networks[2](rows))
