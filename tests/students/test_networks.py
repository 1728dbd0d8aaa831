import torch
from torch import nn

from tutelage.students.networks import MLPStack, mlp, parameters_of


def test_an_mlp_has_relu_between_layers_and_logits_at_the_end():
    network = mlp((5, 4, 3))
    assert [type(layer) for layer in network] == [nn.Linear, nn.ReLU, nn.Linear]
    assert parameters_of(network) == 5 * 4 + 4 + 4 * 3 + 3


def test_a_stack_answers_as_its_copies_do_alone():
    stack = MLPStack((5, 4, 4, 3), 3)
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.copy_(torch.randn_like(parameter))
    inputs = torch.randn(7, 5)
    whole = stack(inputs)
    assert whole.shape == (3, 7, 3)
    for index in range(3):
        torch.testing.assert_close(stack.copy(index)(inputs), whole[index])


def test_all_copies_start_alike_and_a_copy_has_weights_of_its_own():
    stack = MLPStack((5, 4, 3), 2)
    first, second = stack(torch.ones(1, 5)).detach()
    torch.testing.assert_close(first, second)
    alone = stack.copy(0)
    nn.init.zeros_(alone[0].weight)
    assert stack.weights[0].any()
