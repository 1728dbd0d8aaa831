"""The server starts soon, says where it listens, and stops after it has answered what it accepted."""

import json
import signal
import socket
import threading
import time

import pytest

from tutelage.core.errors import BadInput
from tutelage.serving.server import allow_files, listen


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
