import numpy as np
import pytest
from sklearn.metrics import pairwise_distances

from tutelage.data import neighbours
from tutelage.data.coded_rows import coded
from tutelage.data.neighbours import nearest_others

RNG = np.random.default_rng(0)


def test_among_numbers_it_is_the_nearest_in_standard_deviations():
    X = RNG.normal(size=(80, 3)) * [1, 100, 0.01]
    apart = pairwise_distances(X / X.std(axis=0))
    np.fill_diagonal(apart, np.inf)
    asked = np.array([5, 0, 79])
    np.testing.assert_array_equal(nearest_others(coded(X), asked, RNG), apart.argmin(axis=1)[asked])


@pytest.mark.parametrize("levels", [3, 200])
def test_a_mismatch_of_categories_counts_as_one_deviation_however_many_there_are(levels):
    numbers, kinds = RNG.normal(size=150), RNG.integers(levels, size=(150, 2))
    table = coded(np.column_stack([numbers, kinds]), categorical=(1, 2))
    squared = (np.subtract.outer(numbers, numbers) / numbers.std()) ** 2 + (kinds[:, None] != kinds[None]).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    np.testing.assert_array_equal(nearest_others(table, np.arange(150), RNG), squared.argmin(axis=1))


def test_a_missing_number_counts_as_the_mean_and_a_missing_category_as_one_of_its_own():
    X = np.array([[np.nan, "a"], [5.0, "a"], [10.0, None], [0.0, None]], dtype=object)
    assert nearest_others(coded(X), np.arange(4), RNG)[0] == 1
    same = np.array([[1.0, "a"], [1.0, None], [1.05, None], [2.0, "b"]], dtype=object)
    assert nearest_others(coded(same), np.array([1]), RNG).tolist() == [2]


def test_no_row_is_its_own_neighbour_unless_it_is_alone():
    twins = np.zeros((5, 2))
    assert (nearest_others(coded(twins), np.arange(5), RNG) != np.arange(5)).all()
    assert nearest_others(coded(twins[:1]), np.array([0, 0]), RNG).tolist() == [0, 0]


def test_of_many_rows_some_are_candidates(monkeypatch):
    monkeypatch.setattr(neighbours, "CANDIDATES", 10)
    table = coded(RNG.normal(size=(300, 2)))
    found = nearest_others(table, np.arange(300), np.random.default_rng(1))
    drawn = np.random.default_rng(1).choice(300, 10, replace=False)
    assert set(found) <= set(drawn)
    assert (found != np.arange(300)).all()
