import numpy as np
import pandas as pd
import polars as pl
import pytest

from tutelage.data.awkward_columns import awkward_columns

N = 40
TRUTH = np.array(["no", "yes"] * 20)
COLUMNS = {
    "x": np.linspace(0.5, 9, N) ** 2,
    "count": np.arange(N) % 7,
    "scores": np.random.default_rng(0).permutation(1000)[:N],
    "colour": ["red", "blue"] * 15 + ["green"] * 10,
    "day": pd.date_range("2020-01-01", periods=N),
    "day as text": [f"2020-01-{1 + row % 20:02}" for row in range(N)],
    "id": [f"c{row}" for row in range(N)],
    "number": np.arange(N) + 5,
    "shuffled": np.random.default_rng(0).permutation(N),
    "rising": np.arange(N) ** 2,
    "version": 3,
    "nothing": [None] * N,
    "code": [17 if label == "no" else 4 for label in TRUTH],
    "almost": ["a" if label == "no" else "b" for label in TRUTH[:-1]] + ["a"],
    "seconds": pd.to_timedelta(np.arange(N) % 5, unit="s"),
}
REASONS = {
    "day": "holds dates",
    "day as text": "holds dates as texts",
    "id": "holds 40 different texts in 40 rows: an identifier",
    "number": "holds 40 different whole numbers in 40 rows: an identifier",
    "shuffled": "40 different whole numbers",
    "rising": "40 different whole numbers",
    "version": "holds a single value",
    "nothing": "holds no value",
    "code": "determines the ground truth",
}


@pytest.mark.parametrize("hold", [lambda frame: frame, pl.from_pandas], ids=["pandas", "polars"])
def test_each_awkward_column_is_named_with_its_reason(hold):
    found = dict(awkward_columns(hold(pd.DataFrame(COLUMNS)), TRUTH))
    assert found.keys() == REASONS.keys()
    assert all(reason in found[name] for name, reason in REASONS.items())


def test_without_the_truth_no_column_repeats_it():
    assert "code" not in dict(awkward_columns(pd.DataFrame(COLUMNS)))


def test_few_rows_and_rows_without_names_yield_nothing():
    assert awkward_columns(pd.DataFrame({"id": list("abcdef"), "n": range(6)})) == []
    assert awkward_columns(np.zeros((30, 2))) == []
    assert awkward_columns(pd.DataFrame({"a": []})) == []
