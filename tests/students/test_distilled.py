from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.arrays import one_hot, softmax
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError, TutelageError
from tutelage.data.transfer import Jitter, Munge, UnlabelledPool
from tutelage.losses.targets import soften
from tutelage.softlabels.recording import record
from tutelage.students.any_estimator import SoftTargets
from tutelage.students.distilled import DistilledClassifier, DistilledRegressor
from tutelage.students.multilabel import PerLabel
from tutelage.students.trees import SoftTree
from tutelage.teachers.adapt import as_teacher

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
NAMES = np.array(["ant", "bee", "cat"])
Y = NAMES[(X[:, 0] + 0.5 * RNG.normal(size=120) > 0).astype(int) + (X[:, 1] > 0.8)]
VALUES = X @ [2.0, -1.0, 0.5] + RNG.normal(size=120)
WEIGHTS = RNG.normal(size=(3, 3))


@dataclass
class Oracle:
    """A teacher that answers with a formula, and records the number of rows of each query."""

    form: AnswerForm = field(default_factory=lambda: of_classes("probabilities", NAMES))
    fingerprint: str = "oracle"
    queried: list = field(default_factory=list)

    def answer(self, inputs):
        self.queried.append(len(inputs))
        logits = 3 * np.asarray(inputs, dtype=np.float64) @ WEIGHTS
        return {"logits": logits, "probabilities": softmax(logits), "values": logits}[self.form.kind]


class RepeatsTargets(ClassifierMixin, BaseEstimator):
    """A student that returns its training targets, in order."""

    def fit(self, X, y, *, classes=None):
        self.classes_, self.targets_ = np.asarray(classes), np.asarray(y)
        return self

    def predict_proba(self, X):
        return self.targets_[: len(X)]


class RepeatsLabels(RepeatsTargets):
    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


@pytest.mark.parametrize("kind", ["probabilities", "logits"])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
def test_predictions_are_at_temperature_one_for_any_training_temperature(kind, temperature):
    teacher = Oracle(of_classes(kind, NAMES))
    known = softmax(3 * X @ WEIGHTS)
    student = DistilledClassifier(teacher, SoftTree(), temperature=temperature).fit(X)
    np.testing.assert_allclose(student.predict_proba(X), known, atol=1e-4)
    learnt = DistilledClassifier(teacher, RepeatsTargets(), temperature=temperature).fit(X)
    np.testing.assert_allclose(learnt.student_.targets_, soften(3 * X @ WEIGHTS, temperature), atol=1e-4)
    np.testing.assert_allclose(learnt.predict_proba(X), known, atol=1e-4)
    assert learnt.answer_temperature_ == pytest.approx(1 / temperature, rel=1e-5)
    assert student.classes_.tolist() == ["ant", "bee", "cat"]
    assert (student.predict(X) == NAMES[known.argmax(axis=1)]).all()


def test_changing_the_temperature_after_fit_does_not_change_predictions():
    student = DistilledClassifier(Oracle(), SoftTree(), temperature=4.0).fit(X)
    before = student.predict_proba(X)
    np.testing.assert_array_equal(student.set_params(temperature=1.0).predict_proba(X), before)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_soft_weight_zero_equals_the_student_on_hard_labels(temperature):
    hard = SoftTree(max_leaf_nodes=5, random_state=0).fit(X, Y)
    ours = DistilledClassifier(Oracle(), SoftTree(max_leaf_nodes=5, random_state=0), soft_weight=0.0, temperature=temperature).fit(X, Y)
    np.testing.assert_array_equal(ours.predict_proba(X), hard.predict_proba(X))
    np.testing.assert_array_equal(ours.predict(X), hard.predict(X))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_ground_truth_is_blended_in_before_tempering(temperature):
    student = DistilledClassifier(Oracle(), SoftTree(), soft_weight=0.3, temperature=temperature).fit(X, Y)
    blend = 0.3 * softmax(3 * X @ WEIGHTS) + 0.7 * one_hot(np.searchsorted(NAMES, Y), 3)
    np.testing.assert_allclose(student.predict_proba(X), blend, rtol=1e-6)


def test_the_classes_are_the_teachers_and_unknown_ones_are_refused():
    few = np.where(Y == "cat", "bee", Y)
    student = DistilledClassifier(Oracle(), SoftTree(), soft_weight=0.5).fit(X, few)
    assert student.predict_proba(X).shape == (120, 3)
    with pytest.raises(LabelMismatch, match=r"y holds the labels \['dog'\], which are not among the classes"):
        DistilledClassifier(Oracle(), SoftTree()).fit(X, np.where(Y == "cat", "dog", Y))
    with pytest.raises(LabelMismatch, match="which are not among the classes"):
        DistilledClassifier(Oracle(), SoftTree()).fit(X, np.array([1, *Y[1:]], dtype=object))


def test_clone_keeps_a_fitted_teacher_fitted():
    forest = RandomForestClassifier(5, random_state=0).fit(X, Y)
    pool = UnlabelledPool(X)
    ours = DistilledClassifier(forest, SoftTree(), transfer=pool, temperature=2.0)
    copied = clone(clone(ours))
    assert copied.teacher is forest
    assert copied.transfer is pool
    assert copied.student is not ours.student
    assert ours.teacher is forest
    copied.fit(X)
    assert copied.teacher is forest
    assert not hasattr(copied.student, "tree_")
    teacher = as_teacher(forest)
    assert clone(DistilledClassifier(teacher, SoftTree())).teacher is teacher


def test_an_unfitted_teacher_is_cloned_and_left_unfitted():
    forest = RandomForestClassifier(5, random_state=0)
    ours = DistilledClassifier(forest, SoftTree())
    assert clone(ours).teacher is not forest
    ours.fit(X, Y)
    assert not hasattr(forest, "estimators_")
    np.testing.assert_allclose(ours.predict_proba(X), forest.fit(X, Y).predict_proba(X))


def test_out_of_fold_targets_come_from_teachers_that_were_not_fitted_on_the_row():
    forest = RandomForestClassifier(10, random_state=0)
    pool = RNG.normal(size=(30, 3))
    transfer = UnlabelledPool(pool)
    ours = DistilledClassifier(forest, RepeatsTargets(), out_of_fold=5, random_state=7, transfer=transfer, transfer_rows=30).fit(X, Y)
    seed = np.random.RandomState(7).randint(2**31 - 1)
    unseen = cross_val_predict(forest, X, Y, cv=StratifiedKFold(5, shuffle=True, random_state=seed), method="predict_proba")
    np.testing.assert_allclose(ours.student_.targets_[:120], unseen)
    seen = clone(forest).fit(X, Y)
    np.testing.assert_allclose(ours.teacher_.answer(X), seen.predict_proba(X))
    np.testing.assert_allclose(np.sort(ours.student_.targets_[120:], axis=0), np.sort(seen.predict_proba(pool), axis=0))
    assert unseen.max(axis=1).mean() < seen.predict_proba(X).max(axis=1).mean()


def test_transfer_rows_are_labelled_once_and_only_by_the_teacher():
    teacher = Oracle()
    ours = DistilledClassifier(teacher, RepeatsTargets(), soft_weight=0.5, transfer=Jitter(), transfer_rows=2.5, random_state=0).fit(X, Y)
    assert ours.transfer_rows_ == 300
    assert teacher.queried == [120, 300]
    generated = Jitter().make(X, 300, seed=np.random.RandomState(0).randint(2**31 - 1))
    np.testing.assert_allclose(ours.student_.targets_[120:], softmax(3 * generated @ WEIGHTS))
    assert DistilledClassifier(Oracle(), SoftTree(), transfer=Jitter(), transfer_rows=0).fit(X).transfer_rows_ == 0


@pytest.mark.parametrize("estimator", [DistilledClassifier, DistilledRegressor])
def test_transfer_rows_without_a_transfer_set_are_refused(estimator):
    with pytest.raises(BadInput, match=r"transfer_rows is 3.0 and transfer is None.* Pass transfer=, such as Munge\(\), or leave"):
        estimator(Oracle(), SoftTree(), transfer_rows=3.0).fit(X)


def test_recorded_labels_work_for_their_rows_only():
    labels = record(Oracle(), X)
    student = DistilledClassifier(labels, SoftTree()).fit(X[::-1])
    np.testing.assert_allclose(student.predict_proba(X), softmax(3 * X @ WEIGHTS), rtol=1e-6)
    with pytest.raises(LabelMismatch, match="are not among"):
        DistilledClassifier(labels, SoftTree(), transfer=Jitter()).fit(X)


def test_it_works_in_a_pipeline_in_grid_search_and_in_cross_validation():
    forest = RandomForestClassifier(10, random_state=0).fit(StandardScaler().fit_transform(X), Y)
    piped = make_pipeline(StandardScaler(), DistilledClassifier(forest, SoftTree(random_state=0)))
    grid = {"distilledclassifier__student__max_leaf_nodes": [2, 20], "distilledclassifier__temperature": [1, 2]}
    search = GridSearchCV(piped, grid, cv=3).fit(X, Y)
    assert search.best_params_["distilledclassifier__student__max_leaf_nodes"] == 20
    assert search.best_estimator_[-1].teacher is forest
    predicted = NAMES[Oracle().answer(X).argmax(axis=1)]
    assert cross_val_score(DistilledClassifier(Oracle(), SoftTree()), X, predicted, cv=3).min() > 0.7


def test_frames_are_passed_to_teacher_and_student_as_frames():
    frame = pd.DataFrame({"size": X[:, 0], "kind": pd.Categorical(np.where(X[:, 1] > 0, "wet", "dry"))})
    encode = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    teacher = make_pipeline(encode, LogisticRegression()).fit(frame, Y)
    student = DistilledClassifier(teacher, make_pipeline(clone(encode), SoftTree()), transfer=Munge(), random_state=0).fit(frame)
    assert student.transfer_rows_ == 600
    assert student.feature_names_in_.tolist() == ["size", "kind"]
    np.testing.assert_allclose(student.predict_proba(frame), teacher.predict_proba(frame), atol=0.2)
    with pytest.raises(ValueError, match="feature names should match"):
        student.predict(frame.rename(columns={"size": "length"}))


def test_sparse_rows_work_if_teacher_and_student_accept_them():
    sparse = csr_matrix(np.where(np.abs(X) > 1, X, 0))
    pool = UnlabelledPool(sparse[:40])
    student = DistilledRegressor(Ridge(), DecisionTreeRegressor(), transfer=pool, random_state=0).fit(sparse, VALUES)
    assert student.transfer_rows_ == 40
    assert student.predict(sparse).shape == (120,)


def test_a_plain_classifier_is_wrapped_in_soft_targets_and_for_a_multilabel_teacher_in_per_label():
    plain = DistilledClassifier(Oracle(), LogisticRegression()).fit(X)
    assert type(plain.student_) is SoftTargets
    assert isinstance(plain.student_.estimator, LogisticRegression)
    assert plain.student_.classes_.tolist() == ["ant", "bee", "cat"]
    labels = Oracle(AnswerForm("probabilities", "multilabel", ("a", "b", "c")))
    each = DistilledClassifier(labels, make_pipeline(StandardScaler(), SoftTree())).fit(X).student_
    assert type(each[-1]) is PerLabel
    assert isinstance(each[-1].estimator, SoftTree)
    ours = DistilledClassifier(labels, RepeatsLabels(), temperature=3.0).fit(X)
    assert isinstance(ours.student_, RepeatsLabels)
    np.testing.assert_allclose(ours.predict_proba(X), labels.answer(X), rtol=1e-6)
    assert ours.predict(X).tolist() == (labels.answer(X) > 0.5).astype(int).tolist()


def test_values_are_blended_and_fitted():
    forest = RandomForestRegressor(10, random_state=0).fit(X, VALUES)
    blend = 0.25 * forest.predict(X) + 0.75 * VALUES
    ours = DistilledRegressor(forest, DecisionTreeRegressor(), soft_weight=0.25).fit(X, VALUES)
    np.testing.assert_allclose(ours.predict(X), blend)
    assert ours.score(X, blend) == pytest.approx(1.0)
    unseen = cross_val_predict(Ridge(), X, VALUES, cv=KFold(4, shuffle=True, random_state=np.random.RandomState(3).randint(2**31 - 1)))
    folded = DistilledRegressor(Ridge(), DecisionTreeRegressor(), out_of_fold=4, random_state=3).fit(X, VALUES)
    np.testing.assert_allclose(folded.predict(X), unseen)


def test_a_teacher_with_multiple_outputs_needs_a_y_of_the_same_shape():
    teacher = Oracle(AnswerForm("values", "regression"))
    ours = DistilledRegressor(teacher, DecisionTreeRegressor(), transfer=Jitter(), transfer_rows=50, random_state=0).fit(X)
    np.testing.assert_allclose(ours.predict(X), 3 * X @ WEIGHTS)
    with pytest.raises(ShapeError, match="y has 1 columns and the teacher answers with 3"):
        DistilledRegressor(teacher, DecisionTreeRegressor(), soft_weight=0.5).fit(X, VALUES)


@pytest.mark.parametrize(
    ("settings", "y", "message"),
    [
        ({"soft_weight": 1.5}, Y, "soft_weight is 1.5"),
        ({"soft_weight": 0.5}, None, "there is no ground truth to blend in"),
        ({"temperature": 0}, None, "temperature is 0"),
        ({"out_of_fold": 3}, Y, "expected an unfitted teacher"),
        ({"teacher": LogisticRegression()}, None, "requires y to be passed"),
        ({"teacher": LogisticRegression(), "out_of_fold": 1}, Y, "out_of_fold is 1; expected a whole number, from 2"),
        ({"teacher": LogisticRegression(), "out_of_fold": 100}, Y, "Use fewer folds"),
        ({"teacher": Oracle(AnswerForm("values", "regression"))}, None, "Use DistilledRegressor"),
        ({"transfer": Jitter(), "transfer_rows": -1}, None, "transfer_rows is -1"),
        ({"transfer": Jitter}, None, "transfer is the class Jitter"),
        ({"transfer": X}, None, r"transfer is a ndarray; expected a transfer set such as Munge\(\) or UnlabelledPool"),
    ],
)
def test_invalid_settings_are_refused_by_name(settings, y, message):
    with pytest.raises(BadInput, match=message):
        DistilledClassifier(**({"teacher": Oracle(), "student": SoftTree()} | settings)).fit(X, y)


def test_a_teacher_of_another_task_and_a_y_of_other_length_are_refused():
    with pytest.raises(BadInput, match="Use DistilledClassifier"):
        DistilledRegressor(Oracle(), DecisionTreeRegressor()).fit(X)
    with pytest.raises(ShapeError, match="y has 119 rows and X has 120"):
        DistilledClassifier(Oracle(), SoftTree()).fit(X, Y[:119])
    with pytest.raises(BadInput, match="cannot fit a str"):
        DistilledClassifier(Oracle(), "tree").fit(X)


def test_a_ragged_y_is_refused():
    with pytest.raises(ShapeError, match="the rows of y do not have the same number"):
        DistilledClassifier(Oracle(), SoftTree()).fit(X, [["ant"], ["bee", "cat"]] * 60)


@pytest.mark.parametrize("soft_weight", [1.0, 0.5])
@pytest.mark.parametrize("student", [SoftTree(max_leaf_nodes=4, random_state=0), LogisticRegression()])
def test_a_row_of_weight_two_is_two_rows_and_one_of_weight_zero_is_none(student, soft_weight):
    weights = np.arange(120) % 3
    repeated = np.repeat(np.arange(120), weights)
    settings = {"soft_weight": soft_weight, "temperature": 2.0}
    weighed = DistilledClassifier(Oracle(), student, **settings).fit(X, Y, sample_weight=weights)
    listed = DistilledClassifier(Oracle(), student, **settings).fit(X[repeated], Y[repeated])
    np.testing.assert_allclose(weighed.predict_proba(X), listed.predict_proba(X), atol=1e-3)


def test_weights_reach_an_unfitted_teacher_its_folds_and_the_last_step_of_a_pipeline():
    weights = np.where(Y == "ant", 5.0, 1.0)
    teacher, student = make_pipeline(StandardScaler(), LogisticRegression()), make_pipeline(StandardScaler(), SoftTree(max_leaf_nodes=3))
    ours = DistilledClassifier(teacher, student).fit(X, Y, sample_weight=weights)
    alone = clone(teacher).fit(X, Y, logisticregression__sample_weight=weights)
    np.testing.assert_allclose(ours.teacher_.answer(X), alone.predict_proba(X))
    folds = DistilledClassifier(teacher, RepeatsWeights(), out_of_fold=3, random_state=0, transfer=Jitter(), transfer_rows=10)
    folds.fit(X, Y, sample_weight=weights)
    np.testing.assert_allclose(folds.student_.weights_, [*weights, *[weights.mean()] * 10])
    unweighed = clone(folds).fit(X, Y)
    assert np.abs(folds.student_.targets_[:120] - unweighed.student_.targets_[:120]).max() > 0.01
    values = DistilledRegressor(Ridge(), DecisionTreeRegressor(max_leaf_nodes=2)).fit(X, VALUES, sample_weight=weights)
    np.testing.assert_allclose(values.teacher_.answer(X)[:, 0], Ridge().fit(X, VALUES, sample_weight=weights).predict(X))


class RepeatsWeights(RepeatsTargets):
    def fit(self, X, y, *, classes=None, sample_weight=None):
        self.weights_ = sample_weight
        return super().fit(X, y, classes=classes)


def test_rows_of_weight_zero_are_not_queried():
    teacher = Oracle()
    DistilledClassifier(teacher, SoftTree()).fit(pd.DataFrame(X, columns=list("abc")), Y.tolist(), sample_weight=np.arange(120) % 2)
    assert teacher.queried == [60]


@pytest.mark.parametrize(
    ("parts", "weights", "message"),
    [
        ({"student": RepeatsTargets()}, np.ones(120), "fit of RepeatsTargets takes no weights"),
        ({"teacher": KNeighborsClassifier()}, np.ones(120), "fit of KNeighborsClassifier takes no weights"),
        ({}, np.ones(119), r"sample_weight has shape \(119,\)"),
        ({}, -np.ones(120), "negative"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(parts, weights, message):
    with pytest.raises(TutelageError, match=message):
        DistilledClassifier(**({"teacher": Oracle(), "student": SoftTree()} | parts)).fit(X, Y, sample_weight=weights)


def test_weights_are_routed_to_it_and_reach_a_pipeline_where_routing_is_enabled():
    weights = np.where(Y == "ant", 5.0, 1.0)
    student = make_pipeline(StandardScaler(), SoftTree(max_leaf_nodes=3, random_state=0))
    alone = DistilledClassifier(Oracle(), student).fit(X, sample_weight=weights)
    with config_context(enable_metadata_routing=True):
        ours = DistilledClassifier(Oracle(), student).set_fit_request(sample_weight=True)
        routed = make_pipeline(ours).fit(X, Y, sample_weight=weights)
        np.testing.assert_allclose(routed.predict_proba(X), alone.predict_proba(X))
        search = GridSearchCV(ours, {"temperature": [1.0, 2.0]}, cv=2, scoring=lambda model, X, y: model.score(X, y))
        assert search.fit(X, Y, sample_weight=weights).best_score_ > 0.3
        refusing = make_pipeline(DistilledClassifier(Oracle(), student))
        with pytest.raises(ValueError, match="are passed but are not explicitly set as requested or not requested"):
            refusing.fit(X, Y, sample_weight=weights)
