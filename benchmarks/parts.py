"""Students by parts compared with the same in memory: time, peak memory and quality. Each fit has a process of its own."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import tutelage as tl

COLUMNS, GROUP = 40, 65_536
COEFFICIENTS = np.random.default_rng(0).normal(size=(COLUMNS, 3))
STUDENTS = ("torch", "logistic", "lightgbm", "xgboost", "tree", "evaluate")
SHARES, DELAYS, ROUNDS, SHARD = (0.1, 0.3, 1.0), (0.0, 0.1, 0.3), 5, 16_384


def answers(rows: Any, classes: int) -> Any:
    """Logits with steps and curves in them, so that there is something to learn."""
    hidden = np.asarray(rows, dtype=np.float64) @ COEFFICIENTS
    return np.stack([np.sin(hidden[:, 0]) * 2 + (hidden[:, 1] > 0), hidden[:, 2] / 4, -np.abs(hidden[:, 0]) / 4][:classes], axis=1)


def teacher(classes: int) -> Any:
    """The teacher whose answers are recorded."""
    return tl.as_teacher(lambda rows: answers(rows, classes), kind="logits", classes=range(classes), version="1")


def made(folder: Path, rows: int) -> None:
    """Write rows to Parquet, a row group at a time, and record the answers to them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    for start in range(0, rows, GROUP):
        values = np.random.default_rng([1, start]).normal(size=(min(GROUP, rows - start), COLUMNS)).astype(np.float32)
        table = pa.table({f"x{column}": values[:, column] for column in range(COLUMNS)})
        writer = writer or pq.ParquetWriter(folder / "rows.parquet", table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()
    for classes in (2, 3):
        tl.record(teacher(classes), folder / "rows.parquet", folder / f"labels-{classes}")


def student_of(name: str) -> Any:
    """A student, not yet fitted."""
    if name in ("lightgbm", "xgboost"):
        return tl.SoftBoosting(engine="lightgbm" if name == "lightgbm" else "xgboost", n_estimators=10, n_jobs=2, random_state=0)
    return tl.SoftLogistic() if name == "logistic" else tl.SoftTree(max_leaf_nodes=64, random_state=0)


def child(folder: Path, name: str, how: str) -> dict[str, Any]:
    """Fit one student, and measure it; runs in a process of its own."""
    import resource
    from time import perf_counter

    import pandas as pd

    labels = tl.open_labels(folder / f"labels-{3 if name == 'torch' else 2}")
    if name == "torch":
        import torch

        torch.set_num_threads(2)
        torch.manual_seed(0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = perf_counter()
    data: Any = tl.parts(folder / "rows.parquet", labels) if how == "parts" else pd.read_parquet(folder / "rows.parquet")
    given = (data,) if how == "parts" else (data, labels)
    opened = perf_counter()
    if name == "torch":
        student = tl.TorchStudent(tl.training.mlp((COLUMNS, 256, 256, 3))).fit(*given, epochs=1, batch_size=1024, lr=3e-3)
    elif name == "evaluate":
        student = student_of("tree").fit(tl.parts(folder / "rows.parquet", labels, window=GROUP))
        opened = perf_counter()
        tl.evaluate(student, *((data,) if how == "parts" else (labels, data)), budget_seconds=None)
    else:
        student = student_of(name).fit(*given)
    done = perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    test = np.random.default_rng(2).normal(size=(20_000, COLUMNS)).astype(np.float32)
    truth = tl.as_teacher(teacher(len(labels.form.classes))).form.probabilities(answers(test, len(labels.form.classes)))
    rows = test if name == "torch" else pd.DataFrame(test, columns=[f"x{column}" for column in range(COLUMNS)])
    loss = float(-(truth * np.log(np.maximum(student.predict_proba(rows), 1e-9))).sum(axis=1).mean())
    return {"open": opened - start, "seconds": done - opened, "before": before, "peak": peak, "loss": loss}


def looked_up(folder: Path) -> dict[str, Any]:
    """Open a folder and answer 1 000 rows, before and after there is an index."""
    import resource
    from time import perf_counter

    asked = np.random.default_rng([1, 0]).normal(size=(GROUP, COLUMNS)).astype(np.float32)[:1000]
    found = {}
    for name in ("first", "again"):
        start = perf_counter()
        tl.open_labels(folder / "labels-2").answer(asked)
        found[name] = perf_counter() - start
    return {**found, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def samples() -> None:
    """Trees that learn from a sample of the rows of a real table, as `tl.parts` draws it, compared with trees that learn from all."""
    import real_data
    from sklearn.ensemble import HistGradientBoostingClassifier

    problem = real_data.flights()
    named = ["carrier", "origin", "dest"]
    rows = problem.rows.assign(**{name: problem.rows[name].astype("category").cat.codes for name in named}).astype(float)
    learnt, tested = slice(None, 80_000), slice(80_000, None)
    booster = HistGradientBoostingClassifier(categorical_features=named, random_state=0).fit(rows[learnt], problem.truth[learnt])
    test, truth = rows[tested], problem.truth[tested]
    of_teacher = booster.predict_proba(test)
    print(f"the teacher's accuracy is {booster.score(test, truth):.4f}")
    print("| student | of the rows | cross-entropy with the teacher | agreement | accuracy |")
    print("|---|---|---|---|---|")
    students = {
        "SoftTree": lambda: tl.SoftTree(max_leaf_nodes=256, random_state=0),
        "SoftForest": lambda: tl.SoftForest(n_estimators=30, random_state=0),
    }
    with tempfile.TemporaryDirectory() as folder:
        rows[learnt].to_parquet(Path(folder) / "rows.parquet", row_group_size=4000)
        labels = tl.record(booster, Path(folder) / "rows.parquet", Path(folder) / "labels", shard_rows=4000)
        for name, made_student in students.items():
            for share in SHARES:
                found = []
                for seed in range(5 if share < 1 else 1):  # the sample is drawn again; all rows are all rows
                    data = tl.parts(Path(folder) / "rows.parquet", labels, window=int(share * 80_000), seed=seed)
                    p = made_student().fit(data).predict_proba(test)
                    loss = -(of_teacher * np.log(np.maximum(p, 1e-9))).sum(axis=1).mean()
                    found.append([loss, (p.argmax(1) == of_teacher.argmax(1)).mean(), (p.argmax(1) == truth).mean()])
                figures = " | ".join(
                    f"{mean:.4f}" + (f" ± {spread:.4f}" if len(found) > 1 else "")
                    for mean, spread in zip(np.mean(found, axis=0), np.std(found, axis=0), strict=True)
                )
                print(f"| {name} | {share:.0%} | {figures} |", flush=True)


def ahead() -> None:
    """An epoch whose next window is read ahead, compared with one after the other, where a shard also arrives after a while."""
    from time import perf_counter, sleep

    from tutelage.softlabels.streaming.parts import Parts

    shard, rows = Parts.shard, np.random.default_rng(1).normal(size=(8 * SHARD, COLUMNS)).astype(np.float32)
    print("| a shard is waited for | seconds, read ahead / one after the other | ratio, median of rounds |")
    print("|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        labels = tl.record(teacher(3), rows, Path(folder) / "labels", shard_rows=SHARD)
        for delay in DELAYS:

            def late(parts: Any, index: int, delay: float = delay) -> Any:
                sleep(delay)  # as a store that is far away
                return shard(parts, index)

            Parts.shard = late  # type: ignore[method-assign]
            seconds = []
            for _ in range(ROUNDS + 1):
                seconds.append([])
                for is_ahead in (True, False):
                    data = tl.parts(rows, labels, window=SHARD, ahead=is_ahead)
                    start = perf_counter()
                    network = tl.training.mlp((COLUMNS, 64, 64, 3))
                    tl.TorchStudent(network).fit(data, epochs=1, batch_size=1024, lr=3e-3, threads=1)
                    seconds[-1].append(perf_counter() - start)
            taken = np.array(seconds[1:])  # the first imports
            first, second = np.median(taken, axis=0)
            print(f"| {delay} s | {first:.2f} / {second:.2f} | {np.median(taken[:, 0] / taken[:, 1]):.2f} |", flush=True)
        Parts.shard = shard  # type: ignore[method-assign]


def measured(*arguments: str) -> dict[str, Any]:
    """What a process of its own measures."""
    done = subprocess.run([sys.executable, __file__, "--child", *arguments], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 5_000_000])
    parser.add_argument("--quick", action="store_true", help="200 000 rows")
    parser.add_argument("--students", nargs="+", default=list(STUDENTS), choices=STUDENTS)
    parser.add_argument("--samples", action="store_true", help="what a sample costs trees and forests, on a real table (3 minutes)")
    parser.add_argument("--ahead", action="store_true", help="what reading the next window ahead gains (1 minute)")
    parser.add_argument("--child", nargs=3, metavar=("FOLDER", "STUDENT", "HOW"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        folder, name, how = options.child
        print(json.dumps(looked_up(Path(folder)) if name == "look-up" else child(Path(folder), name, how)))
        return
    if options.samples or options.ahead:
        (samples if options.samples else ahead)()
        return
    print("| student, rows | seconds, by parts / in memory | ratio | peak MB, by parts / in memory | ratio | loss, by parts / in memory |")
    print("|---|---|---|---|---|---|")
    for rows in [200_000] if options.quick else options.rows:
        with tempfile.TemporaryDirectory() as folder:
            made(Path(folder), rows)
            for name in options.students:
                parts, memory = (measured(folder, name, how) for how in ("parts", "memory"))
                print(
                    f"| {name}, {rows:,} | {parts['seconds']:.1f} / {memory['seconds']:.1f} | {parts['seconds'] / memory['seconds']:.2f} "
                    f"| {parts['peak']:.0f} / {memory['peak']:.0f} | {parts['peak'] / memory['peak']:.2f} "
                    f"| {parts['loss']:.4f} / {memory['loss']:.4f} |",
                    flush=True,
                )
            found = measured(folder, "look-up", "parts")
            print(f"1 000 rows of {rows:,}: {found['first']:.2f} s, with the index {found['again']:.3f} s; {found['peak']:.0f} MB")


if __name__ == "__main__":
    main()
