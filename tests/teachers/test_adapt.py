from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from torch import nn

from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, DamagedFile
from tutelage.teachers.adapt import as_teacher

X, Y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array(["no", "no", "yes", "yes"])


class CustomTeacher:
    """A user-defined Teacher that also has the methods `fit` and `predict`."""

    form = as_teacher(LogisticRegression().fit(X, Y)).form
    fingerprint = "custom"

    def answer(self, inputs):
        return np.full((len(inputs), 2), 0.5)

    fit = predict = answer


class OnlyProbabilities:
    classes_ = np.array(["no", "yes"])

    def predict_proba(self, inputs):
        return np.full((len(inputs), 2), 0.5)


def test_the_form_follows_from_the_model():
    network = as_teacher(nn.Linear(1, 2), classes=("no", "yes"))
    classifier, regressor = as_teacher(LogisticRegression().fit(X, Y)), as_teacher(LinearRegression().fit(X, X[:, 0]))
    assert [teacher.form.kind for teacher in (network, classifier, regressor)] == ["logits", "probabilities", "values"]
    assert [teacher.form.classes for teacher in (network, classifier, regressor)] == [("no", "yes"), ("no", "yes"), ()]
    assert [teacher.answer(X).shape for teacher in (network, classifier, regressor)] == [(4, 2), (4, 2), (4, 1)]
    np.testing.assert_allclose(regressor.answer(X), X, atol=1e-12)


def test_a_teacher_is_returned_unchanged():
    teacher = CustomTeacher()
    assert as_teacher(teacher) is teacher
    with pytest.raises(BadInput, match="classes= was passed for a Teacher, which does not need it"):
        as_teacher(teacher, classes=("no", "yes"))


def test_classes_and_predict_proba_are_enough():
    teacher = as_teacher(OnlyProbabilities())
    assert isinstance(teacher, Teacher)
    assert teacher.form.classes == ("no", "yes")


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (nn.Linear(1, 2), {}, "pass classes="),
        (LogisticRegression().fit(X, Y), {"classes": ("no", "yes")}, "leave classes= out"),
        (
            LogisticRegression().fit(X, Y),
            {"kind": "probabilities"},
            "kind= was passed for a scikit-learn estimator, which does not need it",
        ),
        (LogisticRegression(), {}, "LogisticRegression is not fitted"),
        (LogisticRegression, {}, "LogisticRegression is a class; pass a fitted LogisticRegression"),
        (LinearSVC().fit(X, Y), {}, "no predict_proba, .*; wrap it"),
        (StandardScaler().fit(X), {}, "cannot use a StandardScaler as a teacher"),
        ([LogisticRegression().fit(X, Y)] * 2, {}, "got a list of 2 teachers, expected one; .* with ensemble"),
        ("teacher.pkl", {}, r"teacher\.pkl is not the path of an ONNX file; .* open_teacher"),
        (Path("teacher.skops"), {}, r"teacher\.skops is not the path of an ONNX file; .* open_teacher"),
        (None, {}, "cannot use a NoneType as a teacher"),
        (X, {}, "cannot use a ndarray as a teacher"),
    ],
)
def test_unsuitable_models_are_refused_with_a_remedy(model, options, message):
    with pytest.raises(BadInput, match=message):
        as_teacher(model, **options)


def test_bytes_are_an_onnx_file():
    with pytest.raises(DamagedFile, match="the content of the given bytes is not an ONNX graph"):
        as_teacher(b"text")


def test_a_version_may_be_a_number():
    network = nn.Linear(2, 2)
    named = [as_teacher(network, classes=(0, 1), version=version).fingerprint for version in (3, np.int64(3), "3", "4")]
    assert named[0] == named[1] == named[2] != named[3]
