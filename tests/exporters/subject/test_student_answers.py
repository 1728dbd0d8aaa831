import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from sklearn.tree import DecisionTreeClassifier

import tutelage as tl
from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput, ShapeError, TutelageError
from tutelage.exporters.subject.student_answers import form_of
from tutelage.exporters.subject.subject import subject_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
P = RNG.dirichlet(np.ones(2), 60)
NAMED, UNNAMED = tl.SoftTree(max_leaf_nodes=4).fit(FRAME, P), tl.SoftTree(max_leaf_nodes=4).fit(X, P)


def asked(student, given):
    subject, rows = subject_of(student, given)
    return subject.answers(rows)


@pytest.mark.parametrize(
    "rows",
    [X, X.tolist(), torch.tensor(X), sparse.csr_matrix(X), FRAME, FRAME[["c", "a", "b"]], pl.from_pandas(FRAME), X.astype(object)],
    ids=["array", "lists", "tensor", "sparse", "frame", "other order", "polars", "objects"],
)
def test_rows_of_any_container_become_numbers_in_the_order_of_the_student(rows):
    _, taken = subject_of(NAMED, rows)
    assert taken.numbers.dtype == np.float64
    np.testing.assert_array_equal(taken.numbers, X)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (FRAME.assign(b="Mary Smith"), r"the SoftTree refuses rows of check_on \(ValueError\)"),
        (FRAME.assign(b=pd.Timestamp("2026-01-01")), "column 'b' holds dates, and the model learnt numbers there"),
        (np.full((4, 3), "Mary Smith"), "check_on holds values that are no numbers; expected numbers"),
        (X.astype(complex), "the rows hold complex numbers"),
        (FRAME[["a", "b"]], "check_on has 0 columns named 'c', which the student was fitted on; expected one. It has 'a', 'b'"),
        (pd.concat([FRAME, FRAME[["c"]]], axis=1), "check_on has 2 columns named 'c'"),
        (X[0], r"check_on has shape \(3,\)"),
        (X[:0], "has no rows"),
        (None, "check_on holds|check_on has shape|cannot take"),
    ],
)
def test_other_rows_are_refused_without_their_content(rows, sentence):
    with pytest.raises(TutelageError, match=sentence) as refusal:
        asked(NAMED, rows)
    assert "Mary" not in str(refusal.value)


def test_a_refusal_of_the_student_names_no_cell():
    class Picky:
        classes_ = np.array([0, 1])

        def predict_proba(self, rows):
            raise ValueError("could not convert string to float: 'Mary Smith'")

        predict = predict_proba

    with pytest.raises(BadInput, match=r"the Picky refuses rows of check_on \(ValueError\); pass rows like those") as refusal:
        asked(Picky(), X)
    assert "Mary" not in str(refusal.value)
    mlp = tl.SoftMLP(epochs=1).fit(X, P)
    with pytest.raises(BadInput, match="the SoftMLP refuses rows of check_on, which hold missing values"):
        asked(mlp, np.full((1, 3), np.nan))


def test_answers_and_decisions_of_every_task():
    answers = asked(UNNAMED, X)
    np.testing.assert_array_equal(answers.decisions, answers.values.argmax(axis=1))
    labels = tl.PerLabel(tl.SoftTree(max_leaf_nodes=4)).fit(X, P)
    assert form_of(labels, X) == AnswerForm("probabilities", "multilabel", (0, 1))
    assert asked(labels, X).decisions.shape == (60, 2)


def test_a_network_keeps_the_type_of_its_rows():
    network = tl.TorchStudent(torch.nn.Linear(3, 2), classes=(0, 1))
    assert subject_of(network, np.arange(6).reshape(2, 3))[1].numbers.dtype == np.int64
    with pytest.raises(ShapeError, match="check_on has shape"):
        subject_of(network, np.arange(6))


def test_a_student_of_one_class_is_refused_with_it():
    student = DecisionTreeClassifier().fit(np.zeros((5, 2)), ["no"] * 5)
    with pytest.raises(BadInput, match=r"the DecisionTreeClassifier knows one class, 'no', .* Train on rows of several classes"):
        form_of(student, np.zeros((5, 2)))
