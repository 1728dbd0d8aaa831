import catboost
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from tutelage.core.errors import BadInput
from tutelage.teachers.estimator_answers import (
    classes_of,
    last_step,
    multilabel_count,
    on_probabilities,
    refuse_metadata,
    steps_before_last,
)

X = np.random.default_rng(0).normal(size=(60, 3))
MANY = (X > 0).astype(int)
QUIET = {"iterations": 2, "verbose": 0, "allow_writing_files": False, "thread_count": 1}


class Classes(ClassifierMixin, BaseEstimator):
    """An estimator with the given `classes_`."""

    def __init__(self, classes=None):
        self.classes_ = classes


def test_steps_are_found_through_searches_pipelines_and_frozen_estimators():
    inner = make_pipeline(StandardScaler(), "passthrough", LogisticRegression())
    search = GridSearchCV(make_pipeline(StandardScaler(), inner), {"pipeline__logisticregression__C": [1.0]}, cv=2).fit(X, MANY[:, 0])
    assert type(last_step(FrozenEstimator(search))) is LogisticRegression
    assert list(map(type, steps_before_last(search))) == [StandardScaler, StandardScaler]
    sampled = Pipeline([("sampler", object()), ("scale", StandardScaler()), ("model", Ridge())])  # a step that only fitting uses
    assert list(map(type, steps_before_last(sampled))) == [StandardScaler]
    alone = Ridge()
    assert last_step(alone) is alone
    assert steps_before_last(alone) == []


@pytest.mark.parametrize(
    "classes",
    [
        ["no", "yes"],
        ("no", "yes"),
        np.array(["no", "yes"]),
        pd.Index(["no", "yes"]),
        pd.Series(["no", "yes"]),
        np.array([["no"], ["yes"]]).ravel(),
    ],
)
def test_classes_come_in_any_sequence(classes):
    assert classes_of(Classes(classes)) == ["no", "yes"]
    assert multilabel_count(Classes(classes)) is None


def test_an_estimator_without_classes_has_none():
    assert [len(classes_of(model)) for model in (Classes(None), Ridge(), Classes([]))] == [0, 0, 0]


@pytest.mark.parametrize("classes", [{"no", "yes"}, {"no": 0, "yes": 1}])
def test_classes_without_an_order_are_refused(classes):
    with pytest.raises(BadInput, match=r"classes_ of Classes is a (set|dict); expected a list, in the order of the columns"):
        classes_of(Classes(classes))


@pytest.mark.parametrize(
    ("model", "truth", "expected"),
    [
        (xgboost.XGBClassifier(n_estimators=2, n_jobs=1), MANY, 3),
        (xgboost.XGBClassifier(n_estimators=2, n_jobs=1, multi_strategy="multi_output_tree"), MANY[:, :2], 2),
        (xgboost.XGBClassifier(n_estimators=2, n_jobs=1), MANY[:, 0], None),
        (xgboost.XGBClassifier(n_estimators=2, n_jobs=1), X.argmax(axis=1), None),
        (catboost.CatBoostClassifier(loss_function="MultiLogloss", **QUIET), MANY, 3),
        (catboost.CatBoostClassifier(**QUIET), X.argmax(axis=1), None),
        (make_pipeline(StandardScaler(), xgboost.XGBClassifier(n_estimators=2, n_jobs=1)), MANY, 3),
        (MultiOutputClassifier(xgboost.XGBClassifier(n_estimators=2, n_jobs=1)), MANY, 3),
        (ClassifierChain(LogisticRegression()), MANY, 3),
        (StackingClassifier([("a", KNeighborsClassifier())], KNeighborsClassifier(), cv=2), MANY, 3),
        (RandomForestClassifier(2), MANY, 3),
        (RandomForestClassifier(2), MANY[:, 0], None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_labels_are_counted(model, truth, expected):
    assert multilabel_count(model.fit(X, truth)) == expected


def test_on_probabilities_of_labels_with_one_or_two_states():
    answers = [np.array([[0.3, 0.7]]), np.array([[1.0]]), np.array([[1.0]])]
    np.testing.assert_array_equal(on_probabilities(answers, [[0, 1], [0], [1]]), [[0.7, 0.0, 1.0]])


def test_an_estimator_that_needs_more_than_rows_is_refused():
    class Grouped(Classes):
        def predict_proba(self, X, groups):
            return groups

    class Optional(Classes):
        def predict_proba(self, X, groups=None, *, more=1, **options):
            return X

    with pytest.raises(
        BadInput, match="predict_proba of Grouped needs groups beside the rows, which a teacher is not given; pass a function"
    ):
        refuse_metadata(Grouped(["a", "b"]), "predict_proba")
    refuse_metadata(Optional(["a", "b"]), "predict_proba")
    refuse_metadata(object(), "predict")
