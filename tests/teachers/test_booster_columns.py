import catboost
import lightgbm
import numpy as np
import pandas as pd
import polars as pl
import pytest
import xgboost

from tutelage.core.errors import BadInput
from tutelage.data.schema import Column
from tutelage.teachers.booster_columns import booster_engine, booster_schema, catboost_schema, lightgbm_schema, xgboost_schema

RNG = np.random.default_rng(0)
N = 80
FRAME = pd.DataFrame(
    {
        "body mass": RNG.normal(size=N),
        "on": RNG.random(N) > 0.5,
        "colour": pd.Categorical(RNG.choice(["red", "blue"], N), categories=["red", "blue"]),
        "code": pd.Categorical(RNG.choice([3, 1, 7], N)),
        "same": 1.0,
    }
)
TRUTH = RNG.normal(size=N) + 2 * (FRAME["code"] == 7) + FRAME["on"] + (FRAME["colour"] == "red")
PLAIN = FRAME[["body mass", "on"]].to_numpy(float)


def lgb(data, **options):
    return lightgbm.train({"verbose": -1, "num_threads": 1, "min_data_per_group": 1}, lightgbm.Dataset(data, TRUTH, **options), 3)


def xgb(data, **options):
    return xgboost.train({"nthread": 1}, xgboost.DMatrix(data, TRUTH, enable_categorical=True, **options), 3)


def cat(data, **options):
    return catboost.CatBoost({"iterations": 3, "verbose": 0, "allow_writing_files": False, "thread_count": 1, **options}).fit(data, TRUTH)


def in_file(booster):
    return lightgbm.Booster(model_str=booster.model_to_string())


@pytest.mark.parametrize("loaded", [False, True])
def test_lightgbm_stores_names_and_categories(loaded):
    booster = lgb(FRAME)
    schema = lightgbm_schema(in_file(booster) if loaded else booster)
    assert schema.underscores
    assert schema.columns == (
        Column("body_mass", "number"),
        Column("on", "number"),
        Column("colour", "category", ("red", "blue")),
        Column("code", "category", (1, 3, 7)),
        Column("same", "unread"),
    )


def test_a_constant_column_that_earlier_trees_read_is_read():
    first = lgb(FRAME[["body mass", "on"]])
    constant = FRAME.assign(**{"body mass": 0.5})[["body mass", "on"]]
    booster = lightgbm.train({"verbose": -1, "num_threads": 1}, lightgbm.Dataset(constant, TRUTH), 1, init_model=first)
    assert [column.type for column in lightgbm_schema(booster).columns] == ["number", "number"]


def test_lightgbm_columns_of_a_matrix_have_no_names():
    assert lightgbm_schema(lgb(PLAIN)).columns == (Column(None, "number"), Column(None, "number"))
    assert (
        lightgbm_schema(lgb(FRAME[["on", "body mass"]].assign(on=FRAME["on"] * 7), categorical_feature=["on"])).columns[0].type == "number"
    )


def test_lightgbm_categories_whose_columns_are_not_stored():
    ordered = FRAME[["colour", "on"]].assign(on=FRAME["on"].astype(int), colour=FRAME["colour"].cat.as_ordered())
    booster = lgb(ordered)  # both columns are stored as numbers from 0 to 1
    assert lightgbm_schema(booster) is None
    assert lightgbm_schema(booster, [0]).columns[0].levels == ("red", "blue")
    assert lightgbm_schema(booster, [0, 1]) is None


def test_categories_that_lightgbm_cannot_store_are_refused():
    dated = FRAME.assign(code=pd.Categorical(pd.to_datetime(FRAME["code"].astype(int), unit="D")))
    data = lightgbm.Dataset(dated, TRUTH)
    booster = lightgbm.train({"verbose": -1, "num_threads": 1}, data, 2, keep_training_booster=True)
    with pytest.raises(BadInput, match="LightGBM cannot store the categories of this booster"):
        lightgbm_schema(booster)


def test_xgboost_stores_names_types_and_categories(tmp_path):
    booster = xgb(FRAME)
    booster.save_model(tmp_path / "model.ubj")
    loaded = xgboost.Booster(model_file=tmp_path / "model.ubj")
    for schema in (xgboost_schema(booster), xgboost_schema(loaded)):
        assert not schema.underscores
        assert schema.columns == (
            Column("body mass", "number", None, "refuse"),
            Column("on", "boolean", None, "refuse"),
            Column("colour", "category", ("red", "blue"), "refuse"),
            Column("code", "category", (1, 3, 7), "refuse"),
            Column("same", "number", None, "refuse"),
        )


def test_xgboost_columns_of_a_matrix_have_no_names():
    assert [(column.name, column.type) for column in xgboost_schema(xgb(PLAIN)).columns] == [(None, "number")] * 2
    codes = xgb(PLAIN, feature_types=["q", "c"])  # codes without categories
    assert [(column.name, column.type, column.levels) for column in xgboost_schema(codes).columns] == [(None, "number", None)] * 2


def test_xgboost_learns_the_categories_of_polars():
    schema = xgboost_schema(xgb(pl.DataFrame({"e": pl.Series(["x", "y"] * 40).cast(pl.Enum(["y", "x"]))})))
    assert schema.columns[0].levels == ("y", "x")


def test_catboost_stores_names_and_types():
    data = FRAME.assign(text=["hello world", "hello you"] * 40, colour=FRAME["colour"].astype(str))
    schema = catboost_schema(cat(data, cat_features=["colour", "code"], text_features=["text"]))
    assert [(column.name, column.type, column.levels) for column in schema.columns] == [
        ("body mass", "number", None),
        ("on", "number", None),
        ("colour", "category", None),
        ("code", "category", None),
        ("same", "number", None),
        ("text", "text", None),
    ]
    assert catboost_schema(cat(PLAIN)).names is None


@pytest.mark.parametrize(
    ("estimator", "engine"),
    [
        (lightgbm.LGBMRegressor(n_estimators=2, verbose=-1, n_jobs=1), "lightgbm"),
        (xgboost.XGBRFRegressor(n_estimators=2, n_jobs=1), "xgboost"),
        (catboost.CatBoostRegressor(iterations=2, verbose=0, allow_writing_files=False, thread_count=1), "catboost"),
    ],
)
def test_estimators_of_the_packages(estimator, engine):
    estimator.fit(FRAME[["body mass", "on"]], TRUTH)
    assert booster_engine(estimator) == engine
    assert booster_schema(estimator).names == (("body_mass" if engine == "lightgbm" else "body mass"), "on")


def test_other_estimators_have_no_engine():
    assert booster_engine(object()) is None
    assert booster_schema(object()) is None
