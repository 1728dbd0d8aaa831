import pytest

from tutelage.core.records import Comparison
from tutelage.report.distillation.records import ArmResult, DistillationRecord
from tutelage.search.advice import CurvePoint
from tutelage.search.study import Trial
from tutelage.workflow.distillation.evidence.helping import advice_of

TRIAL = Trial(0, "tree", {}, 0.2, {"accuracy": 0.8}, 1000)


def advice(*, chosen="answers", kind="distilled", drop=1.0, limits=None, excess=None, more="made rows"):
    """What is said of a chosen student, by subject."""

    def arm(name, kind, accuracy):
        scores = {"accuracy": (accuracy,)}
        return ArmResult(name, "", kind, "tree", {}, (0,), 1, scores, scores, None, 1000, excess=excess or {}, drop=drop)

    record = DistillationRecord(
        title="a teacher",
        answer="",
        task="binary",
        classes=("no", "yes"),
        metric="accuracy",
        against="truth",
        chosen=chosen,
        reason="",
        arms=(arm(chosen, kind, 0.9), arm("answers, more rows", "distilled", 0.9), arm("teacher", "teacher", 0.9)),
        comparisons=(Comparison(chosen, "teacher", "accuracy", 0.0, (-0.001, 0.001), "no difference", "?", "test rows"),),
        front=(),
        limits=limits or {},
        rows={"validation": 500, "more_are": more},
        findings={},
        exports=(),
        options={},
        seconds={},
        environment={},
        curve=(CurvePoint(0, (0.7, 0.71)), CurvePoint(100, (0.8, 0.81)), CurvePoint(200, (0.9, 0.91))),
    )
    return {one.about: one for one in advice_of(record, TRIAL, [TRIAL])}


@pytest.mark.parametrize("more", ["made rows", "rows of the pool"])
def test_more_rows_are_called_what_they_are(more):
    assert advice(more=more)["more rows"].sentence.startswith(
        f"More {more} would help: on validation rows the accuracy of the arm 'answers, more"
    )


def test_a_better_teacher_is_not_asked_for_by_a_student_that_had_none():
    assert advice()["better teacher"].helps
    found = advice(chosen="labels", kind="baseline")["better teacher"]
    assert found.helps is None
    assert "it did not learn from it" in found.sentence


def test_a_drop_is_the_measured_one_also_where_none_is_allowed():
    found = advice(drop=3.5, limits={"drop": 0.0}, excess={"drop": 4.5})["limits"]
    assert "the drop (3.5 points against 0)" in found.sentence
