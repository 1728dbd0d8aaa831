import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import LabelMismatch, ShapeError
from tutelage.core.position_answers import PositionAnswers, checked, probabilities_of

TOP = TopAnswers(np.array([[1]]), np.log([[0.9]]), np.log([0.1]), 3)
FORM = of_classes("logits", ("a", "b", "c"))


def test_the_most_probable_classes_are_checked_and_stay_as_they_are():
    assert checked(FORM, TOP, 1) is TOP
    assert probabilities_of(FORM, TOP) is TOP
    with pytest.raises(LabelMismatch, match="1 answers to 2 rows"):
        checked(FORM, TOP, 2)
    with pytest.raises(ShapeError, match="choose among 3 classes; expected 2"):
        checked(of_classes("logits", ("a", "b")), TOP, 1)
    with pytest.raises(LabelMismatch, match="multilabel"):
        checked(AnswerForm("logits", "multilabel", ("a", "b", "c")), TOP, 1)


def test_answers_of_positions_become_probabilities():
    answers = PositionAnswers.of_rows([np.zeros((2, 3)), np.ones((1, 3))])
    form = AnswerForm("logits", "multiclass", ("a", "b", "c"), positions="tokens")
    found = probabilities_of(form, answers)
    np.testing.assert_allclose(found.values.sum(axis=1), 1)
    assert found.shapes.tolist() == [[2], [1]]


P = np.array([[0.1, 0.2, 0.7]])


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, pa.table])
@pytest.mark.parametrize(
    ("names", "classes", "expected"),
    [
        (["c", "a", "b"], ("a", "b", "c"), [0.2, 0.7, 0.1]),
        (["2", "0", "1"], (0, 1, 2), [0.2, 0.7, 0.1]),
        (["0", "1", "2"], ("a", "b", "c"), [0.1, 0.2, 0.7]),
        (["0", "1", "2"], (3, 7, 9), [0.1, 0.2, 0.7]),
    ],
    ids=["names", "numbers", "positions", "positions of other numbers"],
)
def test_the_columns_of_a_frame_of_answers_are_matched_to_the_classes(frame, names, classes, expected):
    answers = frame(dict(zip(names, P.T, strict=True)))
    for task in ("multiclass", "multilabel"):
        form = AnswerForm("probabilities", task, classes)
        np.testing.assert_array_equal(form.check(answers, 1), [expected])
        np.testing.assert_array_equal(form.take(answers, 1), [expected])


def test_a_frame_of_answers_of_other_names_is_refused():
    with pytest.raises(LabelMismatch, match=r"answers are \['x', 'y', 'z'\]; expected \['a', 'b', 'c'\]: missing"):
        of_classes("probabilities", "abc").check(pd.DataFrame(P, columns=list("xyz")), 1)
    values = pd.DataFrame(P, columns=list("xyz"))
    np.testing.assert_array_equal(AnswerForm("values", "regression").check(values, 1), P)


def test_the_second_of_two_classes_may_have_any_name_but_that_of_the_first():
    form = of_classes("probabilities", ("no", "yes"))
    for name in ("yes", "score"):
        np.testing.assert_allclose(form.take(pd.DataFrame({name: [0.3]}), 1), [[0.7, 0.3]])
    with pytest.raises(LabelMismatch, match=r"are \['no'\]; expected \['no', 'yes'\]: missing \['yes'\]"):
        form.take(pd.DataFrame({"no": [0.3]}), 1)
