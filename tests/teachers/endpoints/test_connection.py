"""One request to an endpoint that misbehaves: an answer, or why there is none and what it may cost."""

import logging
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from chat_endpoint import KEY, Reply, completion, failing, in_a_loop, serving

from tutelage.core.errors import BadInput
from tutelage.teachers.endpoints.completions import Completion
from tutelage.teachers.endpoints.connection import Connection, Failure, Line, checked_endpoint, seconds_to_wait

BODY = {"model": "m-1", "messages": [{"role": "user", "content": "Text:\nyou win"}], "temperature": 0.0}


def sent(endpoint, **settings):
    """What a request brings."""

    async def send():
        line = Line(Connection(getattr(endpoint, "url", endpoint), "OPENAI_API_KEY", **{"timeout": 10.0, **settings}))
        try:
            return await line.send(BODY)
        finally:
            await line.close()

    return in_a_loop(send())


def failure(*script, **settings):
    with serving(lambda body: "ham", *script) as endpoint:
        found = sent(endpoint, **settings)
    assert isinstance(found, Failure)
    assert len(endpoint.bodies) == 1
    return found


def test_a_request_is_sent_as_it_is_with_the_key():
    with serving() as endpoint:
        found = sent(endpoint)
    assert isinstance(found, Completion)
    assert found.choices[0].text == "spam"
    assert endpoint.bodies == [BODY]
    assert endpoint.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_a_status_that_passes_is_worth_another_attempt_and_is_paid_only_if_a_gateway_gave_up(status):
    found = failure(failing(status, "busy"))
    assert (found.passing, found.paid, found.status) == (True, status in (408, 504), status)
    assert "busy" in found.why


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_status_that_does_not_pass_is_no_reason_to_ask_again(status):
    assert not failure(failing(status)).passing


def test_a_quota_that_is_used_up_does_not_pass():
    found = failure(Reply({"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}, 429))
    assert not found.passing


@pytest.mark.parametrize(("said", "passing"), [("true", True), ("false", False)])
def test_an_endpoint_may_say_whether_to_ask_again(said, passing):
    assert failure(failing(400 if passing else 500, x_should_retry=said)).passing is passing


def test_the_endpoint_says_how_long_to_wait():
    assert failure(failing(429, retry_after="7")).wait == 7.0
    assert failure(failing(429)).wait is None


def test_an_endpoint_that_wants_too_long_a_pause_is_not_asked_again():
    found = failure(failing(429, retry_after="7200"))
    assert not found.passing
    assert "asks to wait 7,200 seconds" in found.why


def test_pauses_are_read_from_numbers_and_dates():
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30))
    assert 25 < seconds_to_wait({"retry-after": later}) < 31
    assert seconds_to_wait({"retry-after": "-3"}) == 0
    assert seconds_to_wait({"retry-after": "nan"}) is None
    assert seconds_to_wait({}) is None
    assert seconds_to_wait({"retry-after": "Wed, 99 Foo"}) is None


def test_an_answer_that_never_comes_may_have_to_be_paid():
    found = failure(Reply(wait=30), timeout=0.3)
    assert (found.passing, found.paid) == (True, True)
    assert "did not answer within 0.3 seconds" in found.why


def test_an_answer_that_drips_is_given_up_as_a_whole():
    started = time.monotonic()
    found = failure(lambda body: Reply(completion(body, "spam"), drip=0.05), timeout=0.5)
    assert time.monotonic() - started < 5
    assert "did not answer within" in found.why


@pytest.mark.parametrize(
    "reply",
    [Reply('{"choices": [{"mess'), Reply('{"id": "1"', promised=100), Reply(""), Reply("busy", headers={"content-type": "text/html"})],
    ids=["cut JSON", "cut body", "empty", "a page"],
)
def test_an_answer_that_is_cut_may_have_to_be_paid(reply):
    found = failure(reply)
    assert (found.passing, found.paid) == (True, True)


def test_a_redirect_is_not_followed():
    with serving() as other, serving(lambda body: Reply(status=307, headers={"location": other.url + "/chat/completions"})) as endpoint:
        found = sent(endpoint)
    assert other.bodies == []
    assert not found.passing
    assert "redirects to another address (status 307)" in found.why


def test_an_endpoint_that_cannot_be_reached_costs_nothing():
    with serving() as endpoint:
        url = endpoint.url
    found = sent(url)
    assert (found.passing, found.paid) == (True, False)
    assert "cannot be reached" in found.why


@pytest.mark.parametrize("status", [401, 429, 500, 200])
def test_a_key_that_is_echoed_is_masked_and_logged_nowhere(status, caplog):
    with caplog.at_level(logging.DEBUG):
        found = failure(Reply({"error": {"message": f"Incorrect key: {KEY} or Bearer {KEY}"}}, status))
    assert "Incorrect key: [key]" in found.why
    assert KEY not in repr(found)
    assert KEY not in caplog.text


def test_a_long_message_is_masked_before_it_is_cut():
    found = failure(failing(401, "x" * 180 + KEY))
    assert KEY[:10] not in found.why


@pytest.mark.parametrize("address", ["localhost:8000", "ftp://host/v1", "http://", "", "http://[::1", "http://host:port/v1", "/v1"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(BadInput, match="expected an address"):
        checked_endpoint(address)


@pytest.mark.parametrize("address", [f"https://me:{KEY}@host/v1", f"https://host/v1?key={KEY}", f"https://host/v1#{KEY}"])
def test_an_address_that_may_hold_a_key_is_refused_and_not_shown(address):
    with pytest.raises(BadInput, match="holds a user, a password or a query") as refused:
        checked_endpoint(address)
    assert KEY not in str(refused.value)


def test_the_host_is_without_its_port():
    assert Connection(checked_endpoint("http://localhost:8000/v1/"), None).host == "localhost"


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("HTTP://LocalHost:80/v1//", "http://localhost/v1"),
        ("https://api.example:443", "https://api.example"),
        ("http://host:443/V1", "http://host:443/V1"),
        ("http://[::1]:8000/v1/", "http://[::1]:8000/v1"),
    ],
)
def test_an_address_is_written_in_one_way(given, address):
    assert checked_endpoint(given) == address
    assert checked_endpoint(address) == address


def test_a_model_is_named_by_its_whole_address_which_is_not_shown():
    addresses = ["http://h/v1", "https://h/v1", "http://h:8000/v1", "http://h:8000/private/v1", "http://h2/v1"]
    names = [Connection(one, None).named("m") for one in addresses]
    assert len(set(names)) == len(addresses)
    assert "private" not in "".join(names)


def test_a_filter_is_told_from_other_rejections():
    azure = {"error": {"message": "no", "code": None, "innererror": {"code": "ResponsibleAIPolicyViolation"}}}
    found = failure(Reply(azure, 400))
    assert (found.rejected, found.filtered, found.brief) == (True, True, "status 400")
    found = failure(Reply({"error": {"message": "too long", "code": "context_length_exceeded"}}, 400))
    assert (found.rejected, found.filtered, found.brief) == (True, False, "status 400, context_length_exceeded")
    assert failure(Reply({"error": {"message": "no", "code": f"x {KEY}"}}, 422)).brief == "status 422"
    assert failure(Reply({"error": {"message": "no", "code": KEY}}, 422)).brief == "status 422, [key]"
    assert not failure(failing(403)).rejected
