"""Recording with several processes: two workers against one, the share of plan and proof, and memory; --rows for fewer than ten million.

The teacher computes: a network of two hidden layers in NumPy, on one thread a worker. Rows lie in a .npy file, which each worker reads.
Then a fresh process opens the folder and looks 1 000 rows up.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from labelling_teacher import answer

import tutelage as tl

CLASSES = 10
LOOKS_UP = """
import sys, time, numpy as np
import pandas, pyarrow.parquet
import tutelage as tl
rows = np.load(sys.argv[2], mmap_mode="r")
some = np.array(rows[np.random.default_rng(0).choice(len(rows), 1000, replace=False)])
before = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
for turn in range(2):
    start = time.perf_counter()
    tl.open_labels(sys.argv[1]).answer(some)
    print(f"{time.perf_counter() - start:.2f}", end=" ")
after = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print((after - before) // 1024, after // 1024)
"""


def peaks(folder: Path) -> list[int]:
    """Megabytes that each worker took at most when it asked the teacher, without the mapped pages of the file of rows."""
    found = sorted(int(path.read_text(encoding="utf-8")) // 1024 for path in folder.glob("peak-*"))
    for path in folder.glob("peak-*"):
        path.unlink()
    return found


def main() -> None:
    """Measure, and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    count = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        file = np.lib.format.open_memmap(folder / "rows.npy", "w+", np.float32, (count, 10))
        for start in range(0, count, 100_000):
            file[start : start + 100_000] = np.random.default_rng(start).normal(size=(min(100_000, count - start), 10))
        file.flush()
        teacher = tl.as_teacher(answer, kind="logits", classes=range(CLASSES), version="1")
        os.environ["TUTELAGE_PEAKS"] = place
        seconds = {}
        for workers in (1, 2):
            into = folder / f"labels-{workers}"
            begin = time.perf_counter()
            tl.record(teacher, folder / "rows.npy", into, on=tl.Local(workers, threads=1))
            seconds[workers] = time.perf_counter() - begin
            print(f"{workers} worker(s): {seconds[workers]:.1f} s; memory of each, without mapped files, at most {peaks(folder)} MB")
        print(f"two workers are {seconds[1] / seconds[2]:.2f} times as fast as one; target at least 1.7")
        names = sorted(path.name for path in (folder / "labels-1").iterdir())
        same = all((folder / "labels-1" / name).read_bytes() == (folder / "labels-2" / name).read_bytes() for name in names)
        print(f"the bytes of {len(names)} files are {'the same' if same else 'DIFFERENT'}")
        begin = time.perf_counter()
        planned = tl.plan(teacher, folder / "rows.npy", folder / "planned")
        made = time.perf_counter() - begin
        for shard in planned.missing():
            name = f"part-{shard:05d}.parquet"
            (folder / "planned" / name).write_bytes((folder / "labels-1" / name).read_bytes())
            planned._sign(shard, tl.open_labels(folder / "labels-1").sha256[shard])
        begin = time.perf_counter()
        planned.finish()
        proven = time.perf_counter() - begin
        share = (made + proven) / seconds[1]
        print(f"plan {made:.2f} s, finish {proven:.2f} s: {100 * share:.1f} % of labelling by one worker; target at most 3 %")
        command = [sys.executable, "-c", LOOKS_UP, str(folder / "labels-1"), str(folder / "rows.npy")]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        first, second, more, peak = ran.stdout.split()
        print(f"opening {count:,} rows and looking 1 000 up: {first} s the first time, {second} s then; {more} MB more, {peak} MB in all")


if __name__ == "__main__":
    main()
