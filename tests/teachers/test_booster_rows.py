import lightgbm
import numpy as np
import pandas as pd
import polars as pl
import pytest
import xgboost
from scipy import sparse

from tutelage.core.errors import BadInput
from tutelage.data.schema import Column, Schema
from tutelage.teachers.booster_columns import xgboost_schema
from tutelage.teachers.booster_rows import frame_rows, numeric_rows, refuse_unknown_codes, settled_lightgbm_schema

NUMBERS = Schema((Column("a", "number"), Column("b", "number")))
COLOURS = Schema((Column("a", "number"), Column("c", "category", ("red", "blue"))))
DENSE = np.array([[0.0, 1.0], [2.0, 0.0]])
FRAME = pd.DataFrame({"c": ["blue", "red"], "a": [0.5, 1.5]})
SPARSE = [sparse.csr_matrix, sparse.csr_array, sparse.csc_matrix, sparse.coo_array]


@pytest.mark.parametrize("kind", SPARSE)
@pytest.mark.parametrize("rows_of", [numeric_rows, frame_rows])
def test_sparse_rows_hold_the_same_numbers(kind, rows_of):
    for engine in ("lightgbm", "catboost"):
        rows = rows_of(engine, NUMBERS, kind(DENSE))
        assert isinstance(rows, sparse.csr_matrix)
        np.testing.assert_array_equal(rows.toarray(), DENSE)
    with pytest.raises(BadInput, match=r"XGBoost reads the cells that a sparse matrix does not store as missing.*Pass X\.toarray\(\)"):
        rows_of("xgboost", NUMBERS, kind(DENSE))


def test_sparse_rows_with_categories_are_matched_by_value():
    codes = Schema((Column("a", "number"), Column("c", "category", (0, 2))))
    np.testing.assert_array_equal(numeric_rows("lightgbm", codes, sparse.csr_matrix([[5.0, 2.0], [0.0, 0.0]])), [[5, 1], [0, 0]])


def test_rows_become_numbers_and_codes():
    np.testing.assert_array_equal(numeric_rows("lightgbm", COLOURS, FRAME), [[0.5, 1], [1.5, 0]])
    np.testing.assert_array_equal(frame_rows("xgboost", COLOURS, FRAME), [[0.5, 1], [1.5, 0]])


def test_rows_become_a_frame_if_the_model_learnt_one():
    assert frame_rows("lightgbm", COLOURS, FRAME)["c"].cat.categories.to_list() == ["red", "blue"]
    nameless = Schema((Column(None, "number"), Column(None, "number")))
    np.testing.assert_array_equal(frame_rows("lightgbm", nameless, pd.DataFrame(DENSE, columns=["x", "y"])), DENSE)


ORDERED = pd.DataFrame({"n": [0, 1, 2] * 20, "o": pd.Categorical(["lo", "mid", "hi"] * 10 + ["hi", "lo", "mid"] * 10, ordered=True)})


@pytest.mark.parametrize("kind", [lambda rows: rows, pl.from_pandas, lambda rows: rows[["o", "n"]]], ids=["pandas", "polars", "reordered"])
def test_the_dtypes_of_the_rows_settle_which_columns_are_categories(kind):
    truth = ORDERED["n"] * 3.0 + ORDERED["o"].cat.codes
    booster = lightgbm.train({"verbose": -1, "num_threads": 1}, lightgbm.Dataset(ORDERED, truth), 3)
    schema = settled_lightgbm_schema(booster, kind(ORDERED))
    assert [column.levels for column in schema.columns] == [None, ("hi", "lo", "mid")]
    for rows in (ORDERED.astype({"o": str}), ORDERED.astype("category"), np.zeros((2, 2))):
        with pytest.raises(BadInput, match="learnt 1 columns of categories and does not store which of 'n', 'o' they are"):
            settled_lightgbm_schema(booster, rows)


def test_codes_whose_categories_are_not_stored_are_taken_as_numbers_only():
    codes = pd.DataFrame({"c": [0, 1, 2] * 20, "x": np.arange(60.0)})
    matrix = xgboost.DMatrix(codes, np.arange(60), feature_types=["c", "q"], enable_categorical=True)
    booster = xgboost.train({"nthread": 1}, matrix, 2)
    schema = xgboost_schema(booster)
    refuse_unknown_codes(booster, schema, codes)
    refuse_unknown_codes(booster, schema, codes.to_numpy())
    for rows in (
        codes.astype({"c": "category"}),
        pl.from_pandas(codes.astype({"c": "category"}).astype({"c": str}).astype({"c": "category"})),
    ):
        with pytest.raises(BadInput, match="this XGBoost model learnt codes in the columns 'c' and does not store the categories"):
            refuse_unknown_codes(booster, schema, rows)
