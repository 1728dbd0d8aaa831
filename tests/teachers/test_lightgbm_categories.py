import lightgbm
import numpy as np
import pandas as pd
import pytest

from tutelage.teachers.booster_columns import lightgbm_schema
from tutelage.teachers.lightgbm_categories import columns_of_lists


@pytest.mark.parametrize(
    ("infos", "unread", "sizes", "declared", "expected"),
    [
        (["[0:9]", "[0.5:1.5]"], [0, 0], [], [], []),
        (["-1:0:1", "[0:1]", "-1:2:0:1"], [0, 0, 0], [2, 3], [0, 2], [0, 2]),
        (["[0:2]", "-1:0:1:2"], [0, 0], [3], [1], [1]),
        (["[0:2]", "-1:0:1"], [0, 0], [3, 2], [1], [0, 1]),  # an ordered category, stored as a range
        (["-1:0:3", "-1:0:1"], [0, 0], [2], [0, 1], [1]),  # integers that were declared as categories have no list
        (["-1:0:1", "-1:0:1"], [0, 0], [2], [0, 1], None),
        (["-1:0:1", "none"], [0, 1], [2], [0, 1], None),  # the list may be that of the column that is never read
        (["none", "-1:0:1", "none"], [1, 0, 1], [1, 2, 4], [0, 1, 2], [0, 1, 2]),
        (["none", "none", "-1:0:1"], [1, 1, 0], [1, 2], [1, 2], [1, 2]),
        (["none", "none", "-1:0:1"], [1, 1, 0], [1, 2], [2], [0, 2]),  # either of two columns that are never read
        (["none", "[0:1]"], [1, 0], [2], [0], [0]),
        (["[0:2]", "[0:2]"], [0, 0], [3], [], None),
        (["none", "[0:2]"], [1, 0], [3], [], None),
        (["[0:1]", "-1:0:1"], [0, 0], [2], None, None),  # not stored
        (["[0:9]", "-1:0:1"], [0, 0], [2], None, [1]),
        (["[0:9]"], [0], [3], [0], None),
        (["[0:2]"], [0], [3, 3], [0], None),
        (["-1:0:1.5"], [0], [3], [0], None),
    ],
)
def test_lists_of_categories_find_their_columns(infos, unread, sizes, declared, expected):
    assert columns_of_lists(infos, [bool(idle) for idle in unread], sizes, declared) == expected


RNG = np.random.default_rng(0)


def levels(count, name, *, ordered=False, seen=None):
    names = [f"{name}{place}" for place in range(count)]
    return pd.Categorical(RNG.choice(names[:seen], 90), categories=names, ordered=ordered)


COLUMNS = {
    "age": RNG.integers(18, 80, 90),
    "small": RNG.integers(0, 3, 90),
    "flag": RNG.random(90) > 0.5,
    "same": np.ones(90),
    "colour": levels(3, "c"),
    "code": levels(2, "d"),
    "grade": levels(4, "g", ordered=True),
    "one": levels(3, "o", seen=1),
    "empty": pd.Categorical([None] * 90, categories=["e0"]),
}
CATEGORIES = ("colour", "code", "grade", "one", "empty")


@pytest.mark.parametrize("seed", range(40))
def test_the_categories_of_real_models(seed):
    """Whatever the file settles is right, and what it does not settle is right once the categories are named."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({name: COLUMNS[name] for name in random.permutation(list(COLUMNS))[: random.integers(2, 9)]})
    declared = ["small", *(name for name in CATEGORIES if name in frame)] if seed % 4 == 0 and "small" in frame else "auto"
    truth = frame.apply(lambda column: pd.factorize(column)[0]).sum(axis=1)
    settings = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 2, "min_data_per_group": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(frame, truth, categorical_feature=declared), 2)
    schema = lightgbm_schema(booster) or lightgbm_schema(booster, [place for place, name in enumerate(frame) if name in CATEGORIES])
    for column in schema.columns:
        if column.type != "unread":
            assert column.levels == (tuple(frame[column.name].cat.categories) if column.name in CATEGORIES else None)
    np.testing.assert_array_equal(booster.predict(schema.encode(frame)), booster.predict(frame))


def test_unordered_categories_are_always_settled():
    frame = pd.DataFrame({name: column for name, column in COLUMNS.items() if name != "grade"})
    booster = lightgbm.train({"verbose": -1, "num_threads": 1}, lightgbm.Dataset(frame, RNG.normal(size=90)), 2)
    assert lightgbm_schema(booster) is not None
