import numpy as np
import pytest
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.students.cascades.models import LabelStudent, classifier_of, student_of

X, Y = make_multilabel_classification(200, 5, n_classes=3, random_state=0)
TEACHER = tl.as_teacher(RandomForestClassifier(5, random_state=0).fit(X, Y), classes=["a", "b", "c"])


def test_an_estimator_of_several_labels_has_the_names_of_the_teacher():
    plain = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, Y)
    student = student_of(plain, TEACHER)
    assert isinstance(student, LabelStudent)
    assert student.form == TEACHER.form
    np.testing.assert_array_equal(student.answer(X), np.column_stack([one[:, 1] for one in plain.predict_proba(X)]))
    np.testing.assert_array_equal(student.decide(X), plain.predict(X))
    assert student.fingerprint != student_of(DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, Y), TEACHER).fingerprint
    assert isinstance(student, tl.Teacher)


def test_other_students_are_what_as_teacher_makes_of_them():
    assert student_of(TEACHER, TEACHER) is TEACHER
    single = DecisionTreeClassifier().fit(X, Y[:, 0])
    assert student_of(single, tl.as_teacher(single)).form.classes == (0, 1)


def test_a_model_that_cannot_be_used_is_named():
    with pytest.raises(BadInput, match="the teacher of the cascade: this DecisionTreeClassifier is not fitted"):
        classifier_of("teacher", DecisionTreeClassifier())
    with pytest.raises(BadInput, match="the student of the cascade: got a list of 2 teachers"):
        classifier_of("student", [TEACHER, TEACHER])
