"""The server starts soon, says where it listens, and stops after it has answered what it accepted."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx2
import pytest
from fastapi.testclient import TestClient

from tutelage.core.errors import BadInput
from tutelage.serving.app import create_app
from tutelage.serving.server import allow_files, listen


@pytest.mark.exhaustive(every=2)
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_loses_no_request_that_was_accepted(number, started, table):
    server, seconds = started(str(table.run), "--max-batch", "8")
    assert seconds < 20  # alone on a machine below 2 s; the tests may share it
    body = json.dumps({"rows": table.rows[:20]}).encode()
    ask = b"POST /v1/answers HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    whole, cut, refused = [], [], []

    def client():
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            while True:
                received = b""
                try:
                    connection.sendall(ask)
                    while part := connection.recv(65536):
                        received += part
                        head, _, content = received.partition(b"\r\n\r\n")
                        length = next(
                            (int(line.split()[1]) for line in head.lower().splitlines() if line.startswith(b"content-length")), None
                        )
                        if length is not None and len(content) == length:
                            break
                except OSError:
                    part = b""
                if not part:
                    (cut if received else refused).append(received)
                    return
                whole.append(json.loads(content)["answers"])

    threads = [threading.Thread(target=client) for _ in range(16)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    status, errors = server.stop(number)
    for thread in threads:
        thread.join()
    assert status == 0, errors
    assert "stopped, after" in errors
    assert cut == []
    assert len(refused) == 16  # each client ends when its next request is not accepted
    assert len(whole) > 16
    assert all(len(answers) == 20 for answers in whole)
    counted = int(errors.split("after ")[1].split(" ")[0].replace(",", ""))
    assert counted == len(whole) + 1  # and /health


_HANGS = """
import sys, time
import tutelage as tl
from tutelage.serving import server
from tutelage.serving.app import create_app
from tutelage.serving.protocol import ConnectionLimits

server.STOP_S = 2
app = create_app(sys.argv[1], teacher=tl.open_teacher(sys.argv[2]))
app.state.service.teacher._answer = lambda rows: time.sleep(60)
listening = server.listen("127.0.0.1", 0)
server.run(app, listening, limits=ConnectionLimits(), ready=lambda: print(listening.getsockname()[1], flush=True))
print(app.state.service.metrics.requests, app.state.service.metrics.cut_off)
"""


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_teacher_that_hangs_does_not_keep_the_server_from_stopping(table, cascade):
    command = [sys.executable, "-c", _HANGS, str(cascade), str(table.folder / "teacher.skops")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    address = f"http://127.0.0.1:{int(process.stdout.readline())}"
    with TestClient(create_app(cascade)) as alone:
        row = next(row for row in table.rows if alone.post("/v1/answer", json=row).json()["deferred"])
    found = []
    client = threading.Thread(target=lambda: found.append(httpx2.post(f"{address}/v1/answer", json=row, timeout=20)))
    client.start()
    while "tutelage_deferred_total 1.0" not in httpx2.get(f"{address}/metrics").text:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    began = time.perf_counter()
    out, errors = process.communicate(timeout=20)
    assert time.perf_counter() - began < 2 + 1 + 5  # STOP_S, CLOSE_S, and a busy machine
    client.join()
    (answer,) = found
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["detail"] == "the server was told to stop, and had no answer in time; send the rows again later."
    assert (process.returncode, errors) == (0, "")
    assert out.split()[-1] == "1"


def test_an_address_that_cannot_be_had_is_named():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=rf"127\.0\.0\.1 port {port} cannot be listened to \(Address already in use\); choose another"):
            listen("127.0.0.1", port)
    with pytest.raises(BadInput, match="cannot be listened to"):
        listen("no.such.host.invalid", 80)


def test_more_connections_than_files_are_refused(monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 256))
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: None)
    with pytest.raises(BadInput, match="the system allows 256 open files, too few for 1,000 connections"):
        allow_files(1000)
    allow_files(100)
