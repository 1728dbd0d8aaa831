import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC
from torch import nn

from tutelage.core.errors import BadInput
from tutelage.teachers.adapt import as_teacher

X, Y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array(["no", "no", "yes", "yes"])


def test_each_kind_of_model_declares_what_it_answers():
    network = as_teacher(nn.Linear(1, 2), classes=("no", "yes"))
    classifier, regressor = as_teacher(LogisticRegression().fit(X, Y)), as_teacher(LinearRegression().fit(X, X[:, 0]))
    assert [teacher.form.kind for teacher in (network, classifier, regressor)] == ["logits", "probabilities", "values"]
    assert [teacher.form.classes for teacher in (network, classifier, regressor)] == [("no", "yes"), ("no", "yes"), ()]
    assert [teacher.answer(X).shape for teacher in (network, classifier, regressor)] == [(4, 2), (4, 2), (4, 1)]
    np.testing.assert_allclose(regressor.answer(X), X, atol=1e-12)


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (nn.Linear(1, 2), {}, "pass classes="),
        (LogisticRegression().fit(X, Y), {"classes": ("no", "yes")}, "leave classes= out"),
        (LogisticRegression(), {}, "LogisticRegression is not fitted"),
        (LinearSVC().fit(X, Y), {}, "no predict_proba; wrap it"),
        ("teacher.pkl", {}, "cannot take a str as a teacher"),
    ],
)
def test_what_cannot_teach_is_refused_with_the_way_out(model, options, said):
    with pytest.raises(BadInput, match=said):
        as_teacher(model, **options)
