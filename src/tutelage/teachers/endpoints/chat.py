"""`chat`: a language model behind an OpenAI-compatible endpoint as a teacher."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from tutelage.core.answers import labels_of, of_classes
from tutelage.core.arguments import choice, flag, function, mapping, number, text, whole
from tutelage.core.arguments import path as checked_path
from tutelage.core.errors import BadInput, LabelMismatch, require_extras, shown
from tutelage.core.running.stages import Advance
from tutelage.teachers.endpoints.answer_store import AnswerStore
from tutelage.teachers.endpoints.chat_teacher import ChatTeacher, Sampling, nothing
from tutelage.teachers.endpoints.connection import OPENAI, Connection, checked_endpoint
from tutelage.teachers.endpoints.keys import DEFAULT_KEY, checked_variable
from tutelage.teachers.endpoints.prompts import BY_LABEL, ClassReader, Prompt, Template, of_first_token
from tutelage.teachers.endpoints.spending import budget_of, price_of

TOP_TOKENS = 20
"""The most tokens of which endpoints return log-probabilities."""
LIMITS = ("max_tokens", "max_completion_tokens")
"""What the limit of an answer is called; newer models of OpenAI take the second alone, most other servers know the first."""
_OWN = ("model", "messages", "n", "stream", "logprobs", "top_logprobs")


def chat(
    model: str,
    classes: Sequence[Any],
    *,
    endpoint: str | None = None,
    key_from: str | None = DEFAULT_KEY,
    prompt: Template | None = None,
    votes: int = 1,
    logprobs: bool = False,
    temperature: float | None = None,
    max_tokens: int | None = None,
    request: Mapping[str, Any] | None = None,
    price: tuple[float, float] | None = None,
    budget: float | str | None = None,
    cache: Path | str | None = None,
    refused: Literal["error", "uniform"] = "error",
    concurrency: int = 8,
    timeout: float = 60.0,
    retries: int = 8,
    advance: Advance = nothing,
) -> ChatTeacher:
    """A language model behind an OpenAI-compatible endpoint as a teacher that sorts texts into classes.

    Each text is put into a prompt that lists the classes, and the answer must name one of them, by its name or its number. With `votes` a
    text is answered several times, and the shares of the classes are its probabilities; with `logprobs` the probabilities of the first
    token are read. Answers are stored by the hash of their prompts: no text is asked twice, and with `cache` also not by another process,
    whenever this one ends.

    Args:
        model: the name of the model, as the endpoint knows it. One that answers as another model is refused; it may add a date.
        classes: the class names, in the order of the answers.
        endpoint: address of the endpoint, such as "http://localhost:8000/v1"; by default the variable OPENAI_BASE_URL, or OpenAI's.
        key_from: name of the variable of the environment that holds the key, which is read when the endpoint is asked, and stored nowhere;
            None for an endpoint without keys.
        prompt: a format string with {text} and {classes}, or a function from a text to a prompt or to a list of messages, in place of the
            default.
        votes: answers to each text.
        logprobs: read the log-probabilities of the first token instead, of at most 20 classes. The default prompt then asks for the number
            of the class, or for a letter where numbers do not tell classes apart; with a `prompt` of your own no class may begin with
            the name of another.
        temperature: of the sampling; by default 0 for one vote, otherwise 1.
        max_tokens: the most tokens of an answer; by default enough for the longest name. A model that thinks first needs more.
        request: further settings of the request, such as {"seed": 0, "reasoning_effort": "low"}; None as a value leaves a setting out.
        price: (input, output) of a million tokens, in any currency.
        budget: the most that may be spent on this model at this endpoint, earlier answers in the same cache included: an amount of money,
            with `price`; or a text such as "200000 tokens" or "1000 requests". A request is sent only if the most that it may cost is
            within the budget.
        cache: the folder where answers are stored, apart from folders of results; None stores them in memory.
        refused: what becomes of a text whose answers name no class, or that the endpoint rejects while it answers others: "error" raises
            an error once all texts are asked, "uniform" gives it equal probabilities.
        concurrency: the most requests at a time.
        timeout: seconds until an answer must be there, however slowly it arrives.
        retries: further attempts after a failure that may pass, such as a rate limit, with growing pauses or those that the endpoint asks
            for.
        advance: called once for each text that is answered, from another thread, for a progress display.

    Returns:
        A `ChatTeacher`. Besides `answer`, `estimate` says what asking would cost, `report` what came of it, and `consistency` how well the
        model agrees with itself.

    Raises:
        BadInput, LabelMismatch: settings or classes that cannot be used. CannotWrite: the cache cannot be written. MissingExtra: the client
            library is not installed.

    Example:
        >>> import tutelage as tl
        >>> teacher = tl.teachers.chat("gpt-5-mini", ["spam", "ham"], endpoint="https://api.example/v1", price=(0.25, 2.0), budget=5)
        >>> print(teacher.estimate(["You have won!", "Lunch at noon?"]))
        gpt-5-mini at api.example: 2 texts; 2 requests.
        Tokens: about ... in and 4 out; at most ... and 32.
        Price: about ..., at most ...
        Budget: 5.00, enough for this.
        Nothing was sent.
    """
    require_extras(("chat",))
    model, refused = text("model", model), choice("refused", refused, ("error", "uniform"))
    if not model.strip():
        raise BadInput("model is empty; expected the name of a model, as the endpoint knows it.")
    form = of_classes("probabilities", labels_of(classes))
    names = tuple(str(label) for label in form.classes)
    ClassReader(names)
    address = checked_endpoint(text("endpoint", endpoint or os.environ.get("OPENAI_BASE_URL") or OPENAI))
    connection = Connection(
        address,
        None if key_from is None else checked_variable(text("key_from", key_from)),
        key_required=key_from is not None and (key_from != DEFAULT_KEY or address == OPENAI),
        concurrency=whole("concurrency", concurrency, 1),
        timeout=number("timeout", timeout, above=0),
        retries=whole("retries", retries),
    )
    sampling = _sampling(names, connection.host, votes, logprobs, temperature, max_tokens, request)
    prices, limit = price_of(price), budget_of(budget, price_of(price))
    if limit is not None and not any(name in sampling.body for name in LIMITS):
        raise BadInput("request= leaves out the limit of an answer, without which no budget can be kept; pass max_tokens=, or no budget=.")
    store = AnswerStore(None if cache is None else checked_path("cache", cache))
    store.check()
    return ChatTeacher(
        model,
        form,
        _prompt(prompt, names, logprobs=sampling.logprobs),
        sampling,
        connection,
        store,
        prices,
        limit,
        refused,
        function("advance", advance, "without arguments"),
    )


def _prompt(given: Template | None, names: tuple[str, ...], *, logprobs: bool) -> Prompt:
    """The prompt.

    Raises:
        BadInput: one that cannot be used. LabelMismatch: classes that the first token of an answer to it may not tell apart.
    """
    alike = ClassReader(names).beginning_another if logprobs and given is not None else None
    if alike is not None:
        raise LabelMismatch(
            f"logprobs=True reads the first token of an answer, which may not tell the class {alike[0]!r} from {alike[1]!r}; leave prompt= "
            "out, whose default asks for a number or a letter, name one of the two otherwise, or pass votes= in place of logprobs=."
        )
    prompt = Prompt((of_first_token(names) if logprobs else BY_LABEL) if given is None else given, names)
    prompt.identity()  # refuses a function that nothing identifies
    return prompt


def _sampling(
    names: tuple[str, ...],
    host: str,
    votes: int,
    logprobs: bool,
    temperature: float | None,
    max_tokens: int | None,
    request: Mapping[str, Any] | None,
) -> Sampling:
    """How the model is sampled, and the settings as the endpoint takes them.

    Raises:
        BadInput: settings that cannot be used, or not together.
    """
    votes, logprobs, further = whole("votes", votes, 1), flag("logprobs", logprobs), _further(request)
    if logprobs and votes > 1:
        raise BadInput(f"logprobs=True reads probabilities from one answer, and votes is {votes}; pass one of the two.")
    if logprobs and len(names) > TOP_TOKENS:
        raise BadInput(
            f"logprobs=True reads the {TOP_TOKENS} likeliest tokens, and there are {len(names)} classes; pass votes= in place of it."
        )
    if temperature is None:
        # At temperature 1 the probabilities are those of the model, whether an endpoint computes them before or after scaling.
        temperature = 0.0 if votes == 1 and not logprobs else 1.0
    usual = 1 if logprobs else max(16, *(len(name.encode()) + 4 for name in names))
    limit = usual if max_tokens is None else whole("max_tokens", max_tokens, 1)
    named = [name for name in LIMITS if further.get(name) is not None]
    if named:
        limit = max(whole(name, further[name], 1) for name in named)
    body: dict[str, Any] = {
        "temperature": number("temperature", temperature, least=0, most=2),
        **({} if named else {LIMITS[host.endswith((".openai.com", ".openai.azure.com"))]: limit}),
        **({"logprobs": True, "top_logprobs": TOP_TOKENS} if logprobs else {}),
        **further,
    }
    return Sampling(votes, logprobs, limit, {name: value for name, value in body.items() if value is not None})


def _further(request: Mapping[str, Any] | None) -> dict[str, Any]:
    """Further settings of a request.

    Raises:
        BadInput: one that is set elsewhere, or that JSON cannot hold.
    """
    given = dict(mapping("request", request))
    own = next((name for name in given if name in _OWN), None)
    if own is not None:
        raise BadInput(f"request= holds {own!r}, which is set by the arguments of chat; leave it out there.")
    try:
        plain: dict[str, Any] = json.loads(json.dumps(given, allow_nan=False))  # numbers as names become texts, as they are sent
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"request= is {shown(given)}, which JSON cannot hold; expected names with texts, numbers or lists.") from error
    if not all(isinstance(name, str) for name in given):
        raise BadInput(f"request= is {shown(given)}; expected the names of settings as texts.")
    return plain
