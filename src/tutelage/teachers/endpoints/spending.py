"""What requests cost: requests and tokens, their price, and a budget that no request may exceed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tutelage.core.arguments import number
from tutelage.core.errors import BadInput, shown

FRAME_TOKENS = 64
"""Tokens that an endpoint may put around the messages of a request, at most; what it counts beyond is added to later requests."""
BYTES_A_TOKEN = 4
"""Of an estimate: bytes of UTF-8 in a token. No tokenizer makes more than one token of a byte, which bounds what a request costs."""


@dataclass(frozen=True)
class Spending:
    """What requests took.

    Attributes:
        requests: how many were sent, those included that failed.
        input: tokens of the prompts.
        output: tokens of the answers.
    """

    requests: int = 0
    input: int = 0
    output: int = 0

    def __add__(self, other: Spending) -> Spending:
        return Spending(self.requests + other.requests, self.input + other.input, self.output + other.output)

    def __sub__(self, other: Spending) -> Spending:
        return Spending(self.requests - other.requests, self.input - other.input, self.output - other.output)


@dataclass(frozen=True)
class Price:
    """The price of a million tokens, in any currency.

    Attributes:
        input: of the prompt.
        output: of the answer.
    """

    input: float
    output: float

    def of(self, spending: Spending) -> float:
        """The price of these tokens."""
        return (self.input * spending.input + self.output * spending.output) / 1e6


@dataclass(frozen=True)
class Budget:
    """The most that may be spent.

    Attributes:
        limit: the amount.
        unit: "money", "tokens" or "requests".
        price: of the tokens, where the amount is money.
    """

    limit: float
    unit: str
    price: Price | None = None

    def of(self, spending: Spending) -> float:
        """How much of this unit was spent."""
        if self.unit == "requests":
            return spending.requests
        return self.price.of(spending) if self.price is not None else spending.input + spending.output

    def allows(self, spending: Spending) -> bool:
        """Whether so much may be spent."""
        return self.of(spending) <= self.limit

    def __str__(self) -> str:
        return amount(self.limit) if self.unit == "money" else f"{self.limit:,.0f} {self.unit}"


def price_of(given: Any) -> Price | None:
    """The price of a million tokens: (input, output), each 0 or more; None stays None.

    Raises:
        BadInput: anything else.
    """
    if given is None:
        return None
    if isinstance(given, str | Mapping) or not hasattr(given, "__len__") or len(given) != 2:
        raise BadInput(f"price is {shown(given)}; expected (input, output), the price of a million tokens of prompts and of answers.")
    return Price(*(number("price", each, least=0, hint="for a million tokens") for each in given))


def budget_of(given: Any, price: Price | None) -> Budget | None:
    """A budget: an amount of money as a number, or a text such as "200000 tokens" or "1000 requests"; None stays None.

    Raises:
        BadInput: anything else, or an amount of money without a price.

    Example:
        >>> print(budget_of("5", Price(0.25, 2.0)), budget_of("200_000 tokens", None), sep="; ")
        5.00; 200,000 tokens
    """
    if given is None:
        return None
    expected = 'expected an amount of money with price=, or a text such as "200000 tokens" or "1000 requests"'
    found = _BUDGET.fullmatch(given) if isinstance(given, str) else None
    if isinstance(given, str) and found is None:
        raise BadInput(f"budget is {shown(given)}; {expected}.")
    limit = number("budget", float(re.sub("[_,]", "", found[1])) if found else given, above=0, hint=f"({expected})")
    if found and found[2]:
        return Budget(limit, found[2].removesuffix("s") + "s")
    if price is None:
        raise BadInput(f"budget is {shown(given)}, an amount of money, and no price= says what tokens cost; {expected}.")
    return Budget(limit, "money", price)


_BUDGET = re.compile(r"\s*(\d[\d_,]*(?:\.\d+)?|\.\d+)\s*(tokens?|requests?)?\s*")


def amount(money: float) -> str:
    """An amount of money: two digits behind the point, or more where it is small.

    Example:
        >>> amount(12.3), amount(0.0123), amount(0.000029), amount(0)
        ('12.30', '0.0123', '0.000029', '0.00')
    """
    digits = 2 if money >= 1 or money <= 0 else max(2, 2 - math.floor(math.log10(money)))
    whole, point, rest = f"{money:,.{digits}f}".partition(".")
    return f"{whole}{point}{rest.rstrip('0').ljust(2, '0')}"


def most_tokens(messages: list[dict[str, str]], body: Mapping[str, Any]) -> int:
    """The most tokens that a tokenizer can make of a request: one of each byte of its messages, and the frame around them.

    Args:
        messages: the prompt.
        body: its settings, of which some are shown to the model, such as the schema of an answer.
    """
    shown_to_it = [value for value in body.values() if isinstance(value, dict | list)]
    texts = [message["content"] for message in messages] + ([json.dumps(shown_to_it, ensure_ascii=False)] if shown_to_it else [])
    return FRAME_TOKENS + sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


def likely_tokens(messages: list[dict[str, str]]) -> int:
    """About the number of tokens of messages: one for every four bytes, and eight for the frame of each message."""
    return sum(8 + -(-len(message["content"].encode("utf-8", "surrogatepass")) // BYTES_A_TOKEN) for message in messages)
