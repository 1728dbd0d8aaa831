"""Answers as the columns of a table: what was decided, and names of classes that a file can hold."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.tree import DecisionTreeClassifier

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.evaluation.evaluate import evaluate
from tutelage.evaluation.metrics.top import certain
from tutelage.students.trees import SoftTree
from tutelage.teachers.adapt import as_teacher
from tutelage.workflow.evaluate import row_table
from tutelage.workflow.predict import answer_columns


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        (["a", "b"], ["b", "a"]),
        ([0, 7], [7, 0]),
        ([True, False], [False, True]),
        ([1, 2.5], [2.5, 1.0]),
        ([1, "unsure"], ['"unsure"', "1"]),
        ([True, 2], ["2", "true"]),
        ([2**70, 1], ["1", str(2**70)]),
    ],
    ids=str,
)
def test_names_of_several_types_are_json_texts_and_others_as_they_are(classes, names):
    answers = np.array([[0.2, 0.8], [0.9, 0.1]])
    assert answer_columns("binary", classes, answers)["prediction"].to_pylist() == names


def test_a_table_has_what_was_decided_and_not_what_is_most_probable():
    answers = np.array([[0.6, 0.4], [0.9, 0.1]])
    found = answer_columns("binary", ["no", "yes"], answers, decided=np.array([1, 0]), probabilities=True, prefix="teacher_")
    assert found["teacher_prediction"].to_pylist() == ["yes", "no"]
    assert found["teacher_probability_no"].tolist() == [0.6, 0.9]
    labels = answer_columns("multilabel", ["a", "b"], answers, decided=np.array([[0, 1], [1, 1]]))
    assert (labels["a"].tolist(), labels["b"].tolist()) == ([0, 1], [1, 1])


def test_of_the_most_probable_classes_there_is_the_decision_alone():
    found = answer_columns("multiclass", ["a", "b", "c"], certain(np.array([2, 0]), 3), probabilities=True)
    assert {name: column.to_pylist() for name, column in found.items()} == {"prediction": ["c", "a"]}


def test_the_decisions_of_an_evaluation_are_those_that_its_figures_count():
    X = np.linspace(-1, 1, 60)[:, None]
    y = np.where(X[:, 0] > 0.2, "yes", "no")
    teacher = FixedThresholdClassifier(LogisticRegression(), threshold=0.1, pos_label="yes", response_method="predict_proba").fit(X, y)
    student = SoftTree(max_leaf_nodes=4).fit(X, as_teacher(teacher))
    evaluation = evaluate(student, as_teacher(teacher), X, y, budget_seconds=None, resamples=100)
    found = row_table(evaluation).to_pydict()
    assert found["teacher_prediction"] == teacher.predict(X).tolist()
    assert found["student_prediction"] == student.predict(X).tolist()
    assert np.mean(np.array(found["teacher_prediction"]) == y) == evaluation.teacher_against_truth["accuracy"].value
    most_probable = np.array(found["teacher_probability_yes"]) > 0.5
    assert (np.array(found["teacher_prediction"])[~most_probable] == "yes").any()


def test_many_classes_have_a_table_too():
    X = np.repeat(np.arange(2001.0), 2)[:, None]
    names = np.array([f"c{row:.0f}" for row in X[:, 0]])
    student = DecisionTreeClassifier(max_leaf_nodes=8, random_state=0).fit(X, names)
    evaluation = evaluate(student, None, X[:50], names[:50], budget_seconds=None, resamples=100)
    assert isinstance(evaluation.row_answers().truth, TopAnswers)
    found = row_table(evaluation)
    assert found["truth"].to_pylist() == names[:50].tolist()
    assert found["student_prediction"].to_pylist() == student.predict(X[:50]).tolist()
