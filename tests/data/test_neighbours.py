import numpy as np
import pytest
from sklearn.metrics import pairwise_distances

from tutelage.data import neighbours
from tutelage.data.coded_rows import encode_rows
from tutelage.data.neighbours import nearest_others

RNG = np.random.default_rng(0)


def test_numeric_columns_are_measured_in_standard_deviations():
    X = RNG.normal(size=(80, 3)) * [1, 100, 0.01]
    distances = pairwise_distances(X / X.std(axis=0))
    np.fill_diagonal(distances, np.inf)
    queries = np.array([5, 0, 79])
    np.testing.assert_array_equal(nearest_others(encode_rows(X), queries, RNG), distances.argmin(axis=1)[queries])


@pytest.mark.parametrize("levels", [3, 200])
def test_different_categories_are_one_deviation_apart_for_any_number_of_levels(levels):
    numbers, kinds = RNG.normal(size=150), RNG.integers(levels, size=(150, 2))
    table = encode_rows(np.column_stack([numbers, kinds]), categorical=(1, 2))
    squared = (np.subtract.outer(numbers, numbers) / numbers.std()) ** 2 + (kinds[:, None] != kinds[None]).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    np.testing.assert_array_equal(nearest_others(table, np.arange(150), RNG), squared.argmin(axis=1))


def test_a_missing_number_counts_as_the_mean_and_a_missing_value_as_a_category():
    X = np.array([[np.nan, "a"], [5.0, "a"], [10.0, None], [0.0, None]], dtype=object)
    assert nearest_others(encode_rows(X), np.arange(4), RNG)[0] == 1
    close = np.array([[1.0, "a"], [1.0, None], [1.05, None], [2.0, "b"]], dtype=object)
    assert nearest_others(encode_rows(close), np.array([1]), RNG).tolist() == [2]


def test_a_row_is_its_own_neighbour_only_if_it_is_the_only_row():
    duplicates = np.zeros((5, 2))
    assert (nearest_others(encode_rows(duplicates), np.arange(5), RNG) != np.arange(5)).all()
    assert nearest_others(encode_rows(duplicates[:1]), np.array([0, 0]), RNG).tolist() == [0, 0]


def test_the_number_of_candidates_is_limited(monkeypatch):
    monkeypatch.setattr(neighbours, "CANDIDATES", 10)
    table = encode_rows(RNG.normal(size=(300, 2)))
    found = nearest_others(table, np.arange(300), np.random.default_rng(1))
    drawn = np.random.default_rng(1).choice(300, 10, replace=False)
    assert set(found) <= set(drawn)
    assert (found != np.arange(300)).all()
