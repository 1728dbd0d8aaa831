import numpy as np
import pandas as pd
import pytest

from tutelage.checks.leaks_and_shift import (
    area_interval,
    check_answer_shift,
    check_duplicates,
    check_leak,
    check_shift,
    check_training_rows,
    duplicate_share,
    names_of,
)
from tutelage.checks.sampling import SampleAnswers, draw
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import softmax
from tutelage.data.row_names import row_names

DRAW = np.random.default_rng(0)
FORM = AnswerForm("logits", "multiclass", ("a", "b", "c"))
ROWS = DRAW.normal(size=(400, 3))


def sample(rows):
    return draw(rows, None, FORM, rows=len(rows), seed=0)


def answered(logits):
    return SampleAnswers(sample(logits), FORM, logits)


def one(findings):
    (finding,) = findings
    return finding


def test_the_names_of_a_file_are_those_of_its_rows(tmp_path):
    pd.DataFrame(ROWS).rename(columns=str).to_parquet(tmp_path / "rows.parquet")
    np.testing.assert_array_equal(names_of(tmp_path / "rows.parquet"), row_names(ROWS))


def test_duplicates_are_counted():
    names = row_names(np.vstack([ROWS[:8], ROWS[:2]]))
    assert duplicate_share(names) == pytest.approx(0.4)
    assert one(check_duplicates(names)).figure == {"repeated rows": 2, "rows": 10}
    assert one(check_duplicates(names)).severity == "note"
    assert one(check_duplicates(row_names(ROWS))).severity == "ok"


@pytest.mark.parametrize(("shared", "severity"), [(0, "ok"), (1, "error"), (50, "error")])
def test_a_shared_row_is_a_leak_if_rows_are_not_equal_by_chance(shared, severity):
    finding = one(check_leak("transfer rows", row_names(ROWS[:200]), row_names(ROWS[200 - shared : 300])))
    assert (finding.severity, finding.figure["shared rows"]) == (severity, shared)


def test_shared_rows_of_coarse_columns_are_a_warning():
    coarse = DRAW.integers(0, 3, (400, 2))
    finding = one(check_leak("transfer rows", row_names(coarse[:200]), row_names(coarse[200:])))
    assert (finding.severity, finding.figure["twins inside the other set"]) == ("warning", 1.0)


@pytest.mark.parametrize(("moved", "severities"), [(0.0, {"ok"}), (0.4, {"note", "warning"}), (2.0, {"warning"})])
def test_a_shift_is_graded_by_its_size(moved, severities):
    assert one(check_shift(sample(ROWS[:200]), sample(ROWS[200:] + moved), 0)).severity in severities


def test_a_shift_of_shape_without_a_shift_of_mean_is_found():
    """Logistic regression on the columns cannot detect it."""
    ring = ROWS[200:] / np.linalg.norm(ROWS[200:], axis=1, keepdims=True) * 3
    assert one(check_shift(sample(ROWS[:200]), sample(ring), 0)).severity == "warning"


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (ROWS[:10], ROWS[200:], "10 rows are too few"),
        (ROWS[:200], ROWS[200:, :2], "not checked"),
        (np.array([[object()]] * 40), np.array([[object()]] * 40), "a baseline model takes numbers, texts or a frame"),
    ],
)
def test_unsuitable_sets_are_not_checked(first, second, message):
    finding = one(check_shift(sample(first), sample(second), 0))
    assert finding.severity == "note"
    assert message in finding.sentence


def test_the_interval_of_an_area_contains_it_and_shrinks_with_rows():
    low, high = area_interval(0.7, 50, 50)
    assert low < 0.7 < high
    assert area_interval(0.7, 500, 500)[0] > low
    assert area_interval(1.0, 50, 50) == (1.0, 1.0)


def test_mean_answers_are_compared_class_by_class():
    logits, towards_a = ROWS * 3, np.array([4.0, 0.0, 0.0])
    assert one(check_answer_shift(answered(logits[:200]), answered(logits[200:]))).severity == "ok"
    finding = one(check_answer_shift(answered(logits[:200]), answered(logits[200:] + towards_a)))
    assert (finding.severity, finding.figure["class"]) == ("warning", "a")
    assert finding.figure["test"] == pytest.approx(softmax(logits[200:] + towards_a)[:, 0].mean())


@pytest.mark.parametrize(
    ("sharper", "seen", "severity"),
    [(1.0, None, "ok"), (5.0, None, "warning"), (5.0, 1.0, "warning"), (5.0, 0.0, "ok"), (1.0, 1.0, "note"), (1.0, 0.0, "ok")],
)
def test_higher_confidence_on_transfer_rows_is_reported(sharper, seen, severity):
    finding = one(check_training_rows(answered(ROWS[:200] * sharper), answered(ROWS[200:]), seen))
    assert finding.severity == severity
    assert finding.figure["trained on"] == ("unknown" if seen is None else seen)


def test_regressors_have_no_confidence():
    values = SampleAnswers(sample(ROWS), AnswerForm("values", "regression"), ROWS[:, :1])
    assert list(check_training_rows(values, values, None)) == list(check_answer_shift(values, values)) == []
