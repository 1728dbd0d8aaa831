import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.datasets import make_moons
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from tutelage.core.errors import BadInput
from tutelage.evaluation.deployed.risk_control import learn_then_test
from tutelage.teachers.adapt import as_teacher
from tutelage.workflow.distillation.given.calibration import DELTA
from tutelage.workflow.distillation.given.problem import Problem, moments, row_set
from tutelage.workflow.distillation.given.split import not_validated, parts_of, split

X, Y = make_moons(400, noise=0.3, random_state=0)
TEACHER = as_teacher(LogisticRegression().fit(X, Y))


def problem(given=None, **others):
    return Problem(TEACHER, "a teacher", row_set(X, Y) if given is None else given, **others)


def test_every_row_is_in_one_part_and_classes_keep_their_shares():
    found = split(problem(), seed=0)
    assert sorted([*found.development, *found.test]) == list(range(400))
    assert len(found.test) == 80
    assert Y[found.test].mean() == 0.5
    assert found.removed == {"equal to a test row": 0}
    assert (found.repeated, found.seen, found.is_own) == (0, None, False)


RARE = np.r_[np.zeros(260), np.ones(260), np.arange(2, 42).repeat(2)].astype(int)
RARE_ROWS = np.random.default_rng(0).normal(size=(600, 3))


def of_rare_classes(y=RARE, **others):
    teacher = as_teacher(GaussianNB().fit(RARE_ROWS, RARE))
    return Problem(teacher, "a teacher", row_set(RARE_ROWS, y), **others)


def test_classes_of_two_rows_are_tested_and_validated_on_and_stay_to_be_learnt():
    given = of_rare_classes()
    found = split(given, seed=0)
    train, validation = parts_of(given, found, seed=0)
    assert [int((RARE[places] > 1).sum()) for places in (found.test, validation)] == [16, 13]
    assert set(RARE[train]) == set(range(42))
    assert found.how == (
        "20% of the rows were drawn for the test, stratified by class. 24 of 42 classes, with 48 of 600 rows, have no test row."
    )


def test_classes_without_a_test_row_are_counted_however_the_rows_were_drawn():
    given = of_rare_classes(test=row_set(RARE_ROWS[:300] + 9, RARE[:300]))
    assert split(given, seed=0).how == "The test rows were given. 40 of 42 classes, with 80 of 600 rows, have no test row."
    latest = split(Problem(TEACHER, "a teacher", row_set(X, np.sort(Y), times=np.arange(400))), seed=0)
    assert latest.how == "The latest 20% of the rows are for the test. 1 of 2 classes, with 200 of 400 rows, has no test row."


def test_rows_that_calibrate_a_cascade_are_drawn_from_classes_of_one_row_too():
    y = np.r_[np.zeros(280), np.ones(280), np.arange(2, 42)].astype(int)
    found = split(of_rare_classes(y, test=row_set(RARE_ROWS[:40] + 9, y[:40])), seed=0, cascade=0.95)
    assert (y[found.calibration] > 1).sum() == 8


def test_the_fingerprint_of_a_split_is_that_of_its_draws():
    given = problem()
    assert split(given, seed=0).fingerprint(given, seed=0) == split(given, seed=0).fingerprint(given, seed=0)
    assert len({split(given, seed=seed).fingerprint(given, seed=other) for seed in (0, 1) for other in (0, 1)}) == 4


def test_seeds_draw_their_own_validation_rows_among_the_development_rows():
    given = problem()
    found = split(given, seed=0)
    parts = [parts_of(given, found, seed=seed) for seed in (0, 1)]
    for train, validation in parts:
        assert sorted([*train, *validation]) == sorted(found.development)
    assert set(parts[0][1]) != set(parts[1][1])


def test_rows_equal_to_test_rows_are_left_out_and_counted():
    twice = problem(row_set(np.vstack([X, X[:50]]), np.r_[Y, Y[:50]]))
    found = split(twice, seed=0)
    rows = twice.given.rows
    assert not {row.tobytes() for row in rows[found.development]} & {row.tobytes() for row in rows[found.test]}
    assert found.removed["equal to a test row"] > 0
    train, validation = parts_of(twice, found, seed=0)
    assert not {row.tobytes() for row in rows[train]} & {row.tobytes() for row in rows[validation]}


def test_rows_that_differ_in_an_identifier_alone_are_equal():
    frame = pd.DataFrame(np.vstack([X, X[:100]]), columns=["a", "b"]).assign(id=np.arange(500) + 10_000)
    teacher = as_teacher(LogisticRegression().fit(frame, np.r_[Y, Y[:100]]))
    found = split(Problem(teacher, "a teacher", row_set(frame, np.r_[Y, Y[:100]])), seed=0)
    assert found.removed["equal to a test row"] > 0


def test_rows_of_the_pool_that_are_test_rows_are_left_out():
    found = split(problem(test=row_set(X[:60], Y[:60]), pool=row_set(np.vstack([X[:10], X[10:] + 100]))), seed=0)
    assert found.removed["of the pool, equal to a test row"] == 10
    assert found.pool.min() == 10
    assert found.removed["equal to a test row"] == 60
    assert found.is_own


def test_a_pool_of_test_rows_alone_is_refused():
    with pytest.raises(BadInput, match=r"no row of the pool is left\. The test rows .* 10 rows were left out: of the pool"):
        split(problem(test=row_set(X[:60], Y[:60]), pool=row_set(X[:10])), seed=0)


def test_rows_of_the_pool_that_validate_a_seed_do_not_train_it():
    given = problem(pool=row_set(X))
    found = split(given, seed=0)
    _, validation = parts_of(given, found, seed=0)
    kept = found.pool[not_validated(given, found, validation)]
    assert not set(kept) & set(validation)
    assert len(kept) == len(found.development) - len(validation)


def test_groups_stay_on_one_side_also_of_given_test_rows():
    groups = np.arange(400) // 4
    drawn = split(problem(row_set(X, Y, groups=groups)), seed=0)
    assert not set(groups[drawn.development]) & set(groups[drawn.test])
    given = problem(row_set(X, Y, groups=groups), test=row_set(X[:40] + 9, Y[:40], groups=groups[:40]))
    found = split(given, seed=0)
    assert found.removed["in the group of a test row"] == 40
    assert not set(groups[found.development]) & set(range(10))


def test_the_latest_rows_are_tested_on():
    times = pd.date_range("2020-01-01", periods=400).to_numpy()[np.random.default_rng(0).permutation(400)]
    found = split(problem(row_set(X, Y, times=times)), seed=0)
    assert times[found.development].max() < times[found.test].min()
    assert len(found.test) == 80


def test_with_groups_the_latest_of_them_are_tested_on_whole():
    random = np.random.default_rng(0)
    groups, times = random.permutation(np.arange(400) // 4), random.permutation(400)
    given = problem(row_set(X, Y, groups=groups, times=times))
    found = split(given, seed=0)
    assert not set(groups[found.development]) & set(groups[found.test])
    assert times[found.development].max() < max(times[found.test])
    latest = [max(times[groups == group]) for group in range(100)]
    assert {int(group) for group in groups[found.test]} == {int(group) for group in np.argsort(latest)[-20:]}
    for seed in (0, 1):
        train, validation = parts_of(given, found, seed=seed)
        assert not set(groups[train]) & set(groups[validation])


def test_with_times_each_seed_trains_on_its_own_draw_and_all_validate_on_the_latest():
    given = problem(row_set(X, Y, times=np.arange(400)))
    found = split(given, seed=0)
    (train, validation), (other, same) = (parts_of(given, found, seed=seed) for seed in (0, 1))
    assert validation.tolist() == same.tolist() == list(range(256, 320))
    assert len(train) == len(other) == round(0.8 * 256)
    assert set(train) != set(other)
    assert max(*train, *other) < 256
    assert "each is trained on its own 80%" in " ".join(found.notes)


def test_the_share_of_the_test_is_that_of_the_rows_where_many_share_a_moment():
    found = split(problem(row_set(X, Y, times=np.arange(400) // 100)), seed=0)
    assert (len(found.test), found.how) == (100, "The latest 25% of the rows are for the test.")


def test_a_test_with_groups_leaves_rows_of_the_pool_out_and_one_without_is_refused():
    groups = np.arange(400) // 4
    test = row_set(X[:40] + 9, Y[:40], groups=np.arange(1000, 1040))
    pool = row_set(X + 5, groups=np.r_[np.full(7, 1000), np.arange(393) // 4])
    given = problem(row_set(X, Y, groups=groups), test=test, pool=pool)
    found = split(given, seed=0)
    assert found.removed["of the pool, in the group of a test row"] == 7
    _, validation = parts_of(given, found, seed=0)
    kept = found.pool[not_validated(given, found, validation)]
    assert 0 < len(kept) < len(found.pool)
    assert not set(pool.groups[kept]) & set(groups[validation])
    unknown = split(problem(row_set(X, Y, groups=groups), pool=row_set(X + 5)), seed=0)
    assert unknown.notes == ("The rows of the pool come without groups: some may belong to groups that are tested on.",)
    with pytest.raises(BadInput, match="the rows come with groups and the test rows without"):
        problem(row_set(X, Y, groups=groups), test=row_set(X[:40], Y[:40]))


def test_rows_of_few_coarse_columns_are_equal_by_chance_and_stay():
    coarse = np.random.default_rng(0).integers(0, 2, (1500, 2)).astype(float)
    given = problem(row_set(coarse, coarse[:, 0].astype(int)), pool=row_set(coarse))
    found = split(given, seed=0)
    train, validation = parts_of(given, found, seed=0)
    assert len(train) + len(validation) + len(found.test) == 1500
    assert not_validated(given, found, validation).sum() == 1500
    assert found.notes[0].startswith("Only 4 of 1,500 rows are distinct")


def test_many_rows_left_out_are_named_in_a_note():
    copies = split(problem(row_set(np.repeat(X, 5, axis=0), np.repeat(Y, 5))), seed=0)
    assert "rows were left out of training and validation" in copies.notes[0]
    assert split(problem(), seed=0).notes == ()


@pytest.mark.parametrize(("weighing", "purpose"), [(slice(320, 400), "train"), (slice(0, 320), "test")])
def test_a_part_that_weighs_nothing_is_refused(weighing, purpose):
    weights = np.zeros(400)
    weights[weighing] = 1.0
    with pytest.raises(BadInput, match=f"0 of the .* rows to {purpose} on have a weight above 0; expected 20"):
        split(problem(row_set(X, Y, weights=weights, times=np.arange(400))), seed=0)


def test_validation_rows_that_weigh_nothing_are_refused():
    given = problem(row_set(X, Y, weights=(np.arange(400) < 200) | (np.arange(400) >= 320), times=np.arange(400)))
    with pytest.raises(BadInput, match="all 64 rows to validate on with seed 0 weigh 0"):
        split(given, seed=0)


@pytest.mark.parametrize(
    "texts", [["19990101", "20240105"], ["2026-01-05", "2026-W01"], ["2026-01-05", "NaT"], ["2026-13-01", "2026-01-01"]]
)
def test_texts_of_other_forms_are_no_times(texts):
    with pytest.raises(BadInput, match="times holds texts that are no dates"):
        moments(texts)


def test_moments_of_other_time_zones_are_in_the_order_of_time():
    assert moments(["2026-01-05T10:00:00+02:00", "2026-01-05T09:00:00Z"]).argsort().tolist() == [0, 1]
    assert moments(["2026-01-05 10:00", "2026-01-05T09:30:00.5", "2026-01", "2025"]).argsort().tolist() == [3, 2, 1, 0]


def test_texts_of_dates_are_times_and_other_texts_are_refused():
    assert moments(["2026-01-05", "2025-12-31"]).argsort().tolist() == [1, 0]
    assert moments([3, 1]).tolist() == [3, 1]
    with pytest.raises(BadInput, match=r"times holds texts that are no dates, such as '5.1.2026'; .*2026-01-31"):
        moments(["5.1.2026", "31.12.2025"])


@pytest.mark.parametrize(
    ("name", "column"), [("groups", ["a", None] * 200), ("times", np.r_[np.nan, np.arange(399)]), ("times", ["2026", None] * 200)]
)
def test_missing_groups_and_times_are_refused(name, column):
    with pytest.raises(BadInput, match=f"{name} has .* missing values"):
        row_set(X, Y, **{name: np.array(column)})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (row_set(X[:10], Y[:10]), "8 rows to train on; expected 20"),
        (row_set(X, Y, groups=np.zeros(400)), "0 rows to train on; expected 20 at least. 20% of the groups"),
        (row_set(X, Y, groups=np.arange(400) % 2), "0 rows to train on and 200 to validate on"),
        (row_set(np.repeat(X[:9], 9, axis=0), np.arange(81) % 2), "rows were left out: equal to a test row"),
    ],
)
def test_too_few_rows_say_what_is_left_and_why(given, message):
    with pytest.raises(BadInput, match=message):
        split(problem(given), seed=0)


def test_rows_that_the_teacher_was_trained_on_are_counted_among_the_test_rows():
    found = split(problem(seen=row_set(X[:200])), seed=0)
    assert found.seen == (found.test < 200).sum() > 0
    assert split(problem(seen=row_set(X + 50)), seed=0).seen == 0


def test_repeated_test_rows_are_counted():
    found = split(problem(test=row_set(np.vstack([X[:30], X[:10]]) + 50, np.r_[Y[:30], Y[:10]])), seed=0)
    assert found.repeated == 10


@pytest.mark.parametrize(("weights", "test_weights"), [(np.ones(400), None), (None, np.ones(60))])
def test_weights_are_given_for_both_or_for_neither(weights, test_weights):
    with pytest.raises(BadInput, match=r"come with weights and .* without"):
        problem(row_set(X, Y, weights=weights), test=row_set(X[:60], Y[:60], weights=test_weights))


def many(count=2000, **others):
    rows, truth = make_moons(count, noise=0.3, random_state=1)
    return problem(row_set(rows, truth, **others))


def test_rows_to_calibrate_a_cascade_are_held_back_after_the_test_rows():
    given = many()
    alone, found = split(given, seed=0), split(given, seed=0, cascade=0.95)
    np.testing.assert_array_equal(found.test, alone.test)
    assert sorted([*found.development, *found.calibration, *found.test]) == list(range(2000))
    assert len(found.calibration) == 320
    np.testing.assert_array_equal(found.independent, found.calibration)
    assert given.given.truth[found.calibration].mean() == 0.5
    assert len(alone.calibration) == len(alone.independent) == 0
    assert found.removed["equal to a calibration row"] == 0


def test_rows_equal_to_a_calibration_row_are_not_trained_on_and_repeats_of_it_count():
    rows, truth = make_moons(1200, noise=0.3, random_state=1)
    given = problem(row_set(np.vstack([rows, rows[:400]]), np.r_[truth, truth[:400]]), pool=row_set(np.vstack([rows, rows + 9])))
    found = split(given, seed=0, cascade=0.95)
    names = given.names["given"]
    assert not set(names[found.calibration]) & set(names[found.development])
    assert not set(given.names["pool"][found.pool]) & set(names[found.calibration])
    assert found.removed["equal to a calibration row"] > 0
    assert found.removed["of the pool, equal to a calibration row or in its group"] > 0
    np.testing.assert_array_equal(found.independent, found.calibration)
    assert set(names[found.calibration]) & set(names[found.test])
    assert any("calibration rows repeat others" in note for note in found.notes)


def test_a_frequent_row_is_calibrated_on_as_often_as_it_comes_and_not_trained_on():
    rows = np.random.default_rng(0).uniform(-3, 3, (1600, 2))
    rows[:400] = [0.5, -1.0]
    given = problem(row_set(rows, np.arange(1600) % 2))
    found = split(given, seed=0, cascade=0.95)
    assert np.mean(found.calibration < 400) == pytest.approx(0.25, abs=0.07)
    assert not (found.development < 400).any()


def test_splits_of_rows_that_repeat_keep_the_rate_that_is_guaranteed():
    """A quarter of the rows are one of twenty, of which the student gets six wrong; of the others it gets one in fifty wrong."""
    below, splits, target = 0, 200, 0.95
    for seed in range(splits):
        random = np.random.default_rng(seed)
        often = np.column_stack([random.uniform(0, 1, 20), random.permutation(20) >= 6])
        rows = random.uniform(0, 1, (2000, 2))
        rows[:, 1] = rows[:, 1] + (random.random(2000) < 0.98)  # below 1 where the student is wrong
        repeated = random.random(2000) < 0.25
        rows[repeated] = often[random.integers(20, size=repeated.sum())]
        found = split(problem(row_set(rows)), seed=seed, cascade=target)
        sure, wrong = rows[found.independent, 0], rows[found.independent, 1] < 1
        threshold = learn_then_test(sure, wrong, None, target=target, delta=DELTA, over="all").threshold
        of_often = np.mean((often[:, 0] >= threshold) & (often[:, 1] < 1))
        below += 0.25 * of_often + 0.75 * 0.02 * min(max(1 - threshold, 0), 1) > 1 - target
    assert below <= stats.binom.ppf(0.9999, splits, DELTA)


def test_calibration_rows_stay_where_test_rows_that_are_given_equal_them_or_are_of_their_groups():
    groups = np.arange(2000) // 4
    rows, truth = make_moons(2000, noise=0.3, random_state=1)
    given = problem(row_set(rows, truth, groups=groups), test=row_set(rows[:400], truth[:400], groups=groups[:400]))
    found = split(given, seed=0, cascade=0.9)
    assert len(found.independent) == 100
    assert (found.calibration < 400).any()
    assert not (found.development < 400).any()


def test_a_cascade_is_calibrated_on_one_row_of_each_group():
    groups = np.arange(2000) // 4
    given = many(groups=groups)
    found = split(given, seed=0, cascade=0.9)
    assert not set(groups[found.calibration]) & set(groups[found.development])
    assert len(set(groups[found.independent])) == len(found.independent) == len(found.calibration) // 4
    assert any("one of each group" in note and "a rate over groups" in note for note in found.notes)


def test_with_times_the_calibration_rows_are_the_latest_before_the_test_rows():
    times = np.random.default_rng(0).permutation(2000)
    found = split(many(times=times), seed=0, cascade=0.95)
    assert times[found.development].max() < times[found.calibration].min()
    assert times[found.calibration].max() < times[found.test].min()


def test_calibration_rows_that_can_prove_nothing_are_refused_before_any_work():
    with pytest.raises(BadInput) as refused:
        split(many(), seed=0, cascade=0.995)
    assert str(refused.value) == (
        "there are 320 rows to calibrate a cascade on; 99.5 % can be guaranteed from 598 on. They are 20% of those that are not tested on. "
        "Pass more rows, or a lower rate."
    )
    assert len(split(many(), seed=0, cascade=0.99).independent) == 320  # from 299 on
    with pytest.raises(BadInput, match=r"there are 80 groups to calibrate .*, one row of each group\. Pass rows of more groups"):
        split(many(groups=np.arange(2000) // 4), seed=0, cascade=0.99)


def test_rates_count_rows_alike_and_a_teacher_that_knows_them_is_named():
    rows, truth = make_moons(2000, noise=0.3, random_state=1)
    given = problem(row_set(rows, truth, weights=np.linspace(1, 2, 2000)), seen=row_set(rows[:1000]))
    notes = " ".join(split(given, seed=0, cascade=0.95).notes)
    assert "count rows alike, whatever their weights" in notes
    assert "The teacher was trained on" in notes
