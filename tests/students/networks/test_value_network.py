import numpy as np
import pytest
from torch import nn

from tutelage.core.errors import BadInput
from tutelage.students.networks.mlp_regressor import NetworkRegressor
from tutelage.students.networks.torch_network import TorchRegressor

X = np.random.default_rng(0).normal(size=(40, 3))


def line(inputs, outputs):
    return nn.Linear(inputs, outputs)


@pytest.fixture(params=["NumPy", "torch"])
def network(request):
    return NetworkRegressor(epochs=2, random_state=0) if request.param == "NumPy" else TorchRegressor(line, epochs=2, random_state=0)


@pytest.mark.parametrize("names", [["a"] * 40, np.array(["1.5"] * 40), [b"1"] * 40], ids=["texts", "texts of numbers", "bytes"])
def test_values_that_are_no_numbers_are_refused(network, names):
    with pytest.raises(BadInput, match=r"y holds values of type .*; expected numbers"):
        network.fit(X, names)


@pytest.mark.parametrize("outputs", [1, 2])
def test_values_come_out_in_the_shape_they_came_in(network, outputs):
    assert network.fit(X, X[:, 0]).predict(X[:5]).shape == (5,)
    assert network.fit(X, X[:, :outputs]).predict(X[:5]).shape == (5, outputs)
