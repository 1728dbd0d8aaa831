import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeRegressor

import tutelage as tl
from tutelage.evaluation.deployed.drift import REFERENCE, Profile, RecentRows, columns_of_rows, figures_of_answers
from tutelage.students.columns import with_columns
from tutelage.workflow import reference
from tutelage.workflow.reference import write_reference


def read(folder):
    return Profile.from_json(json.loads((folder / REFERENCE).read_text()), REFERENCE)


@pytest.fixture(scope="module")
def table():
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": random.normal(40, 10, 400),
            "city": random.choice(["Bonn", "Rome"], 400),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, 400), unit="D"),
        }
    )
    frame.loc[:20, "age"] = np.nan
    return frame, (frame["city"] == "Bonn").to_numpy() & (random.random(400) < 0.9)


def test_each_column_and_the_answers_of_a_table_are_counted(table, tmp_path):
    frame, truth = table
    student = with_columns(tl.SoftTree(max_leaf_nodes=4), frame, scaled=False).fit(frame, truth)
    write_reference(tmp_path, student, frame)
    profile = read(tmp_path)
    assert profile.rows == 400
    assert profile.file is None
    (tmp_path / "student.onnx").write_bytes(b"a file")
    write_reference(tmp_path, student, frame)
    assert read(tmp_path).file == hashlib.sha256(b"a file").hexdigest()
    assert {one.name: one.kind for one in profile.columns} == {"age": "number", "city": "text", "since": "number"}
    missing = {one.name: one.counts[-1] for one in profile.columns}
    assert missing == {"age": 21, "city": 0, "since": 0}
    assert [one.name for one in profile.answers] == ["decision", "confidence"]
    assert "Bonn" not in (tmp_path / REFERENCE).read_text()


def test_rows_of_an_array_are_named_by_their_places_and_values_are_counted(tmp_path):
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 2))
    write_reference(tmp_path, _regressor(X), X)
    profile = read(tmp_path)
    assert [one.name for one in profile.columns] == ["0", "1"]
    assert [one.name for one in profile.answers] == ["value"]


def _regressor(X):
    return DecisionTreeRegressor(max_leaf_nodes=8).fit(X, X[:, 0])


def test_texts_are_counted_by_their_length_and_no_text_is_stored(tmp_path):
    texts = [f"letter {place} " + "good " * (place % 7) + "bad " * (place % 3) for place in range(200)]
    truth = np.arange(200) % 3 == 0
    student = with_columns(tl.SoftLogistic(), texts, scaled=False).fit(texts, truth)
    write_reference(tmp_path, student, texts)
    (column,) = read(tmp_path).columns
    assert (column.kind, sum(column.counts)) == ("length", 200)
    assert "good" not in (tmp_path / REFERENCE).read_text()


@pytest.mark.parametrize(("name", "most"), [("MOST_ROWS", 50), ("MOST_CELLS", 100)])
def test_of_many_rows_some_are_drawn(monkeypatch, tmp_path, name, most):
    monkeypatch.setattr(reference, name, most)
    X = np.random.default_rng(0).normal(size=(300, 2))
    write_reference(tmp_path, _regressor(X), X)
    assert read(tmp_path).rows == 50


def test_the_rows_themselves_show_no_shift_and_others_do(table, tmp_path):
    frame, truth = table
    student = with_columns(tl.SoftTree(max_leaf_nodes=4), frame, scaled=False).fit(frame, truth)
    write_reference(tmp_path, student, frame)
    profile = read(tmp_path)
    numbers = np.column_stack([frame["age"], (frame["since"] - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)])
    texts = frame[["city"]].to_numpy(dtype=object)
    answers = student.predict_proba(frame)
    for add, low, high in ((0.0, 0.0, 1e-9), (20.0, 1.0, 50.0)):
        recent = RecentRows(profile)
        columns = columns_of_rows(("age", "city", "since"), numbers + np.array([add, 0.0]), texts, (False, True, False))
        recent.see(columns, figures_of_answers("binary", (False, True), answers, answers.max(axis=1)))
        found, of_answers = recent.shifts()
        assert low <= found["age"] <= high
        assert max(found["city"], found["since"], *of_answers.values()) < 1e-9
