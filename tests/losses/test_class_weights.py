from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_class_weight

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import BadInput
from tutelage.data.rows import as_rows
from tutelage.losses.class_weights import checked_class_weight, class_weights_of, row_weights, weighted_answers
from tutelage.teachers.adapt import as_teacher
from tutelage.workflow.distillation.folder import RunFolder
from tutelage.workflow.distillation.given.answered import answered_rows
from tutelage.workflow.distillation.given.part import part_of
from tutelage.workflow.distillation.given.problem import Problem, RowSet, row_set
from tutelage.workflow.distillation.given.split import parts_of, split, weighed_like

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 2))
Y = np.where(X[:, 0] > 1, "fraud", "ok")
TEACHER = as_teacher(LogisticRegression().fit(X, Y))
FORM = TEACHER.form


@pytest.mark.parametrize(
    ("given", "has_truth", "match"),
    [
        ({"frau": 3}, True, r"names the class 'frau'; expected classes of the teacher, \['fraud', 'ok'\]\. Did you mean fraud"),
        ({"fraud": -1}, True, "class_weight of 'fraud' is -1; expected a number from 0"),
        ({"fraud": float("nan")}, True, "class_weight of 'fraud' is nan"),
        ({"fraud": "many"}, True, "class_weight of 'fraud' is 'many'"),
        ({"fraud": 0, "ok": 0}, True, "gives every class the weight 0"),
        ({}, True, "expected 'balanced' or a dict"),
        ("even", True, "class_weight is 'even'; expected 'balanced' or a dict"),
        (3, True, "class_weight is 3"),
        (np.ones(2), True, "expected 'balanced' or a dict"),
        ("balanced", False, "no ground truth whose classes could be counted"),
    ],
)
def test_weights_of_no_use_are_refused(given, has_truth, match):
    with pytest.raises(BadInput, match=match):
        checked_class_weight(given, FORM, has_truth=has_truth)


@pytest.mark.parametrize("form", [AnswerForm("values", "regression"), AnswerForm("logits", "multilabel", ("a", "b"))])
def test_values_and_several_labels_have_no_class_weights(form):
    with pytest.raises(BadInput, match=r"the teacher answers with (values|several labels); leave it out"):
        checked_class_weight("balanced", form, has_truth=True)


def test_classes_are_named_as_they_are_or_as_they_are_printed():
    numbers = of_classes("probabilities", [0, 1])
    assert checked_class_weight({"1": 5}, numbers, has_truth=True) == {0: 1.0, 1: 5.0}
    assert checked_class_weight({np.int64(1): 5}, numbers, has_truth=True) == {0: 1.0, 1: 5.0}
    both = AnswerForm("logits", "multiclass", (1, "1", 2))
    assert checked_class_weight({"1": 5}, both, has_truth=True) == {1: 1.0, "1": 5.0, 2: 1.0}


def test_balanced_weights_are_those_of_scikit_learn_and_follow_the_weights_of_rows():
    truth = FORM.truth_as_answers(Y, len(Y))
    expected = compute_class_weight("balanced", classes=np.array(["fraud", "ok"]), y=Y)
    assert class_weights_of("balanced", FORM, truth, None) == pytest.approx(expected)
    twice = np.where(Y == "fraud", 2.0, 1.0)
    found = class_weights_of("balanced", FORM, truth, twice)
    totals = (twice * (truth @ found)) @ truth
    assert totals[0] == pytest.approx(totals[1])
    assert totals.sum() == pytest.approx(twice.sum())


def test_a_class_without_rows_weighs_one():
    form = of_classes("probabilities", ["a", "b", "c"])
    truth = form.truth_as_answers(["a"] * 3 + ["b"], 4)
    assert class_weights_of("balanced", form, truth, None).tolist() == pytest.approx([4 / 6, 2.0, 1.0])


def test_balanced_weights_are_counted_on_the_development_rows_alone():
    moved = Y.copy()
    moved[:100] = "fraud"
    test = row_set(X[:100] + 9, moved[:100])
    found = split(Problem(TEACHER, "t", row_set(X[100:], Y[100:]), test, class_weight="balanced"), seed=0)
    expected = compute_class_weight("balanced", classes=np.array(["fraud", "ok"]), y=Y[100:])
    assert found.class_weights == pytest.approx(expected)


def test_a_row_weighs_its_own_weight_times_that_of_its_class():
    own = RNG.uniform(1, 2, 400)
    problem = Problem(TEACHER, "t", row_set(X, Y, weights=own), class_weight={"fraud": 10.0, "ok": 1.0})
    found = split(problem, seed=0)
    assert found.weights == pytest.approx(own * np.where(Y == "fraud", 10, 1))
    part = part_of(problem.given, TEACHER.answer(X), FORM, truth=problem.truths["given"], class_weights=found.class_weights)
    assert part.weights == pytest.approx(found.weights)


def test_a_row_without_truth_has_the_mean_weight_under_the_teacher():
    own = RNG.uniform(1, 2, 400)
    problem = Problem(TEACHER, "t", row_set(X, Y, weights=own), pool=row_set(X + 0.1), class_weight={"fraud": 10.0, "ok": 1.0})
    found = split(problem, seed=0)
    pool = weighed_like(problem, problem.pool, found)
    probabilities = TEACHER.answer(X + 0.1)
    part = part_of(pool, probabilities, FORM, class_weights=found.class_weights)
    assert part.weights == pytest.approx(own[found.development].mean() * (10 * probabilities[:, 0] + probabilities[:, 1]))
    weighed = weighed_like(problem, row_set(X, weights=own), found)
    assert weighed.weights is not None
    assert weighed.weights.tolist() == own.tolist()


@pytest.mark.parametrize("kind", ["probabilities", "logits"])
def test_the_teachers_probabilities_are_multiplied_by_the_weights(kind):
    form = of_classes(kind, ["a", "b", "c"])
    logits = RNG.normal(size=(50, 3))
    plain = of_classes("logits", ["a", "b", "c"]).probabilities(logits)
    weights = np.array([1.0, 5.0, 0.0])
    found = form.probabilities(weighted_answers(logits if kind == "logits" else plain, form, weights))
    expected = plain * weights / (plain @ weights)[:, None]
    np.testing.assert_allclose(found, expected)
    assert weighted_answers(plain, form, None) is plain


def test_a_row_of_which_nothing_would_be_left_stays():
    form = of_classes("logits", ["a", "b"])
    certain = np.array([[0.0, -np.inf]])
    assert weighted_answers(certain, form, np.array([0.0, 1.0])).tolist() == certain.tolist()


def test_rows_that_weigh_nothing_by_their_class_are_counted_as_such():
    few = np.where(np.arange(400) < 30, "fraud", "ok")
    with pytest.raises(BadInput, match="rows to test on have a weight above 0"):
        split(Problem(TEACHER, "t", row_set(X, few), class_weight={"fraud": 1.0, "ok": 0.0}), seed=0)
    groups = np.arange(400) // 20
    alike = np.where(groups < 10, "fraud", "ok")
    grouped = Problem(TEACHER, "t", row_set(X, alike, groups=groups), class_weight={"fraud": 0.0, "ok": 1.0})
    found = split(grouped, seed=0)
    for seed in range(20):
        try:
            _, validation = parts_of(grouped, found, seed=seed)
        except BadInput:  # all rows to validate on weigh nothing
            continue
        assert found.weights[validation].any()


def test_without_class_weights_rows_weigh_what_they_are_given():
    own = np.ones(3)
    assert row_weights(own, None, None) is own
    assert row_weights(None, None, np.ones((3, 2))) is None


def test_a_pool_with_weights_needs_rows_with_weights():
    with pytest.raises(BadInput, match="the pool comes with weights and the rows without"):
        Problem(TEACHER, "t", row_set(X, Y), pool=row_set(X, weights=np.ones(400)))


@pytest.mark.parametrize("class_weight", [None, {1: 1e6}])
def test_the_truth_as_a_feature_is_refused_whatever_the_classes_weigh(class_weight, tmp_path):
    coded = (Y == "fraud").astype(int)
    teacher = as_teacher(LogisticRegression().fit(X, coded))
    rows = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "label": coded})
    problem = Problem(teacher, "t", RowSet(rows, as_rows(X), coded), asked_columns=("a", "b"))
    problem = replace(problem, class_weight=checked_class_weight(class_weight, teacher.form, has_truth=True))
    with RunFolder(tmp_path / "run").opened({}), pytest.raises(BadInput, match="column 'label' holds the classes"):
        answered_rows(problem, split(problem, seed=0), RunFolder(tmp_path / "run"), seed=0)


def test_the_truth_is_parsed_once(monkeypatch, tmp_path):
    parsed = []
    original = AnswerForm.truth_as_answers
    monkeypatch.setattr(AnswerForm, "truth_as_answers", lambda form, *given: parsed.append(len(given[0])) or original(form, *given))
    problem = Problem(TEACHER, "t", row_set(X, Y), row_set(X[:50] + 9, Y[:50]), class_weight="balanced")
    with RunFolder(tmp_path / "run").opened({}):
        answered_rows(problem, split(problem, seed=0), RunFolder(tmp_path / "run"), seed=0)
    assert parsed == [400, 50]
