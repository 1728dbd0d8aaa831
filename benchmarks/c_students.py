"""What an answer costs in C, one row at a time on one thread, beside the teacher, ONNX Runtime and tl2cgen.

    scripts/bench c_students [--quick]

C is timed in a C loop by a program around the file, calls in Python by a Python loop; all take turns, in blocks of calls. tl2cgen is
compared if it is installed; scripts/bench installs it into .venv-tl2cgen.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import torch
from sklearn.datasets import make_classification

import tutelage as tl
from tutelage.experiments.demo.mnist_setting import teacher_network
from tutelage.exporters.export import export
from tutelage.exporters.program.build import program_of
from tutelage.exporters.subject.subject import subject_of
from tutelage.exporters.targets.c_source.compilers import Compiled
from tutelage.exporters.targets.c_source.file import Face
from tutelage.exporters.targets.c_source.harness import packed
from tutelage.exporters.targets.job import Job, Settings
from tutelage.exporters.targets.timed_process import Child

BLOCKS, ROWS = 11, 1000
GCC, SIZE = shutil.which("gcc") or "gcc", shutil.which("size") or "size"
FLAGS = ("-std=c99", "-O3", "-march=native")
Timed = Callable[[], float]
"""Runs a block of calls; seconds of one row."""


def in_c(student: Any, X: Any, folder: Path) -> tuple[Timed, str]:
    """A student in C, proven first, and what its file is like."""
    record = export(student, folder / "student.c", check_on=X)
    subject, rows = subject_of(student, X)
    job = Job(subject, rows[:ROWS], program_of(subject, rows), "student", Settings())
    compiled = Compiled("gcc", Face.of(job), FLAGS)
    begun = time.perf_counter()
    made = compiled.program(folder / "student.c", job.program)
    seconds = time.perf_counter() - begun
    given = folder / "rows.bin"
    given.write_bytes(packed(job.rows, job.program, compiled.face))
    child = Child([str(made), str(given)], "C")
    size = object_size(folder / "student.c")
    described = (
        f"{record.size_bytes:,} bytes of C, {size:,} compiled in {seconds:.1f} s; {record.proofs[0].decisions_changed} decisions changed"
    )
    return (lambda: statistics.median(child.times(ROWS, 20)) / ROWS), described


def object_size(*files: Path) -> int:
    """Bytes of code and constants."""
    total = 0
    for file in files:
        made = file.with_suffix(".o")
        subprocess.run([GCC, "-O2", "-w", "-c", str(file), "-o", str(made)], check=True)
        text, data, *_ = subprocess.run([SIZE, str(made)], check=True, capture_output=True, text=True).stdout.splitlines()[1].split()
        total += int(text) + int(data)
    return total


def in_python(answer: Callable[[Any], Any], rows: Sequence[Any], calls: int) -> Timed:
    """Calls of a function with one row each."""

    def block() -> float:
        taken = []
        for call in range(calls):
            row = rows[call % len(rows)]
            begun = time.perf_counter()
            answer(row)
            taken.append(time.perf_counter() - begun)
        return statistics.median(taken)

    block()
    return block


def in_onnx(student: Any, X: Any, folder: Path) -> Timed:
    """A student in ONNX Runtime."""
    import onnxruntime

    tl.export_onnx(student, folder / "student.onnx", check_on=X)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "student.onnx"), options, providers=["CPUExecutionProvider"])
    name, kind = session.get_inputs()[0].name, np.float32 if "float" in session.get_inputs()[0].type else np.float64
    rows = [np.ascontiguousarray(X[place : place + 1], dtype=kind) for place in range(min(ROWS, len(X)))]
    return in_python(lambda row: session.run(None, {name: row}), rows, 1000)


def report(title: str, timed: dict[str, Timed], targets: dict[tuple[str, str], str]) -> None:
    """Time all in turns, and print their medians and the median ratios of blocks."""
    times = {name: [] for name in timed}
    for _ in range(BLOCKS):
        for name, block in timed.items():
            times[name].append(block())
    print(f"\n{title}")
    for name, taken in times.items():
        print(f"  {name:22} {statistics.median(taken) * 1e6:12.3f} us")
    for (slow, fast), target in targets.items():
        if slow in times and fast in times:
            ratios = sorted(a / b for a, b in zip(times[slow], times[fast], strict=True))
            print(f"  {slow} / {fast}: {statistics.median(ratios):,.2f} ({ratios[0]:,.2f} to {ratios[-1]:,.2f}); target {target}")


def mnist(folder: Path, calls: int) -> None:
    random = np.random.default_rng(0)
    pictures = random.random((500, 784)).astype(np.float32)
    teacher = teacher_network().eval()
    layers = [torch.nn.Linear(784, 10), torch.nn.ReLU(), torch.nn.Linear(10, 10), torch.nn.ReLU(), torch.nn.Linear(10, 10)]
    student = tl.TorchStudent(torch.nn.Sequential(*layers), classes=range(10)).fit(
        pictures, random.dirichlet(np.ones(10), 500), epochs=1, seed=0
    )
    rows = list(torch.from_numpy(pictures).split(1))
    c, described = in_c(student, pictures, folder)
    with torch.inference_mode():
        timed = {
            "teacher in torch": in_python(teacher, rows, calls),
            "student in ONNX": in_onnx(student, pictures, folder),
            "student in C": c,
        }
        targets = {("teacher in torch", "student in C"): "at least 5 000", ("teacher in torch", "student in ONNX"): "about 900"}
        report(f"The teacher of the demo, and 784-10-10-10 ({described})", timed, targets)


def tree(folder: Path, calls: int) -> None:
    X, y = make_classification(10_000, 20, n_informative=10, random_state=0)
    booster = lightgbm.train({"verbosity": -1, "num_threads": 1, "objective": "binary"}, lightgbm.Dataset(X, y), 500)
    answers = booster.predict(X)
    student = tl.SoftTree(max_leaf_nodes=32, random_state=0).fit(X, np.column_stack([1 - answers, answers]))
    rows = [X[place : place + 1] for place in range(ROWS)]
    c, described = in_c(student, X, folder)
    teacher = in_python(lambda row: booster.predict(row, num_threads=1), rows, calls)
    timed = {"LightGBM": teacher, "tree in ONNX": in_onnx(student, X, folder), "tree in C": c}
    targets = {("LightGBM", "tree in C"): "at least 100", ("LightGBM", "tree in ONNX"): "at least 20"}
    report(f"500 LightGBM trees of 31 leaves, and a tree of 32 leaves ({described})", timed, targets)


def forest(folder: Path, leaves: int) -> None:
    X, y = make_classification(10_000, 20, n_informative=10, n_classes=3, random_state=0)
    soft = np.where(np.eye(3)[y] > 0, 0.8, 0.1)
    student = tl.SoftForest(n_estimators=500, max_leaf_nodes=leaves, random_state=0).fit(X, soft)
    c, described = in_c(student, X, folder)
    timed = {"forest in C": c}
    title = f"A forest of 500 trees of {leaves} leaves ({described}"
    try:
        timed["tl2cgen"], theirs = in_tl2cgen(student, X, folder)
        title += f"; tl2cgen: {theirs}"
    except ImportError:
        print("tl2cgen is not installed: not compared.")
    report(title + ")", timed, {("forest in C", "tl2cgen"): "at most 1.5"})


def in_tl2cgen(student: tl.SoftForest, X: Any, folder: Path) -> tuple[Timed, str]:
    """The same forest as tl2cgen writes it. Its cells are made before the clock starts, and its sums cleared inside, as it asks."""
    import tl2cgen
    import treelite

    code = folder / "tl2cgen"
    tl2cgen.generate_c_code(treelite.sklearn.import_model(student.forest_), dirpath=code, params={}, verbose=False)
    around = folder / "tl2cgen.c"
    around.write_text(_AROUND.replace("COLUMNS", str(X.shape[1])).replace("ROWS", str(ROWS)))
    (folder / "tl2cgen.bin").write_bytes(X[:ROWS].astype(np.float32).tobytes())
    begun = time.perf_counter()
    files = sorted(code.glob("*.c"))
    command = [GCC, "-w", *FLAGS[1:], f"-I{code}", *map(str, files), str(around), "-o", str(folder / "theirs"), "-lm"]
    subprocess.run(command, check=True)
    seconds = time.perf_counter() - begun
    child = Child([str(folder / "theirs"), str(folder / "tl2cgen.bin")], "tl2cgen")
    size = sum(file.stat().st_size for file in files)
    return (
        lambda: statistics.median(child.times(ROWS, 20)) / ROWS
    ), f"{size:,} bytes of C, {object_size(*files):,} compiled in {seconds:.1f} s"


_AROUND = """
#include <stdio.h>
#include <time.h>
#include "header.h"
static float rows[ROWS][COLUMNS];
static union Entry cells[ROWS][COLUMNS];
static volatile double seen;
int main(int arguments, char **given) {
    FILE *from = fopen(given[1], "rb");
    if (!from || fread(rows, sizeof rows, 1, from) != 1) return 1;
    for (int i = 0; i < ROWS; ++i) for (int j = 0; j < COLUMNS; ++j) cells[i][j].fvalue = rows[i][j];
    puts("ready");
    fflush(stdout);
    long asked, calls;
    while (scanf("%ld %ld", &asked, &calls) == 2) {
        for (; calls > 0; --calls) {
            struct timespec begun, ended;
            clock_gettime(CLOCK_MONOTONIC, &begun);
            for (long i = 0; i < asked; ++i) {
                float result[3] = {0, 0, 0};
                predict(cells[i], 0, result);
                seen = result[0];
            }
            clock_gettime(CLOCK_MONOTONIC, &ended);
            printf("%lld ", (long long)(ended.tv_sec - begun.tv_sec) * 1000000000LL + (ended.tv_nsec - begun.tv_nsec));
        }
        puts("");
        fflush(stdout);
    }
    return 0;
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer calls, and smaller trees for tl2cgen")
    parser.add_argument("--only", choices=["mnist", "tree", "forest"])
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    print("gcc", shlex.join(FLAGS), "Python", sys.version.split()[0])
    jobs = {
        "mnist": lambda folder: mnist(folder, 20 if chosen.quick else 100),
        "tree": lambda folder: tree(folder, 100 if chosen.quick else 1000),
        "forest": lambda folder: forest(folder, 16 if chosen.quick else 32),
    }
    for name, job in jobs.items():
        if chosen.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                job(Path(folder))


if __name__ == "__main__":
    main()
