"""Many requests: attempts, pauses, a budget, and answers that are stored whatever happens to the others."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from chat_endpoint import Pauses, Reply, asker, completion, failing, serving, text_of
from hypothesis import given, settings
from hypothesis import strategies as st

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.teachers.endpoints.answer_store import AnswerStore
from tutelage.teachers.endpoints.asking import FIRST_WAIT, LAST_WAIT, is_date, other_model
from tutelage.teachers.endpoints.spending import Spending

TEXTS = [f"text {number}" for number in range(20)]


@pytest.mark.parametrize(
    "script",
    [
        [failing(429), failing(429)],
        [failing(500), failing(503)],
        [Reply('{"choices"'), Reply(promised=5)],
        [completion, lambda body: completion(body, {"message": None})],
    ],
    ids=["rate limit", "errors", "cut", "malformed"],
)
def test_a_failure_that_passes_is_tried_again_after_growing_pauses(script):
    pauses = Pauses()
    with serving(lambda body: "spam", *script) as endpoint:
        teacher = asker(endpoint, pauses=pauses)
        assert teacher.answer(["you win"]).tolist() == [[1.0, 0.0]]
    assert len(endpoint.bodies) == 3
    assert [0.75 * FIRST_WAIT <= pauses.seconds[0] <= FIRST_WAIT, 1.5 * FIRST_WAIT <= pauses.seconds[1] <= 2 * FIRST_WAIT] == [True] * 2


def test_a_pause_that_the_endpoint_asks_for_is_made():
    pauses = Pauses()
    with serving(lambda body: "spam", failing(429, retry_after="12"), failing(503, retry_after_ms="250")) as endpoint:
        asker(endpoint, pauses=pauses).answer(["you win"])
    assert pauses.seconds == [12.0, 0.25]


def test_pauses_stop_growing_and_attempts_end():
    pauses = Pauses()
    sentence = r"127\.0\.0\.1 answers with status 500 \(down for repairs\) after 9 attempts\. 0 prompts"
    with serving(lambda body: failing(500, "down for repairs")) as endpoint, pytest.raises(BadInput, match=sentence):
        asker(endpoint, pauses=pauses, retries=8).answer(["a"])
    assert len(endpoint.bodies) == 9
    assert max(pauses.seconds) <= LAST_WAIT


def test_an_address_without_an_endpoint_is_given_up_soon():
    with serving() as endpoint:
        teacher = asker(endpoint)
    with pytest.raises(BadInput, match=r"cannot be reached .* after 3 attempts\. Check the address http://127"):
        teacher.answer(["a"])


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (failing(401, "wrong key"), r"status 401 \(wrong key\)\. Set the variable OPENAI_API_KEY to a key that it accepts"),
        (failing(404, "no such model"), r"Check the address http://127\.0\.0\.1:\d+/v1 and the name of the model, 'm-1'"),
        (Reply(status=301, headers={"location": "http://elsewhere/"}), "pass that address as endpoint="),
    ],
    ids=["key", "model", "redirect"],
)
def test_a_failure_that_does_not_pass_stops_everything(reply, sentence):
    with serving(lambda body: reply) as endpoint, pytest.raises(BadInput, match=sentence) as failed:
        asker(endpoint, concurrency=2).answer(TEXTS)
    assert len(endpoint.bodies) <= 2
    assert failed.value.__cause__ is None
    assert failed.value.__context__ is None


@pytest.mark.exhaustive(every=2)
@pytest.mark.parametrize("votes", [1, 3])
def test_settings_that_are_rejected_stop_everything(votes):
    sentence = r"status 400 \(bad temperature\) to the text of row 0 and 19 more, and has answered no other .* change model, prompt="
    with serving(lambda body: failing(400, "bad temperature")) as endpoint, pytest.raises(BadInput, match=sentence):
        asker(endpoint, concurrency=2, votes=votes, refused="uniform").answer([f"text {number}" for number in range(100)])
    assert len(endpoint.bodies) <= 22 * min(votes, 2)


def test_what_is_on_its_way_is_stored_before_a_failure_is_raised():
    both_there = threading.Barrier(2, timeout=10)

    def answer(body):
        both_there.wait()
        return failing(401) if text_of(body) == "first" else Reply(completion(body, "ham"), wait=0.2)

    with serving(answer) as endpoint:
        teacher = asker(endpoint, concurrency=2)
        with pytest.raises(BadInput, match="401"):
            teacher.answer(["first", "second"])
        assert len(teacher.store.choices) == 1
        endpoint.answer = lambda body: "ham"
        teacher.answer(["first", "second"])
    assert endpoint.asked == {"first": 2, "second": 1}


def test_no_more_requests_than_allowed_are_on_their_way():
    with serving(lambda body: Reply(completion(body, "ham"), wait=0.02)) as endpoint:
        asker(endpoint, concurrency=3).answer(TEXTS)
    assert endpoint.most_at_once == 3
    assert endpoint.asked == dict.fromkeys(TEXTS, 1)


@pytest.mark.parametrize(
    "served", ["other", "m-1-mini", "m-10", "", "M-1", "m-1-8192", "m-1-32768", "m-1-70", "m-1-2026-13-01", "m-12026-08-07"]
)
def test_another_model_is_refused_and_its_answer_not_used(served):
    with serving(lambda body: completion(body, "spam", model=served)) as endpoint:
        teacher = asker(endpoint)
        with pytest.raises(BadInput, match=r"the endpoint answers with .* and 'm-1' was asked for"):
            teacher.answer(["a"])
    assert teacher.store.choices == {}
    assert teacher.store.spent(teacher.asked) == Spending(1, 40, 2)


@pytest.mark.parametrize("date", ["-2026-08-07", "-20260807", "-0807", "-2608", "-2026-08"])
def test_a_model_may_add_a_date_to_its_name_which_is_noted(date):
    with serving(lambda body: completion(body, "spam", model=body["model"] + date)) as endpoint:
        teacher = asker(endpoint)
        teacher.answer(["a"])
    assert teacher.report(["a"]).model == f"m-1{date}"
    assert is_date(date)


def test_a_model_that_changes_on_the_way_is_refused():
    assert other_model("m", "m-2026-08-07", "m-2026-08-07") is None
    with serving(lambda body: completion(body, "ham", model="m-1-2026-01-01")) as endpoint:
        teacher = asker(endpoint)
        teacher.answer(["a"])
        endpoint.answer = lambda body: completion(body, "ham", model="m-1-2026-09-09")
        with pytest.raises(BadInput, match="now answers 'm-1' with 'm-1-2026-09-09', and earlier answers are those of 'm-1-2026-01-01'"):
            teacher.answer(["b"])


def test_more_choices_than_asked_for_are_refused():
    with serving(lambda body: completion(body, "ham", "spam")) as endpoint, pytest.raises(BadInput, match="sent 2 choices where 1 were"):
        asker(endpoint).answer(["a"])


def test_an_endpoint_that_gives_one_choice_a_request_is_asked_again_for_the_others():
    with serving(lambda body: completion(body, "ham")) as endpoint:
        teacher = asker(endpoint, votes=5)
        teacher.answer(["a"])
    assert [body.get("n", 1) for body in endpoint.bodies] == [5, 1, 1, 1, 1]
    assert teacher.report(["a"]).votes == 5


def test_an_endpoint_that_refuses_several_choices_is_asked_for_single_ones():
    with serving(lambda body: failing(400, "n must be 1") if body.get("n", 1) > 1 else "ham") as endpoint:
        asker(endpoint, votes=3, concurrency=1).answer(["a", "b"])
    assert [body.get("n", 1) for body in endpoint.bodies] == [3, 1, 1, 1, 1, 1, 1]


def test_further_answers_have_other_seeds():
    with serving(lambda body: completion(body, "ham")) as endpoint:
        asker(endpoint, votes=3, request={"seed": 7}).answer(["a"])
    assert [body["seed"] for body in endpoint.bodies] == [7, 8, 9]


def spent_by(endpoint):
    """What an endpoint of the tests would bill."""
    return Spending(len(endpoint.bodies), sum(prompt for prompt, _ in endpoint.billed), sum(said for _, said in endpoint.billed))


@pytest.mark.parametrize(("budget", "most"), [("7 requests", 7), ("1000 tokens", 1000), (0.0015, 0.0015)])
def test_a_budget_is_not_exceeded_and_what_was_answered_is_stored(budget, most):
    with serving() as endpoint:
        teacher = asker(endpoint, budget=budget, price=(2.0, 10.0), concurrency=4)
        with pytest.raises(BadInput, match=r"the budget of .* allows no further request: .* was spent, and the next may take up to"):
            teacher.answer(TEXTS)
        assert 0 < teacher.budget.of(spent_by(endpoint)) <= most
        asked = len(endpoint.bodies)
        assert len(teacher.store.choices) == asked
        with pytest.raises(BadInput, match="allows no further request"):
            teacher.answer(TEXTS)
        assert len(endpoint.bodies) == asked


def test_a_budget_that_is_nearly_enough_waits_for_what_is_on_its_way():
    with serving() as endpoint:
        one = asker(endpoint).estimate(["text 0"]).most
        worst = one.input + one.output
        asker(endpoint, budget=f"{worst + 19 * 42} tokens", concurrency=8).answer(["text 0", *(f"text {n}" for n in range(1, 10))])
    assert len(endpoint.bodies) == 10


def test_attempts_that_may_be_billed_count_as_their_worst_case():
    with serving(lambda body: Reply('{"cut')) as endpoint:
        teacher = asker(endpoint, budget="4 requests")
        with pytest.raises(BadInput, match="the budget of 4 requests"):
            teacher.answer(["a"])
        assert len(endpoint.bodies) == 4
        most = asker(endpoint).estimate(["a"]).most
    assert teacher.store.spent(teacher.asked) == Spending(4, 4 * most.input, 4 * most.output)


def test_an_endpoint_that_counts_more_tokens_than_bytes_raises_the_bound():
    usage = {"prompt_tokens": 1000, "completion_tokens": 2}
    with serving(lambda body: completion(body, "ham", usage=usage)) as endpoint:
        teacher = asker(endpoint, budget="3500 tokens", concurrency=1)
        with pytest.raises(BadInput, match="allows no further request"):
            teacher.answer(TEXTS)
    assert len(endpoint.bodies) == 3


def test_an_endpoint_that_keeps_no_limit_of_tokens_cannot_be_held_to_a_budget():
    usage = {"prompt_tokens": 40, "completion_tokens": 900}
    with serving(lambda body: completion(body, "ham", usage=usage)) as endpoint:
        with pytest.raises(BadInput, match="sent 900 tokens where at most 16 were asked for"):
            asker(endpoint, budget="1000 requests", concurrency=1).answer(TEXTS)
        asker(endpoint).answer(["a"])  # without a budget it does not matter
    assert len(endpoint.bodies) == 2


@settings(max_examples=15)
@given(
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(100, 3000),
    st.lists(st.sampled_from(["ok", "busy", "cut", "one"]), max_size=12),
)
def test_no_budget_is_ever_exceeded(concurrency, votes, tokens, script):
    def step(what):
        steps = {"ok": None, "busy": failing(429), "cut": Reply('{"cut'), "one": lambda body: completion(body, "ham")}
        return steps[what]

    with serving(lambda body: "ham", *map(step, script)) as endpoint:
        teacher = asker(endpoint, votes=votes, budget=f"{tokens} tokens", concurrency=concurrency)
        try:
            teacher.answer(TEXTS[:6])
        except BadInput as error:
            assert "allows no further request" in str(error)  # noqa: PT017 - either way is right
        billed = spent_by(endpoint)
    assert billed.input + billed.output <= tokens
    assert teacher.store.spent(teacher.asked).requests == len(endpoint.bodies)


def test_a_store_knows_what_every_attempt_took(tmp_path):
    with serving(lambda body: "ham", failing(429), Reply('{"cut')) as endpoint:
        teacher = asker(endpoint, cache=tmp_path / "cache")
        teacher.answer(["a"])
    store = AnswerStore(tmp_path / "cache")
    store.refresh()
    assert store.spent(teacher.asked).requests == 3
    assert store.failed(teacher.asked) == 2


FILTER = Reply({"error": {"message": "The prompt triggers the content management policy", "code": "content_filter"}}, 400)
TOO_LONG = failing(400, "the maximum of 4096 tokens")


def rejecting(reply, *texts):
    return lambda body: reply if text_of(body) in texts else "ham"


@pytest.mark.exhaustive(every=6)
@pytest.mark.parametrize("status", [400, 403, 422, 451])
@pytest.mark.parametrize("row", [0, 7, 19])
def test_a_text_that_a_filter_rejects_has_no_answer_and_the_others_have(status, row, tmp_path):
    reply = replace(FILTER, status=status)
    with serving(rejecting(reply, TEXTS[row])) as endpoint:
        teacher = asker(endpoint, votes=3, refused="uniform", cache=tmp_path / "cache")
        with pytest.warns(UserWarning, match=r"3 answers name no class and are not counted \(3 refused\); 1 texts get equal"):
            answers = teacher.answer(TEXTS)
        assert answers[row].tolist() == [0.5, 0.5]
        assert (np.delete(answers, row, axis=0) == [0.0, 1.0]).all()
        assert {body["n"] for body in endpoint.bodies} == {3}
        with pytest.raises(
            BadInput, match=rf"1 of 20 texts have no class .*; first: row {row}, answered 'status {status}, content_filter'"
        ):
            asker(endpoint, votes=3, cache=tmp_path / "cache").answer(TEXTS)
    assert len(endpoint.bodies) == 20  # what was rejected is not asked again
    assert teacher.report(TEXTS).model == "m-1"
    assert "triggers" not in (tmp_path / "cache" / "answers.jsonl").read_text(encoding="utf-8")


def test_all_texts_that_a_filter_rejects_have_no_answer():
    with (
        serving(lambda body: FILTER) as endpoint,
        pytest.raises(BadInput, match=r"20 of 20 texts have no class \(20 refused; first: row 0"),
    ):
        asker(endpoint).answer(TEXTS)
    assert len(endpoint.bodies) == 20


@pytest.mark.exhaustive(every=2)
@pytest.mark.parametrize("votes", [1, 3])
def test_a_text_that_is_rejected_between_others_that_are_answered_has_no_answer(votes):
    with serving(rejecting(TOO_LONG, TEXTS[0], TEXTS[7])) as endpoint:
        teacher = asker(endpoint, votes=votes, refused="uniform", concurrency=1)
        with pytest.warns(UserWarning, match="2 texts get equal probabilities"):
            answers = teacher.answer(TEXTS)
    assert (answers == 0.5).all(axis=1).nonzero()[0].tolist() == [0, 7]
    assert [body.get("n", 1) for body in endpoint.bodies if text_of(body) not in (TEXTS[0], TEXTS[7])] == [votes] * 18


def test_a_text_that_is_rejected_last_may_be_due_to_the_settings_and_is_named():
    with serving(rejecting(TOO_LONG, TEXTS[19])) as endpoint:
        teacher = asker(endpoint, refused="uniform", concurrency=1)
        sentence = r"status 400 \(the maximum of 4096 tokens\) to the text of row 19, and has answered no other since\. .* leave them out"
        with pytest.raises(BadInput, match=sentence):
            teacher.answer(TEXTS)
        assert teacher.answer(TEXTS[:19]).shape == (19, 2)
    assert len(endpoint.bodies) == 20


def test_a_credit_that_ends_on_the_way_is_no_rejection_of_the_texts():
    count = iter(range(1000))
    with serving(lambda body: "ham" if next(count) < 50 else failing(400, "Your credit balance is too low")) as endpoint:
        teacher = asker(endpoint, refused="uniform", concurrency=4)
        with pytest.raises(BadInput, match=r"credit balance is too low\) to the text of row \d+ and 19 more"):
            teacher.answer([f"text {number}" for number in range(100)])
        assert 70 <= len(endpoint.bodies) <= 73
        assert len(teacher.store.choices) == 50


def test_several_choices_are_asked_for_again_after_a_text_that_is_rejected():
    with serving(rejecting(TOO_LONG, TEXTS[3])) as endpoint, pytest.warns(UserWarning, match="1 texts get equal"):
        asker(endpoint, votes=3, refused="uniform", concurrency=1).answer(TEXTS)
    assert [body.get("n", 1) for body in endpoint.bodies] == [3, 3, 3, 3, 1, *[3] * 16]


@pytest.mark.exhaustive(every=6)
@pytest.mark.parametrize(
    "reply",
    [
        Reply("<html>too large</html>", 413),
        failing(400, "This model's maximum context length is 4096 tokens"),
        failing(422, "prompt is too long"),
    ],
)
@pytest.mark.parametrize("rows", [[0], [19], [*range(10, 20)], [*range(19)]])
def test_texts_that_are_too_long_have_no_answer_if_any_other_has(reply, rows):
    with serving(rejecting(reply, *(TEXTS[row] for row in rows))) as endpoint:
        teacher = asker(endpoint, refused="uniform", concurrency=8)
        with pytest.warns(UserWarning, match=f"{len(rows)} texts get equal probabilities"):
            answers = teacher.answer(TEXTS)
    assert (answers == 0.5).all(axis=1).nonzero()[0].tolist() == rows
    assert len(endpoint.bodies) == 20


def test_texts_that_are_all_too_long_may_be_so_by_the_settings():
    sentence = "to the text of row 0 and 1 more, and has answered no other since"
    with serving(lambda body: failing(400, "maximum context length")) as endpoint, pytest.raises(BadInput, match=sentence):
        asker(endpoint, refused="uniform").answer(["a", "b"])


@pytest.mark.filterwarnings("ignore:.*answers name no class")
def test_a_text_that_is_too_long_may_be_asked_alone_where_others_were_answered_before(tmp_path):
    with serving(rejecting(failing(400, "maximum context length"), "long")) as endpoint:

        def another_process(**changed):
            return asker(endpoint, **{"refused": "uniform", "cache": tmp_path / "cache", **changed})

        with pytest.raises(BadInput, match="to the text of row 0, and has answered no other since"):
            another_process().answer(["long"])
        another_process().answer(TEXTS[:2])
        for changed in ({"max_tokens": 4000}, {"prompt": "Spam?\n\nText:\n{text}"}):  # may leave too little room for any text
            with pytest.raises(BadInput, match="to the text of row 0, and has answered no other since"):
                another_process(**changed).answer(["long"])
        with pytest.raises(BadInput, match=r"1 of 1 texts have no class .*refused='uniform'"):
            another_process(refused="error").answer(["long"])
        asked = len(endpoint.bodies)
        assert another_process().answer([*TEXTS[:2], "long"])[2].tolist() == [0.5, 0.5]
        labels = tl.record(another_process(), [*TEXTS, "long"], tmp_path / "labels", shard_rows=10)
        assert labels.answer(["long"]).tolist() == [[0.5, 0.5]]
        assert len(endpoint.bodies) == asked + len(TEXTS) - 2


def test_a_prompt_that_nothing_identifies_is_asked_all_the_same():
    class Prompts:
        lock = threading.Lock()

        def __init__(self):
            self.held = self.lock  # cannot be hashed

        def __call__(self, text):
            return f"{text}?"

    with serving(lambda body: "ham") as endpoint:
        assert asker(endpoint, prompt=Prompts()).answer(["a"]).tolist() == [[0.0, 1.0]]
