import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor, RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor, ExtraTreeRegressor

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import BadInput
from tutelage.losses.targets import temper
from tutelage.students.teaching import blended, fit_student, is_unfitted, out_of_fold_answers, spread_of
from tutelage.students.trees import SoftTree
from tutelage.teachers.adapt import as_teacher

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(30, 2)), np.arange(30) % 2
FORM = of_classes("probabilities", ("a", "b"))
MANY = AnswerForm("probabilities", "multilabel", ("a", "b"))


def test_is_unfitted_recognises_unfitted_scikit_learn_estimators_only():
    fitted = LogisticRegression().fit(X, Y)
    assert is_unfitted(LogisticRegression())
    assert is_unfitted(make_pipeline(StandardScaler(), LogisticRegression()))
    for teacher in (fitted, FrozenEstimator(fitted), make_pipeline(StandardScaler(), fitted), as_teacher(fitted), "no teacher at all"):
        assert not is_unfitted(teacher)


def test_is_unfitted_recognises_catboost_models():
    model = pytest.importorskip("catboost").CatBoostClassifier(iterations=2, verbose=False, allow_writing_files=False)
    assert is_unfitted(model)
    assert not is_unfitted(model.fit(X, Y))


@given(st.floats(0, 1), st.floats(0.5, 20), st.floats(0.01, 0.99))
def test_tempering_comes_after_blending_and_can_be_reversed(soft_weight, temperature, first):
    answers, truth = np.array([[first, 1 - first]]), np.array([[0.0, 1.0]])
    mixed = soft_weight * answers + (1 - soft_weight) * truth
    targets = blended(answers, FORM, truth=truth, soft_weight=soft_weight, temperature=temperature)
    np.testing.assert_allclose(targets, temper(mixed, temperature), atol=1e-12)
    np.testing.assert_allclose(FORM.probabilities(targets, 1 / temperature), mixed, atol=1e-9)


def test_logits_are_tempered_directly_and_values_never():
    steep = np.array([[0.0, 2000.0]])
    assert blended(steep, of_classes("logits", ("a", "b")), temperature=1000.0)[0, 0] == pytest.approx(1 / (1 + np.e**2))
    values = np.array([[4.0]])
    regression = AnswerForm("values", "regression")
    assert blended(values, regression, truth=np.array([[8.0]]), soft_weight=0.25) == 7.0
    assert blended(values, regression) == 4.0


def test_multilabel_probabilities_are_tempered_separately():
    answers = np.array([[0.5, 0.9]])
    np.testing.assert_allclose(blended(answers, MANY, temperature=2.0), [[0.5, 0.75]])


def test_a_pipeline_passes_the_classes_to_its_last_step():
    student = make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), SoftTree()))
    targets = np.column_stack([Y, 1 - Y]).astype(float)
    fitted = fit_student(student, FORM, X, targets)
    assert fitted.classes_.tolist() == ["a", "b"]
    np.testing.assert_allclose(fitted.predict_proba(X), targets)
    assert not hasattr(student[-1][-1], "tree_")


def test_impossible_folds_are_refused():
    with pytest.raises(BadInput, match="the teacher is multilabel"):
        out_of_fold_answers(LogisticRegression(), MANY, X, Y, folds=3, seed=0)
    with pytest.raises(BadInput, match="one class has 15 rows"):
        out_of_fold_answers(LogisticRegression(), FORM, X, Y, folds=16, seed=0)


def test_a_single_output_regressor_is_refused_with_a_hint_for_multiple_outputs():
    many, pairs = AnswerForm("values", "regression"), np.column_stack([Y, 1 - Y]).astype(float)
    with pytest.raises(BadInput, match=r"GradientBoostingRegressor cannot be fitted to 2 values per row .*MultiOutputRegressor"):
        fit_student(GradientBoostingRegressor(), many, X, pairs)
    with pytest.raises(ValueError, match="could not convert string to float"):  # its own error, because it supports multiple outputs
        fit_student(Ridge(), many, X.astype(str).astype(object) + "x", pairs)


@pytest.mark.parametrize(
    "student",
    [
        DecisionTreeRegressor(max_leaf_nodes=6, random_state=0),
        make_pipeline(StandardScaler(), ExtraTreeRegressor(max_leaf_nodes=6, random_state=0)),
        RandomForestRegressor(3, max_leaf_nodes=6, random_state=0, bootstrap=True, oob_score=True),
        ExtraTreesRegressor(3, max_leaf_nodes=6, random_state=0),
        DecisionTreeRegressor(criterion="poisson", max_leaf_nodes=6, random_state=0),
    ],
    ids=lambda student: type(student).__name__,
)
@pytest.mark.filterwarnings("ignore:Some inputs do not have OOB scores")
def test_trees_of_several_values_do_not_follow_the_one_with_the_largest_numbers(student):
    rows = np.random.default_rng(0).normal(size=(200, 2))
    values = np.column_stack([1 + np.sin(2 * rows[:, 0]), rows[:, 1] > 0])
    large = np.array([2.0**20, 1.0])  # a power of two changes no digit
    form, weights = AnswerForm("values", "regression"), np.arange(200.0) % 3
    alike, other = (fit_student(student, form, rows, values * units, sample_weight=weights) for units in (np.ones(2), large))
    np.testing.assert_allclose(other.predict(rows), alike.predict(rows) * large, rtol=1e-12)
    if hasattr(other, "oob_prediction_"):
        np.testing.assert_allclose(other.oob_prediction_, alike.oob_prediction_ * large, rtol=1e-12)


def test_the_leaves_of_a_tree_of_several_values_hold_their_means():
    rows, values = np.arange(6.0)[:, None], np.array([[0.0, 7e9], [2, 7e9], [4, 7e9], [100, 7e9], [102, 7e9], [104, 7e9]])
    tree = fit_student(DecisionTreeRegressor(max_leaf_nodes=2), AnswerForm("values", "regression"), rows, values)
    np.testing.assert_allclose(tree.predict(rows), np.repeat([[2, 7e9], [102, 7e9]], 3, axis=0), rtol=1e-12)


def test_the_spread_of_a_value_that_does_not_vary_or_overflows_is_one():
    values = np.column_stack([[1.0, 3.0], [0.1, 0.1], [1e200, -1e200]])
    assert spread_of(values).tolist() == [1.0, 1.0, 1.0]
    assert spread_of(values[:, :1] * 4, np.array([1.0, 3.0])).tolist() == [np.sqrt(12.0)]


class CubeRoot(DecisionTreeRegressor):
    """A tree of the user's, whose leaves are cube roots."""

    def fit(self, X, y, **options):
        return super().fit(X, np.cbrt(y), **options)

    def predict(self, X):
        return super().predict(X) ** 3


def test_trees_that_are_more_than_trees_or_have_settings_in_units_of_the_values_are_fitted_to_the_values():
    values = np.column_stack([100 + X[:, 0], 50 + X[:, 1]])
    form = AnswerForm("values", "regression")
    np.testing.assert_allclose(fit_student(CubeRoot(random_state=0), form, X, values).predict(X), values)
    for student in (DecisionTreeRegressor(min_impurity_decrease=0.1), DecisionTreeRegressor(ccp_alpha=0.1)):
        ours, theirs = fit_student(student.set_params(random_state=0), form, X, values), student.fit(X, values)
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    nested = fit_student(
        make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), DecisionTreeRegressor(max_depth=2))), form, X, values
    )
    scaled = fit_student(make_pipeline(StandardScaler(), DecisionTreeRegressor(max_depth=2)), form, X, values * [1, 1e6])
    np.testing.assert_allclose(nested.predict(X), scaled.predict(X) / [1, 1e6])
