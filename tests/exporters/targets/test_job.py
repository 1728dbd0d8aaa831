import numpy as np

from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.targets.job import Job, Settings


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
