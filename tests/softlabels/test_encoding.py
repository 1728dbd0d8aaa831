import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.arrays import softmax
from tutelage.core.errors import BadInput, NotProbabilities
from tutelage.core.position_answers import PositionAnswers
from tutelage.softlabels.encoding import Encoding, EncodingCost, encoding_from, measured_cost

LOGITS = of_classes("logits", "abcd")
PROBABLE = LOGITS.as_kind("probabilities")
EACH = AnswerForm("probabilities", "multilabel", ("x", "y"))
VALUES = AnswerForm("values", "regression")
Z = np.random.default_rng(0).normal(size=(200, 4)) * 8


def decoded(encoding, answers, form):
    """The answers after encoding and decoding."""
    read = encoding.decoded(encoding.stored(answers, form)[0], form)
    return read.as_kind(form.kind) if isinstance(read, TopAnswers) else read


@pytest.mark.parametrize("form", [LOGITS, PROBABLE, VALUES])
def test_full_precision_is_read_back_bit_for_bit(form):
    original = softmax(Z) if form.kind == "probabilities" else Z
    encoding = Encoding("float64").fitted_to(form)
    assert encoding.is_lossless_for(original.dtype)
    np.testing.assert_array_equal(decoded(encoding, original, form), original)
    assert measured_cost(original, original, form) == EncodingCost(200)
    assert not Encoding("float32").is_lossless_for(original.dtype)


@pytest.mark.parametrize("form", [LOGITS, PROBABLE])
def test_half_precision_preserves_what_a_high_temperature_uses(form):
    original = (softmax(Z) if form.kind == "probabilities" else Z + 1000).astype(np.float32)
    stored = decoded(Encoding("float16").fitted_to(form), original, form)
    for temperature in (1.0, 20.0):
        np.testing.assert_allclose(form.probabilities(stored, temperature), softmax(Z / temperature), atol=2e-3, rtol=5e-3)
    plain = original.astype(np.float16) if form.kind == "probabilities" else None
    if plain is not None:  # storing the probabilities themselves in half precision would lose these
        assert (plain == 0).any()
        assert (stored > 0).all()
    assert 0 < measured_cost(original, stored, form).mean < 1e-5


def test_multilabel_answers_are_stored_as_log_odds():
    original = np.array([[1e-6, 1 - 1e-6], [0.5, 0.0]])
    stored = decoded(Encoding("float16").fitted_to(EACH), original, EACH)
    np.testing.assert_allclose(stored, original, rtol=2e-2, atol=1e-12)


def test_top_k_stores_the_most_probable_classes_and_the_rest():
    original = np.array([[0.6, 0.1, 0.25, 0.05], [0.0, 0.0, 0.0, 1.0]])
    top, _ = Encoding("float64", 2).stored(original, PROBABLE)
    assert (top.ids[:, 0].tolist(), top.ids.dtype, top.log_probs.dtype, top.rest.dtype) == ([0, 3], np.uint16, np.float64, np.float32)
    np.testing.assert_allclose(np.exp(top.rest), [0.15, 0.0], rtol=1e-6)
    stored = decoded(Encoding("float64", 2), original, PROBABLE)
    np.testing.assert_allclose(stored[0], [0.6, 0.075, 0.25, 0.075], rtol=1e-6)
    np.testing.assert_array_equal(stored[1], [0, 0, 0, 1])
    np.testing.assert_allclose(LOGITS.probabilities(decoded(Encoding("float64", 2), np.log(original[:1]), LOGITS)), stored[:1], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("top_k", [1, 3])
def test_the_cost_of_top_k_is_the_divergence_of_what_is_read(dtype, top_k):
    for form, original in ((LOGITS, Z), (PROBABLE, softmax(Z))):
        encoding = Encoding(dtype, top_k)
        cost = encoding.stored(original, form)[1]
        expected = measured_cost(original, decoded(encoding, original, form), form)
        assert cost.total == pytest.approx(expected.total, rel=1e-4, abs=1e-4)
        assert cost.worst == pytest.approx(expected.worst, rel=1e-4, abs=1e-5)


def test_the_most_probable_classes_of_a_teacher_are_stored_as_they_are_or_fewer():
    exact = TopAnswers.of(Z, "logits", 3)
    stored, cost = Encoding("float32").stored(exact, LOGITS)
    np.testing.assert_array_equal(stored.log_probs, exact.log_probs)
    assert cost.total == pytest.approx(0, abs=1e-4)
    fewer, cost = Encoding("float32", 1).stored(exact, LOGITS)
    np.testing.assert_allclose(fewer.rest, TopAnswers.of(Z, "logits", 1).rest, rtol=1e-5, atol=1e-6)
    assert cost.total == pytest.approx(measured_cost(exact.dense(), fewer.dense(), LOGITS).total, rel=1e-4)
    with pytest.raises(BadInput, match="name the 3 most probable classes, and 4 are expected; pass top_k=3"):
        Encoding("float32", 4).stored(exact, LOGITS)


@pytest.mark.parametrize("encoding", [Encoding("float32"), Encoding("float16"), Encoding("float16", 2)])
def test_answers_with_positions_are_stored_as_those_of_rows(encoding):
    form = AnswerForm("logits", "multiclass", tuple("abcd"), "tokens")
    answers = PositionAnswers(Z, np.array([[150], [0], [50]]))
    stored, cost = encoding.stored(answers, form)
    flat, expected = encoding.stored(Z, LOGITS)
    assert cost == expected
    np.testing.assert_array_equal(stored.shapes, answers.shapes)
    np.testing.assert_array_equal(encoding.decoded(stored, form).dense(), getattr(flat, "dense", lambda: flat)())


def test_the_cost_is_measured_in_blocks(monkeypatch):
    whole = measured_cost(Z, Z + 0.1 * np.eye(4)[0], LOGITS)
    monkeypatch.setattr("tutelage.softlabels.encoding.MEASURED_CELLS", 12)
    parts = measured_cost(Z, Z + 0.1 * np.eye(4)[0], LOGITS)
    assert (parts.rows, parts.worst, parts.total) == (whole.rows, whole.worst, pytest.approx(whole.total))


def test_the_cost_is_the_measured_divergence():
    original, read = np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([[0.75, 0.25], [1.0, 0.0]])
    cost = measured_cost(original, read, of_classes("probabilities", "ab"))
    expected = 0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25)
    assert cost.worst == cost.total == pytest.approx(expected)
    assert cost.mean == pytest.approx(expected / 2)
    assert cost + EncodingCost(3, 1.0, 9.0) == EncodingCost(5, pytest.approx(expected + 1), 9.0)
    assert measured_cost(np.array([[3.0]]), np.array([[1.0]]), VALUES).total == 4.0
    each = measured_cost(np.array([[0.5, 1.0]]), np.array([[0.75, 1.0]]), EACH)
    assert each.total == pytest.approx(expected)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_cost_is_finite_for_probabilities_below_the_range_of_float32(dtype):
    form = of_classes("probabilities", "ab")
    saturated = np.array([[1.0, 1e-60]])
    assert measured_cost(saturated, decoded(Encoding(dtype), saturated, form), form).total == 0.0
    assert measured_cost(np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]]), form).total == np.inf


@given(
    arrays(np.float64, (5, 4), elements=st.floats(-60, 60)),
    st.sampled_from(["float16", "float32", "float64"]),
    st.sampled_from([None, 1, 3]),
)
def test_every_encoding_is_read_back_as_a_distribution(logits, dtype, top_k):
    for form, original in ((LOGITS, logits), (PROBABLE, softmax(logits))):
        stored = decoded(Encoding(dtype, top_k).fitted_to(form), original, form)
        form.check(stored, 5)
        assert measured_cost(original, stored, form).mean >= 0


@pytest.mark.parametrize(
    ("encoding", "form", "message"),
    [
        (Encoding("int8"), LOGITS, "expected float16, float32 or float64"),
        (Encoding("float16"), VALUES, "use float32 or float64"),
        (Encoding("float32", 1), VALUES, "top_k is 1, but a regression teacher"),
        (Encoding("float32", 1), EACH, "top_k is 1, but a multilabel teacher"),
        (Encoding("float32", 4), LOGITS, "expected 1 to 3 for 4 classes"),
        (Encoding("float32", 0), LOGITS, "expected 1 to 3"),
    ],
)
def test_an_unsuitable_encoding_is_refused(encoding, form, message):
    with pytest.raises(BadInput, match=message):
        encoding.fitted_to(form)


def test_an_encoding_is_restored_from_json():
    assert encoding_from(Encoding("float16", 3).to_json()) == Encoding("float16", 3)


def test_an_answer_beyond_the_range_of_its_dtype_is_refused():
    with pytest.raises(BadInput, match=r"an answer is 1e\+300, beyond the range of float32; pass dtype='float64'"):
        Encoding("float32").stored(np.array([[1.0], [-1e300]]), VALUES)
    assert Encoding("float64").stored(np.array([[-1e300]]), VALUES)[0].tolist() == [[-1e300]]


@pytest.mark.parametrize(("classes", "top_k"), [(4096, 4000), (5000, 3500), (20000, 19000)])
def test_nearly_equal_probabilities_of_thousands_of_classes_are_read_from_half_precision(classes, top_k):
    """Half precision rounds them all the same way: they sum to .9975, or to 1.0034."""
    form = of_classes("logits", range(classes))
    original = np.vstack([1e-3 * np.cos(np.arange(classes)), np.zeros(classes), np.linspace(0, 9, classes)])
    encoding = Encoding("float16", top_k).fitted_to(form)
    stored, cost = encoding.stored(original, form)
    assert stored.log_probs.dtype == np.float16
    read = encoding.decoded(stored, form).checked()
    sums = np.exp(read.log_probs.astype(np.float64)).sum(axis=1) + np.exp(read.rest.astype(np.float64))
    np.testing.assert_allclose(sums, 1.0, atol=2e-3)
    exact = np.take_along_axis(softmax(original), read.ids.astype(np.intp), axis=1)
    np.testing.assert_allclose(np.exp(read.log_probs.astype(np.float64)), exact, rtol=1e-2)
    assert cost.worst < 1e-3
    np.testing.assert_array_equal(encoding.decoded(stored[2:], form).dense(), encoding.decoded(stored, form)[2:].dense())


def test_answers_that_rounding_does_not_explain_are_not_scaled():
    wrong = TopAnswers(np.array([[0, 1]], np.uint16), np.log([[0.5, 0.4]]).astype(np.float16), np.log([0.08]).astype(np.float32), 4)
    with pytest.raises(NotProbabilities, match=r"sum to 0\.979"):
        Encoding("float16", 2).decoded(wrong, LOGITS).checked()
