import numpy as np
import pytest

from tutelage.checks.against_baselines import check_against_baselines
from tutelage.checks.sampling import SampleAnswers, draw
from tutelage.core.answers import AnswerForm

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(300, 3))
LABELS = (X @ [2.0, 1.0, 0.0] > 0).astype(int)
VALUES = X @ [2.0, 1.0, 0.0] + 5.0
BINARY = AnswerForm("logits", "binary", (0, 1))
REGRESSION = AnswerForm("values", "regression")


def compared(answers, truth, form=BINARY, rows=X):
    sample = draw(rows, truth, form, rows=10_000, seed=0)
    return {finding.check: finding for finding in check_against_baselines(SampleAnswers(sample, form, np.asarray(answers)), 0)}


def margin(score):
    return np.column_stack([np.zeros(len(score)), score])


@pytest.mark.parametrize(
    ("score", "severity"),
    [(X @ [2.0, 1.0, 0.0], "ok"), (X @ [2.0, 0.8, 0.0], "note"), (X @ [1.0, 0.2, 0.0], "error"), (-X[:, 0], "error")],
)
def test_a_classifier_is_compared_with_baselines(score, severity):
    finding = compared(margin(score), LABELS)["baseline"]
    assert finding.severity == severity, finding
    assert finding.figure["rows"] == 300


def test_a_teacher_that_learnt_more_than_a_plain_model_can_is_better():
    score = np.sin(5 * X[:, 0]) * np.sin(5 * X[:, 1])
    finding = compared(margin(score), (score > 0).astype(int))["baseline"]
    assert finding.severity == "ok"
    assert finding.figure["difference"] > 0.2


def test_a_teacher_that_is_no_better_than_a_plain_model_is_said_to_be_so():
    finding = compared(margin(X @ [2.0, 0.8, 0.0]), LABELS)["baseline"]
    assert "the teacher is not proven better than this plain model" in finding.sentence
    assert "tuned logistic regression" in finding.sentence


def test_a_small_but_significant_deficit_is_a_warning():
    rows = np.random.default_rng(1).normal(size=(1000, 3))
    truth = (rows @ [2.0, 1.0, 0.0] > 0).astype(int)
    sign = np.where(np.arange(1000) % 25, 1, -1)  # wrong once in 25 rows
    assert compared(margin(sign * (rows @ [2.0, 1.0, 0.0])), truth, rows=rows)["baseline"].severity == "warning"


@pytest.mark.parametrize(
    ("rows", "truth", "message"),
    [
        (X[:20], LABELS[:20], "20 labelled rows of 2 classes are too few"),
        (X, np.zeros(300, dtype=int), "300 labelled rows of 1 classes"),
        (np.array([[object()] * 3] * 300), LABELS, "a baseline model takes numbers, texts or a frame"),
    ],
)
def test_data_without_a_comparison_gives_a_note(rows, truth, message):
    finding = compared(margin(X[: len(rows), 0]), truth, rows=rows)["baseline"]
    assert finding.severity == "note"
    assert finding.sentence.startswith("not checked: ")
    assert message in finding.sentence


def test_without_labels_there_is_no_comparison():
    assert list(check_against_baselines(SampleAnswers(draw(X, None, BINARY, rows=300, seed=0), BINARY, margin(X[:, 0])), 0)) == []


def test_multilabel_is_not_compared():
    form = AnswerForm("logits", "multilabel", ("a", "b"))
    assert "not checked" in compared(X[:, :2], np.column_stack([LABELS, LABELS]), form)["baseline"].sentence


@pytest.mark.parametrize(
    ("answers", "checks"),
    [
        (VALUES, {"scale": "ok", "baseline": "ok"}),
        (VALUES / 10, {"scale": "error", "baseline": "error"}),
        (-VALUES, {"scale": "error", "baseline": "error"}),
        (DRAW.normal(size=300), {"scale": "error", "baseline": "error"}),
        (5.0 + 1.7 * X[:, 0], {"scale": "ok", "baseline": "error"}),
    ],
)
def test_a_regressor_is_compared_in_the_scale_of_the_true_values(answers, checks):
    found = compared(answers[:, None], VALUES, REGRESSION)
    assert {name: finding.severity for name, finding in found.items()} == checks


def test_guesses_are_distinguished_from_another_scale():
    guesses, scaled = (compared(answers[:, None], VALUES, REGRESSION)["scale"] for answers in (DRAW.normal(size=300), VALUES / 10))
    assert "is as good or better" in guesses.sentence
    assert scaled.figure["slope"] == pytest.approx([10.0])


def test_multiple_outputs_are_averaged_and_their_number_must_agree():
    truth = np.column_stack([VALUES, -VALUES])
    assert compared(truth, truth, REGRESSION)["scale"].severity == "ok"
    assert compared(VALUES[:, None], truth, REGRESSION)["outputs"].severity == "error"
