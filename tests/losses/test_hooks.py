import pytest
import torch
from torch import nn

from tutelage.core.errors import BadInput
from tutelage.losses.hooks import capturing

NETWORK = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 2)))
ROWS = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))


def hooks_of(network):
    return sum(len(module._forward_hooks) for module in network.modules())


def test_outputs_of_layers_are_captured_with_gradient():
    with capturing(NETWORK, ["0", "1.0"]) as captured:
        NETWORK(ROWS)
        torch.testing.assert_close(captured["0"], NETWORK[0](ROWS))
        torch.testing.assert_close(captured["1.0"], NETWORK[0](ROWS).relu())
        assert captured["1.0"].requires_grad
        NETWORK(2 * ROWS)
        torch.testing.assert_close(captured["0"], NETWORK[0](2 * ROWS))


def test_the_hooks_are_removed_also_after_an_error():
    with capturing(NETWORK, ["0"]):
        assert hooks_of(NETWORK) == 1
    assert hooks_of(NETWORK) == 0
    with pytest.raises(ZeroDivisionError), capturing(NETWORK, ["0"]):
        raise ZeroDivisionError
    assert hooks_of(NETWORK) == 0


class Returning(nn.Module):
    def __init__(self, returned):
        super().__init__()
        self.inner, self.returned = nn.Linear(3, 4), returned

    def forward(self, rows):
        return self.returned(self.inner(rows))


def test_what_is_named_in_brackets_is_taken_out_of_the_output():
    network = Returning(lambda hidden: {"logits": hidden, "attentions": (hidden + 1, [hidden + 2, hidden + 3])})
    paths = ["[logits]", "[attentions][0]", "[attentions][1][-1]", "inner"]
    with capturing(network, paths) as captured:
        network(ROWS)
    for path, more in zip(paths, (0, 1, 3, 0), strict=True):
        torch.testing.assert_close(captured[path], network.inner(ROWS) + more)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("[attentions][1]", r"there is no \[1\] in what the layer '\[attentions\]\[1\]' takes it from, a tuple; a network of Hugging Face"),
        ("[hidden_states]", r"there is no \[hidden_states\] in what .* takes it from, a dict"),
        ("[attentions", "has brackets that do not fit"),
        ("[attentions][0]x", "has brackets that do not fit"),
        ("[]", "has brackets that do not fit"),
        ("innr[0]", r"has no layer 'innr'\. Did you mean inner"),
        ("[attentions]", r"returns a tuple; expected a tensor\. Name a layer inside it, or what to take out of it"),
    ],
)
def test_brackets_that_take_nothing_out_are_refused(path, message):
    network = Returning(lambda hidden: {"logits": hidden, "attentions": (hidden,)})
    with pytest.raises(BadInput, match=message), capturing(network, [path]):
        network(ROWS)


def test_the_error_for_an_unknown_layer_suggests_the_closest_name():
    with pytest.raises(BadInput, match=r"Sequential has no layer '1.3'. Did you mean 1.[01]\?"), capturing(NETWORK, ["0", "1.3"]):
        pass
    assert hooks_of(NETWORK) == 0


def test_the_first_of_multiple_outputs_is_captured():
    attention = nn.MultiheadAttention(4, 2, batch_first=True)
    with capturing(nn.Sequential(attention), ["0"]) as captured:
        output, _ = attention(*[torch.ones(2, 3, 4)] * 3)
    assert torch.equal(captured["0"], output)


def test_a_layer_that_returns_no_tensor_is_rejected():
    class ReturnsDict(nn.Module):
        def forward(self, rows):
            return {"logits": rows}

    network = nn.Sequential(ReturnsDict())
    with capturing(network, ["0"]), pytest.raises(BadInput, match=r"layer '0' \(ReturnsDict\) returns a dict; expected a tensor"):
        network(ROWS)
