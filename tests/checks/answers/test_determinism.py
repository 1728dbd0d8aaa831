import numpy as np
import pytest
from chat_endpoint import asker, serving
from sound_teachers import CustomTeacher

from tutelage.checks.answers.determinism import check_determinism
from tutelage.checks.answers.differences import largest_difference
from tutelage.checks.sampling import Sample, draw
from tutelage.core.answers import AnswerForm

ROWS = np.random.default_rng(0).normal(size=(40, 2))
FORM = AnswerForm("logits", "binary", (0, 1))
VALUES = AnswerForm("values", "regression")


def checked(function, form=FORM, rows=ROWS):
    return {
        finding.check: finding
        for finding in check_determinism(CustomTeacher(function, form), draw(rows, None, form, rows=len(rows), seed=0), 0)
    }


def test_a_function_of_the_row_is_deterministic():
    found = checked(lambda rows: rows)
    assert {finding.severity for finding in found.values()} == {"ok"}
    assert set(found) == {"rows-untouched", "repeatable", "batch-independent"}


@pytest.mark.parametrize(("noise", "severity"), [(0.0, "ok"), (1e-4, "note"), (1.0, "error")])
def test_noise_is_graded_by_its_size(noise, severity):
    draw_of = np.random.default_rng(0)
    found = checked(lambda rows: rows + noise * draw_of.uniform(-1, 1, rows.shape))
    assert found["repeatable"].severity == severity
    assert ("batch-independent" in found) == (severity != "error")  # random answers cannot be compared across batches


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda rows: rows - rows.mean(axis=0), id="mean of the batch"),
        pytest.param(lambda rows: rows + np.arange(len(rows))[:, None] % 3 * [[0, 1]], id="position in the batch"),
    ],
)
def test_answers_that_depend_on_the_batch_are_an_error(function):
    found = checked(function)
    assert (found["repeatable"].severity, found["batch-independent"].severity) == ("ok", "error")


def test_a_teacher_with_a_fixed_batch_size_is_an_error_that_quotes_it():
    def fixed(rows):
        if len(rows) != len(ROWS):
            raise ValueError("expected 40 rows")
        return rows

    finding = checked(fixed)["batch-independent"]
    assert finding.severity == "error"
    assert (
        "queried with 1 of the rows in another batch, the teacher fails: "
        "queried with 1 rows, the teacher raised ValueError: expected 40 rows" in finding.sentence
    )


def test_a_teacher_that_fails_the_second_call_is_not_repeatable():
    calls = []

    def once(rows):
        calls.append(len(rows))
        if len(calls) > 1:
            raise RuntimeError("quota used up")
        return rows

    found = checked(once)
    assert found["repeatable"].severity == "error"
    assert "quota used up" in found["repeatable"].sentence


def test_a_single_row_is_checked():
    assert {finding.severity for finding in checked(lambda rows: rows, rows=ROWS[:1]).values()} == {"ok"}


def test_differences_are_in_probability_or_in_standard_deviations():
    assert largest_difference(FORM, np.array([[0.0, 0.0]]), np.array([[0.0, np.log(3.0)]])) == pytest.approx(0.25)
    far = np.array([[40.0, 0.0]])
    assert largest_difference(FORM, far, np.array([[45.0, 0.0]])) < 1e-15  # saturated answers are equal
    answers = np.array([[0.0], [200.0]])  # of standard deviation 100
    assert largest_difference(VALUES, answers, answers + 1) == pytest.approx(0.01)
    assert largest_difference(VALUES, np.zeros((2, 1)), np.ones((2, 1))) == 1.0


def test_stored_answers_of_a_language_model_are_no_proof_that_it_repeats_itself():
    with serving() as endpoint:
        teacher = asker(endpoint)
        found = list(check_determinism(teacher, Sample(["you win", "lunch"], 2, 2), 0))
    assert [(finding.check, finding.severity) for finding in found] == [("repeatable", "note")]
    assert endpoint.bodies == []
