import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.sparse import csr_array, random_array, vstack
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from tutelage.core.errors import BadInput
from tutelage.students import linear
from tutelage.students.linear import SoftLogistic

RNG = np.random.default_rng(0)
ROWS = 300
DENSE = RNG.normal(size=(ROWS, 6)) * [1, 1, 1, 5, 0.2, 1] + [0, 3, 0, 0, 0, -1]
SPARSE = csr_array(random_array((ROWS, 40), density=0.1, rng=RNG, format="csr"))


def targets_of(X, classes):
    logits = X @ RNG.normal(size=(X.shape[1], classes))
    return 0.7 * linear.softmax(logits) + 0.3 * RNG.dirichlet(np.ones(classes), X.shape[0])


def expanded(X, probabilities, **settings):
    """scikit-learn's optimum on rows repeated once a class."""
    classes = probabilities.shape[1]
    rows = vstack([X] * classes) if X is SPARSE else np.vstack([X] * classes)
    labels = np.repeat(np.arange(classes), X.shape[0])
    weights = probabilities.T.ravel()
    return LogisticRegression(tol=1e-10, max_iter=20_000, **settings).fit(rows, labels, sample_weight=weights)


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("X", [DENSE, SPARSE], ids=["dense", "sparse"])
def test_its_optimum_on_soft_targets_equals_that_of_expanded_rows(X, classes):
    probabilities = targets_of(X, classes)
    ours, theirs = SoftLogistic(C=0.7).fit(X, probabilities), expanded(X, probabilities, C=0.7)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=2e-4)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("intercept", [True, False])
def test_its_optimum_on_class_labels_equals_that_of_logistic_regression(classes, intercept):
    labels = np.array(list("abcd"))[targets_of(DENSE, classes).argmax(axis=1)]
    weights = RNG.uniform(size=ROWS)
    ours = SoftLogistic(fit_intercept=intercept).fit(DENSE, labels, sample_weight=weights)
    theirs = LogisticRegression(fit_intercept=intercept, tol=1e-10, max_iter=20_000).fit(DENSE, labels, sample_weight=weights)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(ours.decision_function(DENSE), theirs.decision_function(DENSE), atol=1e-3)
    assert ours.predict(DENSE).tolist() == theirs.predict(DENSE).tolist()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("wide", [False, True])
def test_its_gradient_equals_finite_differences_of_its_objective(classes, wide, monkeypatch):
    monkeypatch.setattr(linear, "WHITENED_FEATURES", 0 if wide else 100)
    probabilities = targets_of(DENSE, classes)
    problem = linear._problem(linear._Weighed([(DENSE, probabilities, RNG.uniform(size=ROWS))], 1.0), fit_intercept=True)
    point = RNG.normal(size=problem.start().size)
    error = check_grad(lambda v: problem.value_and_gradient(v)[0], lambda v: problem.value_and_gradient(v)[1], point)
    assert error < 1e-5 * np.linalg.norm(problem.value_and_gradient(point)[1])


def test_scaling_features_separately_gives_the_same_optimum_as_whitening(monkeypatch):
    probabilities = targets_of(SPARSE, 3)
    together = SoftLogistic().fit(SPARSE, probabilities)
    monkeypatch.setattr(linear, "WHITENED_FEATURES", 10)
    for X in (SPARSE, SPARSE.toarray()):
        np.testing.assert_allclose(SoftLogistic().fit(X, probabilities).coef_, together.coef_, atol=1e-4)


def test_unscaled_and_shifted_features_take_few_steps_and_float32_is_preserved():
    X = (DENSE * np.logspace(-1, 2, 6) + 50).astype(np.float32)
    student = SoftLogistic().fit(X, targets_of(DENSE, 4))
    assert student.n_iter_ < 60
    assert student.coef_.dtype == student.intercept_.dtype == student.predict_proba(X).dtype == np.float32


def test_reaching_max_iter_warns():
    with pytest.warns(ConvergenceWarning, match="took 1 steps"):
        SoftLogistic(max_iter=1).fit(DENSE, targets_of(DENSE, 3))


@pytest.mark.parametrize("C", [0, -1.0, np.nan, np.inf])
def test_an_invalid_c_is_refused(C):
    with pytest.raises(BadInput, match="expected a finite number above 0"):
        SoftLogistic(C=C).fit(DENSE, targets_of(DENSE, 2))


def test_features_whose_squares_overflow_are_refused():
    for columns in (2, linear.WHITENED_FEATURES + 1):
        X = np.zeros((20, columns))
        X[::2, 0] = 1e200
        with pytest.raises(BadInput, match="squares overflow; scale the features first"):
            SoftLogistic().fit(X, np.arange(20) % 2)


def test_features_equal_up_to_rounding_share_their_weight():
    one = np.round(RNG.normal(size=60), 3) * 1e10
    student = SoftLogistic().fit(np.c_[one, one], (one > 0).astype(int))
    assert student.coef_[0, 0] == pytest.approx(student.coef_[0, 1], rel=1e-3)
    assert student.score(np.c_[one, one], (one > 0).astype(int)) == 1


def test_a_tolerance_of_zero_stops_at_rounding_errors():
    X, targets = np.arange(8.0)[:, None], np.linspace(0.2, 0.8, 8)
    exact, usual = (SoftLogistic(tol=tol).fit(X, np.c_[targets, 1 - targets]).predict_proba(X) for tol in (0, 1e-5))
    np.testing.assert_allclose(exact, usual, atol=1e-4)


@pytest.mark.parametrize("case", ["plain", "offset", "one large row", "one large row, sparse"])
def test_rows_in_single_precision_are_learnt_as_in_double(case):
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 4))
    targets = np.exp(2 * X[:, :3])
    targets /= targets.sum(axis=1, keepdims=True)
    if case == "offset":
        X += 1e5
    elif case != "plain":
        X[-1] = 1e6
    X = X.astype(np.float32)
    double, X = X.astype(np.float64), csr_array(X) if "sparse" in case else X
    found, expected = SoftLogistic().fit(X, targets), SoftLogistic().fit(double, targets)
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-3, atol=1e-3)
    assert (found.predict(X) == targets.argmax(axis=1)).mean() > 0.99
    assert found.coef_.dtype == (np.float32 if case == "plain" else np.float64)


def test_blocks_that_need_double_precision_are_converted_each():
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 2)).astype(np.float32)
    targets = np.column_stack([X[:, 0] > 0, X[:, 0] <= 0]).astype(np.float32)
    far = X + np.float32(1e5)
    blocks = linear._Weighed([(X, targets, None), (far, targets, None)], C=1.0)
    assert [rows.dtype for rows, _, _ in blocks] == [np.float32, np.float64]
    assert [rows.dtype for rows, _, _ in blocks] == [np.float32, np.float64]
