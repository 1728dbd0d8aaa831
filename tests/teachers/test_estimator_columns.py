import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from tutelage.data.schema import Column
from tutelage.teachers.estimator_columns import estimator_schema, takes_texts

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


def test_encoders_that_disagree_tell_nothing():
    union = FeatureUnion([("a", ONE_HOT), ("b", OneHotEncoder(categories=[[1, 3, 7, 9], ["red", "blue"], [0.0]], handle_unknown="ignore"))])
    schema = estimator_schema(union.fit(FRAME))
    assert [column.type for column in schema.columns] == ["any", "any", "any"]


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
