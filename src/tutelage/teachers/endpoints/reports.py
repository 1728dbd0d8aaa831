"""What asking an endpoint would cost, what came of it, and how well it agrees with itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tutelage.core.quantities import percent
from tutelage.teachers.endpoints.spending import Budget, Price, Spending, amount


@dataclass(frozen=True)
class ChatEstimate:
    """What asking some texts would cost. Nothing was sent.

    Attributes:
        model: the name of the model.
        host: the machine that would be asked.
        texts: number of texts.
        stored: how many of them are answered already.
        likely: requests and tokens, those included that ask a text a second time, by a rule: a token for every four bytes of the prompt in
            UTF-8, eight more for each message, and as many for each answer as the longest name of a class has bytes, divided by four.
        most: requests and tokens that cannot be exceeded unless some fail and are sent again: one request for each answer, a token for
            every byte of its prompt and 64 more, and the most tokens of an answer.
        price: of a million tokens; None if it is not known.
        budget: the most that may be spent; None if there is no limit.
        spent: what was spent before, of which the budget is the limit too.
    """

    model: str
    host: str
    texts: int
    stored: int
    likely: Spending
    most: Spending
    price: Price | None = None
    budget: Budget | None = None
    spent: Spending = field(default_factory=Spending)

    @property
    def within_budget(self) -> bool:
        """Whether the likely cost is within the budget."""
        return self.budget is None or self.budget.allows(self.spent + self.likely)

    def __str__(self) -> str:
        stored = f", {self.stored:,} answered before" if self.stored else ""
        requests = f"{self.likely.requests:,} request{'' if self.likely.requests == 1 else 's'}"
        lines = [
            f"{self.model} at {self.host}: {self.texts:,} text{'' if self.texts == 1 else 's'}{stored}; {requests}.",
            f"Tokens: about {self.likely.input:,} in and {self.likely.output:,} out; at most {self.most.input:,} and {self.most.output:,}.",
        ]
        if self.price is not None:
            lines.append(f"Price: about {amount(self.price.of(self.likely))}, at most {amount(self.price.of(self.most))}.")
        if self.budget is not None:
            enough = "enough for this" if self.within_budget else "not enough for this; asking would stop on the way"
            lines.append(f"Budget: {self.budget}, {enough}.")
        return "\n".join([*lines, "Nothing was sent."])


@dataclass(frozen=True)
class ChatReport:
    """What came of asking some texts.

    Attributes:
        model: the name of the model that answered; None if nothing was answered.
        texts: number of texts.
        answered: how many of them have an answer that names a class.
        votes: number of answers to them.
        others: answers that name no class: how many were "refused", "cut off", or named "no class".
        outside: mean probability of first tokens that begin no class; None without log-probabilities.
        agreement: how often two votes about the same text agree; None with one vote a text.
        spent: requests and tokens, of all texts of which this model at this endpoint was asked into the same cache.
        failed: number of those requests that brought no answer; most were sent again, unless their texts were rejected.
        price: of these tokens; None if prices are not known.
    """

    model: str | None
    texts: int
    answered: int
    votes: int
    others: Mapping[str, int]
    outside: float | None
    agreement: float | None
    spent: Spending
    failed: int
    price: float | None

    @property
    def highest(self) -> float | None:
        """The highest share of such answers with which a student can agree: the root of the agreement."""
        return None if self.agreement is None else float(self.agreement**0.5)

    def __str__(self) -> str:
        named = ", ".join(f"{count:,} {why}" for why, count in self.others.items())
        lines = [
            f"{self.model}: {self.answered:,} of {self.texts:,} texts have a class, from {self.votes:,} answers"
            + (f"; of these, without a class: {named}." if named else "."),
        ]
        if self.outside is not None:
            lines.append(f"Outside the classes: {self.outside:.2%} of the probability of the first token, on average.")
        if self.agreement is not None and self.highest is not None:
            lines.append(
                f"Two votes about a text agree in {percent(self.agreement)}: no student agrees with one in more than "
                f"{percent(self.highest)}."
            )
        price = "" if self.price is None else f", {amount(self.price)}"
        failed = f" ({self.failed:,} without an answer)" if self.failed else ""
        lines.append(
            f"Spent: {self.spent.requests:,} requests{failed}, {self.spent.input:,} tokens in and {self.spent.output:,} out{price}."
        )
        return "\n".join(lines)


@dataclass(frozen=True)
class Consistency:
    """How well a model agrees with itself: texts that were asked twice.

    Attributes:
        texts: number of texts with a class both times.
        agreement: share of them that are decided alike.
    """

    texts: int
    agreement: float

    @property
    def highest(self) -> float:
        """The highest share of its answers with which a student can agree: the root of the agreement."""
        return float(self.agreement**0.5)

    def __str__(self) -> str:
        return (
            f"Asked twice, the model decides {percent(self.agreement)} of {self.texts:,} texts alike: no student agrees with one "
            f"of its answers in more than {percent(self.highest)}."
        )
