import numpy as np
import pytest

from tutelage.core.errors import ShapeError
from tutelage.data.structures.ragged import Ragged

ROWS = Ragged.of([[1, 2, 3], [], [4, 5]], "x")


def test_rows_keep_their_lengths_and_their_order():
    assert ROWS.values.tolist() == [1, 2, 3, 4, 5]
    assert (ROWS.lengths.tolist(), ROWS.starts.tolist(), ROWS.places.tolist()) == ([3, 0, 2], [0, 3, 3], [0, 1, 2, 0, 1])
    assert ROWS[[2, 0]].values.tolist() == [4, 5, 1, 2, 3]
    assert Ragged.joined([ROWS, ROWS[:1]]).lengths.tolist() == [3, 0, 2, 3]


def test_rows_are_padded_to_the_longest_or_to_a_length():
    assert ROWS.padded().tolist() == [[1, 2, 3], [0, 0, 0], [4, 5, 0]]
    assert ROWS.padded(-1, 4)[2].tolist() == [4, 5, -1, -1]
    boxes = Ragged.of([np.ones((2, 4)), np.ones((1, 4))], "boxes")
    assert boxes.padded().shape == (2, 2, 4)


def test_rows_that_differ_in_more_than_their_length_are_refused():
    with pytest.raises(ShapeError, match="the rows of 'boxes' differ in more than their length"):
        Ragged.of([np.ones((2, 4)), np.ones((1, 3))], "boxes")
