"""Whether the chosen student of `tl.distill` meets its limits when its file is measured again by a fresh process: ten small distillations.

Each has a limit on the size and on the latency of one row, and students, some of which exceed it. `tutelage bench` then measures the
file. The limits are met if the size and the upper end of the interval of the median latency are within them. What onnxruntime takes for any
row differs between machines by far more than students do, so limits of ONNX files are multiples of what a tree of two leaves takes here.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, make_circles, make_classification, make_friedman1, make_moons
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import tutelage as tl
from tutelage.exporters.bench.shipped import shipped_file

Data = tuple[pd.DataFrame, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Case:
    """A distillation: its data, its students, the format of the file, and its limits."""

    name: str
    data: Callable[[], Data]
    students: tuple[str, ...]
    end: str
    size: str
    latency: str


def frame_of(given: Any) -> Data:
    """Rows of scikit-learn as a frame with names, in random order."""
    X, y = given
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X[order], y[order]
    return pd.DataFrame(X, columns=[f"x{place}" for place in range(X.shape[1])]), y


def mixed() -> Data:
    """Numbers with gaps, and a category."""
    draws = np.random.default_rng(0)
    rows = pd.DataFrame({"age": draws.integers(18, 80, 900).astype(float), "income": draws.lognormal(10, 0.5, 900)})
    rows["city"] = draws.choice(["Oslo", "Rome", "Bonn", "Bern"], 900)
    return rows, ((rows["age"] > 45) ^ (rows["city"] == "Rome") ^ (rows["income"] > 40_000)).astype(int).to_numpy()


TEN = (
    Case("breast cancer", lambda: frame_of(load_breast_cancer(return_X_y=True)), ("tree", "boosting"), "onnx", "8kB", "1.6x"),
    Case("breast cancer", lambda: frame_of(load_breast_cancer(return_X_y=True)), ("logistic", "mlp"), "c", "32kB", "2us"),
    Case("circles", lambda: frame_of(make_circles(900, noise=0.1, factor=0.6, random_state=0)), ("tree", "mlp"), "py", "8kB", "20us"),
    Case("digits", lambda: frame_of(load_digits(return_X_y=True)), ("tree", "logistic"), "c", "32kB", "2us"),
    Case("digits", lambda: frame_of(load_digits(return_X_y=True)), ("mlp", "boosting"), "onnx", "64kB", "2x"),
    Case("diabetes", lambda: frame_of(load_diabetes(return_X_y=True)), ("tree", "linear"), "py", "8kB", "10us"),
    Case("friedman", lambda: frame_of(make_friedman1(900, noise=1.0, random_state=0)), ("tree", "boosting"), "c", "64kB", "1us"),
    Case("moons", lambda: frame_of(make_moons(900, noise=0.3, random_state=0)), ("boosting",), "onnx", "32kB", "2x"),
    Case("mixed columns", mixed, ("tree", "logistic"), "py", "16kB", "30us"),
    Case(
        "three classes",
        lambda: frame_of(make_classification(900, 8, n_informative=6, n_classes=3, random_state=0)),
        ("tree", "mlp"),
        "c",
        "16kB",
        "0.5us",
    ),
)


def teacher_of(rows: pd.DataFrame, truth: Any) -> Any:
    """A forest of the rows."""
    forest = (RandomForestRegressor if truth.dtype.kind == "f" else RandomForestClassifier)(50, min_samples_leaf=2, random_state=0)
    texts = [name for name in rows if rows[name].dtype == object or str(rows[name].dtype).startswith("str")]
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), texts), remainder="passthrough")
    return make_pipeline(columns, forest).fit(rows, truth) if texts else forest.fit(rows, truth)


def latency_of(case: Case, rows: pd.DataFrame, truth: Any) -> str:
    """The limit of the latency; multiples are of what a tree of two leaves takes in a file of the same kind."""
    if not case.latency.endswith("x"):
        return case.latency
    stump = tl.SoftTree(max_leaf_nodes=2).fit(rows, truth)
    least = shipped_file(stump, case.end, check_on=rows).latency(seconds=1.0)
    return f"{float(case.latency[:-1]) * least.p50_us:.1f}us"


def measured_again(run: Path, rows: Path, end: str) -> tuple[int, float]:
    """Bytes of the file, and the upper end of the interval of its latency in microseconds, measured by a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "tutelage", "bench", str(run), "--data", str(rows), "--to", end, "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    (file,) = [one for one in json.loads(ran.stdout)["contenders"] if one["name"].endswith(f".{end}")]
    return file["size_bytes"], (file["alone"]["ci95_us"] or [0, file["alone"]["p50_us"]])[1]


def row_of(case: Case, folder: Path, *, trials: int) -> tuple[str, bool]:
    """One line of the table, and whether the limits are met again."""
    rows, truth = case.data()
    latency_limit = latency_of(case, rows, truth)
    limits = tl.Limits(size=case.size, latency=latency_limit)
    half = len(rows) // 2
    teacher = teacher_of(rows[:half], truth[:half])
    given = rows[half:].reset_index(drop=True)
    given.to_parquet(folder / "rows.parquet")
    settings: dict[str, Any] = {"students": list(case.students), "trials": trials, "seeds": 2, "export": case.end, "into": folder / "run"}
    found = tl.distill(teacher, given, truth[half:], limits=limits, **settings)
    chosen = found.chosen
    first = chosen.latency.ci95_us[1] if chosen.latency is not None and chosen.latency.ci95_us is not None else float("nan")
    size, latency = measured_again(folder / "run", folder / "rows.parquet", case.end)
    met = limits.excess(size=size, latency=latency, drop=None)
    said = "yes" if all(value <= 0 for value in met.values()) else "no"
    fitting = sum(not trial.get("excess") or max(trial["excess"].values()) <= 0 for trial in found.front)
    cells = (
        case.name,
        f"{chosen.student} of {', '.join(case.students)}",
        case.end,
        f"{case.size}, {latency_limit}",
        f"{fitting} of {len(found.front)}",
        f"{chosen.size_bytes:,} B, {first:.2f} µs",
        f"{size:,} B, {latency:.2f} µs",
        said,
    )
    return f"| {' | '.join(cells)} |", said == "yes"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--trials", type=int, default=12)
    options.add_argument("--only", type=int, nargs="*", help="numbers of the distillations, from 0; all by default")
    given = options.parse_args()
    warnings.simplefilter("ignore")
    print("| data | student | file | limits | trials of the front within them | first measured (upper end) | again | met |")
    print("|---|---|---|---|---|---|---|---|")
    met = []
    for case in TEN if given.only is None else [TEN[number] for number in given.only]:
        with tempfile.TemporaryDirectory() as folder:
            line, one = row_of(case, Path(folder), trials=given.trials)
        met.append(one)
        print(line, flush=True)
    print(f"\nMet again: {sum(met)} of {len(met)}.")


if __name__ == "__main__":
    main()
