"""`preflight` as a whole: its inputs, its findings about sound teachers, and the errors that it raises."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sound_teachers import CustomTeacher, calling, severity

import tutelage as tl
from tutelage.checks.preflight import preflight
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import softmax
from tutelage.core.errors import BadInput, ShapeError
from tutelage.softlabels.recording import record

pytestmark = pytest.mark.slow

SOUND = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "forest": RandomForestClassifier(100, random_state=0),
    "boosting": HistGradientBoostingClassifier(max_iter=40, random_state=0),
    "gradient": GradientBoostingClassifier(n_estimators=30, max_depth=2, random_state=0),
    "neighbours": make_pipeline(StandardScaler(), KNeighborsClassifier(15)),
}


@pytest.mark.exhaustive(every=7)
@pytest.mark.slow
@pytest.mark.parametrize("load", [load_breast_cancer, load_wine])
@pytest.mark.parametrize("name", sorted(SOUND))
def test_sound_classifiers_pass(load, name):
    X, y = load(return_X_y=True)
    train, rest, train_labels, labels = train_test_split(X, y, test_size=0.5, random_state=0, stratify=y)
    teacher = SOUND[name].fit(train, train_labels)
    half = len(rest) // 2
    found = preflight(teacher, rest[:half], labels[:half], test=rest[half:], test_labels=labels[half:], train=train)
    assert found.worst in ("ok", "note"), str(found)


@pytest.mark.parametrize("regressor", [RidgeCV(), RandomForestRegressor(50, min_samples_leaf=3, random_state=0)])
def test_sound_regressors_pass(regressor):
    X, y = load_diabetes(return_X_y=True)
    train, rest, train_truth, truth = train_test_split(X, y, test_size=0.5, random_state=0)
    found = preflight(regressor.fit(train, train_truth), rest[:110], truth[:110], test=rest[110:], test_labels=truth[110:], train=train)
    assert found.worst in ("ok", "note"), str(found)
    assert {"scale", "baseline", "repeatable", "constant"} <= {finding.check for finding in found.findings}


@pytest.mark.exhaustive
def test_a_sound_network_passes(digits):
    found = preflight(
        calling(digits.network()), digits.rows[:300], digits.labels[:300], test=digits.rows[300:], test_labels=digits.labels[300:]
    )
    assert {finding.check for finding in found.findings if finding.severity != "ok"} == {"columns"}, str(found)  # constant pixels
    assert found.ok


def test_a_teacher_below_the_baseline_is_an_error_even_without_a_bug(digits):
    """Naive Bayes on digits is 10 points below logistic regression."""
    found = preflight(GaussianNB().fit(digits.train, digits.train_labels), digits.rows, digits.labels)
    assert severity(found, "baseline") == "error"
    assert severity(found, "calibration") == "warning"


def frame_of(count=200):
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"size": draw.normal(size=count), "colour": draw.choice(["red", "blue", None], count), "old": draw.random(count) > 0.5}
    )
    frame.loc[::17, "size"] = np.nan
    labels = np.where(frame["size"].fillna(0) + (frame["colour"] == "red") + 0.3 * draw.normal(size=count) > 0.5, "buy", "leave")
    return frame, labels


@pytest.mark.exhaustive
@pytest.mark.slow
def test_frames_with_categories_and_gaps_are_compared_with_a_baseline():
    frame, labels = frame_of()
    columns = make_column_transformer((OneHotEncoder(), ["colour", "old"]), remainder="passthrough")
    teacher = make_pipeline(columns, HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=5)).fit(frame, labels)
    found = preflight(teacher, frame, labels, test=frame[:0:-2], test_labels=labels[:0:-2])
    assert severity(found, "baseline") in ("ok", "note")
    assert severity(found, "shift") in ("ok", "note")
    assert severity(found, "leak") == "error"


@pytest.mark.parametrize("form", ["texts", "sparse"])
def test_texts_and_sparse_rows_are_checked(form):
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 160)
    topics = [["ball", "goal", "team", "run"], ["vote", "law", "party", "tax"]]
    texts = [" ".join([*draw.choice(topics[label], 6), f"w{index}"]) for index, label in enumerate(labels)]
    vectors = TfidfVectorizer().fit(texts)
    rows = texts if form == "texts" else sparse.csr_matrix(vectors.transform(texts))
    model = LogisticRegression(C=20)
    teacher = (make_pipeline(vectors, model) if form == "texts" else model).fit(rows, labels)
    found = preflight(teacher, rows[:100], labels[:100], test=rows[100:], test_labels=labels[100:], rows=90)
    assert severity(found, "baseline") in ("ok", "note")
    assert severity(found, "shift") in ("ok", "note")
    assert severity(found, "leak") == "ok"


@pytest.mark.exhaustive
def test_rows_of_a_file_are_drawn_in_parts_and_the_sample_is_reported(tmp_path, digits, monkeypatch):
    monkeypatch.setattr("tutelage.checks.sampling.BLOCK_ROWS", 100)
    pd.DataFrame(digits.rows).rename(columns=str).to_parquet(tmp_path / "rows.parquet")
    teacher = digits.teacher()
    found = preflight(teacher, tmp_path / "rows.parquet", digits.labels, rows=200, seed=3)
    assert (found.rows, found.of_rows, found.seed) == (200, 600, 3)
    assert found.ok, str(found)
    assert "200 of 600 rows, seed 3" in str(found)


@pytest.mark.exhaustive
@pytest.mark.fitted_anew
def test_the_same_seed_gives_the_same_findings(digits):
    first, second = (preflight(digits.teacher(), digits.rows, digits.labels, rows=150, seed=1) for _ in range(2))
    assert first.to_json() == second.to_json()
    assert first.to_json() != preflight(digits.teacher(), digits.rows, digits.labels, rows=150, seed=2).to_json()


def test_a_failing_teacher_is_a_finding_and_the_data_are_still_checked(digits):
    def fails(inputs):
        raise RuntimeError("CUDA out of memory")

    teacher = digits.teacher()
    object.__setattr__(teacher, "function", fails)
    found = preflight(teacher, digits.rows[:100], digits.labels[:100], test=digits.rows[100:])
    assert "RuntimeError: CUDA out of memory" in found.findings[0].sentence
    assert {finding.check for finding in found.findings} == {"answers", "columns", "duplicates", "leak", "shift"}


def test_recorded_answers_need_not_include_the_test_rows(digits):
    recorded = record(digits.teacher(), digits.rows[:300])
    found = preflight(recorded, digits.rows[:300], test=digits.rows[300:])
    assert severity(found, "test-answers") == "note"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rows": 0}, BadInput, "rows is 0"),
        ({"test_labels": [1]}, BadInput, "without test="),
        ({"labels": [1, 2]}, ShapeError, r"y has 2 rows and X has 600"),
    ],
)
def test_an_invalid_call_raises(digits, options, error, message):
    with pytest.raises(error, match=message):
        preflight(digits.teacher(), digits.rows, **options)


def test_an_unfitted_teacher_raises(digits):
    with pytest.raises(BadInput, match="not fitted"):
        preflight(Ridge(), digits.rows)


@pytest.mark.exhaustive(every=8)
@pytest.mark.parametrize("kind", ["logits", "probabilities"])
@pytest.mark.parametrize("classes", [2, 3, 10, 50])
def test_a_teacher_that_is_right_by_construction_gives_no_error(kind, classes):
    """Labels drawn from the teacher's answers, from uncertain to saturated, from five rows to many."""
    form = AnswerForm(kind, "binary" if classes == 2 else "multiclass", tuple(range(classes)))
    for rows in (5, 40, 300):
        for scale in (0.3, 1.0, 8.0):
            draw_of = np.random.default_rng(rows)
            X, weights = draw_of.normal(size=(rows, 6)), draw_of.normal(size=(6, classes)) * scale / np.sqrt(6)
            p = softmax(X @ weights)
            labels = np.minimum((p.cumsum(axis=1) < draw_of.random((rows, 1))).sum(axis=1), classes - 1)
            function = (lambda x, w=weights: x @ w) if kind == "logits" else (lambda x, w=weights: softmax(x @ w))
            found = preflight(CustomTeacher(function, form), X, labels)
            assert not found.of("error"), str(found)
            assert {finding.check for finding in found.of("warning")} <= {"accuracy", "labels-known"}, str(found)


@pytest.mark.exhaustive
def test_the_columns_to_drop_may_come_from_a_generator():
    frame, labels = frame_of()
    teacher = CustomTeacher(lambda rows: np.zeros((len(rows), 2)), AnswerForm("logits", "binary", ("buy", "leave")))
    numbered = frame.assign(number=np.arange(len(frame)))
    whole, listed, generated = (
        preflight(teacher, numbered, labels, drop=drop).findings for drop in ((), ["number"], (name for name in ["number"]))
    )
    assert generated == listed != whole


def test_a_teacher_is_asked_for_its_decisions_once():
    asked = []

    class Counting(LogisticRegression):
        def predict(self, X):
            asked.append(len(X))
            return super().predict(X)

    X = np.random.default_rng(0).normal(size=(300, 2))
    model = Counting().fit(X, X[:, 0] > 0)
    tl.preflight(model, X, X[:, 0] > 0)
    assert asked == [300]
