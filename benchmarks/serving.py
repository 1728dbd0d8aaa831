"""Requests per second of `tutelage serve` compared with bare handlers of the same framework, batching on and off, and an overload.

Needs wrk (Debian: wrk). All servers run the same file with the same uvicorn, and have their turns one after the other.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

import tutelage as tl

COLUMNS = 20

BARE = """
import sys
import numpy as np, onnxruntime, uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import create_model

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
dtype = np.float32 if session.get_inputs()[0].type == "tensor(float)" else np.float64
names = [f"x{place}" for place in range(int(sys.argv[3]))]
Row = create_model("Row", **{name: (float | None, ...) for name in names})
Rows = create_model("Rows", rows=(list[Row], ...))
app = FastAPI()

def answers(rows, cell):
    X = np.array([[cell(row, name) for name in names] for row in rows], dtype=dtype)
    labels, probabilities = session.run(["label", "probabilities"], {"inputs": X})
    return [
        {"prediction": label, "probabilities": {"0": p[0], "1": p[1], "2": p[2]}, "confidence": max(p), "answered_by": "student"}
        for label, p in zip(labels.tolist(), probabilities.tolist())
    ]

if sys.argv[4] == "models":

    @app.post("/v1/answer")
    async def one(row: Row):
        return answers([row], getattr)[0]

    @app.post("/v1/answers")
    async def several(body: Rows):
        return {"answers": answers(body.rows, getattr)}
else:

    @app.post("/v1/answer")
    async def one(request: Request):
        return JSONResponse(answers([await request.json()], dict.get)[0])

    @app.post("/v1/answers")
    async def several(request: Request):
        return JSONResponse({"answers": answers((await request.json())["rows"], dict.get)})

@app.get("/health")
async def health():
    return {}

uvicorn.run(app, port=int(sys.argv[2]), http="httptools", access_log=False, log_level="error")
"""

LUA = """
wrk.method = "POST"
wrk.body = [==[%s]==]
wrk.headers["content-type"] = "application/json"
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args) refused = 0; failed = 0 end
function response(status)
  if status == 503 then refused = refused + 1 elseif status ~= 200 then failed = failed + 1 end
end
function done(summary, latency)
  local refused, failed = 0, 0
  for _, thread in ipairs(threads) do refused = refused + thread:get("refused"); failed = failed + thread:get("failed") end
  local e = summary.errors
  io.write(string.format("RESULT %%d %%d %%d %%d %%d %%d %%d\\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), refused, failed, e.connect + e.read + e.write + e.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """What wrk saw.

    Attributes:
        requests: that were answered.
        seconds: of the run.
        p50_us, p99_us: latency.
        refused: responses of 503.
        failed: responses of another status than 200 and 503.
        errors: connections that failed, and requests without a response.
        processor_s: seconds of the processor that the server took.
    """

    requests: int
    seconds: float
    p50_us: int
    p99_us: int
    refused: int
    failed: int
    errors: int
    processor_s: float

    @property
    def work_us(self) -> float:
        """Microseconds of the processor for a request."""
        return 1e6 * self.processor_s / self.requests

    @property
    def per_second(self) -> float:
        return (self.requests - self.refused - self.failed) / self.seconds


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def server(*command: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server, once it is ready."""
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                httpx2.get(f"http://127.0.0.1:{port}/health")
                break
            except httpx2.HTTPError:
                time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait()


@contextmanager
def ours(file: Path, *options: str) -> Iterator[tuple[int, int]]:
    """`tutelage serve`: its port and its process."""
    port = free_port()
    with server(sys.executable, "-m", "tutelage", "serve", str(file), "--port", str(port), *options, port=port) as process:
        yield port, process.pid


@contextmanager
def bare(file: Path, rows: str) -> Iterator[tuple[int, int]]:
    """A handler as one would write it; its rows are "models" of pydantic, or "unchecked"."""
    port = free_port()
    with server(sys.executable, "-c", BARE, str(file), str(port), str(COLUMNS), rows, port=port) as process:
        yield port, process.pid


def processor_s(pid: int) -> float:
    """Processor time of a process so far."""
    user, system = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def load(port: int, path: str, body: Any, *, connections: int, seconds: int, pid: int) -> Load:
    """Requests of one body for some seconds, to the server of a process."""
    before = processor_s(pid)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(LUA % json.dumps(body))
        script.flush()
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds}s",
            "--timeout",
            "30s",
            "-s",
            script.name,
            f"http://127.0.0.1:{port}{path}",
        ]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = [int(number) for number in re.search(r"RESULT (.*)", printed)[1].split()]  # type: ignore[index]
    return Load(found[0], found[1] / 1e6, *found[2:], processor_s(pid) - before)


def memory(pid: int) -> float:
    """Resident megabytes of a process."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024  # type: ignore[index]


def students(folder: Path) -> Iterator[tuple[str, Path, Any]]:
    """A tree and a network with a slow answer, with a row of each."""
    import pandas as pd
    from sklearn.neural_network import MLPClassifier

    random = np.random.default_rng(0)
    rows = pd.DataFrame(random.normal(size=(3000, COLUMNS)), columns=[f"x{place}" for place in range(COLUMNS)])
    labels = (rows.to_numpy()[:, :3] + random.normal(size=(3000, 3))).argmax(axis=1)
    tree = tl.SoftTree(max_leaf_nodes=64).fit(rows, labels)
    network = MLPClassifier((1024, 1024), max_iter=2, random_state=0).fit(rows, labels)
    for name, student in (("tree of 64 leaves", tree), ("network 20-1024-1024-3", network)):
        path = folder / f"{name.split()[0]}.onnx"
        tl.export(student, path, check_on=rows)
        yield name, path, rows.iloc[0].round(6).to_dict()


def compared(name: str, file: Path, row: Any, *, rounds: int, seconds: int) -> None:
    """Requests per second, and processor time a request, of ours and of two bare handlers, in turns."""
    for rows in (1, 16):
        path, body = ("/v1/answer", row) if rows == 1 else ("/v1/answers", {"rows": [row] * rows})
        for connections in (1, 64):
            with ours(file) as us, bare(file, "models") as models, bare(file, "unchecked") as unchecked:
                servers = {"ours": us, "models": models, "unchecked": unchecked}
                found = in_turns(servers, path, body, connections=connections, rounds=rounds, seconds=seconds)
            print(f"{name}, {rows} row(s) a request, {connections} connection(s):", flush=True)
            show(found, "ours")


def in_turns(
    servers: dict[str, tuple[int, int]], path: str, body: Any, *, connections: int, rounds: int, seconds: int
) -> dict[str, list[Load]]:
    """Rounds in which each server has its turn, in another order each time."""
    found: dict[str, list[Load]] = {name: [] for name in servers}
    names = list(servers)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            port, pid = servers[name]
            found[name].append(load(port, path, body, connections=connections, seconds=seconds, pid=pid))
    assert all(one.failed == one.errors == 0 for loads in found.values() for one in loads)
    return found


def show(found: dict[str, list[Load]], first: str) -> None:
    """Each server, and the ratios of the first to it: of requests per second, and of processor time (above 1 the first needs less)."""
    for name, loads in found.items():
        rates = sorted(a.per_second / b.per_second for a, b in zip(found[first], loads, strict=True))
        work = statistics.median(b.work_us / a.work_us for a, b in zip(found[first], loads, strict=True))
        against = (
            ""
            if name == first
            else f"; ratio {statistics.median(rates):.2f} ({rates[0]:.2f} to {rates[-1]:.2f}), of processor time {work:.2f}"
        )
        rate, p99 = (statistics.median(getattr(one, figure) for one in loads) for figure in ("per_second", "p99_us"))
        spent = statistics.median(one.work_us for one in loads)
        print(
            f"  {name}: {rate:,.0f} requests a second, p99 {p99 / 1000:.1f} ms, {spent:.0f} us of the processor each{against}", flush=True
        )


def batching(name: str, file: Path, row: Any, *, rounds: int, seconds: int) -> None:
    """Batches of up to 64 against batches of one, and against waiting for others, at 64 connections with one row each."""
    with (
        ours(file, "--max-batch", "64") as on,
        ours(file, "--max-batch", "1") as off,
        ours(file, "--max-batch", "64", "--max-wait", "2ms") as waiting,
    ):
        servers = {"batches of 64": on, "no batches": off, "batches of 64, 2 ms wait": waiting}
        found = in_turns(servers, "/v1/answer", row, connections=64, rounds=rounds, seconds=seconds)
    print(f"{name}, 1 row a request, 64 connections:", flush=True)
    show(found, "batches of 64")


def overload(name: str, file: Path, row: Any, *, seconds: int) -> None:
    """Five times as many rows at once as the queue and a batch hold."""
    with ours(file, "--queue", "64", "--max-rows", "16", "--max-batch", "16") as (port, pid):
        load(port, "/v1/answers", {"rows": [row] * 16}, connections=4, seconds=2, pid=pid)
        before = memory(pid)
        found = load(port, "/v1/answers", {"rows": [row] * 16}, connections=25, seconds=seconds, pid=pid)
        after = memory(pid)
    print(
        f"{name}, overload for {seconds} s: {found.requests:,} responses, {found.refused:,} of them 503, {found.failed} others, "
        f"{found.errors} requests without a response; p99 {found.p99_us / 1000:.1f} ms; {before:.1f} MB before, {after:.1f} MB after",
        flush=True,
    )


def main(*, quick: bool) -> None:
    rounds, seconds = (2, 2) if quick else (5, 5)
    with tempfile.TemporaryDirectory() as folder:
        for name, file, row in students(Path(folder)):
            compared(name, file, row, rounds=rounds, seconds=seconds)
            batching(name, file, row, rounds=rounds, seconds=seconds)
            overload(name, file, row, seconds=5 if quick else 60)


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
