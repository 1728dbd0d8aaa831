"""An endpoint for tests, in a thread: it answers as a chat completion would, and misbehaves on request."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import tutelage as tl

KEY = "tk-test-5e7c1b0d9f"
CLASSES = ["spam", "ham"]
TEXTS = ["you win", "lunch at noon", "win a car", "see you"]
SPAM = [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
"""What `by_word` answers to them, as probabilities."""


def text_of(body: Mapping[str, Any]) -> str:
    """The text in the default prompt."""
    return body["messages"][-1]["content"].rpartition("Text:\n")[2]


def by_word(body: Mapping[str, Any]) -> str:
    """Texts with the word win are spam."""
    return "spam" if "win" in text_of(body) else "ham"


def completion(body: Mapping[str, Any], *said: Any, **changed: Any) -> dict[str, Any]:
    """A completion with these answers: texts, or choices as they are sent."""
    choices = [
        one
        if isinstance(one, dict)
        else {"index": place, "finish_reason": "stop", "message": {"role": "assistant", "content": one, "refusal": None}}
        for place, one in enumerate(said)
    ]
    usage = {"prompt_tokens": 40, "completion_tokens": 2 * len(said), "total_tokens": 40 + 2 * len(said)}
    whole = {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"], "choices": choices, "usage": usage}
    return {**whole, **changed}


def first_token(**top: float) -> dict[str, Any]:
    """A choice with log-probabilities of its first token."""
    tokens = [{"token": token, "logprob": logprob, "bytes": None} for token, logprob in top.items()]
    message = {"role": "assistant", "content": tokens[0]["token"]}
    return {
        "index": 0,
        "finish_reason": "length",
        "message": message,
        "logprobs": {"content": [{**tokens[0], "top_logprobs": tokens}], "refusal": None},
    }


@dataclass(frozen=True)
class Reply:
    """What is sent back.

    Attributes:
        body: the answer; a mapping is sent as JSON.
        status: of HTTP.
        headers: further ones.
        wait: seconds before it is sent.
        promised: bytes that the header promises beyond those that are sent, after which the connection is closed.
        drip: seconds between bytes.
    """

    body: Any = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    wait: float = 0.0
    promised: int = 0
    drip: float = 0.0


def failing(status: int, message: str = "no", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply({"error": {"message": message, "type": "error", "code": None}}, status, named)


@dataclass
class Endpoint:
    """A running endpoint.

    Attributes:
        answer: a request's body -> what is answered, once `script` is used up: a Reply, a completion, or the text of every choice.
        script: what the first requests are answered; None for `answer`.
        url: its address.
        bodies: those of the requests, as they came.
        keys: those of the requests.
        headers: names of the headers of the requests.
        billed: tokens of prompt and answers, of the requests that were answered at all.
    """

    answer: Callable[[Mapping[str, Any]], Any] = by_word
    script: list[Any] = field(default_factory=list)
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    headers: list[set[str]] = field(default_factory=list)
    billed: list[tuple[int, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    released: threading.Event = field(default_factory=threading.Event)
    at_once: int = 0
    most_at_once: int = 0

    @property
    def asked(self) -> Counter[str]:
        """How often each text was asked."""
        return Counter(map(text_of, self.bodies))

    def reply(self, body: dict[str, Any], key: str) -> Reply:
        with self.lock:
            self.bodies.append(body)
            self.keys.append(key)
            step = self.script.pop(0) if self.script else None
        found = step if step is not None else self.answer
        found = found(body) if callable(found) else found
        if isinstance(found, str):
            found = completion(body, *[found] * body.get("n", 1))
        reply = found if isinstance(found, Reply) else Reply(found)
        if reply.status == 200:
            with self.lock:
                self.billed.append((40, 2 * body.get("n", 1)))
        return reply


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are sent apart: the second would wait 40 ms for an acknowledgement

    def do_POST(self) -> None:
        endpoint: Endpoint = self.server.endpoint  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with endpoint.lock:
            endpoint.at_once += 1
            endpoint.most_at_once = max(endpoint.most_at_once, endpoint.at_once)
            endpoint.headers.append({name.lower() for name in self.headers})
        try:
            reply = endpoint.reply(body, self.headers.get("authorization", ""))
            endpoint.released.wait(reply.wait)
        finally:
            with endpoint.lock:
                endpoint.at_once -= 1
        data = (reply.body if isinstance(reply.body, str) else json.dumps(reply.body)).encode()
        try:
            self.send_response(reply.status)
            for name, value in {"content-type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(data) + reply.promised))
            self.end_headers()
            for start in range(0, len(data), 1 if reply.drip else len(data) or 1):
                self.wfile.write(data[start : start + (1 if reply.drip else len(data))])
                if reply.drip and endpoint.released.wait(reply.drip):
                    break
        except OSError:  # the client has gone
            self.close_connection = True
        if reply.promised or reply.drip:
            self.close_connection = True

    def log_message(self, *parts: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # with the usual five, the sixth of the connections made at once is tried again after a second

    def handle_error(self, *parts: object) -> None:
        pass


@contextmanager
def serving(answer: Callable[[Mapping[str, Any]], Any] = by_word, *script: Any) -> Iterator[Endpoint]:
    """An endpoint, until the block ends."""
    endpoint = Endpoint(answer, list(script))
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.endpoint = endpoint  # type: ignore[attr-defined]
        endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield endpoint
        finally:
            endpoint.released.set()
            server.shutdown()
            thread.join()


@dataclass
class Pauses:
    """The pauses between attempts, which are noted and not waited for."""

    seconds: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def asker(endpoint: Endpoint, *, pauses: Pauses | None = None, model: str = "m-1", classes: Any = None, **settings: Any) -> Any:
    """A teacher that asks the endpoint without waiting between attempts."""
    teacher = tl.teachers.chat(model, classes or CLASSES, endpoint=endpoint.url, **{"timeout": 10.0, **settings})
    return replace(teacher, connection=replace(teacher.connection, pause=pauses or Pauses()))


def in_a_loop(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a thread of its own: other tests may keep a loop in the main one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def wait_until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition, and fail if it does not come."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
