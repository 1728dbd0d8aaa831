import sys

import numpy as np
import pytest

from tutelage.core.errors import BadInput
from tutelage.exporters.targets.timed_process import PYTHON_LOOP, Child

SLEEPS = PYTHON_LOOP + "\nserve(lambda start, rows: time.sleep(rows / 1000), 5)"


def test_a_child_times_each_call_and_its_own_memory():
    child = Child([sys.executable, "-c", SLEEPS], "the test")
    times = child.times(3, 4)
    assert times.shape == (4,)
    assert (times >= 0.003).all()
    child.end()
    child.end()
    assert 0 < child.peak_bytes < 60e6  # not that of this process


def test_rows_come_in_turn_and_start_again_before_they_run_out():
    child = Child([sys.executable, "-c", PYTHON_LOOP + "\nserve(lambda start, rows: time.sleep(start / 100), 4)"], "the test")
    starts = [np.floor(child.times(2, calls) * 50) * 2 for calls in (3, 3)]
    child.end()
    assert [each.tolist() for each in starts] == [[0, 2, 0]] * 2  # each time from the first row


def test_a_child_that_ends_says_why():
    with pytest.raises(BadInput, match=r"the test cannot be timed: its process ended \(ValueError: no rows\)"):
        Child([sys.executable, "-c", "raise ValueError('no rows')"], "the test")


def test_what_a_model_prints_and_warns_stays_out_of_the_times():
    loud = "lambda start, rows: (print('hello'), sys.stderr.write('x' * 100_000))"
    child = Child([sys.executable, "-c", f"{PYTHON_LOOP}\nserve({loud}, 4)"], "the test")
    assert child.times(1, 5).shape == (5,)
    child.end()
