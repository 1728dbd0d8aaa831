"""Answers as JSON say what was decided, how surely, and by whom."""

from dataclasses import replace

import numpy as np
import pytest

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.serving.answers import UNANSWERED, AnswersAsJson, names_of
from tutelage.serving.model import Answered

BOTH = of_classes("probabilities", ("no", "yes"))


def test_classes_keep_their_own_kind():
    (answer,) = AnswersAsJson(of_classes("probabilities", (0, 1, 7)), defers=False)(
        Answered.of(np.array([[0.1, 0.2, 0.7]]), np.array([0.7]))
    )
    assert answer == {"prediction": 7, "probabilities": {"0": 0.1, "1": 0.2, "7": 0.7}, "confidence": 0.7, "answered_by": "student"}


def test_labels_are_those_above_one_half():
    form = AnswerForm("probabilities", "multilabel", ("a", "b", "c"))
    (answer,) = AnswersAsJson(form, defers=False)(Answered.of(np.array([[0.9, 0.5, 0.6]]), np.array([0.5])))
    assert answer["prediction"] == ["a", "c"]


def test_values_are_a_number_or_a_list():
    as_json = AnswersAsJson(AnswerForm("values", "regression"), defers=False)
    assert as_json(Answered.of(np.array([[1.5], [2.0]]), None)) == [
        {"prediction": 1.5, "answered_by": "student"},
        {"prediction": 2.0, "answered_by": "student"},
    ]
    assert as_json(Answered.of(np.array([[1.5, 2.0]]), None))[0]["prediction"] == [1.5, 2.0]


def test_rows_left_to_the_teacher_say_so():
    answered = Answered.of(np.array([[0.4, 0.6], [0.1, 0.9]], dtype=np.float32), np.array([0.6, 0.9]), np.array([True, False]))
    student, _ = AnswersAsJson(BOTH, defers=True)(answered)
    assert (student["deferred"], student["answered_by"]) == (True, "student")
    taught, sure = AnswersAsJson(BOTH, defers=True)(answered.completed({0: Answered.of(np.array([[0.8, 0.2]]), np.array([0.8]))}))
    assert (taught["prediction"], taught["answered_by"], taught["deferred"], taught["confidence"]) == ("no", "teacher", True, 0.8)
    assert (sure["prediction"], sure["answered_by"], sure["deferred"]) == ("yes", "student", False)
    without, sure = AnswersAsJson(BOTH, defers=True)(answered.completed({}), {0: "why not"})
    assert without == {"answered_by": None, "deferred": True, "error": "why not"}
    assert list(without) == UNANSWERED["required"]
    assert sure["prediction"] == "yes"


def test_a_student_decides_as_its_file_says_and_its_teacher_as_it_does():
    values = np.array([[0.5, 0.5], [0.5, 0.5]], dtype=np.float32)
    student = Answered.of(values, np.array([0.5, 0.5]), np.array([True, False]), np.array([1, 1]))
    as_json = AnswersAsJson(BOTH, defers=True)
    assert [answer["prediction"] for answer in as_json(student)] == ["yes", "yes"]
    taught = student.completed({0: Answered.of(np.array([[0.8, 0.2]]), np.array([0.8]))})
    assert [answer["prediction"] for answer in as_json(taught)] == ["no", "yes"]
    assert student.decided.tolist() == [1, 1]


def test_labels_that_the_teacher_decides_by_its_own_rule():
    form = AnswerForm("probabilities", "multilabel", ("a", "b"))
    student = Answered.of(np.array([[0.6, 0.4], [0.9, 0.1]]), np.array([0.6, 0.9]), np.array([True, False]))
    taught = replace(Answered.of(np.array([[0.4, 0.3]]), np.array([0.4])), decided=np.array([[1, 0]]))
    found = AnswersAsJson(form, defers=True)(student.completed({0: taught}))
    assert [answer["prediction"] for answer in found] == [["a"], ["a"]]


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        (("a", "b"), ("a", "b")),
        ((0, 1), ("0", "1")),
        ((True, False), ("true", "false")),
        (("1", 1), ('"1"', "1")),
        ((0.5, "x"), ("0.5", "x")),
    ],
)
def test_no_two_classes_share_a_name(classes, names):
    assert names_of(classes) == names


@pytest.mark.parametrize("task", ["binary", "multilabel", "regression"])
def test_the_schema_names_what_an_answer_holds(task):
    form = AnswerForm("values", "regression") if task == "regression" else AnswerForm("probabilities", task, ("no", "yes"))
    as_json = AnswersAsJson(form, defers=task == "binary")
    confidence = None if task == "regression" else np.array([0.6])
    deferred = np.array([False]) if task == "binary" else None
    (answer,) = as_json(Answered.of(np.array([[0.4, 0.6]]), confidence, deferred))
    assert list(as_json.schema(2)["properties"]) == list(answer)
    assert as_json.schema(2)["required"] == list(answer)
