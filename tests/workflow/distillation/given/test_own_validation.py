"""Rows that the user gives to choose on, in place of those that each seed draws."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_moons
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import tutelage as tl
from tutelage.checks.preflight import check_validation_rows
from tutelage.core.errors import BadInput
from tutelage.data.rows import as_rows
from tutelage.teachers.adapt import as_teacher
from tutelage.workflow.distillation.given.problem import Problem, row_set
from tutelage.workflow.distillation.given.split import not_validated, parts_of, split
from tutelage.workflow.distillation.given.unlabelled import labelled
from tutelage.workflow.evaluate import rows_trained_on
from tutelage.workflow.train import open_trained

X, Y = make_moons(400, noise=0.3, random_state=0)
OWN, TRUE = make_moons(100, noise=0.3, random_state=1)
TEACHER = as_teacher(LogisticRegression().fit(X, Y))


def problem(validation=None, given=None, **others):
    given = row_set(X, Y) if given is None else given
    return Problem(TEACHER, "a teacher", given, validation=row_set(OWN, TRUE) if validation is None else validation, **others)


def test_all_seeds_are_validated_on_them_and_train_on_their_own_draw_of_the_others():
    given = problem()
    found = split(given, seed=0)
    assert len(found.development) + len(found.test) == 400
    (train, validation), (other, same) = (parts_of(given, found, seed=seed) for seed in (0, 1))
    assert validation.tolist() == same.tolist() == list(range(100))
    assert len(train) == len(other) == round(0.8 * len(found.development))
    assert set(train) != set(other)
    assert set(train) | set(other) <= set(found.development)
    assert found.notes == (
        "All seeds are validated on the rows given for it, and each is trained on its own 80% of the others: the spread over seeds is that "
        "of such draws.",
    )


def test_those_that_equal_a_row_to_test_or_calibrate_on_are_left_out_and_rows_that_equal_them_are_not_learnt():
    given = problem(row_set(np.vstack([X[:200], OWN]), np.r_[Y[:200], TRUE]), pool=row_set(OWN + 5))
    found = split(given, seed=0, cascade=0.5)
    tested, calibrated = ((places < 200).sum() for places in (found.test, found.calibration))
    assert found.removed["of the validation, equal to a test row"] == tested > 0
    assert found.removed["of the validation, equal to a calibration row or in its group"] == calibrated > 0
    assert len(found.validation) == 300 - tested - calibrated
    assert found.development.min() >= 200
    assert found.removed["equal to a validation row"] == len(found.validation) - 100
    some = problem(row_set(np.vstack([X[:50], OWN]), np.r_[Y[:50], TRUE]), pool=row_set(np.vstack([OWN + 5, OWN])), test=row_set(X + 9, Y))
    found = split(some, seed=0)
    train, validation = parts_of(some, found, seed=0)
    assert (train.min() >= 50, len(train)) == (True, round(0.8 * 350))
    assert found.pool.tolist() == list(range(100))
    assert found.removed["of the pool, equal to a validation row"] == 100
    assert not_validated(some, found, validation).all()


def test_their_groups_are_apart_from_those_that_are_tested_on_and_learnt():
    groups = np.arange(400) // 4
    own = row_set(OWN, TRUE, groups=np.r_[groups, groups][:100] + 90)  # 90 to 114, of which 90 to 99 are among the others
    given = problem(own, row_set(X, Y, groups=groups), pool=row_set(X + 5, groups=np.r_[np.full(390, 114), np.full(10, 500)]))
    found = split(given, seed=0)
    tested = set(groups[found.test])
    train, validation = parts_of(given, found, seed=0)
    assert found.removed["of the validation, in the group of a test row"] == 4 * len(tested & set(range(90, 100)))
    assert not set(own.groups[validation]) & (tested | set(groups[train]))
    assert found.pool.tolist() == list(range(390, 400))
    assert found.removed["of the pool, in the group of a validation row"] == 390
    with pytest.raises(BadInput, match="no row of the pool is left"):
        split(problem(pool=row_set(OWN)), seed=0)


@pytest.mark.parametrize(("test", "first"), [(None, 320), (row_set(X + 9, Y), 600)], ids=["drawn", "given"])
def test_with_times_rows_of_the_pool_come_before_test_rows_that_are_drawn(test, first):
    times = np.arange(400)
    pool = row_set(X + 5, times=times + 200)
    given = problem(given=row_set(X, Y, times=times), pool=pool, test=test)
    found = split(given, seed=0)
    assert pool.times[found.pool].tolist() == list(range(200, first))
    train, validation = parts_of(given, found, seed=0)
    assert len(validation) == 100
    assert test is not None or times[train].max() < times[found.test].min()
    assert any("no row of the pool is left out for being later" in note for note in found.notes) == (test is not None)


@pytest.mark.parametrize("part", ["weights", "groups"])
def test_they_come_with_what_the_other_rows_come_with(part):
    with pytest.raises(BadInput, match=f"the rows come with {part} and the validation rows without; pass {part} for both"):
        problem(given=row_set(X, Y, **{part: np.arange(400)}))
    with pytest.raises(BadInput, match=f"the validation rows come with {part} and the rows without"):
        problem(row_set(OWN, TRUE, **{part: np.arange(100)}))


def test_those_that_weigh_nothing_and_too_few_are_refused():
    weighing = problem(row_set(OWN, TRUE, weights=np.where(np.arange(100) < 3, 1.0, 0.0)), row_set(X, Y, weights=np.ones(400)))
    with pytest.raises(BadInput, match="3 of the 100 rows to validate on have a weight above 0; expected 20"):
        split(weighing, seed=0)
    with pytest.raises(BadInput, match="there are 2 rows to validate on; expected 20 at least"):
        split(problem(row_set(OWN[:2], TRUE[:2])), seed=0)


def test_those_without_ground_truth_are_left_out():
    gaps = np.where(np.arange(100) < 7, np.nan, TRUE)
    given, own = row_set(X, Y), row_set(OWN, gaps)
    with pytest.raises(BadInput, match=r"y of the validation lacks the ground truth of 7 of 100 rows \(first: row 0\)"):
        labelled(given, None, None, TEACHER.form, unlabelled=None, validation=own)
    found = labelled(given, None, None, TEACHER.form, unlabelled="pool", validation=own)
    assert (found.given, found.pool, found.validation.count) == (given, None, 93)
    assert found.unlabelled.left_out == {"of the validation, without ground truth": 7}


def test_a_run_is_chosen_on_them(unchecked, tmp_path):
    teacher = LogisticRegression().fit(X, Y)
    made = {"students": ["tree"], "trials": 2, "seeds": 2, "export": "py"}
    found = tl.distill(teacher, X, Y, validation=(OWN, TRUE), into=tmp_path / "run", **made)
    assert {name: found.record.rows[name] for name in ("train", "validation", "development", "own_validation")} == {
        "train": 256,
        "validation": 100,
        "development": 420,
        "own_validation": True,
    }
    assert found.record.rows["more_learnt"] == found.record.rows["more"] > 0  # no row is made from one of them
    first = found.student.predict(OWN)
    assert found.chosen.validation["accuracy"][0] == pytest.approx((first == TRUE).mean())
    parts = pd.read_parquet(tmp_path / "run" / "split.parquet")
    own = parts[parts["source"] == "validation rows"]
    assert (own["row"].tolist(), set(own["part"])) == (list(range(100)), {"validation"})
    student, record = open_trained(tmp_path / "run")
    assert student.predict(OWN).tolist() == first.tolist()
    assert [rows_trained_on(record, as_rows(rows), tmp_path / "run") for rows in (OWN, OWN + 9)] == [100, 0]


@pytest.mark.parametrize(("knows", "severity"), [(True, "warning"), (False, "ok")])
def test_a_teacher_that_was_trained_on_them_is_found(knows, severity):
    random = np.random.default_rng(0)
    rows, truth = random.normal(size=(900, 5)), random.integers(0, 2, 900)
    learnt = slice(0, 300) if knows else slice(300, 600)
    teacher = as_teacher(RandomForestClassifier(20, random_state=0).fit(rows[learnt], truth[learnt]))
    found = check_validation_rows(teacher, rows[:300], rows[600:], seen=None, seed=0)
    assert [(one.check, one.severity) for one in found] == [("validation-own-rows", severity)]
    assert "on validation rows and" in found[0].sentence
    assert found[0].remedy[:30] == ("Choose students on rows that t" if knows else "")
    assert [one.severity for one in check_validation_rows(teacher, rows[:300], rows[600:], seen=0.0, seed=0)] == ["ok"]


def test_texts_are_encoded_as_those_that_are_drawn(unchecked, tmp_path):
    words = np.array(["car", "wheel", "road", "tax", "form", "money", "the", "of"])
    draws = np.random.default_rng(0).integers(0, 8, (330, 6))
    texts, truth = [" ".join(words[one]) for one in draws], (draws < 3).sum(axis=1) > 2
    teacher = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts[:100], truth[:100])
    made = {"students": ["logistic"], "trials": 1, "seeds": 2, "export": "py", "into": tmp_path / "run"}
    found = tl.distill(teacher, texts[100:280], truth[100:280], validation=(texts[280:], truth[280:]), **made)
    assert found.record.rows["validation"] == 50
    assert found.chosen.validation["accuracy"][0] == pytest.approx((found.student.predict(texts[280:]) == truth[280:]).mean())


def test_many_rows_that_equal_them_are_named_in_a_note():
    note = split(problem(row_set(X[:150], Y[:150]), test=row_set(X + 9, Y)), seed=0).notes[0]
    assert note.startswith("150 of 400 rows were left out of training, as they are equal to test or validation rows")


def test_rows_that_the_teacher_was_trained_on_are_counted_among_those_that_choose():
    drawn = Problem(TEACHER, "a teacher", row_set(X, Y), test=row_set(X + 9, Y), seen=row_set(X[:300]))
    assert (
        split(drawn, seed=0)
        .notes[0]
        .startswith("The teacher was trained on 300 of the 400 rows that students learn from and are validated")
    )
    given = problem(seen=row_set(np.vstack([X, OWN[:7]])))
    assert split(given, seed=0).notes[-1].startswith("The teacher was trained on 7 of the 100 rows to validate on: validation may prefer")
    assert len(split(problem(seen=row_set(X)), seed=0).notes) == 1
