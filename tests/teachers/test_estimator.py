import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier

from tutelage.core.errors import NotProbabilities
from tutelage.teachers.estimator import EstimatorTeacher


class Unnormalised(ClassifierMixin, BaseEstimator):
    """A classifier whose "probabilities" are scores."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 2.0)


def test_the_columns_follow_classes_whatever_the_labels_order():
    X = np.array([[0.0], [1.0], [2.0]] * 5)
    forest = RandomForestClassifier(10, random_state=0).fit(X, np.array(["c", "a", "b"] * 5))
    teacher = EstimatorTeacher(forest)
    answers = teacher.answer(np.array([[0.0], [1.0], [2.0]]))
    assert [teacher.form.classes[column] for column in answers.argmax(axis=1)] == ["c", "a", "b"]


def test_scores_that_are_no_probabilities_are_refused():
    with pytest.raises(NotProbabilities, match="the teacher's answers: 3 of 3 rows"):
        EstimatorTeacher(Unnormalised().fit([[0], [1]], [0, 1])).answer(np.zeros((3, 1)))
