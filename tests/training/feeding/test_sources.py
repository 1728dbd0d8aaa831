import numpy as np
import pytest
from torch import nn

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.data.views import Affine, Views
from tutelage.losses.class_terms import hard_cross_entropy
from tutelage.losses.hidden_terms import hint
from tutelage.losses.value_terms import squared_error
from tutelage.teachers.adapt import as_teacher
from tutelage.training.feeding.row_answers import soft_labels_of
from tutelage.training.feeding.sources import form_to_learn, training_data
from tutelage.training.feeding.truth import truth_tensor
from tutelage.training.feeding.validation_rows import split, split_validation

ROWS = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
LABELS = np.array(["no", "yes"] * 10)
FORM = of_classes("logits", ("no", "yes"))
TEACHER = as_teacher(nn.Linear(3, 2), classes=("no", "yes"))
NETWORK = nn.Linear(3, 2)


def test_the_form_is_the_teachers_or_that_of_the_ground_truth():
    assert form_to_learn(TEACHER, None, None, hard_cross_entropy()) == FORM
    assert form_to_learn(None, LABELS, None, hard_cross_entropy()) == FORM
    assert form_to_learn(None, ROWS[:, 0], None, squared_error()) == AnswerForm("values", "regression")
    assert form_to_learn(None, np.zeros((20, 3)), None, hard_cross_entropy()).task == "multilabel"
    with pytest.raises(BadInput, match="no teacher and no y"):
        form_to_learn(None, None, None, hard_cross_entropy())
    other = of_classes("logits", ("yes", "no"))
    with pytest.raises(LabelMismatch, match="the student's classes are"):
        form_to_learn(TEACHER, None, other, hard_cross_entropy())
    assert form_to_learn(TEACHER, None, other, hard_cross_entropy() + hint("0")) == other
    assert form_to_learn(TEACHER, ["yes", "no"], None, hard_cross_entropy() + hint("0")) == of_classes("logits", ("no", "yes"))


def test_a_split_keeps_rows_answers_and_truth_together():
    data = training_data(ROWS, TEACHER, truth_tensor(LABELS, FORM))
    training, validation = split(data, 0.25, FORM, seed=3)
    assert (len(training.rows), len(validation.rows)) == (15, 5)
    assert sorted(np.concatenate([training.rows, validation.rows])[:, 0].tolist()) == sorted(ROWS[:, 0].tolist())
    for part in (training, validation):
        np.testing.assert_allclose(part.answers, TEACHER.answer(part.rows), rtol=1e-5)
        places = [np.flatnonzero((row == ROWS).all(axis=1))[0] for row in part.rows]
        assert part.truth.tolist() == [int(LABELS[place] == "yes") for place in places]
    assert not np.array_equal(split(data, 0.25, FORM, seed=4)[1].rows, validation.rows)


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [(np.array([["a", "b"]]), BadInput, "a network takes numbers"), (np.zeros(4), ShapeError, r"expected \(rows, ...\)")],
)
def test_rows_that_a_network_cannot_take_are_refused(rows, error, message):
    with pytest.raises(error, match=message):
        training_data(rows, None, None)


def test_the_validation_score_depends_on_truth_and_task():
    assert training_data(ROWS, None, truth_tensor(LABELS, FORM)).validation(FORM, NETWORK).by == "errors"
    assert training_data(ROWS, TEACHER, None).validation(FORM, NETWORK).by == "loss"
    many = as_teacher(nn.Linear(3, 2), classes=("x", "y"), task="multilabel")
    assert training_data(ROWS, many, None).validation(many.form, NETWORK).by == "label losses"
    values = as_teacher(nn.Linear(3, 2), task="regression")
    assert training_data(ROWS, values, None).validation(values.form, NETWORK).by == "squares"
    with pytest.raises(BadInput, match="need ground truth or the teacher's answers"):
        training_data(ROWS, None, None).validation(FORM, NETWORK)
    with pytest.raises(BadInput, match=r"the validation rows are a Views; .* no Views"):
        training_data(Views(np.abs(ROWS.reshape(20, 3, 1)), Affine()), None, truth_tensor(LABELS, FORM)).validation(FORM, NETWORK)


@pytest.mark.parametrize("source", ["probabilities", "logits", "given rows"])
def test_validation_answers_are_read_in_the_form_in_which_the_teacher_gives_them(source):
    p = np.random.default_rng(0).dirichlet(np.ones(2), 20)
    of_probabilities = soft_labels_of(ROWS, p, FORM.as_kind("probabilities"))
    labels = soft_labels_of(ROWS, np.log(p), FORM) if source == "logits" else of_probabilities
    data = training_data(ROWS, labels, None)
    if source == "given rows":
        _, data = split_validation(training_data(ROWS, None, None), (ROWS, None, labels), FORM, seed=0)
    validation = data.validation(FORM, NETWORK)
    np.testing.assert_allclose(validation.targets.numpy(), p, rtol=1e-5)


def test_validation_answers_for_other_classes_are_refused():
    other = soft_labels_of(ROWS, np.full((20, 2), 0.5), of_classes("probabilities", FORM.classes[::-1]))
    with pytest.raises(LabelMismatch, match="expected those that the student learns"):
        training_data(ROWS, other, None).validation(FORM, NETWORK)
