"""What both small networks do alike, above all with sparse rows."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix, random_array

import tutelage as tl
from tutelage.students.columns import with_columns
from tutelage.students.networks.mlp import SoftMLP
from tutelage.students.networks.mlp_regressor import NetworkRegressor
from tutelage.students.networks.network_training import standardising

RNG = np.random.default_rng(0)
SPARSE = csr_array(random_array((300, 40), density=0.2, rng=RNG))
DENSE = SPARSE.toarray()
VALUES = DENSE[:, 0] - DENSE[:, 1]
P = np.c_[1 / (1 + np.exp(-4 * VALUES)), 1 / (1 + np.exp(4 * VALUES))]
TARGETS = {SoftMLP: P, NetworkRegressor: VALUES}
SETTINGS = {"hidden_layer_sizes": (8,), "epochs": 20, "learning_rate": 0.01, "random_state": 0}


def answers(student, rows):
    return student.predict_proba(rows) if isinstance(student, SoftMLP) else student.predict(rows)


@pytest.mark.parametrize("kind", TARGETS)
def test_both_have_the_same_settings(kind):
    assert list(kind().get_params()) == list(SoftMLP().get_params())


@pytest.mark.parametrize("kind", TARGETS)
def test_sparse_rows_train_the_network_that_their_dense_cells_train(kind):
    settings = {**SETTINGS, "standardise": False}
    sparse, dense = (kind(**settings).fit(rows, TARGETS[kind]) for rows in (SPARSE, DENSE))
    for one, other in zip(sparse.coefs_, dense.coefs_, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    np.testing.assert_allclose(answers(sparse, SPARSE), answers(dense, DENSE), atol=1e-4)
    np.testing.assert_allclose(answers(sparse, DENSE), answers(sparse, SPARSE), atol=1e-9)


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_sparse_rows_are_scaled_by_one_number_and_not_shifted(kind, scale):
    student = kind(**SETTINGS).fit(csr_matrix(scale * SPARSE), TARGETS[kind])
    assert not student.mean_.any()
    assert len(set(student.scale_.tolist())) == 1
    assert student.scale_[0] == pytest.approx(scale * np.sqrt((SPARSE.data**2).mean()))
    reference = kind(**SETTINGS).fit(SPARSE, TARGETS[kind])
    np.testing.assert_allclose(answers(student, scale * SPARSE), answers(reference, SPARSE), atol=1e-3)


@pytest.mark.parametrize("kind", TARGETS)
def test_a_network_of_dense_rows_answers_sparse_ones_alike(kind):
    student = kind(**SETTINGS).fit(DENSE, TARGETS[kind])
    np.testing.assert_allclose(answers(student, SPARSE), answers(student, DENSE))


@pytest.mark.parametrize("kind", TARGETS)
def test_sparse_rows_may_weigh_and_be_held_out(kind):
    weights = np.r_[np.ones(200), np.zeros(100)]
    fitted = kind(**SETTINGS, validation_fraction=0.2).fit(SPARSE, TARGETS[kind], sample_weight=weights)
    assert 1 <= fitted.best_epoch_ <= 20
    assert np.isfinite(answers(fitted, SPARSE)).all()


def test_rows_without_a_cell_are_not_divided_by_zero():
    assert standardising(csr_array((5, 3)))[1].tolist() == [1, 1, 1]


@pytest.mark.parametrize("kind", TARGETS)
def test_no_sparse_rows_are_made_dense(kind):
    wide = csr_array(random_array((4000, 20_000), density=0.001, rng=RNG))  # 640 MB if it was dense
    targets = RNG.dirichlet(np.ones(3), 4000) if kind is SoftMLP else RNG.normal(size=4000)
    tracemalloc.start()
    try:
        student = kind(hidden_layer_sizes=(4,), epochs=1, batch_size=256, validation_fraction=0.2, random_state=0).fit(wide, targets)
        answers(student, wide)
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", TARGETS)
def test_texts_are_learnt_saved_and_exported(kind, tmp_path):
    texts = [f"{'good' if place % 2 else 'bad'} word{place % 7} text" for place in range(80)]
    targets = np.arange(80) % 2
    student = with_columns(kind(**SETTINGS), texts, scaled=True).fit(texts, targets)
    assert (np.round(student.predict(texts)) == targets).all()
    tl.save_student(student, tmp_path / "saved")
    loaded = tl.load_student(next(tmp_path.glob("saved*")))
    np.testing.assert_array_equal(loaded.predict(texts), student.predict(texts))
    assert tl.export(student, tmp_path / "student.py", check_on=texts).size_bytes > 0
