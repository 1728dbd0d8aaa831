from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tutelage.core.answers import AnswerForm
from tutelage.core.records import Latency
from tutelage.evaluation.deployed.risk_control import learn_then_test
from tutelage.report.distillation.records import DECISIONS
from tutelage.search.limits import Limits
from tutelage.workflow.distillation.evidence import conclusion
from tutelage.workflow.distillation.evidence.cascade import Beside, choose_for_cascade, measured_cascade
from tutelage.workflow.distillation.evidence.finals import Finalists
from tutelage.workflow.distillation.given.answered import Answered
from tutelage.workflow.distillation.given.part import Part
from tutelage.workflow.distillation.searching.arms import Arm
from tutelage.workflow.distillation.searching.judge import Judge

FORM = AnswerForm("probabilities", "binary", ("no", "yes"))
RNG = np.random.default_rng(0)
SCORES = RNG.random(4000)
TEACHER = np.column_stack([1 - SCORES, SCORES])


def latency(median):
    return Latency(median, 2 * median, None, 100, 1)


def part(places, *, truth=True):
    answers = TEACHER[places]
    known = np.eye(2)[(answers[:, 1] + RNG.normal(0, 0.2, len(answers)) > 0.5).astype(int)] if truth else None
    return Part(places, answers, known)


class Student:
    """Answers as the teacher does, with an error of some size."""

    def __init__(self, error):
        self.error = error

    def answer(self, rows):
        logits = np.log(TEACHER[rows, 1] / TEACHER[rows, 0]) + np.random.default_rng(1).normal(0, self.error, 4000)[rows]
        return np.column_stack([1 / (1 + np.exp(logits)), 1 / (1 + np.exp(-logits))])


def finalists(name, error, us, *, excess=None):
    trial = SimpleNamespace(student="tree", settings={})
    figures = {"accuracy": 0.9}
    student = Student(error)
    measured = None if us is None else latency(us)
    return Finalists(Arm(name, name, "answers"), trial, 1, [student], ("a",), (figures,), 1000, measured, excess or {}, None)


BESIDE = Beside(FORM, 0.95, "a teacher", latency(1000.0))
VALIDATION = part(np.arange(1000))


def test_the_student_with_the_lowest_latency_beside_the_teacher_is_chosen():
    rough, close, slow = finalists("answers", 1.0, 5.0), finalists("decisions", 0.1, 5.0), finalists("answers, more rows", 0.05, 900.0)
    chosen, reason = choose_for_cascade([rough, close, slow], VALIDATION, BESIDE)
    assert chosen is close
    assert "of the validation rows itself at a rate of 95 %, so that a row takes" in reason
    assert "the least of all students of the teacher" in reason


def test_without_latencies_the_student_that_answers_most_is_chosen():
    rough, close = finalists("answers", 1.0, None), finalists("decisions", 0.1, 5.0)
    chosen, reason = choose_for_cascade([rough, close], VALIDATION, replace(BESIDE, latency=None))
    assert chosen is close
    assert reason.endswith("the most of all students of the teacher")


def test_students_of_the_truth_and_those_beyond_a_limit_are_not_chosen():
    alone, beyond = finalists("labels", 0.01, 5.0), finalists("answers", 0.01, 5.0, excess={"size": 0.3})
    rough = finalists(DECISIONS, 1.0, 5.0)
    assert choose_for_cascade([alone, beyond, rough], VALIDATION, BESIDE)[0] is rough
    assert choose_for_cascade([alone, beyond], VALIDATION, BESIDE) is None


def test_a_student_that_may_answer_nothing_is_not_chosen():
    class Wrong(Student):
        def answer(self, rows):
            return super().answer(rows)[:, ::-1]

    wrong = replace(finalists("answers", 0.1, 5.0), students=[Wrong(0.1)])
    assert choose_for_cascade([wrong], VALIDATION, replace(BESIDE, target=0.9999)) is None


def test_few_validation_rows_choose_as_well_though_they_would_prove_nothing():
    few = VALIDATION.take(np.arange(40))
    rough, close = finalists("answers", 2.0, 5.0), finalists("decisions", 0.05, 5.0)
    assert choose_for_cascade([rough, close], few, replace(BESIDE, target=0.99))[0] is close


def test_the_coverage_is_the_largest_share_with_enough_agreement_and_equal_confidences_stay_together():
    confidence = np.array([0.9, 0.9, 0.8, 0.7, 0.7, 0.6, 0.6, 0.6, 0.6, 0.6])
    answers = np.column_stack([confidence, 1 - confidence])
    wrong = np.array([0, 0, 0, 0, 1, 0, 0, 0, 0, 1])
    rows = Part(np.arange(10), np.column_stack([1.0 - wrong, wrong]))
    for target, coverage in ((0.95, 0.3), (0.9, 0.5), (0.8, 1.0)):
        assert replace(BESIDE, target=target).coverage(answers, rows) == coverage


def found_for(target=0.95, *, truth=True, error=0.3):
    one = finalists("answers", error, 5.0)
    calibration, test = part(np.arange(1000, 2000), truth=truth), part(np.arange(2000, 4000), truth=truth)
    answers = {"answers": one.students[0].answer(test.rows), "teacher": test.answers}
    tested = conclusion.Tested({}, Judge("accuracy", "truth", Limits(), ".onnx"), None, answers)
    beside = replace(BESIDE, target=target)
    return measured_cascade(one, Answered(calibration, test, None, (), calibration), tested, beside), one, calibration, test


def test_the_threshold_is_that_of_learn_then_test_on_the_calibration_rows():
    found, one, calibration, _ = found_for()
    answers = one.students[0].answer(calibration.rows)
    wrong = answers.argmax(axis=1) != calibration.answers.argmax(axis=1)
    expected = learn_then_test(answers.max(axis=1), wrong, None, target=0.95, delta=0.05, over="all")
    assert found.guarantee["threshold"] == expected.threshold
    assert (found.guarantee["rows"], found.guarantee["answered"], found.guarantee["wrong"]) == (1000, expected.answered, expected.wrong)
    assert (found.guarantee["target"], found.guarantee["against"], found.guarantee["over"]) == (0.95, "teacher", "all")
    assert found.guarantee["teacher"] == "a teacher"


def test_the_test_rows_say_how_both_do_together():
    found, one, _, test = found_for()
    answers = one.students[0].answer(test.rows)
    sure = answers.max(axis=1) >= found.guarantee["threshold"]
    wrong = answers.argmax(axis=1) != test.answers.argmax(axis=1)
    assert found.coverage.value == sure.mean()
    assert found.agreement.value == pytest.approx(1 - (sure & wrong).mean())
    assert found.agreement.value >= 0.94
    assert found.coverage.interval.low < sure.mean() < found.coverage.interval.high
    assert found.blended_us == pytest.approx(5.0 + (1 - sure.mean()) * 1000.0)
    both = np.where(sure, answers.argmax(axis=1), test.answers.argmax(axis=1))
    assert found.accuracy["cascade"].value == (both == test.truth.argmax(axis=1)).mean()
    assert found.accuracy["teacher"].value == (test.answers.argmax(axis=1) == test.truth.argmax(axis=1)).mean()
    assert found.curve[-1].coverage == 1.0
    assert found.curve[-1].agreement == pytest.approx(1 - wrong.mean())


def test_a_higher_rate_leaves_fewer_rows_to_the_student():
    found, *_ = found_for()
    assert [one.target for one in found.targets] == [0.9, 0.95, 0.98, 0.99, 0.995, 0.999]
    coverages = [one.coverage for one in found.targets]
    assert coverages == sorted(coverages, reverse=True)
    assert coverages[0] > coverages[-1]
    assert next(one for one in found.targets if one.target == 0.95).coverage == found.coverage.value


def test_without_truth_there_is_no_accuracy():
    found, *_ = found_for(truth=False)
    assert found.accuracy == {}


def test_a_rate_that_is_not_attained_leaves_every_row_to_the_teacher():
    found, *_ = found_for(0.9999, error=2.0)
    assert not found.attained
    assert (found.coverage.value, found.agreement.value) == (0.0, 1.0)
    assert found.blended_us == 1005.0


def test_several_labels_agree_only_if_all_do():
    labels = AnswerForm("probabilities", "multilabel", ("a", "b"))
    beside = replace(BESIDE, form=labels)
    answers = np.array([[0.9, 0.2], [0.9, 0.6], [0.4, 0.6]])
    rows = Part(np.arange(3), np.array([[0.8, 0.1], [0.8, 0.1], [0.4, 0.6]]), np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 1.0]]))
    assert beside.differs(answers, rows).tolist() == [False, True, False]
    assert beside.right(answers, rows).tolist() == [True, True, False]
