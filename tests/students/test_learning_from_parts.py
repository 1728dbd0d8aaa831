import numpy as np
import pytest

import tutelage as tl
from tutelage.core.errors import BadInput, LabelMismatch

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(403, 5)) * [1, 2, 3, 4, 5]
WEIGHTS = RNG.uniform(0, 2, 403).round(1)


def teacher(classes):
    coefficients = RNG.normal(size=(5, classes))
    return tl.as_teacher(lambda rows: np.asarray(rows) @ coefficients, kind="logits", classes=list("abcd"[:classes]), version="1")


@pytest.fixture(params=[2, 4])
def recorded(request, tmp_path):
    return tl.record(teacher(request.param), ROWS, tmp_path / "labels", shard_rows=50)


@pytest.mark.exhaustive(every=3)
@pytest.mark.parametrize("window", [60, 1000])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_logistic_regression_finds_the_same_optimum(recorded, window, weights):
    whole = tl.SoftLogistic(C=0.01, tol=1e-8).fit(ROWS, recorded, sample_weight=weights)
    parts = tl.SoftLogistic(C=0.01, tol=1e-8).fit(tl.parts(ROWS, recorded, window=window), sample_weight=weights)
    np.testing.assert_allclose(parts.coef_, whole.coef_, atol=1e-5)
    np.testing.assert_allclose(parts.intercept_, whole.intercept_, atol=1e-5)
    assert (parts.rows_learnt_, parts.rows_given_) == (403, 403)
    assert parts.classes_.tolist() == whole.classes_.tolist()


@pytest.mark.parametrize("student", [tl.SoftTree(max_leaf_nodes=8, random_state=0), tl.SoftForest(n_estimators=3, random_state=0)])
def test_trees_learn_from_a_sample_and_say_so(recorded, student):
    whole = student.fit(ROWS, recorded).predict_proba(ROWS)
    np.testing.assert_array_equal(student.fit(tl.parts(ROWS, recorded)).predict_proba(ROWS), whole)
    data = tl.parts(ROWS, recorded, window=100, seed=3)
    few = student.fit(data).predict_proba(ROWS)
    assert (student.rows_learnt_, student.rows_given_) == (100, 403)
    np.testing.assert_array_equal(student.fit(data).predict_proba(ROWS), few)
    assert (student.fit(tl.parts(ROWS, recorded, window=100, seed=4)).predict_proba(ROWS) != few).any()
    assert (student.fit(ROWS, recorded).rows_learnt_, student.rows_given_) == (403, 403)


@pytest.mark.exhaustive(every=3)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("engine", ["lightgbm", "xgboost"])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_boosting_by_parts_is_as_good_as_in_memory(tmp_path, engine, weights, dtype):
    pytest.importorskip(engine)
    rows = ROWS.astype(dtype)
    recorded = tl.record(teacher(2 if dtype == np.float32 else 4), rows, tmp_path / "labels", shard_rows=50)
    settings = {"engine": engine, "n_estimators": 20, "num_leaves": 8, "n_jobs": 1, "random_state": 0}
    probabilities = tl.SoftLabels(recorded.labels.answers, recorded.form, recorded.labels.names).probabilities
    losses = {}
    for name, fitted in {
        "memory": tl.SoftBoosting(**settings).fit(rows, recorded, sample_weight=weights),
        "parts": tl.SoftBoosting(**settings).fit(tl.parts(rows, recorded, window=60), sample_weight=weights),
    }.items():
        losses[name] = -(probabilities * np.log(fitted.predict_proba(rows))).sum(axis=1).mean()
    assert losses["parts"] == pytest.approx(losses["memory"], rel=0.05)
    assert losses["parts"] < 0.7 * np.log(probabilities.shape[1])


def test_frames_are_learnt_in_the_recorded_columns(tmp_path):
    import pandas as pd

    frame = pd.DataFrame(ROWS, columns=list("vwxyz")).assign(truth="no")
    model = tl.as_teacher(lambda rows: np.asarray(rows)[:, :3], kind="logits", classes=["a", "b", "c"], version="1")
    labels = tl.record(model, frame[list("vwxyz")], tmp_path / "labels", shard_rows=50)
    frame.to_parquet(tmp_path / "rows.parquet")
    data = tl.parts(tmp_path / "rows.parquet", labels, "truth", window=100)
    for student in (tl.SoftTree(max_leaf_nodes=4), tl.SoftLogistic(), tl.SoftBoosting(n_estimators=2, n_jobs=1)):
        assert student.fit(data).feature_names_in_.tolist() == list("vwxyz")


def test_rows_that_a_student_refuses_are_refused_in_parts(tmp_path):
    rows = ROWS.copy()
    rows[300, 2] = np.nan
    labels = tl.record(teacher(2), np.nan_to_num(rows), tmp_path / "labels", shard_rows=50).labels.paired_with(rows)
    with pytest.raises(BadInput, match="NaN"):
        tl.SoftLogistic().fit(tl.parts(rows, labels, window=60))
    values = tl.record(tl.as_teacher(lambda rows: rows[:, 0], kind="values", version="1"), ROWS)
    with pytest.raises(LabelMismatch, match="the answers are regression; this student learns from one class a row"):
        tl.SoftTree().fit(tl.parts(ROWS, values))
    data = tl.parts(rows, labels)
    with pytest.raises(BadInput, match="parts hold their answers, which name the classes"):
        tl.SoftTree().fit(data, labels)


def test_any_estimator_learns_from_a_sample(recorded):
    from sklearn.tree import DecisionTreeClassifier

    student = tl.SoftTargets(DecisionTreeClassifier(max_leaf_nodes=8, random_state=0)).fit(tl.parts(ROWS, recorded, window=100))
    assert (student.rows_learnt_, student.rows_given_) == (100, 403)
    assert student.predict_proba(ROWS).shape == (403, len(recorded.form.classes))


def test_students_that_learn_in_memory_only_say_so(recorded):
    students = [tl.PerLabel(tl.SoftTree()), tl.DistilledClassifier(tl.SoftTree(), recorded)]
    for student in students:
        with pytest.raises(BadInput, match=r"learns from rows in memory, and these are read in parts; TorchStudent, SoftLogistic"):
            student.fit(tl.parts(ROWS, recorded))


def test_what_was_learnt_from_how_many_rows_is_saved(recorded, tmp_path):
    student = tl.SoftTree(max_leaf_nodes=4, random_state=0).fit(tl.parts(ROWS, recorded, window=100))
    loaded = tl.load_student(tl.save_student(student, tmp_path / "student"))
    assert (loaded.rows_learnt_, loaded.rows_given_) == (100, 403)


def test_sparse_rows_are_learnt_from_parts(tmp_path):
    from scipy import sparse

    rows = sparse.csr_array(np.where(ROWS > 0, ROWS, 0))
    labels = tl.record(teacher(2), rows.toarray(), tmp_path / "labels", shard_rows=50)
    data = tl.parts(rows, labels, window=100)
    for student in (tl.SoftLogistic(C=0.01), tl.SoftTree(max_leaf_nodes=4, random_state=0), tl.SoftBoosting(n_estimators=5, n_jobs=1)):
        dense = student.fit(tl.parts(rows.toarray(), labels, window=100)).predict_proba(rows.toarray())
        np.testing.assert_allclose(student.fit(data).predict_proba(rows), dense, atol=1e-4)
