from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput
from tutelage.training.stacks.networks import mlp, parameter_count, with_new_weights
from tutelage.training.stacks.stack import Stack


def test_an_mlp_has_relu_between_layers_and_logits_at_the_end():
    network = mlp((5, 4, 3))
    assert [type(layer) for layer in network] == [nn.Linear, nn.ReLU, nn.Linear]
    assert parameter_count(network) == 5 * 4 + 4 + 4 * 3 + 3


@pytest.mark.parametrize("sizes", [np.array([5, 4, 3]), range(5, 2, -1), iter([5, 4, 3]), torch.tensor([5, 4, 3])])
def test_the_sizes_of_an_mlp_come_in_any_list(sizes):
    assert [tuple(layer.weight.shape) for layer in mlp(sizes)[::2]] == [(4, 5), (3, 4)]


def test_a_stack_gives_the_answers_of_its_copies():
    stack = Stack([mlp((5, 4, 4, 3))] * 3, wide=True)
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.copy_(torch.randn_like(parameter))
    inputs = torch.randn(7, 5)
    whole = stack(inputs)
    assert whole.shape == (3, 7, 3)
    for index in range(3):
        torch.testing.assert_close(stack.copy(index)(inputs), whole[index])


def test_all_copies_start_from_the_same_weights_and_a_copy_has_copied_weights():
    stack = Stack([mlp((5, 4, 3))] * 2, wide=True)
    first, second = stack(torch.ones(1, 5)).detach()
    torch.testing.assert_close(first, second)
    alone = stack.copy(0)
    nn.init.zeros_(alone[0].weight)
    assert next(stack.parameters()).any()


def test_a_network_is_initialised_again_as_torch_would_and_is_not_changed():
    pattern = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 3))
    before = [parameter.clone() for parameter in pattern.parameters()]
    with torch_runtime.seeded(5):
        expected = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 3))
    found = with_new_weights(pattern, 5)
    assert all(map(torch.equal, found.state_dict().values(), expected.state_dict().values()))
    assert all(map(torch.equal, before, pattern.parameters()))
    assert not torch.equal(with_new_weights(pattern, 6)[3].weight, found[3].weight)


def test_a_function_may_initialise_in_any_way():
    assert torch.equal(with_new_weights(partial(mlp, (4, 3)), 5)[0].weight, with_new_weights(mlp((4, 3)), 5)[0].weight)


def test_a_network_that_cannot_be_initialised_again_is_refused():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

    with pytest.raises(BadInput, match=r"1 is a Scaled without reset_parameters\(\)"):
        with_new_weights(nn.Sequential(nn.Linear(4, 3), Scaled()), 0)
    with pytest.raises(BadInput, match="returned a str; expected a torch Module"):
        with_new_weights(lambda: "network", 0)


@pytest.mark.parametrize("sizes", [(4,), (4, 0), (4, -1, 2), (4, 2.5), "ab"])
def test_sizes_that_are_no_layers_are_refused(sizes):
    with pytest.raises(BadInput, match="expected"):
        mlp(sizes)
