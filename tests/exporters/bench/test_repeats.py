import numpy as np
import pytest

from tutelage.exporters.bench.repeats import AGREEING, LEAST_BLOCKS, LEAST_CALLS, MOST_CALLS, MOST_PROCESSES, Repeats


class Machine:
    """A process whose calls take some time, and longer in some of its blocks."""

    def __init__(self, seconds, *slowed):
        self.seconds, self.slowed, self.asked = seconds, iter(slowed), []

    def times(self, rows, calls):
        self.asked.append(calls)
        return np.full(calls, self.seconds * rows * next(self.slowed, 1))


def measured(*processes, rows=1, seconds=0.02):
    repeats = Repeats(rows)
    for process in processes:
        repeats.measure(process, seconds)
    return repeats


def floors(*seconds, **options):
    """Repeats of one block a process."""
    return Repeats(1, processes=[[np.full(3, each)] for each in seconds], **options)


def test_blocks_are_as_long_as_undisturbed_moments_and_fill_the_time():
    process = Machine(2**-17)
    (blocks,) = measured(process, seconds=0.05).processes
    assert {len(block) for block in blocks} == {655}
    assert sum(process.asked) * 2**-17 == pytest.approx(0.05, abs=0.005)
    quick, slow = Machine(1e-9), Machine(7.0)
    measured(quick, slow, seconds=1e-4)
    assert max(quick.asked) == MOST_CALLS
    assert slow.asked == [LEAST_CALLS] * (1 + LEAST_BLOCKS)


def test_the_fastest_block_of_a_process_counts_however_many_were_slowed_down():
    slowed = [1, 1, 1, 1, 1, 2, 2, 1, 2, 3, 2]  # the first find how many calls fill a block
    latency = measured(*(Machine(1e-5, *slowed) for _ in range(4)), rows=10, seconds=0.5).latency
    assert latency.p50_us == pytest.approx(10)
    assert latency.ci95_us == pytest.approx((10, 10))
    assert latency.p99_us == pytest.approx(30)
    assert latency.batch_rows == 10


def test_processes_that_met_a_slow_time_are_left_out_and_others_measured_in_their_place():
    repeats = floors(2.0, 1.9, 1.0, 2.5, 1.01, 1.02)
    assert not repeats.settled
    repeats.processes.append([np.full(3, 1.03)])
    assert repeats.settled
    assert repeats.latency.p50_us == pytest.approx(1.015e6)
    assert repeats.latency.p99_us > 2e6
    assert repeats.latency.calls == 21


def test_the_interval_is_over_processes():
    low, high = floors(1.0, 1.02, 1.04, 1.06).latency.ci95_us
    half = 3.182 * np.std([1.0, 1.02, 1.04, 1.06], ddof=1) / 2
    assert (low, high) == (pytest.approx((1.03 - half) * 1e6, rel=1e-4), pytest.approx((1.03 + half) * 1e6, rel=1e-4))


def test_two_processes_that_agree_are_a_figure_without_an_interval():
    assert not floors(1.0, 1.2, agreeing=2).settled
    found = floors(1.0, 1.2, 1.02, agreeing=2)
    assert found.settled
    assert (found.latency.p50_us, found.latency.ci95_us) == (pytest.approx(1.01e6), None)


def test_a_machine_that_is_never_undisturbed_gives_a_wide_interval_after_some_processes():
    seconds = np.geomspace(1, 5, MOST_PROCESSES)
    assert not floors(*seconds[:-1]).settled
    assert floors(*seconds).settled
    latency = floors(*seconds).latency
    assert latency.p50_us == pytest.approx(seconds[:AGREEING].mean() * 1e6)
    assert latency.ci95_us[1] / latency.p50_us > 1.2
