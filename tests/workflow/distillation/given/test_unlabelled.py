import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.teachers.adapt import as_teacher
from tutelage.workflow.distillation.given.alike import in_columns
from tutelage.workflow.distillation.given.problem import Problem, row_set
from tutelage.workflow.distillation.given.split import parts_of, split, weighed_like
from tutelage.workflow.distillation.given.unlabelled import labelled

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 2))
Y = (X[:, 0] > 0).astype(int)
TEACHER = LogisticRegression().fit(X, Y)
FORM = as_teacher(TEACHER).form
GAPS = np.arange(300) % 5 == 0
TRUTHS = {
    "floats with NaN": np.where(GAPS, np.nan, Y),
    "a list with None": [None if gap else int(one) for gap, one in zip(GAPS, Y, strict=True)],
    "pandas with pd.NA": pd.Series(Y, dtype="Int64").mask(GAPS),
    "pandas with NaN": pd.Series(Y.astype(float)).mask(GAPS),
    "polars with null": pl.Series([None if gap else int(one) for gap, one in zip(GAPS, Y, strict=True)]),
    "a masked array": np.ma.masked_array(Y, GAPS),
}


@pytest.mark.parametrize("kind", TRUTHS)
def test_rows_without_truth_join_the_pool_or_are_left_out(kind):
    given = row_set(X, TRUTHS[kind], weights=np.arange(1, 301), groups=np.arange(300))
    pooled = labelled(given, None, None, FORM, unlabelled="pool")
    assert FORM.truth(pooled.given.truth).tolist() == Y[~GAPS].tolist()
    assert pooled.given.rows.tolist() == X[~GAPS].tolist()
    assert pooled.given.numbers.tolist() == np.flatnonzero(~GAPS).tolist()
    assert pooled.pool.rows.tolist() == X[GAPS].tolist()
    assert pooled.pool.asked.part(0, 60).tolist() == X[GAPS].tolist()
    assert pooled.pool.weights.tolist() == np.arange(1, 301)[GAPS].tolist()
    assert pooled.pool.groups.tolist() == np.flatnonzero(GAPS).tolist()
    assert pooled.unlabelled.note == "60 of 300 rows come without ground truth: the teacher labels them, as rows of the pool."
    dropped = labelled(given, None, None, FORM, unlabelled="drop")
    assert dropped.pool is None
    assert dropped.unlabelled.left_out == {"without ground truth": 60}
    with pytest.raises(BadInput, match=r"y lacks the ground truth of 60 of 300 rows \(first: row 0\)\. .*unlabelled='drop'"):
        labelled(given, None, None, FORM, unlabelled=None)


def test_they_follow_the_rows_of_a_pool():
    frame = pd.DataFrame(X, columns=["a", "b"])
    given = row_set(frame, TRUTHS["floats with NaN"], weights=np.full(300, 2.0))
    found = labelled(given, None, row_set(frame[:10] + 9), FORM, unlabelled="pool")
    assert found.pool.count == len(found.pool.rows) == 70
    assert found.pool.rows["a"].tolist() == [*(X[:10, 0] + 9), *X[GAPS, 0]]
    assert np.isnan(found.pool.weights[:10]).all()
    assert found.pool.weights[10:].tolist() == [2.0] * 60
    texts = labelled(row_set(["a", "b", "c"], [0, None, 1]), None, row_set(["d"]), FORM, unlabelled="pool")
    assert texts.pool.rows == ["d", "b"]
    assert texts.given.rows == ["a", "c"]


def test_rows_of_a_pool_without_weights_weigh_what_those_to_train_on_weigh_on_average_beside_rows_that_join_it():
    weights = RNG.uniform(1, 2, 300)
    found = labelled(row_set(X, TRUTHS["floats with NaN"], weights=weights), None, row_set(X[:10] + 9), FORM, unlabelled="pool")
    problem = Problem(as_teacher(TEACHER), "t", found.given, pool=found.pool, unlabelled=found.unlabelled)
    drawn = split(problem, seed=0)
    pool = weighed_like(problem, found.pool, drawn)
    assert pool.weights[:10].tolist() == pytest.approx([found.given.weights[drawn.development].mean()] * 10)
    assert pool.weights[10:].tolist() == weights[GAPS].tolist()


def test_a_pool_with_weights_needs_rows_with_weights_also_where_rows_join_it():
    found = labelled(row_set(X, TRUTHS["floats with NaN"]), None, row_set(X[:5] + 9, weights=np.ones(5)), FORM, unlabelled="pool")
    with pytest.raises(BadInput, match="the pool comes with weights and the rows without"):
        Problem(as_teacher(TEACHER), "t", found.given, pool=found.pool, unlabelled=found.unlabelled)


def test_a_pool_without_groups_is_not_joined_by_rows_that_have_some():
    given = row_set(X, TRUTHS["floats with NaN"], groups=np.arange(300))
    with pytest.raises(BadInput, match="the pool comes without groups, and the rows without ground truth"):
        labelled(given, None, row_set(X[:5]), FORM, unlabelled="pool")


@pytest.mark.parametrize("groups", [None, np.arange(300) // 3])
def test_rows_without_truth_are_learnt_from_only_before_those_that_are_validated_and_tested_on(groups):
    times = np.random.default_rng(1).permutation(300)
    lacking = (times >= 220) | (times % 10 == 0)
    found = labelled(row_set(X, np.where(lacking, np.nan, Y), times=times, groups=groups), None, None, FORM, unlabelled="pool")
    problem = Problem(as_teacher(TEACHER), "t", found.given, pool=found.pool, unlabelled=found.unlabelled)
    drawn = split(problem, seed=0)
    for seed in range(3):
        train, validation = parts_of(problem, drawn, seed=seed)
        if groups is None:
            assert found.pool.times[drawn.pool].max() < found.given.times[validation].min()
        else:
            last = [found.given.times[found.given.groups == group].max() for group in found.given.groups[validation]]
            assert found.pool.times[drawn.pool].max() < min(last)
    assert 5 < len(drawn.pool) < 25
    assert drawn.removed["of the pool, not before the rows to validate and test on"] >= 60
    assert len(train)


def test_where_all_rows_without_truth_are_later_the_remedy_is_named():
    found = labelled(row_set(X, np.where(np.arange(300) >= 220, np.nan, Y), times=np.arange(300)), None, None, FORM, unlabelled="pool")
    problem = Problem(as_teacher(TEACHER), "t", found.given, pool=found.pool, unlabelled=found.unlabelled)
    with pytest.raises(BadInput, match=r"no row of the pool is left.*80 rows were left out: of the pool, not before.*unlabelled='drop'"):
        split(problem, seed=0)


def test_a_pool_without_times_is_noted_and_is_not_joined_by_rows_that_have_some():
    times = np.arange(300)
    problem = Problem(as_teacher(TEACHER), "t", row_set(X, Y, times=times), pool=row_set(X[:5] + 9))
    assert any("The rows of the pool come without times" in note for note in split(problem, seed=0).notes)
    with pytest.raises(BadInput, match="the pool comes without times, and the rows without ground truth"):
        labelled(row_set(X, TRUTHS["floats with NaN"], times=times), None, row_set(X[:5]), FORM, unlabelled="pool")
    timed = labelled(row_set(X, TRUTHS["floats with NaN"], times=times), None, row_set(X[:5], times=[7] * 5), FORM, unlabelled="pool")
    assert timed.pool.times.tolist() == [7] * 5 + times[GAPS].tolist()


def test_times_of_a_pool_are_of_the_kind_of_those_of_the_rows():
    given, pool = row_set(X, Y, times=np.arange(300)), row_set(X[:2], times=["2026-01-01", "2026-01-02"])
    with pytest.raises(BadInput, match="the times of the rows are of type int64, and those of pool of type datetime64"):
        in_columns(given, pool, "pool", teacher_too=True)


def test_test_rows_without_truth_are_left_out_never_labelled():
    test = row_set(X + 9, TRUTHS["floats with NaN"])
    found = labelled(row_set(X, Y), test, None, FORM, unlabelled="pool")
    assert found.pool is None
    assert found.test.count == 240
    assert found.unlabelled.left_out == {"of the test, without ground truth": 60}
    problem = Problem(as_teacher(TEACHER), "t", found.given, found.test, unlabelled=found.unlabelled)
    assert split(problem, seed=0).removed["of the test, without ground truth"] == 60


def test_rows_that_have_their_truth_are_as_they_were():
    given, test = row_set(X, Y), row_set(X, Y)
    found = labelled(given, test, None, FORM, unlabelled="pool")
    assert (found.given, found.test, found.unlabelled) == (given, test, None)


@pytest.mark.exhaustive
def test_a_run_counts_them_and_says_what_each_row_was_for(tmp_path):
    run = tl.distill(
        TEACHER, X, TRUTHS["floats with NaN"], unlabelled="pool", students=["tree"], trials=1, seeds=2, export="py", into=tmp_path / "run"
    )
    assert run.record.rows["more"] == 60
    assert any("60 of 300 rows come without ground truth" in note for note in run.record.notes)
    table = pq.read_table(tmp_path / "run" / "split.parquet").to_pandas().sort_values("row")
    assert table["row"].tolist() == list(range(300))
    assert (table["part"] == "pool").tolist() == GAPS.tolist()


@pytest.mark.exhaustive
def test_values_of_recorded_answers_have_gaps_too():
    truth = X[:, 0] + 0.1 * RNG.normal(size=300)
    answers = tl.record(LinearRegression().fit(X, truth), X)
    run = tl.distill(answers, X, np.where(GAPS, np.nan, truth), unlabelled="pool", students=["linear"], trials=1, seeds=2, export="py")
    assert run.record.rows["more"] == 60
