"""A language model as a teacher: probabilities from votes or log-probabilities, refusals, resuming, cost."""

import math
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chat_endpoint import KEY, Reply, asker, by_word, completion, first_token, in_a_loop, serving, text_of, wait_until

import tutelage as tl
from tutelage.core.errors import BadInput, CannotWrite, DamagedFile, LabelMismatch, ShapeError
from tutelage.evaluation.cost import latency_of_requests
from tutelage.teachers.endpoints.answer_store import FILE
from tutelage.teachers.endpoints.chat_teacher import asks_an_endpoint
from tutelage.teachers.endpoints.spending import Spending

TEXTS = ["you win", "lunch at noon", "win a car", "see you"]
SPAM = [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]


def saying(**said):
    """An endpoint's answers by text; those of several votes as a list."""
    return lambda body: completion(body, *(said[text_of(body)] if isinstance(said[text_of(body)], list) else [said[text_of(body)]]))


def test_answers_are_probabilities_of_the_classes_and_no_text_is_asked_twice():
    with serving() as endpoint:
        teacher = asker(endpoint)
        assert teacher.answer([*TEXTS, TEXTS[0]]).tolist() == [*SPAM, SPAM[0]]
        assert teacher.answer(TEXTS[::-1]).tolist() == SPAM[::-1]
    assert endpoint.asked == dict.fromkeys(TEXTS, 1)
    assert endpoint.bodies[0].keys() == {"model", "messages", "temperature", "max_tokens"}


def test_votes_are_shares_of_the_classes():
    with serving(saying(a=["spam", "ham", "spam", "spam"])) as endpoint:
        teacher = asker(endpoint, votes=4)
        assert teacher.answer(["a"]).tolist() == [[0.75, 0.25]]
    assert endpoint.bodies[0]["n"] == 4
    assert endpoint.bodies[0]["temperature"] == 1.0


def test_further_votes_are_added_to_those_that_are_stored(tmp_path):
    with serving(by_word) as endpoint:
        asker(endpoint, votes=2, temperature=1, cache=tmp_path / "cache").answer(["a"])
        asker(endpoint, votes=5, temperature=1, cache=tmp_path / "cache").answer(["a"])
        asker(endpoint, votes=3, temperature=1, cache=tmp_path / "cache").answer(["a"])
    assert [body["n"] for body in endpoint.bodies] == [2, 3]


def test_log_probabilities_are_normalised_over_the_classes_and_the_rest_is_reported():
    choice = first_token(**{"1": math.log(0.6), " 2": math.log(0.2), "I": math.log(0.1)})
    with serving(lambda body: completion(body, choice)) as endpoint:
        teacher = asker(endpoint, logprobs=True)
        assert teacher.answer(["a"]) == pytest.approx(np.array([[0.75, 0.25]]))
    assert teacher.report(["a"]).outside == pytest.approx(0.2)
    assert "Outside the classes: 20.00%" in str(teacher.report(["a"]))
    body = endpoint.bodies[0]
    assert (body["logprobs"], body["top_logprobs"], body["max_tokens"], body["temperature"]) == (True, 20, 1, 1.0)
    assert "the number of one class" in body["messages"][0]["content"]


def test_an_endpoint_without_log_probabilities_is_refused():
    with serving() as endpoint, pytest.raises(BadInput, match=r"sent no log-probabilities .* pass logprobs=False, and votes="):
        asker(endpoint, logprobs=True).answer(["a"])
    assert len(endpoint.bodies) == 1


def test_first_tokens_that_begin_no_class_are_no_answer():
    choice = first_token(Sorry=math.log(0.9), **{"1": math.log(0.1)})
    with serving(lambda body: completion(body, choice)) as endpoint:
        teacher = asker(endpoint, logprobs=True)
        with pytest.raises(BadInput, match=r"1 of 1 texts have no class \(1 no class; first: row 0, answered 'Sorry'\)"):
            teacher.answer(["a"])


REFUSAL = {"finish_reason": "stop", "message": {"content": None, "refusal": "I cannot help"}}
FILTERED = {"finish_reason": "content_filter", "message": {"content": None}}
EMPTY = {"finish_reason": "stop", "message": {"content": None}}
CUT = {"finish_reason": "length", "message": {"content": "Well, this text i"}}
NONE_OF_THEM = "eggs"
WITHOUT = {"r": REFUSAL, "f": FILTERED, "e": EMPTY, "c": CUT, "n": NONE_OF_THEM}


def test_texts_without_a_class_are_an_error_once_all_texts_are_asked():
    with serving(saying(a="spam", **WITHOUT, b="ham")) as endpoint:
        teacher = asker(endpoint, concurrency=1)
        sentence = r"5 of 7 texts have no class \(2 refused, 1 empty, 1 cut off, 1 no class; first: row 1, answered 'I cannot help'\)"
        with pytest.raises(BadInput, match=sentence):
            teacher.answer(["a", *WITHOUT, "b"])
        assert len(endpoint.bodies) == 7
        assert teacher.answer(["a", "b"]).tolist() == [[1, 0], [0, 1]]
    assert len(endpoint.bodies) == 7
    report = teacher.report(["a", *WITHOUT, "b"])
    assert (report.texts, report.answered, report.votes) == (7, 2, 7)
    assert report.others == {"refused": 2, "empty": 1, "cut off": 1, "no class": 1}
    assert "2 of 7 texts have a class, from 7 answers; of these, without a class: 2 refused, 1 empty" in str(report)


def test_texts_without_a_class_can_be_given_equal_probabilities():
    with serving(saying(a="spam", n=NONE_OF_THEM)) as endpoint:
        teacher = asker(endpoint, refused="uniform")
        with pytest.warns(UserWarning, match=r"1 answers name no class and are not counted \(1 no class\); 1 texts get equal"):
            assert teacher.answer(["a", "n"]).tolist() == [[1.0, 0.0], [0.5, 0.5]]


def test_votes_without_a_class_are_not_counted():
    with serving(saying(a=["spam", REFUSAL, "ham", "spam"])) as endpoint:
        teacher = asker(endpoint, votes=4)
        with pytest.warns(UserWarning, match=r"1 answers name no class and are not counted \(1 refused\)\."):
            assert teacher.answer(["a"]) == pytest.approx(np.array([[2 / 3, 1 / 3]]))


def test_texts_come_in_any_container():
    with serving() as endpoint:
        teacher = asker(endpoint)
        for rows in (np.array(TEXTS), pd.Series(TEXTS), pd.DataFrame({"text": TEXTS}), tuple(TEXTS)):
            assert teacher.answer(rows).tolist() == SPAM
    assert len(endpoint.bodies) == 4


@pytest.mark.parametrize(
    ("rows", "error", "sentence"),
    [
        ([], ShapeError, "no rows"),
        (["a", 7], BadInput, "row 1 is 7"),
        (["a", None], BadInput, "row 1 is None"),
        (pd.DataFrame({"a": ["b"], "c": ["d"]}), BadInput, "have 2 columns"),
        (["fine", "half \ud800"], BadInput, "row 1 holds half a character"),
    ],
)
def test_rows_that_are_no_texts_are_refused_and_not_asked(rows, error, sentence):
    with serving() as endpoint, pytest.raises(error, match=sentence):
        asker(endpoint).answer(rows)
    assert endpoint.bodies == []


def test_a_long_and_an_empty_text_and_every_character_are_sent_as_they_are():
    texts = ["", "win\0" + "ä€😀" * 2000, "{text} {classes} %s \\n \n\n Text:\t"]
    with serving(lambda body: "ham") as endpoint:
        asker(endpoint, prompt="{text}").answer(texts)
    assert {body["messages"][0]["content"] for body in endpoint.bodies} == set(texts)


def test_it_answers_where_a_loop_is_running_already():
    async def in_a_notebook():
        return teacher.answer(TEXTS).tolist()

    with serving() as endpoint:
        teacher = asker(endpoint)
        assert in_a_loop(in_a_notebook()) == SPAM


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


def test_a_budget_holds_for_threads_that_share_a_teacher():
    with serving(lambda body: Reply(completion(body, "ham"), wait=0.01)) as endpoint:
        teacher = asker(endpoint, budget="10 requests")

        def ask(start):
            with suppress(BadInput):
                teacher.answer([f"text {start + number}" for number in range(8)])

        threads = [threading.Thread(target=ask, args=(start,)) for start in (0, 100, 200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(endpoint.bodies) == 10
    assert teacher.store.spent(teacher.asked).requests == 10


def test_teachers_made_of_a_language_model_ask_an_endpoint_too():
    with serving() as endpoint:
        teacher = asker(endpoint)
        both = tl.ensemble([teacher, asker(endpoint, model="m-2")])
        renamed = tl.relabelled(both, ["junk", "mail"], rename={"spam": "junk", "ham": "mail"})
        assert [asks_an_endpoint(one) for one in (teacher, both, renamed, tl.record(renamed, TEXTS))] == [True, True, True, False]
        found = tl.preflight(renamed, TEXTS * 5)
    assert [one.severity for one in found.findings if one.check == "repeatable"] == ["note"]
    assert sorted(endpoint.asked.values()) == [2, 2, 2, 2]


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


def test_an_estimate_sends_nothing_and_knows_what_is_stored():
    with serving() as endpoint:
        teacher = asker(endpoint, price=(1.0, 10.0), budget=0.0001)
        before = teacher.estimate([*TEXTS, TEXTS[0]])
        assert endpoint.bodies == []
        assert (before.texts, before.stored, before.likely.requests) == (5, 0, 4)
        assert before.likely.input <= before.most.input
        assert not before.within_budget
        assert "not enough" in str(before)
        assert "Nothing was sent." in str(before)
        teacher = asker(endpoint, price=(1.0, 10.0))
        teacher.answer(TEXTS[:3])
        after = teacher.estimate([*TEXTS, TEXTS[0]])
    assert (after.texts, after.stored, after.likely.requests) == (5, 4, 1)
    assert after.spent == Spending(3, 120, 6)


@pytest.mark.parametrize("answer", [by_word, lambda body: completion(body, "ham")], ids=["three choices", "one choice"])
def test_the_most_of_an_estimate_bounds_what_is_billed(answer):
    with serving(answer) as endpoint:
        teacher = asker(endpoint, votes=3)
        most = teacher.estimate(TEXTS).most
        teacher.answer(TEXTS)
    spent = teacher.store.spent(teacher.asked)
    assert (spent.requests <= most.requests, spent.input <= most.input, spent.output <= most.output) == (True, True, True)


def test_agreement_with_itself_is_the_ceiling_of_a_student():
    votes = iter([["spam", "spam", "ham", "ham"], ["ham", "ham", "ham", "ham"]])
    with serving(lambda body: completion(body, *next(votes))) as endpoint:
        teacher = asker(endpoint, votes=4, concurrency=1)
        teacher.answer(["a", "b"])
    report = teacher.report(["a", "b"])
    assert report.agreement == pytest.approx((1 / 3 + 1) / 2)
    assert report.highest == pytest.approx(math.sqrt(2 / 3))
    assert "Two votes about a text agree in 66.7 %: no student agrees with one in more than 81.6 %." in str(report)


def test_a_sample_is_asked_again_to_see_how_often_the_model_decides_alike():
    seen = Counter()

    def wavering(body):
        seen[text_of(body)] += 1
        return "spam" if text_of(body) == "wavers" and seen["wavers"] == 2 else "ham"

    texts = ["wavers", "a", "b", "c"]
    with serving(wavering) as endpoint:
        teacher = asker(endpoint, concurrency=1)
        answers = teacher.answer(texts)
        found = teacher.consistency(texts)
        assert (found.texts, found.agreement, found.highest) == (4, 0.75, math.sqrt(0.75))
        assert "decides 75 % of 4 texts alike" in str(found)
        assert teacher.consistency(texts) == found
        assert (teacher.answer(texts) == answers).all()
        assert endpoint.asked == dict.fromkeys(texts, 2)
        assert teacher.consistency(texts, texts=2).texts == 2
    assert len(endpoint.bodies) == 8


def test_texts_without_a_class_tell_nothing_about_agreement():
    with serving(lambda body: "eggs") as endpoint, pytest.raises(BadInput, match="none of the 2 texts has a class both times"):
        asker(endpoint).consistency(["a", "b"])


def test_progress_is_shown_for_each_text_that_is_asked():
    steps = []
    with serving() as endpoint:
        teacher = asker(endpoint, advance=lambda: steps.append(1))
        teacher.answer([*TEXTS, TEXTS[0]])
        assert len(steps) == 5
        teacher.answer(TEXTS)
    assert len(steps) == 5


def test_a_pickled_teacher_answers_from_the_same_cache(tmp_path):
    with serving() as endpoint:
        teacher = tl.teachers.chat("m-1", ["spam", "ham"], endpoint=endpoint.url, cache=tmp_path / "cache")
        teacher.answer(TEXTS)
        other = pickle.loads(pickle.dumps(teacher))  # noqa: S301 - the bytes pickled here
        assert other.answer(TEXTS).tolist() == SPAM
        assert other.fingerprint == teacher.fingerprint
    assert len(endpoint.bodies) == 4


@pytest.mark.parametrize("classes", [np.array(["spam", "ham"]), pd.Series(["spam", "ham"]), ("spam", "ham")])
def test_classes_come_in_any_container(classes):
    teacher = tl.teachers.chat("m", classes, endpoint="http://localhost/v1")
    assert teacher.fingerprint == tl.teachers.chat("m", ["spam", "ham"], endpoint="http://localhost/v1").fingerprint


def test_settings_with_numbers_as_names_are_sent_as_json_has_them():
    with serving() as endpoint:
        teacher = asker(endpoint, request={"logit_bias": {50: 1, "a": 2}})
        teacher.answer(["a"])
        assert teacher.estimate(["a"]).stored == 1
    assert endpoint.bodies[0]["logit_bias"] == {"50": 1, "a": 2}


def test_numbers_as_classes_stay_numbers():
    with serving(lambda body: "1") as endpoint:
        teacher = asker(endpoint, classes=[0, 1])
        assert teacher.form.classes == (0, 1)
        assert teacher.answer(["a"]).tolist() == [[0, 1]]
    assert KEY not in str(teacher)


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
        with pytest.raises(LabelMismatch, match="holds another recording"):
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
