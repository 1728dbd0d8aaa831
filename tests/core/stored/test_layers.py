import json
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from tutelage.core.errors import BadInput
from tutelage.core.stored.layers import MOST_LAYERS, built, described, flattened, layout, outputs_of
from tutelage.training.stacks.networks import mlp
from tutelage.training.stacks.stack import Stack

LAYERS = [
    nn.Linear(3, 4),
    nn.Linear(3, 4, bias=False),
    nn.Conv2d(4, 6, 3),
    nn.Conv2d(4, 6, (3, 5), stride=(2, 1), padding=(1, 2), dilation=2, groups=2, bias=False, padding_mode="reflect"),
    nn.Conv2d(4, 6, 3, padding="same"),
    nn.BatchNorm1d(5, eps=1e-3, momentum=None),
    nn.BatchNorm2d(5, momentum=0.3, affine=False),
    nn.BatchNorm2d(5, track_running_stats=False),
    nn.MaxPool2d(3, stride=2, padding=1, dilation=2, ceil_mode=True),
    nn.MaxPool2d([2, 3]),
    nn.AvgPool2d((3, 2), padding=1, ceil_mode=True, count_include_pad=False, divisor_override=5),
    nn.AdaptiveAvgPool2d(1),
    nn.AdaptiveAvgPool2d((None, 2)),
    nn.Flatten(-3, 2),
    nn.Unflatten(-1, (1, -1)),
    nn.ReLU(inplace=True),
    nn.Dropout(0.1),
    nn.Dropout2d(0.2, inplace=True),
    nn.Identity(),
    nn.Conv1d(4, 6, 3),
    nn.Conv1d(4, 6, 3, stride=2, padding="valid", dilation=2, groups=2, bias=False, padding_mode="circular"),
    nn.LayerNorm(5),
    nn.LayerNorm((2, 3), eps=1e-3, bias=False),
    nn.LayerNorm(5, elementwise_affine=False),
    nn.MaxPool1d(3, stride=2, padding=1),
    nn.AvgPool1d(3, count_include_pad=False),
    nn.AdaptiveAvgPool1d(2),
    nn.LeakyReLU(0.2),
    nn.ELU(0.5, inplace=True),
    nn.GELU("tanh"),
    nn.SiLU(),
    nn.Tanh(),
    nn.Sigmoid(),
]


def settings_of(layer):
    return {name: value for name, value in vars(layer).items() if isinstance(value, int | float | str | tuple)}


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_a_layer_is_rebuilt_with_every_setting(layer):
    description = described(nn.Sequential(layer))
    assert json.loads(json.dumps(description)) == description
    (again,) = built(description)
    assert type(again) is type(layer)
    assert settings_of(again) | settings_of(layer) == settings_of(again)
    assert layout(again.state_dict()) == layout(layer.state_dict())


def test_nested_layers_are_described_in_execution_order():
    inner = nn.Sequential(OrderedDict(wide=nn.Linear(3, 4), act=nn.ReLU()))
    network = nn.Sequential(nn.Sequential(inner, nn.Sequential()), nn.Linear(4, 2))
    assert [description["layer"] for description in described(network)] == ["Linear", "ReLU", "Linear"]
    assert [*flattened(network)] == [inner.wide, inner.act, network[1]]


def test_a_layer_without_weights_may_be_used_multiple_times():
    act = nn.ReLU()
    assert len(described(nn.Sequential(nn.Linear(3, 3), act, nn.Linear(3, 2), act))) == 4


def test_building_uses_no_memory_for_weights_and_no_random_numbers():
    before = torch.get_rng_state()
    network = built([{"layer": "Linear", "in_features": 2**20, "out_features": 2**21, "bias": True}])
    assert all(parameter.is_meta for parameter in network.parameters())  # 8 TB, were they not
    assert torch.equal(before, torch.get_rng_state())


def pooled_with_indices():
    return nn.Sequential(nn.Linear(3, 2), nn.MaxPool2d(2, return_indices=True))


def hooked(where):
    network = nn.Sequential(nn.Sequential(nn.Linear(3, 2)))
    for part in where(network):
        part.register_forward_hook(lambda module, inputs, output: -output)
    return network


def tied():
    network = mlp((3, 3, 3))
    network[2].weight = network[0].weight
    return network


def twice():
    norm = nn.BatchNorm1d(3, affine=False)
    return nn.Sequential(norm, nn.Linear(3, 3), norm)


def patched():
    network = mlp((3, 2))
    network[0].forward = torch.zeros_like
    return network


class Louder(nn.Linear):
    def forward(self, inputs):
        return 2 * super().forward(inputs)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(nn.Linear(3, 2), nn.Softplus()), r"layer 1 \(Softplus\) cannot be described; expected one of Linear, Conv1d, "),
        (nn.Sequential(Louder(3, 2)), r"layer 0 \(Louder\) cannot be described"),
        (Stack([mlp((3, 2))] * 2, wide=True), r"layer 0 \(Stack\) cannot be described"),
        (pooled_with_indices(), r"layer 1 \(MaxPool2d\) has return_indices=True, which cannot be described"),
        (nn.Sequential(spectral_norm(nn.Linear(3, 2))), r"layer 0 \(ParametrizedLinear\) cannot be described"),
        (mlp((3, 4, 2)).double(), r"layer 0 \(Linear\) has weights of other names, shapes or dtypes than torch creates in float32"),
        (nn.Sequential(nn.Linear(np.int64(3), 2)), r"layer 0 \(Linear\) has in_features=.*3.*, which cannot be described"),
        (hooked(lambda network: [network[0][0]]), r"layer 0 \(Linear\) has hooks=.*, which cannot be described"),
        (hooked(lambda network: [network[0]]), r"layer 0 \(Sequential\) cannot be described"),
        (patched(), r"layer 0 \(Linear\) has forward=.*, which cannot be described"),
        (tied(), "layers share weights"),
        (twice(), "layers share weights"),
        (nn.Sequential(*[nn.Identity()] * (MOST_LAYERS + 1)), "not a list of at most 1000"),
    ],
)
def test_layers_that_would_not_be_restored_are_refused_by_name(network, message):
    with pytest.raises(BadInput, match=message):
        described(network)


LINEAR = {"layer": "Linear", "in_features": 3, "out_features": 2, "bias": True}
NORM = {"layer": "BatchNorm1d", "num_features": 3, "eps": 1e-5, "momentum": 0.1, "affine": True, "track_running_stats": True}
(CONV,), (CONV1,) = described(nn.Conv2d(4, 6, 3)), described(nn.Conv1d(4, 6, 3))


@pytest.mark.parametrize(
    "description",
    [
        7,
        {},
        [7],
        [{"layer": "Sequential"}],
        [{"layer": "__class__"}],
        [{"layer": ["Linear"]}],
        [{"layer": "Linear"}],
        [LINEAR | {"device": "cpu"}],
        [LINEAR | {"in_features": True}],
        [LINEAR | {"in_features": 3.0}],
        [LINEAR | {"in_features": "3"}],
        [LINEAR | {"in_features": 0}],
        [LINEAR | {"in_features": 2**31}],
        [LINEAR | {"in_features": 10**30}],
        [LINEAR | {"in_features": 2**31 - 1, "out_features": 2**31 - 1}],
        [LINEAR | {"bias": 1}],
        [NORM | {"eps": float("nan")}],
        [NORM | {"eps": float("inf")}],
        [NORM | {"eps": 10**400}],
        [NORM | {"eps": True}],
        [NORM | {"momentum": "0.1"}],
        [CONV | {"groups": 5}],
        [CONV | {"stride": 0}],
        [CONV | {"kernel_size": [3]}],
        [CONV1 | {"kernel_size": [3, 3]}],
        [{"layer": "LayerNorm", "normalized_shape": 5, "eps": 1e-5, "elementwise_affine": True, "bias": True}],
        [{"layer": "LayerNorm", "normalized_shape": [], "eps": 1e-5, "elementwise_affine": True, "bias": True}],
        [{"layer": "GELU", "approximate": "erf"}],
        [{"layer": "LeakyReLU", "negative_slope": "steep", "inplace": False}],
        [CONV | {"kernel_size": [3, [3]]}],
        [CONV | {"padding": "wide"}],
        [CONV | {"padding": ["same", "same"]}],
        [CONV | {"padding": "same", "stride": 2}],
        [CONV | {"padding_mode": "ones"}],
        [{"layer": "Unflatten", "dim": 1, "unflattened_size": 784}],
        [{"layer": "Unflatten", "dim": 1, "unflattened_size": [["C", 1]]}],
        [{"layer": "Dropout", "p": 2.0, "inplace": False}],
        [{"layer": "Identity"}] * (MOST_LAYERS + 1),
    ],
)
def test_invalid_descriptions_are_refused(description):
    with pytest.raises(BadInput):
        built(description)


def test_outputs_of_is_known_only_if_no_later_layer_changes_the_outputs_of_the_last_linear():
    assert outputs_of(mlp((3, 5, 2))) == 2
    assert outputs_of(nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(), nn.Identity())) == 5
    assert outputs_of(nn.Sequential(nn.Linear(3, 4), nn.Unflatten(1, (1, 2, 2)), nn.MaxPool2d(2), nn.Flatten())) is None
    assert outputs_of(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten())) is None
