import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.arrays import softmax
from tutelage.core.errors import BadInput
from tutelage.softlabels.encoding import Cost, Encoding, encoding_from, measured_cost

LOGITS = of_classes("logits", "abcd")
PROBABLE = LOGITS.as_kind("probabilities")
EACH = AnswerForm("probabilities", "multilabel", ("x", "y"))
VALUES = AnswerForm("values", "regression")
Z = np.random.default_rng(0).normal(size=(200, 4)) * 8


def back(encoding, answers, form):
    return encoding.answers(encoding.columns(answers, form), form)


@pytest.mark.parametrize("form", [LOGITS, PROBABLE, VALUES])
def test_full_precision_comes_back_bit_for_bit(form):
    said = softmax(Z) if form.kind == "probabilities" else Z
    encoding = Encoding("float64").fitted_to(form)
    assert encoding.keeps_all_of(said.dtype)
    np.testing.assert_array_equal(back(encoding, said, form), said)
    assert measured_cost(said, said, form) == Cost(200)
    assert not Encoding("float32").keeps_all_of(said.dtype)


@pytest.mark.parametrize("form", [LOGITS, PROBABLE])
def test_half_precision_keeps_what_a_high_temperature_shows(form):
    said = (softmax(Z) if form.kind == "probabilities" else Z + 1000).astype(np.float32)
    kept = back(Encoding("float16").fitted_to(form), said, form)
    for temperature in (1.0, 20.0):
        np.testing.assert_allclose(form.probabilities(kept, temperature), softmax(Z / temperature), atol=2e-3, rtol=5e-3)
    plain = said.astype(np.float16) if form.kind == "probabilities" else None
    if plain is not None:  # what would be lost by keeping the probabilities themselves in half precision
        assert (plain == 0).any()
        assert (kept > 0).all()
    assert 0 < measured_cost(said, kept, form).mean < 1e-5


def test_multilabel_keeps_log_odds():
    said = np.array([[1e-6, 1 - 1e-6], [0.5, 0.0]])
    kept = back(Encoding("float16").fitted_to(EACH), said, EACH)
    np.testing.assert_allclose(kept, said, rtol=2e-2, atol=1e-12)


def test_top_k_keeps_the_likeliest_and_the_mass_of_the_rest():
    said = np.array([[0.6, 0.1, 0.25, 0.05], [0.0, 0.0, 0.0, 1.0]])
    columns = Encoding("float64", 2).columns(said, PROBABLE)
    np.testing.assert_array_equal(columns["class_0"], [0, 3])
    np.testing.assert_allclose(np.exp(columns["rest"]), [0.15, 0.0])
    kept = Encoding("float64", 2).answers(columns, PROBABLE)
    np.testing.assert_allclose(kept[0], [0.6, 0.075, 0.25, 0.075], rtol=1e-6)
    np.testing.assert_array_equal(kept[1], [0, 0, 0, 1])
    np.testing.assert_allclose(LOGITS.probabilities(back(Encoding("float64", 2), np.log(said[:1]), LOGITS)), kept[:1], rtol=1e-6)


def test_the_cost_is_the_measured_divergence():
    said, heard = np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([[0.75, 0.25], [1.0, 0.0]])
    cost = measured_cost(said, heard, of_classes("probabilities", "ab"))
    expected = 0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25)
    assert cost.worst == cost.total == pytest.approx(expected)
    assert cost.mean == pytest.approx(expected / 2)
    assert cost + Cost(3, 1.0, 9.0) == Cost(5, pytest.approx(expected + 1), 9.0)
    assert measured_cost(np.array([[3.0]]), np.array([[1.0]]), VALUES).total == 4.0
    each = measured_cost(np.array([[0.5, 1.0]]), np.array([[0.75, 1.0]]), EACH)
    assert each.total == pytest.approx(expected)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_cost_is_finite_for_probabilities_below_the_range_of_float32(dtype):
    form = of_classes("probabilities", "ab")
    saturated = np.array([[1.0, 1e-60]])
    assert measured_cost(saturated, back(Encoding(dtype), saturated, form), form).total == 0.0
    assert measured_cost(np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]]), form).total == np.inf


@given(
    arrays(np.float64, (5, 4), elements=st.floats(-60, 60)),
    st.sampled_from(["float16", "float32", "float64"]),
    st.sampled_from([None, 1, 3]),
)
def test_whatever_is_kept_comes_back_as_a_distribution(logits, dtype, top_k):
    for form, said in ((LOGITS, logits), (PROBABLE, softmax(logits))):
        kept = back(Encoding(dtype, top_k).fitted_to(form), said, form)
        form.check(kept, 5)
        assert measured_cost(said, kept, form).mean >= 0


@pytest.mark.parametrize(
    ("encoding", "form", "said"),
    [
        (Encoding("int8"), LOGITS, "expected float16, float32 or float64"),
        (Encoding("float16"), VALUES, "keep them as float32"),
        (Encoding("float32", 1), VALUES, "a regression teacher has none"),
        (Encoding("float32", 1), EACH, "a multilabel teacher has none"),
        (Encoding("float32", 4), LOGITS, "expected 1 to 3 for 4 classes"),
        (Encoding("float32", 0), LOGITS, "expected 1 to 3"),
    ],
)
def test_an_encoding_that_does_not_fit_is_refused(encoding, form, said):
    with pytest.raises(BadInput, match=said):
        encoding.fitted_to(form)


def test_an_encoding_survives_json():
    assert encoding_from(Encoding("float16", 3).to_json()) == Encoding("float16", 3)
