import numpy as np
import pytest

from tutelage.checks.declared_form import check_declared, check_varied
from tutelage.checks.sampling import SampleAnswers, draw
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import softmax

DRAW = np.random.default_rng(0)
LOGITS = DRAW.normal(size=(60, 5)) * 4


def asked(answers, kind="logits", task="multiclass", labels=None):
    answers = np.asarray(answers)
    classes = () if kind == "values" else tuple("abcdefghij"[: answers.shape[1]])
    form = AnswerForm(kind, task, classes)
    return SampleAnswers(draw(np.arange(len(answers))[:, None], labels, form, rows=len(answers), seed=0), form, answers)


def said(found):
    return {(finding.check, finding.severity) for finding in found}


@pytest.mark.parametrize("classes", [2, 5])
def test_logits_and_their_softmax_are_what_they_are(classes):
    task = "binary" if classes == 2 else "multiclass"
    logits = LOGITS[:, :classes]
    assert said(check_declared(asked(logits, task=task))) == {("declared-kind", "ok")}
    assert said(check_declared(asked(softmax(logits), "probabilities", task))) == {("declared-kind", "ok")}


def test_logits_between_0_and_1_that_do_not_sum_to_1_are_logits():
    assert said(check_declared(asked(DRAW.uniform(size=(60, 5))))) == {("declared-kind", "ok")}


def test_softmax_of_half_precision_is_still_softmax():
    assert said(check_declared(asked(softmax(LOGITS).astype(np.float16)))) == {("declared-kind", "error")}


def test_log_probabilities_are_good_logits():
    assert said(check_declared(asked(np.log(softmax(LOGITS))))) == {("declared-kind", "note")}


def test_a_relu_that_kills_a_class_is_graver():
    relu = np.maximum(LOGITS, 0)
    assert said(check_declared(asked(relu))) == {("relu-logits", "warning")}
    relu[:, 2] = 0
    (finding,) = check_declared(asked(relu))
    assert (finding.severity, finding.figure["dead classes"]) == ("error", ["c"])


def test_one_logit_written_as_two_columns_is_no_relu():
    column = np.abs(LOGITS[:, [0]])
    assert said(check_declared(asked(np.hstack([np.zeros_like(column), column]), task="binary"))) == {("declared-kind", "ok")}


def test_a_relu_of_two_classes_is_found():
    assert said(check_declared(asked(np.maximum(LOGITS[:, :2], 0), task="binary"))) == {("relu-logits", "warning")}


@pytest.mark.parametrize(("scale", "severity"), [(1.0, "note"), (2.0, "warning")])
def test_labels_tell_a_margin_that_was_doubled_from_one_that_was_halved_first(scale, severity):
    draw_of = np.random.default_rng(1)
    margin = draw_of.normal(size=800) * 3
    labels = np.where(draw_of.random(800) < 1 / (1 + np.exp(-margin)), "b", "a")
    logits = scale * np.column_stack([-margin, margin]) / 2
    (finding,) = check_declared(asked(logits, task="binary", labels=labels))
    assert (finding.check, finding.severity) == ("doubled-margin", severity)
    assert finding.figure["best temperature"] == pytest.approx(scale, rel=0.2)


@pytest.mark.parametrize("classes", [2, 3, 5, 10])
def test_a_second_softmax_is_seen_for_any_number_of_classes(classes):
    logits = np.random.default_rng(2).normal(size=(60, classes)) * 6
    task = "binary" if classes == 2 else "multiclass"
    assert said(check_declared(asked(softmax(softmax(logits)), "probabilities", task))) == {("double-softmax", "error")}
    assert said(check_declared(asked(softmax(logits), "probabilities", task))) == {("declared-kind", "ok")}


@pytest.mark.parametrize("scale", [0.01, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_a_teacher_that_is_never_sure_did_not_go_through_softmax_twice(classes, scale):
    timid = softmax(np.random.default_rng(3).normal(size=(60, classes)) * scale)
    assert said(check_declared(asked(timid, "probabilities", "binary" if classes == 2 else "multiclass"))) == {("declared-kind", "ok")}


def test_few_rows_and_values_are_not_judged():
    assert said(check_declared(asked(softmax(LOGITS[:3])))) == set()
    assert said(check_declared(asked(LOGITS[:, :1], "values", "regression"))) == set()


@pytest.mark.parametrize(("kind", "task"), [("logits", "multiclass"), ("values", "regression")])
def test_one_answer_for_all_rows_is_no_teacher(kind, task):
    assert said(check_varied(asked(np.tile(LOGITS[:1], (20, 1)), kind, task))) == {("constant", "error")}
    assert ("constant", "ok") in said(check_varied(asked(LOGITS, kind, task)))


def test_large_values_that_differ_little_still_differ():
    values = 1e6 + np.arange(20.0)[:, None]
    assert said(check_varied(asked(values, "values", "regression"))) == {("constant", "ok")}


def test_a_class_never_answered_is_named_and_a_warning_where_rows_are_many():
    dead = np.tile(LOGITS, (2, 1))
    dead[:, 3] = -50
    found = {finding.check: finding for finding in check_varied(asked(dead))}
    assert (found["dead-class"].severity, found["dead-class"].figure["classes"]) == ("warning", ["d"])
    assert ("dead-class", "note") in said(check_varied(asked(dead[:50])))
