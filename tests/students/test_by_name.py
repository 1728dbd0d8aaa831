import numpy as np
import pytest
from sklearn.linear_model import Ridge

from tutelage.core.errors import BadInput
from tutelage.students.by_name import CLASSIFIERS, REGRESSORS, student_named
from tutelage.students.multilabel import PerLabel
from tutelage.students.saved.save_load import load_student, save_student
from tutelage.students.trees import SoftTree

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
P = RNG.dirichlet(np.ones(3), 60)
QUICK = {"forest": {"n_estimators": 3}, "boosting": {"n_estimators": 3}, "mlp": {"epochs": 2}}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_learns_soft_targets_and_can_be_saved(name, tmp_path):
    if name == "boosting":
        pytest.importorskip("lightgbm")
    student = student_named(name, **QUICK.get(name, {})).fit(X, P)
    again = load_student(save_student(student, tmp_path / name))
    np.testing.assert_allclose(again.predict_proba(X), student.predict_proba(X))


@pytest.mark.parametrize("name", REGRESSORS)
def test_every_regressor_learns_values_and_can_be_saved(name, tmp_path):
    student = student_named(name, task="regression", **QUICK.get(name, {})).fit(X, P[:, 0])
    np.testing.assert_allclose(load_student(save_student(student, tmp_path / name)).predict(X), student.predict(X))


def test_settings_are_passed_to_the_student_and_multilabel_students_are_wrapped():
    assert student_named("tree", max_leaf_nodes=7).max_leaf_nodes == 7
    assert isinstance(student_named("linear", task="regression", alpha=3.0), Ridge)
    labels = student_named("tree", task="multilabel", max_leaf_nodes=7)
    assert isinstance(labels, PerLabel)
    assert isinstance(labels.estimator, SoftTree)
    assert labels.estimator.max_leaf_nodes == 7


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("treee", {}, r"no student is named 'treee' for multiclass; expected one of tree, forest, .*\. Did you mean tree\?"),
        (
            "logistic",
            {"task": "regression"},
            r"no student is named 'logistic' for regression; expected one of tree, forest, linear, boosting, mlp\.$",
        ),
        ("tree", {"max_leaves": 3}, r"no setting 'max_leaves'; expected one of .*\. Did you mean max_leaf_nodes\?"),
        ("mlp", {"zzz": 3}, r"no setting 'zzz'; expected one of .*validation_fraction\.$"),
    ],
)
def test_unknown_students_and_settings_are_refused_with_a_suggestion(name, options, match):
    with pytest.raises(BadInput, match=match):
        student_named(name, **options)
