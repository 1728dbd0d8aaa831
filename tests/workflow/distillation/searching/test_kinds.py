"""Any task, and rows of any kind, from a teacher to a file."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import nn

import tutelage as tl
from tutelage.search import families
from tutelage.students.columns import with_columns

RNG = np.random.default_rng(0)
COUNT, SEEN = 400, 150
X = RNG.normal(size=(COUNT, 4))
VALUE = X[:, 0] + X[:, 1] * X[:, 2]
BINARY = (VALUE > 0).astype(int)
NAMES = np.array(["a", "b", "c"])[np.digitize(VALUE, [-0.7, 0.7])]
RARE = np.where(np.arange(COUNT) % 80 == 3, "rare", NAMES)
SEVERAL = np.column_stack([BINARY, X[:, 3] > 0]).astype(int)
FRAME = pd.DataFrame(X, columns=list("abcd"))
FRAME["kind"] = RNG.choice(["x", "y", None], COUNT)
FRAME["day"] = pd.to_datetime("2024-01-01") + pd.to_timedelta(RNG.integers(0, 400, COUNT), "D")
FRAME.loc[::7, "a"] = np.nan
PICTURES = np.repeat(np.clip(64 * X + 128, 0, 255).astype(np.uint8).reshape(COUNT, 1, 2, 2), 2, axis=3)
TEXTS = [f"{' '.join(RNG.choice(['alpha', 'beta', 'gamma'], 4))} {'win' if one else 'lose'}" for one in BINARY]


@pytest.fixture(autouse=True)
def _few_epochs(untimed, monkeypatch):
    monkeypatch.setattr(families, "ROW_VISITS", 3000)  # networks see every row ten times


def taken(rows, places=slice(SEEN, None)):
    return rows.iloc[places].reset_index(drop=True) if isinstance(rows, pd.DataFrame) else rows[places]


def taught(rows, truth):
    values = truth.dtype.kind == "f"
    forest = (RandomForestRegressor if values else RandomForestClassifier)(10, min_samples_leaf=3, random_state=0)
    if isinstance(rows, list):
        model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    else:
        in_columns = isinstance(rows, pd.DataFrame) or rows.ndim > 2
        model = with_columns(forest, rows, scaled=False) if in_columns else forest
    seen = slice(0, SEEN)
    return model.fit(taken(rows, seen), truth[seen])


def of_polars(rows, truth):
    polars, model = pytest.importorskip("polars"), taught(rows, truth)
    teacher = tl.as_teacher(lambda given: model.predict_proba(given.to_pandas()), kind="probabilities", classes=model.classes_.tolist())
    return teacher, polars.from_pandas(taken(rows))


def convolution(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs[0], 8, 2), nn.ReLU(), nn.Flatten(), nn.LazyLinear(outputs))


CASES = {
    "two classes": (X, BINARY, {"students": ["tree", "logistic", "mlp"], "trials": 3}),
    "three classes": (X, NAMES, {}),
    "a rare class": (X, RARE, {"students": ["tree", "logistic", "mlp", "boosting"], "trials": 4}),
    "several labels": (X, SEVERAL, {"students": ["tree", "mlp"]}),
    "several values": (X, np.column_stack([VALUE, X[:, 3] ** 2]), {"students": ["tree", "linear", "mlp"], "trials": 3}),
    "values": (X, VALUE, {"students": ["tree", "linear", "mlp", "boosting"], "trials": 4}),
    "a frame": (FRAME, NAMES, {"students": ["tree", "logistic", "mlp"], "trials": 3}),
    "a frame and values": (FRAME, VALUE, {"students": ["tree", "mlp"]}),
    "texts": (TEXTS, BINARY, {}),
    "pictures": (PICTURES, BINARY, {"students": ["tree", "logistic"]}),
    "pictures for a torch network": (PICTURES, BINARY, {"students": {"net": tl.TorchClassifier(convolution, learning_rate=0.01)}}),
    "sparse rows": (sp.csr_matrix(X * (np.abs(X) > 0.5)), BINARY, {}),
}


@pytest.fixture
def run(tmp_path):
    def distilled(teacher, rows, truth, **options):
        given = {"students": None, "trials": 3, "seeds": 2, "export": "py", "into": tmp_path / "run", **options}
        return tl.distill(teacher, rows, truth, **given)

    return distilled


@pytest.mark.exhaustive(every=20)
@pytest.mark.parametrize("name", CASES)
def test_any_task_and_any_rows(run, name):
    rows, truth, options = CASES[name]
    given = taken(rows)
    found = run(taught(rows, truth), given, truth[SEEN:], **options)
    answers = found.student.predict(given)
    assert answers.shape == truth[SEEN:].shape
    assert [one.file for one in found.record.exports] == ["student.py"]
    assert found.chosen.size_bytes is not None
    error = (answers - truth[SEEN:]) ** 2 if truth.dtype.kind == "f" else answers != truth[SEEN:]
    chance = truth.var(axis=0).mean() if truth.dtype.kind == "f" else 0.45
    assert np.mean(error) < chance


def of_pictures(rows, truth):
    model = taught(rows.reshape(len(rows), -1), truth)
    return tl.as_teacher(lambda asked: model.predict_proba(asked.reshape(len(asked), -1)), kind="probabilities", classes=[0, 1])


TIMED = {
    "numbers": (X, VALUE),
    "several labels": (X, SEVERAL),
    "a frame": (FRAME, NAMES),
    "texts": (TEXTS, BINARY),
    "sparse rows": (sp.csr_matrix(X), BINARY),
    "pictures": (X.reshape(-1, 2, 2), BINARY),
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("end", ["py", "onnx"])
@pytest.mark.parametrize("name", TIMED)
def test_files_of_any_rows_are_timed(run, unchecked, name, end):
    rows, truth = TIMED[name]
    teacher = (of_pictures if name == "pictures" else taught)(rows, truth)
    limits = tl.Limits(latency="1s")
    found = run(teacher, taken(rows), truth[SEEN:], students=["tree"], trials=1, limits=limits, export=end)
    assert 0 < found.chosen.latency.p50_us < 1_000_000
    assert all(0 < trial["latency_us"] < 1_000_000 for trial in found.front)


@pytest.mark.exhaustive(every=3)
@pytest.mark.parametrize("truth", [NAMES, VALUE, SEVERAL], ids=["classes", "values", "labels"])
def test_without_the_ground_truth_all_is_measured_against_the_teacher(run, unchecked, truth):
    found = run(taught(X, truth), X[SEEN:], None, students=["tree"], trials=2)
    assert found.record.against == "teacher"
    assert not {"labels", "plain model"} & {arm.name for arm in found.arms}


@pytest.mark.exhaustive
def test_polars_frames_are_taken_and_made(run, unchecked):
    teacher, rows = of_polars(FRAME, NAMES)
    found = run(teacher, rows, NAMES[SEEN:], students=["tree"], trials=2)
    assert "answers, more rows" in {arm.name for arm in found.arms}
    assert found.student.predict(rows).shape == (COUNT - SEEN,)


@pytest.mark.exhaustive
def test_texts_choose_how_many_words_they_use_and_take_a_pool(run, unchecked):
    found = run(taught(TEXTS, BINARY), TEXTS[SEEN:320], BINARY[SEEN:320], pool=TEXTS[320:])
    assert {arm.student for arm in found.arms} <= {"tree", "logistic", ""}  # networks only where they are named
    assert "answers, more rows" in {arm.name for arm in found.arms}
    assert all(trial["settings"]["max_words"] in (1000, 3000, 5000, 20_000) for trial in found.front)


def test_a_pipeline_of_the_users_reads_the_texts_itself(run, unchecked):
    own = {"mine": (make_pipeline(TfidfVectorizer(), tl.SoftLogistic()), {})}
    found = run(taught(TEXTS, BINARY), TEXTS[SEEN:], BINARY[SEEN:], students=own, trials=1)
    assert found.record.arm("answers").student == "mine"
    assert found.student.predict(["alpha win", "alpha lose"]).tolist() == [1, 0]


@pytest.mark.exhaustive
def test_networks_of_texts_are_tried_where_they_are_named(run, unchecked):
    found = run(taught(TEXTS, BINARY), TEXTS[SEEN:], BINARY[SEEN:], students=["mlp"], trials=1)
    assert found.chosen.student == "mlp"
    assert not any("'mlp' is left out" in note for note in found.record.notes)


@pytest.mark.exhaustive
def test_rows_that_none_can_be_made_from_are_said(run, unchecked):
    found = run(taught(X, BINARY), sp.csr_matrix(X[SEEN:]), BINARY[SEEN:], students=["tree"], trials=2)
    assert any("sparse rows are not made from others" in note for note in found.record.notes)
