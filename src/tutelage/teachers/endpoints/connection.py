"""Where and how an endpoint is asked, and one request to it: an answer, or why there is none."""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tutelage.core.errors import BadInput, one_line, require
from tutelage.teachers.endpoints.completions import Completion, Malformed, completion_of
from tutelage.teachers.endpoints.keys import read_key
from tutelage.teachers.endpoints.rejections import REJECTIONS, is_filtered, is_too_long

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OPENAI = "https://api.openai.com/v1"
LONGEST_WAIT = 300.0
"""Seconds that an endpoint may ask to wait before the next attempt; it is not asked again if it wants more."""

GATEWAY_TIMEOUTS = (408, 504, 524)
"""Statuses by which a server in front of the model gives up; the model may have answered all the same."""


@dataclass(frozen=True)
class Connection:
    """Where and how an endpoint is asked.

    Attributes:
        endpoint: its address, such as "http://localhost:8000/v1".
        key_from: the variable of the environment that holds the key; None if the endpoint takes none.
        key_required: whether that variable must be set.
        concurrency: the most requests at a time.
        timeout: seconds until an answer must be there, however slowly it arrives.
        retries: further attempts after a failure that may pass.
        pause: waits some seconds before the next attempt.
    """

    endpoint: str
    key_from: str | None
    key_required: bool = False
    concurrency: int = 8
    timeout: float = 60.0
    retries: int = 8
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    @property
    def host(self) -> str:
        """The name of the machine, without its port, for messages. It does not identify an endpoint: a machine may have several."""
        return urlsplit(self.endpoint).hostname or ""

    def named(self, model: str) -> str:
        """A model at this endpoint, as stored answers name it: a hash of the address, whose path may be private."""
        return f"{model} at {hashlib.sha256(self.endpoint.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class Failure:
    """Why a request has no answer.

    Attributes:
        why: in words that follow the name of the endpoint.
        passing: whether another attempt may succeed.
        wait: seconds that the endpoint asks to wait; None if it does not say.
        paid: whether the tokens may have to be paid.
        status: the HTTP status; None if there was no response.
        rejected: whether the request was rejected for its prompt or its settings.
        filtered: whether a filter rejected the prompt.
        too_long: whether it was rejected for its length.
        brief: the status and the code of the error, without its message, which may quote the prompt.
    """

    why: str
    passing: bool
    wait: float | None = None
    paid: bool = False
    status: int | None = None
    rejected: bool = False
    filtered: bool = False
    too_long: bool = False
    brief: str = ""


def checked_endpoint(given: str) -> str:
    """The address of an endpoint, which holds no secret, written in one way: no capitals in its host, no usual port, no slash at its end.

    Example:
        >>> checked_endpoint("HTTPS://API.example:443/v1/")
        'https://api.example/v1'

    Raises:
        BadInput: no address, or one with a password or a query, which are not quoted.
    """
    try:
        parts = urlsplit(given)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise BadInput("endpoint holds a user, a password or a query, where a key would be stored; pass the address alone, and key_from=.")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput(
            "endpoint is no address (it is not shown, as it may be a key); expected an address such as 'http://localhost:8000/v1'."
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in (None, {"http": 80, "https": 443}[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


class Line:
    """An open connection to an endpoint, which sends one request at a time for each of its callers.

    Args:
        connection: where and how.

    Raises:
        BadInput: the key is missing, or can be none.
    """

    def __init__(self, connection: Connection) -> None:
        openai = require("openai")
        key, self._masked, self._without_key = read_key(connection.key_from, required=connection.key_required)
        local = connection.host in ("localhost", "::1") or connection.host.startswith("127.")
        # A redirect is not followed: the texts and the key go to the address that was named, and nowhere else.
        client = openai.DefaultAsyncHttpxClient(follow_redirects=False, trust_env=not local, timeout=connection.timeout)
        self._connection = connection
        # The client adds headers that the environment names, which may hold a key for another endpoint.
        lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").split("\n")
        headers: dict[str, Any] = {line.partition(":")[0].strip(): openai.Omit() for line in lines if ":" in line}
        headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
        self._client: AsyncOpenAI = openai.AsyncOpenAI(
            api_key=key,
            base_url=connection.endpoint,
            max_retries=0,
            timeout=connection.timeout,
            http_client=client,
            default_headers={**headers, "Authorization": f"Bearer {key}"},
        )
        if not connection.host.endswith(".openai.com"):
            self._client.organization = self._client.project = None

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()

    async def send(self, body: Mapping[str, Any]) -> Completion | Failure:
        """Send a request and wait for its answer.

        The errors of the library hold the request, with the key in its headers: none of them leaves this method, nor becomes the cause
        or the context of one that does.
        """
        import openai

        rest = {name: value for name, value in body.items() if name not in ("model", "messages")}
        try:
            async with asyncio.timeout(self._connection.timeout):
                raw = await self._client.chat.completions.with_raw_response.create(
                    model=body["model"], messages=body["messages"], extra_body=rest
                )
            return completion_of(self._without_key(raw.http_response.text))
        except (TimeoutError, openai.APITimeoutError):
            return Failure(f"did not answer within {self._connection.timeout:g} seconds", passing=True, paid=True)
        except openai.APIStatusError as error:
            return self._of_status(error)
        except openai.APIConnectionError as error:
            reached = type(error.__cause__).__name__ not in ("ConnectError", "ConnectTimeout", "PoolTimeout")
            why = "closed the connection before its answer was whole" if reached else "cannot be reached"
            return Failure(f"{why} ({self._quoted(error.__cause__ or error)})", passing=True, paid=reached)
        except Malformed as error:
            return Failure(f"sent what cannot be used: {self._quoted(error)}", passing=True, paid=True)
        except openai.OpenAIError as error:
            return Failure(f"cannot be asked ({self._quoted(error)})", passing=False)

    def _of_status(self, error: Any) -> Failure:
        status, headers = error.status_code, error.response.headers
        why = f"answers with status {status} ({self._quoted(error)})"
        if 300 <= status < 400:
            return Failure(f"redirects to another address (status {status}); pass that address as endpoint=", passing=False, status=status)
        said = headers.get("x-should-retry")
        passing = status in (408, 409, 425, 429) or status >= 500
        passing = said == "true" or (passing and said != "false" and error.code != "insufficient_quota")
        wait = seconds_to_wait(headers)
        if passing and wait is not None and wait > LONGEST_WAIT:
            return Failure(f"asks to wait {wait:,.0f} seconds (status {status}); run this again later", passing=False, status=status)
        rejected, filtered, too_long = status in REJECTIONS, is_filtered(status, error.body), is_too_long(status, error.body)
        code = f", {error.code}" if re.fullmatch(r"[\w.-]{1,40}", error.code or "") else ""
        brief = self._masked(f"status {status}{code}")
        return Failure(why, passing, wait, status in GATEWAY_TIMEOUTS, status, rejected, filtered, too_long, brief)

    def _quoted(self, error: BaseException) -> str:
        """The message of an error in one line, with the key masked before it is cut to length."""
        message = getattr(error, "body", None)
        message = message.get("message") if isinstance(message, dict) else None
        masked = self._masked(message if isinstance(message, str) and message else str(error) or type(error).__name__)
        return one_line(ValueError(masked))


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """The seconds that a response asks to wait: as a number, or until a date; None if it does not say.

    Example:
        >>> seconds_to_wait({"retry-after": "2"}), seconds_to_wait({"retry-after-ms": "250"}), seconds_to_wait({"retry-after": "soon"})
        (2.0, 0.25, None)
    """
    for name, scale in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers[name]) / scale
        except (KeyError, ValueError):
            continue
        return max(0.0, seconds) if not math.isnan(seconds) else None
    try:
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
