import pickle

import numpy as np
import pytest

from tutelage.core.errors import BadInput, SelfCheckFailed
from tutelage.students.networks.mlp import SoftMLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)) * [1, 10, 1, 1] + [0, 50, 0, 0]
LOGITS = np.c_[X[:, 0], (X[:, 1] - 50) / 10, X[:, 2] * X[:, 3]]
P = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)


def fitted(targets=P, **settings):
    return SoftMLP(**{"hidden_layer_sizes": (16,), "epochs": 40, "learning_rate": 0.02, "random_state": 0, **settings}).fit(X, targets)


@pytest.mark.parametrize("classes", [2, 3])
def test_it_fits_soft_targets_and_stores_numpy_arrays(classes):
    targets = P[:, :classes] / P[:, :classes].sum(axis=1, keepdims=True)
    student = fitted(targets)
    assert np.abs(student.predict_proba(X) - targets).mean() < 0.08
    assert [weight.shape for weight in student.coefs_] == [(4, 16), (16, classes)]
    assert [bias.shape for bias in student.intercepts_] == [(16,), (classes,)]
    assert all(type(array) is np.ndarray and array.dtype == np.float32 for array in student.coefs_ + student.intercepts_)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(student)).predict(X), student.predict(X))  # noqa: S301 - our own


def test_the_weights_depend_on_random_state_only():
    np.random.seed(1)  # noqa: NPY002 - the global state is what must not matter
    first = fitted(epochs=2)
    np.random.seed(2)  # noqa: NPY002
    np.testing.assert_array_equal(fitted(epochs=2).coefs_[0], first.coefs_[0])
    assert (fitted(epochs=2, random_state=1).coefs_[0] != first.coefs_[0]).any()


def test_held_out_rows_choose_the_epoch():
    hard = np.eye(3)[RNG.integers(0, 3, 200)]  # random labels: longer training only overfits
    student = fitted(hard, validation_fraction=0.3, learning_rate=0.1)
    assert student.best_epoch_ < 20
    assert fitted(hard, epochs=3).best_epoch_ == 3
    assert np.abs(student.predict_proba(X) - 1 / 3).mean() < np.abs(fitted(hard, learning_rate=0.1).predict_proba(X) - 1 / 3).mean()


def test_rows_of_weight_zero_have_no_effect():
    weights = np.r_[np.ones(100), np.zeros(100)]
    settings = {"hidden_layer_sizes": (8,), "epochs": 3, "random_state": 0}
    weighted = SoftMLP(**settings).fit(X, P, sample_weight=weights)
    unweighted = SoftMLP(**settings).fit(X[:100], P[:100])
    np.testing.assert_allclose(weighted.coefs_[0], unweighted.coefs_[0], atol=1e-6)


def test_row_weights_shift_the_predicted_probability():
    student = SoftMLP(hidden_layer_sizes=(), epochs=60, learning_rate=0.05, random_state=0)
    clash, targets = np.zeros((40, 1)), np.repeat([[0.9, 0.1], [0.1, 0.9]], 20, axis=0)
    share = student.fit(clash, targets, sample_weight=np.repeat([3.0, 1.0], 20)).predict_proba([[0.0]])[0, 0]
    assert share == pytest.approx(0.7, abs=0.02)


def test_the_penalty_shrinks_weights():
    loose, tight = (np.linalg.norm(fitted(l2=l2).coefs_[0]) for l2 in (0.0, 0.1))
    assert tight < 0.5 * loose


def test_standardise_false_leaves_features_unchanged():
    student = fitted(standardise=False, epochs=1)
    assert (student.mean_ == 0).all()
    assert (student.scale_ == 1).all()
    np.testing.assert_allclose(fitted(epochs=1).mean_, X.mean(axis=0))


@pytest.mark.parametrize(("fraction", "match"), [(1, "of 0 or more and below 1"), (-0.1, "share"), (0.999, "holds out all 200")])
def test_an_invalid_validation_fraction_is_refused(fraction, match):
    with pytest.raises(BadInput, match=match):
        fitted(validation_fraction=fraction)


def test_a_loss_that_is_not_finite_stops_the_training():
    with pytest.raises(SelfCheckFailed, match="Lower the learning rate"):
        fitted(learning_rate=1e30)


def test_rows_whose_squares_overflow_are_refused():
    with pytest.raises(BadInput, match="squares overflow"):
        SoftMLP(epochs=1).fit(np.where(X > 1, 1e200, X), P)
