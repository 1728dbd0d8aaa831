import numpy as np
import pytest

from tutelage.core.errors import ShapeError
from tutelage.core.top_answers import TopAnswers


def top(rows: int = 3, k: int = 2, columns: int = 5) -> TopAnswers:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(columns), rows)
    ids = np.argsort(-p, axis=1)[:, :k]
    chosen = np.take_along_axis(p, ids, axis=1)
    return TopAnswers(ids.astype(np.uint16), np.log(chosen), np.log1p(-chosen.sum(axis=1)), columns)


def test_the_rest_is_spread_in_equal_parts():
    dense = np.exp(top().dense())
    assert dense.sum(axis=1).round(9).tolist() == [1, 1, 1]
    assert all(len(set(np.sort(row)[:3].round(12))) == 1 for row in dense)


def test_rows_are_taken_and_joined():
    whole = top()
    again = TopAnswers.joined([whole[:1], whole[[1, 2]]])
    assert len(again) == 3
    assert (again.dense() == whole.dense()).all()
    assert whole[[2, 0]].ids.tolist() == whole.ids[[2, 0]].tolist()
    assert whole.nbytes == 3 * 2 * 2 + 3 * 2 * 8 + 3 * 8


def test_no_other_classes_have_no_rest():
    whole = TopAnswers(np.array([[1, 0]], np.uint16), np.log([[0.7, 0.3]]), np.array([-np.inf]), 2)
    assert np.exp(whole.dense()).round(9).tolist() == [[0.3, 0.7]]


def test_shapes_and_classes_are_checked():
    with pytest.raises(ShapeError, match=r"expected \(rows, k\), \(rows, k\) and \(rows,\)"):
        TopAnswers(np.zeros((2, 2), np.uint16), np.zeros((2, 3)), np.zeros(2), 5)
    with pytest.raises(ShapeError, match="class 5 is among the answers, and there are 5"):
        TopAnswers(np.array([[5]], np.uint16), np.zeros((1, 1)), np.zeros(1), 5)
