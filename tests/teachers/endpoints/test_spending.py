"""Tokens, prices and budgets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.core.errors import BadInput
from tutelage.teachers.endpoints.spending import Budget, Price, Spending, budget_of, likely_tokens, most_tokens, price_of


def test_the_price_is_of_a_million_tokens():
    assert Price(2.0, 10.0).of(Spending(3, 500_000, 100_000)) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("given", "price", "expected"),
    [
        (5, Price(1, 1), Budget(5.0, "money", Price(1, 1))),
        ("0.5", Price(1, 1), Budget(0.5, "money", Price(1, 1))),
        ("200_000 tokens", None, Budget(200_000, "tokens")),
        ("1,000 requests", Price(1, 1), Budget(1000, "requests")),
        ("1 request", None, Budget(1, "requests")),
        (None, None, None),
    ],
)
def test_a_budget_is_money_tokens_or_requests(given, price, expected):
    assert budget_of(given, price) == expected


@pytest.mark.parametrize("given", [0, -1, "five", "5 euros", "tokens", float("nan"), True, "0 tokens", [5], "1e3 tokens", ""])
def test_a_budget_that_cannot_be_read_is_refused(given):
    with pytest.raises(BadInput, match="budget is"):
        budget_of(given, Price(1, 1))


@pytest.mark.parametrize("given", [5, "5"])
def test_money_needs_a_price(given):
    with pytest.raises(BadInput, match="no price= says what tokens cost"):
        budget_of(given, None)


@pytest.mark.parametrize("given", [(1,), (1, 2, 3), "12", -1, (1, -1), (1, "a"), {1: 2, 3: 4}, 7, (1, float("inf"))])
def test_a_price_that_cannot_be_read_is_refused(given):
    with pytest.raises(BadInput, match="price is"):
        price_of(given)


@given(st.text(max_size=200))
def test_no_tokenizer_makes_more_tokens_than_the_bound(text):
    messages = [{"role": "user", "content": text}]
    assert len(text.encode("utf-8", "surrogatepass")) <= most_tokens(messages, {})
    assert likely_tokens(messages) <= most_tokens(messages, {})


def test_a_budget_counts_what_its_unit_says():
    spent = Spending(3, 10, 20)
    assert [Budget(1, "requests").of(spent), Budget(1, "tokens").of(spent), Budget(1, "money", Price(1e6, 0)).of(spent)] == [3, 30, 10]
    assert str(Budget(2_000_000, "tokens")) == "2,000,000 tokens"


def test_settings_that_the_model_reads_are_counted_in_the_bound():
    schema = {"type": "object", "description": "ä" * 500}
    plain = most_tokens([], {"temperature": 0.5})
    assert most_tokens([], {"response_format": schema}) - plain > 1000
