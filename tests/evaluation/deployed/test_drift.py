import json
from dataclasses import replace

import numpy as np
import pytest

from tutelage.core.errors import DamagedFile, StaleCache
from tutelage.core.stored.checksums import with_checksum
from tutelage.data.structures.structured import StructuredRows
from tutelage.evaluation.deployed.drift import (
    BUCKETS,
    LARGE,
    Bins,
    Profile,
    RecentRows,
    columns_of_inputs,
    columns_of_rows,
    figures_of_answers,
)


def rows(count, seed, *, older=0.0, cities=(0.5, 0.3, 0.1, 0.1), words=1):
    random = np.random.default_rng(seed)
    columns = {
        "age": np.where(random.random(count) < 0.1, np.nan, random.normal(40 + older, 10, count)),
        "children": random.integers(0, 3, count).astype(float),
        "city": np.array(random.choice(["Bonn", "Rome", "Oslo", None], count, p=cities), dtype=object),
        "letter": np.array(
            [f"{place} {'word ' * words * int(size)}" for place, size in enumerate(random.integers(5, 50, count))], dtype=object
        ),
    }
    return columns, {"decision": random.integers(0, 2, count).astype(float), "confidence": random.uniform(0.5, 1, count)}


@pytest.fixture(scope="module")
def recorded():
    return Profile.of(*rows(4000, 0))


def shifts_of(recorded, *given):
    recent = RecentRows(recorded)
    recent.see(*given)
    columns, answers = recent.shifts()
    return columns | answers


def test_rows_like_those_recorded_show_no_shift(recorded):
    assert max(shifts_of(recorded, *rows(4000, 1)).values()) < 0.02


@pytest.mark.parametrize(
    ("column", "change"), [("age", {"older": 10.0}), ("city", {"cities": (0.1, 0.3, 0.5, 0.1)}), ("letter", {"words": 2})]
)
def test_a_planted_shift_of_one_column_shows_in_that_column_alone(recorded, column, change):
    found = shifts_of(recorded, *rows(4000, 1, **change))
    assert found.pop(column) > LARGE
    assert max(found.values()) < 0.02


@pytest.mark.parametrize(
    "numbers",
    [
        np.random.default_rng(0).lognormal(10, 1, 997),
        np.random.default_rng(0).normal(0, 1e-6, 301).astype(np.float32),
        np.random.default_rng(0).integers(-40, 40, 1000).astype(float),
        np.random.default_rng(0).integers(0, 10**15, 50).astype(float),
        np.arange(11.0) * -1e300,
        np.where(np.arange(1000) < 950, 100.0, np.arange(1000) / 10),
        np.where(np.arange(1000) < 950, 0.0, np.arange(1000)),
        np.array([1.0, np.nextafter(1.0, 2), 2.0, np.inf, np.nan]),
        np.array([3.0]),
        np.array([np.nan]),
    ],
    ids=["incomes", "small", "whole", "large", "huge", "mostly the largest", "mostly the least", "adjacent", "one", "none"],
)
def test_no_border_is_a_cell_and_no_bin_is_large(numbers):
    bins = Bins.of("x", numbers)
    edges = np.array(bins.edges)
    assert not np.isin(edges, numbers).any()
    assert (np.diff(edges) > 0).all()
    assert np.isfinite(edges).all()
    known = numbers[np.isfinite(numbers)]
    assert len(edges) <= 9
    if len(np.unique(known)) > 1:
        most = max(np.unique(known, return_counts=True)[1])
        assert max(bins.counts[:-1]) <= len(known) / 10 + most + 1
        assert np.count_nonzero(bins.counts[:-1]) >= 2


def test_borders_have_few_digits():
    ages = Bins.of("age", np.random.default_rng(0).normal(40, 10, 200).round(4))
    assert max(len(f"{edge!r}") for edge in ages.edges) <= 6
    assert Bins.of("children", np.array([0.0, 1.0, 2.0, 2.0])).edges == (0.5, 1.5)


def test_no_border_of_a_stored_profile_is_a_cell():
    columns, answers = rows(501, 3)
    plain = json.dumps(Profile.of(columns, answers).to_json())
    cells = {repr(float(cell)) for one in (columns["age"], *answers.values()) for cell in one if cell not in (0, 1)}
    edges = {repr(edge) for part in ("columns", "answers") for one in json.loads(plain)[part] for edge in one["edges"]}
    assert not cells & edges


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("age", np.full(500, np.nan)),
        ("age", np.full(500, np.inf)),
        ("city", np.full(500, None)),
        ("city", np.full(500, "Lima", dtype=object)),
    ],
)
def test_missing_infinite_and_unseen_cells_are_counted(recorded, name, cells):
    bins = next(one for one in recorded.columns if one.name == name)
    assert bins.count(cells).sum() == 500
    assert bins.shift(bins.count(cells)) > 1


def test_the_index_is_zero_for_equal_shares_and_the_same_both_ways():
    bins = Bins("x", "number", (0.0,), (1000, 3000, 0))
    assert bins.shift(np.array([1000, 3000, 0])) == 0
    other = Bins("x", "number", (0.0,), (3000, 1000, 0))
    assert bins.shift(np.array(other.counts)) == pytest.approx(other.shift(np.array(bins.counts)))
    assert bins.shift(np.array(other.counts)) == pytest.approx(2 * 0.5 * np.log(3), rel=1e-2)


def test_only_the_latest_rows_count(recorded):
    recent = RecentRows(recorded, rows=1000)
    for seed in range(10):
        recent.see(*rows(200, seed, older=30.0))
    before = recent.shifts()[0]["age"]
    for seed in range(20):
        recent.see(*rows(200, seed))
    assert before > 1
    assert recent.shifts()[0]["age"] < 0.1
    assert 900 <= recent.count <= 2000


def test_before_any_row_there_is_no_figure(recorded):
    assert RecentRows(recorded).shifts() == ({}, {})
    assert RecentRows(recorded).count == 0


def test_a_profile_holds_no_text_and_is_read_as_it_was_written(recorded):
    plain = json.loads(json.dumps(recorded.to_json()))
    assert Profile.from_json(plain, "reference.json") == recorded
    assert not {"Bonn", "Rome", "Oslo"} & set(json.dumps(plain).replace('"', " ").split())
    assert {one.name: (one.kind, len(one.counts)) for one in recorded.columns}["city"] == ("text", BUCKETS + 1)


def test_a_changed_profile_is_refused(recorded):
    plain = recorded.to_json()
    with pytest.raises(DamagedFile, match="does not match its checksum"):
        Profile.from_json({**plain, "rows": 1}, "reference.json")
    with pytest.raises(StaleCache, match="schema 99"):
        Profile.from_json(with_checksum({**plain, "schema": 99}), "reference.json")
    with pytest.raises(DamagedFile, match="names no schema"):
        Profile.from_json([], "reference.json")


def test_a_constant_column_and_one_without_any_number_have_bins():
    for cells in (np.ones(50), np.full(50, np.nan)):
        bins = Bins.of("x", cells)
        assert sum(bins.counts) == 50
        assert bins.shift(np.array(bins.counts)) == 0
        assert bins.shift(bins.count(np.where(np.isnan(cells), 1.0, np.nan))) > 1


def test_pictures_are_counted_by_their_mean_and_deviation():
    pictures = np.random.default_rng(0).random((500, 1, 8, 8))
    cells = columns_of_rows((), pictures, np.empty((500, 0), dtype=object), ())
    assert set(cells) == {"mean of a row", "deviation of a row"}
    recorded = Profile.of(cells, {})
    inverted = Profile.counts_of(recorded.columns, columns_of_rows((), 1 - 0.5 * pictures, np.empty((500, 0), dtype=object), ()))
    assert all(one.shift(counts) > LARGE for one, counts in zip(recorded.columns, inverted, strict=True))


def test_columns_of_numbers_and_texts_are_told_apart():
    texts = np.array([["a"], [None]], dtype=object)
    found = columns_of_rows(("n", "t", "m"), np.array([[1.0, 2.0], [3.0, 4.0]]), texts, (False, True, False))
    assert {name: cells.tolist() for name, cells in found.items()} == {"n": [1.0, 3.0], "t": ["a", None], "m": [2.0, 4.0]}


def test_several_inputs_are_counted_by_their_numbers_and_lengths():
    random = np.random.default_rng(0)
    rows = StructuredRows.of(
        {
            "ids": [[3, 5], [7], []],
            "attention_mask": [[1, 1], [1], []],
            "age": [30.0, 40.0, 50.0],
            "place": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
            "picture": random.random((3, 1, 20, 20)),
        }
    )
    varying = {"ids", "attention_mask"}
    found = columns_of_inputs(rows, {name: name in varying for name in rows.fields})
    assert found["length of ids"].tolist() == [2.0, 1.0, 0.0]
    np.testing.assert_array_equal(found["mean of ids"], [4.0, 7.0, np.nan])
    np.testing.assert_array_equal(found["deviation of ids"], [1.0, 0.0, np.nan])
    assert found["age"].tolist() == [30.0, 40.0, 50.0]
    np.testing.assert_allclose(found["mean of picture"], rows.fields["picture"].mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(found["deviation of picture"], rows.fields["picture"].std(axis=(1, 2, 3)))
    assert (found["place 0"].tolist(), found["place 1"].tolist()) == ([1.0, 3.0, 5.0], [2.0, 4.0, 6.0])


def test_several_wide_inputs_are_counted_by_mean_and_deviation():
    wide = StructuredRows({"a": np.ones((4, 150)), "b": np.ones((4, 150)), "c": np.arange(4.0)})
    found = columns_of_inputs(wide, dict.fromkeys("abc", False))
    assert list(found) == ["mean of a", "deviation of a", "mean of b", "deviation of b", "c"]


def test_rows_are_counted_without_what_their_mask_leaves_out_and_none_may_count():
    together = StructuredRows.of({"ids": [[3, 5], [7, 9]], "attention_mask": [[1, 1], [1, 0]]})
    alone = StructuredRows.of({"ids": [[7, 9]], "attention_mask": [[1, 0]]})
    of_both, of_one = (columns_of_inputs(rows, {"ids": True, "attention_mask": True}) for rows in (together, alone))
    assert {name: cells.tolist() for name, cells in of_both.items()} == {
        "length of ids": [2.0, 1.0],
        "mean of ids": [4.0, 7.0],
        "deviation of ids": [1.0, 0.0],
    }
    assert all(cells[0] == of_both[name][1] for name, cells in of_one.items())
    nothing = columns_of_inputs(StructuredRows.of({"ids": [[], []], "attention_mask": [[], []]}), {"ids": True, "attention_mask": True})
    np.testing.assert_array_equal(np.stack(list(nothing.values())), [[0, 0], [np.nan] * 2, [np.nan] * 2])


def test_rows_that_happen_to_be_of_one_length_are_counted_as_those_of_any():
    even = StructuredRows.of({"ids": [[3, 5], [7, 9]], "attention_mask": [[1, 1], [1, 1]]})
    found = columns_of_inputs(even, {"ids": True, "attention_mask": True})
    assert {name: cells.tolist() for name, cells in found.items()} == {
        "length of ids": [2.0, 2.0],
        "mean of ids": [4.0, 8.0],
        "deviation of ids": [1.0, 1.0],
    }


def test_the_figures_of_answers_follow_the_task():
    answers = np.array([[0.2, 0.8], [0.6, 0.4]])
    binary = figures_of_answers("binary", ("no", "yes"), answers, answers.max(axis=1))
    assert {name: cells.tolist() for name, cells in binary.items()} == {"decision": [1.0, 0.0], "confidence": [0.8, 0.6]}
    several = figures_of_answers("multilabel", ("a", "b"), answers, np.array([0.8, 0.6]))
    assert several["label b"].tolist() == [1.0, 0.0]
    assert list(figures_of_answers("regression", (), answers, None)) == ["value 0", "value 1"]
    assert list(figures_of_answers("regression", (), answers[:, :1], None)) == ["value"]


def test_recent_rows_of_another_profile_are_refused(recorded):
    with pytest.raises(KeyError):
        RecentRows(replace(recorded, columns=(replace(recorded.columns[0], name="other"),))).see(*rows(10, 0))
