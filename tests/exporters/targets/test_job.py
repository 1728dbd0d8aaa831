import numpy as np
import pytest

from tutelage.core.errors import BadInput
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.student_answers import Answers
from tutelage.exporters.targets.job import MOST_CELLS, Job, Settings


def job_of(count):
    return Job(None, CheckRows.of_numbers(np.arange(count)[:, None]), None, "student", Settings())


def test_rows_are_drawn_from_all_whatever_their_order():
    drawn = job_of(1000).drawn(100).numbers[:, 0]
    assert len(set(drawn)) == 100
    counts = np.histogram(drawn, bins=4, range=(0, 1000))[0]
    assert counts.min() >= 15  # of each quarter, such as one class of a sorted table
    steps = np.diff(np.sort(drawn))
    assert len(set(steps)) > 5  # not each n-th
    np.testing.assert_array_equal(drawn, job_of(1000).drawn(100).numbers[:, 0])


def test_fewer_rows_are_all_drawn():
    assert sorted(job_of(7).drawn(100).numbers[:, 0]) == list(range(7))


class Sums:
    """A subject whose answer is the sum of some cells, and which refuses rows with a negative one."""

    def __init__(self, read):
        self.read, self.asked = read, 0

    def exact(self, rows):
        return rows

    def answers(self, rows):
        self.asked += len(rows)
        if (rows.numbers < 0).any():
            raise BadInput("a negative number")
        return Answers(rows.numbers.reshape(len(rows), -1)[:, self.read].sum(axis=1, keepdims=True), None)


def refused_by(subject, shape, value):
    return Job(subject, CheckRows.of_numbers(np.ones((5, *shape))), None, "student", Settings()).refused_cells(value)


@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_the_cells_in_which_a_number_is_refused_are_asked_one_by_one(shape):
    assert refused_by(Sums([1, 3]), shape, np.nan).ravel().tolist() == [False, True, False, True, False, False]
    assert refused_by(Sums([1, 3]), shape, -np.inf).all()
    assert refused_by(Sums([1]), shape, 2.0).shape == shape
    assert not refused_by(Sums([1]), shape, 2.0).any()


def test_of_very_many_cells_some_speak_for_all_if_they_agree():
    size = 3 * MOST_CELLS
    subject = Sums(np.arange(size))
    assert refused_by(subject, (size,), np.nan).all()
    assert subject.asked == MOST_CELLS
    some = refused_by(Sums(np.arange(0, size, 2)), (size,), np.nan)
    np.testing.assert_array_equal(some, np.arange(size) % 2 == 0)
