import numpy as np
import pytest

from tutelage.checks.confidence import best_temperature, calibration_error, chance_error, check_calibration
from tutelage.checks.sampling import SampleAnswers, draw
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import softmax


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
