"""Keys: read from the environment, and masked wherever a text is quoted."""

import json

import pytest

from tutelage.core.errors import BadInput
from tutelage.teachers.endpoints.keys import MASK, NO_KEY, read_key


def test_a_key_is_read_from_the_variable_that_is_named(monkeypatch):
    monkeypatch.setenv("MINE", " abc123 \n")
    assert read_key("MINE", required=True)[0] == "abc123"


@pytest.mark.parametrize("name", [None, "NOT_SET"])
def test_an_endpoint_without_keys_is_sent_none(name, monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    assert read_key(name, required=False)[0] == NO_KEY


def test_a_key_that_is_not_set_is_asked_for_by_its_name(monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    with pytest.raises(BadInput, match="NOT_SET of the environment is not set"):
        read_key("NOT_SET", required=True)


@pytest.mark.parametrize("key", ["sk-a\nb: c", "sk-ä", "two words"])
def test_a_key_that_no_header_can_hold_is_refused_without_being_shown(key, monkeypatch):
    monkeypatch.setenv("MINE", key)
    with pytest.raises(BadInput, match="MINE") as refused:
        read_key("MINE", required=True)
    assert key not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_key_is_masked_in_every_form_in_which_a_server_may_echo_it(monkeypatch):
    key = 'k"e/y+1\\2'
    monkeypatch.setenv("MINE", key)
    _, masked, _ = read_key("MINE", required=True)
    for echoed in (key, json.dumps(key), "k%22e/y%2B1%5C2", "k%22e%2Fy%2B1%5C2"):
        assert masked(f"no such key: {echoed}!").strip('"').startswith(f"no such key: {MASK}") or MASK in masked(echoed)
        assert key not in masked(echoed)
    assert masked("Incorrect key sk-abc***xyz.") == f"Incorrect key {MASK}"
    assert masked("nothing to hide") == "nothing to hide"


@pytest.mark.parametrize(("key", "hidden"), [("tk-0123456789", True), ("x", False), ("EMPTY", False)])
def test_a_key_is_masked_in_answers_and_short_ones_leave_them_as_they_are(key, hidden, monkeypatch):
    monkeypatch.setenv("MINE", key)
    _, _, without = read_key("MINE", required=True)
    assert (key in without(f"a text, EMPTY: {key}")) is not hidden
    assert without("sk-learn") == "sk-learn"
