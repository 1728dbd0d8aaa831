"""`chat`: its settings, checked at the door, and the key, which is nowhere but in the requests."""

import logging
import pickle
import traceback

import pytest
from chat_endpoint import KEY, Reply, asker, completion, failing, serving

import tutelage as tl
from tutelage.core.errors import BadInput, LabelMismatch, TutelageError

URL = "http://localhost:8000/v1"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"model": ""}, "model is empty"),
        ({"model": 7}, "model is 7"),
        ({"classes": ["a"]}, "class"),
        ({"classes": ["a", "a"]}, "class"),
        ({"classes": "ab", "votes": 0}, "votes is 0"),
        ({"classes": ["1", 1]}, "would both call '1'"),
        ({"endpoint": "nowhere"}, "expected an address"),
        ({"endpoint": 7}, "endpoint is 7"),
        ({"key_from": 7}, "key_from is 7"),
        ({"prompt": "no field"}, "no field {text}"),
        ({"votes": 2.5}, "votes is 2.5"),
        ({"logprobs": "yes"}, "logprobs is 'yes'"),
        ({"logprobs": True, "votes": 3}, "pass one of the two"),
        ({"logprobs": True, "classes": [f"class {letter}" for letter in "abcdefghijklmnopqrstu"]}, "there are 21 classes"),
        ({"logprobs": True, "classes": ["yes", "no", "not sure"], "prompt": "{text}?"}, "tell the class 'no' from 'not sure'"),
        ({"logprobs": True, "classes": ["US", "us"], "prompt": str}, "may not tell the class 'US' from 'us'"),
        ({"temperature": 3}, "temperature is 3"),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"request": {"max_tokens": "many"}}, "max_tokens is 'many'"),
        ({"request": {"messages": []}}, "request= holds 'messages'"),
        ({"request": {"n": 3}}, "request= holds 'n'"),
        ({"request": {"a": {1, 2}}}, "JSON cannot hold"),
        ({"request": {"a": float("nan")}}, "JSON cannot hold"),
        ({"request": {1: 2}}, "names of settings as texts"),
        ({"request": [1]}, "request is"),
        ({"price": 1}, "price is 1"),
        ({"budget": 5}, "no price= says"),
        ({"refused": "skip"}, "refused is 'skip'"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"timeout": 0}, "timeout is 0"),
        ({"retries": -1}, "retries is -1"),
        ({"advance": 1}, "advance is 1"),
        ({"cache": 7}, "cache is 7"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings, sentence):
    given = {"model": "m", "classes": ["spam", "ham"], "endpoint": URL, **settings}
    with pytest.raises((BadInput, LabelMismatch)) as refused:
        tl.teachers.chat(given.pop("model"), given.pop("classes"), **given)
    assert sentence in str(refused.value)


def test_a_prompt_that_nothing_identifies_is_refused():
    import socket

    with socket.socket() as connection, pytest.raises(BadInput, match="socket"):
        tl.teachers.chat("m", ["a", "b"], prompt=lambda text: f"{connection}{text}")


def test_the_address_is_that_of_the_variable_or_of_openai(monkeypatch):
    assert tl.teachers.chat("m", ["a", "b"]).connection.endpoint == "https://api.openai.com/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://inside:8000/v1/")
    assert tl.teachers.chat("m", ["a", "b"]).connection.endpoint == "http://inside:8000/v1"
    assert tl.teachers.chat("m", ["a", "b"], endpoint=URL).connection.endpoint == URL


def test_a_limit_is_called_as_the_endpoint_calls_it():
    def body(**settings):
        return tl.teachers.chat("m", ["spam", "ham"], **settings).sampling.body

    assert body()["max_completion_tokens"] == 16
    assert body(endpoint=URL) == {"temperature": 0.0, "max_tokens": 16}
    assert body(endpoint=URL, request={"max_completion_tokens": 500, "temperature": None}) == {"max_completion_tokens": 500}
    assert tl.teachers.chat("m", ["spam", "ham"], request={"max_tokens": 500}).sampling.most_output == 500
    assert tl.teachers.chat("m", ["a" * 50, "b"]).sampling.most_output == 54


def test_a_key_that_is_not_set_is_missed_where_it_is_needed(monkeypatch, tmp_path):
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(BadInput, match="the variable OPENAI_API_KEY of the environment is not set"):
        tl.teachers.chat("m", ["a", "b"], cache=tmp_path / "cache").answer(["c"])
    assert list(tmp_path.iterdir()) == []
    with serving() as endpoint:
        asker(endpoint).answer(["c"])
        with pytest.raises(BadInput, match="the variable MINE"):
            asker(endpoint, key_from="MINE").answer(["d"])
        monkeypatch.setenv("MINE", "mine-1234")
        asker(endpoint, key_from="MINE").answer(["d"])
        asker(endpoint, key_from=None).answer(["e"])
    assert endpoint.keys == ["Bearer none", "Bearer mine-1234", "Bearer none"]


def test_no_other_key_of_the_environment_is_sent(monkeypatch):
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "admin-key-1")
    with serving() as endpoint:
        asker(endpoint).answer(["a"])
    assert endpoint.keys == [f"Bearer {KEY}"]


def echoing(status):
    return lambda body: Reply({"error": {"message": f"bad key {KEY}"}}, status, {"x-your-key": KEY})


@pytest.mark.parametrize("status", [200, 301, 400, 401, 404, 429, 500])
def test_the_key_is_in_no_file_log_error_repr_or_pickle(status, tmp_path, monkeypatch, caplog, capsys):
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.DEBUG), serving(echoing(status)) as endpoint:
        teacher = asker(endpoint, cache="cache", retries=1)
        with pytest.raises(TutelageError) as failed:
            tl.record(teacher, ["a", "b"], "labels")
        with pytest.raises(TutelageError):
            teacher.consistency(["a"])
    assert endpoint.keys[0] == f"Bearer {KEY}"
    found, seen = failed.value, set()
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        assert KEY not in f"{found!r} {found} {vars(found)}"
        found = found.__cause__ or found.__context__
    assert KEY not in "".join(traceback.format_exception(failed.value))
    assert KEY not in repr(teacher) + teacher.fingerprint + str(teacher.estimate(["a"])) + str(teacher.report(["a"]))
    assert KEY.encode() not in pickle.dumps(teacher.store) + pickle.dumps(teacher.sampling)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert all(KEY.encode() not in path.read_bytes() for path in files)
    assert KEY not in "".join(record.getMessage() for record in caplog.records if record.name.startswith(("tutelage", "openai")))
    shown = capsys.readouterr()
    assert KEY not in shown.out + shown.err


def test_a_key_with_a_line_break_reaches_no_error(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\nX-Injected: 1")
    with serving() as endpoint, pytest.raises(BadInput, match="its value is not shown") as failed:
        asker(endpoint).answer(["a"])
    assert KEY not in "".join(traceback.format_exception(failed.value))
    assert endpoint.bodies == []


def test_a_failure_of_one_call_is_not_that_of_the_next():
    with serving(lambda body: "spam", failing(401)) as endpoint:
        teacher = asker(endpoint)
        with pytest.raises(BadInput, match="401"):
            teacher.answer(["a"])
        assert teacher.answer(["a"]).tolist() == [[1, 0]]


@pytest.mark.parametrize("said", [KEY, f"spam {KEY}"])
def test_a_key_that_is_echoed_as_an_answer_or_a_model_is_not_stored(said, tmp_path):
    with serving(lambda body: said) as endpoint:
        teacher = asker(endpoint, cache=tmp_path / "cache")
        with pytest.raises(BadInput, match=r"answered .*\[key\]") as failed:
            teacher.answer(["a"])
        assert KEY not in str(failed.value)
        assert KEY not in (tmp_path / "cache" / "answers.jsonl").read_text(encoding="utf-8")
        endpoint.answer = lambda body: completion(body, "spam", model=KEY)
        with pytest.raises(BadInput, match=r"answers with '\[key\]'"):
            teacher.answer(["b"])


def test_headers_of_the_environment_are_not_sent_to_another_endpoint(monkeypatch):
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer elsewhere\nX-Gateway-Key: secret")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-1")
    with serving() as endpoint:
        asker(endpoint).answer(["a"])
    assert endpoint.keys == [f"Bearer {KEY}"]
    assert not {"x-gateway-key", "openai-organization", "openai-project"} & endpoint.headers[0]


def test_a_budget_needs_a_limit_of_the_answers_and_the_higher_of_two_counts():
    with pytest.raises(BadInput, match="leaves out the limit of an answer"):
        tl.teachers.chat("m", ["a", "b"], endpoint=URL, request={"max_tokens": None}, budget="5 requests")
    both = tl.teachers.chat("m", ["a", "b"], endpoint=URL, request={"max_tokens": 5, "max_completion_tokens": 900}, budget="5 requests")
    assert both.sampling.most_output == 900


@pytest.mark.parametrize("argument", ["key_from", "endpoint"])
@pytest.mark.parametrize("key", ["sk-abc123def456", "hf_AbCdEfGhIj", "gsk_1a2b3c", "xai-1a2b3c4d"])
def test_a_key_that_is_passed_in_place_of_another_argument_is_not_shown(argument, key):
    with pytest.raises(BadInput, match="it is not shown") as refused:
        tl.teachers.chat("m", ["a", "b"], **{"endpoint": URL, argument: key})
    assert key not in "".join(traceback.format_exception_only(refused.value))


def test_a_variable_in_small_letters_is_one_if_it_is_set(monkeypatch):
    monkeypatch.setenv("my_key", "mine-1234")
    with serving() as endpoint:
        asker(endpoint, key_from="my_key").answer(["a"])
    assert endpoint.keys == ["Bearer mine-1234"]
