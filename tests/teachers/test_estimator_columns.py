import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.multioutput import ClassifierChain
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from tutelage.data.schema import Column
from tutelage.teachers.adapters.estimator import EstimatorTeacher
from tutelage.teachers.estimator_columns import columns_as_numbers, estimator_schema, takes_texts

RNG = np.random.default_rng(0)
N = 60
FRAME = pd.DataFrame({"code": RNG.choice([3, 1, 7], N), "colour": RNG.choice(["red", "blue"], N), "a b": RNG.normal(size=N)})
TWO = (FRAME["code"] == 3).to_numpy(int)
CATEGORIES = FRAME.astype({"code": "category", "colour": "category"})
LEVELS = {"code": (1, 3, 7), "colour": ("blue", "red")}
ONE_HOT = OneHotEncoder(handle_unknown="ignore")


def lgbm():
    return lightgbm.LGBMClassifier(n_estimators=2, verbose=-1, n_jobs=1)


ENCODED = {
    "encoder": lambda: make_pipeline(make_column_transformer((ONE_HOT, ["colour", "code"])), LogisticRegression()).fit(FRAME, TWO),
    "positions": lambda: make_column_transformer((ONE_HOT, [1, 0]), remainder="passthrough").fit(FRAME),
    "imputed": lambda: make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="most_frequent"), ONE_HOT), ["colour", "code"]), (StandardScaler(), ["a b"])
    ).fit(FRAME),
    "several": lambda: make_column_transformer((OrdinalEncoder(), ["code"]), (TargetEncoder(cv=2), ["colour"])).fit(FRAME, TWO),
    "search": lambda: GridSearchCV(
        make_pipeline(make_column_transformer((ONE_HOT, ["colour", "code"])), LogisticRegression()), {"logisticregression__C": [1.0]}, cv=2
    ).fit(FRAME, TWO),
    "histogram": lambda: HistGradientBoostingClassifier(max_iter=2, categorical_features="from_dtype").fit(CATEGORIES, TWO),
    "calibrated": lambda: CalibratedClassifierCV(lgbm(), cv=2).fit(CATEGORIES, TWO),
    "voting": lambda: VotingClassifier([("a", lgbm())], voting="soft").fit(CATEGORIES, TWO),
    "stacked": lambda: StackingClassifier([("a", lgbm())], cv=2).fit(CATEGORIES, TWO),
    "frozen": lambda: FrozenEstimator(make_column_transformer((ONE_HOT, ["colour", "code"])).fit(FRAME)),
    "target": lambda: TransformedTargetRegressor(xgboost.XGBRegressor(n_estimators=2, n_jobs=1, enable_categorical=True)).fit(
        CATEGORIES, TWO.astype(float)
    ),
    "union": lambda: FeatureUnion(
        [("a", make_column_transformer((ONE_HOT, ["colour"]))), ("b", make_column_transformer((ONE_HOT, ["code"])))]
    ).fit(FRAME),
}


@pytest.mark.parametrize("kind", ENCODED)
def test_categories_that_a_part_of_the_estimator_learnt(kind):
    model = ENCODED[kind]()
    schema = estimator_schema(model)
    assert {column.name: column.levels for column in schema.columns if column.levels} == LEVELS
    (other,) = (column for column in schema.columns if column.name not in LEVELS)
    assert other.name.replace("_", " ") == "a b"
    assert other.type == ("number" if kind in ("voting", "stacked", "target") else "any")  # boosters know that it is a number


def test_what_one_of_two_encoders_knows_is_known():
    union = FeatureUnion([("a", ONE_HOT), ("b", OneHotEncoder(categories=[[1, 3, 7, 9], ["red", "green"]], handle_unknown="ignore"))])
    schema = estimator_schema(union.fit(FRAME[["code", "colour"]]))
    assert [column.levels for column in schema.columns] == [(1, 3, 7, 9), ("blue", "red", "green")]


def test_encoders_that_disagree_tell_nothing():
    numbers, texts = (clone(ONE_HOT).fit(FRAME[["code"]].astype(kind)) for kind in (int, str))
    (column,) = estimator_schema(FeatureUnion([("a", numbers), ("b", texts)])).columns
    assert column == Column("code", "any")


CODES = pd.DataFrame({"code": [*(["1", "2"] * 28), *["7"] * 4], "size": RNG.normal(size=60)})
RARE = np.where((CODES["code"] == "7") | (np.arange(60) % 3 == 0), "q", "p")
BY_PLACE = make_pipeline(make_column_transformer((ONE_HOT, [0]), remainder="passthrough"), LogisticRegression())
SELECTED = make_column_transformer((ONE_HOT, ["size"]))
FOLDED = {
    "calibrated": CalibratedClassifierCV(BY_PLACE, cv=KFold(3)),
    "bagging": BaggingClassifier(BY_PLACE, 6, max_samples=16, random_state=2),
    "of a column each": BaggingClassifier(make_pipeline(ONE_HOT, LogisticRegression()), 6, max_features=1, random_state=0),
    "voting": VotingClassifier(
        [("a", BY_PLACE), ("b", make_pipeline(make_column_transformer((ONE_HOT, ["size"])), DummyClassifier()))], voting="soft"
    ),
}


@pytest.mark.parametrize("kind", FOLDED)
def test_what_one_fold_knows_is_known(kind):
    model = clone(FOLDED[kind]).fit(CODES, RARE)
    asked = CODES.astype({"code": int})  # as a CSV file holds them
    np.testing.assert_array_equal(EstimatorTeacher(model).answer(asked), model.predict_proba(CODES))
    levels = estimator_schema(model).columns[0].levels
    assert sorted(levels) == ["1", "2", "7"]


def test_one_tree_of_a_forest_is_read():
    forest = RandomForestClassifier(5, random_state=0).fit(FRAME[["code"]], TWO)
    assert estimator_schema(forest).columns == (Column("code", "any"),)
    assert columns_as_numbers(forest) == {"code"}


def test_a_chain_reads_labels_beside_the_columns():
    remainder = make_column_transformer((ONE_HOT, [0]), remainder=StandardScaler())
    chain = ClassifierChain(make_pipeline(remainder, LogisticRegression())).fit(FRAME[["code", "a b"]].to_numpy(), np.c_[TWO, 1 - TWO])
    assert [column.levels for column in estimator_schema(chain).columns] == [(1, 3, 7), None]


def test_encoders_behind_other_steps_do_not_know_the_columns():
    model = make_pipeline(StandardScaler(), ONE_HOT).fit(FRAME[["code"]])
    assert estimator_schema(model).columns == (Column("code", "any"),)


@pytest.mark.parametrize(("gap", "expected"), [(None, "none"), (np.nan, "nan")])
def test_gaps_are_no_levels(gap, expected):
    rows = pd.DataFrame({"c": pd.Series(["x", gap, "y"], dtype=object)})
    (column,) = estimator_schema(OneHotEncoder().fit(rows)).columns
    assert column == Column("c", "category", ("x", "y"), "keep", expected)


def test_an_estimator_of_a_matrix_has_no_schema():
    assert estimator_schema(Ridge().fit(FRAME[["a b"]].to_numpy(), TWO)) is None


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (make_pipeline(TfidfVectorizer(), LogisticRegression()), True),
        (FeatureUnion([("a", HashingVectorizer()), ("b", TfidfVectorizer())]), True),
        (make_pipeline(StandardScaler(), LogisticRegression()), False),
        (make_column_transformer((TfidfVectorizer(), "colour")).fit(FRAME), False),
    ],
)
def test_vectorizers_take_texts(model, expected):
    assert takes_texts(model) is expected
