"""A thousand workers with stragglers, failures and deaths, run by the schedule of the driver under a clock that is simulated."""

import heapq

import numpy as np
import pytest

from tutelage.core.engines.schedule import Schedule

WORKERS, SHARDS, SECONDS = 1000, 15_259, 60.0  # a billion rows
STRAGGLES, FAILS, LOST, LOOKS = 0.01, 0.01, 0.002, 5.0


def simulated(seed, *, workers=WORKERS, shards=SHARDS):
    """Seconds until all is labelled, and if every worker always worked; how often each shard was written; and the schedule."""
    draws = np.random.default_rng(seed)
    schedule, folder, written = Schedule(range(shards)), set(), np.zeros(shards, dtype=int)
    now, free, events, work, number = 0.0, workers, [(LOOKS, -1, None, "")], 0.0, -1
    while not schedule.over:
        while free and (attempt := schedule.start(now)) is not None:
            free -= 1
            takes = SECONDS * draws.lognormal(0, 0.2) * (10 if draws.random() < STRAGGLES else 1)
            fate = draws.random()
            ends = "lost" if fate < LOST else "failed" if fate < LOST + FAILS else "labelled"
            work += takes if attempt.number < shards else 0  # that of each shard once
            heapq.heappush(events, (now + takes * (draws.random() if ends != "labelled" else 1), attempt.number, attempt, ends))
        now, _, attempt, ends = heapq.heappop(events)
        if attempt is None:  # the driver looks for stragglers
            number -= 1
            heapq.heappush(events, (now + LOOKS, number, None, ""))
            continue
        free += 1
        if ends != "labelled":
            schedule.failed(attempt, ends)
            continue
        if attempt.task not in folder:
            folder.add(attempt.task)
            written[attempt.task] += 1
        schedule.finished(attempt, now)
    return now, work / workers, written, schedule


@pytest.mark.exhaustive(every=10)
@pytest.mark.parametrize("seed", range(10))
def test_a_thousand_workers_end_soon_after_the_ideal_and_no_shard_is_lost_or_doubled(seed):
    took, ideal, written, schedule = simulated(seed)
    assert (written == 1).all()
    assert schedule.given_up == {}
    assert took <= 1.2 * ideal, (took, ideal)


def test_small_runs_end_too():
    for seed in range(200):
        _, _, written, schedule = simulated(seed, workers=7, shards=40)
        assert (written[[shard for shard in range(40) if shard not in schedule.given_up]] == 1).all()


def test_without_second_attempts_stragglers_would_decide_when_it_ends(monkeypatch):
    with_them, *_ = simulated(0)
    monkeypatch.setattr(Schedule, "_straggler", lambda self, now: None)
    without, *_ = simulated(0)
    assert without > with_them + 3 * SECONDS
