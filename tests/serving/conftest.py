"""A student of a mixed table in a folder, as `train` and `export` write it, and one server that the tests of connections share."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import skops.io
from filelock import FileLock
from loan_rows import as_json_rows, loans
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import tutelage as tl
from tutelage.cli import main
from tutelage.students.saved.save_load import load_student
from tutelage.workflow.reference import write_reference


@dataclass(frozen=True)
class Table:
    """A folder with a student, its teacher and rows that neither has seen."""

    folder: Path

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def test(self) -> Path:
        return self.folder / "test.csv"

    @property
    def rows(self) -> list[dict]:
        return as_json_rows(loans(60, seed=2).drop(columns="paid"))


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "loans"
    found = Table(place)
    with FileLock(place.with_suffix(".lock")):
        if not (found.run / "reference.json").exists():
            _make(found)
    return found


def _make(table: Table) -> None:
    table.folder.mkdir()
    frame = loans(400, seed=1)
    data, teacher, labels = (str(table.folder / name) for name in ("rows.csv", "teacher.skops", "labels"))
    frame.to_csv(data, index=False)
    loans(60, seed=2).to_csv(table.test, index=False)
    columns = make_column_transformer(("passthrough", ["age"]), (OneHotEncoder(handle_unknown="ignore"), ["purpose of it", "owner"]))
    fitted = make_pipeline(columns, LogisticRegression(max_iter=2000)).fit(frame.drop(columns="paid"), frame["paid"])
    skops.io.dump(fitted, teacher)
    rows = ["--data", data, "--truth", "paid"]
    assert main(["record", teacher, *rows, "--into", labels]) == 0
    trained = ["train", "logistic", "--labels", labels, *rows, "--out", str(table.run)]
    assert main(trained) == 0
    assert main(["export", str(table.run), str(table.run / "student.onnx")]) == 0
    write_reference(table.run, load_student(table.run), frame.drop(columns="paid"))


@pytest.fixture(scope="session")
def teacher(table):
    return tl.open_teacher(str(table.folder / "teacher.skops"))


@pytest.fixture(scope="session")
def cascade(table, teacher, tmp_path_factory):
    """The folder of a student's file with a threshold."""
    frame = loans(2000, seed=4)
    rows = frame.drop(columns="paid")
    calibrated = tl.Cascade(tl.load_student(table.run), teacher, target=0.95, against="truth", over="student").fit(rows, frame["paid"])
    assert 0.2 < calibrated.guarantee_.coverage < 0.99
    folder = tmp_path_factory.mktemp("cascade")
    tl.export(calibrated, folder / "student.onnx", check_on=rows[:200])
    return folder


_SERVER = """
import sys
from tutelage.serving.app import create_app
from tutelage.serving.protocol import ConnectionLimits
from tutelage.serving.server import listen, run
from tutelage.serving.settings import Settings

listening = listen("127.0.0.1", 0)
app = create_app(sys.argv[1], settings=Settings(token=None, queue=64, max_rows=64, max_batch=16, max_body=50_000))
limits = ConnectionLimits(connections=100, arrival_s=1.0, idle_s=5, reading_s=1.0)
run(app, listening, limits=limits, ready=lambda: print(listening.getsockname()[1], flush=True))
"""


@dataclass(frozen=True)
class Server:
    """A server in a process of its own."""

    process: subprocess.Popen
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def metric(self, name: str) -> float:
        """The value of a line of /metrics."""
        text = httpx2.get(f"{self.address}/metrics").text
        return float(next(line for line in text.splitlines() if line.startswith(f"{name} ")).split()[-1])

    def memory(self) -> int:
        """Resident bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """End it; its status and what it wrote to standard error."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=40)
        return self.process.returncode, errors


@pytest.fixture(scope="session")
def server(table: Table) -> Iterator[Server]:
    """One server with narrow limits: 100 connections, 1 second for a request to arrive, 64 rows in the queue."""
    command = [sys.executable, "-c", _SERVER, str(table.run)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    port = process.stdout.readline()
    if not port:
        pytest.fail(process.stderr.read())
    found = Server(process, int(port))
    yield found
    status, errors = found.stop()
    assert (status, errors) == (0, "")


def start(*options: str) -> tuple[Server, float]:
    """Start `tutelage serve` on a free port, and the seconds until /health answered."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "tutelage", "serve", "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        address = re.search(r"http://[\w.:\[\]]+:(\d+),", line)
        if address:
            found = Server(process, int(address[1]))
            assert httpx2.get(f"{found.address}/health").json()["status"] == "ready"
            return found, time.perf_counter() - began
    pytest.fail(f"no server: {process.wait()}")
    return None


@pytest.fixture(scope="session")
def started():
    """The function that starts `tutelage serve`."""
    return start
