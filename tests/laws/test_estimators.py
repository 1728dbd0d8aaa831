"""Every public estimator is one of scikit-learn's: its own checks say so, and none is left out."""

from importlib.util import find_spec
from typing import Any

import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

import tutelage as tl

pytestmark = pytest.mark.slow


class Network:
    """Builds a network, under a name that every process which collects tests prints alike; that of a function holds its address."""

    def __call__(self, inputs, outputs):
        return nn.Sequential(nn.Linear(inputs, 8), nn.ReLU(), nn.Linear(8, outputs))

    def __repr__(self):
        return "Network()"


BOOSTERS = [tl.SoftBoosting(engine=engine, n_estimators=10, n_jobs=1) for engine in ("lightgbm", "xgboost") if find_spec(engine)]
TORCH = [make(Network(), epochs=25, batch_size=16, learning_rate=0.03) for make in (tl.TorchClassifier, tl.TorchRegressor)]
EXACT = LogisticRegression(tol=1e-10, max_iter=10_000)
ESTIMATORS: list[Any] = [
    tl.SoftTree(),
    tl.SoftTree(targets="logits"),
    tl.SoftForest(n_estimators=5),
    tl.SoftForest(n_estimators=5, bootstrap=False),
    tl.SoftLogistic(),
    *BOOSTERS,
    tl.SoftMLP(hidden_layer_sizes=(8,), epochs=25, learning_rate=0.05),
    tl.SoftDecisionTree(depth=3, epochs=25, batch_size=16, learning_rate=0.05),
    tl.SoftTargets(LogisticRegression()),
    tl.SoftTargets(GaussianNB()),
    tl.SoftTargets(DecisionTreeClassifier(random_state=0)),
    tl.PerLabel(tl.SoftLogistic()),
    tl.PerLabel(LogisticRegression()),
    # Teachers whose answers do not change in their last digits with the weights, which would settle ties between a tree's splits.
    tl.DistilledClassifier(GaussianNB(), tl.SoftTree(random_state=0)),
    tl.DistilledClassifier(GaussianNB(), tl.SoftTree(random_state=0), soft_weight=0.5, temperature=2.0),
    tl.DistilledClassifier(EXACT, EXACT),
    tl.DistilledClassifier(GaussianNB(), LogisticRegression()),
    tl.DistilledRegressor(Ridge(), Ridge()),
    *TORCH,
]

# One check is expected to fail, and only of students of which it cannot be true: that a row of weight two is two rows, to the last digit.
# scikit-learn marks the same check of its own RandomForestClassifier and HistGradientBoostingClassifier, and runs it on
# MLPClassifier with L-BFGS only, never with Adam.
WEIGHED = "check_sample_weight_equivalence_on_{}_data"
WHY = {
    tl.SoftForest: "rows are drawn for each tree by their place, so another number of rows is another draw",
    tl.SoftMLP: "rows are shuffled into batches by their place, and float32 sums depend on the order",
    tl.SoftDecisionTree: "rows are shuffled into batches by their place, and float32 sums depend on the order",
    tl.TorchClassifier: "rows are shuffled into batches by their place",
    tl.TorchRegressor: "rows are shuffled into batches by their place",
    tl.SoftBoosting: "the engines add up float32 gradients, whose rounding settles ties between splits",
}


def expected_failures(estimator: Any) -> dict[str, str]:
    why = WHY.get(type(estimator))
    if why is None or getattr(estimator, "bootstrap", True) is False:
        return {}
    return {WEIGHED.format(kind): why for kind in ("dense", "sparse")}


@pytest.mark.exhaustive(every=7)
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_it_keeps_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


def test_no_public_estimator_is_left_out():
    public = {thing for thing in (getattr(tl, name) for name in tl.__all__) if isinstance(thing, type) and issubclass(thing, BaseEstimator)}
    fitted_before = {tl.Cascade}  # of a student and a teacher that know the rows already: tests/students/test_cascade.py has its contract
    assert {type(estimator) for estimator in ESTIMATORS} == public - fitted_before
    assert len(public) >= 9
