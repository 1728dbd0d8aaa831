"""`tutelage distill` on six real data sets, one command each with its default settings: the table of verdicts and the time taken.

The teacher learns from the training rows, and the command is given these rows with their ground truth, and test rows in a file of their
own: the official ones, or a fifth of the rows. With --unseen, half of the test rows are given to validate on, as the teacher
has learnt from the training rows.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from real_data import PROBLEMS, Problem
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from tutelage import TorchStudent, load_fashion_mnist, save_student
from tutelage.core.arrays import Floats
from tutelage.students.columns import with_columns

TRUTH, TEXT = "truth", "text"


def fashion_mnist() -> Problem:
    """70 000 pictures of clothes as 784 pixels, in the official split."""
    data = load_fashion_mnist()
    pixels = np.concatenate([data.train_images, data.test_images])
    truth = np.concatenate([data.train_labels, data.test_labels])
    return Problem("Fashion-MNIST", pd.DataFrame(pixels, columns=[f"p{place}" for place in range(784)]), truth, "classification", 10_000)


DATA_SETS: dict[str, Callable[[], Problem]] = {
    **{name: PROBLEMS[name] for name in ("credit", "churn", "caravan", "diamonds", "newsgroups")},
    "fashion_mnist": fashion_mnist,
}


@dataclass(frozen=True)
class Files:
    """What the command is given."""

    teacher: Path
    train: Path
    test: Path
    options: tuple[str, ...]


def write_files(problem: Problem, folder: Path, *, rows: int | None, unseen: bool = False) -> Files:
    """Write the training and test rows, and rows to validate on if asked for, and the teacher that learnt from the training rows."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = isinstance(problem.rows, list)
    table = pd.DataFrame({TEXT: problem.rows}) if texts else problem.rows.copy()
    table[TRUTH] = problem.truth
    if problem.test:
        train, test = table.iloc[: -problem.test], table.iloc[-problem.test :]
    else:
        stratify = problem.truth if problem.task == "classification" else None
        train, test = train_test_split(table, test_size=0.2, random_state=0, stratify=stratify)
    if rows is not None:
        train, test = train.sample(min(rows, len(train)), random_state=0), test.sample(min(rows, len(test)), random_state=0)
    options = ("--text", TEXT) if texts else ()
    if unseen:
        stratify = test[TRUTH] if problem.task == "classification" else None
        validation, test = train_test_split(test, test_size=0.5, random_state=0, stratify=stratify)
        validation.reset_index(drop=True).to_parquet(folder / "validation.parquet")
        options = (*options, "--validation", str(folder / "validation.parquet"))
    teacher = folder / ("teacher.onnx" if "p783" in table else "teacher.pkl")
    files = Files(teacher, folder / "train.parquet", folder / "test.parquet", options)
    train.reset_index(drop=True).to_parquet(files.train)
    test.reset_index(drop=True).to_parquet(files.test)
    features = train[TEXT].tolist() if texts else train.drop(columns=TRUTH)
    if not files.teacher.exists():
        _write_teacher(files.teacher, features, train[TRUTH].to_numpy(), problem.task)
    return files


def _write_teacher(path: Path, rows: Any, truth: Floats, task: str) -> None:
    if path.suffix == ".onnx":
        return _write_network(path, rows.to_numpy(np.float32), truth)
    if isinstance(rows, list):
        model: Any = make_pipeline(
            TfidfVectorizer(sublinear_tf=True, min_df=2, dtype=np.float32), CalibratedClassifierCV(LinearSVC(), cv=4, ensemble=False)
        )
    else:
        boosting = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
        model = with_columns(boosting(learning_rate=0.05, max_iter=500, early_stopping=True, random_state=0), rows, scaled=False)
    path.write_bytes(pickle.dumps(model.fit(rows, truth)))
    return None


def _write_network(path: Path, pixels: Floats, truth: Floats) -> None:
    """A convolutional network."""
    import torch
    from torch import nn

    from tutelage import export

    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Unflatten(1, (1, 28, 28))]
    for inputs, outputs in ((1, 32), (32, 64)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 49, 128), nn.ReLU(), nn.Linear(128, 10))
    student = TorchStudent(network, classes=range(10)).fit(pixels, y=truth, epochs=6, batch_size=128, validation=0.05, seed=0)
    save_student(student, path.with_suffix(".safetensors"))
    export(student, path, check_on=pixels[:200])


def distil(files: Files, out: Path, options: list[str]) -> tuple[float, float, dict[str, Any]]:
    """Run the command: seconds, the most memory in GB, and results.json."""
    command = [sys.executable, "-m", "tutelage", "distill", str(files.teacher), "--data", str(files.train), "--test", str(files.test)]
    command += ["--truth", TRUTH, "--out", str(out), *files.options, *options]
    if files.teacher.suffix == ".pkl":
        command.append("--trust")
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise SystemExit(f"The command ended with {os.waitstatus_to_exitcode(status)}: {' '.join(command)}")
    return seconds, used.ru_maxrss / 1e6, json.loads((out / "results.json").read_text(encoding="utf-8"))


def row_of(name: str, seconds: float, memory: float, found: dict[str, Any]) -> str:
    """One row of the table."""
    arms = {arm["name"]: arm for arm in found["arms"]}
    metric = found["metric"]
    means = {arm: float(np.mean(values["test"][metric])) for arm, values in arms.items()}
    against = next(one for one in found["comparisons"] if one["b"] == "labels")
    low, high = against["ci95"]
    best = against["a"]
    cells = [name, metric, *(f"{means[arm]:.4f}" for arm in ("teacher", "labels", best)), best, arms[best]["student"]]
    cells += [f"{against['difference']:+.4f} ({low:+.4f} to {high:+.4f})", against["verdict"], f"{seconds:.0f}", f"{memory:.1f}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Run the commands, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(DATA_SETS), choices=DATA_SETS, metavar="NAME", help=", ".join(DATA_SETS))
    parser.add_argument("--into", type=Path, required=True, help="folder for teachers, rows and runs")
    parser.add_argument("--rows", type=int, help="training rows at most, for a quick look; by default all")
    parser.add_argument("--unseen", action="store_true", help="validate on half of the test rows, which the teacher has not seen")
    parser.add_argument("--options", default="", help="further options of the command, in one argument")
    given = parser.parse_args()
    table = []
    for name in given.names:
        folder = given.into / (f"{name}-unseen" if given.unseen else name)
        files = write_files(DATA_SETS[name](), folder, rows=given.rows, unseen=given.unseen)
        print(f"{name}: teacher and rows are written.", flush=True)
        seconds, memory, found = distil(files, folder / "run", given.options.split())
        table.append(row_of(name, seconds, memory, found))
        print(f"{found['answer']}\n{json.dumps(found['seconds'])}\n{table[-1]}", flush=True)
    head = "| data | metric | teacher | labels only | best of the teacher | arm | student | difference | verdict | seconds | GB |"
    print("\n".join(["", head, "|" + " --- |" * 11, *table]))


if __name__ == "__main__":
    main()
