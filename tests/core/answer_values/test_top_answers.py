import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tutelage.core.answer_values import top_answers
from tutelage.core.answer_values.top_answers import TopAnswers, reduced
from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.arrays import softmax
from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities, ShapeError

RNG = np.random.default_rng(0)
WIDE = (RNG.normal(size=(7, 3000)) * 4).astype(np.float32)


def log_softmax(logits):
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def by_sorting(logits, top_k):
    """The ids, log-probabilities and rest by sorting all classes, in double precision."""
    order = np.argsort(-logits, axis=1, kind="stable")
    logs = np.take_along_axis(log_softmax(logits), order, axis=1)
    highest = logs[:, top_k:].max(axis=1, initial=-1e300)
    return order[:, :top_k], logs[:, :top_k], highest + np.log(np.exp(logs[:, top_k:] - highest[:, None]).sum(axis=1))


@pytest.mark.parametrize(
    "logits", [WIDE, WIDE.astype(np.float64), WIDE[:, :40], WIDE.round(), np.zeros((3, 500)), -np.arange(2000.0)[None] * 3, WIDE * 30]
)
@pytest.mark.parametrize("top_k", [1, 5, 32])
def test_they_are_those_that_sorting_finds(logits, top_k):
    ids, logs, rest = by_sorting(logits, top_k)
    top = TopAnswers.of(logits, "logits", top_k)
    np.testing.assert_array_equal(top.ids, ids)
    np.testing.assert_allclose(top.log_probs, logs, rtol=1e-5, atol=2e-6)
    np.testing.assert_allclose(top.rest, rest, rtol=1e-5, atol=2e-6)
    of_probabilities = TopAnswers.of(np.exp(log_softmax(logits)), "probabilities", top_k)
    possible = np.exp(logs) > 1e-300
    np.testing.assert_allclose(of_probabilities.log_probs[possible], logs[possible], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("block_cells", [1, 3000, 10_000, 10**9])
def test_the_size_of_a_block_changes_nothing(block_cells):
    whole, parts = TopAnswers.of(WIDE, "logits", 9), TopAnswers.of(WIDE, "logits", 9, block_cells=block_cells)
    for name in ("ids", "log_probs", "rest"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


def test_of_equal_answers_the_first_are_taken_also_beyond_the_last_place():
    assert TopAnswers.of(np.zeros((2, 700)), "logits", 4).ids.tolist() == [[0, 1, 2, 3]] * 2
    half = np.where(np.arange(700) % 7 == 3, 1.0, 0.0)[None]
    assert TopAnswers.of(half, "logits", 3).ids.tolist() == [[3, 10, 17]]
    assert TopAnswers.of(half[:, :5], "logits", 3).ids.tolist() == [[3, 0, 1]]


def test_a_rest_too_small_for_single_precision_is_exact():
    logits = np.full((1, 1000), -200.0, dtype=np.float32)
    logits[0, 5] = 0.0
    top = TopAnswers.of(logits, "logits", 1)
    assert top.rest[0] == pytest.approx(-200 + np.log(999), rel=1e-6)
    assert top.log_probs[0, 0] == 0
    assert TopAnswers.of(logits / 10, "logits", 1).log_probs[0, 0] == pytest.approx(-999 * np.exp(-20), rel=1e-5)


def test_impossible_classes_have_no_rest():
    logits = np.full((2, 600), -np.inf)
    logits[0, :2], logits[1, :4] = [1.0, 0.0], 0.0
    (top, loss), *_ = reduced(logits, "logits", 3)
    assert top.rest.tolist() == [-np.inf, pytest.approx(np.log(0.25))]
    assert np.isneginf(top.log_probs[0, 2])
    assert loss[0] == 0
    assert loss[1] == pytest.approx(0.25 * np.log(597))
    np.testing.assert_allclose(softmax(top.dense())[0, :3], [*softmax(np.array([1.0, 0.0])), 0.0], rtol=1e-6)


@given(arrays(np.float64, (3, 30), elements=st.floats(-50, 50)), st.integers(1, 29))
def test_what_equal_parts_lose_is_the_divergence(logits, top_k):
    found = list(reduced(logits, "logits", top_k))
    logs = log_softmax(logits)
    for place, (top, loss) in enumerate(found):
        rows = slice(place * len(top), (place + 1) * len(top))
        expected = (np.exp(logs[rows]) * (logs[rows] - top.dense())).sum(axis=1)
        np.testing.assert_allclose(loss, expected, atol=1e-6)


def test_fewer_classes_are_those_that_would_have_been_taken():
    cut, direct = TopAnswers.of(WIDE, "logits", 20).cut(6), TopAnswers.of(WIDE, "logits", 6)
    np.testing.assert_array_equal(cut.ids, direct.ids)
    np.testing.assert_allclose(cut.rest, direct.rest, rtol=1e-6, atol=1e-6)
    with pytest.raises(BadInput, match="name the 6 most probable classes, and 7 are expected"):
        cut.cut(7)


def test_numbers_for_all_classes_are_refused_where_they_are_too_many(monkeypatch):
    top = TopAnswers.of(WIDE, "logits", 4)
    np.testing.assert_allclose(top.as_kind("probabilities").sum(axis=1), 1, rtol=1e-5)
    monkeypatch.setattr(top_answers, "DENSE_BYTES", 7 * 3000 * 4 - 1)
    with pytest.raises(BadInput, match=r"the answers to 7 rows name the 4 most probable of 3,000 classes; .* would take 0\.0 GiB"):
        top.as_kind("logits")


FORM = of_classes("logits", range(6))
SOUND = TopAnswers(np.array([[4, 1]]), np.log([[0.5, 0.3]]), np.log([0.2]), 6)


@pytest.mark.parametrize(
    ("ids", "log_probs", "rest", "error", "message"),
    [
        ([[4, 4]], [[0.5, 0.3]], [0.2], NotProbabilities, "row 0 name a class twice"),
        ([[4, 1]], [[0.5, 0.3]], [0.4], NotProbabilities, "row 0 sum to 1.2 with their rest"),
        ([[4, 1]], [[0.5, np.nan]], [0.2], NotProbabilities, "row 0 sum to nan with their rest"),
        ([[4, 6]], [[0.5, 0.3]], [0.2], ShapeError, "class 6 is among the answers, and there are 6 classes"),
        ([[4, -1]], [[0.5, 0.3]], [0.2], ShapeError, "expected whole numbers of 0 or more"),
        ([[4.0, 1.0]], [[0.5, 0.3]], [0.2], ShapeError, "expected whole numbers of 0 or more"),
        ([[4, 1]], [[0.5]], [0.2], ShapeError, "do not fit"),
    ],
)
def test_answers_that_are_no_distributions_are_refused(ids, log_probs, rest, error, message):
    with pytest.raises(error, match=message):
        FORM.check_top(TopAnswers(np.array(ids), np.log(log_probs), np.log(rest), 6), 1)


def test_they_are_checked_against_a_form():
    assert FORM.check_top(SOUND, 1) is SOUND
    np.testing.assert_allclose(np.exp(FORM.check(SOUND, 1)), [[0.05, 0.3, 0.05, 0.05, 0.5, 0.05]])
    np.testing.assert_allclose(FORM.as_kind("probabilities").check(SOUND, 1), [[0.05, 0.3, 0.05, 0.05, 0.5, 0.05]])
    turned = TopAnswers(SOUND.ids[:, ::-1], SOUND.log_probs[:, ::-1], SOUND.rest, 6)
    assert FORM.check_top(turned, 1).ids.tolist() == [[4, 1]]
    for form, rows, error, message in [
        (FORM, 2, LabelMismatch, "1 answers to 2 rows"),
        (of_classes("logits", range(7)), 1, ShapeError, "choose among 6 classes; expected 7"),
        (AnswerForm("logits", "multilabel", tuple(range(6))), 1, LabelMismatch, "multilabel answers have none that exclude each other"),
    ]:
        with pytest.raises(error, match=message):
            form.check(SOUND, rows)


def test_parts_of_other_numbers_of_classes_are_not_joined():
    with pytest.raises(ShapeError, match="2 of 6, 3 of 3000; expected the same number"):
        TopAnswers.joined([SOUND, TopAnswers.of(WIDE, "logits", 3)])


def test_rows_are_taken_and_joined():
    whole = TopAnswers.of(WIDE, "logits", 3)
    again = TopAnswers.joined([whole[:1], whole[[1, 2]], whole[np.arange(7) > 2]])
    np.testing.assert_array_equal(again.dense(), whole.dense())
    assert whole[[2, 0]].ids.tolist() == whole.ids[[2, 0]].tolist()
    assert whole.nbytes == 7 * 3 * 2 + 7 * 3 * 4 + 7 * 4


def test_no_other_classes_have_no_rest():
    whole = TopAnswers(np.array([[1, 0]], np.uint16), np.log([[0.7, 0.3]]), np.array([-np.inf]), 2)
    assert np.exp(whole.dense()).round(9).tolist() == [[0.3, 0.7]]
