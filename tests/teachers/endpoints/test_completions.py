"""Answers of an endpoint, parsed strictly."""

import json

import pytest
from chat_endpoint import completion, first_token

from tutelage.teachers.endpoints.completions import Choice, Malformed, completion_of

BODY = {"model": "m-1"}


def parsed(*said, **changed):
    return completion_of(json.dumps(completion(BODY, *said, **changed)))


def test_a_completion_is_its_choices_its_tokens_and_its_model():
    found = parsed("spam", "ham")
    assert [one.text for one in found.choices] == ["spam", "ham"]
    assert found.tokens == (40, 4)
    assert found.model == "m-1"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('{"choices": [{"mess', "cut off"),
        ("<html>busy</html>", "not JSON"),
        ("[" * 200_000, "not JSON"),
        ("[]", "no chat completion"),
        ('{"error": {"message": "overloaded"}}', "overloaded"),
        ('{"choices": []}', "no choices"),
        ('{"choices": null}', "no chat completion"),
        ('{"choices": [7]}', "no message"),
        ('{"choices": [{"message": null}]}', "no message"),
        ('{"choices": [{"message": {"content": [1]}}]}', "no text"),
    ],
)
def test_what_is_no_completion_is_malformed(body, why):
    with pytest.raises(Malformed, match=why):
        completion_of(body)


@pytest.mark.parametrize(
    "usage", [None, {}, {"prompt_tokens": -1, "completion_tokens": 2}, {"prompt_tokens": "7", "completion_tokens": 2}, 3]
)
def test_tokens_that_are_not_counted_are_not_known(usage):
    assert parsed("spam", usage=usage).tokens is None


def test_a_refusal_is_recognised_by_its_field_or_by_the_filter():
    refusal = {"finish_reason": "stop", "message": {"content": None, "refusal": "I cannot"}}
    filtered = {"finish_reason": "content_filter", "message": {"content": None}}
    empty = {"finish_reason": "stop", "message": {"content": None}}
    found = parsed(refusal, filtered, empty).choices
    assert [one.refused for one in found] == [True, True, False]
    assert found[0].text == "I cannot"


def test_log_probabilities_of_the_first_token_are_read():
    assert parsed(first_token(**{"1": -0.1, "2": -2.5})).choices[0].top == (("1", -0.1), ("2", -2.5))
    assert parsed("spam").choices[0].top is None


def test_the_sampled_token_is_among_the_likeliest_once():
    choice = first_token(a=-2.0)
    for top, read in [([("b", -0.5)], (("a", -2.0), ("b", -0.5))), ([("b", -0.5), ("a", -2.0)], (("b", -0.5), ("a", -2.0)))]:
        choice["logprobs"]["content"][0]["top_logprobs"] = [{"token": token, "logprob": logprob} for token, logprob in top]
        assert parsed(choice).choices[0].top == read


@pytest.mark.parametrize("logprob", [float("nan"), 0.5, "much", None])
def test_log_probabilities_that_are_none_are_malformed(logprob):
    choice = first_token(a=-1.0)
    choice["logprobs"]["content"][0]["logprob"] = logprob
    with pytest.raises(Malformed, match="log-probabilities"):
        parsed(choice)


def test_log_probabilities_that_add_up_to_more_than_one_are_malformed():
    with pytest.raises(Malformed, match="more than 1"):
        parsed(first_token(a=-0.1, b=-0.1))


def test_infinitely_unlikely_tokens_can_be_stored():
    found = parsed(first_token(a=0.0, b=float("-inf"))).choices[0]
    assert Choice.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 40, "completion_tokens": 2, "total_tokens": 342}, (40, 302)),
        ({"prompt_tokens": 40, "completion_tokens": 2, "total_tokens": 42}, (40, 2)),
        ({"prompt_tokens": 40, "completion_tokens": 2, "total_tokens": 0}, (40, 2)),
        ({"prompt_tokens": 40, "completion_tokens": 2, "total_tokens": "many"}, (40, 2)),
    ],
)
def test_tokens_that_are_in_the_total_alone_are_those_of_the_answer(usage, tokens):
    assert parsed("spam", usage=usage).tokens == tokens
