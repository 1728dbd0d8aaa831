"""What a language model as a teacher stores: its identity, its cache, its recordings, and what is lost when a process ends."""

import os
import pickle
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest
from chat_endpoint import CLASSES, SPAM, TEXTS, Reply, asker, by_word, completion, serving, text_of, wait_until

import tutelage as tl
from tutelage.core.errors import BadInput, CannotWrite, DamagedFile, LabelMismatch
from tutelage.evaluation.cost import latency_of_requests
from tutelage.teachers.endpoints.answer_store import FILE


def test_further_votes_are_added_to_those_that_are_stored(tmp_path):
    with serving(by_word) as endpoint:
        asker(endpoint, votes=2, temperature=1, cache=tmp_path / "cache").answer(["a"])
        asker(endpoint, votes=5, temperature=1, cache=tmp_path / "cache").answer(["a"])
        asker(endpoint, votes=3, temperature=1, cache=tmp_path / "cache").answer(["a"])
    assert [body["n"] for body in endpoint.bodies] == [2, 3]


@pytest.mark.parametrize(
    ("into", "cache"), [("one", "one"), ("one", "one/answers"), ("one/labels", "one"), ("link", "there"), ("one", "./x/../one")]
)
@pytest.mark.parametrize("writing", ["record", "plan", "distill"])
def test_answers_that_are_stored_where_something_is_written_are_refused_before_anything_is_asked(
    writing, into, cache, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    write = {"record": tl.record, "plan": tl.plan, "distill": lambda *given: tl.distill(*given[:2], into=given[2], students=["logistic"])}
    with serving(by_word) as endpoint:
        teacher = asker(endpoint, cache=cache)
        for one in (teacher, tl.ensemble([teacher, asker(endpoint, temperature=1)])):
            with pytest.raises(
                CannotWrite, match=r"cache= is .*, a folder of results, (is|lies) .*\. Choose another folder for one of the two"
            ):
                write[writing](one, TEXTS, into)
    assert endpoint.bodies == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "there"]


def test_a_recording_elsewhere_is_refused_before_anything_is_asked():
    with (
        serving(by_word) as endpoint,
        pytest.raises(BadInput, match="cannot be recorded into memory://lake/labels; record into a folder of this"),
    ):
        tl.record(asker(endpoint), TEXTS, "memory://lake/labels")
    assert endpoint.bodies == []


def test_it_is_a_teacher_that_is_recorded_and_resumed(tmp_path):
    with serving(lambda body: completion(body, *(["spam", "ham", "ham"] if "win" in text_of(body) else ["ham"] * 3))) as endpoint:
        teacher = asker(endpoint, votes=3, cache=tmp_path / "cache")
        tl.check_teacher(teacher, TEXTS)
        labels = tl.record(teacher, TEXTS, tmp_path / "labels", shard_rows=2)
        again = tl.record(asker(endpoint, votes=3, cache=tmp_path / "cache"), TEXTS, tmp_path / "labels", shard_rows=2)
    assert labels.answer(TEXTS).tolist() == again.answer(TEXTS).tolist() == teacher.answer(TEXTS).tolist()
    assert labels.fingerprint == teacher.fingerprint
    assert endpoint.asked == dict.fromkeys(TEXTS, 1)


def test_a_recording_is_opened_without_asking_and_without_a_cache(tmp_path):
    votes = iter(range(100))
    with serving(lambda body: completion(body, *(["spam", "ham"][(next(votes) + n) % 2] for n in range(3)))) as endpoint:
        labels = tl.record(asker(endpoint, votes=3), TEXTS, tmp_path / "labels")
        assert len(endpoint.bodies) == 4
        again = tl.record(asker(endpoint, votes=3), TEXTS, tmp_path / "labels")
    assert (again.answer(TEXTS) == labels.answer(TEXTS)).all()
    assert len(endpoint.bodies) == 4


def even(rows):
    return [[0.5, 0.5]] * len(rows)


EVEN = tl.as_teacher(even, kind="probabilities", classes=CLASSES, version="1")
WRAPPED = {
    "relabelled": lambda teacher: tl.relabelled(teacher, ["ham", "spam"]),
    "ensemble": lambda teacher: tl.ensemble([EVEN, teacher]),
    "both": lambda teacher: tl.relabelled(tl.ensemble([teacher, EVEN]), ["ham", "spam"]),
}


def test_a_text_without_a_class_is_named_by_its_row_in_the_data(tmp_path):
    texts = [*TEXTS, "eggs"]
    with (
        serving(lambda body: completion(body, "eggs" if text_of(body) == "eggs" else "ham")) as endpoint,
        pytest.raises(BadInput, match=r"first: row 0, answered 'eggs'\)\. Leave these rows out.*Row 0 of these is row 4 of the data"),
    ):
        tl.record(asker(endpoint), texts, tmp_path / "labels", shard_rows=2)


@pytest.mark.parametrize("wrapped", WRAPPED)
def test_a_wrapped_language_model_is_recorded_as_one(wrapped, tmp_path):
    """Its answers vary, are paid once, and are asked by one process: opened without asking, and resumed without asking what is there."""
    votes, wrap = iter(range(1000)), WRAPPED[wrapped]
    with serving(lambda body: completion(body, *(["spam", "ham"][(next(votes) // 2) % 2] for _ in range(3)))) as endpoint:
        labels = tl.record(wrap(asker(endpoint, votes=3)), TEXTS, tmp_path / "labels", shard_rows=2)
        before = labels.answer(TEXTS)
        assert labels.provenance.served == "m-1"
        assert len(endpoint.bodies) == 4
        tl.record(wrap(asker(endpoint, votes=3)), TEXTS, tmp_path / "labels", shard_rows=2)
        assert len(endpoint.bodies) == 4
        (tmp_path / "labels" / "manifest.json").unlink()
        (tmp_path / "labels" / "part-00001.parquet").unlink()
        again = tl.record(wrap(asker(endpoint, votes=3)), TEXTS, tmp_path / "labels", shard_rows=2)
        assert endpoint.asked == {text: 1 + (text in TEXTS[2:]) for text in TEXTS}
        assert again.answer(TEXTS)[:2].tolist() == before[:2].tolist()
        with pytest.raises(BadInput, match="m-1 is asked many texts at a time already, within a budget that holds for one process"):
            tl.plan(wrap(asker(endpoint)), TEXTS, tmp_path / "plan")
        with pytest.raises(BadInput, match="the answers of m-1 cannot be recorded into memory://lake/labels"):
            tl.record(wrap(asker(endpoint)), TEXTS, "memory://lake/labels")
    assert not (tmp_path / "plan").exists()


def test_a_wrapped_language_model_that_is_served_in_another_version_is_refused(tmp_path):
    with serving(lambda body: completion(body, "ham", model="m-1-2026-01-01")) as endpoint:
        tl.record(WRAPPED["both"](asker(endpoint)), TEXTS, tmp_path / "labels", shard_rows=2)
        (tmp_path / "labels" / "manifest.json").unlink()
        (tmp_path / "labels" / "part-00001.parquet").unlink()
        endpoint.answer = lambda body: completion(body, "ham", model="m-1-2026-09-09")
        with pytest.raises(LabelMismatch, match="are those of 'm-1-2026-01-01', and the endpoint now serves 'm-1-2026-09-09'"):
            tl.record(WRAPPED["both"](asker(endpoint)), TEXTS, tmp_path / "labels", shard_rows=2)


@pytest.mark.parametrize("wrapped", WRAPPED)
def test_a_recording_of_a_wrapped_language_model_that_names_no_served_model_is_opened_and_resumed(wrapped, tmp_path, monkeypatch):
    """Earlier versions named one of a bare language model alone."""
    wrap = WRAPPED[wrapped]
    with serving(lambda body: completion(body, "ham")) as endpoint:
        teacher = wrap(asker(endpoint))
        with monkeypatch.context() as earlier:
            earlier.setattr("tutelage.softlabels.recording.served_by", lambda teacher: None)
            recorded = tl.record(teacher, TEXTS, tmp_path / "labels", shard_rows=2)
        assert recorded.provenance.served is None
        assert len(tl.record(teacher, TEXTS, tmp_path / "labels", shard_rows=2)) == 4
        (tmp_path / "labels" / "manifest.json").unlink()
        (tmp_path / "labels" / "part-00001.parquet").unlink()
        resumed = tl.record(teacher, TEXTS, tmp_path / "labels", shard_rows=2)
        assert (resumed.provenance, resumed.sha256) == (recorded.provenance, recorded.sha256)
        assert len(endpoint.bodies) == 4


@pytest.mark.parametrize(
    "other",
    [
        {"model": "m-2"},
        {"classes": ["ham", "spam"]},
        {"prompt": "{text}?"},
        {"votes": 2, "temperature": 0},
        {"temperature": 0.5},
        {"logprobs": True},
        {"max_tokens": 99},
        {"request": {"seed": 1}},
        {"refused": "uniform"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_the_fingerprint_is_of_all_that_answers_depend_on(other, monkeypatch):
    with serving() as endpoint:
        fingerprint = asker(endpoint).fingerprint
        assert asker(endpoint, **other).fingerprint != fingerprint
        monkeypatch.setenv("ANOTHER", "another-key")
        same = asker(endpoint, key_from="ANOTHER", concurrency=2, timeout=5, retries=1, budget="9 requests", price=(1, 1))
        assert same.fingerprint == fingerprint
    elsewhere = tl.teachers.chat("m-1", ["spam", "ham"], endpoint="http://elsewhere/v1")
    assert elsewhere.fingerprint != fingerprint


@pytest.mark.parametrize(
    "other", [{"prompt": "{text}?"}, {"temperature": 0.5}, {"max_tokens": 99}, {"request": {"seed": 1}}, {"model": "m-2"}]
)
def test_answers_to_another_request_are_asked_anew(other, tmp_path):
    with serving(lambda body: "ham") as endpoint:
        asker(endpoint, cache=tmp_path / "cache").answer(["a"])
        asker(endpoint, cache=tmp_path / "cache").answer(["a"])
        assert len(endpoint.bodies) == 1
        asker(endpoint, cache=tmp_path / "cache", **other).answer(["a"])
    assert len(endpoint.bodies) == 2


KILLED = """
import sys
import tutelage as tl
teacher = tl.teachers.chat("m-1", ["spam", "ham"], endpoint=sys.argv[1], cache=sys.argv[2], concurrency=3, budget="40 requests")
tl.record(teacher, [f"text {number}" for number in range(30)], sys.argv[3])
"""


@pytest.mark.exhaustive(every=3)
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda end: end.name)
def test_a_process_that_is_stopped_anywhere_loses_no_answer(end, tmp_path):
    texts = [f"text {number}" for number in range(30)]
    delivered, held = [], 12

    def until_held(body):
        delivered.append(text_of(body))
        return completion(body, "ham") if len(delivered) <= held else Reply(wait=60)

    with serving(until_held) as endpoint:
        arguments = [endpoint.url, str(tmp_path / "cache"), str(tmp_path / "labels")]
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(KILLED), *arguments], env={**os.environ}, stderr=subprocess.PIPE, text=True
        )
        wait_until(lambda: len(endpoint.bodies) == held + 3, 60)
        process.send_signal(end)
        process.communicate(timeout=30)
        endpoint.answer = lambda body: "ham"
        teacher = asker(endpoint, cache=tmp_path / "cache", budget="40 requests")
        before = teacher.estimate(texts)
        labels = tl.record(teacher, texts, tmp_path / "labels")
    assert before.stored == held
    assert len(labels) == 30
    answered = Counter(delivered[:held])
    asked_again = {text: count for text, count in endpoint.asked.items() if count > 1}
    assert not set(asked_again) & set(answered)
    assert teacher.store.spent(teacher.asked).requests == len(endpoint.bodies) == 33  # those on their way when it ended are counted


def test_a_damaged_cache_is_an_error_and_no_answer(tmp_path):
    with serving() as endpoint:
        asker(endpoint, cache=tmp_path / "cache").answer(TEXTS)
        path = tmp_path / "cache" / FILE
        path.write_bytes(path.read_bytes().replace(b'"spam"', b'"ham" ', 1))
        with pytest.raises(DamagedFile):
            asker(endpoint, cache=tmp_path / "cache").answer(TEXTS)
    assert len(endpoint.bodies) == 4


def test_two_calls_into_one_cache_do_not_pay_twice(tmp_path):
    with serving() as endpoint:
        first, second = (asker(endpoint, cache=tmp_path / "cache") for _ in range(2))
        with first.store.writing(), pytest.raises(CannotWrite, match="another call"):
            second.answer(TEXTS)
        first.answer(TEXTS)
        second.answer(TEXTS)
    assert len(endpoint.bodies) == 4


def test_a_pickled_teacher_answers_from_the_same_cache(tmp_path):
    with serving() as endpoint:
        teacher = tl.teachers.chat("m-1", ["spam", "ham"], endpoint=endpoint.url, cache=tmp_path / "cache")
        teacher.answer(TEXTS)
        other = pickle.loads(pickle.dumps(teacher))  # noqa: S301 - the bytes pickled here
        assert other.answer(TEXTS).tolist() == SPAM
        assert other.fingerprint == teacher.fingerprint
    assert len(endpoint.bodies) == 4


def test_a_cache_is_a_folder_of_one_file_without_texts(tmp_path):
    with serving() as endpoint:
        asker(endpoint, cache=tmp_path / "cache").answer(["a secret text, win"])
    assert [path.name for path in Path(tmp_path / "cache").iterdir()] == [FILE]
    assert "secret" not in (tmp_path / "cache" / FILE).read_text(encoding="utf-8")


def test_endpoints_of_one_machine_share_no_answer_no_cost_and_no_version(tmp_path):
    def answering(said, date):
        return lambda body: completion(body, said, model=f"m-1{date}")

    with serving(answering("spam", "-2026-01-01")) as first, serving(answering("ham", "-2026-09-09")) as second:
        one, other = (asker(endpoint, cache=tmp_path / "cache", budget="4 requests") for endpoint in (first, second))
        assert one.fingerprint != other.fingerprint
        assert one.answer(TEXTS).tolist() == [[1.0, 0.0]] * 4
        assert other.answer(TEXTS).tolist() == [[0.0, 1.0]] * 4
        with pytest.raises(BadInput, match="4 was spent"):
            other.answer(["further"])
        assert [teacher.report(TEXTS).model for teacher in (one, other)] == ["m-1-2026-01-01", "m-1-2026-09-09"]
        tl.record(one, TEXTS, tmp_path / "labels")
        with pytest.raises(LabelMismatch, match="the endpoint now serves 'm-1-2026-09-09'"):
            tl.record(other, TEXTS, tmp_path / "labels")
    assert len(first.bodies) == len(second.bodies) == 4


@pytest.mark.parametrize("path", ["/v1", "/other/v1", "/V1"])
def test_the_path_identifies_an_endpoint_and_its_spelling_does_not(path):
    def fingerprint(endpoint):
        return tl.teachers.chat("m", ["a", "b"], endpoint=endpoint).fingerprint

    usual = "http://host:8000/v1"
    assert (fingerprint(f"http://host:8000{path}") == fingerprint(usual)) is (path == "/v1")
    assert fingerprint("HTTP://Host:8000/v1/") == fingerprint(usual)
    assert fingerprint("http://host/v1") == fingerprint("http://host:80/v1") != fingerprint("https://host/v1")


def test_the_latency_of_a_model_is_not_that_of_another_in_the_same_cache(tmp_path):
    with serving(lambda body: Reply(completion(body, "ham"), wait=0.3 if body["model"] == "slow" else 0)) as endpoint:
        slow, quick = (asker(endpoint, cache=tmp_path / "cache", model=model) for model in ("slow", "quick"))
        slow.answer(TEXTS)
        assert latency_of_requests(quick) is None
        quick.answer(TEXTS)
        slow.store.refresh()
    assert latency_of_requests(slow).p50_us > 300_000 > latency_of_requests(quick).p50_us
