import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info

import tutelage as tl
from tutelage.core.answers import of_classes
from tutelage.core.errors import BadInput
from tutelage.students.networks import soft_decision_tree
from tutelage.students.networks.gates import log_paths
from tutelage.students.temperature import Targets, fit_at_temperature

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 2))
SIDES = (X[:, 0] + X[:, 1] > 0).astype(int) + 2 * (X[:, 0] - X[:, 1] > 0)
P = np.eye(4)[SIDES] * 0.9 + 0.025


def fitted(**settings):
    return tl.SoftDecisionTree(**{"depth": 2, "epochs": 40, "learning_rate": 0.05, "random_state": 0, **settings}).fit(X, P)


def test_oblique_borders_are_found_by_two_levels_of_gates():
    student = fitted()
    assert (student.predict(X) == SIDES).mean() > 0.93
    assert (student.coef_.shape, student.intercept_.shape, student.leaves_.shape) == ((2, 3), (3,), (4, 4))
    np.testing.assert_allclose(student.leaves_.sum(axis=1), 1)
    tree = tl.SoftTree(max_leaf_nodes=4, random_state=0).fit(X, P)
    assert (tree.predict(X) == SIDES).mean() < 0.9


def test_a_row_is_answered_by_the_leaf_of_its_most_probable_path_or_by_all_leaves():
    student = fitted()
    scores = ((X - student.mean_) / student.scale_) @ student.coef_ + student.intercept_
    paths = np.exp(log_paths(scores, 2))
    np.testing.assert_allclose(student.predict_proba(X), student.leaves_[paths.argmax(axis=1)])
    mixed = student.set_params(answer="mixture")
    np.testing.assert_allclose(mixed.predict_proba(X), paths @ student.leaves_)


def test_the_seed_decides_and_weights_count():
    np.testing.assert_array_equal(fitted().coef_, fitted().coef_)
    assert (fitted().coef_ != fitted(random_state=1).coef_).any()
    weights = np.where(SIDES == 0, 0.0, 1.0)
    kept, weighed = clone(fitted()).fit(X[SIDES > 0], P[SIDES > 0]), clone(fitted()).fit(X, P, sample_weight=weights)
    np.testing.assert_allclose(weighed.predict_proba(X), kept.predict_proba(X), rtol=1e-6)
    assert (clone(fitted()).fit(X, P, sample_weight=np.where(SIDES == 0, 50.0, 1.0)).predict(X) == 0).mean() > (SIDES == 0).mean()


def test_it_learns_digits_from_soft_labels():
    rows, digits = load_digits(return_X_y=True)
    labels = np.eye(10)[digits] * 0.95 + 0.005
    student = tl.SoftDecisionTree(depth=5, epochs=15, learning_rate=0.02, n_jobs=1, random_state=0).fit(rows[:1200], labels[:1200])
    assert student.score(rows[1200:], digits[1200:]) > 0.8


def test_leaves_answer_at_temperature_one():
    form = of_classes("probabilities", range(4))
    targets = Targets.of(P, form, temperature=4.0)
    taught = fit_at_temperature(tl.SoftDecisionTree(depth=2, epochs=40, learning_rate=0.05, random_state=0), form, X, targets)
    assert taught.answer_temperature == 1.0
    paths = np.exp(taught.student._log_paths(X))
    expected = (paths.T @ P) / paths.sum(axis=0)[:, None]
    np.testing.assert_allclose(taught.student.leaves_, expected, rtol=1e-9)
    student = fitted()
    student.answer_with(X, P, weights=np.where(SIDES == 3, 1.0, 0.0))
    np.testing.assert_allclose(student.leaves_, np.tile(P[SIDES == 3][0], (4, 1)), rtol=1e-9)


def test_threads_are_given_back_after_the_training(monkeypatch):
    def blas():
        return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]

    seen, train = [], soft_decision_tree.train
    monkeypatch.setattr(soft_decision_tree, "train", lambda *given, **settings: seen.append(blas()) or train(*given, **settings))
    before = blas()
    fitted(n_jobs=1, epochs=1)
    assert set(seen[0]) == {1}
    assert blas() == before


@pytest.mark.parametrize("answer", ["leaf", "mixture"])
def test_it_is_saved_exported_and_matched(answer, tmp_path):
    student = make_pipeline(StandardScaler(), tl.SoftDecisionTree(depth=3, epochs=3, answer=answer, random_state=0)).fit(X, P)
    again = tl.load_student(tl.save_student(student, tmp_path / "student"))
    np.testing.assert_array_equal(again.predict_proba(X), student.predict_proba(X))
    assert tl.export(student, tmp_path / "student.c", check_on=X, compared_rows=500).proofs[0].decisions_changed == 0
    teacher = tl.as_teacher(lambda rows: np.full((len(rows), 4), [0.1, 0.2, 0.3, 0.4]), kind="probabilities", classes=range(4))
    matched = tl.match_teacher_marginals(student, teacher, X)
    np.testing.assert_allclose(matched.predict_proba(X).mean(axis=0), [0.1, 0.2, 0.3, 0.4], rtol=1e-7)


def test_rows_too_large_for_it_have_no_answer():
    student = fitted(epochs=1)
    student.coef_, student.scale_ = np.array([[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]]), np.full(2, 0.1)
    with pytest.raises(BadInput, match="1 of 1 rows have no probabilities"):
        student.predict_proba([[1.7e308, 1.7e308]])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth": 13}, "depth is 13; expected a whole number, from 1 to 12"),
        ({"depth": 0}, "depth is 0"),
        ({"sharpness": 0}, "sharpness is 0"),
        ({"penalty": -1}, "penalty is -1"),
        ({"answer": "leaves"}, "answer is 'leaves'; expected 'leaf' or 'mixture'"),
        ({"n_jobs": 0}, "n_jobs is 0"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(BadInput, match=message):
        fitted(**settings)
