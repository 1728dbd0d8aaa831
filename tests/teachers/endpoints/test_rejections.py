"""Rejected prompts: filters are recognised, and doubts resolved by answers to later requests."""

import pytest

from tutelage.teachers.endpoints.rejections import Doubt, Doubts, is_filtered, is_too_long


@pytest.mark.parametrize(
    "error",
    [
        {"code": "content_filter", "message": "no"},
        {"message": "The prompt triggers the content management policy"},
        {"code": "content_policy_violation"},
        {"message": "your input was flagged"},
        {"message": "Content Exists Risk", "type": "invalid_request_error"},
        {"code": "data_inspection_failed"},
        {"code": None, "innererror": {"code": "ResponsibleAIPolicyViolation"}},
    ],
)
def test_a_filter_says_that_it_is_one(error):
    assert is_filtered(400, error)
    assert not is_filtered(429, error)
    assert not is_filtered(500, error)


@pytest.mark.parametrize(
    "error",
    [None, "content_filter", [], {}, {"message": 7}, {"message": "temperature must be below 2"}, {"code": "context_length_exceeded"}],
)
def test_other_errors_are_no_filter(error):
    assert not is_filtered(400, error)


def test_a_doubt_is_resolved_by_a_request_that_was_sent_after_it():
    doubts = Doubts(2, {"a": Doubt(7, "answers with status 400 (no)", "status 400", 1, before=5)})
    assert doubts.resolved_by(4) == {}
    assert not doubts.too_many
    doubts.open["b"] = Doubt(3, "answers with status 422 (why)", "status 422", 1, before=9)
    assert doubts.too_many
    assert str(doubts).startswith("answers with status 422 (why) to the text of row 3 and 1 more, and has answered no other since")
    assert list(doubts.resolved_by(5)) == ["a"]
    assert list(doubts.open) == ["b"]


@pytest.mark.parametrize(
    ("status", "error", "too_long"),
    [
        (413, "<html>", True),
        (400, {"code": "context_length_exceeded"}, True),
        (400, {"message": "the request exceeds the available context size"}, True),
        (400, {"message": "prompt is too long: 210000 tokens > 200000 maximum"}, True),
        (400, {"message": "The input token count (9) exceeds the maximum number of tokens allowed"}, True),
        (400, {"message": "temperature must be below 2"}, False),
        (429, {"message": "too many tokens a minute"}, False),
        (500, {"message": "too long"}, False),
    ],
)
def test_a_prompt_that_is_too_long_is_said_to_be(status, error, too_long):
    assert is_too_long(status, error) is too_long
