"""Workers with stragglers, failures and deaths, run by the schedule of the driver under a clock that is simulated.

A thousand workers share a folder that is a count; a few label by the files of a plan, each until its simulated time is over.
"""

import heapq
import threading

import numpy as np
import pytest
from labelling_teachers import sums

import tutelage as tl
from tutelage.core.engines.schedule import Schedule
from tutelage.core.file_systems.whole_files import write_unless_there
from tutelage.softlabels import shards as shards_module

WORKERS, SHARDS, SECONDS = 1000, 15_259, 60.0  # a billion rows
LOOKS, SELDOM, OFTEN = 5.0, (0.01, 0.01, 0.002), (0.1, 0.05, 0.05)  # how often attempts straggle, fail, and are lost


class Count:
    """How often each shard was written."""

    def __init__(self, shards):
        self.written = np.zeros(shards, dtype=int)

    def begin(self, attempt):
        """An attempt begins."""

    def end(self, attempt):
        """An attempt has its answers, and writes them unless another has."""
        if not self.written[attempt.task]:
            self.written[attempt.task] += 1

    def lose(self, attempt):
        """An attempt ends without answers."""


class Files(Count):
    """Attempts at the shards of a plan: each is a thread that waits, while the teacher is asked, until the simulated clock goes on."""

    def __init__(self, shards, folder, monkeypatch):
        super().__init__(shards)
        self.current, self.attempts = threading.local(), {}
        self.rows = np.arange(shards * 6.0).reshape(-1, 3)
        self.plan = tl.plan(tl.as_teacher(self.answer, kind="values", version="1"), self.rows, folder, shard_rows=2)

        def counted(target, write):
            first = write_unless_there(target, write)
            if first and target.name.startswith("part-"):
                self.written[int(target.stem[5:])] += 1
            return first

        monkeypatch.setattr(shards_module, "write_unless_there", counted)

    def answer(self, rows):
        running = getattr(self.current, "attempt", None)
        if running is not None:
            running.asked.set()
            running.over.wait()
            if running.lost:
                raise RuntimeError("lost")
        return sums(rows)

    def begin(self, attempt):
        self.attempts[attempt.number] = _Attempt(self, attempt.task)

    def end(self, attempt):
        self.attempts.pop(attempt.number).end(lost=False)

    def lose(self, attempt):
        self.attempts.pop(attempt.number).end(lost=True)


class _Attempt(threading.Thread):
    def __init__(self, files, shard):
        super().__init__(daemon=True)
        self.files, self.shard, self.lost, self.error = files, shard, False, None
        self.asked, self.over = threading.Event(), threading.Event()
        self.start()
        self.asked.wait()

    def run(self):
        self.files.current.attempt = self
        try:
            self.files.plan.label(self.shard)
        except Exception as error:
            self.error = error
        self.asked.set()

    def end(self, *, lost):
        self.lost = lost
        self.over.set()
        self.join()
        assert self.error is None or (lost and str(self.error) == "lost"), self.error


def simulated(seed, *, workers=WORKERS, shards=SHARDS, folder=None, chances=SELDOM):
    """Seconds until all is labelled, and if every worker always worked; the folder, the schedule, and what still runs."""
    draws, (straggles, fails, lost) = np.random.default_rng(seed), chances
    schedule, folder = Schedule(range(shards)), folder or Count(shards)
    now, free, events, work, number = 0.0, workers, [(LOOKS, -1, None, "")], 0.0, -1
    while not schedule.over:
        while free and (attempt := schedule.start(now)) is not None:
            free -= 1
            folder.begin(attempt)
            takes = SECONDS * draws.lognormal(0, 0.2) * (10 if draws.random() < straggles else 1)
            fate = draws.random()
            ends = "lost" if fate < lost else "failed" if fate < lost + fails else "labelled"
            work += takes if attempt.number < shards else 0  # that of each shard once
            heapq.heappush(events, (now + takes * (draws.random() if ends != "labelled" else 1), attempt.number, attempt, ends))
        now, _, attempt, ends = heapq.heappop(events)
        if attempt is None:  # the driver looks for stragglers
            number -= 1
            heapq.heappush(events, (now + LOOKS, number, None, ""))
            continue
        free += 1
        if ends != "labelled":
            folder.lose(attempt)
            schedule.failed(attempt, ends)
            continue
        folder.end(attempt)
        schedule.finished(attempt, now)
    return now, work / workers, folder, schedule, [attempt for _, _, attempt, _ in events if attempt is not None]


@pytest.mark.exhaustive(every=10)
@pytest.mark.parametrize("seed", range(10))
def test_a_thousand_workers_end_soon_after_the_ideal_and_no_shard_is_lost_or_doubled(seed):
    took, ideal, folder, schedule, _ = simulated(seed)
    assert (folder.written == 1).all()
    assert schedule.given_up == {}
    assert took <= 1.2 * ideal, (took, ideal)


def test_small_runs_end_too():
    for seed in range(200):
        _, _, folder, schedule, _ = simulated(seed, workers=7, shards=40)
        assert (folder.written[[shard for shard in range(40) if shard not in schedule.given_up]] == 1).all()


def test_without_second_attempts_stragglers_would_decide_when_it_ends(monkeypatch):
    with_them, *_ = simulated(0)
    monkeypatch.setattr(Schedule, "_straggler", lambda self, now: None)
    without, *_ = simulated(0)
    assert without > with_them + 3 * SECONDS


@pytest.mark.exhaustive(every=5)
@pytest.mark.parametrize("seed", range(5))
def test_the_files_of_a_plan_are_complete_soon_after_the_ideal(tmp_path, monkeypatch, seed):
    took, ideal, folder, schedule, _ = simulated(seed, workers=4, shards=120, folder=Files(120, tmp_path / "labels", monkeypatch))
    assert took <= 1.2 * ideal, (took, ideal)
    assert (folder.written == 1).all()
    assert (schedule.given_up, folder.plan.missing()) == ({}, [])


@pytest.mark.exhaustive(every=50)
@pytest.mark.parametrize("block", range(200))
def test_in_a_thousand_runs_no_file_of_a_plan_is_lost_or_doubled(tmp_path, monkeypatch, block):
    for seed in range(block * 5, block * 5 + 5):
        files = Files(8, tmp_path / str(seed), monkeypatch)
        _, _, folder, schedule, running = simulated(seed, workers=4, shards=8, folder=files, chances=OFTEN)
        assert folder.plan.missing() == sorted(schedule.given_up)
        assert (folder.written == [shard not in schedule.given_up for shard in range(8)]).all()
        for shard in schedule.given_up:
            folder.plan.label(shard)
        finished = folder.plan.finish()
        before = {path.name: path.read_bytes() for path in finished.path.iterdir()}
        for attempt in running:  # the attempts that were started a second time end after all is over
            folder.end(attempt)
        assert {path.name: path.read_bytes() for path in finished.path.iterdir()} == before
        np.testing.assert_array_equal(finished.labels.answers[:, 0], sums(folder.rows))
