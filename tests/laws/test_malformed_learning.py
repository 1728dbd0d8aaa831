"""A thousand malformed lessons, estimators and evaluations: each ends in a documented error or in a right result."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from malformed import (
    CELLS,
    DTYPES,
    FORMS,
    LABELS,
    NUMBERS,
    ROWS,
    SHAPES,
    SOUND_ANSWERS,
    Says,
    cases,
    documented,
    is_right,
    one_broken,
    said,
)
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from threadpoolctl import threadpool_limits
from torch import nn

from tutelage.core.answers import AnswerForm
from tutelage.evaluation.evaluate import evaluate
from tutelage.softlabels.recording import record
from tutelage.students.any_estimator import SoftTargets
from tutelage.students.boosting import SoftBoosting
from tutelage.students.distilled import DistilledClassifier, DistilledRegressor
from tutelage.students.linear import SoftLogistic
from tutelage.students.multilabel import PerLabel
from tutelage.students.networks.mlp import SoftMLP
from tutelage.students.networks.soft_decision_tree import SoftDecisionTree
from tutelage.students.networks.torch_network import TorchClassifier
from tutelage.students.trees import SoftForest, SoftTree
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.ensembles import ensemble
from tutelage.teachers.relabel import relabelled

pytestmark = pytest.mark.usefixtures("enough_come_through")

GOOD = np.random.default_rng(0).normal(size=(12, 2))


def network(inputs, outputs):
    return nn.Linear(inputs, outputs)


STUDENTS = [
    SoftTree(),
    SoftTree(targets="logits"),
    SoftForest(n_estimators=2),
    SoftLogistic(max_iter=20),
    SoftBoosting(n_estimators=2, n_jobs=1),
    SoftBoosting(engine="xgboost", n_estimators=2, n_jobs=1),
    SoftMLP(hidden_layer_sizes=(2,), epochs=1),
    SoftDecisionTree(depth=2, epochs=1),
    TorchClassifier(network, epochs=1),
    SoftTargets(GaussianNB()),
    PerLabel(SoftTree()),
]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


@st.composite
def numbers(draw, rows=12, columns=2):
    """A matrix that is well but for a cell, or a type, or not at all."""
    matrix = GOOD[:rows, :columns].copy()
    how = draw(st.sampled_from(["well", "one cell", "dtype", "shape", "any"]))
    if how == "one cell":
        matrix[draw(st.integers(0, rows - 1)), 0] = draw(NUMBERS)
    if how == "dtype":
        with np.errstate(invalid="ignore"):
            return matrix.astype(draw(st.sampled_from(["float32", "float16", "int64", "bool", "object", "complex128", "U8"])))
    if how == "shape":
        return draw(arrays(np.float64, draw(SHAPES), elements=NUMBERS))
    return draw(ROWS) if how == "any" else matrix


@st.composite
def truth(draw, rows=12):
    """Labels or soft targets."""
    how = draw(st.sampled_from(["labels", "one class", "mixed", "soft", "soft but one", "any"]))
    if how == "labels":
        return draw(st.lists(st.sampled_from(draw(st.lists(LABELS, min_size=2, max_size=3))), min_size=rows, max_size=rows))
    if how == "one class":
        return [draw(LABELS)] * rows
    if how == "mixed":
        return draw(st.lists(CELLS, min_size=rows - 1, max_size=rows))
    if how == "any":
        return draw(st.one_of(ROWS, arrays(DTYPES, SHAPES)))
    matrix = draw(arrays(np.float64, (rows, draw(st.integers(1, 4))), elements=st.floats(0.01, 1)))
    matrix = matrix / matrix.sum(axis=1, keepdims=True)
    if how == "soft but one":
        matrix[draw(st.integers(0, rows - 1)), 0] = draw(NUMBERS)
    return matrix


CLASSES = st.one_of(st.none(), st.lists(LABELS, max_size=4), CELLS)
LESSONS = one_broken(
    {
        "rows": st.just(GOOD),
        "targets": st.sampled_from([np.arange(12) % 3, np.full((12, 3), 1 / 3)]),
        "weights": st.none(),
        "classes": st.none(),
    },
    {
        "rows": numbers(),
        "targets": truth(),
        "weights": st.one_of(arrays(np.float64, st.integers(11, 13), elements=NUMBERS), ROWS),
        "classes": CLASSES,
    },
)


def assert_answers(student, rows, width):
    p = student.predict_proba(rows)
    assert p.shape == (len(rows), width)
    assert ((p >= 0) & (p <= 1 + 1e-6)).all()
    if not getattr(student, "per_label_", False):
        np.testing.assert_allclose(p.sum(axis=1), 1, atol=2e-3)  # rows of float16 are answered in float16 by some


@pytest.mark.slow
@cases
@given(st.sampled_from(STUDENTS), LESSONS)
def test_whatever_a_student_is_taught_it_refuses_or_learns(student, lesson):
    with documented():
        student.fit(lesson["rows"], lesson["targets"], sample_weight=lesson["weights"], classes=lesson["classes"])
        assert len(student.classes_) >= 1
        assert_answers(student, lesson["rows"], len(student.classes_))


@pytest.mark.slow
@cases
@given(st.sampled_from(STUDENTS), numbers())
def test_whatever_a_student_is_asked_it_refuses_or_answers(student, rows):
    student.fit(GOOD, np.arange(12) % 3)
    with documented():
        assert_answers(student, rows, 3)


IN_ONE = one_broken(
    {
        "answers": SOUND_ANSWERS,
        "rows": st.just(GOOD[:3]),
        "y": st.none(),
        "soft_weight": st.just(1.0),
        "temperature": st.sampled_from([1.0, 3.0]),
    },
    {
        "answers": st.tuples(FORMS, said()),
        "rows": numbers(rows=3),
        "y": truth(rows=3),
        "soft_weight": NUMBERS,
        "temperature": NUMBERS,
    },
)


@pytest.mark.slow
@cases
@given(IN_ONE)
def test_whatever_teaches_both_in_one_it_is_refused_or_learnt_from(parts):
    form, answers = parts["answers"]
    rows, y, soft_weight = parts["rows"], parts["y"], parts["soft_weight"]
    with documented():
        declared = AnswerForm(*form)
        teacher = Says(declared, answers)
        if declared.task == "regression":
            student = DistilledRegressor(teacher, Ridge(), soft_weight=soft_weight).fit(rows, y)
            assert np.isfinite(student.predict(rows)).all()
            return
        student = DistilledClassifier(teacher, SoftTree(), soft_weight=soft_weight, temperature=parts["temperature"]).fit(rows, y)
        assert student.classes_.tolist() == list(declared.classes)
        assert is_right(declared.as_kind("probabilities"), student.predict_proba(rows), 3)


class Student:
    """Says what it is told to, whatever it is asked."""

    def __init__(self, classes, answers):
        self.classes_, self.answers = classes, answers

    def predict_proba(self, rows):
        return self.answers


@st.composite
def evaluations(draw):
    """What `evaluate` takes, one part of it malformed."""
    form, answers = draw(SOUND_ANSWERS)
    of_classes = {"y": st.lists(st.sampled_from(form[2]), min_size=3, max_size=3)} if form[2] else {"y": st.just([1.0, 2.0, 4.0])}
    sound = {
        "student": st.just((form, answers)),
        "teacher": st.sampled_from([None, (form, answers)]),
        "classes": st.none(),
        "rows": st.just(GOOD[:3]),
        **of_classes,
    }
    broken = {
        "student": st.tuples(FORMS, said()),
        "teacher": st.tuples(FORMS, said()),
        "classes": CLASSES,
        "rows": numbers(rows=3),
        "y": st.one_of(st.none(), truth(rows=3)),
    }
    return draw(one_broken(sound, broken))


@pytest.mark.slow
@cases
@given(evaluations())
def test_whatever_is_evaluated_is_refused_or_measured(parts):
    form, answers = parts["student"]
    with documented():
        student = Says(AnswerForm(*form), answers) if parts["classes"] is None else Student(parts["classes"], answers)
        teacher = None if parts["teacher"] is None else Says(AnswerForm(*parts["teacher"][0]), parts["teacher"][1])
        told = evaluate(student, teacher, parts["rows"], parts["y"], resamples=100, budget_seconds=None)
        assert told.rows == 3
        for estimate in (*told.against_truth.values(), *told.against_teacher.values()):
            assert np.isfinite(estimate.value)
        if "accuracy" in told.against_truth:
            assert 0 <= told.against_truth["accuracy"].value <= 1


OBJECTS = st.one_of(
    CELLS,
    st.sampled_from([LogisticRegression(), LogisticRegression, len, Ridge().fit(GOOD, GOOD[:, 0]), [], "teacher.onnx", b"no graph", print]),
    st.builds(
        lambda labels: DummyClassifier().fit(GOOD[: len(labels)], labels), st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=4)
    ),
    st.builds(lambda answers: lambda rows: answers, said()),
)


MODELS = st.one_of(
    st.sampled_from([LogisticRegression().fit(GOOD, np.arange(12) % 3), GaussianNB().fit(GOOD, list("abc") * 4)]).map(
        lambda model: {"model": model}
    ),
    SOUND_ANSWERS.map(lambda sound: {"model": lambda rows: sound[1], "kind": sound[0][0], "classes": sound[0][2] or None}),
)


@st.composite
def made_teachers(draw):
    """What `as_teacher` takes, one part of it malformed."""
    sound = {"model": None, "classes": None, "kind": None, "task": None, **draw(MODELS)}
    broken = {
        "model": OBJECTS,
        "classes": st.one_of(st.none(), st.lists(LABELS, max_size=4)),
        "kind": st.sampled_from([None, "logits", "probabilities", "values", "scores"]),
        "task": st.sampled_from([None, "multilabel", "regression", "ranking"]),
    }
    return draw(one_broken({name: st.just(value) for name, value in sound.items()}, broken))


@pytest.mark.slow
@cases
@given(made_teachers(), st.sampled_from(["alone", "twice", "relabelled"]))
def test_whatever_is_made_a_teacher_is_refused_or_answers(parts, how):
    with documented():
        teacher = as_teacher(parts.pop("model"), **parts)
        if how == "twice":
            teacher = ensemble([teacher, teacher], how="geometric")
        if how == "relabelled":
            teacher = relabelled(teacher, parts["classes"] or (0, 1, 2), missing="zero", extra="drop")
        answers = record(teacher, GOOD[:3]).answers
        assert is_right(teacher.form, answers, 3)
