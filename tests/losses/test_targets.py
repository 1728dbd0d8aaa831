import numpy as np
import pytest

from tutelage.core.errors import BadInput, NotProbabilities, ShapeError
from tutelage.losses.targets import BOUNDS, harden, matching_temperature, smooth, soften, temper, untemper

RNG = np.random.default_rng(0)
P = np.array([[0.7, 0.2, 0.1], [0.0, 0.5, 0.5]])


def test_soften_matches_the_equation():
    np.testing.assert_allclose(soften([[2.0, 0.0]], 2.0), [[np.e / (1 + np.e), 1 / (1 + np.e)]])


def test_temper_preserves_zeros_and_softens_the_rest():
    tempered = temper(P, 2.0)
    np.testing.assert_allclose(tempered[0], np.sqrt(P[0]) / np.sqrt(P[0]).sum())
    np.testing.assert_allclose(tempered[1], [0, 0.5, 0.5])


def test_smooth_mixes_with_the_uniform_distribution():
    np.testing.assert_allclose(smooth([[1.0, 0.0]], 0.2), [[0.9, 0.1]])
    np.testing.assert_allclose(smooth(P, 0.0), P)


def test_harden_chooses_the_first_of_equal_classes():
    np.testing.assert_array_equal(harden(P), [[1, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("function", [soften, temper, untemper])
def test_an_invalid_temperature_is_rejected(function, temperature):
    with pytest.raises(BadInput, match="expected a finite number above 0"):
        function(P, temperature)


@pytest.mark.parametrize("amount", [-0.1, 1.1, float("nan")])
def test_an_amount_outside_zero_to_one_is_rejected(amount):
    with pytest.raises(BadInput, match="from 0 to 1"):
        smooth(P, amount)


@pytest.mark.parametrize("function", [lambda p: temper(p, 2.0), lambda p: smooth(p, 0.1), harden])
def test_logits_in_place_of_probabilities_are_rejected(function):
    with pytest.raises(NotProbabilities):
        function([[3.0, -1.0]])


@pytest.mark.parametrize("temperature", [0.05, 1.0, 3.0, 20.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_matching_temperature_is_the_one_that_was_applied(temperature, weighted):
    p = RNG.dirichlet(np.ones(4), 300)
    weights = RNG.random(300) if weighted else None
    found = matching_temperature(temper(p, 1 / temperature), p, weights)
    assert found == pytest.approx(temperature, rel=1e-6)


def test_the_matching_temperature_has_the_smallest_cross_entropy_and_ignores_zeros():
    p = RNG.dirichlet(np.ones(3), 400)
    targets = np.eye(3)[(p.cumsum(axis=1) < RNG.random((400, 1))).sum(axis=1)]
    sharp = temper(p, 0.4)
    found = matching_temperature(sharp, targets)

    def nats(temperature):
        return -(targets * np.log(np.maximum(temper(sharp, temperature), 1e-12))).sum(axis=1).mean()

    assert nats(found) < min(nats(found * factor) for factor in (0.95, 1.05))
    ruled_out = np.vstack([sharp, np.eye(3)])
    assert matching_temperature(ruled_out, np.vstack([targets, np.eye(3)[[1, 2, 0]]])) == pytest.approx(found)


def test_the_matching_temperature_stays_within_bounds():
    assert matching_temperature(np.array([[0.6, 0.4]]), np.array([[1.0, 0.0]])) == BOUNDS[0]
    assert matching_temperature(np.array([[0.6, 0.4]]), np.array([[0.0, 1.0]])) == BOUNDS[1]


def test_no_logits_are_no_targets():
    assert soften(np.zeros((0, 3), np.float32), 2.0).shape == (0, 3)
    for shape in ((3,), (3, 0)):
        with pytest.raises(ShapeError, match="with at least one column"):
            soften(np.zeros(shape), 2.0)


@pytest.mark.parametrize(
    ("function", "values", "temperature"),
    [(soften, [[40, 20, 0]], 1e-4), (temper, [[1, 0, 0]], 1e6), (untemper, [[1, 0, 0]], 1e-6), (soften, np.zeros((1, 70_000)), 1.0)],
)
def test_half_precision_is_computed_in_single(function, values, temperature):
    found = function(np.float16(values), temperature)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, function(np.float32(values), temperature), rtol=1e-3, atol=1e-7)
