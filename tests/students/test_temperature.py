import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.arrays import one_hot, softmax
from tutelage.losses.targets import temper
from tutelage.students.boosting import SoftBoosting
from tutelage.students.distilled import DistilledClassifier
from tutelage.students.linear import SoftLogistic
from tutelage.students.multilabel import PerLabel
from tutelage.students.networks.mlp import SoftMLP
from tutelage.students.temperature import Targets, fit_at_temperature
from tutelage.students.trees import SoftForest, SoftTree
from tutelage.teachers.adapt import as_teacher

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3000, 5))
P = softmax(2 * X @ RNG.normal(size=(5, 3)) + np.sin(2 * X[:, :3]))
Y = (P.cumsum(axis=1) < RNG.random((3000, 1))).sum(axis=1)
LEARN, TEST = slice(0, 1500), slice(1500, 3000)
FORM = of_classes("probabilities", (0, 1, 2))
MANY = AnswerForm("probabilities", "multilabel", ("a", "b", "c"))
TREE = SoftTree(max_leaf_nodes=16, random_state=0)

STUDENTS = {
    "tree": TREE,
    "tree of logits": SoftTree(max_leaf_nodes=16, targets="logits", random_state=0),
    "forest": SoftForest(n_estimators=5, max_leaf_nodes=16, random_state=0),
    "logistic": SoftLogistic(),
    "network": SoftMLP(hidden_layer_sizes=(16,), epochs=30, random_state=0),
    "pipeline": make_pipeline(StandardScaler(), TREE),
    "naive Bayes": GaussianNB(),
    "fitted forest": RandomForestClassifier(10, min_samples_leaf=5, random_state=0),
}


def calibration_error(probabilities, labels):
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    return np.abs(np.bincount(np.minimum((top * 15).astype(int), 14), top - right)).sum() / len(labels)


def teachers():
    neighbours = KNeighborsClassifier(5).fit(X[TEST], Y[TEST])
    return {
        "true probabilities": as_teacher(
            lambda rows: P[[place_of[row.tobytes()] for row in rows]], kind="probabilities", classes=[0, 1, 2]
        ),
        "hard zeros": as_teacher(neighbours),
    }


place_of = {row.tobytes(): place for place, row in enumerate(X)}


@pytest.mark.exhaustive(every=4)
@pytest.mark.parametrize("soft_weight", [1.0, 0.5])
@pytest.mark.parametrize("teacher", ["true probabilities", "hard zeros"])
@pytest.mark.parametrize("name", sorted(STUDENTS))
def test_at_temperature_four_it_is_as_well_calibrated_as_at_one(name, teacher, soft_weight):
    source = teachers()[teacher]
    errors = []
    for temperature in (1.0, 4.0):
        student = DistilledClassifier(source, STUDENTS[name], temperature=temperature, soft_weight=soft_weight).fit(X[LEARN], Y[LEARN])
        errors.append(calibration_error(student.predict_proba(X[TEST]), Y[TEST]))
    at_one, at_four = errors
    assert at_four <= 1.2 * at_one + (0.01 if name in {"tree", "tree of logits", "forest", "pipeline"} else 0.04)


def test_boosting_is_as_well_calibrated():
    pytest.importorskip("lightgbm")
    student = SoftBoosting(n_estimators=20, num_leaves=8, n_jobs=1, random_state=0)
    errors = []
    for temperature in (1.0, 4.0):
        taught = fit_at_temperature(student, FORM, X[LEARN], Targets.of(P[LEARN], FORM, temperature=temperature))
        errors.append(calibration_error(temper(taught.student.predict_proba(X[TEST]), taught.answer_temperature), Y[TEST]))
    assert errors[1] <= 1.2 * errors[0] + 0.02


@pytest.mark.parametrize("weighted", [False, True])
def test_a_tree_splits_at_the_temperature_and_averages_at_one(weighted):
    weights = RNG.random(1500) if weighted else None
    taught = fit_at_temperature(TREE, FORM, X[LEARN], Targets.of(P[LEARN], FORM, temperature=4.0), sample_weight=weights)
    assert taught.answer_temperature == 1.0
    tree, tempered = (
        taught.student.tree_,
        SoftTree(max_leaf_nodes=16, random_state=0).fit(X[LEARN], temper(P[LEARN], 4.0), sample_weight=weights).tree_,
    )
    np.testing.assert_array_equal(tree.tree_.threshold, tempered.tree_.threshold)
    leaves = tree.apply(X[LEARN])
    for leaf in np.unique(leaves):
        inside = leaves == leaf
        expected = np.average(P[LEARN][inside], axis=0, weights=None if weights is None else weights[inside])
        np.testing.assert_allclose(tree.tree_.value[leaf, :, 0], expected)
    np.testing.assert_allclose(tree.tree_.value[0, :, 0], np.average(P[LEARN], axis=0, weights=weights))


@pytest.mark.parametrize("student", [TREE, SoftForest(n_estimators=3, bootstrap=False, random_state=0), STUDENTS["tree of logits"]])
def test_refilling_with_the_same_targets_changes_nothing(student):
    weights = RNG.random(1500)
    fitted = student.fit(X[LEARN], P[LEARN], sample_weight=weights)
    before = fitted.predict_proba(X)
    assert fitted.answer_with(X[LEARN], P[LEARN], weights)
    np.testing.assert_allclose(fitted.predict_proba(X), before, atol=1e-9)


def test_the_labels_of_a_multilabel_student_are_brought_to_temperature_one():
    on = np.column_stack([P[:, :2], np.full(len(P), 0.9)])
    targets = Targets.of(on[LEARN], MANY, temperature=3.0)
    trees = fit_at_temperature(SoftTree(random_state=0), MANY, X[LEARN], targets)
    assert trees.answer_temperature == 1.0
    np.testing.assert_allclose(trees.student.predict_proba(X[LEARN]), on[LEARN], atol=1e-9)
    linear = fit_at_temperature(PerLabel(SoftLogistic()), MANY, X[LEARN], targets)
    assert 0.2 < linear.answer_temperature < 0.6
    answers = MANY.probabilities(linear.student.predict_proba(X[TEST]), linear.answer_temperature)
    np.testing.assert_allclose(answers.mean(axis=0), on[TEST].mean(axis=0), atol=0.03)


def test_values_and_hard_labels_have_no_temperature():
    values = AnswerForm("values", "regression")
    numbers = Targets.of(X[:, :1], values, temperature=1.0)
    assert fit_at_temperature(DecisionTreeRegressor(), values, X, numbers).answer_temperature == 1.0
    hard = Targets.of(P, FORM, truth=one_hot(Y, 3), soft_weight=0.0, temperature=4.0)
    assert hard.tempered is hard.at_one
    assert fit_at_temperature(SoftLogistic(), FORM, X, hard).answer_temperature == 1.0


def test_targets_of_other_rows_follow():
    first, second = (Targets.of(part, FORM, temperature=2.0) for part in (P[:4], P[4:9]))
    both, whole = first.followed_by(second), Targets.of(P[:9], FORM, temperature=2.0)
    np.testing.assert_array_equal(both.tempered, whole.tempered)
    np.testing.assert_array_equal(both.at_one, whole.at_one)
    same = Targets.of(P[:4], FORM).followed_by(Targets.of(P[4:9], FORM))
    assert same.tempered is same.at_one
