"""Words of texts are weighed as scikit-learn weighs them, digits and other alphabets included."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tutelage as tl
from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput
from tutelage.exporters.program import operations as op
from tutelage.exporters.program.program import Program, Step
from tutelage.exporters.proof import edge_cases
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.inputs import Input
from tutelage.exporters.targets.onnx.runtime import OnnxStudent
from tutelage.exporters.targets.onnx.target import model_of
from tutelage.students.columns import with_columns

TEXTS = [
    *("Hello world, hello Wörld", "the naïve café is closed", "日本語 テキスト x² bb_c a b", "", "GRÜSSE aus Köln; grüße aus KÖLN"),
    *("½ cup \ufb01_1 of the World hello world", "a b c", "foo__bar don't stop", "\U0001f642 ok ok OK", "ДОМ дом"),
]


def program(**settings):
    width = len(settings["vocabulary"] or ()) or 4
    defaults = {"shortest": 1, "longest": 1, "lowercase": True, "binary": False, "sublinear": False, "weights": None, "norm": "l2"}
    step = Step(op.Terms(place=0, width=width, **(defaults | settings)), (), (width,))
    return Program((Input(None, "text", "text"),), (0,), (step,), AnswerForm("values", "regression"), np.float64, single=False)


@pytest.mark.parametrize("opset", [11, 17, 25])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"ngram_range": (1, 2), "sublinear_tf": True},
        {"ngram_range": (2, 3)},
        {"binary": True, "norm": "l1"},
        {"norm": None, "use_idf": False, "lowercase": False},
    ],
    ids=str,
)
def test_words_weigh_what_they_weigh_in_scikit_learn(settings, opset):
    model = TfidfVectorizer(**settings).fit(TEXTS)
    shortest, longest = model.ngram_range
    made = program(
        vocabulary=tuple(model.get_feature_names_out()),
        shortest=shortest,
        longest=longest,
        lowercase=model.lowercase,
        binary=model.binary,
        sublinear=model.sublinear_tf,
        weights=model.idf_ if model.use_idf else None,
        norm=model.norm,
    )
    file = OnnxStudent.load(model_of(made, None, opset).SerializeToString())
    others = [*TEXTS, "nothing known", "HELLO hello WORLD"]
    found = file.answers(made, CheckRows(np.empty((len(others), 0)), np.array(others, dtype=object)[:, None])).values
    np.testing.assert_allclose(found, model.transform(others).toarray(), atol=1e-15)
    nothing = file.answers(made, CheckRows(np.empty((2, 0)), np.array([["a"], [None]], dtype=object))).values
    np.testing.assert_array_equal(nothing, np.zeros_like(nothing))


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize(
    ("vocabulary", "ngrams"),
    [
        (["great", "dull", "new york", "new york city"], (1, 1)),
        (["new york", "dull"], (1, 1)),
        (["dull", "new york", "kick it"], (2, 2)),
        (["new york city"], (1, 2)),
        (["great", "", "dull ", " new", "a", "c,d", "new york"], (1, 2)),
    ],
    ids=str,
)
def test_terms_that_never_occur_have_a_place(vocabulary, ngrams, lowercase):
    model = CountVectorizer(vocabulary=vocabulary, ngram_range=ngrams, lowercase=lowercase)
    made = program(vocabulary=tuple(vocabulary), shortest=ngrams[0], longest=ngrams[1], lowercase=lowercase, norm=None)
    file = OnnxStudent.load(model_of(made).SerializeToString())
    texts = ["great", "dull plot", "new york city", "a new york", "", "dull dull kick it it new", "c,d"]
    found = file.answers(made, CheckRows(np.empty((len(texts), 0)), np.array(texts, dtype=object)[:, None])).values
    np.testing.assert_array_equal(found, model.transform(texts).toarray())


def test_what_a_runtime_does_not_compute_is_one_sentence():
    with pytest.raises(BadInput, match="which has no hashing of words"):
        model_of(program(vocabulary=None))
    for word in ("\u03bf\u03b4\u03cc\u03c2", "\u03bf\u03b4\u03cc\u03c3", "\u03b1\u03c31"):
        with pytest.raises(BadInput, match="it knows words with a final sigma"):
            model_of(program(vocabulary=(word,)))


@pytest.mark.parametrize(
    "texts",
    [
        ["istanbul g\u00fczel", "ankara b\u00fcy\u00fck", "taksi stanbul"],
        ["taxi kickback of maki", "the okra i ski", "istanbul stanbul ok kk"],
        ["\u03c3\u03bf\u03c6\u03b9\u03b1 \u03c3\u03c4\u03bf\u03bd", "stra\u00dfe kiwi", "kiwi"],
        ["kkkkkkkk \u00fc", "okkkkkkkkkk", "ok"],
    ],
    ids=["Turkish", "ASCII", "Greek and German", "many k"],
)
@pytest.mark.parametrize("longest", [1, 2])
def test_capitals_with_a_peculiar_lower_case_are_those_of_python(texts, longest):
    model = TfidfVectorizer(ngram_range=(1, longest), norm=None, use_idf=False).fit(texts)
    made = program(vocabulary=tuple(model.get_feature_names_out()), longest=longest, norm=None)
    file = OnnxStudent.load(model_of(made).SerializeToString())
    others = [text.upper() for text in texts]
    for old, new in {"i": "\u0130", "k": "\u212a", "\u00df": "\u1e9e", "ta": "\u0130ta", "i ": "\u0130\u0130 "}.items():
        others += [text.replace(old, new) for text in texts]
    found = file.answers(made, CheckRows(np.empty((len(others), 0)), np.array(others, dtype=object)[:, None])).values
    np.testing.assert_array_equal(found, model.transform(others).toarray())


def test_texts_without_words_are_nothing():
    for vocabulary in (("hello",), ("gr\u00fc\u00dfe",)):
        file = OnnxStudent.load(model_of(made := program(vocabulary=vocabulary)).SerializeToString())
        rows = CheckRows(np.empty((2, 0)), np.array([[""], ["\u0130 a"]], dtype=object))
        np.testing.assert_array_equal(file.answers(made, rows).values, np.zeros((2, 1)))


def test_a_student_of_words_takes_lists_of_texts_and_is_opened_as_a_teacher(tmp_path, monkeypatch):
    monkeypatch.setattr(edge_cases, "ROWS", 100)
    texts = TEXTS * 10
    student = with_columns(tl.SoftLogistic(), texts, scaled=True).fit(texts, np.eye(2)[np.arange(100) % 2], student__classes=["no", "yes"])
    assert tl.export(student, tmp_path / "student.onnx", check_on=texts).proofs[0].refused == ()
    teacher = tl.open_teacher(tmp_path / "student.onnx")
    for rows in (texts, np.array(texts, dtype=object), pd.Series(texts), pd.DataFrame({"letter": texts})):
        np.testing.assert_allclose(teacher.answer(rows), student.predict_proba(texts), atol=1e-6)


def test_empty_texts_of_words_are_compared_and_missing_ones_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(edge_cases, "ROWS", 100)
    frame = pd.DataFrame({"letter": TEXTS * 10, "n": np.arange(100.0)})
    columns = make_column_transformer((TfidfVectorizer(), "letter"), (StandardScaler(), ["n"]))
    student = make_pipeline(columns, LogisticRegression()).fit(frame, np.arange(100) % 2)
    (proof,) = tl.export(student, tmp_path / "student.onnx", check_on=frame).proofs
    assert "missing texts" in proof.refused
    assert "empty texts" not in proof.refused
    teacher = tl.open_teacher(tmp_path / "student.onnx")
    np.testing.assert_allclose(teacher.answer(frame[["n", "letter"]]), student.predict_proba(frame), atol=1e-6)


@pytest.mark.parametrize("lowercase", [True, False])
def test_no_texts_have_no_answers(lowercase, tmp_path):
    texts = ["great film", "a dull plot", "Great!", "so dull"] * 10
    student = make_pipeline(TfidfVectorizer(lowercase=lowercase), tl.SoftLogistic()).fit(texts, [0, 1, 2, 1] * 10)
    tl.export(student, tmp_path / "student.onnx", check_on=texts)
    session = OnnxStudent.load(tmp_path / "student.onnx").session
    (taken,) = session.get_inputs()
    found = session.run(None, {taken.name: np.empty((0, 1), dtype=object)})
    assert [one.shape for one in found] == [(0, 3), (0,)]
