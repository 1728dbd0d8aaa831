"""Ask an endpoint many prompts at a time: attempts, back-off, and a budget that no request may exceed."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tutelage.core.errors import BadInput, TutelageError
from tutelage.core.running.stages import Advance
from tutelage.teachers.endpoints.answer_store import AnswerStore
from tutelage.teachers.endpoints.completions import Completion
from tutelage.teachers.endpoints.connection import Connection, Failure, Line
from tutelage.teachers.endpoints.prompts import Messages
from tutelage.teachers.endpoints.rejections import MOST_DOUBTS, Doubt, Doubts
from tutelage.teachers.endpoints.spending import Budget, Spending, amount, most_tokens

FIRST_WAIT, LAST_WAIT = 0.5, 30.0
"""Seconds before the second attempt, which double with each further one, and the most of them."""
FEW_RETRIES = 2


@dataclass(frozen=True)
class Job:
    """A prompt to ask.

    Attributes:
        key: of the prompt, by which its answers are stored.
        messages: the prompt.
        body: all else of the request, but for the number of choices.
        choices: how many answers are needed.
        texts: number of texts that have this prompt.
        row: the first row with such a text.
    """

    key: str
    messages: Messages
    body: Mapping[str, Any]
    choices: int
    texts: int = 1
    row: int = 0


@dataclass(frozen=True)
class Terms:
    """On which terms an endpoint is asked.

    Attributes:
        model: the name of the model.
        most_output: the most tokens of one choice.
        budget: the most that may be spent, what was spent before included; None for no limit.
        first_tokens: whether log-probabilities of the first token are needed.
        settings: hash of all that requests share; "" if it is not known.
    """

    model: str
    most_output: int
    budget: Budget | None = None
    first_tokens: bool = False
    settings: str = ""


class Asking:
    """One round of questions; `ask` runs it.

    Args:
        jobs: what to ask.
        connection: where and how.
        terms: on which terms.
        store: where answers go, open for writing.
        advance: called once for each text that is answered.
    """

    def __init__(self, jobs: Sequence[Job], connection: Connection, terms: Terms, store: AnswerStore, advance: Advance) -> None:
        self._jobs: Iterator[Job] = iter(jobs)
        self._count = len(jobs)
        self._connection, self._terms, self._store, self._advance = connection, terms, store, advance
        self._failed: TutelageError | None = None
        self._asked = connection.named(terms.model)
        self._spent = store.spent(self._asked)
        self._reserved = Spending()
        self._flying = 0
        self._excess = 0
        self._one_at_a_time = self._answered = self._gave_several = False
        self._fits = store.fits(terms.settings)
        self._doubts = Doubts(max(MOST_DOUBTS, 2 * connection.concurrency))
        self._singly: set[str] = set()  # prompts that were rejected when several choices were asked for

    async def run(self) -> TutelageError | None:
        """Ask everything; the error that stopped it, if any, once all answers that were on their way are stored."""
        self._line = Line(self._connection)
        self._landed = asyncio.Condition()
        try:
            await asyncio.gather(*(self._work() for _ in range(min(self._connection.concurrency, self._count))))
        finally:
            await self._line.close()
        if self._doubts.open:
            self._stop_in_doubt()
        return self._failed

    async def _work(self) -> None:
        for job in self._jobs:
            while self._failed is None and job.key not in self._doubts.open and (missing := self._lacking(job)) > 0:
                await self._ask(job, 1 if self._one_at_a_time or job.key in self._singly else missing)
            if self._failed is not None:
                return
            for _ in range(job.texts):
                self._advance()

    def _lacking(self, job: Job) -> int:
        return job.choices - self._store.count(job.key)

    async def _ask(self, job: Job, choices: int) -> None:
        """Ask a prompt until there is an answer; a failure that does not pass stops everything."""
        for attempt in range(self._connection.retries + 1):
            found = await self._attempt(job, choices)
            if not isinstance(found, Failure) or self._failed is not None:
                return
            if found.filtered or (found.rejected and not found.passing):
                self._reject(job, found, choices)
                return
            if not found.passing or attempt == self._patience(found):
                attempts = f" after {attempt + 1} attempts" if attempt else ""
                self._stop(BadInput(f"{self._connection.host} {found.why}{attempts}. {self._remedy(found)}"))
                return
            await self._connection.pause(found.wait or min(FIRST_WAIT * 2**attempt, LAST_WAIT) * _RANDOM.uniform(0.75, 1.0))

    def _reject(self, job: Job, found: Failure, choices: int) -> None:
        """Take a rejected prompt for one without an answer where a filter says so, or where others are answered afterwards.

        One that is too long is at fault itself where any other was answered, now or by an earlier call.
        """
        if found.filtered or (found.too_long and (self._answered or self._fits)):
            self._store.rejected(job.key, found.brief, self._lacking(job))
        elif choices > 1:  # some endpoints give one choice a request
            self._singly.add(job.key)
        else:
            before = 0 if found.too_long else self._store.next
            self._doubts.open[job.key] = Doubt(job.row, found.why, found.brief, self._lacking(job), before)
            if self._doubts.too_many:
                self._stop_in_doubt()

    def _take_answer(self, job: Job, number: int, choices: int, found: Completion) -> None:
        """What an answer says of the endpoint: how many choices it gives, and which rejected prompts are not due to the settings."""
        for key, doubt in self._doubts.resolved_by(number).items():
            self._store.rejected(key, doubt.brief, doubt.lacking)
        self._gave_several = self._gave_several or len(found.choices) > 1
        self._one_at_a_time = not self._gave_several and (len(found.choices) < choices or job.key in self._singly or self._one_at_a_time)

    def _stop_in_doubt(self) -> None:
        self._stop(BadInput(f"{self._connection.host} {self._doubts} {self._stored()}"))

    def _patience(self, found: Failure) -> int:
        """How many further attempts a failure is worth: few where nothing was ever reached, as with a wrong address."""
        return min(FEW_RETRIES, self._connection.retries) if self._unreached(found) else self._connection.retries

    def _unreached(self, found: Failure) -> bool:
        return found.status is None and found.passing and not found.paid and not self._answered

    async def _attempt(self, job: Job, choices: int) -> Completion | Failure | None:
        """Send one request within the budget and store what comes back; None if nothing may be sent any more."""
        worst = Spending(1, most_tokens(job.messages, job.body) + self._excess, choices * self._terms.most_output)
        number = await self._take_off(worst)
        if number is None:
            return None
        cost: Spending = worst
        answered: dict[str, Any] = {}
        started = time.monotonic()
        try:
            found = await self._line.send(self._body(job, choices))
            if isinstance(found, Failure):
                cost = worst if found.paid else Spending(1)
            else:
                cost = worst if found.tokens is None else Spending(1, *found.tokens)
                self._answered = True
                self._excess += max(0, cost.input - worst.input)
                refused = self._refused(found, choices)
                if refused is not None:
                    self._stop(refused)
                else:
                    taken = time.monotonic() - started
                    answered = {"key": job.key, "choices": found.choices, "model": found.model, "seconds": taken}
                    answered["settings"] = self._terms.settings
                    self._take_answer(job, number, choices, found)
                    self._check_length(cost, worst)
        finally:  # a request that is cancelled may have to be paid
            self._store.settled(number, cost, **answered)
            self._spent, self._reserved, self._flying = self._spent + cost, self._reserved - worst, self._flying - 1
        async with self._landed:
            self._landed.notify_all()
        return found

    def _body(self, job: Job, choices: int) -> dict[str, Any]:
        """The body of a request; one that is sent for further answers has another seed than those before it."""
        several = {"n": choices} if choices > 1 else {}
        seed = {"seed": job.body["seed"] + self._store.count(job.key)} if isinstance(job.body.get("seed"), int) else {}
        return {"model": self._terms.model, "messages": job.messages, **job.body, **seed, **several}

    async def _take_off(self, worst: Spending) -> int | None:
        """The number of a request whose worst case the budget allows; waits for requests on their way, whose cost is not known yet."""
        budget = self._terms.budget
        async with self._landed:
            while self._failed is None and budget is not None and not budget.allows(self._spent + self._reserved + worst):
                if not self._flying:
                    self._stop(self._used_up(budget, worst))
                else:
                    await self._landed.wait()
            if self._failed is not None:
                return None
            self._reserved, self._flying = self._reserved + worst, self._flying + 1
            return self._store.sent(self._asked, worst)

    def _refused(self, found: Completion, choices: int) -> TutelageError | None:
        """Why an answer that came back whole cannot be used; None if it can."""
        if len(found.choices) > choices:
            return BadInput(
                f"{self._connection.host} sent {len(found.choices)} choices where {choices} were asked for; ask another endpoint."
            )
        without = [one for one in found.choices if not one.refused and not one.weighed] if self._terms.first_tokens else []
        if without:
            sent = "the log-probability of the sampled token alone" if without[0].top else "no log-probabilities"
            return BadInput(
                f"{self._connection.host} sent {sent} with its answer, where those of the likeliest tokens were asked for; pass "
                "logprobs=False, and votes= for several answers to each text."
            )
        return other_model(self._terms.model, found.model, self._store.served.get(self._asked))

    def _check_length(self, cost: Spending, worst: Spending) -> None:
        """Stop where answers are longer than the request allows: their cost has no bound, and no budget can be kept."""
        if self._terms.budget is not None and cost.output > worst.output:
            self._stop(
                BadInput(
                    f"{self._connection.host} sent {cost.output:,} tokens where at most {worst.output:,} were asked for, so that no budget "
                    "can be kept. Pass max_tokens= as it counts them, or leave budget= out."
                )
            )

    def _used_up(self, budget: Budget, worst: Spending) -> TutelageError:
        show: Callable[[float], str] = amount if budget.unit == "money" else lambda count: f"{count:,.0f}"
        return BadInput(
            f"the budget of {budget} allows no further request: {show(budget.of(self._spent))} was spent, and the next may take up to "
            f"{show(budget.of(worst))}. {self._stored()} Pass a larger budget= to go on."
        )

    def _remedy(self, found: Failure) -> str:
        if found.status in (401, 403):
            variable = self._connection.key_from
            return (
                f"Set the variable {variable} to a key that it accepts." if variable else "Pass key_from=, the variable that holds the key."
            )
        if found.status == 404:
            return f"Check the address {self._connection.endpoint} and the name of the model, {self._terms.model!r}."
        if self._unreached(found):
            return f"Check the address {self._connection.endpoint}, and that the endpoint is running."
        return f"{self._stored()} The same call goes on from there." if found.passing else self._stored()

    def _stored(self) -> str:
        count = len(self._store.choices)
        where = "in memory" if self._store.folder is None else f"in {self._store.folder}"
        return f"{count:,} prompts are answered, and their answers are {where}."

    def _stop(self, error: TutelageError) -> None:
        self._failed = self._failed or error


_RANDOM = random.SystemRandom()  # the generator of the process stays as it is


def other_model(asked: str, served: str, before: str | None) -> TutelageError | None:
    """Why an answer cannot be used: another model than asked for gave it, or another version of it than before; None if it can.

    Args:
        asked: the name that was asked for.
        served: the name that the endpoint gives to the model that answered. It may add a date to the name asked for.
        before: the same, of earlier answers; None if there are none.
    """
    if not served.startswith(asked) or not is_date(served.removeprefix(asked)):
        name = repr(served) if served else "a model that it does not name"
        return BadInput(
            f"the endpoint answers with {name}, and {asked!r} was asked for. Name the model as the endpoint does, or ask another endpoint; "
            "the answer is not used."
        )
    if before not in (None, served):
        return BadInput(
            f"the endpoint now answers {asked!r} with {served!r}, and earlier answers are those of {before!r}. Name one of the two as the "
            "model, so that all answers are those of one."
        )
    return None


def is_date(suffix: str) -> bool:
    """Whether what follows the name of a model is nothing, or a date such as -2026-08-07, -20260807, -0807 or -2608.

    Example:
        >>> is_date("-2026-08-07"), is_date(""), is_date("-mini"), is_date("-8192")
        (True, True, False, False)
    """
    return suffix == "" or _DATE.fullmatch(suffix) is not None


_MONTH, _DAY = "(0[1-9]|1[0-2])", "(0[1-9]|[12][0-9]|3[01])"
_DATE = re.compile(f"-(20[0-9]{{2}}-?{_MONTH}(-?{_DAY})?|{_MONTH}{_DAY}|2[0-9]{_MONTH})")


def ask(jobs: Sequence[Job], connection: Connection, terms: Terms, store: AnswerStore, advance: Advance) -> None:
    """Ask what the store does not hold, within the terms.

    Args:
        jobs: what to ask; those whose answers are stored are passed over.
        connection: where and how.
        terms: on which terms.
        store: where answers go.
        advance: called once for each text that is answered.

    Raises:
        BadInput: the endpoint refuses, fails or answers with another model, or the budget is used up. CannotWrite, DamagedFile: as of the
            store.
    """
    store.refresh()
    if not _missing(jobs, store):
        return
    with store.writing():
        failed = _in_a_loop_of_its_own(Asking(_missing(jobs, store), connection, terms, store, advance).run)
    if failed is not None:
        raise failed


def _missing(jobs: Sequence[Job], store: AnswerStore) -> list[Job]:
    """The jobs that are not answered, each prompt once."""
    return list({job.key: job for job in jobs if store.count(job.key) < job.choices}.values())


def _in_a_loop_of_its_own(work: Callable[[], Coroutine[Any, Any, TutelageError | None]]) -> TutelageError | None:
    """Run a coroutine in a thread with a loop of its own: the caller's thread may have one, as in a notebook, which stays as it is."""
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def noted() -> TutelageError | None:
        task = asyncio.current_task()
        if task is not None:
            running.append((asyncio.get_running_loop(), task))
        return await work()

    with ThreadPoolExecutor(1, thread_name_prefix="tutelage-chat") as pool:
        found = pool.submit(lambda: asyncio.run(noted()))
        try:
            return found.result()
        except BaseException:  # Ctrl-C, which reaches the caller's thread alone
            if not found.done() and running:
                running[0][0].call_soon_threadsafe(running[0][1].cancel)
            raise
