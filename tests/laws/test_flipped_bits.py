"""One flipped bit in any file that is stored: noticed in one of our errors, or the same answers."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from tutelage.core.errors import TutelageError
from tutelage.core.records import dumps
from tutelage.core.running.stages import Stages
from tutelage.core.stored.checksums import with_checksum
from tutelage.data.table_file import TableFile
from tutelage.evaluation.evaluate import evaluate
from tutelage.evaluation.evaluation import Evaluation
from tutelage.experiments.cache import Store
from tutelage.experiments.running import _results
from tutelage.exporters.export import export
from tutelage.report.records import SCHEMA
from tutelage.softlabels.folder import open_labels
from tutelage.softlabels.recording import record
from tutelage.softlabels.shards import MANIFEST, shard_path
from tutelage.students.saved.save_load import load_student, save_student
from tutelage.students.trees import SoftTree
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.files.open import open_teacher
from tutelage.training.student import TorchStudent
from tutelage.workflow.train import TrainingSpec, open_trained, train

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


@dataclass(frozen=True)
class Stored:
    """A file, and what it says."""

    path: Path
    says: Callable[[], Any]


def network() -> TorchStudent:
    return TorchStudent(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), classes=[0, 1])


def saved_network(folder: Path) -> Stored:
    path = save_student(network(), folder / "student")
    return Stored(path, lambda: load_student(path).predict_proba(X))


def saved_tree(folder: Path) -> Stored:
    path = save_student(SoftTree().fit(X, Y), folder / "student")
    return Stored(path, lambda: load_student(path).predict_proba(X))


def opened_tree(folder: Path) -> Stored:
    path = save_student(DecisionTreeClassifier(random_state=0).fit(X, Y), folder / "student")
    return Stored(path, lambda: open_teacher(str(path)).answer(X))


def skops_of_another_program(folder: Path) -> Stored:
    path = folder / "model.skops"
    skops.io.dump(DecisionTreeClassifier(random_state=0).fit(X, Y), path)
    return Stored(path, lambda: open_teacher(str(path)).answer(X))


def exported(folder: Path) -> Stored:
    path = folder / "student.onnx"
    export(SoftTree().fit(X, Y), path, check_on=X)
    return Stored(path, lambda: open_teacher(str(path)).answer(X))


def checkpoint(folder: Path) -> Stored:
    start = network().network.state_dict()

    def fitted() -> Any:
        student = network()
        student.network.load_state_dict(start)
        return student.fit(X, y=Y, epochs=1, seed=0, checkpoints=folder / "checkpoints").predict_proba(X)

    fitted()
    return Stored(folder / "checkpoints" / "training.safetensors", fitted)


def cache_entry(folder: Path) -> Stored:
    store = Store(folder)
    store.cached({"seed": 1}, lambda: {"answers": X})
    return Stored(next(folder.glob("*.safetensors")), lambda: store.cached({"seed": 1}, dict)["answers"])


def labels(folder: Path) -> Path:
    return record(as_teacher(SoftTree().fit(X, Y)), X, folder / "labels", shard_rows=20).path


def manifest(folder: Path) -> Stored:
    path = labels(folder)

    def says() -> Any:
        opened = open_labels(path)
        return np.append(opened.answer(X), [str(opened.to_json())])

    return Stored(path / MANIFEST, says)


def shard(folder: Path) -> Stored:
    path = labels(folder)
    return Stored(shard_path(path, 1), lambda: open_labels(path).answer(X))


def shard_of_an_unfinished_recording(folder: Path) -> Stored:
    path = labels(folder)
    teacher, whole = as_teacher(SoftTree().fit(X, Y)), {file: file.read_bytes() for file in path.iterdir()}
    (path / MANIFEST).unlink()

    def resumed() -> Any:
        finished = record(teacher, X, path, shard_rows=20)
        (path / MANIFEST).unlink()
        return np.append(finished.answer(X), [str(finished.cost)])

    assert len(whole) == 3
    return Stored(shard_path(path, 0), resumed)


def trained(folder: Path) -> Path:
    frame = pd.DataFrame(X.astype(float), columns=["a", "b", "c"]).assign(truth=Y)
    frame.to_csv(folder / "rows.csv", index=False)
    data = TableFile.open(folder / "rows.csv", truth=("truth",))
    answers = record(SoftTree().fit(frame[["a", "b", "c"]], Y), frame[["a", "b", "c"]], folder / "labels")
    train(TrainingSpec("tree"), answers, data, out=folder / "run", stages=Stages())
    return folder / "run"


def run_record(folder: Path) -> Stored:
    run = trained(folder)
    return Stored(run / "run.json", lambda: np.array([str(open_trained(run)[1])]))


def run_student(folder: Path) -> Stored:
    run = trained(folder)
    return Stored(run / "student.skops", lambda: open_trained(run)[0].predict_proba(X.astype(float)))


def results(folder: Path) -> Stored:
    plain = {"schema": SCHEMA, "recipe": "moons", "arms": [{"name": "tree", "seeds": [0, 1], "test_accuracy": [0.9, 0.91]}]}
    (folder / "results.json").write_text(dumps(with_checksum(plain)))
    return Stored(folder / "results.json", lambda: np.array([str(_results(folder))]))


def evaluation(folder: Path) -> Stored:
    path = folder / "evaluation.json"
    path.write_text(evaluate(SoftTree().fit(X, Y), None, X, Y, budget_seconds=None).dumps())

    def says() -> Any:
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:  # the user's own reading of a text that is not JSON
            return None
        return np.array([Evaluation.from_json(plain).dumps()])

    return Stored(path, says)


KINDS = [
    exported,
    saved_network,
    saved_tree,
    opened_tree,
    skops_of_another_program,
    checkpoint,
    cache_entry,
    manifest,
    shard,
    shard_of_an_unfinished_recording,
    run_record,
    run_student,
    results,
    evaluation,
]


@pytest.mark.parametrize(
    "flips", [pytest.param(60, id="few"), pytest.param(500, id="many", marks=[pytest.mark.slow, pytest.mark.exhaustive])]
)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_flipped_bit_is_noticed_or_changes_no_answer(kind, flips, tmp_path):
    stored = kind(tmp_path)
    files = {path: path.read_bytes() for path in stored.path.parent.rglob("*") if path.is_file()}
    whole, right, noticed = files[stored.path], stored.says(), 0
    rng = np.random.default_rng(flips)
    for _ in range(flips):
        place, bit = int(rng.integers(len(whole))), int(rng.integers(8))
        stored.path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        try:
            found = stored.says()
        except TutelageError:
            noticed += 1
        else:
            assert found is None or np.array_equal(found, right), (place, bit)
        for path, content in files.items():
            path.write_bytes(content)
    assert noticed > flips / 5, noticed
    shutil.rmtree(tmp_path)
