import numpy as np
import pytest

from tutelage.checks.answers.declared_form import check_declared, check_variation
from tutelage.checks.sampling import SampleAnswers, draw
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import sigmoid, softmax

DRAW = np.random.default_rng(0)
LOGITS = DRAW.normal(size=(60, 5)) * 4


def answered(answers, kind="logits", task="multiclass", labels=None):
    answers = np.asarray(answers)
    classes = () if kind == "values" else tuple("abcdefghij"[: answers.shape[1]])
    form = AnswerForm(kind, task, classes)
    return SampleAnswers(draw(np.arange(len(answers))[:, None], labels, form, rows=len(answers), seed=0), form, answers)


def severities(found):
    return {(finding.check, finding.severity) for finding in found}


@pytest.mark.parametrize("classes", [2, 5])
def test_logits_and_their_softmax_pass_as_declared(classes):
    task = "binary" if classes == 2 else "multiclass"
    logits = LOGITS[:, :classes]
    assert severities(check_declared(answered(logits, task=task))) == {("declared-kind", "ok")}
    assert severities(check_declared(answered(softmax(logits), "probabilities", task))) == {("declared-kind", "ok")}


def test_logits_between_0_and_1_that_do_not_sum_to_1_are_a_warning():
    assert severities(check_declared(answered(DRAW.uniform(size=(60, 5))))) == {("declared-kind", "warning")}


def test_half_precision_softmax_is_recognised():
    assert severities(check_declared(answered(softmax(LOGITS).astype(np.float16)))) == {("declared-kind", "error")}


def test_log_probabilities_are_valid_logits():
    assert severities(check_declared(answered(np.log(softmax(LOGITS))))) == {("declared-kind", "note")}


def test_a_relu_with_a_dead_class_is_an_error():
    relu = np.maximum(LOGITS, 0)
    assert severities(check_declared(answered(relu))) == {("relu-logits", "warning")}
    relu[:, 2] = 0
    (finding,) = check_declared(answered(relu))
    assert (finding.severity, finding.figure["dead classes"]) == ("error", ["c"])


def test_a_single_logit_in_two_columns_is_not_taken_for_a_relu():
    column = np.abs(LOGITS[:, [0]])
    assert severities(check_declared(answered(np.hstack([np.zeros_like(column), column]), task="binary"))) == {("declared-kind", "ok")}


def test_a_relu_of_two_classes_is_found():
    assert severities(check_declared(answered(np.maximum(LOGITS[:, :2], 0), task="binary"))) == {("relu-logits", "warning")}


@pytest.mark.parametrize(("scale", "severity"), [(1.0, "note"), (2.0, "warning")])
def test_labels_distinguish_a_doubled_margin_from_one_that_was_halved_before(scale, severity):
    draw_of = np.random.default_rng(1)
    margin = draw_of.normal(size=800) * 3
    labels = np.where(draw_of.random(800) < 1 / (1 + np.exp(-margin)), "b", "a")
    logits = scale * np.column_stack([-margin, margin]) / 2
    (finding,) = check_declared(answered(logits, task="binary", labels=labels))
    assert (finding.check, finding.severity) == ("doubled-margin", severity)
    assert finding.figure["best temperature"] == pytest.approx(scale, rel=0.2)


@pytest.mark.parametrize("classes", [2, 3, 5, 10])
def test_a_double_softmax_is_found_for_any_number_of_classes(classes):
    logits = np.random.default_rng(2).normal(size=(60, classes)) * 6
    task = "binary" if classes == 2 else "multiclass"
    assert severities(check_declared(answered(softmax(softmax(logits)), "probabilities", task))) == {("double-softmax", "error")}
    assert severities(check_declared(answered(softmax(logits), "probabilities", task))) == {("declared-kind", "ok")}


@pytest.mark.parametrize("scale", [0.01, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_an_unconfident_teacher_is_not_taken_for_a_double_softmax(classes, scale):
    unconfident = softmax(np.random.default_rng(3).normal(size=(60, classes)) * scale)
    assert severities(check_declared(answered(unconfident, "probabilities", "binary" if classes == 2 else "multiclass"))) == {
        ("declared-kind", "ok")
    }


def test_few_rows_and_values_are_not_checked():
    assert severities(check_declared(answered(softmax(LOGITS[:3])))) == set()
    assert severities(check_declared(answered(LOGITS[:, :1], "values", "regression"))) == set()


@pytest.mark.parametrize(("kind", "task"), [("logits", "multiclass"), ("values", "regression")])
def test_a_constant_answer_is_an_error(kind, task):
    assert severities(check_variation(answered(np.tile(LOGITS[:1], (20, 1)), kind, task))) == {("constant", "error")}
    assert ("constant", "ok") in severities(check_variation(answered(LOGITS, kind, task)))


def test_large_values_with_small_differences_are_not_constant():
    values = 1e6 + np.arange(20.0)[:, None]
    assert severities(check_variation(answered(values, "values", "regression"))) == {("constant", "ok")}


def test_a_class_that_is_never_predicted_is_a_warning_or_with_few_rows_a_note():
    dead = np.tile(LOGITS, (2, 1))
    dead[:, 3] = -50
    found = {finding.check: finding for finding in check_variation(answered(dead))}
    assert (found["dead-class"].severity, found["dead-class"].figure["classes"]) == ("warning", ["d"])
    assert ("dead-class", "note") in severities(check_variation(answered(dead[:50])))


@pytest.mark.parametrize("steep", [1.0, 3.0])
def test_a_sigmoid_read_as_a_single_logit_is_found_without_labels(steep):
    score = steep * DRAW.normal(size=200) - 2
    once = np.column_stack([np.zeros(200), sigmoid(score)])
    (finding,) = check_declared(answered(once, task="binary"))
    assert (finding.check, finding.severity) == ("declared-kind", "error")
    assert "kind='probabilities'" in finding.remedy
    assert severities(check_declared(answered(np.column_stack([np.zeros(200), score]), task="binary"))) == {("declared-kind", "ok")}


@pytest.mark.parametrize("task", ["binary", "multilabel"])
def test_a_sigmoid_applied_twice_is_found(task):
    on = sigmoid(sigmoid(6 * DRAW.normal(size=300)))
    twice = np.column_stack([1 - on, on]) if task == "binary" else np.column_stack([on, on[::-1]])
    assert ("double-sigmoid", "error") in severities(check_declared(answered(twice, "probabilities", task)))
    narrow = np.column_stack([0.4 - 0.1 * on, 0.6 + 0.1 * on]) if task == "binary" else 0.6 + 0.1 * twice
    assert severities(check_declared(answered(narrow, "probabilities", task))) == {("declared-kind", "ok")}


def test_cosine_similarities_are_noted():
    cosines = np.tanh(DRAW.normal(size=(200, 5)))
    assert ("small-logits", "note") in severities(check_declared(answered(cosines)))
    assert severities(check_declared(answered(3 * cosines))) == {("declared-kind", "ok")}
