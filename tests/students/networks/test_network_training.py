import numpy as np
import pytest
import torch

from tutelage.core.errors import SelfCheckFailed
from tutelage.students.networks.network_training import CROSS_ENTROPY, SQUARED_ERROR, _Network, forward, standardising, train_layers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype(np.float32)
WEIGHTS = RNG.uniform(0.5, 2, size=(40, 1)).astype(np.float32)
P = RNG.dirichlet(np.ones(4), size=40).astype(np.float32)
SETTINGS = {"learning_rate": 0.02, "epochs": 3, "batch_size": 16, "l2": 0.0, "seed": 0}


def of_torch(layers):
    modules = []
    for weights, biases in layers:
        linear = torch.nn.Linear(*weights.shape)
        linear.weight.data, linear.bias.data = torch.from_numpy(weights.T.copy()), torch.from_numpy(biases.copy())
        modules += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*modules[:-1])


def torch_loss(name, network):
    answers = network(torch.from_numpy(X))
    if name == "cross_entropy":
        return -(torch.from_numpy(WEIGHTS * P) * answers.log_softmax(dim=1)).sum(dim=1).mean()
    return (torch.from_numpy(WEIGHTS) * (answers - torch.from_numpy(P)) ** 2).sum(dim=1).mean() / 2


LOSSES = {
    "cross_entropy": (CROSS_ENTROPY, WEIGHTS * P),
    "squared_error": (SQUARED_ERROR, np.hstack([WEIGHTS, P])),
}


@pytest.mark.parametrize("name", LOSSES)
def test_steps_are_those_of_torchs_adam(name):
    loss, targets = LOSSES[name]
    network = _Network([3, 5, 6, 4], np.random.default_rng(0), loss, 0.02, 0.1)
    theirs = of_torch(network.copy())
    weights = [parameter for parameter in theirs.parameters() if parameter.ndim == 2]
    biases = [parameter for parameter in theirs.parameters() if parameter.ndim == 1]
    adam = torch.optim.Adam([{"params": weights, "weight_decay": 0.1}, {"params": biases}], lr=0.02)
    for _ in range(20):
        network.step(X, targets)
        adam.zero_grad()
        torch_loss(name, theirs).backward()
        adam.step()
    np.testing.assert_allclose(forward(network.copy(), X), theirs(torch.from_numpy(X)).detach().numpy(), atol=2e-5)
    assert network.loss(X, targets) / len(X) == pytest.approx(torch_loss(name, theirs).item(), rel=1e-4)


def test_the_seed_alone_decides():
    found = [train_layers(X, P, [3, 5, 4], CROSS_ENTROPY, **{**SETTINGS, "seed": seed})[0][0][0] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()


def test_validation_chooses_the_epoch_and_its_weights():
    noise = np.eye(4, dtype=np.float32)[RNG.integers(0, 4, 40)]  # longer training only overfits
    settings = {**SETTINGS, "learning_rate": 0.1}
    layers, epoch = train_layers(X, noise, [3, 16, 4], CROSS_ENTROPY, **{**settings, "epochs": 40}, validation=(X[::-1].copy(), noise))
    assert epoch < 20
    np.testing.assert_array_equal(train_layers(X, noise, [3, 16, 4], CROSS_ENTROPY, **{**settings, "epochs": epoch})[0][0][0], layers[0][0])


def test_weights_that_are_not_finite_stop_the_training():
    with pytest.raises(SelfCheckFailed, match=r"not finite after epoch 1\. Lower the learning rate"):
        train_layers(X, P, [3, 5, 4], CROSS_ENTROPY, **{**SETTINGS, "learning_rate": 1e38})


def test_many_rows_in_single_precision_are_standardised_in_double():
    rows = np.random.default_rng(0).normal(2000, 10, size=(1_000_000, 2)).astype(np.float32)
    mean, deviation = standardising(rows)
    np.testing.assert_allclose(mean, rows.mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(deviation, 10, rtol=0.01)
