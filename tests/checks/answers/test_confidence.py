import re

import numpy as np
import pytest

from tutelage.checks.answers.confidence import best_temperature, calibration_error, chance_error, check_calibration
from tutelage.checks.sampling import SampleAnswers, draw
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import softmax
from tutelage.losses.targets import temper


def drawn(rows, classes=4, scale=2.0):
    """Logits, and labels drawn from their softmax."""
    draw_of = np.random.default_rng(0)
    logits = draw_of.normal(size=(rows, classes)) * scale
    p = softmax(logits)
    return logits, (p.cumsum(axis=1) < draw_of.random((rows, 1))).sum(axis=1)


def finding(logits, labels):
    form = AnswerForm("logits", "multiclass", tuple(range(logits.shape[1])))
    (found,) = check_calibration(SampleAnswers(draw(logits, labels, form, rows=len(logits), seed=0), form, logits), 0)
    return found


@pytest.mark.parametrize("temperature", [0.3, 1.0, 3.5])
def test_the_applied_temperature_is_found(temperature):
    logits, labels = drawn(4000)
    found, gain = best_temperature(softmax(logits * temperature), labels)
    assert found == pytest.approx(temperature, rel=0.1)
    assert gain >= 0
    assert (gain > 0.03) == (temperature != 1.0)


@pytest.mark.parametrize(("scale", "severity"), [(1.0, "ok"), (1.3, "ok"), (3.5, "warning"), (0.4, "note"), (0.05, "warning")])
def test_confidence_is_judged_by_temperature(scale, severity):
    logits, labels = drawn(1500)
    found = finding(logits * scale, labels)
    assert found.severity == severity
    assert (found.remedy != "") == (severity != "ok")


def test_few_rows_give_no_finding():
    logits, labels = drawn(12)
    assert finding(logits * 1.6, labels).severity == "ok"


def test_confidence_that_no_temperature_corrects_is_a_warning():
    """Confident and right on one half of the rows; right by chance on the other half."""
    draw_of = np.random.default_rng(0)
    logits = 4.0 * np.eye(3)[draw_of.integers(0, 3, 1000)]
    labels = np.where(np.arange(1000) % 2, logits.argmax(axis=1), draw_of.integers(0, 3, 1000))
    logits[1::2] *= 0.2
    found = finding(logits, labels)
    assert found.severity == "warning"
    assert found.figure["ECE"] > 0.1


def test_the_calibration_error_of_simple_answers():
    p = np.array([[0.8, 0.2]] * 10)
    assert calibration_error(p, np.array([0] * 8 + [1] * 2)) == pytest.approx(0.0)
    assert calibration_error(p, np.zeros(10, dtype=int)) == pytest.approx(0.2)
    assert calibration_error(np.eye(2)[[0, 1]], np.array([1, 0])) == 1.0


def test_the_error_by_chance_shrinks_with_the_number_of_rows():
    errors = [chance_error(softmax(drawn(rows)[0]), 0) for rows in (20, 200, 2000)]
    assert errors == sorted(errors, reverse=True)
    assert chance_error(np.eye(3), 0) == 0.0


def neighbours(rows, count=5, classes=3):
    """The votes of a few neighbours: true probabilities counted with error, and zeros where the true class may be."""
    draw_of = np.random.default_rng(1)
    p = softmax(draw_of.normal(size=(rows, classes)) * 1.5)
    votes = np.array([draw_of.multinomial(count, row) for row in p]) / count
    return votes, (p.cumsum(axis=1) < draw_of.random((rows, 1))).sum(axis=1)


def nats(probabilities, labels):
    return -np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-7, 1)).mean()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("teacher", ["true", "too sharp", "too flat", "votes", "clipped"])
def test_an_advised_temperature_never_makes_the_labels_less_likely(teacher, seed):
    logits, labels = drawn(3000)
    p = {"true": softmax(logits), "too sharp": softmax(3 * logits), "too flat": softmax(logits / 3)}.get(teacher)
    if teacher == "votes":
        p, labels = neighbours(3000)
    if teacher == "clipped":
        p = np.where(softmax(3 * logits) < 1e-3, 0, softmax(3 * logits))
        p = p / p.sum(axis=1, keepdims=True)
    form = AnswerForm("probabilities", "multiclass", tuple(range(p.shape[1])))
    found = list(check_calibration(SampleAnswers(draw(p[:1500], labels[:1500], form, rows=1500, seed=seed), form, p[:1500]), seed))
    (calibration,) = [each for each in found if each.check == "calibration"]
    advice = re.search(r"by ([\d.]+) first", calibration.remedy)
    assert (advice is not None) == (teacher in {"too sharp", "too flat", "clipped"}), calibration
    if advice:
        assert nats(temper(p[1500:], float(advice[1])), labels[1500:]) < nats(p[1500:], labels[1500:])


def test_true_classes_that_are_ruled_out_are_reported_with_a_smoothing_that_helps():
    p, labels = neighbours(3000)
    form = AnswerForm("probabilities", "multiclass", (0, 1, 2))
    found = list(check_calibration(SampleAnswers(draw(p[:1500], labels[:1500], form, rows=1500, seed=0), form, p[:1500]), 0))
    ruled_out = next(each for each in found if each.check == "ruled-out")
    assert ruled_out.severity == "warning"
    assert ruled_out.figure["true classes ruled out"] == (p[:1500][np.arange(1500), labels[:1500]] == 0).mean()
    advised = re.search(r"as ([\d.]+) \* p \+ ([\d.]+),", ruled_out.remedy)
    smoothed = float(advised[1]) * p[1500:] + float(advised[2])
    assert nats(smoothed, labels[1500:]) < nats(p[1500:], labels[1500:]) - 0.5
    positive = SampleAnswers(draw(p[:1500], labels[:1500], form, rows=1500, seed=0), form, softmax(p[:1500]))
    assert [each.check for each in check_calibration(positive, 0)] == ["calibration"]
