import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_moons
from sklearn.linear_model import LogisticRegression

from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.table_file import TableFile
from tutelage.workflow.distillation.given.from_files import problem_of_files
from tutelage.workflow.open_answers import SourceOptions

X, Y = make_moons(200, noise=0.3, random_state=0)
ROWS = pd.DataFrame(X, columns=["a", "b"])
FULL = ROWS.assign(y=Y, w=1.0 + np.arange(200) % 3, customer=np.arange(200) // 4, day=np.arange(200))


@pytest.fixture
def problem(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    FULL.to_csv("rows.csv", index=False)
    with (tmp_path / "teacher.pkl").open("wb") as file:
        pickle.dump(LogisticRegression().fit(ROWS, Y), file)

    def opened(*, drop=("day",), **others):
        for name, frame in others.items():
            frame.to_csv(f"{name}.csv", index=False)
        file = TableFile.open("rows.csv", truth=["y"], weight="w", drop=drop)
        paths = {name: tmp_path / f"{name}.csv" for name in others}
        return problem_of_files("teacher.pkl", file, SourceOptions(trust=True), group="customer", time="day", **paths)

    return opened


def test_test_rows_have_their_weights_and_groups(problem):
    found = problem(test=FULL[:50])
    assert found.test.weights.tolist() == FULL["w"][:50].tolist()
    assert found.test.groups.tolist() == FULL["customer"][:50].tolist()
    with pytest.raises(BadInput, match="has no column 'customer'"):
        problem(test=FULL[:50].drop(columns="customer"))


def test_validation_rows_have_their_weights_and_groups(problem):
    found = problem(validation=FULL[:50].drop(columns="day")).validation
    for name, column in (("truth", "y"), ("weights", "w"), ("groups", "customer")):
        assert getattr(found, name).tolist() == FULL[column][:50].tolist()
    with pytest.raises(BadInput, match=r"has no column 'customer'"):
        problem(validation=FULL[:50].drop(columns="customer"))


@pytest.mark.parametrize("name", ["pool", "train"])
@pytest.mark.parametrize(
    "frame", [ROWS, FULL.assign(y=None, w=None, day=None), FULL.assign(y="unknown", w=None, day=None)], ids=["lacks", "empty", "texts"]
)
def test_a_pool_needs_the_features_alone(problem, name, frame):
    found = problem(**{name: frame})
    rows = found.pool if name == "pool" else found.seen
    assert list(rows.rows.columns) == ["a", "b"]
    assert (rows.truth, rows.weights, rows.times) == (None, None, None)


def test_the_weights_of_a_pool_are_read_where_it_has_them(problem):
    assert problem(pool=FULL).pool.weights.tolist() == FULL["w"].tolist()
    with pytest.raises(BadInput, match=r"column 'w' of .*pool\.csv has 1 empty cells"):
        problem(pool=FULL.assign(w=FULL["w"].where(FULL.index > 0)))


def test_the_groups_of_a_pool_are_read_where_it_has_them(problem):
    assert problem(pool=FULL).pool.groups.tolist() == FULL["customer"].tolist()
    assert problem(pool=ROWS).pool.groups is None


def test_the_times_of_a_pool_are_read_where_it_has_them(problem):
    assert problem(pool=FULL).pool.times.tolist() == FULL["day"].tolist()
    assert problem(pool=FULL, train=FULL).seen.times is None
    assert problem(pool=ROWS).pool.times is None


def test_an_archive_holds_rows_of_any_shape_with_truth_groups_and_times_beside_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pictures = np.stack([X, X[:, ::-1]], axis=1)
    others = {"y": Y, "w": 1.0 + np.arange(200) % 3, "customer": np.arange(200) // 4, "day": np.arange(200)}
    np.savez("rows.npz", pictures=pictures, **others)
    np.savez("test.npz", X=pictures[:50] + 1, **{name: values[:50] for name, values in others.items()})
    np.savez("pool.npz", pictures=pictures[:30] + 2, y=np.full(30, np.nan))
    np.save("train.npy", pictures[:40])
    (tmp_path / "teacher.py").write_text("import numpy as np\ndef predict_proba(rows):\n    return np.full((len(rows), 2), 0.5)\n")
    monkeypatch.syspath_prepend(tmp_path)
    file = TableFile.open("rows.npz", truth=["y"], weight="w")
    paths = {"test": tmp_path / "test.npz", "pool": tmp_path / "pool.npz", "train": tmp_path / "train.npy"}
    options = SourceOptions(classes=(0, 1), kind="probabilities", teacher_version="1")
    found = problem_of_files("teacher:predict_proba", file, options, group="customer", time="day", **paths)
    np.testing.assert_array_equal(found.given.rows, pictures)
    np.testing.assert_array_equal(found.given.asked.part(0, 200), pictures)
    assert (found.given.truth.tolist(), found.given.groups.tolist()) == (Y.tolist(), others["customer"].tolist())
    assert (found.given.times.tolist(), found.given.weights.tolist()) == (others["day"].tolist(), others["w"].tolist())
    assert (found.test.count, found.pool.count, found.seen.count) == (50, 30, 40)
    assert found.source["row_shape"] == [2, 2]
    file = file.with_roles(truth=["y"], drop=["w", "customer", "day"])
    np.savez("pool.npz", pictures=pictures[:30, :1])
    with pytest.raises(ShapeError, match=r"each row of .*pool.npz has shape \(1, 2\); expected \(2, 2\)"):
        problem_of_files("teacher:predict_proba", file, options, pool=paths["pool"])
    np.savez("pool.npz", pictures=(pictures[:30] * 100).astype(np.int16))
    with pytest.raises(BadInput, match=r"pool.npz holds whole numbers up to \d+, and the rows hold fractions up to .*; pass both"):
        problem_of_files("teacher:predict_proba", file, options, pool=paths["pool"])


@pytest.mark.parametrize("texts", [False, True])
def test_an_archive_may_lack_the_truth_of_rows_and_the_weights_of_a_pool(tmp_path, monkeypatch, texts):
    monkeypatch.chdir(tmp_path)
    lacking = np.arange(200) % 4 == 0
    truth = np.where(lacking, "", np.where(Y == 1, "yes", "no")) if texts else np.where(lacking, np.nan, Y)
    np.savez("rows.npz", X=X, y=truth, w=np.ones(200))
    np.savez("pool.npz", X=X[:30] + 2, w=np.full(30, np.nan))
    with (tmp_path / "teacher.pkl").open("wb") as file:
        pickle.dump(LogisticRegression().fit(X, np.where(Y == 1, "yes", "no") if texts else Y), file)
    file = TableFile.open("rows.npz", truth=["y"], weight="w")
    found = problem_of_files("teacher.pkl", file, SourceOptions(trust=True), pool=tmp_path / "pool.npz", unlabelled="pool")
    assert (found.given.count, found.pool.count) == (150, 80)
    assert found.pool.rows[30:].tolist() == X[lacking].tolist()
    assert np.isnan(found.pool.weights).tolist() == [True] * 30 + [False] * 50
    with pytest.raises(BadInput, match=r"lacks the ground truth of 50 of 200 rows .*unlabelled='pool'"):
        problem_of_files("teacher.pkl", file, SourceOptions(trust=True))


def test_a_class_is_no_gap_and_a_cell_that_is_one_is_named(problem, tmp_path):
    names = FULL.assign(y=np.where(Y, "None", "Low"))
    names.to_csv("test.csv", index=False)
    problem()  # writes the teacher, which is then another one
    with (tmp_path / "teacher.pkl").open("wb") as file:
        pickle.dump(LogisticRegression().fit(ROWS, names["y"]), file)

    def opened(frame):
        frame.to_csv("rows.csv", index=False)
        file = TableFile.open("rows.csv", truth=["y"], weight="w", drop=["day", "customer"])
        return problem_of_files("teacher.pkl", file, SourceOptions(trust=True), test=tmp_path / "test.csv")

    found = opened(names)
    assert (found.given.truth.tolist(), found.test.truth.tolist()) == (names["y"].tolist(),) * 2
    with pytest.raises(BadInput, match=r"lacks the ground truth of 1 of 200 rows .* A cell 'NA' is read as an empty one; declare dtype="):
        opened(names.assign(y=names["y"].where(names.index > 0, "NA")))
