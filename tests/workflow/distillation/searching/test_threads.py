import threading
import time
import warnings

import pytest

from tutelage.workflow.distillation.searching.threads import in_threads


def test_jobs_run_beside_each_other_and_come_back_in_order():
    both = threading.Barrier(2, timeout=10)

    def meet(number):
        both.wait()
        return number

    assert in_threads(meet, [3, 1], threads=2) == [3, 1]


def test_an_error_stops_what_has_not_begun():
    stop, begun = threading.Event(), []

    def work(number):
        begun.append(number)
        if number == 0:
            threading.Timer(0.2, stop.set).start()
            raise ValueError("broken")
        stop.wait(10)

    with pytest.raises(ValueError, match="broken"):
        in_threads(work, range(50), threads=2)
    assert len(begun) < 50


def test_the_filters_of_warnings_are_as_they_were():
    before = list(warnings.filters)
    in_threads(lambda _: (warnings.simplefilter("ignore"), time.sleep(0)), range(4))
    assert warnings.filters == before
