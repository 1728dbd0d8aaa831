import numpy as np
import pytest
import torch

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import of_classes
from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities, ShapeError
from tutelage.core.position_answers import PositionAnswers
from tutelage.softlabels.recording import record
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.adapters.function import FunctionTeacher

X = np.array([[0.0], [1.0], [2.0]])


def first_column(rows):
    return np.asarray(rows)[:, 0]


class Callable:
    def __call__(self, rows):
        return first_column(rows)


def test_one_number_a_row_belongs_to_the_second_of_two_classes():
    p = as_teacher(lambda rows: first_column(rows) / 4, kind="probabilities", classes=("no", "yes"))
    np.testing.assert_allclose(p.answer(X), [[1, 0], [0.75, 0.25], [0.5, 0.5]])
    logits = as_teacher(first_column, kind="logits", classes=("no", "yes"))
    np.testing.assert_allclose(logits.answer(X), [[0, 0], [0, 1], [0, 2]])  # [0, f], not [-f, f], which doubles the margin


@pytest.mark.parametrize("options", [{"kind": "values"}, {"task": "regression"}])
def test_values_need_no_classes(options):
    teacher = as_teacher(first_column, **options)
    assert teacher.form.task == "regression"
    np.testing.assert_array_equal(teacher.answer(X), X)


def test_rows_are_passed_to_the_function_unchanged():
    teacher = as_teacher(lambda texts: [[len(text), 0] for text in texts], kind="logits", classes=("long", "short"))
    np.testing.assert_array_equal(teacher.answer(["abc", "a"]), [[3, 0], [1, 0]])


def test_multilabel_is_declared():
    teacher = as_teacher(lambda rows: np.full((len(rows), 2), 0.9), kind="probabilities", classes=("x", "y"), task="multilabel")
    assert teacher.answer(X).sum() == pytest.approx(5.4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "pass kind='logits' or 'probabilities' with classes=.*or kind='values'"),
        ({"kind": "logits"}, "pass classes="),
        ({"classes": (0, 1)}, "pass kind="),
        ({"kind": "values", "classes": (0, 1)}, "a regression teacher has no classes"),
        ({"kind": "logits", "task": "regression"}, "do not fit the task"),
        ({"kind": "logits", "classes": (0, 1), "output": first_column}, "leave output= out"),
    ],
)
def test_missing_and_contradictory_declarations_are_refused(options, message):
    with pytest.raises(BadInput, match=message):
        as_teacher(first_column, **options)


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (lambda rows: np.full((len(rows), 3), 1 / 3), ShapeError),
        (lambda rows: np.full((len(rows) - 1, 2), 0.5), LabelMismatch),
        (lambda rows: np.full((len(rows), 2), 0.6), NotProbabilities),
        (lambda rows: np.full((len(rows), 2), np.nan), NotProbabilities),
        (lambda rows: [["0.5", "0.5"]] * len(rows), ShapeError),
        (lambda rows: [[0.5], [0.5, 0.5], [1]], ShapeError),
        (lambda rows: None, ShapeError),
        (lambda rows: 0.5, ShapeError),
    ],
)
def test_answers_that_contradict_the_declarations_are_refused(function, error):
    with pytest.raises(error, match="the function's answers"):
        as_teacher(function, kind="probabilities", classes=(0, 1)).answer(X)


TAGS = ("a", "b")
PADDED = {"ids": [[7, 8, 9], [4, 0, 0], [0, 5, 6]], "attention_mask": [[1, 1, 1], [1, 0, 0], [0, 1, 1]]}


def of_tokens(function):
    return as_teacher(function, kind="logits", classes=TAGS, positions="tokens")


def each_token(rows):
    """Logits of each token: its id and 0."""
    ids = np.asarray(rows["ids"], dtype=float)
    return np.stack([ids, 0 * ids], axis=-1)


@pytest.mark.parametrize(
    "function",
    [
        each_token,
        lambda rows: list(each_token(rows)),
        lambda rows: torch.from_numpy(each_token(rows)),
        lambda rows: [row[np.asarray(mask) > 0] for row, mask in zip(each_token(rows), rows["attention_mask"], strict=True)],
        lambda rows: PositionAnswers.of_rows([np.array([[token, 0.0] for token in row if token]) for row in rows["ids"]]),
    ],
)
def test_padding_and_what_the_mask_leaves_out_have_no_answers(function):
    answers = of_tokens(function).answer(PADDED)
    assert [row[:, 0].tolist() for row in answers] == [[7, 8, 9], [4], [5, 6]]
    assert [row[:, 0].tolist() for row in record(of_tokens(function), PADDED).answers] == [[7, 8, 9], [4], [5, 6]]
    padded = {name: np.pad(rows, ((0, 0), (0, 2))) for name, rows in PADDED.items()}
    assert np.array_equal(of_tokens(function).answer(padded).values, answers.values)


def test_another_number_of_answers_than_tokens_is_one_sentence():
    with pytest.raises(ShapeError, match="row 0 of the function's answers has 4 answers, and the row has 3 positions"):
        of_tokens(lambda rows: np.zeros((len(rows["ids"]), 4, 2))).answer(PADDED)
    with pytest.raises(ShapeError, match=r"expected \(rows, tokens, classes\)"):
        of_tokens(lambda rows: np.zeros((len(rows["ids"]), 2))).answer(PADDED)


def test_rows_of_different_lengths_without_a_mask_are_not_padded_together():
    def mean(rows):
        return np.stack([rows["ids"].mean(axis=1), rows["ids"].shape[1] + 0 * rows["ids"].mean(axis=1)], axis=1)

    rows = {"ids": [[1.0, 3.0], [5.0], [2.0, 4.0], [7.0]]}
    teacher = as_teacher(mean, kind="logits", classes=TAGS)
    np.testing.assert_array_equal(teacher.answer(rows), [[2, 2], [5, 1], [3, 2], [7, 1]])
    answers = of_tokens(each_token).answer(rows)
    assert [row[:, 0].tolist() for row in answers] == rows["ids"]


def test_exceptions_of_the_function_are_not_caught():
    def fails(rows):
        raise ConnectionError("the service is down")

    with pytest.raises(ConnectionError, match="the service is down"):
        as_teacher(fails, kind="values").answer(X)


def test_different_functions_and_versions_have_different_fingerprints():
    form = of_classes("logits", (0, 1))
    teachers = [
        FunctionTeacher(first_column, form),
        FunctionTeacher(first_column, form, version="2"),
        FunctionTeacher(lambda rows: first_column(rows) + 2, form),
        FunctionTeacher(lambda rows: first_column(rows) + 1, form),
        FunctionTeacher(Callable(), form),
        FunctionTeacher(np.sum, form),
        FunctionTeacher(len, form),
    ]
    assert len({teacher.fingerprint for teacher in teachers}) == len(teachers)
    assert FunctionTeacher(first_column, form).fingerprint == FunctionTeacher(first_column, form).fingerprint


def test_a_function_may_name_the_most_probable_classes():
    top = TopAnswers(np.array([[4, 1]] * 3), np.log([[0.5, 0.3]] * 3), np.log([0.2] * 3), columns=6)
    teacher = as_teacher(lambda rows: top, kind="logits", classes=range(6))
    assert teacher.answer(X) is top
    with pytest.raises(LabelMismatch, match="the function's answers: 3 answers to 2 rows"):
        teacher.answer(X[:2])
    with pytest.raises(ShapeError, match="the function's answers choose among 6 classes; expected 5"):
        as_teacher(lambda rows: top, kind="logits", classes=range(5)).answer(X)
