import lightgbm
import numpy as np
import pytest
import torch
import xgboost
from catboost import CatBoostClassifier
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from tutelage.evaluation.size import count_parts, pickled_bytes
from tutelage.students.multilabel import PerLabel
from tutelage.students.trees import SoftTree
from tutelage.training.student import TorchStudent

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


def test_weights_of_a_network_are_counted_with_and_without_a_student():
    network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    assert count_parts(network) == count_parts(TorchStudent(network, classes=[0, 1])) == (4 * 3 + 3 + 3 * 2 + 2, "weights")


@pytest.mark.parametrize(
    ("student", "expected"),
    [
        (DecisionTreeClassifier(max_leaf_nodes=3, random_state=0), (3, "leaves")),
        (SoftTree(max_leaf_nodes=3, random_state=0), (3, "leaves")),
        (RandomForestClassifier(4, max_leaf_nodes=3, random_state=0), (12, "leaves")),
        (GradientBoostingClassifier(n_estimators=4, max_leaf_nodes=2, random_state=0), (8, "leaves")),
        (HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=2, early_stopping=False), (4, "leaves")),
        (lightgbm.LGBMClassifier(n_estimators=3, num_leaves=2, verbose=-1), (6, "leaves")),
        (xgboost.XGBClassifier(n_estimators=3, max_leaves=2, grow_policy="lossguide", n_jobs=1), (6, "leaves")),
        (CatBoostClassifier(iterations=3, depth=2, verbose=False, allow_writing_files=False, thread_count=1), (12, "leaves")),
        (LogisticRegression(), (5, "weights")),
        (MLPClassifier((3,), max_iter=300, tol=0.1, random_state=0), (4 * 3 + 3 + 3 + 1, "weights")),
        (make_pipeline(StandardScaler(), LogisticRegression()), (5, "weights")),
        (GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2), (5, "weights")),
        (KNeighborsClassifier(), None),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "fit") else "",
)
def test_parts_of_every_supported_kind_are_counted(student, expected):
    assert count_parts(student.fit(X, Y)) == expected


def test_boosters_are_counted_like_their_wrappers():
    wrapped = lightgbm.LGBMClassifier(n_estimators=3, num_leaves=2, verbose=-1).fit(X, Y)
    assert count_parts(wrapped.booster_) == count_parts(wrapped)
    wrapped = xgboost.XGBClassifier(n_estimators=3, max_depth=2, n_jobs=1).fit(X, Y)
    assert count_parts(wrapped.get_booster()) == count_parts(wrapped)


def test_pickled_size_is_none_for_students_that_cannot_be_pickled():
    small, big = (DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0).fit(X, Y) for leaves in (2, 20))
    assert 0 < pickled_bytes(small) < pickled_bytes(big)
    assert pickled_bytes(make_pipeline(FunctionTransformer(lambda rows: rows), LogisticRegression())) is None


def test_one_student_per_label_is_counted_as_a_total():
    labels = PerLabel(SoftTree(max_leaf_nodes=3)).fit(X, np.c_[Y, 1 - Y, np.zeros(len(X))])
    assert count_parts(labels) == (sum(count_parts(one)[0] for one in labels.estimators_ if not isinstance(one, float)), "leaves")
