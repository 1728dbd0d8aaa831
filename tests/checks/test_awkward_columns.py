import datetime

import numpy as np
import pandas as pd
import pytest

from tutelage.checks.awkward_columns import awkward_columns, copies_of_truth, identifiers, table_columns

RNG = np.random.default_rng(0)
COUNT = 400
NORMAL = RNG.normal(size=COUNT)
CLASSES = np.where(NORMAL + RNG.normal(size=COUNT) > 0, "yes", "no")
DAYS = pd.date_range("2020-01-01", periods=COUNT)

ORDINARY = {
    "numbers": NORMAL,
    "rounded": NORMAL.round(1),
    "gaps": np.where(RNG.random(COUNT) < 0.3, np.nan, NORMAL),
    "age": RNG.integers(18, 90, COUNT),
    "cents": RNG.integers(0, 10_000_000, COUNT),
    "colour": RNG.choice(["red", "blue"], COUNT),
    "city": pd.Categorical(RNG.choice(list("abcdefgh"), COUNT)),
    "flag": RNG.random(COUNT) > 0.5,
    "present once": [None] * (COUNT - 1) + ["x"],
    "mostly one": [0] * (COUNT - 1) + [1],
    "prose": [f"this is the comment of customer {index}" for index in range(COUNT)],
    "year": RNG.integers(1990, 2024, COUNT),
    "versions": RNG.choice(["1.2.3", "1.2.4"], COUNT),
    "nullable": pd.array(RNG.integers(0, 9, COUNT), dtype="Int64"),
}

AWKWARD = {
    "text id": ([f"c{index:05d}" for index in RNG.permutation(COUNT)], "identifier"),
    "name": ([f"Ann Lee{index}" for index in range(COUNT)], "identifier"),
    "index": (np.arange(COUNT), "identifier"),
    "sparse index": (np.arange(COUNT) ** 2 + 7, "identifier"),
    "shuffled": (RNG.permutation(3 * COUNT)[:COUNT], "identifier"),
    "as floats": (RNG.permutation(COUNT).astype(float), "identifier"),
    "nullable id": (pd.array([None, *range(COUNT - 1)], dtype="Int64"), "identifier"),
    "iso": (DAYS.strftime("%Y-%m-%d"), "dates"),
    "with time": (DAYS.strftime("%Y-%m-%d %H:%M:%S"), "dates"),
    "slashes": (DAYS.strftime("%d/%m/%Y"), "dates"),
    "digits": (DAYS.strftime("%Y%m%d").astype(int), "dates"),
    "timestamps": (DAYS, "dates"),
    "zoned": (DAYS.tz_localize("UTC"), "dates"),
    "objects": ([datetime.date(2020, 1, 1 + index % 28) for index in range(COUNT)], "dates"),
    "some missing": ([None, *DAYS.strftime("%Y-%m-%d")[1:]], "dates"),
    "zero": (np.zeros(COUNT), "constant"),
    "same text": (["x"] * COUNT, "constant"),
    "missing": ([None] * COUNT, "empty"),
    "nan": (np.full(COUNT, np.nan), "empty"),
}

GIVEN_AWAY = {
    "the truth": (CLASSES, True),
    "coded": ((CLASSES == "yes").astype(int), True),
    "negated": (CLASSES == "no", True),
    "other words": (np.where(CLASSES == "yes", "bought", "left"), True),
    "a score": (np.where(CLASSES == "yes", 0.8, 0.2) + 0.1 * RNG.random(COUNT), False),
    "a code": (np.where(CLASSES == "yes", RNG.choice([1, 5], COUNT), RNG.choice([2, 3], COUNT)), False),
}


@pytest.mark.parametrize("name", sorted(ORDINARY))
def test_ordinary_columns_are_not_named(name):
    assert awkward_columns(pd.DataFrame({name: ORDINARY[name]}), CLASSES) == []


@pytest.mark.parametrize("name", sorted(AWKWARD))
def test_awkward_columns_are_named_with_what_they_are(name):
    cells, what = AWKWARD[name]
    frame = pd.DataFrame({"other": NORMAL, name: cells})
    ((found, reason),) = awkward_columns(frame, CLASSES)
    assert (found, what in reason) == (name, True)
    assert what != "identifier" or identifiers(frame) == [name]


@pytest.mark.parametrize("name", sorted(GIVEN_AWAY))
def test_columns_that_give_the_truth_away_are_named(name):
    cells, copy = GIVEN_AWAY[name]
    frame = pd.DataFrame({"other": NORMAL, name: cells})
    ((found, reason),) = awkward_columns(frame, CLASSES)
    assert found == name
    assert ("repeats the truth" in reason) == copy
    assert ([each for each, _ in copies_of_truth(frame, CLASSES)] == [name]) == copy


@pytest.mark.parametrize("change", [lambda y: y, lambda y: 3 - 2 * y, np.exp])
def test_values_are_given_away_by_a_column_that_rises_with_them(change):
    frame = pd.DataFrame({"near": NORMAL + 0.01 * RNG.normal(size=COUNT), "target": change(NORMAL)})
    assert [name for name, _ in copies_of_truth(frame, NORMAL)] == ["target"]


def test_each_column_of_the_truth_is_compared():
    truth = np.column_stack([NORMAL > 1, CLASSES == "yes"])
    assert [name for name, _ in copies_of_truth(pd.DataFrame({"a": NORMAL, "b": CLASSES}), truth)] == ["b"]


def test_arrays_and_polars_frames_have_columns_and_other_rows_have_none():
    array = np.column_stack([np.arange(COUNT), NORMAL])
    assert awkward_columns(array) == [("0", f"is an identifier ({COUNT} different whole numbers)")]
    polars = pytest.importorskip("polars")
    assert awkward_columns(polars.DataFrame({"id": np.arange(COUNT), "x": NORMAL}))[0][0] == "id"
    assert awkward_columns(["a text"] * 30) == []
    assert awkward_columns(np.zeros((30, 2, 2))) == []


def test_few_rows_prove_nothing():
    assert awkward_columns(pd.DataFrame({"id": range(10), "y": [0, 1] * 5}), [0, 1] * 5) == []


@pytest.mark.parametrize("gap", [None, float("nan"), pd.NA, pd.NaT])
def test_every_kind_of_gap_is_absent_from_a_matrix_of_objects(gap):
    ((_, _, present),) = table_columns(np.array([["a"], [gap]], dtype=object))
    assert present.tolist() == [True, False]
