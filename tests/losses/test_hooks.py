import pytest
import torch
from torch import nn

from tutelage.core.errors import BadInput
from tutelage.losses.hooks import capturing

NETWORK = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 2)))
ROWS = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))


def hooks_of(network):
    return sum(len(module._forward_hooks) for module in network.modules())


def test_it_catches_what_the_layers_say_with_gradient():
    with capturing(NETWORK, ["0", "1.0"]) as caught:
        NETWORK(ROWS)
        torch.testing.assert_close(caught["0"], NETWORK[0](ROWS))
        torch.testing.assert_close(caught["1.0"], NETWORK[0](ROWS).relu())
        assert caught["1.0"].requires_grad
        NETWORK(2 * ROWS)
        torch.testing.assert_close(caught["0"], NETWORK[0](2 * ROWS))


def test_the_hooks_are_gone_however_the_block_ends():
    with capturing(NETWORK, ["0"]):
        assert hooks_of(NETWORK) == 1
    assert hooks_of(NETWORK) == 0
    with pytest.raises(ZeroDivisionError), capturing(NETWORK, ["0"]):
        raise ZeroDivisionError
    assert hooks_of(NETWORK) == 0


def test_a_layer_that_is_not_there_is_named_with_the_closest_that_is():
    with pytest.raises(BadInput, match=r"Sequential has no layer '1.3'. Did you mean 1.[01]\?"), capturing(NETWORK, ["0", "1.3"]):
        pass
    assert hooks_of(NETWORK) == 0


def test_of_several_outputs_the_first_is_kept():
    attention = nn.MultiheadAttention(4, 2, batch_first=True)
    with capturing(nn.Sequential(attention), ["0"]) as caught:
        said, _ = attention(*[torch.ones(2, 3, 4)] * 3)
    assert caught["0"] is said


def test_a_layer_that_gives_no_tensor_is_refused():
    class Names(nn.Module):
        def forward(self, rows):
            return {"logits": rows}

    network = nn.Sequential(Names())
    with capturing(network, ["0"]), pytest.raises(BadInput, match=r"layer '0' \(Names\) gives a dict, not a tensor"):
        network(ROWS)
