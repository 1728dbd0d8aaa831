from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.transfer import Jitter, Mixup, Munge, Transfer, UniformNoise, UnlabelledPool, rows_to_make, stacked

RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=(200, 3)) * [1, 10, 100]
FRAME = pd.DataFrame(
    {
        "height": RNG.normal(170, 10, 40).astype(np.float32),
        "kind": pd.Categorical(RNG.choice(["oak", "fir", None], 40), categories=["fir", "oak", "elm"]),
        "town": RNG.choice(["Bath", "Ely"], 40),
        "count": RNG.integers(0, 9, 40).astype(np.uint8),
        "score": pd.array(RNG.choice([1, 2, 3], 40), dtype="Int64"),
        "wet": RNG.random(40) > 0.5,
        "code": RNG.choice([10, 20, 30], 40),
        "seen": pd.date_range("2020-01-01", periods=40),
    }
)
FRAME.loc[[1, 5], "height"] = np.nan
FRAME.loc[[2, 7], "score"] = pd.NA
MIXED = [Jitter(categorical=("code",)), Munge(categorical=("code",)), UniformNoise(categorical=("code",))]
ANY = [*MIXED, UnlabelledPool(FRAME)]

tables = arrays(
    np.float64,
    st.tuples(st.integers(1, 8), st.integers(1, 4)),
    elements=st.one_of(st.just(np.nan), st.floats(-1e6, 1e6, allow_subnormal=False)),
)
makers = st.sampled_from([Jitter(), Mixup(), Munge(), UniformNoise()])


@settings(max_examples=2 * settings.default.max_examples, deadline=None)
@given(tables, makers, st.integers(0, 20), st.integers(0, 5))
def test_rows_of_a_numeric_table_have_its_shape_and_dtype_and_are_reproducible(X, maker, rows, seed):
    result = maker.make(X, rows, seed=seed)
    assert result.shape == (rows, X.shape[1])
    assert result.dtype == X.dtype
    np.testing.assert_array_equal(result, maker.make(X, rows, seed=seed))
    whole = ~np.isnan(X).any(axis=0)
    assert not np.isnan(result[:, whole]).any()
    assert np.isnan(result[:, np.isnan(X).all(axis=0)]).all()


@settings(max_examples=2 * settings.default.max_examples, deadline=None)
@given(tables, st.sampled_from([Mixup(), Mixup(0.1), UniformNoise()]), st.integers(1, 20))
def test_mixtures_and_uniform_noise_stay_within_the_range_of_the_data(X, maker, rows):
    result = maker.make(X, rows, seed=0)
    for column, values in zip(result.T, X.T, strict=True):
        generated, original = column[~np.isnan(column)], values[~np.isnan(values)]
        assert not len(generated) or (original.min() <= generated.min() and generated.max() <= original.max())


@given(
    arrays(np.int16, st.tuples(st.integers(1, 8), st.just(3)), elements=st.integers(-300, 300)),
    st.sampled_from([Jitter(5.0), Mixup(), Munge(local_variance=0.1), UniformNoise()]),
)
def test_integers_stay_integers_and_in_range(X, maker):
    result = maker.make(X, 15, seed=0)
    assert result.dtype == np.int16
    assert (result >= X.min(axis=0)).all()
    assert (result <= X.max(axis=0)).all()


@pytest.mark.parametrize("maker", ANY, ids=lambda maker: type(maker).__name__)
@pytest.mark.parametrize("rows", [0, 1, 40])
def test_generated_frames_have_the_same_columns_dtypes_and_categories(maker, rows):
    before = FRAME.copy()
    result = maker.make(FRAME, rows, seed=0)
    assert len(result) == rows
    pd.testing.assert_series_equal(result.dtypes, FRAME.dtypes)
    for name in ("kind", "town", "wet", "code", "seen"):
        assert set(result[name].dropna()) <= set(FRAME[name].dropna())
    assert result["town"].notna().all()
    assert result["count"].between(0, FRAME["count"].max()).all()
    pd.testing.assert_frame_equal(FRAME, before)
    both = stacked(FRAME, result)
    pd.testing.assert_series_equal(both.dtypes, FRAME.dtypes)
    assert both.index.tolist() == list(range(40 + rows))
    assert isinstance(maker, Transfer)


@pytest.mark.parametrize("maker", MIXED, ids=lambda maker: type(maker).__name__)
def test_object_arrays_keep_the_type_of_each_column(maker):
    X = np.array([[1.5, "a", 3, 10], [2.5, "b", 4, 20], [None, None, 7, 30], [4.5, "a", 9, 10]], dtype=object)
    result = type(maker)(categorical=(3,)).make(X, 30, seed=0)
    assert result.dtype == object
    assert set(result[:, 1]) <= {"a", "b", None}
    assert all(isinstance(value, float) for value in result[:, 0])
    assert all(isinstance(value, int) and 3 <= value <= 9 for value in result[:, 2])
    assert set(result[:, 3]) <= {10, 20, 30}


def test_all_training_rows_are_used_equally_often():
    unchanged = Jitter(noise=0.0, resample=0.0).make(NUMBERS, 500, seed=3)
    counts = np.unique(unchanged, axis=0, return_counts=True)[1]
    assert sorted(set(counts)) == [2, 3]
    np.testing.assert_array_equal(np.unique(Munge(0.0).make(NUMBERS, 200, seed=0), axis=0), np.unique(NUMBERS, axis=0))


def test_jitter_adds_noise_in_units_of_the_deviation_and_resamples_some_categories():
    result = Jitter(noise=0.5).make(np.column_stack([NUMBERS, np.ones(200)]), 20_000, seed=0)
    assert result[:, :3].var(axis=0) / NUMBERS.var(axis=0) == pytest.approx([1.25] * 3, rel=0.03)
    assert (result[:, 3] == 1).all()
    towns = np.array([["a"]] * 500 + [["b"]] * 500)
    result = Jitter(resample=0.2).make(np.hstack([towns, towns]), 10_000, seed=0)
    assert (result[:, 0] != result[:, 1]).mean() == pytest.approx(0.36 / 2, abs=0.02)  # one or both resampled, to a different letter


def test_mixup_lies_between_two_rows_as_its_concentration_determines():
    line = np.array([[0.0, 0.0], [1.0, 2.0]])
    for concentration, deviation in ((1.0, np.sqrt(1 / 12)), (50.0, np.sqrt(1 / 404))):
        result = Mixup(concentration).make(line, 4000, seed=0)
        np.testing.assert_allclose(result[:, 1], 2 * result[:, 0])
        inside = result[(result[:, 0] > 0) & (result[:, 0] < 1), 0]
        assert inside.std() == pytest.approx(deviation, rel=0.1)
    with pytest.raises(BadInput, match=r"columns \[1\] hold categories; use Munge"):
        Mixup().make(np.array([[1, "a"]], dtype=object), 1)


def test_munge_exchanges_attributes_with_the_nearest_neighbour():
    pairs = np.array([[0.0, 0.0], [1.0, 0.5], [1000.0, 500.0], [1001.0, 500.5]])
    result = Munge(swap_probability=1.0, local_variance=1e9).make(pairs, 4, seed=0)
    np.testing.assert_allclose(np.sort(result, axis=0), pairs, atol=1e-6)  # each row became its neighbour
    wide = Munge(swap_probability=1.0, local_variance=2.0).make(pairs, 40_000, seed=0)
    near_origin = wide[wide[:, 0] < 500]
    assert near_origin.mean(axis=0) == pytest.approx([0.5, 0.25], abs=0.02)
    assert near_origin.std(axis=0) == pytest.approx([np.sqrt(0.25 + 0.25), np.sqrt(0.0625 + 0.0625)], rel=0.03)
    half = Munge(swap_probability=0.3, local_variance=1e9).make(pairs[:2], 20_000, seed=0)
    assert (np.round(half[:, 0]) * 0.5 != np.round(half[:, 1], 1)).mean() == pytest.approx(2 * 0.3 * 0.7, abs=0.02)


def test_munge_finds_neighbours_by_categories_and_scaled_numbers():
    everything = Munge(swap_probability=1.0, local_variance=1e9, categorical=(1,))  # each row becomes its neighbour
    by_kind = np.array([[0.0, 1], [0.1, 2], [0.2, 1], [0.3, 2], [10.0, 1]])
    result = everything.make(by_kind, 5, seed=0).round(3).tolist()
    assert sorted(result) == [[0.0, 1], [0.1, 2], [0.2, 1], [0.2, 1], [0.3, 2]]
    scales = np.array([[0.0, 0], [1.0, 0], [0.0, 100], [0.0, 1000]])
    result = replace(everything, categorical=()).make(scales, 4, seed=0).round(3).tolist()
    assert sorted(result) == [[0, 0], [0, 0], [0, 100], [0, 100]]


def test_munge_of_duplicates_or_one_row_changes_nothing():
    for X in (np.tile(NUMBERS[:1], (3, 1)), NUMBERS[:1]):
        np.testing.assert_array_equal(Munge().make(X, 5, seed=0), np.tile(NUMBERS[:1], (5, 1)))


def test_uniform_noise_covers_ranges_categories_and_missing_cells():
    X = np.array([[0.0, 1.0, np.nan], [10.0, np.nan, np.nan], [1.0, 5.0, np.nan], [1.0, 5.0, np.nan]])
    result = UniformNoise(categorical=(1,)).make(X, 20_000, seed=0)
    assert np.quantile(result[:, 0], [0.25, 0.5, 0.75]) == pytest.approx([2.5, 5, 7.5], abs=0.15)
    assert np.isnan(result[:, 1]).mean() == pytest.approx(0.25, abs=0.02)
    assert (result[:, 1] == 1).sum() == pytest.approx((result[:, 1] == 5).sum(), rel=0.1)
    assert np.isnan(result[:, 2]).all()


def test_a_pool_returns_each_of_its_rows_once():
    pool = UnlabelledPool(NUMBERS)
    result = pool.make(NUMBERS[:3], 200, seed=0)
    np.testing.assert_array_equal(np.sort(result, axis=0), np.sort(NUMBERS, axis=0))
    assert len(np.unique(pool.make(NUMBERS, 50, seed=1), axis=0)) == 50
    assert pool.make(NUMBERS, 0).shape == (0, 3)
    assert len(UnlabelledPool(["one text", "another"]).make(["x"], 1, seed=0)) == 1
    with pytest.raises(BadInput, match="201 transfer rows were requested from a pool of 200"):
        pool.make(NUMBERS, 201)


def test_the_number_of_rows_to_make():
    assert rows_to_make(Munge(), 30) == 150
    assert rows_to_make(Munge(), 10**6) == 100_000
    assert rows_to_make(UnlabelledPool(NUMBERS), 30) == 200
    assert rows_to_make(UnlabelledPool(NUMBERS), 30, 7) == 7
    assert rows_to_make(Munge(), 30, 2.5) == rows_to_make(Munge(), 30, Fraction(5, 2)) == rows_to_make(Munge(), 30, np.float32(2.5)) == 75
    assert rows_to_make(Munge(), 30, np.int64(7)) == 7
    for wrong in (-1, float("nan"), float("inf")):
        with pytest.raises(BadInput, match="transfer_rows is"):
            rows_to_make(Munge(), 30, wrong)


def test_rows_of_one_kind_are_stacked_and_others_rejected():
    sparse = csr_matrix(np.eye(3))
    assert stacked(sparse, sparse).shape == (6, 3)
    assert stacked(["a"], ["b"]) == ["a", "b"]
    assert stacked(NUMBERS, NUMBERS[:2]).shape == (202, 3)
    with pytest.raises(ShapeError, match="expected those of X"):
        stacked(FRAME, FRAME[["town", "kind"]])
    with pytest.raises(ShapeError, match="expected the same kind"):
        stacked(FRAME, NUMBERS)
    with pytest.raises(ShapeError, match="expected the same columns"):
        stacked(NUMBERS, NUMBERS[:, :2])


@pytest.mark.parametrize(
    ("maker", "X", "message"),
    [
        (Jitter(), csr_matrix(np.eye(3)), "sparse matrix"),
        (Munge(), np.array([[1.0], [np.inf]]), "column 0 holds an infinite number"),
        (UniformNoise(), np.zeros(3), r"expected \(rows, columns\)"),
        (UniformNoise(), np.zeros((0, 3)), "at least one"),
        (Jitter(categorical=("colour",)), FRAME, "categorical lists unknown columns"),
        (Munge(categorical=(7,)), NUMBERS, "categorical lists unknown columns"),
        (Jitter(), np.array([[{}]], dtype=object), "neither a number nor a category"),
    ],
)
def test_unsupported_training_rows_are_rejected(maker, X, message):
    with pytest.raises(BadInput, match=message):
        maker.make(X, 2, seed=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Jitter(noise=-1), "noise is -1; expected a number from 0"),
        (lambda: Jitter(resample=2), "resample is 2; expected a number from 0 to 1"),
        (lambda: Munge(swap_probability=float("nan")), "swap_probability is nan"),
        (lambda: Munge(local_variance=0), "local_variance is 0; expected a finite number of 1e-06 or more"),
        (lambda: Mixup(concentration=float("inf")), "concentration is inf"),
        (lambda: Jitter().make(NUMBERS, -1), "rows is -1; expected a whole number"),
    ],
)
def test_the_error_names_a_setting_out_of_range(make, message):
    with pytest.raises(BadInput, match=message):
        make()


def test_munge_names_both_rows_that_each_row_was_made_from():
    X = np.array([[0.0, 0.0], [1.0, 1.0], [100.0, 100.0], [101.0, 101.0]])
    rows, sources = Munge(local_variance=1e6).make_with_sources(X, 40, seed=0)
    assert np.array_equal(rows, Munge(local_variance=1e6).make(X, 40, seed=0))
    assert {tuple(pair) for pair in sources.tolist()} == {(0, 1), (1, 0), (2, 3), (3, 2)}
    of_pair = np.abs(rows[:, :, None] - X[sources].transpose(0, 2, 1))
    assert (of_pair.min(axis=2) < 1e-3).all()
    assert Munge().make_with_sources(X, 0, seed=0)[1].shape == (0, 2)
