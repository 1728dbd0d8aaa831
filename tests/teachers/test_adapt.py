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


class OfMyOwn:
    """Somebody's own Teacher, which happens to have a fit and a predict too."""

    form = as_teacher(LogisticRegression().fit(X, Y)).form
    fingerprint = "mine"

    def answer(self, inputs):
        return np.full((len(inputs), 2), 0.5)

    fit = predict = answer


class OnlyProbabilities:
    classes_ = np.array(["no", "yes"])

    def predict_proba(self, inputs):
        return np.full((len(inputs), 2), 0.5)


def test_each_kind_of_model_declares_what_it_answers():
    network = as_teacher(nn.Linear(1, 2), classes=("no", "yes"))
    classifier, regressor = as_teacher(LogisticRegression().fit(X, Y)), as_teacher(LinearRegression().fit(X, X[:, 0]))
    assert [teacher.form.kind for teacher in (network, classifier, regressor)] == ["logits", "probabilities", "values"]
    assert [teacher.form.classes for teacher in (network, classifier, regressor)] == [("no", "yes"), ("no", "yes"), ()]
    assert [teacher.answer(X).shape for teacher in (network, classifier, regressor)] == [(4, 2), (4, 2), (4, 1)]
    np.testing.assert_allclose(regressor.answer(X), X, atol=1e-12)


def test_a_teacher_is_returned_as_it_is():
    mine = OfMyOwn()
    assert as_teacher(mine) is mine
    with pytest.raises(BadInput, match="a Teacher needs no classes= from you"):
        as_teacher(mine, classes=("no", "yes"))


def test_what_has_classes_and_probabilities_needs_no_fit():
    teacher = as_teacher(OnlyProbabilities())
    assert isinstance(teacher, Teacher)
    assert teacher.form.classes == ("no", "yes")


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (nn.Linear(1, 2), {}, "pass classes="),
        (LogisticRegression().fit(X, Y), {"classes": ("no", "yes")}, "leave classes= out"),
        (LogisticRegression().fit(X, Y), {"kind": "probabilities"}, "a scikit-learn estimator needs no kind= from you"),
        (LogisticRegression(), {}, "LogisticRegression is not fitted"),
        (LogisticRegression, {}, "LogisticRegression is a class; pass a fitted LogisticRegression"),
        (LinearSVC().fit(X, Y), {}, "no predict_proba; wrap it"),
        (StandardScaler().fit(X), {}, "cannot take a StandardScaler as a teacher"),
        ([LogisticRegression().fit(X, Y)] * 2, {}, "2 teachers at once: .* with ensemble"),
        ("teacher.pkl", {}, r"teacher\.pkl is no path of an ONNX file; .* open_teacher"),
        (Path("teacher.skops"), {}, r"teacher\.skops is no path of an ONNX file; .* open_teacher"),
        (None, {}, "cannot take a NoneType as a teacher"),
        (X, {}, "cannot take a ndarray as a teacher"),
    ],
)
def test_what_cannot_teach_is_refused_with_the_way_out(model, options, said):
    with pytest.raises(BadInput, match=said):
        as_teacher(model, **options)


def test_bytes_are_an_onnx_file():
    with pytest.raises(DamagedFile, match="what the given bytes hold is not an ONNX graph"):
        as_teacher(b"text")
