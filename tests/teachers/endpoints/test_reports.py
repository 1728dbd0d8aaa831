"""What asking costs and brings, in words."""

import pytest

from tutelage.teachers.endpoints.reports import ChatEstimate, ChatReport, Consistency
from tutelage.teachers.endpoints.spending import Budget, Price, Spending

ESTIMATE = ChatEstimate("m-1", "localhost", 1200, 0, Spending(1200, 60_000, 2400), Spending(1200, 250_000, 19_200))


def test_an_estimate_says_what_is_likely_and_what_is_the_most():
    assert str(ESTIMATE).splitlines() == [
        "m-1 at localhost: 1,200 texts; 1,200 requests.",
        "Tokens: about 60,000 in and 2,400 out; at most 250,000 and 19,200.",
        "Nothing was sent.",
    ]


@pytest.mark.parametrize(("limit", "spent", "enough"), [(62_400, 0, True), (62_399, 0, False), (70_000, 10_000, False)])
def test_a_budget_is_compared_with_what_was_spent_and_what_is_likely(limit, spent, enough):
    estimate = ChatEstimate(*list(vars(ESTIMATE).values())[:6], None, Budget(limit, "tokens"), Spending(10, spent, 0))
    assert estimate.within_budget is enough
    assert ("not enough" in str(estimate)) is not enough


def test_prices_are_those_of_the_tokens():
    estimate = ChatEstimate("m-1", "localhost", 1, 1, Spending(0, 0, 0), Spending(0, 0, 0), Price(1, 2))
    assert "m-1 at localhost: 1 text, 1 answered before; 0 requests." in str(estimate)
    assert "Price: about 0.00, at most 0.00." in str(estimate)


def test_a_report_shows_only_what_is_known():
    report = ChatReport("m-1", 10, 9, 10, {"refused": 1}, None, None, Spending(12, 400, 20), 2, None)
    assert report.highest is None
    assert str(report).splitlines() == [
        "m-1: 9 of 10 texts have a class, from 10 answers; of these, without a class: 1 refused.",
        "Spent: 12 requests (2 without an answer), 400 tokens in and 20 out.",
    ]


def test_the_ceiling_is_the_root_of_the_agreement():
    assert Consistency(50, 0.81).highest == pytest.approx(0.9)
    assert ChatReport("m-1", 10, 10, 30, {}, None, 0.64, Spending(), 0, 1.5).highest == pytest.approx(0.8)
