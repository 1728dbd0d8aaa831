import numpy as np
import pytest
import torch

from tutelage.students.networks.gates import Gates, log_paths, path_places

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype(np.float32)
P = (RNG.dirichlet(np.ones(4), size=40) * RNG.uniform(0.5, 2, size=(40, 1))).astype(np.float32)


def tree(**settings):
    return Gates(
        3, 4, **{"depth": 3, "sharpness": 2.0, "penalty": 0.5, "learning_rate": 0.02, "random": np.random.default_rng(1), **settings}
    )


def branching(gates, depth):
    """(rows, leaves) the probability of each path, leaf by leaf."""
    found = []
    for leaf in range(2**depth):
        node, path = 0, 1.0
        for level in range(depth):
            right = leaf >> (depth - level - 1) & 1
            path = path * (gates[:, node] if right else 1 - gates[:, node])
            node = 2 * node + 1 + right
        found.append(path)
    return found


def objective(weights, intercepts, logits, *, depth, sharpness, penalty):
    """The loss of a batch by torch, written from the formulas of the paper."""
    rows, targets = torch.from_numpy(X), torch.from_numpy(P)
    gates = torch.sigmoid(sharpness * (rows @ weights.T + intercepts))
    leaves = torch.stack(branching(gates, depth), dim=1)
    loss = -(leaves * (targets @ logits.log_softmax(dim=1).T)).sum(dim=1).mean()
    mass = targets.sum(dim=1)
    for level in range(depth):
        for place, reaching in enumerate(branching(gates, level)):
            gate = 2**level - 1 + place
            share = (reaching * gates[:, gate] * mass).sum() / (reaching * mass).sum() if level else (gates[:, 0] * mass).sum() / mass.sum()
            loss = loss - penalty * 0.5**level * 0.5 * (share.log() + (1 - share).log())
    return loss


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("penalty", [0.0, 0.5])
def test_the_gradient_is_that_of_the_paper(depth, penalty):
    gates = tree(depth=depth, penalty=penalty)
    tensors = [torch.from_numpy(each.copy()).requires_grad_() for each in (gates._weights, gates._intercepts, gates._logits)]
    objective(*tensors, depth=depth, sharpness=2.0, penalty=penalty).backward()
    gates.step(X, P)
    for found, tensor in zip((gates._of_weights, gates._of_intercepts, gates._of_logits), tensors, strict=True):
        np.testing.assert_allclose(found, tensor.grad.numpy(), atol=2e-6)


def test_paths_are_numbered_from_left_to_right_and_share_each_row_out():
    scores = RNG.normal(size=(30, 7)) * 3
    expected = np.stack(branching(1 / (1 + np.exp(-scores)), 3), axis=1)
    np.testing.assert_allclose(np.exp(log_paths(scores, 3)), expected, rtol=1e-12)
    np.testing.assert_allclose(expected.sum(axis=1), 1)
    gates = tree()
    np.testing.assert_allclose(gates._paths((1 / (1 + np.exp(-scores.T))).astype(np.float32))[-1], expected.T, atol=1e-6)
    assert path_places(1).tolist() == [[1], [0]]


def test_scores_of_any_size_have_numbers_and_lost_ones_none():
    assert np.isfinite(log_paths(np.array([[1e308, -1e308, np.inf], [-np.inf, 0, 1]]), 2)).all()
    assert np.isnan(log_paths(np.array([[np.nan, 0, 0]]), 2)).all()


def test_the_penalty_spreads_rows_over_both_sides_of_each_gate():
    found = {}
    for penalty in (0.0, 5.0):
        gates = tree(penalty=penalty)
        for _ in range(200):
            gates.step(X, P)
        learnt = [torch.from_numpy(each) for each in (gates._weights, gates._intercepts, gates._logits)]
        with_penalty, without = (objective(*learnt, depth=3, sharpness=2.0, penalty=each).item() for each in (1.0, 0.0))
        found[penalty] = with_penalty - without
    even = -0.5 * sum(2**level * 0.5**level for level in range(3)) * 2 * np.log(0.5)
    assert even < found[5.0] < even + 0.05
    assert found[0.0] > even + 0.1


def test_the_mean_of_a_gate_moves_half_as_fast_on_each_level_down():
    other = X + 3
    both, first, second = (tree(learning_rate=0.0) for _ in range(3))
    for gates, batches in ((both, (X, other)), (first, (X,)), (second, (other,))):
        for rows in batches:
            gates.step(rows, P)
    pace = np.array([1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25])
    for name in ("_reached", "_right"):
        before, after = getattr(first, name), getattr(second, name)
        np.testing.assert_allclose(getattr(both, name), before + pace * (after - before), rtol=1e-6)


def test_steps_lower_the_loss():
    gates = tree(penalty=0.0)
    before = gates.loss(X, P)
    for _ in range(60):
        gates.step(X, P)
    assert gates.loss(X, P) < before - 1
    learnt = gates.copy()
    np.testing.assert_allclose(learnt.leaves.sum(axis=1), 1)
    paths = np.exp(log_paths(2.0 * (X @ learnt.weights.T + learnt.intercepts), 3))
    assert -(paths * (P @ np.log(learnt.leaves).T)).sum() == pytest.approx(gates.loss(X, P), rel=1e-4)
