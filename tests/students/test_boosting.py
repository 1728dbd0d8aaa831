import pickle
from importlib.util import find_spec

import numpy as np
import pytest
from scipy.sparse import csr_array

from tutelage.core.errors import BadInput, MissingExtra
from tutelage.students.boosting import SoftBoosting, SoftmaxObjective

INSTALLED = [engine for engine in ("lightgbm", "xgboost") if find_spec(engine)]
each_engine = pytest.mark.parametrize("engine", INSTALLED)
with_lightgbm = pytest.mark.skipif("lightgbm" not in INSTALLED, reason="LightGBM is not installed")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 4))
LOGITS = np.c_[X[:, 0], X[:, 1] ** 2 - 1, X[:, 2] * X[:, 3]] * 2
P = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)


def boosted(**settings):
    return SoftBoosting(**{"n_estimators": 20, "num_leaves": 8, "n_jobs": 1, "random_state": 0, **settings})


def cross_entropy(scores, targets):
    return float((np.log(np.exp(scores).sum(axis=1)) - (targets * scores).sum(axis=1)).sum())


@pytest.mark.parametrize("weights", [None, RNG.uniform(0.5, 2, 5)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_gradient_and_hessian_equal_finite_differences_of_the_cross_entropy(order, weights):
    scores, targets = RNG.normal(size=(5, 3)), P[:5]
    gradient, hessian = SoftmaxObjective(targets, weights, hessian_factor=1.5, order=order)(np.asarray(scores, order=order))
    scale = np.ones(5) if weights is None else weights
    step = 1e-4
    for row in range(5):
        for column in range(3):
            moved = np.zeros((5, 3))
            moved[row, column] = step
            up, here, down = (cross_entropy(scores + sign * moved, targets) for sign in (1, 0, -1))
            assert gradient[row, column] == pytest.approx(scale[row] * (up - down) / (2 * step), abs=1e-6)
            assert hessian[row, column] == pytest.approx(1.5 * scale[row] * (up - 2 * here + down) / step**2, abs=1e-5)
    assert gradient.flags.c_contiguous == (order == "C")


@with_lightgbm
@pytest.mark.parametrize("classes", [2, 3])
def test_on_class_labels_it_equals_lightgbms_model(classes):
    lightgbm = pytest.importorskip("lightgbm")
    labels = P[:, :classes].argmax(axis=1)
    own = {"objective": "multiclass", "num_class": 3} if classes == 3 else {"objective": "binary"}
    settings = {"num_leaves": 8, "min_data_in_leaf": 0, "min_data_in_bin": 1, "min_sum_hessian_in_leaf": 1.0, "verbosity": -1}
    theirs = lightgbm.train({**own, **settings, "num_threads": 1}, lightgbm.Dataset(X, labels), 20).predict(X)
    ours = boosted().fit(X, labels).predict_proba(X)
    np.testing.assert_allclose(ours if classes == 3 else ours[:, 1], theirs, atol=1e-5)


def test_on_class_labels_it_equals_xgboosts_model():
    xgboost = pytest.importorskip("xgboost")
    labels = P.argmax(axis=1)
    settings = {"max_leaves": 8, "grow_policy": "lossguide", "max_depth": 0, "reg_lambda": 0, "max_bin": 255, "learning_rate": 0.1}
    theirs = xgboost.XGBClassifier(n_estimators=20, n_jobs=1, **settings)
    margin = np.tile(np.log(np.bincount(labels) / 400), (400, 1))
    theirs.fit(X, labels, base_margin=margin)
    ours = boosted(engine="xgboost").fit(X, labels).predict_proba(X)
    np.testing.assert_allclose(ours, theirs.predict_proba(X, base_margin=margin), atol=1e-4)


@each_engine
@pytest.mark.parametrize("classes", [2, 3])
def test_fitting_soft_targets_gives_closer_probabilities_than_fitting_their_argmax(engine, classes):
    targets = P[:, :classes] / P[:, :classes].sum(axis=1, keepdims=True)
    settings = {"engine": engine, "n_estimators": 60, "learning_rate": 0.3}
    soft = boosted(**settings).fit(X[:300], targets[:300]).predict_proba(X[300:])
    hard = boosted(**settings).fit(X[:300], targets[:300].argmax(axis=1)).predict_proba(X[300:])
    assert soft.shape == (100, classes)
    assert np.abs(soft - targets[300:]).mean() < 0.8 * np.abs(hard - targets[300:]).mean()


@each_engine
@pytest.mark.parametrize("classes", [2, 3])
def test_without_splits_it_predicts_the_mean_target_and_can_be_pickled(engine, classes):
    targets = P[:, :classes] / P[:, :classes].sum(axis=1, keepdims=True)
    student = boosted(engine=engine, min_child_weight=1e9).fit(X, targets, classes=list("abc")[:classes])
    np.testing.assert_allclose(student.predict_proba(X[:2]), np.tile(targets.mean(axis=0), (2, 1)), atol=1e-3)
    again = pickle.loads(pickle.dumps(student))  # noqa: S301 - our own
    np.testing.assert_array_equal(again.predict_proba(X), student.predict_proba(X))
    assert len(pickle.dumps(student)) < 100_000


@each_engine
def test_a_class_without_probability_gets_almost_none(engine):
    targets = np.c_[P[:, :2] / P[:, :2].sum(axis=1, keepdims=True), np.zeros(400)]
    assert boosted(engine=engine).fit(X, targets).predict_proba(X)[:, 2].max() < 1e-6


@with_lightgbm
def test_sparse_rows_give_the_same_answers_as_dense_rows():
    sparse = np.where(X > 0.5, X, 0)
    dense = boosted().fit(sparse, P).predict_proba(sparse)
    np.testing.assert_allclose(boosted().fit(csr_array(sparse), P).predict_proba(csr_array(sparse)), dense, atol=1e-6)


def test_an_unknown_engine_and_a_missing_engine_are_named_in_the_error(monkeypatch):
    with pytest.raises(BadInput, match="engine is 'catboost'; expected 'lightgbm' or 'xgboost'"):
        SoftBoosting(engine="catboost").fit(X, P)
    monkeypatch.setitem(__import__("sys").modules, "xgboost", None)
    with pytest.raises(MissingExtra, match=r"tutelage\[xgboost\]"):
        SoftBoosting(engine="xgboost").fit(X, P)


def test_numbers_beyond_float32_are_refused_for_xgboost():
    far = np.where(X > 1, 1e60, X)
    with pytest.raises(ValueError, match="too large for dtype"), np.errstate(over="ignore"):
        boosted(engine="xgboost").fit(far, P)


@each_engine
def test_the_engines_own_values_for_no_limit_and_large_seeds_are_accepted(engine):
    unlimited, *same = (boosted(engine=engine, n_estimators=3, max_depth=depth).fit(X, P).predict_proba(X) for depth in (None, -1, 0))
    for answers in same:
        np.testing.assert_array_equal(answers, unlimited)
    assert not np.array_equal(boosted(engine=engine, n_estimators=3, max_depth=1).fit(X, P).predict_proba(X), unlimited)
    drawn = [boosted(engine=engine, n_estimators=3, subsample=0.5, random_state=seed).fit(X, P).predict_proba(X) for seed in (0, 2**32 - 1)]
    assert not np.array_equal(*drawn)
    assert boosted(engine=engine, n_estimators=1, n_jobs=0).fit(X, P).n_features_in_ == 4
