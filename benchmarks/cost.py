"""What a recording of 1e6 to 1e11 rows takes: time and money by kind of teacher and number of workers, and which part decides.

The figures of this machine are measured first, in processor time: the teachers, what `record` adds to a row, the proof of `finish`, and
the opening of files. The rest is assumed, and stated with the table: prices, failures, the delay of an object store.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import tutelage as tl
from tutelage.data.rows import as_rows

CLASSES = 10
SHARD_ROWS = 65_536


@dataclass(frozen=True)
class Machine:
    """What is measured, in seconds of one processor, and what is assumed.

    Attributes:
        labelled: of a row beside the teacher: reading, names, checks, encoding, writing, hashing.
        proven: of a row in `finish`.
        opened: of a Parquet file of rows, in each worker and in the driver.
        stored: bytes of a row in the shards.
        starts: of a worker until it labels.
        slower: what stragglers and failures add, from the simulation (tests/softlabels/labelling/test_simulated.py).
        delay: of a request to the object store.
        reads: bytes a second that one machine reads from it.
        requests: to the store for each shard: those that write, and those that read (counted in docs/guide/many-processes.md).
        of_a_file: requests for each file of rows, when it is opened and pinned.
        at_once: shards that the driver proves, and files that a process opens, at the same time.
        hour: price of a processor for an hour.
        thousand_writes, thousand_reads: price of requests that write or list, and of those that read.
    """

    labelled: float
    proven: float
    opened: float
    stored: float
    starts: float = 10.0
    slower: float = 1.15
    delay: float = 0.05
    reads: float = 500e6
    requests: tuple[int, int] = (2, 14)
    of_a_file: int = 6
    at_once: tuple[int, int] = (8, 16)
    hour: float = 0.04
    thousand_writes: float = 0.005
    thousand_reads: float = 0.0004


@dataclass(frozen=True)
class Cost:
    """What a recording takes.

    Attributes:
        seconds: of each part, one after the other.
        money: of each part.
    """

    seconds: dict[str, float]
    money: dict[str, float]

    @property
    def bottleneck(self) -> str:
        """The part that takes longest."""
        return max(self.seconds, key=self.seconds.__getitem__)


def cost(machine: Machine, *, rows: float, teacher: float, paid: float, workers: int, shard_rows: int, file_rows: float) -> Cost:
    """The model.

    Args:
        machine: its figures.
        rows: number of rows.
        teacher: seconds that a worker takes for a row.
        paid: price of the answer to a row, beside the processor.
        workers: of one processor each.
        shard_rows: rows of a shard.
        file_rows: rows of a file of rows.
    """
    shards, files = np.ceil(rows / shard_rows), np.ceil(rows / file_rows)
    at_work = min(workers, shards)
    writes, reads = machine.requests
    proofs, opens = machine.at_once
    shard = min(shard_rows, rows) * (teacher + machine.labelled) + (writes + reads) * machine.delay
    rounds = shards / at_work + (0.5 if shards > at_work else 0)  # at the end some wait for others
    opening = files * (machine.opened + machine.of_a_file * machine.delay / opens)
    seconds = {
        "opening files": 2 * opening,  # the driver, then all workers at once
        "starting": machine.starts,
        "labelling": rounds * shard * machine.slower,
        "finish": rows * machine.proven / proofs + rows * machine.stored / machine.reads + shards * 2 * machine.delay / proofs,
    }
    busy = at_work * (opening + machine.starts + seconds["labelling"]) + opening + proofs * seconds["finish"]
    requests = shards * (writes * machine.thousand_writes + reads * machine.thousand_reads)
    requests += files * (at_work + 1) * machine.of_a_file * machine.thousand_reads
    money = {"processors": busy / 3600 * machine.hour, "requests": requests / 1000, "answers": rows * paid}
    return Cost(seconds, money)


def processor_seconds(work: Callable[[], Any], rounds: int) -> float:
    """The least processor time of some rounds."""
    found = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def of_trees(rows: int, rounds: int) -> float:
    """Seconds of a row: 300 boosted trees of 31 leaves for ten classes."""
    import lightgbm

    draws = np.random.default_rng(0)
    X = draws.normal(size=(rows, 20)).astype(np.float32)
    y = (X[:, :3].sum(axis=1) * 3).astype(int) % CLASSES
    model = lightgbm.LGBMClassifier(n_estimators=30, n_jobs=1, verbose=-1).fit(X[:5000], y[:5000])
    teacher = tl.as_teacher(model)
    return processor_seconds(lambda: teacher.answer(X), rounds) / rows


def of_network(rows: int, rounds: int) -> float:
    """Seconds of a row: a convolutional network of 28 x 28 pixels."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    layers = [nn.Unflatten(1, (1, 28, 28)), nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1)]
    network = nn.Sequential(*layers, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, CLASSES))
    teacher = tl.as_teacher(network, classes=range(CLASSES))
    X = np.random.default_rng(0).normal(size=(rows // 10, 784)).astype(np.float32)
    return processor_seconds(lambda: teacher.answer(X), rounds) / len(X)


def measured(rows: int, rounds: int) -> Machine:
    """The figures of this machine."""
    logits = np.random.default_rng(0).normal(size=(SHARD_ROWS, CLASSES)).astype(np.float32)
    teacher = tl.as_teacher(lambda some: logits[: len(some)], kind="logits", classes=range(CLASSES), version="1")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        frame = pd.DataFrame(np.random.default_rng(1).normal(size=(rows, 20)).astype(np.float32)).rename(columns=str)
        frame.to_parquet(folder / "rows.parquet", row_group_size=SHARD_ROWS)
        for number in range(50):
            (folder / "many").mkdir(exist_ok=True)
            frame[:10].to_parquet(folder / "many" / f"{number}.parquet")
        label, prove = [], []
        for turn in range(rounds):
            planned = tl.plan(teacher, folder / "rows.parquet", folder / f"labels-{turn}", shard_rows=SHARD_ROWS)
            label.append(processor_seconds(lambda planned=planned: [planned.label(shard) for shard in planned.missing()], 1))
            prove.append(processor_seconds(planned.finish, 1))
        opened = processor_seconds(lambda: as_rows(folder / "many"), rounds) / 50
        stored = sum(path.stat().st_size for path in (folder / "labels-0").glob("part-*")) / rows
    return Machine(min(label) / rows, min(prove) / rows, opened, stored)


def shown(seconds: float) -> str:
    """A duration in the unit that suits it."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rows and rounds")
    quick = parser.parse_args().quick
    rows, rounds = (SHARD_ROWS, 2) if quick else (8 * SHARD_ROWS, 5)
    machine = measured(rows, rounds)
    teachers = {
        "boosted trees": (of_trees(min(rows, 100_000), rounds), 0.0),
        "CNN, 28 x 28": (of_network(min(rows, 20_000), rounds), 0.0),
        "language model behind an endpoint": (0.02, 0.0001),
    }
    print(f"a row beside the teacher {1e6 * machine.labelled:.2f} us, its proof {1e6 * machine.proven:.2f} us, {machine.stored:.0f} bytes;")
    print(
        f"a file opened {1e3 * machine.opened:.1f} ms; a row of the teachers "
        + ", ".join(f"{1e6 * t:.1f} us" for t, _ in teachers.values())
    )
    print("\n| teacher | rows | workers | time | of which | money | of which |\n" + "| --- " * 7 + "|")
    for name, (teacher, paid) in teachers.items():
        for exponent in range(6, 12):
            for workers in (1, 64, 1000):
                found = cost(
                    machine, rows=10.0**exponent, teacher=teacher, paid=paid, workers=workers, shard_rows=SHARD_ROWS, file_rows=1e6
                )
                total, spent = sum(found.seconds.values()), sum(found.money.values())
                part, of = found.bottleneck, max(found.money, key=found.money.__getitem__)
                cells = [name, f"1e{exponent}", f"{workers:,}", shown(total), f"{part} {found.seconds[part] / total:.0%}"]
                print(f"| {' | '.join([*cells, f'{spent:,.2f}', f'{of} {found.money[of] / spent:.0%}'])} |")
    print("\n1e10 rows, boosted trees, 1,000 workers:")
    for size, of_a_file in ((16_384, 1e6), (SHARD_ROWS, 1e6), (262_144, 1e6), (SHARD_ROWS, 1e5), (SHARD_ROWS, 1e7)):
        settings = {"teacher": teachers["boosted trees"][0], "paid": 0.0, "workers": 1000, "shard_rows": size, "file_rows": of_a_file}
        found = cost(machine, rows=1e10, **settings)
        parts = ", ".join(f"{name} {shown(seconds)}" for name, seconds in found.seconds.items())
        total, money = shown(sum(found.seconds.values())), sum(found.money.values())
        print(f"shards of {size:,} rows, files of {of_a_file:,.0f}: {total} ({parts}), {money:.2f}")


if __name__ == "__main__":
    main()
