"""A language model as a teacher: probabilities from votes or log-probabilities, refusals, and the texts it takes."""

import math

import numpy as np
import pandas as pd
import pytest
from chat_endpoint import KEY, SPAM, TEXTS, asker, completion, first_token, in_a_loop, serving, text_of

import tutelage as tl
from tutelage.core.errors import BadInput, ShapeError
from tutelage.teachers.endpoints.chat_teacher import _of_first_token, asks_an_endpoint
from tutelage.teachers.endpoints.completions import Choice
from tutelage.teachers.endpoints.prompts import ClassReader


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


@pytest.mark.parametrize("top", [[], None, ["itself"]])
def test_an_endpoint_that_sends_the_sampled_token_alone_is_refused_and_not_taken_for_certain(top, tmp_path):
    """As endpoints do that do not know top_logprobs: nothing is said of the other classes."""
    choice = first_token(**{"1": math.log(0.55)})
    token = choice["logprobs"]["content"][0]
    token["top_logprobs"] = top if top != ["itself"] else [{"token": "1", "logprob": math.log(0.55)}]
    with serving(lambda body: completion(body, choice)) as endpoint:
        teacher = asker(endpoint, logprobs=True, cache=tmp_path / "cache")
        with pytest.raises(BadInput, match=r"sent the log-probability of the sampled token alone .* pass logprobs=False, and votes="):
            teacher.answer(["a"])
    assert len(endpoint.bodies) == 1
    assert teacher.report(["a"]).answered == 0


def test_two_tokens_of_one_text_are_added():
    """As of vocabularies that have a word with and without a space before it, and servers that show both alike."""
    choice = first_token(**{"1": math.log(0.3)})
    top = [("1", 0.4), ("1", 0.3), ("2", 0.2)]
    choice["logprobs"]["content"][0]["top_logprobs"] = [{"token": token, "logprob": math.log(p)} for token, p in top]
    with serving(lambda body: completion(body, choice)) as endpoint:
        assert asker(endpoint, logprobs=True).answer(["a"]) == pytest.approx(np.array([[7 / 9, 2 / 9]]))


def test_a_stored_answer_of_the_sampled_token_alone_is_no_answer():
    reading = _of_first_token(ClassReader(("spam", "ham")), [Choice("1", top=(("1", math.log(0.55)),))], "1")
    assert (reading.answer, reading.others) == (None, {"no log-probabilities": 1})


def test_first_tokens_that_begin_no_class_are_no_answer():
    choice = first_token(Sorry=math.log(0.9), **{"1": math.log(0.1)})
    with serving(lambda body: completion(body, choice)) as endpoint:
        teacher = asker(endpoint, logprobs=True)
        with pytest.raises(BadInput, match=r"1 of 1 texts have no class \(1 no class; first: row 0, answered 'Sorry'\)"):
            teacher.answer(["a"])


def test_numbers_as_class_names_are_read_by_their_letters():
    choice = first_token(A=math.log(0.48), B=math.log(0.5), J=math.log(0.02))
    with serving(lambda body: completion(body, choice)) as endpoint:
        found = asker(endpoint, classes=range(1, 11), logprobs=True).answer(["a"])
    assert found == pytest.approx(np.array([[0.48, 0.5, *[0] * 7, 0.02]]))
    assert "the letter of one class" in endpoint.bodies[0]["messages"][0]["content"]


def test_a_first_token_that_begins_several_classes_is_no_answer_and_not_the_others_for_certain():
    choice = first_token(money=math.log(0.7), de=math.log(0.3))
    with serving(lambda body: completion(body, choice)) as endpoint:
        teacher = asker(endpoint, classes=["delivery", "delay", "money"], logprobs=True, prompt="Sort: {text}")
        with pytest.raises(BadInput, match=r"no class \(1 first token of several classes; first: row 0, answered 'money'\)"):
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


def test_a_vote_that_was_cut_off_within_a_name_is_counted_as_such():
    cut = {"finish_reason": "length", "message": {"content": "New"}}
    with serving(saying(a=[cut, "New York", "New York"])) as endpoint:
        teacher = asker(endpoint, classes=["New", "New York"], votes=3)
        with pytest.warns(UserWarning, match=r"1 answers name no class and are not counted \(1 cut off\)\."):
            assert teacher.answer(["a"]).tolist() == [[0.0, 1.0]]
    assert teacher.report(["a"]).others == {"cut off": 1}


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


def test_teachers_made_of_a_language_model_ask_an_endpoint_too():
    with serving() as endpoint:
        teacher = asker(endpoint)
        both = tl.ensemble([teacher, asker(endpoint, model="m-2")])
        renamed = tl.relabelled(both, ["junk", "mail"], rename={"spam": "junk", "ham": "mail"})
        assert [asks_an_endpoint(one) for one in (teacher, both, renamed, tl.record(renamed, TEXTS))] == [True, True, True, False]
        found = tl.preflight(renamed, TEXTS * 5)
    assert [one.severity for one in found.findings if one.check == "repeatable"] == ["note"]
    assert sorted(endpoint.asked.values()) == [2, 2, 2, 2]


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
