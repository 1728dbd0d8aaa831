import pytest

from tutelage.core.engines.schedule import Schedule


def test_tasks_are_started_in_order_and_done_once():
    schedule = Schedule([3, 5])
    first, second = schedule.start(0), schedule.start(0)
    assert (first.task, second.task, schedule.start(0)) == (3, 5, None)
    assert schedule.finished(first, 1)
    assert not schedule.over
    assert schedule.finished(second, 2)
    assert schedule.over


def test_a_task_that_failed_waits_again_and_is_given_up_after_three_failures():
    schedule = Schedule([0, 1])
    attempts = []
    for time in range(3):
        attempt = schedule.start(time)
        attempts.append(attempt.task)
        if attempt.task == 1:
            schedule.finished(attempt, time)
            attempt = schedule.start(time)
            attempts.append(attempt.task)
        schedule.failed(attempt, f"error {time}")
    assert attempts == [0, 1, 0, 0]
    assert schedule.over
    assert schedule.given_up == {0: "error 2"}


def test_the_slowest_task_is_started_once_more_once_no_other_waits():
    schedule = Schedule(range(3), slow=2)
    slow, quick, last = (schedule.start(0) for _ in range(3))
    assert schedule.finished(quick, 1)
    assert schedule.finished(last, 1)
    assert schedule.start(1.9) is None
    again = schedule.start(2.1)
    assert again.task == slow.task == 0
    assert schedule.start(4) is None  # the second attempt has its time, too
    assert schedule.start(4.2).task == 0
    assert schedule.start(9) is None  # three times at most
    assert schedule.finished(again, 10)
    assert schedule.over
    assert not schedule.finished(slow, 11)


def test_an_attempt_that_failed_is_made_up_for_while_the_other_runs():
    schedule = Schedule(range(2), slow=1)
    slow, quick = schedule.start(0), schedule.start(0)
    schedule.finished(quick, 1)
    again = schedule.start(5)
    schedule.failed(again, "lost")
    assert schedule.running == 1
    assert not schedule.over
    again = schedule.start(5)  # the first still runs, and has run long
    assert again.task == slow.task
    assert schedule.finished(again, 6)
    assert schedule.over
    assert schedule.given_up == {}


@pytest.mark.parametrize("tasks", [[], [0]])
def test_nothing_to_do_is_over(tasks):
    schedule = Schedule(tasks)
    assert schedule.over is (not tasks)
