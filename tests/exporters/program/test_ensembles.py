import numpy as np
import pytest
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from written import largest_difference

from tutelage.core.errors import BadInput
from tutelage.exporters.program.build import program_of
from tutelage.exporters.subject.subject import subject_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 3)).astype(np.float32).astype(np.float64)
VALUES = X[:, 0] * X[:, 1] + X[:, 2]
TWO, FOUR = np.where(VALUES > 0, "yes", "no"), np.digitize(VALUES, [-1, 0, 1])
TREE = DecisionTreeClassifier(max_depth=3, random_state=0)
BOTH = [("a", LogisticRegression()), ("b", TREE)]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("truth", [TWO, FOUR], ids=["two", "four"])
@pytest.mark.parametrize(
    "student",
    [
        GradientBoostingClassifier(n_estimators=4, random_state=0),
        GradientBoostingClassifier(n_estimators=4, init="zero", subsample=0.5, random_state=0),
        MLPClassifier((5, 4), max_iter=5, random_state=0),
        MLPClassifier((5,), activation="tanh", max_iter=5, random_state=0),
        BaggingClassifier(TREE, 4, max_features=2, random_state=0),
        BaggingClassifier(LogisticRegression(), 3, max_samples=6, random_state=3),  # some have not seen every class
        VotingClassifier(BOTH, voting="soft"),
        VotingClassifier([*BOTH, ("c", "drop")], voting="soft", weights=[1, 3, 2]),
    ],
)
def test_classifiers(student, truth):
    assert largest_difference(student.fit(X, truth), X) < 1e-12


def test_classifiers_of_two_classes():
    for student in (GradientBoostingClassifier(loss="exponential", n_estimators=4, random_state=0), SGDClassifier("log_loss")):
        assert largest_difference(student.fit(X, TWO), X) < 1e-12


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "student",
    [
        GradientBoostingRegressor(n_estimators=4, random_state=0),
        GradientBoostingRegressor(loss="quantile", n_estimators=4, random_state=0),
        MLPRegressor(hidden_layer_sizes=(5,), activation="logistic", max_iter=5, random_state=0),
        MLPRegressor(hidden_layer_sizes=(5,), activation="identity", max_iter=5, random_state=0),
        BaggingRegressor(Ridge(), 3, max_features=2, random_state=0),
        VotingRegressor([("a", Ridge()), ("b", DecisionTreeRegressor(max_depth=3))], weights=[2, 1]),
    ],
)
def test_regressors(student):
    assert largest_difference(student.fit(X, VALUES), X) < 1e-12


GAPS = np.where(RNG.random(X.shape) < 0.1, np.nan, X)


@pytest.mark.parametrize(("kind", "truth"), [("LGBMClassifier", TWO), ("LGBMClassifier", FOUR), ("LGBMRegressor", VALUES)])
def test_models_of_lightgbm(kind, truth):
    lightgbm = pytest.importorskip("lightgbm")
    student = getattr(lightgbm, kind)(n_estimators=4, verbosity=-1, n_jobs=1).fit(GAPS, truth)
    assert largest_difference(student, GAPS) < 1e-12


@pytest.mark.parametrize(("kind", "truth"), [("XGBClassifier", TWO == "yes"), ("XGBClassifier", FOUR), ("XGBRegressor", VALUES)])
def test_models_of_xgboost(kind, truth):
    xgboost = pytest.importorskip("xgboost")
    student = getattr(xgboost, kind)(n_estimators=4, n_jobs=1).fit(GAPS, truth)
    assert largest_difference(student, GAPS) < 1e-6  # it adds up in single precision


def test_a_model_of_xgboost_that_stopped_early():
    xgboost = pytest.importorskip("xgboost")
    student = xgboost.XGBRegressor(n_estimators=30, early_stopping_rounds=1, learning_rate=1.0, n_jobs=1)
    student.fit(X[:80], VALUES[:80], eval_set=[(X[80:], VALUES[80:])], verbose=False)
    assert student.best_iteration < student.get_booster().num_boosted_rounds() - 1
    assert largest_difference(student, X) < 1e-6


def refused(student, truth, match):
    subject, rows = subject_of(student.fit(X, truth), X)
    with pytest.raises(BadInput, match=match):
        program_of(subject, rows)


def test_what_cannot_be_exported_is_named():
    refused(GradientBoostingRegressor(init=Ridge(), n_estimators=2), VALUES, "with init=")
    refused(BaggingClassifier(SVC(), 2), TWO, "of SVC cannot be exported, which has no predict_proba")
    refused(SGDClassifier("log_loss"), FOUR, "several classes")


def test_objectives_that_cannot_be_exported_are_named():
    lightgbm, xgboost = pytest.importorskip("lightgbm"), pytest.importorskip("xgboost")
    refused(lightgbm.LGBMRegressor(objective="poisson", n_estimators=2, verbosity=-1), np.abs(VALUES), "'poisson'")
    refused(lightgbm.LGBMClassifier(objective="multiclassova", n_estimators=2, verbosity=-1), FOUR, "'multiclassova'")
    refused(xgboost.XGBRegressor(objective="count:poisson", n_estimators=2), np.abs(VALUES), "'count:poisson'")
    refused(
        xgboost.XGBClassifier(booster="gblinear", n_estimators=2),
        (TWO == "yes").astype(int),
        "it has the booster 'gblinear', where 'gbtree' is expected",
    )
    refused(
        xgboost.XGBClassifier(booster="dart", n_estimators=2),
        (TWO == "yes").astype(int),
        "it has the booster 'dart', where 'gbtree' is expected",
    )
    refused(xgboost.XGBRegressor(missing=0.0, n_estimators=2), VALUES, "missing=0.0")
