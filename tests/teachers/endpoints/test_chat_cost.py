"""What answers of a language model cost, within which budget, and how often it decides alike."""

import math
import threading
from collections import Counter
from contextlib import suppress

import pytest
from chat_endpoint import TEXTS, Reply, asker, by_word, completion, serving, text_of

from tutelage.core.errors import BadInput
from tutelage.teachers.endpoints.spending import Spending


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
