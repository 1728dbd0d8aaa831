import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from tutelage.core.errors import BadInput
from tutelage.students.networks.mlp_regressor import NetworkRegressor
from tutelage.students.saved.save_load import load_student, save_student

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3)) * [1, 100, 0.01]
Y = 5000 + 40 * np.abs(X[:, 0]) + X[:, 1]
SETTINGS = {"hidden_layer_sizes": (16,), "epochs": 60, "learning_rate": 0.02, "random_state": 0}


@parametrize_with_checks(
    [NetworkRegressor(epochs=20)],
    expected_failed_checks=lambda estimator: {
        f"check_sample_weight_equivalence_on_{kind}_data": "rows are shuffled into batches by their place" for kind in ("dense", "sparse")
    },
)
def test_it_keeps_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


def test_it_learns_values_in_their_own_unit():
    student = NetworkRegressor(**SETTINGS).fit(X, Y)
    assert ((student.predict(X) - Y) ** 2).mean() < 0.02 * Y.var()


def test_it_learns_several_values_at_once():
    student = NetworkRegressor(**SETTINGS).fit(X, np.column_stack([Y, -3 * Y, X[:, 0]]))
    found = student.predict(X)
    assert found.shape == (300, 3)
    np.testing.assert_allclose(found[:, 1], -3 * found[:, 0], rtol=0.02)


def test_weights_decide_between_values_that_clash():
    rows, values = np.zeros((40, 1)), np.repeat([1.0, 0.0], 20)
    student = NetworkRegressor(hidden_layer_sizes=(), epochs=80, learning_rate=0.05, random_state=0)
    assert student.fit(rows, values, sample_weight=np.repeat([3.0, 1.0], 20)).predict([[0.0]])[0] == pytest.approx(0.75, abs=0.03)


def test_it_is_saved_and_loaded(tmp_path):
    student = NetworkRegressor(**{**SETTINGS, "epochs": 2}).fit(X, Y)
    np.testing.assert_array_equal(load_student(save_student(student, tmp_path / "network")).predict(X), student.predict(X))


def test_rows_far_from_those_learnt_are_refused():
    student = NetworkRegressor(**{**SETTINGS, "epochs": 2}).fit(X, Y)
    with pytest.raises(BadInput, match="too large for this student"):
        student.predict(np.full((1, 3), 1e308))


def test_cells_that_a_mask_hides_are_no_numbers():
    masked = np.ma.masked_array(X, X > 1)
    with pytest.raises(BadInput, match="Input X contains NaN"):
        NetworkRegressor(epochs=1).fit(masked, Y)
    with pytest.raises(BadInput, match="Input X contains NaN"):
        NetworkRegressor(epochs=1).fit(X, Y).predict(masked)
    with pytest.raises(BadInput, match="the rows of y: 1 of 300 cells are masked"):
        NetworkRegressor(epochs=1).fit(X, np.ma.masked_array(Y, np.arange(300) == 3))
