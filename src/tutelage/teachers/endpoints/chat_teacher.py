"""`ChatTeacher`: a language model behind an endpoint, which answers texts with probabilities of classes."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.core.arguments import seed_of, whole
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, shown
from tutelage.core.file_systems.paths import AnyPath
from tutelage.core.file_systems.places import check_apart
from tutelage.core.running.stages import Advance
from tutelage.teachers.endpoints.answer_store import AnswerStore
from tutelage.teachers.endpoints.asking import Job, Terms, ask
from tutelage.teachers.endpoints.completions import Choice
from tutelage.teachers.endpoints.connection import Connection
from tutelage.teachers.endpoints.prompts import ClassReader, Prompt
from tutelage.teachers.endpoints.reports import ChatEstimate, ChatReport, Consistency
from tutelage.teachers.endpoints.spending import BYTES_A_TOKEN, Budget, Price, Spending, likely_tokens, most_tokens
from tutelage.teachers.inputs import row_count, texts_of

LEAST_MASS = 0.5
"""A text has an answer if the first tokens that begin a class have this probability together."""
MOST_UNCLEAR = 0.01
"""A text has no answer if first tokens that begin several classes have more than this probability: it belongs to one of them."""


def nothing() -> None:
    """Do nothing: the function that is called for each text, where there is no progress display. Unlike a lambda, it can be pickled."""


@dataclass(frozen=True)
class Sampling:
    """How the model is sampled.

    Attributes:
        votes: answers to each text.
        logprobs: whether the probabilities of the first token are read.
        most_output: the most tokens of an answer.
        body: the settings as the endpoint takes them.
    """

    votes: int
    logprobs: bool
    most_output: int
    body: Mapping[str, Any]


@dataclass(frozen=True)
class _Reading:
    """What is known of a text: its answer, None if there is none; why votes are none; probability outside the classes."""

    answer: Floats | None
    votes: Floats
    others: Counter[str]
    outside: float
    said: str | None


@dataclass(frozen=True, eq=False)
class ChatTeacher:
    """A Teacher that asks a language model behind an endpoint. `tutelage.teachers.chat` builds it.

    Attributes:
        model: the name of the model.
        form: probabilities of the classes.
        prompt: how a text is put to the model.
        sampling: how the model is sampled.
        connection: where and how it is asked.
        store: the answers so far.
        price: of a million tokens; None if it is not known.
        budget: the most that may be spent; None for no limit.
        refused: what becomes of a text whose answers name no class, "error" or "uniform".
        advance: called once for each text that is answered, from another thread.

    Example:
        >>> import tutelage as tl
        >>> teacher = tl.teachers.chat("gpt-5-mini", ["spam", "ham"], endpoint="http://localhost:8000/v1", votes=5)
        >>> type(teacher) is tl.teachers.ChatTeacher
        True
        >>> print(teacher.prompt.messages("You have won!")[0]["content"])
        Which of these classes does the text below belong to?
        <BLANKLINE>
        1. spam
        2. ham
        <BLANKLINE>
        Answer with the name of one class and nothing else.
        <BLANKLINE>
        Text:
        You have won!
    """

    model: str
    form: AnswerForm
    prompt: Prompt
    sampling: Sampling
    connection: Connection
    store: AnswerStore
    price: Price | None = None
    budget: Budget | None = None
    refused: Literal["error", "uniform"] = "error"
    advance: Advance = field(default=nothing, repr=False)

    @property
    def fingerprint(self) -> str:
        """The name of the model and a hash of all that its answers depend on: address, prompt, classes and sampling."""
        parts = [self._identity, self.prompt.identity(), [repr(label) for label in self.form.classes], self.sampling.votes, self.refused]
        return f"chat:{self.model}:{hashlib.sha256(json.dumps(parts).encode()).hexdigest()}"

    @property
    def asked(self) -> str:
        """The model at its endpoint, as the store names it."""
        return self.connection.named(self.model)

    @property
    def served(self) -> str | None:
        """The name that the endpoint gives to the model that answered, often with a date; None before the first answer."""
        return self.store.served.get(self.asked)

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) probabilities. Texts that were asked before are not asked again, nor is one twice that occurs twice.

        Args:
            inputs: texts, as a list, an array, a Series or a frame of one column.

        Raises:
            BadInput: rows that are no texts; a text whose answers name no class, unless refused="uniform"; an endpoint that refuses,
                fails, redirects or answers with another model; a budget that is used up. What was answered until then stays in the store.
            CannotWrite, DamagedFile: as of the cache.
        """
        texts = _texts(inputs)
        jobs = self._jobs(texts)
        self._ask(jobs)
        read = {text: self._read(job) for text, job in jobs.items()}
        self._check_answered(texts, read)
        uniform = np.full(len(self.form.classes), 1 / len(self.form.classes))
        rows = [uniform if (found := read[text].answer) is None else found for text in texts]
        return self.form.check(np.array(rows), len(rows), "the answers of the model")

    def estimate(self, inputs: Any, *, again: int = 0) -> ChatEstimate:
        """What asking these texts would cost. Nothing is sent.

        Args:
            inputs: texts, as for `answer`.
            again: the most of them that `consistency` then asks a second time.
        """
        texts, again = _texts(inputs), whole("again", again, 0)
        self.store.refresh()
        first = list(self._jobs(texts).values())
        jobs = [*first, *self._jobs(_sampled(texts, again, 0), again=True).values()]
        missing = [job for job in jobs if self.store.count(job.key) < job.choices]
        longest = max(len(str(label).encode()) for label in self.form.classes)
        likely_output = min(self.sampling.most_output, 1 + -(-longest // BYTES_A_TOKEN))
        lacking = [job.choices - self.store.count(job.key) for job in missing]
        most_input = sum(count * most_tokens(job.messages, job.body) for count, job in zip(lacking, missing, strict=True))
        return ChatEstimate(
            self.model,
            self.connection.host,
            len(texts),
            sum(job.texts for job in first if self.store.count(job.key) >= job.choices),
            Spending(len(missing), sum(likely_tokens(job.messages) for job in missing), sum(lacking) * likely_output),
            Spending(sum(lacking), most_input, sum(lacking) * self.sampling.most_output),
            self.price,
            self.budget,
            self.store.spent(self.asked),
        )

    def unanswered(self, inputs: Any) -> int:
        """The number of these texts that would be asked.

        Args:
            inputs: texts, as for `answer`.
        """
        self.store.refresh()
        jobs = self._jobs(_texts(inputs)).values()
        return sum(job.texts for job in jobs if self.store.count(job.key) < job.choices)

    def report(self, inputs: Any) -> ChatReport:
        """What came of asking these texts: answers without a class, agreement of the votes, and what was spent. Nothing is sent.

        Args:
            inputs: texts, as for `answer`.
        """
        texts = _texts(inputs)
        jobs = self._jobs(texts)
        self.store.refresh()
        read = {text: self._read(job) for text, job in jobs.items() if self.store.count(job.key)}
        known = [read[text] for text in texts if text in read]
        pairs = [_pairs(one.votes) for one in known if one.votes.sum() > 1]
        spent = self.store.spent(self.asked)
        return ChatReport(
            self.served,
            len(texts),
            sum(one.answer is not None for one in known),
            sum(int(one.votes.sum()) + one.others.total() for one in known) if not self.sampling.logprobs else len(known),
            dict(sum((one.others for one in known), Counter[str]())),
            float(np.mean([one.outside for one in known])) if known and self.sampling.logprobs else None,
            float(np.mean(pairs)) if pairs and not self.sampling.logprobs else None,
            spent,
            self.store.failed(self.asked),
            None if self.price is None else self.price.of(spent),
        )

    def consistency(self, inputs: Any, *, texts: int = 100, seed: int = 0) -> Consistency:
        """How well the model agrees with itself: a sample of the texts is asked a second time, which is paid like the first.

        Args:
            inputs: texts, as for `answer`.
            texts: the most texts that are asked again.
            seed: of the sample.

        Raises:
            BadInput: no text has a class both times; and as `answer`.
        """
        count, seed = whole("texts", texts, 1), seed_of("seed", seed)
        given = _texts(inputs)
        sampled = _sampled(given, count, seed)
        rounds = [{text: jobs[text] for text in sampled} for jobs in (self._jobs(given), self._jobs(given, again=True))]
        for jobs in rounds:
            self._ask(jobs)
        pairs = [[self._read(job).answer for job in both] for both in zip(*(jobs.values() for jobs in rounds), strict=True)]
        decided = [first.argmax() == second.argmax() for first, second in pairs if first is not None and second is not None]
        if not decided:
            raise BadInput(f"none of the {len(pairs)} texts has a class both times; change prompt=, so that the model names one.")
        return Consistency(len(decided), float(np.mean(decided)))

    @property
    def _identity(self) -> list[Any]:
        """What a request depends on besides its messages."""
        return [self.model, self.connection.endpoint, dict(self.sampling.body)]

    def _jobs(self, texts: Sequence[str], *, again: bool = False) -> dict[str, Job]:
        """What to ask about each distinct text; `again` for a second, independent answer."""
        first = {text: row for row, text in reversed(list(enumerate(texts)))}
        return {text: self._job(text, count, first[text], again=again) for text, count in Counter(texts).items()}

    def _job(self, text: str, count: int, row: int, *, again: bool) -> Job:
        messages = self.prompt.messages(text)
        parts = [*self._identity, messages, *(["again"] if again else [])]
        key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        return Job(key, messages, self.sampling.body, self.sampling.votes, count, row)

    def _ask(self, jobs: Mapping[str, Job]) -> None:
        terms = Terms(self.model, self.sampling.most_output, self.budget, self.sampling.logprobs, self._shared)
        ask(list(jobs.values()), self.connection, terms, self.store, self.advance)

    def _read(self, job: Job) -> _Reading:
        """What the stored answers to a prompt say."""
        choices = self.store.choices.get(job.key, [])[: self.sampling.votes]
        said = next((one.text for one in choices), None)
        reader = self._reader
        if self.sampling.logprobs:
            return _of_first_token(reader, choices, said)
        votes, others = reader.votes(choices)
        return _Reading(votes / votes.sum() if votes.any() else None, votes, others, 0.0, said)

    @cached_property
    def _shared(self) -> str:
        """A hash of all that requests share; "" for a prompt that nothing identifies."""
        try:
            return hashlib.sha256(json.dumps([self._identity, self.prompt.identity()]).encode()).hexdigest()[:16]
        except BadInput:
            return ""

    @cached_property
    def _reader(self) -> ClassReader:
        return ClassReader(self.prompt.classes, self.sampling.logprobs and self.prompt.by_letter)

    def _check_answered(self, texts: Sequence[str], read: Mapping[str, _Reading]) -> None:
        """Warn of votes that are not counted, and refuse texts without an answer.

        Raises:
            BadInput: a text without an answer, unless refused="uniform".
        """
        others = sum((one.others for one in read.values()), Counter[str]())
        without = [row for row, text in enumerate(texts) if read[text].answer is None]
        why = ", ".join(f"{count:,} {name}" for name, count in others.items())
        if without and self.refused == "error":
            first = without[0]
            raise BadInput(
                f"{len(without):,} of {len(texts):,} texts have no class ({why}; first: row {first}, answered "
                f"{shown(read[texts[first]].said)}). Leave these rows out, change prompt= or max_tokens=, or pass refused='uniform' "
                "for equal probabilities; all other answers are stored."
            )
        if others:
            uniform = f"; {len(without):,} texts get equal probabilities" if without else ""
            warnings.warn(f"{others.total():,} answers name no class and are not counted ({why}){uniform}.", stacklevel=3)


def with_advance(teacher: Teacher, advance: Advance) -> Teacher:
    """The same teacher, which calls a function for each text that it asks; any other teacher as it is."""
    return replace(teacher, advance=advance) if isinstance(teacher, ChatTeacher) else teacher


def texts_to_ask(teacher: Teacher, inputs: Any) -> int:
    """The number of rows that an endpoint will be asked about, as steps of a progress display, at least 1; 1 for any other teacher."""
    return max(1, teacher.unanswered(inputs)) if isinstance(teacher, ChatTeacher) else 1


def asks_an_endpoint(teacher: Any) -> bool:
    """Whether a teacher is a language model behind an endpoint, or is made of some: its answers are stored and cost money."""
    return next(language_models(teacher), None) is not None


def would_ask(teacher: Any, inputs: Any) -> bool:
    """Whether a teacher, itself a language model or made of some, would ask an endpoint about any of these rows."""
    try:
        return any(model.unanswered(inputs) for model in language_models(teacher))
    except BadInput:  # it makes texts of the rows, which are not known before
        return True


def served_by(teacher: Any) -> str | None:
    """The names that endpoints gave to the models that answered; None if not all have, or if it asks none."""
    served = [model.served for model in language_models(teacher)]
    return " and ".join(dict.fromkeys(name for name in served if name is not None)) if served and None not in served else None


def check_stored_apart(teacher: Any, folder: AnyPath) -> None:
    """Check, before anything is asked, that the answers of language models are not stored in a folder of results, or around it.

    Raises:
        CannotWrite: they are.
    """
    for model in language_models(teacher):
        if model.store.folder is not None:
            check_apart(folder, model.store.folder)


def language_models(teacher: Any) -> Iterator[ChatTeacher]:
    """The language models that a teacher is, or is made of."""
    if isinstance(teacher, ChatTeacher):
        yield teacher
        return
    for inner in (getattr(teacher, "teacher", None), *(getattr(teacher, "teachers", None) or ())):
        if inner is not None:
            yield from language_models(inner)


def _texts(inputs: Any) -> list[str]:
    """The texts, which can be sent.

    Raises:
        BadInput: rows that are no texts, or half a character. ShapeError: no rows.
    """
    row_count(inputs)
    texts = texts_of(inputs)
    for row, text in enumerate(texts):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise BadInput(f"the text of row {row} holds half a character ({error.reason}), which cannot be sent; mend it.") from error
    return texts


def _sampled(texts: Sequence[str], count: int, seed: int) -> list[str]:
    """At most so many distinct texts, drawn from all, in their order."""
    every = list(dict.fromkeys(texts))
    return [every[place] for place in np.sort(np.random.default_rng(seed).permutation(len(every))[:count])]


def _of_first_token(reader: ClassReader, choices: Sequence[Choice], said: str | None) -> _Reading:
    """What the log-probabilities of the first token say."""
    none = np.zeros(len(reader.names))
    if not choices:
        return _Reading(None, none, Counter(), 0.0, said)
    if choices[0].refused or not choices[0].weighed:
        why = "refused" if choices[0].refused else "no log-probabilities"
        return _Reading(None, none, Counter((why,)), 1.0, said)
    mass, unclear = reader.mass(choices[0].top or ())
    outside = max(0.0, 1.0 - float(mass.sum()))
    if unclear > MOST_UNCLEAR or mass.sum() < LEAST_MASS:
        why = "first token of several classes" if unclear > MOST_UNCLEAR else "no class"
        return _Reading(None, none, Counter((why,)), outside, said)
    return _Reading(mass / mass.sum(), none, Counter(), outside, said)


def _pairs(votes: Floats) -> float:
    """How often two different votes of these agree."""
    count = votes.sum()
    return float((votes * (votes - 1)).sum() / (count * (count - 1)))
