import json

import numpy as np
import pytest
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.metrics import accuracy_score, brier_score_loss, confusion_matrix, f1_score, log_loss, r2_score, recall_score, roc_auc_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.data.row_names import row_names
from tutelage.evaluation.evaluate import evaluate
from tutelage.evaluation.evaluation import Evaluation
from tutelage.evaluation.metrics.agreement import floored
from tutelage.softlabels.labels import SoftLabels
from tutelage.teachers.adapt import as_teacher


def test_figures_equal_scikit_learns(flowers, forest, small_tree, evaluation):
    rows, labels, train = flowers
    probs, true = small_tree.predict_proba(rows[~train]), labels[~train]
    figures = {name: estimate.value for name, estimate in evaluation.against_truth.items()}
    assert figures["accuracy"] == pytest.approx(accuracy_score(true, small_tree.predict(rows[~train])))
    assert figures["nll_nats"] == pytest.approx(log_loss(true, floored(probs)), abs=1e-5)
    assert figures["brier"] == pytest.approx(brier_score_loss(true, probs, scale_by_half=False))
    assert figures["worst_class_recall"] == pytest.approx(recall_score(true, small_tree.predict(rows[~train]), average=None).min())


def test_fidelity_is_agreement_with_the_teacher(flowers, forest, small_tree, evaluation):
    rows, _, train = flowers
    of_teacher = np.array(forest.form.classes)[forest.answer(rows[~train]).argmax(axis=1)]
    of_student = small_tree.predict(rows[~train])
    assert evaluation.against_teacher["agreement"].value == pytest.approx((of_teacher == of_student).mean())
    np.testing.assert_array_equal(evaluation.decisions, confusion_matrix(of_teacher, of_student))
    assert evaluation.teacher == forest.fingerprint


def test_a_teacher_against_itself_loses_nothing(flowers, forest):
    rows, labels, train = flowers
    own = evaluate(forest, forest, rows[~train], labels[~train], budget_seconds=None)
    assert own.against_teacher["agreement"].value == 1
    assert own.against_teacher["kl_nats"].value == pytest.approx(0, abs=1e-5)
    assert own.against_teacher["ece"].value == pytest.approx(0, abs=1e-12)
    assert own.against_truth == own.teacher_against_truth


def test_accuracy_equals_fidelity_to_a_perfect_teacher(flowers, forest, small_tree, evaluation):
    rows, labels, train = flowers
    omniscient = SoftLabels(np.eye(3)[np.searchsorted(forest.form.classes, labels[~train])], forest.form, row_names(np.arange(75.0)))
    figures = evaluate(ByRowNumber(small_tree, rows[~train]), omniscient, np.arange(75.0), budget_seconds=None).against_teacher
    for of_truth, of_teacher in (
        ("accuracy", "agreement"),
        ("worst_class_recall", "worst_class_agreement"),
        ("nll_nats",) * 2,
        ("ece",) * 2,
    ):
        assert figures[of_teacher].value == pytest.approx(evaluation.against_truth[of_truth].value)
    assert figures["kl_nats"].value == pytest.approx(figures["nll_nats"].value)


class ByRowNumber:
    """A student whose input is the number of a row."""

    def __init__(self, student, rows):
        self.student, self.rows, self.classes_ = student, rows, student.classes_

    def predict_proba(self, numbers):
        return self.student.predict_proba(self.rows[np.asarray(numbers, dtype=int).ravel()])


def test_a_record_is_frozen_and_its_json_is_strict(evaluation):
    plain = json.loads(evaluation.dumps())
    assert plain["schema"] == 5
    assert plain["classes"] == ["setosa", "versicolor", "virginica"]
    assert plain["against_truth"]["accuracy"]["interval"]["over"] == "test rows"
    assert "answers" not in plain
    assert Evaluation.from_json(plain) == evaluation
    assert sum(plain["reliability"]["truth"]["rows"]) == plain["rows"] == 75
    with pytest.raises(AttributeError):
        evaluation.rows = 3


def test_the_seed_changes_only_the_intervals(flowers, forest, small_tree):
    rows, labels, train = flowers
    first, again, other = (evaluate(small_tree, forest, rows[~train], labels[~train], seed=seed, budget_seconds=None) for seed in (1, 1, 2))
    assert first == again
    assert first.against_truth["ece"].value == other.against_truth["ece"].value
    assert first.against_truth["ece"].interval != other.against_truth["ece"].interval


def test_truth_and_teacher_are_each_optional(flowers, forest, small_tree):
    rows, labels, train = flowers
    alone = evaluate(small_tree, None, rows[~train], labels[~train], budget_seconds=None)
    assert (alone.teacher, alone.against_teacher, alone.decisions) == (None, {}, None)
    unlabelled = evaluate(small_tree, forest, rows[~train], budget_seconds=None)
    assert (unlabelled.against_truth, unlabelled.teacher_against_truth, set(unlabelled.reliability)) == ({}, {}, {"teacher"})
    with pytest.raises(BadInput, match="pass a teacher, or y, or both"):
        evaluate(small_tree, None, rows)


def test_an_estimator_is_accepted_as_a_teacher(flowers, forest, small_tree, evaluation):
    rows, labels, train = flowers
    assert (
        evaluate(small_tree, forest.estimator, rows[~train], labels[~train], budget_seconds=None).against_teacher
        == evaluation.against_teacher
    )


def test_regression_is_evaluated():
    rows = np.random.default_rng(0).normal(size=(80, 3))
    values = rows[:, 0] ** 2 + rows[:, 1]
    teacher = as_teacher(DecisionTreeRegressor(max_leaf_nodes=30, random_state=0).fit(rows, values))
    found = evaluate(LinearRegression().fit(rows, teacher.answer(rows)[:, 0]), teacher, rows, values, budget_seconds=None)
    assert set(found.against_truth) == set(found.against_teacher) == {"r2", "mse", "rmse"}
    assert found.against_truth["r2"].value < found.teacher_against_truth["r2"].value
    assert (found.reliability, found.decisions, found.classes, found.cost.parts) == ({}, None, (), 4)


def test_multilabel_is_evaluated():
    rows, on = make_multilabel_classification(60, 5, n_classes=3, random_state=0)
    found = evaluate(RandomForestClassifier(5, random_state=0).fit(rows, on), None, rows, on, budget_seconds=None)
    assert (found.task, found.decisions) == ("multilabel", None)
    assert found.against_truth["subset_accuracy"].value <= found.against_truth["accuracy"].value
    assert sum(found.reliability["truth"].rows) == 180
    json.loads(found.dumps())


def test_classes_as_numbers_where_the_teacher_has_names_are_refused(flowers, forest):
    rows, labels, train = flowers
    codes = np.unique(labels, return_inverse=True)[1]
    student = DecisionTreeClassifier(random_state=0).fit(rows[train], codes[train])
    with pytest.raises(LabelMismatch, match="Fit the student with classes="):
        evaluate(student, forest, rows[~train])


def test_the_cost_has_leaves_bytes_and_microseconds(evaluation, stump_evaluation):
    cost = evaluation.cost
    assert (cost.parts, cost.unit, cost.size_of) == (4, "leaves", "pickle")
    assert cost.alone.batch_rows == 1
    assert cost.batch.batch_rows == 75
    assert cost.batch.p50_us < cost.alone.p50_us <= cost.alone.p99_us
    assert stump_evaluation.cost.alone is None


@pytest.mark.parametrize(
    ("wrong", "seen"), [({"resamples": 3}, "from 100 to 100,000"), ({"floor": 0.0}, "floor is 0.0"), ({"bins": 0}, "from 1 to 1,000")]
)
def test_invalid_settings_are_refused(flowers, small_tree, wrong, seen):
    rows, labels, train = flowers
    with pytest.raises(BadInput, match=seen):
        evaluate(small_tree, None, rows[~train], labels[~train], budget_seconds=None, **wrong)


def test_f1_and_auc_equal_scikit_learns(flowers, small_tree, evaluation):
    rows, labels, train = flowers
    figures, true = evaluation.against_truth, labels[~train]
    assert figures["f1"].value == pytest.approx(f1_score(true, small_tree.predict(rows[~train]), average="macro"))
    assert figures["auc"].value == pytest.approx(roc_auc_score(true, small_tree.predict_proba(rows[~train]), multi_class="ovr"))
    assert (figures["f1"].method, figures["auc"].method) == ("bootstrap", "DeLong")
    assert {"f1", "auc"} <= set(evaluation.teacher_against_truth)
    assert not {"f1", "auc"} & set(evaluation.against_teacher)
    for name in ("f1", "auc"):
        assert figures[name].interval.low < figures[name].value < figures[name].interval.high


def test_f1_and_auc_of_two_classes_are_those_of_the_second(flowers):
    rows, labels, train = flowers
    two = labels != "setosa"
    student = DecisionTreeClassifier(max_depth=1).fit(rows[train & two], labels[train & two])
    test = rows[~train & two], labels[~train & two]
    figures = evaluate(student, None, *test, budget_seconds=None).against_truth
    assert figures["f1"].value == pytest.approx(f1_score(test[1], student.predict(test[0]), pos_label="virginica"))
    assert figures["auc"].value == pytest.approx(roc_auc_score(test[1] == "virginica", student.predict_proba(test[0])[:, 1]))


def test_classes_without_rows_have_no_auc_and_no_f1(flowers, small_tree):
    rows, labels, train = flowers
    without = ~train & (labels != "virginica")
    found = evaluate(small_tree, None, rows[without], labels[without], budget_seconds=None)
    assert "The AUC leaves out the classes ['virginica'], which all rows have or none." in found.notes
    assert found.against_truth["f1"].value == pytest.approx(f1_score(labels[without], small_tree.predict(rows[without]), average="macro"))
    one = ~train & (labels == "setosa")
    alone = evaluate(small_tree, None, rows[one], labels[one], budget_seconds=None)
    assert "auc" not in alone.against_truth
    assert alone.notes == ("There is no AUC: each of the classes has all rows or none.",)


def test_no_figure_has_an_interval_of_no_width(flowers):
    rows, labels, train = flowers
    perfect = DecisionTreeClassifier().fit(rows[~train], labels[~train])
    found = evaluate(perfect, perfect, rows[~train], labels[~train], budget_seconds=None)
    for group in (found.against_truth, found.against_teacher, found.teacher_against_truth):
        for name, estimate in group.items():
            assert estimate.interval.high - estimate.interval.low > 1e-9, name
    values = np.arange(20.0)
    regression = evaluate(DecisionTreeRegressor().fit(values[:, None], values), None, values[:, None], values, budget_seconds=None)
    assert all(estimate.interval.high > estimate.interval.low for estimate in regression.against_truth.values())


def test_a_weight_of_two_counts_as_two_rows(flowers, forest, small_tree):
    rows, labels, train = flowers
    test, true = rows[~train], labels[~train]
    times = np.where(true == "versicolor", 2, 1)
    weighted = evaluate(small_tree, forest, test, true, sample_weight=times, budget_seconds=None)
    twice = evaluate(small_tree, forest, np.repeat(test, times, axis=0), np.repeat(true, times), budget_seconds=None)
    for group in ("against_truth", "against_teacher", "teacher_against_truth"):
        for name, estimate in getattr(twice, group).items():
            assert getattr(weighted, group)[name].value == pytest.approx(estimate.value), name
    np.testing.assert_allclose(weighted.reliability["truth"].outcome, twice.reliability["truth"].outcome)
    assert weighted.notes == ("Figures are weighted; the 75 rows count as 66.7 in the intervals.",)
    assert weighted.rows == 75


def test_equal_weights_change_no_interval(flowers, forest, small_tree):
    rows, labels, train = flowers
    plain, weighted = (
        evaluate(small_tree, forest, rows[~train], labels[~train], sample_weight=weights, budget_seconds=None)
        for weights in (None, np.full(75, 0.25))
    )
    for name, estimate in plain.against_truth.items():
        found = weighted.against_truth[name].interval
        assert (found.low, found.high) == pytest.approx((estimate.interval.low, estimate.interval.high)), name


def test_weights_that_are_none_are_refused(flowers, small_tree):
    rows, labels, train = flowers
    wrong_weights = {"has shape": np.ones(3), "negative": -np.ones(75), "every weight is zero": np.zeros(75), "NaN": np.full(75, np.nan)}
    for seen, wrong in wrong_weights.items():
        with pytest.raises((BadInput, ShapeError), match=seen):
            evaluate(small_tree, None, rows[~train], labels[~train], sample_weight=wrong, budget_seconds=None)


def test_regression_and_labels_are_weighted():
    rng = np.random.default_rng(0)
    rows, weights = rng.normal(size=(60, 3)), rng.exponential(size=60)
    values = rows[:, 0] + rng.normal(size=60)
    found = evaluate(LinearRegression().fit(rows, values), None, rows, values, sample_weight=weights, budget_seconds=None).against_truth
    expected = LinearRegression().fit(rows, values).predict(rows)
    assert found["r2"].value == pytest.approx(r2_score(values, expected, sample_weight=weights))
    assert found["mse"].value == pytest.approx(np.average((values - expected) ** 2, weights=weights))
    on = (rows[:, :2] > 0.3).astype(int)
    student = RandomForestClassifier(5, max_depth=2, random_state=0).fit(rows, on)
    labels = evaluate(student, None, rows, on, sample_weight=weights, budget_seconds=None).against_truth
    assert labels["f1"].value == pytest.approx(f1_score(on, student.predict(rows), average="macro", sample_weight=weights))
    scores = np.column_stack([one[:, 1] for one in student.predict_proba(rows)])
    assert labels["auc"].value == pytest.approx(roc_auc_score(on, scores, average="macro", sample_weight=weights))


def test_a_multilabel_booster_lists_the_states_of_a_label_and_no_names():
    xgboost = pytest.importorskip("xgboost")
    rows, on = make_multilabel_classification(100, 5, n_classes=3, random_state=0)
    student = xgboost.XGBClassifier(n_estimators=5).fit(rows, on)
    teacher = as_teacher(RandomForestClassifier(5, random_state=0).fit(rows, on), classes=("x", "y", "z"))
    for of_teacher, names in ((None, (0, 1, 2)), (teacher, ("x", "y", "z"))):
        found = evaluate(student, of_teacher, rows, on, budget_seconds=None)
        assert (found.task, found.classes) == ("multilabel", names)
        assert found.against_truth["accuracy"].value == pytest.approx((student.predict(rows) == on).mean())


def test_no_time_for_latency_is_the_smallest_number_of_calls(flowers, small_tree):
    rows, labels, train = flowers
    cost = evaluate(small_tree, None, rows[~train], labels[~train], budget_seconds=0).cost
    assert cost.alone.calls == cost.batch.calls == 3
