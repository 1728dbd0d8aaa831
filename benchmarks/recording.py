"""Throughput of recording compared with a bare loop over the same teacher, its memory by the number of rows, and bytes per stored entry."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from measure import Ratio, ratio

import tutelage as tl

BATCH = 1000


def cnn() -> tuple[Any, Any, Any]:
    """A small convolutional network on the 60 000 pictures of MNIST."""
    import torch
    from torch import nn

    pixels = tl.load_mnist().train_images.reshape(-1, 1, 28, 28).astype(np.float32) / 255
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(800, 10)
    ).eval()

    def bare() -> Any:
        with torch.no_grad():
            return torch.cat([network(batch) for batch in torch.from_numpy(pixels).split(BATCH)]).numpy()

    return tl.as_teacher(network, classes=range(10)), pixels, bare


def lightgbm() -> tuple[Any, Any, Any]:
    """100 boosted trees per class on 300 000 rows of 20 columns, 3 classes."""
    from lightgbm import LGBMClassifier

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300_000, 20))
    labels = (rows[:20_000, :3] + rng.normal(size=(20_000, 3))).argmax(axis=1)
    model = LGBMClassifier(n_estimators=100, n_jobs=2, verbose=-1).fit(rows[:20_000], labels)
    return (
        tl.as_teacher(model),
        rows,
        lambda: np.concatenate([model.predict_proba(rows[at : at + 65_536]) for at in range(0, len(rows), 65_536)]),
    )


def onnx() -> tuple[Any, Any, Any]:
    """A random forest of 100 trees as an ONNX file, 300 000 rows of 20 columns."""
    import onnxruntime
    from skl2onnx import to_onnx
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300_000, 20)).astype(np.float32)
    labels = (rows[:5000, :3] + rng.normal(size=(5000, 3))).argmax(axis=1)
    forest = RandomForestClassifier(100, max_depth=12, random_state=0).fit(rows[:5000], labels)
    path = Path(tempfile.mkdtemp()) / "forest.onnx"
    path.write_bytes(to_onnx(forest, rows[:1], options={"zipmap": False}).SerializeToString())
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return tl.as_teacher(path), rows, lambda: [session.run(None, {name: rows[at : at + 65_536]})[1] for at in range(0, len(rows), 65_536)]


TEACHERS = {"CNN on MNIST, 60 000 rows": cnn, "LightGBM, 300 000 rows": lightgbm, "forest in ONNX, 300 000 rows": onnx}


def throughput(rounds: int = 15) -> Iterator[tuple[str, Ratio]]:
    """Time of recording into a folder, divided by the time of a bare loop that holds the answers in memory."""
    for name, build in TEACHERS.items():
        teacher, rows, bare = build()
        folder = Path(tempfile.mkdtemp())

        def recorded(teacher: Any = teacher, rows: Any = rows, folder: Path = folder) -> None:
            shutil.rmtree(folder)
            tl.record(teacher, rows, folder)

        yield name, ratio(recorded, bare, rounds=rounds)
        shutil.rmtree(folder)


WIDE, TOP_K = 50_000, 32


def wide_teacher() -> tuple[Any, Any, Any]:
    """A network of 50 000 classes on 4 000 rows; the bare loop takes the 32 largest logits of each row, and its log-sum-exp."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, WIDE)).eval()
    rows = np.random.default_rng(0).normal(size=(4000, 64)).astype(np.float32)

    def bare() -> Any:
        with torch.no_grad():
            logits = (network(batch) for batch in torch.from_numpy(rows).split(BATCH))
            return [(*each.topk(TOP_K), each.logsumexp(dim=-1)) for each in logits]

    return tl.as_teacher(network, classes=range(WIDE)), rows, bare


def wide(rounds: int = 15) -> Ratio:
    """Time of recording the most probable classes in half precision, with the measured loss, divided by the time of a bare loop."""
    teacher, rows, bare = wide_teacher()
    folder = Path(tempfile.mkdtemp())

    def recorded() -> None:
        shutil.rmtree(folder)
        tl.record(teacher, rows, folder, top_k=TOP_K, dtype="float16")

    found = ratio(recorded, bare, rounds=rounds)
    shutil.rmtree(folder)
    return found


def bytes_per_entry(classes: int, top_k: int, rows: int = 1000) -> float:
    """Bytes of the shards of a recording for each stored class, of logits that no two tokens share."""
    rng = np.random.default_rng(0)
    inputs, weights = rng.normal(size=(rows, 32)).astype(np.float32), rng.normal(size=(32, classes)).astype(np.float32)
    teacher = tl.as_teacher(lambda given: np.asarray(given) @ weights, kind="logits", classes=range(classes), version="random")
    folder = Path(tempfile.mkdtemp())
    tl.record(teacher, inputs, folder, top_k=top_k, dtype="float16")
    found = sum(path.stat().st_size for path in folder.glob("*.parquet")) / (rows * top_k)
    shutil.rmtree(folder)
    return found


_WIDE_CHILD = """
import sys
import numpy as np
from tutelage import record
from tutelage.core.answers import of_classes

class Linear:
    form, fingerprint = of_classes("logits", range(50_000)), "linear"
    weights = np.random.default_rng(0).normal(size=(10, 50_000)).astype("float32")
    def answer(self, rows):
        return np.asarray(rows, dtype="float32") @ self.weights

record(Linear(), np.random.default_rng(0).normal(size=(int(sys.argv[1]), 10)), sys.argv[2], top_k=32, dtype="float16")
print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))
"""


def wide_peak_megabytes(rows: int) -> float:
    """Peak resident memory of a process that records the 32 most probable of 50 000 classes."""
    folder = Path(tempfile.mkdtemp())
    command = [sys.executable, "-c", _WIDE_CHILD, str(rows), str(folder / "labels")]
    kilobytes = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    shutil.rmtree(folder)
    return int(kilobytes) / 1024


_CHILD = """
import sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from tutelage import record
from tutelage.core.answers import of_classes

class Linear:
    form, fingerprint, weights = of_classes("logits", range(10)), "linear", np.random.default_rng(0).normal(size=(10, 10)).astype("float32")
    def answer(self, rows):
        return np.asarray(rows, dtype="float32") @ self.weights

record(Linear(), sys.argv[1], sys.argv[2])
# getrusage's maximum cannot be used, because a child inherits it from a larger parent.
print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))
"""


def peak_megabytes(rows: int) -> float:
    """Peak resident memory of a process that records answers of 10 classes to this number of rows of 10 columns from Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = Path(tempfile.mkdtemp())
    rng = np.random.default_rng(0)
    schema = pa.schema([(f"x{column}", pa.float32()) for column in range(10)])
    with pq.ParquetWriter(folder / "rows.parquet", schema) as writer:
        for start in range(0, rows, 100_000):
            part = rng.normal(size=(min(100_000, rows - start), 10)).astype(np.float32)
            writer.write_table(pa.table({f"x{column}": part[:, column] for column in range(10)}))
    command = [sys.executable, "-c", _CHILD, str(folder / "rows.parquet"), str(folder / "labels")]
    kilobytes = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    shutil.rmtree(folder)
    return int(kilobytes) / 1024


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    for name, found in throughput(rounds=3 if quick else 15):
        print(f"{name}: {found}; throughput {100 / found.median:.1f} % of a bare loop", flush=True)
    print(f"top 32 of 50 000 classes, 4 000 rows: {wide(rounds=3 if quick else 15)}", flush=True)
    for rows in (2_000, 4_000) if quick else (5_000, 20_000):
        print(f"{rows:,} rows of 50 000 classes: {wide_peak_megabytes(rows):.0f} MB", flush=True)
    for classes, top_k in ((50_257, 32), (50_257, 50), (151_936, 32), (151_936, 50)):
        print(f"{top_k} of {classes:,} classes: {bytes_per_entry(classes, top_k):.2f} bytes an entry", flush=True)
    for rows in (100_000, 1_000_000) if quick else (1_000_000, 10_000_000):
        print(f"{rows:,} rows: {peak_megabytes(rows):.0f} MB", flush=True)
