"""Requests that wait together are answered together, and each gets its own answers."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.serving.batching import Batcher, Busy, Failed, Gone, _Job, joined
from tutelage.serving.model import Answered


def rows(*numbers):
    return CheckRows.of_numbers(np.array(numbers, dtype=np.float64)[:, None])


class Doubling:
    """Answers with twice the number, once the gate is open, and remembers the batches."""

    def __init__(self):
        self.gate = threading.Event()
        self.gate.set()
        self.batches = []
        self.observed = []

    def __call__(self, asked):
        self.gate.wait(10)
        self.batches.append(asked.numbers[:, 0].tolist())
        if (asked.numbers < 0).any():
            raise ValueError("a number below 0")
        return Answered.of(2 * asked.numbers, asked.numbers[:, 0])

    def batcher(self, **limits):
        return Batcher(
            self,
            **{"batch_rows": 4, "wait_s": 0.0, "queue_rows": 8, "quick_s": 0.0, "observe": lambda *seen: self.observed.append(len(seen[0]))}
            | limits,
        )


@pytest.fixture
def model():
    return Doubling()


def run(batcher, work):
    async def both():
        try:
            return await asyncio.wait_for(work, 10)
        finally:
            await asyncio.get_running_loop().run_in_executor(None, batcher.close)

    with ThreadPoolExecutor(1) as thread:  # the browser of other tests may have a loop in this one
        return thread.submit(asyncio.run, both()).result()


async def waiting(batcher, count):
    while batcher.waiting != count:
        await asyncio.sleep(0.001)


def test_each_request_gets_its_own_answers(model):
    batcher = model.batcher()

    async def work():
        return await asyncio.gather(*(batcher.ask(rows(*range(first, first + count))) for first, count in ((1, 2), (10, 1), (20, 3))))

    found = run(batcher, work())
    assert [answer.values[:, 0].tolist() for answer in found] == [[2, 4], [20], [40, 42, 44]]
    assert [answer.confidence.tolist() for answer in found] == [[1, 2], [10], [20, 21, 22]]


def test_requests_of_one_turn_are_joined_up_to_the_largest_batch(model):
    batcher = model.batcher()

    async def work():
        await asyncio.gather(*(batcher.ask(rows(number)) for number in range(6)))

    run(batcher, work())
    assert model.batches == [[0, 1, 2, 3], [4, 5]]
    assert model.observed == [4, 2]


def test_what_arrives_while_rows_are_answered_is_answered_together(model):
    batcher = model.batcher()

    async def work():
        model.gate.clear()
        first = asyncio.ensure_future(batcher.ask(rows(0)))
        await asyncio.sleep(0)
        await waiting(batcher, 0)
        others = [asyncio.ensure_future(batcher.ask(rows(number))) for number in (1, 2)]
        await waiting(batcher, 2)
        others.append(asyncio.ensure_future(batcher.ask(rows(3))))
        await waiting(batcher, 3)
        model.gate.set()
        await asyncio.gather(first, *others)

    run(batcher, work())
    assert model.batches == [[0], [1, 2, 3]]


def test_a_request_of_more_rows_than_a_batch_is_answered_alone_and_whole(model):
    batcher = model.batcher()

    async def work():
        return await asyncio.gather(batcher.ask(rows(*range(6))), batcher.ask(rows(9)))

    large, _ = run(batcher, work())
    assert len(large) == 6
    assert model.batches == [[0, 1, 2, 3, 4, 5], [9]]


def test_no_more_rows_wait_than_the_queue_holds(model):
    batcher = model.batcher()

    async def work():
        model.gate.clear()
        first = asyncio.ensure_future(batcher.ask(rows(0)))
        await asyncio.sleep(0)
        await waiting(batcher, 0)
        full = asyncio.ensure_future(batcher.ask(rows(*range(8))))
        await waiting(batcher, 8)
        with pytest.raises(Busy):
            await batcher.ask(rows(1))
        model.gate.set()
        await asyncio.gather(first, full)
        assert len(await batcher.ask(rows(1))) == 1

    run(batcher, work())


def test_a_row_waits_for_others_as_long_as_it_was_told_to(model):
    batcher = model.batcher(wait_s=0.1)

    async def work():
        started = time.perf_counter()
        first = asyncio.ensure_future(batcher.ask(rows(0)))
        await asyncio.sleep(0.02)
        await asyncio.gather(first, batcher.ask(rows(1)))
        return time.perf_counter() - started

    assert 0.09 < run(batcher, work()) < 5
    assert model.batches == [[0, 1]]


def test_a_full_batch_does_not_wait(model):
    batcher = model.batcher(wait_s=5.0)

    async def work():
        await asyncio.gather(*(batcher.ask(rows(number)) for number in range(4)))

    run(batcher, work())
    assert model.batches == [[0, 1, 2, 3]]


def test_rows_that_cannot_be_answered_do_not_spoil_those_of_others(model):
    batcher = model.batcher()

    async def work():
        return await asyncio.gather(batcher.ask(rows(1)), batcher.ask(rows(-1)), batcher.ask(rows(3)), return_exceptions=True)

    first, wrong, last = run(batcher, work())
    assert (first.values.tolist(), last.values.tolist()) == ([[2]], [[6]])
    assert isinstance(wrong, ValueError)
    assert model.observed == [1, 1]


class Odd(BaseException):
    """What some libraries raise to pass every handler of errors."""


@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt, asyncio.CancelledError, StopIteration, GeneratorExit, Odd, RuntimeError])
def test_whatever_a_model_raises_is_an_answer_to_its_row_and_stops_nothing(model, raised):
    batcher = model.batcher()
    model_answer = batcher._answer

    def odd(asked):
        if (asked.numbers < 0).any():
            raise raised
        return model_answer(asked)

    batcher._answer = odd

    async def work():
        together = await asyncio.gather(batcher.ask(rows(1)), batcher.ask(rows(-1)), batcher.ask(rows(3)), return_exceptions=True)
        with pytest.raises(Failed if raised is not RuntimeError else RuntimeError):
            await batcher.ask(rows(-2))
        return together, await batcher.ask(rows(5))

    (first, wrong, last), after = run(batcher, work())
    assert (first.values.tolist(), last.values.tolist(), after.values.tolist()) == ([[2]], [[6]], [[10]])
    assert isinstance(wrong, Exception)
    assert isinstance(wrong.__cause__ if raised is not RuntimeError else wrong, raised)


def test_ctrl_c_stops_the_loop_whose_thread_answers(model):
    batcher = model.batcher(quick_s=10.0)
    batcher._last = (1, 0.0)

    def interrupted(asked):
        raise KeyboardInterrupt

    batcher._answer = interrupted
    with pytest.raises(KeyboardInterrupt):
        batcher._outcomes([_Job(rows(1), None, None)], [])


def test_figures_that_fail_stop_no_later_answer(model, caplog):
    def fails(*seen):
        raise ZeroDivisionError("a cell: 12345")

    batcher = model.batcher(observe=fails)

    async def work():
        return [await batcher.ask(rows(number)) for number in (1, 2)]

    assert [one.values.tolist() for one in run(batcher, work())] == [[[2]], [[4]]]
    assert "a thread failed with ZeroDivisionError" in caplog.text
    assert "12345" not in caplog.text


def test_rows_of_a_client_that_has_left_are_not_answered(model):
    batcher = model.batcher()

    async def work():
        return await asyncio.gather(batcher.ask(rows(1), lambda: True), batcher.ask(rows(2), lambda: False), return_exceptions=True)

    gone, there = run(batcher, work())
    assert isinstance(gone, Gone)
    assert there.values.tolist() == [[4]]
    assert model.batches == [[2]]


def test_a_cancelled_request_leaves_the_queue(model):
    batcher = model.batcher()

    async def work():
        model.gate.clear()
        first = asyncio.ensure_future(batcher.ask(rows(0)))
        await asyncio.sleep(0)
        await waiting(batcher, 0)
        second = asyncio.ensure_future(batcher.ask(rows(1)))
        await waiting(batcher, 1)
        second.cancel()
        model.gate.set()
        await first
        await waiting(batcher, 0)
        return await batcher.ask(rows(2))

    assert run(batcher, work()).values.tolist() == [[4]]
    assert model.batches == [[0], [2]]


def test_a_quick_answer_needs_no_thread_and_a_slow_one_does(model):
    threads, of_loop = [], []
    answer = model.__call__

    def noted(asked):
        threads.append(threading.current_thread() in of_loop)
        time.sleep(0.6 if len(asked) > 1 else 0)
        return answer(asked)

    batcher = Batcher(noted, batch_rows=4, wait_s=0.0, queue_rows=8, quick_s=0.3, observe=lambda *seen: None)

    async def work():
        of_loop.append(threading.current_thread())
        for asked in (rows(1), rows(2), rows(3, 4), rows(5), rows(6), rows(7)):
            assert (await batcher.ask(asked)).values.tolist() == (2 * asked.numbers).tolist()

    run(batcher, work())
    # the first is not known to be quick; after the slow one, the next is not
    assert threads == [False, True, True, False, True, True]


def test_rows_are_joined_in_order():
    one, two = (CheckRows(np.zeros((1, 0)), np.array([[text]], dtype=object)) for text in ("a", "b"))
    assert joined([one, two]).texts[:, 0].tolist() == ["a", "b"]
    assert joined([one]) is one
