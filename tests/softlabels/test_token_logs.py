import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities, ShapeError, TutelageError
from tutelage.softlabels import logs as logs_module
from tutelage.softlabels.logs import read_answers

VOCABULARY = ["<s>", " yes", " no", " maybe", " so", "!"]
P = [{1: 0.6, 2: 0.3}, {3: 0.5, 0: 0.25}, {2: 0.9, 5: 0.05}]
"""The two most probable tokens at three positions of a text, by column."""


def logs(position):
    return {place: float(np.log(p)) for place, p in position.items()}


def of_ids(positions):
    return {"ids": [list(one) for one in positions], "logprobs": [list(logs(one).values()) for one in positions]}


def chat(positions):
    content = [
        {
            "token": VOCABULARY[next(iter(one))],
            "logprob": logs(one)[next(iter(one))],
            "bytes": None,
            "top_logprobs": [{"token": VOCABULARY[place], "logprob": log, "bytes": [1]} for place, log in logs(one).items()],
        }
        for one in positions
    ]
    return [{"index": 0, "message": {"content": "..."}, "logprobs": {"content": content, "refusal": None}}]


def legacy(positions):
    return [
        {"text": "...", "logprobs": {"tokens": [], "top_logprobs": [{VOCABULARY[i]: x for i, x in logs(one).items()} for one in positions]}}
    ]


def vllm(positions):
    return [
        None,
        *[
            {
                str(place): {"logprob": log, "rank": rank + 1, "decoded_token": VOCABULARY[place]}
                for rank, (place, log) in enumerate(logs(one).items())
            }
            for one in positions
        ],
    ]


COLUMNS = {"token_ids": "columns"}
FORMS = {
    "ids": (lambda positions: {"answer": of_ids(positions)}, {}),
    "two columns": (
        lambda positions: {"answer": of_ids(positions)["logprobs"], "columns": of_ids(positions)["ids"]},
        COLUMNS,
    ),
    "chat": (lambda positions: {"answer": chat(positions)}, {}),
    "response": (lambda positions: {"answer": {"id": "x", "choices": chat(positions)}}, {}),
    "batch": (lambda positions: {"answer": {"body": {"choices": chat(positions)}}}, {}),
    "legacy": (lambda positions: {"answer": legacy(positions)}, {}),
    "vllm": (lambda positions: {"answer": vllm(positions)}, {}),
    "vllm completion": (lambda positions: {"answer": {"choices": [{"logprobs": None, "prompt_logprobs": vllm(positions)}]}}, {}),
    "vllm response": (lambda positions: {"answer": {"choices": [], "prompt_logprobs": vllm(positions)}}, {}),
    "lists of tokens": (
        lambda positions: {"answer": [[{"token": VOCABULARY[i], "logprob": x} for i, x in logs(one).items()] for one in positions]},
        {},
    ),
}


def jsonl(path, lines):
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return path


def read(path, **options):
    return read_answers(path, **{"answers": "answer", "kind": "log-probabilities", "content": "text", "classes": VOCABULARY, **options})


@pytest.mark.parametrize("form", FORMS)
def test_the_tokens_of_every_position_are_read_from_every_form_of_log(form, tmp_path):
    build, options = FORMS[form]
    lines = [{"text": "a", **build(P)}, {"text": "b", **build(P[1:2])}]
    labels = read(jsonl(tmp_path / "log.jsonl", lines), positions="tokens", **options)
    assert (labels.form.positions, labels.form.kind, labels.form.classes) == ("tokens", "probabilities", tuple(VOCABULARY))
    assert labels.answers.shapes.tolist() == [[3], [1]]
    top = labels.answer(["a"])[0]
    assert top.ids.tolist() == [[1, 2], [3, 0], [2, 5]]
    np.testing.assert_allclose(np.exp(top.log_probs), [[0.6, 0.3], [0.5, 0.25], [0.9, 0.05]], rtol=1e-6)
    np.testing.assert_allclose(np.exp(top.rest), [0.1, 0.25, 0.05], rtol=1e-5)
    assert labels.answer(["b"])[0].ids.tolist() == [[3, 0]]


@pytest.mark.parametrize("form", ["two columns", "lists of tokens", "legacy"])
def test_lists_of_parquet_are_read_as_those_of_json(form, tmp_path):
    build, options = FORMS[form]
    lines = [{"text": "a", **build(P)}, {"text": "b", **build(P[1:2])}]
    pq.write_table(pa.Table.from_pylist(lines), tmp_path / "log.parquet")
    found = read(tmp_path / "log.parquet", positions="tokens", **options)
    expected = read(jsonl(tmp_path / "log.jsonl", lines), positions="tokens", **options)
    assert found.fingerprint == expected.fingerprint


def test_one_answer_for_each_row_is_numbers_or_the_most_probable_classes(tmp_path, monkeypatch):
    lines = [{"text": "a", "answer": chat(P[:1])}, {"text": "b", "answer": chat(P[1:2])}]
    labels = read(jsonl(tmp_path / "chat.jsonl", lines))
    np.testing.assert_allclose(labels.answers[0], [0.025, 0.6, 0.3, 0.025, 0.025, 0.025])
    yes_or_no = read(
        tmp_path / "chat.jsonl", classes=["yes", "no"], mapping={" yes": "yes", " no": "no", " maybe": None, "<s>": "no"}, rest="drop"
    )
    np.testing.assert_allclose(yes_or_no.answers, [[2 / 3, 1 / 3], [0, 1]])
    ids = jsonl(tmp_path / "ids.jsonl", [{"text": "a", "columns": [2, 5], "answer": [np.log(0.9), np.log(0.05)]}])
    top = read(ids, classes=range(6), **COLUMNS)
    assert top.answers.ids.tolist() == [[2, 5]]
    np.testing.assert_allclose(top.probabilities, [[0.0125, 0.0125, 0.9, 0.0125, 0.0125, 0.05]], rtol=1e-6)
    monkeypatch.setattr(logs_module, "DENSE_BYTES", 8 * 2 * 6 - 1)
    wide = read(tmp_path / "chat.jsonl")
    np.testing.assert_array_equal(wide.answers.ids, [[1, 2], [3, 0]])
    np.testing.assert_allclose(wide.probabilities, labels.answers, rtol=1e-6)


def test_positions_may_name_different_numbers_of_tokens(tmp_path):
    positions = [{1: 0.6, 2: 0.3, 4: 0.01}, {0: 0.8}, {5: 0.5, 4: 0.5}]
    labels = read(jsonl(tmp_path / "log.jsonl", [{"text": "a", "answer": vllm(positions)}]), positions="tokens")
    dense = np.exp(labels.answer(["a"])[0].dense())
    for row, named in zip(dense, positions, strict=True):
        each = (1 - sum(named.values())) / (6 - len(named))
        np.testing.assert_allclose(row, [named.get(place, each) for place in range(6)], atol=1e-7)


def test_probabilities_that_rounding_carries_beyond_one_are_scaled_and_have_no_rest(tmp_path):
    labels = read(
        jsonl(tmp_path / "log.jsonl", [{"text": "a", "answer": [{" yes": 0.7004, " no": 0.3}]}]), kind="probabilities", positions="tokens"
    )
    assert labels.answers.values.rest.tolist() == [-np.inf]
    assert np.exp(labels.answers.values.log_probs).sum() == pytest.approx(1)


def test_tokens_of_one_class_are_added_and_dropped_ones_scale_up(tmp_path):
    answer = [[{"token": token, "logprob": float(np.log(p))} for token, p in ((" yes", 0.4), ("YES", 0.2), ("?", 0.2), (" no", 0.1))]]
    path = jsonl(tmp_path / "log.jsonl", [{"text": "a", "answer": answer}])
    labels = read(path, positions="tokens", mapping={"YES": " yes", "?": None})
    assert labels.answers.values.ids.tolist() == [[1, 2]]
    np.testing.assert_allclose(np.exp(labels.answers.values.log_probs), [[0.75, 0.125]], rtol=1e-6)
    np.testing.assert_allclose(np.exp(labels.answers.values.rest), [0.125], rtol=1e-5)
    dropped = read(path, positions="tokens", mapping={"YES": " yes", "?": None}, rest="drop")
    np.testing.assert_allclose(np.exp(dropped.answers.values.log_probs), [[6 / 7, 1 / 7]], rtol=1e-6)


def test_a_prompt_of_one_token_has_no_answers(tmp_path):
    labels = read(jsonl(tmp_path / "log.jsonl", [{"text": "a", "answer": [None]}, {"text": "b", "answer": vllm(P)}]), positions="tokens")
    assert labels.answers.shapes.tolist() == [[0], [3]]
    assert len(labels.answer(["a"])[0]) == 0


def unlikely(form):
    """The answer at one position where " no" was sampled, of probability .3, and " yes" alone is among the most probable."""
    yes, no = float(np.log(0.6)), float(np.log(0.3))
    content = [{"token": " no", "logprob": no, "bytes": None, "top_logprobs": [{"token": " yes", "logprob": yes, "bytes": None}]}]
    completion = {"tokens": [" no"], "token_logprobs": [no], "top_logprobs": [{" yes": yes}]}
    of_a_chat, of_a_completion = {"content": content, "refusal": None}, {"text": " no", "logprobs": completion}
    forms = {
        "content": content,
        "logprobs of a chat": of_a_chat,
        "chat": {"choices": [{"message": {"content": " no"}, "logprobs": of_a_chat}]},
        "batch": {"response": {"body": {"choices": [{"logprobs": of_a_chat}]}}},
        "logprobs of a completion": completion,
        "completion": {"choices": [of_a_completion]},
        "completion that names it": {"choices": [{"logprobs": {**completion, "top_logprobs": [{" yes": yes, " no": no}]}}]},
        "mapping": [{**content[0], "top_logprobs": {" yes": yes}}],
    }
    return forms[form]


UNLIKELY = (
    "content",
    "logprobs of a chat",
    "chat",
    "batch",
    "logprobs of a completion",
    "completion",
    "completion that names it",
    "mapping",
)


@pytest.mark.parametrize("form", UNLIKELY)
def test_the_sampled_token_counts_once_whether_it_is_among_the_most_probable_or_not(form, tmp_path):
    path = jsonl(tmp_path / "log.jsonl", [{"text": "a", "answer": unlikely(form)}])
    np.testing.assert_allclose(read(path, classes=None, rest="drop").answers, [[1 / 3, 2 / 3]], rtol=1e-9)
    three = [" maybe", " no", " yes"]
    np.testing.assert_allclose(read(path, classes=three).answers, [[0.1, 0.3, 0.6]], rtol=1e-9)
    top = read(path, classes=three, positions="tokens").answer(["a"])[0]
    assert top.ids.tolist() == [[2, 1]]
    np.testing.assert_allclose(np.exp([*top.log_probs[0], top.rest[0]]), [0.6, 0.3, 0.1], rtol=1e-5)


def test_the_first_token_of_a_prompt_that_is_answered_too_has_no_answer(tmp_path):
    logprobs = {"tokens": ["<s>", " no"], "token_logprobs": [None, -1.0], "top_logprobs": [None, {" yes": -0.5}]}
    one = {"tokens": ["<s>"], "token_logprobs": [None], "top_logprobs": [None]}
    path = jsonl(
        tmp_path / "log.jsonl", [{"text": name, "answer": {"choices": [{"logprobs": x}]}} for name, x in (("a", logprobs), ("b", one))]
    )
    labels = read(path, positions="tokens")
    assert labels.answers.shapes.tolist() == [[1], [0]]
    assert labels.answer(["a"])[0].ids.tolist() == [[1, 2]]


ALONE = {"token": " yes", "logprob": -0.6, "bytes": None}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"choices": [{"logprobs": {"content": [ALONE]}}]}, "the token ' yes' alone"),
        ({"choices": [{"logprobs": {"content": [{**ALONE, "top_logprobs": []}]}}]}, "the token ' yes' alone"),
        ({"choices": [{"logprobs": {"content": [{**ALONE, "top_logprobs": None}] * 2}}]}, "the token ' yes' alone"),
        ([{**ALONE, "top_logprobs": None}, {**ALONE, "top_logprobs": None}], "the token ' yes' alone"),
        ({"choices": [{"logprobs": {"content": None, "refusal": []}}]}, "the content of its logprobs is None"),
        ({"content": None, "refusal": None}, "the content of its logprobs is None"),
        ({"choices": [{"message": {"content": "yes"}, "logprobs": None}]}, "its logprobs are None"),
        ({"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]}, "its logprobs are None"),
        ([{"message": {"content": "yes"}, "finish_reason": "stop"}], "its logprobs are None"),
        ({"response": {"body": {"choices": []}}}, "it has no choices"),
        ({"choices": [{"logprobs": {"tokens": [" yes"], "token_logprobs": [-0.6]}}]}, "its top_logprobs are None"),
        ({"choices": [{"logprobs": {"tokens": [" yes"], "token_logprobs": [-0.6], "top_logprobs": None}}]}, "its top_logprobs are None"),
        ({"choices": [{"logprobs": {"tokens": [" yes"], "token_logprobs": [-0.6], "top_logprobs": [None]}}]}, "the token ' yes' alone"),
        ({"choices": [{"logprobs": {"tokens": [" yes"], "token_logprobs": [-0.6], "top_logprobs": [{}]}}]}, "the token ' yes' alone"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"classes": None}, {"positions": "tokens"}], ids=["classes", "no classes", "positions"])
def test_a_response_without_the_most_probable_tokens_is_refused_in_one_sentence(answer, found, options, tmp_path):
    path = jsonl(tmp_path / "log.jsonl", [{"text": "a", "answer": answer}])
    with pytest.raises(BadInput) as refused:
        read(path, **options)
    assert str(refused.value) == (
        f"line 0 holds a response without top_logprobs ({found}); expected the most probable tokens of each position. Query the model "
        "with logprobs=true and top_logprobs=20, or log the texts of its answers and pass kind='votes'."
    )


IDS = {"positions": "tokens", **COLUMNS}


@pytest.mark.parametrize(
    ("line", "options", "error", "message"),
    [
        ({"answer": chat(P)}, {}, BadInput, r"line 0 holds answers at 3 positions; expected one for each row\. Pass positions='tokens'"),
        ({"answer": [None]}, {}, BadInput, "line 0 has no answer at its position; drop the line"),
        (
            {"answer": {"tokens": ["a", "b"], "token_logprobs": [-1.0, -1.0], "top_logprobs": [{"a": -1.0}]}},
            {},
            ShapeError,
            "one of each at",
        ),
        ({"answer": chat(P) * 2}, {"positions": "tokens"}, BadInput, "line 0 holds 2 choices; expected one: query the model with n=1"),
        ({"answer": [{" yes": -0.1}, None]}, {"positions": "tokens"}, BadInput, "line 0 has no answer at position 1"),
        ({"answer": [{" yes": -0.1}, {}]}, {"positions": "tokens"}, BadInput, "line 0 holds {} at a position|no answer at position 1"),
        ({"answer": [{"oui": -0.1}]}, {"positions": "tokens"}, LabelMismatch, "position 0 has the token 'oui', which is not among the 6"),
        ({"answer": [{" yes": 0.5}]}, {"positions": "tokens"}, NotProbabilities, "position 0 holds 0.5; expected log-prob"),
        ({"answer": [{" yes": "x"}]}, {"positions": "tokens"}, NotProbabilities, "position 0 holds 'x'"),
        ({"answer": [{" yes": float("nan")}]}, {"positions": "tokens"}, NotProbabilities, "position 0 holds nan"),
        ({"answer": [{" yes": 0.0, " no": -0.1}]}, {"positions": "tokens"}, NotProbabilities, "sum to more than 1; check that kind="),
        ({"answer": vllm(P)}, {"positions": "tokens", "kind": "probabilities"}, BadInput, "expected kind='log-probabilities'"),
        ({"answer": chat(P)}, {"positions": "tokens", "kind": "probabilities"}, BadInput, "expected kind='log-probabilities'"),
        ({"answer": vllm(P)}, {"positions": "tokens", "classes": None}, BadInput, "the log holds token ids; pass classes="),
        ({"answer": [[-0.1]], "columns": [[6]]}, IDS, LabelMismatch, "position 0 has the token id 6, which is not among the 6 classes"),
        ({"answer": [[-0.1]], "columns": [[-1]]}, IDS, BadInput, "line 0 has the token id -1; expected a whole number"),
        ({"answer": [[-0.1]], "columns": [[1.5]]}, IDS, BadInput, "line 0 has the token id 1.5"),
        ({"answer": [[-0.1]], "columns": [[True]]}, IDS, BadInput, "line 0 has the token id True"),
        ({"answer": [[-0.1, -0.2]], "columns": [[1]]}, IDS, ShapeError, "expected two lists of the same length"),
        ({"answer": None, "columns": [[1]]}, IDS, ShapeError, "expected two lists of the same length"),
        ({"answer": [0.1, 0.9]}, {"positions": "tokens"}, BadInput, "does not hold the most probable tokens of each position"),
        ({"answer": "yes"}, {"positions": "tokens"}, BadInput, "does not hold the most probable tokens of each position"),
        ({"answer": "yes"}, {"positions": "tokens", "kind": "votes"}, BadInput, "token_ids= and positions= apply to one column of prob"),
        ({"answer": vllm(P)}, {"positions": "tokens", "repeated": "mean"}, BadInput, "repeated='mean' averages numbers for all classes"),
        ({"answer": vllm(P)}, {"positions": "pixels"}, BadInput, "positions"),
    ],
)
def test_a_log_that_cannot_be_read_is_refused(line, options, error, message, tmp_path):
    with pytest.raises(error, match=message):
        read(jsonl(tmp_path / "log.jsonl", [{"text": "a", **line}]), **options)


def test_a_line_in_another_form_than_others_is_named(tmp_path):
    lines = [{"text": "a", "answer": None}, {"text": "b", "answer": chat(P[:1])}]
    with pytest.raises(BadInput, match="line 0 holds None, and others log the most probable tokens; drop the line"):
        read(jsonl(tmp_path / "log.jsonl", lines))


@pytest.mark.parametrize("form", FORMS)
def test_whatever_is_cut_out_of_a_line_ends_in_answers_or_in_one_sentence(form, tmp_path):
    """Every part of a line is replaced with another value, in turn."""
    build, options = FORMS[form]

    def variants(value):
        yield from (None, [], {}, "x", -1, 1e400, True, [None], {"a": None})
        if isinstance(value, list):
            for place, item in enumerate(value[:2]):
                yield from ([*value[:place], one, *value[place + 1 :]] for one in variants(item))
        if isinstance(value, dict):
            for name, item in list(value.items())[:4]:
                yield from ({**value, name: one} for one in variants(item))

    sound = build(P[:2])
    for count, broken in enumerate(variants(sound["answer"])):
        if count % 3:  # a third of them: they are many
            continue
        path = jsonl(tmp_path / "log.jsonl", [{"text": "a", **sound}, {"text": "b", **sound, "answer": broken}])
        try:
            labels = read(path, positions="tokens", **options)
        except TutelageError:
            continue
        top = labels.answers.values
        np.testing.assert_allclose(np.exp(top.log_probs).sum(axis=1) + np.exp(top.rest), 1, atol=1e-5)


def test_a_frame_of_token_lists_is_read(tmp_path):
    frame = pd.DataFrame({"text": ["a"], "answer": [of_ids(P)["logprobs"]], "columns": [of_ids(P)["ids"]]})
    frame.to_parquet(tmp_path / "log.parquet")
    assert read(tmp_path / "log.parquet", **IDS).answers.shapes.tolist() == [[3]]


ROWS = [[3, 1, 2, 6], [4, 4], [2, 5, 7]]
FORMS_OF_ROWS = {
    "mask": {"input_ids": ROWS, "attention_mask": [[1] * len(row) for row in ROWS]},
    "padded": {
        "input_ids": np.array([[3, 1, 2, 6, 0], [4, 4, 0, 0, 0], [0, 2, 5, 7, 0]]),
        "attention_mask": np.array([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0], [0, 1, 1, 1, 0]]),
    },
    "no mask": {"input_ids": ROWS},
    "decoder": {"input_ids": np.ones((3, 5), int), "decoder_input_ids": ROWS},
}


def answering(path, counts):
    return jsonl(path, [{"id": place, "answer": of_ids((P * 2)[:count])} for place, count in enumerate(counts)])


@pytest.mark.parametrize("form", FORMS_OF_ROWS)
def test_every_line_has_an_answer_for_each_token_of_its_row(form, tmp_path):
    options = {"content": None, "data": FORMS_OF_ROWS[form], "positions": "tokens"}
    assert read(answering(tmp_path / "log.jsonl", (4, 2, 3)), **options).answers.counts.tolist() == [4, 2, 3]
    turned = answering(tmp_path / "turned.jsonl", (3, 4, 2))
    with pytest.raises(LabelMismatch, match=r"3 of 3 lines .* line 0, with answers at 3 positions, of a row of 4 tokens\)\. .*by id"):
        read(turned, **options)
    assert read(turned, **options, id_column="id", ids=[1, 2, 0]).answers.counts.tolist() == [3, 4, 2]
    with pytest.raises(LabelMismatch, match=r"without their last token"):
        read(answering(tmp_path / "short.jsonl", (3, 1, 2)), **options)


@pytest.mark.parametrize(
    "data",
    [{"input_ids": np.ones((2, 4), int)}, np.arange(8).reshape(2, 4), {"input_ids": np.ones((2, 4), int), "prices": [[1.0], [2.0, 3.0]]}],
)
def test_rows_of_one_length_without_a_mask_have_as_many_tokens(data, tmp_path):
    options = {"content": None, "data": data, "positions": "tokens"}
    with pytest.raises(LabelMismatch, match=r"answers at 3 positions, of a row of 4 tokens\)\. .*without their last token"):
        read(answering(tmp_path / "log.jsonl", (3, 3)), **options)
    assert read(answering(tmp_path / "log.jsonl", (4, 4)), **options).answers.counts.tolist() == [4, 4]
