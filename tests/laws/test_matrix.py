"""Any teacher, any student: every kind against every kind that fits its task, learnt from rows of the teacher's own kind."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from teachers_of_every_kind import OF_CLASSES, OF_LABELS, OF_VALUES, TeachingCase
from threadpoolctl import threadpool_limits

import tutelage as tl
from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.recording import record
from tutelage.students.any_estimator import SoftTargets
from tutelage.students.boosting import SoftBoosting
from tutelage.students.by_name import REGRESSORS, student_named
from tutelage.students.columns import with_columns
from tutelage.students.distilled import DistilledClassifier, DistilledRegressor
from tutelage.students.linear import SoftLogistic
from tutelage.students.multilabel import PerLabel
from tutelage.students.networks.mlp import SoftMLP
from tutelage.students.trees import SoftForest, SoftTree
from tutelage.training.stacks.networks import mlp
from tutelage.training.student import TorchStudent

pytestmark = pytest.mark.slow


def network(labels: SoftLabels, rows: Any, objective: Any) -> TorchStudent:
    """A TorchStudent, taught as its users teach it."""
    torch.manual_seed(0)
    student = TorchStudent(mlp((4, 16, labels.answers.shape[1])), objective)
    return student.fit(rows, labels, epochs=10, batch_size=15, optimizer=partial(torch.optim.Adam, lr=0.05))


STUDENTS: dict[str, Any] = {
    "tree on probabilities": SoftTree(random_state=0),
    "tree on logits": SoftTree(targets="logits", random_state=0),
    "forest": SoftForest(n_estimators=5, random_state=0),
    "logistic": SoftLogistic(C=10),
    "boosting, lightgbm": SoftBoosting(n_estimators=8, num_leaves=8, n_jobs=1),
    "boosting, xgboost": SoftBoosting(engine="xgboost", n_estimators=8, num_leaves=8, n_jobs=1),
    "mlp": SoftMLP(hidden_layer_sizes=(16,), learning_rate=0.1, epochs=5, batch_size=15, random_state=0),
    "any classifier": SoftTargets(DecisionTreeClassifier(random_state=0)),
    "any classifier of dense rows": SoftTargets(GaussianNB()),
}
IN_ONE: dict[str, Any] = {"soft, in one": SoftTree(random_state=0), "hard, in one": LogisticRegression(C=10)}
LABEL_BY_LABEL: dict[str, Any] = {
    "trees": PerLabel(SoftTree(random_state=0)),
    "logistic": PerLabel(SoftLogistic(C=10)),
    "boosting": PerLabel(STUDENTS["boosting, lightgbm"]),
    "any classifier": PerLabel(LogisticRegression(C=10)),
}
REGRESSOR = DecisionTreeRegressor(random_state=0)
SPLITTING = (SoftTree, SoftForest, SoftBoosting, DecisionTreeClassifier)
DENSE_ONLY = ("boosting, xgboost", "any classifier of dense rows")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Ninety rows are learnt ten times as fast by one thread as by several that wait for each other."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module", params=OF_CLASSES)
def of_classes(request, tmp_path_factory) -> TeachingCase:
    return OF_CLASSES[request.param](tmp_path_factory.mktemp("teacher"))


@pytest.fixture(scope="module", params=OF_LABELS)
def of_labels(request, tmp_path_factory) -> TeachingCase:
    return OF_LABELS[request.param](tmp_path_factory.mktemp("teacher"))


@pytest.fixture(scope="module", params=OF_VALUES)
def of_values(request, tmp_path_factory) -> TeachingCase:
    return OF_VALUES[request.param](tmp_path_factory.mktemp("teacher"))


def prepared(student: Any, lesson: TeachingCase) -> Any:
    """The student, behind a preparation of columns where the rows are texts or hold categories."""
    student = clone(student)
    splits = isinstance(getattr(student, "estimator", student), SPLITTING)
    return with_columns(student, lesson.rows, scaled=not splits) if lesson.of in ("mixed", "texts") else student


def taught(student: Any, labels: SoftLabels, rows: Any) -> Any:
    told = {"student__classes" if isinstance(student, Pipeline) else "classes": labels.form.classes}
    return student.fit(rows, labels.probabilities, **told)


def shuffled(labels: SoftLabels) -> SoftLabels:
    """The control: the same answers, each to another row. What a student of these agrees in, it agrees in by chance."""
    order = np.random.default_rng(1).permutation(len(labels))
    return replace(labels, answers=labels.answers[order])


def agreement(student: Any, lesson: TeachingCase) -> float:
    """Share of rows where the student names the label that the teacher does: by its name, not by its column."""
    said = lesson.teacher.answer(lesson.rows)  # asked anew, not as it was recorded
    named = np.array(lesson.teacher.form.classes, dtype=object)[said.argmax(axis=1)]
    return float((np.asarray(student.predict(lesson.rows)) == named).mean())


def assert_sound(student: Any, labels: SoftLabels, rows: Any) -> None:
    p = student.predict_proba(rows)
    assert student.classes_.tolist() == list(labels.form.classes)
    assert p.shape == labels.answers.shape
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    known = np.asarray(student.classes_)[p.argmax(axis=1)]
    assert (np.asarray(student.predict(rows)) == known).all()


@pytest.mark.exhaustive(every=5)
@pytest.mark.parametrize("name", STUDENTS)
def test_any_teacher_of_classes_teaches_any_student(of_classes, name):
    labels, rows = record(of_classes.teacher, of_classes.rows), of_classes.rows
    if name in DENSE_ONLY and of_classes.of == "texts":
        with pytest.raises(BadInput, match="texts become sparse rows"):
            prepared(STUDENTS[name], of_classes)
        return
    if name in DENSE_ONLY and of_classes.of == "sparse":
        with pytest.raises(TypeError, match=r"[Ss]parse data was passed"):  # scikit-learn's own word for it, as `fit` tells
            taught(STUDENTS[name], labels, rows)
        return
    student, control = (taught(prepared(STUDENTS[name], of_classes), answers, rows) for answers in (labels, shuffled(labels)))
    assert_sound(student, labels, rows)
    assert agreement(student, of_classes) > max(0.7, agreement(control, of_classes) + 0.1)


@pytest.mark.exhaustive(every=5)
def test_any_teacher_of_classes_teaches_a_network(of_classes):
    labels, rows = record(of_classes.teacher, of_classes.rows), of_classes.rows
    if of_classes.of != "numbers":
        with pytest.raises(BadInput, match="takes numbers"):
            network(labels, rows, None)
        return
    student, control = (network(answers, rows, None) for answers in (labels, shuffled(labels)))
    assert_sound(student, labels, rows)
    assert agreement(student, of_classes) > max(0.7, agreement(control, of_classes) + 0.1)


@pytest.mark.exhaustive(every=5)
@pytest.mark.parametrize("name", IN_ONE)
def test_any_teacher_of_classes_and_a_student_are_one_estimator(of_classes, name):
    labels, rows = record(of_classes.teacher, of_classes.rows), of_classes.rows
    student, control = (
        DistilledClassifier(teacher, prepared(IN_ONE[name], of_classes), temperature=2.0).fit(rows)
        for teacher in (of_classes.teacher, shuffled(labels))
    )
    assert_sound(student, labels, rows)
    assert agreement(student, of_classes) > max(0.7, agreement(control, of_classes) + 0.1)
    with pytest.raises(BadInput, match="the teacher answers with classes; DistilledRegressor expects values"):
        DistilledRegressor(of_classes.teacher, prepared(REGRESSOR, of_classes)).fit(rows)


def labels_alike(p: Any, lesson: TeachingCase) -> float:
    """Share of labels that are likelier on than off to both."""
    off = 0.0 if lesson.teacher.form.kind == "logits" else 0.5
    return float(((p > 0.5) == (lesson.teacher.answer(lesson.rows) > off)).mean())


@pytest.mark.exhaustive(every=5)
@pytest.mark.parametrize("name", [*LABEL_BY_LABEL, *IN_ONE, "network"])
def test_any_teacher_of_labels_teaches_any_student(of_labels, name):
    labels, rows = record(of_labels.teacher, of_labels.rows), of_labels.rows

    def learnt(from_labels: SoftLabels) -> Any:
        if name == "network":
            return network(from_labels, rows, tl.losses.soft_bernoulli())
        if name in LABEL_BY_LABEL:
            return clone(LABEL_BY_LABEL[name]).fit(rows, from_labels.probabilities, classes=from_labels.form.classes)
        return DistilledClassifier(from_labels, IN_ONE[name]).fit(rows)

    student, p = learnt(labels), learnt(labels).predict_proba(rows)
    assert student.classes_.tolist() == list(labels.form.classes)
    assert p.shape == labels.answers.shape
    assert ((p >= 0) & (p <= 1)).all()
    assert (student.predict(rows) == (p > 0.5)).all()
    assert labels_alike(p, of_labels) > max(0.8, labels_alike(learnt(shuffled(labels)).predict_proba(rows), of_labels) + 0.1)


@pytest.mark.parametrize("name", STUDENTS)
def test_a_student_of_one_class_a_row_refuses_labels_that_are_each_on_or_off(of_labels, name):
    labels = record(of_labels.teacher, of_labels.rows)
    with pytest.raises(NotProbabilities, match="must be non-negative and sum to one"):
        taught(clone(STUDENTS[name]), labels, of_labels.rows)


@pytest.mark.exhaustive(every=4)
@pytest.mark.parametrize("name", REGRESSORS)
def test_any_teacher_of_values_teaches_any_regressor(of_values, name):
    labels, rows = record(of_values.teacher, of_values.rows), of_values.rows
    student = student_named(name, "regression")
    student.set_params(**{setting: 10 for setting in ("n_estimators",) if hasattr(student, setting)})
    if name == "boosting" and labels.answers.shape[1] > 1:
        with pytest.raises(BadInput, match=r"wrap it in sklearn\.multioutput\.MultiOutputRegressor"):
            DistilledRegressor(labels, student).fit(rows)
        student = MultiOutputRegressor(student)
    said = of_values.teacher.answer(rows)
    values = said[:, 0] if said.shape[1] == 1 else said
    alone, control = (clone(student).fit(rows, told.answers.reshape(values.shape)) for told in (labels, shuffled(labels)))
    in_one = DistilledRegressor(of_values.teacher, student).fit(rows)
    chance = ((control.predict(rows) - values) ** 2).mean()
    for learnt in (alone, in_one):
        assert learnt.predict(rows).shape == values.shape
        assert ((learnt.predict(rows) - values) ** 2).mean() < 0.5 * chance


@pytest.mark.exhaustive(every=5)
def test_any_teacher_of_values_teaches_a_network(of_values):
    labels, rows = record(of_values.teacher, of_values.rows), of_values.rows
    said = of_values.teacher.answer(rows)
    values = said[:, 0] if said.shape[1] == 1 else said
    student, control = (network(told, rows, tl.losses.squared_error()) for told in (labels, shuffled(labels)))
    assert student.predict(rows).shape == values.shape
    assert ((student.predict(rows) - values) ** 2).mean() < 0.5 * ((control.predict(rows) - values) ** 2).mean()


@pytest.mark.parametrize("wanted", ["classes", "probabilities"])
def test_values_are_never_taken_for_classes(of_values, wanted):
    if wanted == "classes":
        with pytest.raises(BadInput, match="the teacher answers with values; DistilledClassifier expects classes"):
            DistilledClassifier(of_values.teacher, SoftTree()).fit(of_values.rows)
    else:
        with pytest.raises(LabelMismatch, match="no classes"):
            _ = record(of_values.teacher, of_values.rows).probabilities
