"""Vectorizers of texts as terms; what each setting means is compared through an exported module of Python."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.exporters.export import export
from tutelage.exporters.program.build import program_of
from tutelage.exporters.program.operations import OnnxPart, Terms
from tutelage.exporters.proof import edge_cases
from tutelage.exporters.subject.subject import subject_of
from tutelage.students.columns import with_columns

WORDS = ["good", "bad", "Gr\u00fc\u00dfe", "film", "the", "x", "\u0130stanbul", "snake_case", "\u65e5\u672c\u8a9e", "1e5"]
RANDOM = np.random.default_rng(0)
TEXTS = [" ".join(RANDOM.choice(WORDS, size=RANDOM.integers(0, 9))) for _ in range(200)]
ONE_LETTER = {"token_pattern": r"\w+"}
LABELS = np.array([int("good" in text) + int("bad" in text) for text in TEXTS])


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch):
    monkeypatch.setattr(edge_cases, "ROWS", 250)


def terms_of(student, rows):
    subject, checked = subject_of(student, rows)
    return [step.operation for step in program_of(subject, checked).steps if isinstance(step.operation, Terms)]


@pytest.mark.exhaustive(every=2)
@pytest.mark.parametrize(
    "student",
    [
        tl.SoftTree(max_leaf_nodes=8),
        tl.SoftLogistic(),
        pytest.param(tl.SoftForest(n_estimators=4, random_state=0), marks=pytest.mark.slow),
        pytest.param(tl.SoftBoosting(n_estimators=3), marks=pytest.mark.slow),
    ],
    ids=lambda student: type(student).__name__,
)
def test_a_student_of_texts_answers_as_its_file(student, tmp_path):
    fitted = with_columns(student, TEXTS, scaled=False).fit(TEXTS, LABELS)
    (proof,) = export(fitted, tmp_path / "student.py", check_on=TEXTS).proofs
    assert (proof.rows, proof.decisions_changed, proof.refused) == (250, 0, ())
    assert proof.worst_difference < 1e-6


@pytest.mark.exhaustive(every=3)
@pytest.mark.parametrize(
    "vectorizer",
    [
        CountVectorizer(lowercase=False, binary=True),
        CountVectorizer(stop_words=["good", "the"]),
        TfidfVectorizer(vocabulary=["good", "bad", "never, seen"], norm="l1", use_idf=False),
        HashingVectorizer(n_features=32, ngram_range=(1, 2)),
        HashingVectorizer(n_features=8, binary=True, norm=None),
        make_pipeline(CountVectorizer(ngram_range=(1, 2)), TfidfTransformer(sublinear_tf=True)),
        make_pipeline(HashingVectorizer(n_features=16, norm=None, alternate_sign=False), TfidfTransformer()),
    ],
    ids=lambda vectorizer: type(vectorizer).__name__,
)
def test_each_vectorizer_becomes_one_operation(vectorizer, tmp_path):
    fitted = make_pipeline(vectorizer, tl.SoftLogistic()).fit(TEXTS, LABELS)
    assert len(terms_of(fitted, TEXTS)) == 1
    (proof,) = export(fitted, tmp_path / "student.py", check_on=TEXTS).proofs
    assert proof.worst_difference < 1e-12
    assert proof.decisions_changed == 0


@pytest.mark.exhaustive
def test_a_column_of_texts_beside_numbers(tmp_path):
    frame = pd.DataFrame({"stars": RANDOM.integers(0, 5, len(TEXTS)).astype(float), "note": TEXTS})
    columns = ColumnTransformer([("stars", "passthrough", ["stars"]), ("words", TfidfVectorizer(), "note")])
    for student in (tl.SoftLogistic(), tl.SoftTree(max_leaf_nodes=8)):
        fitted = make_pipeline(columns, student).fit(frame, LABELS)
        (proof,) = export(fitted, tmp_path / "student.py", check_on=frame).proofs
        assert proof.worst_difference < 1e-12
        assert "missing texts" in proof.refused  # scikit-learn refuses them


@pytest.mark.parametrize(
    ("vectorizer", "setting"),
    [
        (CountVectorizer(analyzer="char"), "analyzer='char'"),
        (CountVectorizer(tokenizer=str.split, token_pattern=None), "tokenizer="),
        (TfidfVectorizer(preprocessor=str.strip), "preprocessor="),
        (TfidfVectorizer(strip_accents="unicode"), "strip_accents='unicode'"),
        (CountVectorizer().set_params(**ONE_LETTER), "token_pattern="),
        (CountVectorizer(stop_words=["good"], ngram_range=(1, 2)), "stop_words="),
        (CountVectorizer(stop_words=["good"], vocabulary=["good", "bad"]), "stop_words="),
        (HashingVectorizer(stop_words=["good"], n_features=8), "stop_words="),
    ],
)
def test_settings_that_are_not_written_are_named(vectorizer, setting):
    fitted = make_pipeline(vectorizer, tl.SoftLogistic()).fit(TEXTS, LABELS)
    with pytest.raises(BadInput) as raised:
        terms_of(fitted, TEXTS)
    assert setting in str(raised.value)
    assert "cannot be exported" in str(raised.value)


@pytest.mark.parametrize(
    "steps",
    [
        (HashingVectorizer(n_features=8), TfidfTransformer()),
        (TfidfVectorizer(), TfidfTransformer(norm=None)),
    ],
)
def test_weights_of_anything_but_counts_are_refused(steps):
    fitted = make_pipeline(*steps, tl.SoftTree(max_leaf_nodes=4)).fit(TEXTS, LABELS)
    with pytest.raises(BadInput, match="TfidfTransformer"):
        terms_of(fitted, TEXTS)


def test_logarithms_of_signed_counts_are_refused():
    fitted = make_pipeline(HashingVectorizer(n_features=8, norm=None), TfidfTransformer(), tl.SoftLogistic()).fit(TEXTS, LABELS)
    assert terms_of(fitted, TEXTS)[0].signed
    fitted.steps[1][1].sublinear_tf = True
    with pytest.raises(BadInput, match="counts may be negative"):
        terms_of(fitted, TEXTS)


def test_a_function_among_the_columns_is_refused_and_passing_through_is_not():
    frame = pd.DataFrame({"stars": np.arange(4.0), "size": [3.0, 1, 4, 1]})
    passed = ColumnTransformer([("stars", "passthrough", ["stars"])], remainder="passthrough")
    fitted = make_pipeline(passed, tl.SoftLogistic()).fit(frame, [0, 1, 0, 1])
    subject, rows = subject_of(fitted, frame)
    assert not any(isinstance(step.operation, OnnxPart) for step in program_of(subject, rows).steps)
    fitted = make_pipeline(ColumnTransformer([("log", FunctionTransformer(np.log1p), ["stars", "size"])]), tl.SoftLogistic())
    subject, rows = subject_of(fitted.fit(frame, [0, 1, 0, 1]), frame)
    with pytest.raises(BadInput, match="runs a function of its own"):
        program_of(subject, rows)


def test_a_vectorizer_of_anything_but_a_column_of_texts_is_refused():
    frame = pd.DataFrame({"stars": np.arange(4.0), "note": ["good", "bad", "good film", "the"]})
    model = make_pipeline(ColumnTransformer([("words", CountVectorizer(), "note")]), tl.SoftLogistic()).fit(frame, [0, 1, 0, 1])
    model.steps[0][1].transformers_[0] = ("words", model.steps[0][1].transformers_[0][1], "note")
    subject, rows = subject_of(model, frame)
    model.steps[0][1]._transformer_to_input_indices["words"] = [0]
    with pytest.raises(BadInput, match="does not read one column of texts"):
        program_of(subject, rows)
