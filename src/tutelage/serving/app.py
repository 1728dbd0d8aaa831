"""The application: an exported student behind HTTP."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

from tutelage import __version__
from tutelage.core.arguments import path as checked_path
from tutelage.core.errors import BadInput, printable
from tutelage.serving import openapi
from tutelage.serving.answers import AnswersAsJson
from tutelage.serving.batching import Batcher, Busy, Failed, Gone, Thread
from tutelage.serving.drift import Drift
from tutelage.serving.metrics import GONE, Metrics
from tutelage.serving.model import Answered, ServedFile
from tutelage.serving.problems import Problem, busy
from tutelage.serving.row_format import Requests, ServedRows
from tutelage.serving.settings import Settings

if TYPE_CHECKING:
    from tutelage.serving.teacher import TeacherBeside

log = logging.getLogger("tutelage.serving")
START_S = 60.0
"""Seconds in which a teacher must answer a made row at the start, unless its time limit is longer."""
QUICK_S = 0.001
"""Seconds for which a student may keep the requests of others from being read; the code of a teacher may not."""
EXTENSION, IS_GONE = "tutelage.serving", "is_gone"
"""Where the extensions of a request hold what says whether its client has left, if the server knows."""
_PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}


def create_app(run: Path | str, *, teacher: Any = None, settings: Settings | None = None) -> FastAPI:
    """An application that answers rows with an exported student.

    `POST /v1/answer` takes one row as JSON, `POST /v1/answers` several; `/docs` shows how a row looks, with an example that runs, and
    `/openapi.json` says it to programs. `/health` says that the server is ready, `/metrics` what it does. `tutelage serve` runs it with
    limits on connections and times, which an application does not see.

    Args:
        run: the folder of a student, of which student.onnx is served, or an ONNX file that tutelage exported.
        teacher: answers the rows that the student is not sure of, if the file has a threshold; anything that `as_teacher` takes.
        settings: the limits.

    Raises:
        BadInput: no such file; or a teacher that the threshold was not found with. DamagedFile: the file has changed.
        MissingExtra: a package of the extra `serve` is not installed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from fastapi.testclient import TestClient
        >>> from sklearn.datasets import load_iris
        >>> import tutelage as tl
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> student = tl.SoftTree(max_leaf_nodes=4).fit(X, y.to_numpy())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = tl.export(student, Path(folder) / "student.onnx", check_on=X)
        ...     app = tl.serving.create_app(folder)
        >>> with TestClient(app) as client:
        ...     answer = client.post("/v1/answer", json=X.iloc[0].to_dict()).json()
        >>> answer["prediction"], answer["answered_by"]
        (0, 'student')
    """
    settings = Settings() if settings is None else settings
    service = _Service(checked_path("run", run), teacher, settings)
    app = FastAPI(
        title="tutelage",
        version=__version__,
        redirect_slashes=False,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=service.lifespan,
        routes=service.routes(),
    )
    app.openapi = lambda: service.document  # type: ignore[method-assign]
    app.add_exception_handler(Problem, _problem)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _http_problem)  # type: ignore[arg-type]
    app.add_middleware(_Door, token=settings.token, metrics=service.metrics)
    app.state.service = service
    return app


class _Late(Exception):
    """The teacher took too long."""


class _Service:
    """What answers requests."""

    def __init__(self, run: Path, teacher: Any, settings: Settings) -> None:
        self.settings = settings
        self.served = served = ServedFile.open(run, threads=settings.threads)
        self.requests = Requests(served.rows_as, max_rows=settings.max_rows)
        drift = Drift.open(served, self.requests.row(to_json(openapi.example_row(served.rows_as, None))))
        about = {"file": served.path.name, "sha256": served.sha256, "tutelage": __version__}
        self.metrics = Metrics(about, drift, classifies=served.form.task != "regression")
        self.student = self._batcher(served.answer, "student", quick_s=QUICK_S)
        example = openapi.example_row(served.rows_as, None if drift is None else drift.profile)
        rows = self.requests.row(to_json(example))
        beside = None if teacher is None else _beside(teacher, served, rows, self._start_s)
        self.teacher = None if beside is None else self._batcher(beside.answer, "teacher", quick_s=0)
        self.as_json = AnswersAsJson(served.form if beside is None else beside.form, defers=served.guarantee is not None)
        answered = served.answer(rows).widened(len(self.as_json.names))
        (answer,) = self.as_json(answered) if answered.finite().all() else (None,)
        outputs = answered.values.shape[1]
        self.document = openapi.document(served, self.requests, self.as_json, settings, example, answer, outputs=outputs)
        self._document = openapi.as_text(self.document)
        self._health = to_json({"status": "ready", **about})
        self._page = files("tutelage.serving").joinpath("page.html").read_bytes()

    @property
    def _start_s(self) -> float:
        """Seconds in which the teacher must answer its first row, which may load what it needs."""
        return max(START_S, self.settings.teacher_timeout)

    def _batcher(self, answer: Callable[[ServedRows], Answered], model: str, *, quick_s: float) -> Batcher:
        found: list[Batcher] = []
        observe = self.metrics.watch(model, lambda: found[0].waiting)
        limits = self.settings
        most = {"batch_rows": limits.max_batch, "queue_rows": limits.queue}
        found.append(Batcher(answer, **most, wait_s=limits.max_wait, quick_s=quick_s, observe=observe))
        return found[0]

    def routes(self) -> list[BaseRoute]:
        """What answers each path: bodies are parsed here, and described in the document, so that FastAPI need not."""
        return [
            Route(openapi.ONE, self.one, methods=["POST"]),
            Route(openapi.SEVERAL, self.several, methods=["POST"]),
            Route(openapi.HEALTH, self.health, methods=["GET"]),
            Route(openapi.METRICS, self.figures, methods=["GET"]),
            Route(openapi.DOCUMENT, self.openapi, methods=["GET"]),
            Route(openapi.PAGE, self.page, methods=["GET"]),
        ]

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Nothing to start; the threads end with the application."""
        yield
        for each in (self.student, self.teacher):
            if each is not None:
                each.close()

    async def one(self, request: Request) -> Response:
        rows = self._parsed(self.requests.row, await _body(request, self.settings.max_body))
        answered, problems = await self._answered(rows, request)
        if problems:
            raise problems[0]
        (answer,) = self.as_json(answered)
        return _json(answer)

    async def several(self, request: Request) -> Response:
        rows = self._parsed(self.requests.rows, await _body(request, self.settings.max_body))
        answered, problems = await self._answered(rows, request)
        return _json({"answers": self.as_json(answered, {place: problem.detail for place, problem in problems.items()})})

    async def health(self, request: Request) -> Response:
        return Response(self._health, media_type="application/json")

    async def figures(self, request: Request) -> Response:
        return Response(self.metrics.text(), headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"})

    async def openapi(self, request: Request) -> Response:
        return Response(self._document, media_type="application/json")

    async def page(self, request: Request) -> Response:
        return Response(self._page, media_type="text/html", headers=_PAGE_HEADERS)

    @staticmethod
    def _parsed(parse: Callable[[bytes], ServedRows], body: bytes) -> ServedRows:
        try:
            return parse(body)
        except BadInput as error:
            raise Problem(422, str(error)) from None

    async def _answered(self, rows: ServedRows, request: Request) -> tuple[Answered, dict[int, Problem]]:
        """The answers, and by their positions why rows have none of the teacher to which the student left them."""
        gone = request.scope.get("extensions", {}).get(EXTENSION, {}).get(IS_GONE)
        try:
            answered = await self.student.ask(rows, gone)
        except Busy:
            raise busy(f"the queue of {self.settings.queue:,} rows is full; send the rows again later.") from None
        except BadInput as error:
            raise Problem(422, str(error)) from None
        answered = answered.widened(len(self.as_json.names))
        problems: dict[int, Problem] = {}
        if self.teacher is not None and answered.deferred.any():
            answered, problems = await self._with_teacher(self.teacher, rows, answered, gone)
        finite = answered.finite()
        finite[list(problems)] = True
        if not finite.all():
            where = "the row" if len(rows) == 1 else f"row {int(finite.argmin())}"
            raise Problem(
                422,
                f"the student gives no answer to {where}: what it computes is not finite. Expected numbers like those it was trained on.",
            )
        self.metrics.answers(answered, unanswered=len(problems))
        return answered, problems

    async def _with_teacher(self, teacher: Batcher, rows: ServedRows, answered: Answered, gone: Any) -> tuple[Answered, dict[int, Problem]]:
        """The answers, of which the teacher gives the deferred ones, each for itself: a row that it does not answer spoils no other."""
        places = answered.deferred.nonzero()[0].tolist()
        asked = {place: asyncio.ensure_future(teacher.ask(rows[[place]], gone)) for place in places}
        try:
            await asyncio.wait(asked.values(), timeout=self.settings.teacher_timeout)
        finally:
            for task in asked.values():
                task.cancel()
        errors = {place: task.exception() if task.done() else _Late() for place, task in asked.items()}
        problems = {place: self._problem_of(error) for place, error in errors.items() if error is not None}
        for failed in {_name_of(errors[place]) for place, problem in problems.items() if problem.status == 502}:
            log.error("the teacher failed with %s", failed)
        return answered.completed({place: task.result() for place, task in asked.items() if errors[place] is None}), problems

    def _problem_of(self, error: BaseException) -> Problem:
        """Why the teacher did not answer a row.

        Raises:
            Gone: the client has left.
        """
        match error:
            case Gone():
                raise error
            case Busy():
                return busy(
                    f"the student is too unsure, and the teacher's queue of {self.settings.queue:,} rows is full; send it again later."
                )
            case BadInput(model_at_fault=False):
                return Problem(422, f"the student is too unsure, and the teacher does not take the row: {error}")
            case _Late():
                seconds = f"{self.settings.teacher_timeout:g}"
                return Problem(
                    504, f"the student is too unsure, and the teacher did not answer within {seconds} seconds; send it again later."
                )
        # the teacher's own code, whose message may quote cells
        return Problem(502, "the student is too unsure, and the teacher failed to answer; send it again later.")


def _name_of(error: BaseException | None) -> str:
    """The name of an error as the log says it; nothing of its message, which may quote cells."""
    return type(error.__cause__ if isinstance(error, Failed) else error).__name__


def _json(plain: Any) -> Response:
    return Response(to_json(plain, inf_nan_mode="null"), media_type="application/json")


def _beside(teacher: Any, served: ServedFile, example: ServedRows, seconds: float) -> TeacherBeside:
    """The teacher, once it has answered an example.

    Raises:
        BadInput: as `TeacherBeside`; or it does not answer within so many seconds.
    """
    from tutelage.serving.teacher import TeacherBeside
    from tutelage.teachers.adapt import as_teacher

    beside = TeacherBeside(as_teacher(teacher), served)
    tried: Future[None] = Future()

    def attempt() -> None:
        try:
            beside.try_on(example)
            tried.set_result(None)
        except BaseException as error:  # the code of a teacher raises anything, such as SystemExit
            tried.set_exception(error)

    thread = Thread()
    thread.submit(attempt)
    thread.submit(None)
    try:
        tried.result(timeout=seconds)
    except TimeoutError as error:
        raise BadInput(
            f"the teacher has not answered a made row within {seconds:g} seconds, and would keep every row that is left to it waiting. "
            "See why it hangs; or, if it only takes long, pass a longer teacher_timeout."
        ) from error
    return beside


async def _body(request: Request, most: int) -> bytes:
    """The body of a request.

    Raises:
        Problem: it is larger than `most` bytes.
    """
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > most:
        raise _too_large(most)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise _too_large(most)
        parts.append(part)
    return b"".join(parts)


def _too_large(most: int) -> Problem:
    return Problem(413, f"the body is larger than {most:,} bytes, which is the most that is read; send fewer rows at a time.")


async def _problem(request: Request, error: Problem) -> Response:
    return error.response()


async def _http_problem(request: Request, error: HTTPException) -> Response:
    """The problem of a path or a method that is not there."""
    path, method = request.url.path, request.method
    known = {404: f"there is nothing at {path}; {openapi.PAGE} says what there is.", 405: f"{path} does not take {method}."}
    return Problem(error.status_code, known.get(error.status_code, str(error.detail)), error.headers).response()


class _Door:
    """Checks the token, counts requests, and answers what nobody expected with one sentence, which the log explains."""

    def __init__(self, app: Any, *, token: str | None, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics
        self._token = (token or "").encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if self._token and scope["path"] not in openapi.OPEN and not self._may_enter(scope):
                refusal = Problem(
                    401, "the bearer token is missing or wrong; send Authorization: Bearer TOKEN.", {"www-authenticate": "Bearer"}
                )
                await refusal.response()(scope, receive, counted)
            else:
                await self.app(scope, receive, counted)
        except (ClientDisconnect, Gone):
            status = status or GONE
        except asyncio.CancelledError:
            self.metrics.cut_off += 1
            if not status:
                await busy("the server was told to stop, and had no answer in time; send the rows again later.").response()(
                    scope, receive, counted
                )
            raise
        except Exception as error:  # a bug, whose message may quote cells
            log.error(
                "%s %s failed with %s",
                scope["method"],
                printable(scope["path"]),
                type(error).__name__,
                exc_info=log.isEnabledFor(logging.DEBUG),
            )
            if not status:
                await Problem(500, "the server made a mistake, which its log names; the rows were not answered.").response()(
                    scope, receive, counted
                )
        finally:
            self._count(scope, status, time.perf_counter() - started)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        self.metrics.request(status, seconds)
        if log.isEnabledFor(logging.INFO):
            log.info("%s %s %d %.1f ms", scope["method"], printable(scope["path"]), status, 1000 * seconds)

    def _may_enter(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, token = (given[0] if len(given) == 1 else b"").partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)
