import gzip
import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tutelage.core.arrays import softmax
from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities, ShapeError
from tutelage.softlabels.logs import read_answers

TEXTS = ["good", "bad", "so so", "bäd"]
P = softmax(np.random.default_rng(0).normal(size=(4, 3)))


def jsonl(path, lines):
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return path


def top(**tokens):
    return [{"token": token, "logprob": float(np.log(p)), "bytes": None} for token, p in tokens.items()]


def write_log(tmp_path, suffix, columns):
    path, frame = tmp_path / f"log{suffix}", pd.DataFrame(columns)
    if suffix == ".parquet":
        frame.to_parquet(path)
    elif suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True, double_precision=15)
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_one_column_per_class_from_every_kind_of_file(tmp_path, suffix):
    path = write_log(tmp_path, suffix, {"text": TEXTS, "neg": P[:, 0], "neutral": P[:, 1], "pos": P[:, 2]})
    labels = read_answers(path, answers=["neg", "neutral", "pos"], kind="probabilities", content="text")
    assert labels.form.classes == ("neg", "neutral", "pos")
    np.testing.assert_allclose(labels.answer(TEXTS[::-1]), P[::-1], rtol=1e-12)
    np.testing.assert_allclose(labels.answer(pd.Series(TEXTS)), P, rtol=1e-12)
    assert labels.fingerprint.startswith("logged:")
    with pytest.raises(LabelMismatch, match="1 of 1 rows are not among the 4"):
        labels.answer(["never seen"])


@pytest.mark.parametrize(("kind", "numbers"), [("probabilities", P), ("log-probabilities", np.log(P)), ("logits", np.log(P) + 7)])
def test_every_kind_of_number_gives_the_same_probabilities(tmp_path, kind, numbers):
    path = jsonl(tmp_path / "log.jsonl", [{"text": t, "answer": row} for t, row in zip(TEXTS, numbers.tolist(), strict=True)])
    labels = read_answers(path, answers="answer", kind=kind, content="text", classes=["a", "b", "c"])
    np.testing.assert_allclose(labels.probabilities, P, rtol=1e-9)
    assert labels.form.kind == ("logits" if kind == "logits" else "probabilities")


def test_lines_are_assigned_to_rows_by_position_or_by_id(tmp_path):
    rows = np.arange(8.0).reshape(4, 2)
    order = [2, 0, 3, 1]
    path = write_log(tmp_path, ".csv", {"id": [f"r{i}" for i in order], "a": P[order, 0], "b": 1 - P[order, 0]})
    by_id = read_answers(path, answers=["a", "b"], kind="probabilities", data=rows, id_column="id", ids=["r0", "r1", "r2", "r3"])
    np.testing.assert_allclose(by_id.answer(rows)[:, 0], P[:, 0], rtol=1e-12)
    by_place = read_answers(path, answers=["a", "b"], kind="probabilities", data=rows)
    np.testing.assert_allclose(by_place.answer(rows)[:, 0], P[order, 0], rtol=1e-12)


def test_multiple_content_columns_form_a_row(tmp_path):
    path = write_log(tmp_path, ".parquet", {"x": [1, 2], "y": [0.5, 0.5], "value": [3.0, 4.0]})
    labels = read_answers(path, answers="value", kind="values", content=["x", "y"])
    np.testing.assert_array_equal(labels.answer(np.array([[2.0, 0.5]])), [[4.0]])
    np.testing.assert_array_equal(labels.answer(pl.DataFrame({"x": [1], "y": [0.5]})), [[3.0]])


def test_votes_are_counted_from_lists_and_from_lines(tmp_path):
    lists = jsonl(tmp_path / "a.jsonl", [{"text": "good", "votes": ["pos", "pos", "neg"]}, {"text": "bad", "votes": ["neg"]}])
    cast = [("good", "pos"), ("bad", "neg"), ("good", "neg"), ("good", "pos")]
    lines = jsonl(tmp_path / "b.jsonl", [{"text": t, "votes": v} for t, v in cast])
    for path in (lists, lines):
        labels = read_answers(path, answers="votes", kind="votes", content="text")
        assert labels.form.classes == ("neg", "pos")
        np.testing.assert_allclose(labels.answer(["good", "bad"]), [[1 / 3, 2 / 3], [1, 0]])
    smooth = read_answers(lists, answers="votes", kind="votes", content="text", smoothing=1.0, classes=["pos", "neg"])
    np.testing.assert_allclose(smooth.answer(["bad"]), [[1 / 3, 2 / 3]])


def test_top_k_from_mappings_with_a_rest(tmp_path):
    top_k = [{"a": -0.5, "c": -3.0}, {"b": -0.25}, {"a": -1.0, "b": -1.4, "c": -1.0}]
    path = jsonl(tmp_path / "log.jsonl", [{"text": t, "top": top} for t, top in zip("xyz", top_k, strict=True)])
    spread = read_answers(path, answers="top", kind="log-probabilities", content="text", rest="drop").probabilities
    np.testing.assert_allclose(spread[1], [0, 1, 0])
    whole = jsonl(tmp_path / "whole.jsonl", [{"text": t, "top": top} for t, top in zip("xy", top_k, strict=False)])
    labels = read_answers(whole, answers="top", kind="log-probabilities", content="text", classes=["a", "b", "c", "d"])
    first = np.exp([-0.5, -3.0])
    np.testing.assert_allclose(labels.answer(["x"])[0], [first[0], (1 - first.sum()) / 2, first[1], (1 - first.sum()) / 2])
    np.testing.assert_allclose(labels.answer(["y"])[0, 0], (1 - np.exp(-0.25)) / 3)
    with pytest.raises(NotProbabilities, match=r"all classes in line 2 sum to 0\.98.*; pass rest='drop'"):
        read_answers(path, answers="top", kind="log-probabilities", content="text")


def test_json_in_a_csv_column_is_parsed(tmp_path):
    path = write_log(tmp_path, ".csv", {"text": ["x", "y"], "answer": ['{"a": 0.25, "b": 0.75}', '{"a": 1.0, "b": 0.0}']})
    labels = read_answers(path, answers="answer", kind="probabilities", content="text")
    np.testing.assert_array_equal(labels.answers, [[0.25, 0.75], [1, 0]])


def test_different_answers_to_one_row_are_an_error_or_averaged(tmp_path):
    path = write_log(tmp_path, ".parquet", {"text": ["x", "x", "y"], "a": [0.2, 0.4, 1.0], "b": [0.8, 0.6, 0.0]})
    with pytest.raises(LabelMismatch, match="rows 0 and 1 are the same row with different answers"):
        read_answers(path, answers=["a", "b"], kind="probabilities", content="text")
    labels = read_answers(path, answers=["a", "b"], kind="probabilities", content="text", repeated="mean")
    np.testing.assert_allclose(labels.answers, [[0.3, 0.7], [1, 0]])


def test_multilabel_answers_need_not_sum_to_one(tmp_path):
    path = write_log(tmp_path, ".parquet", {"text": ["x"], "red": [0.9], "round": [0.8]})
    labels = read_answers(path, answers=["red", "round"], kind="probabilities", content="text", task="multilabel")
    assert labels.form.task == "multilabel"


def test_independent_labels_by_name_are_neither_completed_nor_scaled(tmp_path):
    lines = [{"spam": 0.9, "promo": 0.8}, {"promo": 0.1, "spam": 0.1}]
    jsonl(tmp_path / "log.jsonl", [{"text": text, "p": p} for text, p in zip("xy", lines, strict=True)])
    log = pa.table({"text": ["x", "y"], "p": pa.array([list(line.items()) for line in lines], pa.map_(pa.string(), pa.float64()))})
    for source in (tmp_path / "log.jsonl", log):
        labels = read_answers(source, answers="p", kind="probabilities", content="text", task="multilabel", classes=["spam", "promo"])
        np.testing.assert_allclose(labels.answers, [[0.9, 0.8], [0.1, 0.1]])
    logs = [{name: float(np.log(p)) for name, p in line.items()} for line in lines]
    jsonl(tmp_path / "logs.jsonl", [{"text": text, "p": p} for text, p in zip("xy", logs, strict=True)])
    labels = read_answers(
        tmp_path / "logs.jsonl", answers="p", kind="log-probabilities", content="text", task="multilabel", mapping={"promo": "sale"}
    )
    assert labels.form.classes == ("sale", "spam")
    np.testing.assert_allclose(labels.answers, [[0.8, 0.9], [0.1, 0.1]])


@pytest.mark.parametrize(
    ("cell", "options", "error", "message"),
    [
        ({"spam": 0.1}, {}, LabelMismatch, r"line 1 has no number for \['promo'\]; each label .* a number for each of \['spam', 'promo'\]"),
        ({"spam": 0.1, "promo": None}, {}, LabelMismatch, r"line 1 has no number for \['promo'\]"),
        ({"spam": 0.1, "promo": 0.2, "sale": 0.1}, {"mapping": {"sale": "promo"}}, LabelMismatch, "line 1 gives the label 'promo' two"),
        ({"spam": 0.1, "promo": 1.2}, {}, NotProbabilities, r"outside 0 to 1 \(first: row 1\)"),
        (
            top(spam=0.1, promo=0.2),
            {"kind": "log-probabilities"},
            BadInput,
            "column 'p' holds the probabilities of tokens, of which a model gives one",
        ),
        ([top(spam=0.1, promo=0.2)], {"kind": "log-probabilities"}, BadInput, "the labels of a multilabel task do not exclude each other"),
        ({"spam": 0.1}, {"kind": "votes"}, BadInput, "votes for independent labels cannot be counted"),
    ],
)
def test_lines_that_do_not_give_each_independent_label_a_number_are_refused(cell, options, error, message, tmp_path):
    whole = {"spam": 0.9, "promo": 0.8} if isinstance(cell, dict) else cell
    jsonl(tmp_path / "log.jsonl", [{"text": text, "p": p} for text, p in zip("xy", [whole, cell], strict=True)])
    given = {"kind": "probabilities", "task": "multilabel", "classes": ["spam", "promo"], **options}
    with pytest.raises(error, match=message):
        read_answers(tmp_path / "log.jsonl", answers="p", content="text", **given)


def test_one_number_a_line_is_of_the_second_class_or_of_a_single_label():
    log = pa.table({"text": ["x", "y"], "p": [0.2, 0.9], "z": [-1.0, 3.0]})
    of_two = read_answers(log, answers="p", kind="probabilities", content="text", classes=["no", "yes"])
    np.testing.assert_allclose(of_two.answers, [[0.8, 0.2], [0.1, 0.9]])
    logits = read_answers(log, answers="z", kind="logits", content="text", classes=["no", "yes"])
    np.testing.assert_allclose(logits.answers, [[0.0, -1.0], [0.0, 3.0]])
    label = read_answers(log, answers="p", kind="probabilities", content="text", classes=["spam"], task="multilabel")
    np.testing.assert_allclose(label.answers, [[0.2], [0.9]])
    with pytest.raises(BadInput, match="column 'p' holds one number a line; pass classes=, two classes"):
        read_answers(log, answers="p", kind="probabilities", content="text")


LOG = pa.table(
    {
        "text": ["x", "y"],
        "p": [[0.5, 0.5], [0.1, 0.9]],
        "z": [[1.0, 2.0], [3.0]],
        "top": [{"a": 1.0, "b": None}, {"a": 2.0, "b": 1.0}],
        "vote": ["a", "b"],
        "none": pa.array([[], ["a"]], pa.list_(pa.string())),
        "w": [0.5, 3.0],
        "id": ["1", "9"],
    }
)
ROWS = np.eye(2)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"answers": "p", "kind": "scores", "content": "text"}, BadInput, "kind is 'scores'"),
        ({"answers": "p", "kind": "probabilities"}, BadInput, "pass either content="),
        ({"answers": "p", "kind": "probabilities", "content": "text", "data": ROWS}, BadInput, "pass either content="),
        ({"answers": "p", "kind": "probabilities", "data": ROWS, "ids": [1, 2]}, BadInput, "pass all of data="),
        ({"answers": "q", "kind": "probabilities", "content": "text"}, BadInput, "no column 'q'; it has 'text'"),
        ({"answers": "p", "kind": "probabilities", "content": "text"}, BadInput, "pass classes="),
        ({"answers": "p", "kind": "probabilities", "content": "text", "classes": "abc"}, ShapeError, "2 columns; expected 3"),
        ({"answers": "z", "kind": "logits", "content": "text", "classes": "ab"}, ShapeError, "lists of numbers of the same length"),
        ({"answers": "vote", "kind": "logits", "content": "text"}, ShapeError, "does not hold numbers"),
        ({"answers": "top", "kind": "logits", "content": "text"}, BadInput, "leaves classes out of its logits"),
        ({"answers": "top", "kind": "probabilities", "content": "text"}, NotProbabilities, "line 1 sum to 3"),
        ({"answers": "top", "kind": "probabilities", "content": "text", "classes": "bc"}, LabelMismatch, "the log has the class 'a'"),
        ({"answers": "vote", "kind": "votes", "content": "text", "classes": "ac"}, LabelMismatch, "votes were cast for 'b'"),
        ({"answers": "none", "kind": "votes", "content": "text", "classes": "ab"}, LabelMismatch, "the row of line 0 has no votes"),
        ({"answers": "vote", "kind": "votes", "content": "text", "smoothing": -1}, BadInput, "smoothing is -1"),
        ({"answers": ["w", "w"], "kind": "probabilities", "content": "text", "classes": "ab"}, NotProbabilities, "row 1"),
        ({"answers": "w", "kind": "values", "data": np.eye(3)}, LabelMismatch, "2 lines and the data 3 rows"),
        ({"answers": "w", "kind": "values", "data": ROWS, "id_column": "id", "ids": ["1", "2"]}, LabelMismatch, r"first: '9'"),
        (
            {"answers": "w", "kind": "values", "data": ROWS, "id_column": "id", "ids": ["1", "1"]},
            LabelMismatch,
            "each row needs a unique id",
        ),
        ({"answers": "w", "kind": "values", "data": ROWS, "id_column": "id", "ids": ["1"]}, LabelMismatch, "1 ids for 2 rows"),
    ],
)
def test_an_unsuitable_log_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        read_answers(LOG, **options)


def test_a_csv_column_with_invalid_json_is_refused(tmp_path):
    path = write_log(tmp_path, ".csv", {"text": ["x"], "answer": ["{oops"]})
    with pytest.raises(BadInput, match="looks like JSON and cannot be parsed"):
        read_answers(path, answers="answer", kind="probabilities", content="text")


def test_the_fingerprint_follows_the_answers(tmp_path):
    def fingerprint(table):
        return read_answers(table, answers="w", kind="values", content="text").fingerprint

    pq.write_table(LOG, tmp_path / "log.parquet")
    assert fingerprint(LOG) == fingerprint(tmp_path / "log.parquet")
    assert fingerprint(LOG) != fingerprint(LOG.slice(0, 1))


def test_rows_of_numbers_and_texts_are_found_by_their_content():
    rows = pd.DataFrame({"size": [1.5, 2.5], "colour": ["red", "blue"]})
    log = pa.Table.from_pandas(rows.assign(no=[0.25, 0.5], yes=[0.75, 0.5]))
    labels = read_answers(log, answers=["no", "yes"], kind="probabilities", content=["size", "colour"])
    assert labels.answer(rows[::-1]).tolist() == [[0.5, 0.5], [0.25, 0.75]]


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl", ".jsonl.gz"])
def test_token_lists_of_language_models(suffix, tmp_path):
    cells = [top(yes=0.5, Yes=0.3, no=0.1, maybe=0.1), top(no=0.8, NO=0.2)]
    if suffix.startswith(".jsonl"):
        lines = "\n".join(json.dumps({"text": text, "top": cell}) for text, cell in zip("ab", cells, strict=True)).encode()
        (tmp_path / f"log{suffix}").write_bytes(gzip.compress(lines) if suffix.endswith("gz") else lines)
    else:
        write_log(tmp_path, suffix, {"text": ["a", "b"], "top": list(map(json.dumps, cells)) if suffix == ".csv" else cells})
    mapping = {"Yes": "yes", "NO": "no", "maybe": None}
    labels = read_answers(tmp_path / f"log{suffix}", answers="top", kind="log-probabilities", content="text", mapping=mapping)
    assert labels.form.classes == ("no", "yes")
    np.testing.assert_allclose(labels.answer(["a", "b"]), [[1 / 9, 8 / 9], [1, 0]], atol=1e-12)


def test_a_mapping_adds_probabilities_and_scales_up_what_is_left():
    log = pa.table({"text": ["a"], "p": [[("yes", 0.3), (" yes", 0.2), ("no", 0.1), ("junk", 0.2)]]}, schema=MAPPED)
    mapping = {" yes": "yes", "junk": None}
    spread = read_answers(log, answers="p", kind="probabilities", content="text", mapping=mapping, classes=["yes", "no", "other"])
    np.testing.assert_allclose(spread.answer(["a"]), [[0.625, 0.125, 0.25]])
    scaled = read_answers(log, answers="p", kind="probabilities", content="text", mapping=mapping, rest="drop")
    np.testing.assert_allclose(scaled.answer(["a"]), [[1 / 6, 5 / 6]])
    logits = read_answers(log, answers="p", kind="logits", content="text", mapping={" yes": "yes"})
    np.testing.assert_allclose(logits.answer(["a"])[0, 2], np.logaddexp(0.3, 0.2))


MAPPED = pa.schema([("text", pa.string()), ("p", pa.map_(pa.string(), pa.float64()))])


def test_refused_votes_are_counted_and_left_out_or_a_class():
    log = pa.table({"text": ["a", "b"], "v": [["yes", None, "Yes", "no"], ["no", None, None, "hmm"]]})
    mapping = {"Yes": "yes", "hmm": None}
    with pytest.warns(UserWarning, match=r"4 of 8 votes are null or dropped by mapping=, and are not counted"):
        labels = read_answers(log, answers="v", kind="votes", content="text", mapping=mapping)
    np.testing.assert_allclose(labels.answer(["a", "b"]), [[1 / 3, 2 / 3], [1, 0]])
    named = read_answers(log, answers="v", kind="votes", content="text", mapping=mapping | {None: "refused", "hmm": "refused"})
    assert named.form.classes == ("no", "refused", "yes")
    np.testing.assert_allclose(named.answer(["b"]), [[0.25, 0.75, 0]])
    single = pa.table({"text": ["a", "a", "a"], "v": ["yes", None, "no"]})
    with pytest.warns(UserWarning, match="1 of 3 votes"):
        assert read_answers(single, answers="v", kind="votes", content="text").answer(["a"]).tolist() == [[0.5, 0.5]]


def test_several_columns_take_no_option_of_answers_that_name_their_classes():
    log = pa.table({"text": ["a"], "yes": [0.3], "no": [0.7]})
    for option in ({"mapping": {"yes": "ja"}}, {"rest": "drop"}):
        with pytest.raises(BadInput, match=f"{next(iter(option))}= applies to .*answers that name"):
            read_answers(log, answers=["yes", "no"], kind="probabilities", content="text", **option)


def test_what_a_mapping_names_in_vain_is_said():
    log = pa.table({"text": ["a", "b"], "v": ["Yes", "no"]})
    with pytest.warns(UserWarning, match=r"mapping= names 'YES', ' yes', which no line says\."):
        labels = read_answers(log, answers="v", kind="votes", content="text", mapping={"Yes": "yes", "YES": "yes", " yes": "yes"})
    assert labels.form.classes == ("no", "yes")


@pytest.mark.filterwarnings("ignore:.*votes are null")
@pytest.mark.parametrize(
    ("column", "options", "error", "message"),
    [
        ([["a"], [None]], {"kind": "votes"}, LabelMismatch, "the row of line 1 has no votes"),
        ([["a"], ["a", "c"]], {"kind": "votes", "classes": "ab"}, LabelMismatch, r"'c' \(first in line 1\)"),
        ([{"a": 1.0}, None], {"kind": "probabilities"}, BadInput, "line 1 has no answer"),
        ([top(a=1.0), top(c=1.0)], {"kind": "log-probabilities", "classes": "ab"}, LabelMismatch, "class 'c' in line 1"),
        ([top(a=1.0), top(a=1.0)], {"kind": "probabilities"}, BadInput, "line 0 holds a logprob for each token; expected kind='log-prob"),
        (
            [top(a=1.0), [{"token": "b", "logprob": None}]],
            {"kind": "log-probabilities", "classes": "ab", "rest": "drop"},
            NotProbabilities,
            "row 1",
        ),
        ([[{"token": "a", "score": 1.0}]] * 2, {"kind": "probabilities"}, BadInput, "line 0 holds .* expected a token and its logprob"),
        ([top(a=1.0), top(c=1.0)], {"kind": "log-probabilities", "mapping": {"c": None}}, LabelMismatch, "line 1 has no probability left"),
        ([{"a": 1.0}, {"a": "much"}], {"kind": "probabilities"}, NotProbabilities, "line 1 holds 'much' for 'a'; expected a number"),
        ([{"a": 1.0}, {"choices": []}], {"kind": "logits"}, NotProbabilities, r"line 1 holds \[\] for 'choices'; expected a number"),
        ([["a"], [{"choices": []}]], {"kind": "votes"}, BadInput, "line 1 casts the vote {'choices': .*; expected the name of a class"),
        ([top(a=1.0), [{"token": None, "logprob": 0.0}]], {"kind": "log-probabilities"}, BadInput, "line 1 holds .* expected a token and"),
        (
            [{"a": 1.0}, {"a": 0.5, "b": float("nan")}],
            {"kind": "probabilities", "classes": "ac", "mapping": {"b": None}},
            NotProbabilities,
            "line 1 holds nan for 'b', which is none of probabilities",
        ),
        ([[0.5, 0.5], [0.5]], {"kind": "probabilities", "classes": "ab"}, ShapeError, r"same length \(line 1"),
        ([[0.5, 0.5]] * 2, {"kind": "probabilities", "classes": "ab", "mapping": {"x": "a"}}, BadInput, "mapping= applies to votes"),
        ([[0.5, 0.5]] * 2, {"kind": "probabilities", "classes": "ab", "rest": "drop"}, BadInput, "rest= applies to answers that name some"),
        ([{"a": 1.0}] * 2, {"kind": "logits", "rest": "spread"}, BadInput, "rest= does not apply to logits"),
        ([{"a": 1.0}] * 2, {"kind": "probabilities", "task": "multilabel", "rest": "drop"}, BadInput, "to independent labels"),
        (["a", "b"], {"kind": "votes", "rest": "drop"}, BadInput, "rest= does not apply to votes, which are counted"),
        (["a", "b"], {"kind": "votes", "repeated": "error"}, BadInput, "repeated= does not apply to votes, which are counted"),
        (["a", "b"], {"kind": "votes", "mapping": {"foo": "a"}}, BadInput, "names 'foo', which no line says; the lines say 'a', 'b'"),
        ([top(a=1.0)] * 2, {"kind": "log-probabilities", "mapping": {"x": None, None: "a"}}, BadInput, "mapping= names 'x', which no line"),
    ],
)
def test_the_error_names_the_line(column, options, error, message, tmp_path):
    (tmp_path / "log.jsonl").write_text("\n".join(json.dumps({"text": text, "p": cell}) for text, cell in zip("ab", column, strict=True)))
    with pytest.raises(error, match=message):
        read_answers(tmp_path / "log.jsonl", answers="p", content="text", **options)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{oops", "line 1 of .* is not a JSON object"),
        ("[1]", "line 1 of .* holds a list; expected a JSON object"),
        ('{"v": "a", "v": "b"}', "line 1 of .*the name 'v' occurs twice"),
    ],
)
def test_a_bad_line_of_json_is_named(line, message, tmp_path):
    (tmp_path / "log.jsonl").write_text(json.dumps({"text": "x" * 3_000_000, "v": "a"}) + f"\n{line}\n")
    with pytest.raises(BadInput, match=message):
        read_answers(tmp_path / "log.jsonl", answers="v", kind="votes", content="text")


def test_line_breaks_in_quotes_do_not_make_rows(tmp_path):
    texts = [f"dear {number}\nthanks, all\n" + "word " * 40 for number in range(8000)]
    pd.DataFrame({"text": texts, "answer": ["a", "b"] * 4000}).to_csv(tmp_path / "log.csv", index=False)
    labels = read_answers(tmp_path / "log.csv", answers="answer", kind="votes", content="text")
    assert (labels.form.classes, len(labels)) == (("a", "b"), 8000)


@pytest.mark.parametrize("by", ["content", "data"])
def test_rows_of_a_log_are_found_by_the_names_of_their_columns(by):
    log = pa.table({"size": [1.5, 2.5], "zip": ["007", "12"], "no": [0.75, 0.25], "yes": [0.25, 0.75]})
    rows_of_log = {"content": ["size", "zip"]} if by == "content" else {"data": log.select(["size", "zip"])}
    labels = read_answers(log, answers=["no", "yes"], kind="probabilities", **rows_of_log)
    rows = pd.DataFrame({"zip": ["12", "007"], "size": ["2.5", "1.5"], "more": [1, 2]})
    np.testing.assert_array_equal(labels.answer(rows)[:, 1], [0.75, 0.25])
    with pytest.raises(LabelMismatch, match="the rows lack the columns 'zip'"):
        labels.answer(rows.drop(columns="zip"))


def test_columns_may_come_from_a_generator_and_must_be_some():
    log = pa.table({"text": TEXTS, "no": [0.2, 0.4, 0.6, 0.8], "yes": [0.8, 0.6, 0.4, 0.2]})
    labels = read_answers(log, answers=(name for name in ("no", "yes")), kind="probabilities", content=(name for name in ("text",)))
    assert labels.form.classes == ("no", "yes")
    np.testing.assert_array_equal(labels.answer(TEXTS)[:, 0], [0.2, 0.4, 0.6, 0.8])
    for wrong in ({"answers": []}, {"content": []}):
        with pytest.raises(BadInput, match=f"{next(iter(wrong))} lists 0 texts; expected at least 1"):
            read_answers(log, **{"answers": ("no", "yes"), "kind": "probabilities", "content": "text", **wrong})


def test_votes_for_a_class_that_is_named_none_count(tmp_path):
    (tmp_path / "log.csv").write_text("text,vote\ngood,None\nbad,Low\ngood,Low\n")
    labels = read_answers(tmp_path / "log.csv", answers="vote", kind="votes", content="text", classes=["Low", "None"])
    np.testing.assert_array_equal(labels.answer(["good", "bad"]), [[0.5, 0.5], [1, 0]])


@pytest.mark.parametrize("numbers", [[0.9, 0.1], [[0.9], [0.1]]])
def test_one_number_a_line_is_not_read_under_the_name_of_the_other_class(numbers):
    log = pa.table({"text": ["x", "y"], "spam": numbers})
    with pytest.raises(LabelMismatch, match=r"is named after the first\. Pass classes= with 'spam' last, or rename the column"):
        read_answers(log, answers="spam", content="text", kind="probabilities", classes=["spam", "ham"])
    labels = read_answers(log, answers="spam", content="text", kind="probabilities", classes=["ham", "spam"])
    np.testing.assert_allclose(labels.answer(["x", "y"]), [[0.1, 0.9], [0.9, 0.1]])
