"""Rows of several inputs in files: arrays of a .npz file, and columns of lists."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper

from tutelage.cli import main
from tutelage.softlabels.folder import open_labels
from tutelage.softlabels.recording import record
from tutelage.teachers.adapt import as_teacher

OPTIONS = ("--classes", "low,high", "--kind", "logits")


def graph(*, tokens: bool) -> bytes:
    """Logits of the sum of the ids that count, and its negative; or of each token."""
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "length"]) for name in ("input_ids", "attention_mask")]
    axes = [helper.make_tensor("one", TensorProto.INT64, [1], [1]), helper.make_tensor("two", TensorProto.INT64, [1], [2])]
    nodes = [
        helper.make_node("Mul", ["input_ids", "attention_mask"], ["counting"]),
        helper.make_node("Cast", ["counting"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["numbers", "two"], ["value"])
        if tokens
        else helper.make_node("ReduceSum", ["numbers", "one"], ["value"], keepdims=1),
        helper.make_node("Neg", ["value"], ["other"]),
        helper.make_node("Concat", ["value", "other"], ["logits"], axis=2 if tokens else 1),
    ]
    out = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", "length", 2] if tokens else ["rows", 2])
    made = helper.make_graph(nodes, "g", inputs, [out], axes)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


IDS = [[3, -4], [5], [1, 2, 3], [-7, 2], [4, -9, 1, 1], [-2]]
ROWS = [{"input_ids": ids, "attention_mask": [1] * len(ids), "y": "low" if sum(ids) > 0 else "high", "note": "a"} for ids in IDS]


def write(rows, name):
    """Rows in a file of any format, in a .npz file padded."""
    if name.endswith(".jsonl"):
        with open(name, "w") as file:  # noqa: PTH123 - the name is relative
            file.writelines(json.dumps(row) + "\n" for row in rows)
    elif name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), name)
    else:
        width = max(len(row["input_ids"]) for row in rows)
        padded = {key: [[*row[key], *[0] * (width - len(row[key]))] for row in rows] for key in ("input_ids", "attention_mask")}
        np.savez(name, **padded, y=[row["y"] for row in rows])
    return name


@pytest.fixture
def teacher(here):
    (here / "teacher.onnx").write_bytes(graph(tokens=False))
    return "teacher.onnx"


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.parquet", "rows.npz"])
def test_the_inputs_of_an_onnx_graph_are_found_by_their_names_in_any_file(name, teacher, here):
    assert main(["record", teacher, "--data", write(ROWS, name), "--into", "labels", *OPTIONS]) == 0
    given = {key: [row[key] for row in ROWS] for key in ("input_ids", "attention_mask")}
    expected = record(as_teacher(here / teacher, classes=("low", "high"), kind="logits"), given)
    found = open_labels("labels").labels
    np.testing.assert_array_equal(found.answers, expected.answers)
    np.testing.assert_array_equal(found.answer(given), expected.answers)  # the same rows, from memory


def test_a_plan_labels_the_same_rows(teacher, here):
    write(ROWS, "rows.parquet")
    assert main(["record", teacher, "--data", "rows.parquet", "--into", "labels", *OPTIONS]) == 0
    assert main(["plan", teacher, "--data", "rows.parquet", "--into", "planned", *OPTIONS, "--label", "missing", "--finish"]) == 0
    np.testing.assert_array_equal(open_labels("planned").labels.answers, open_labels("labels").labels.answers)


def test_preflight_checks_answers_by_row_and_by_token_against_the_truth_in_the_file(teacher, here, capsys):
    assert main(["preflight", teacher, "--data", write(ROWS, "rows.npz"), "--truth", "y", *OPTIONS]) in (0, 3)
    assert "the teacher is right in 100 % of 6 cases" in " ".join(capsys.readouterr().out.split())
    (here / "tagger.py").write_text(
        "import tutelage as tl\ntagger = tl.as_teacher('tagger.onnx', classes=('low', 'high'), kind='logits', positions='tokens')\n"
    )
    (here / "tagger.onnx").write_bytes(graph(tokens=True))
    tagged = [{**row, "tags": ["low" if token > 0 else "high" for token in row["input_ids"]]} for row in ROWS]
    command = ["preflight", "tagger:tagger", "--data", write(tagged, "tagged.parquet"), "--truth", "tags"]
    assert main([*command, "--inputs", "input_ids,attention_mask"]) in (0, 3)
    said = " ".join(capsys.readouterr().out.split())
    assert "the teacher is right in 100 % of 6 cases" in said  # a token of each row
    assert "cases 6; of tokens" in said


def test_a_function_is_given_the_inputs_that_are_named(here):
    write(ROWS, "rows.jsonl")
    (here / "summing.py").write_text(
        "import numpy as np\n\n"
        "def positive(rows):\n"
        "    total = (rows['input_ids'] * rows['attention_mask']).sum(axis=1)\n"
        "    return np.stack([total > 0, total <= 0], axis=1).astype(float)\n"
    )
    command = ["record", "summing:positive", "--data", "rows.jsonl", "--into", "labels", "--inputs", "input_ids, attention_mask"]
    assert main([*command, "--classes", "low,high", "--kind", "probabilities"]) == 0
    assert open_labels("labels").labels.answers.argmax(axis=1).tolist() == [int(row["y"] == "high") for row in ROWS]


def test_inputs_are_named_in_a_settings_file(teacher, here, user_error):
    write(ROWS, "rows.jsonl")
    (here / "tutelage.toml").write_text('data = "rows.jsonl"\ninputs = "input_ids"\n')
    assert "takes the inputs ['input_ids', 'attention_mask'], and the rows have ['input_ids']" in user_error(
        "record", teacher, "--into", "labels", *OPTIONS
    )


@pytest.mark.parametrize(
    ("changed", "name", "options", "words"),
    [
        ({}, "rows.jsonl", ["--inputs", "input_id,attention_mask"], "has no column 'input_id' for the input of this name"),
        ({"attention_mask": None}, "rows.parquet", [], "has a gap in row 2"),
        ({"input_ids": [1, None, 2]}, "rows.parquet", [], "column 'input_ids' of rows.parquet has a gap in row 2"),
        ({"attention_mask": [1, 1]}, "rows.parquet", [], "row 2 has 3 input_ids and 2 numbers of attention_mask; expected one for each"),
        ({"attention_mask": [1, 2, 1]}, "rows.jsonl", [], "attention_mask holds numbers other than 0 and 1"),
        ({"input_ids": [0.5, 1, 1]}, "rows.parquet", [], "the rows hold float64 that do not fit (such as 0.5)"),
        ({}, "rows.parquet", ["--inputs", "input_ids,note"], "column 'note' of rows.parquet holds values of type string"),
        ({}, "rows.npz", ["--inputs", "input_ids,y"], "the input 'y' holds <U4; expected numbers"),
        ({}, "rows.npz", ["--inputs", "input_ids,attention_mask", "--truth", "input_ids"], "is an input of the rows and the ground truth"),
        ({}, "rows.jsonl", ["--inputs", "input_ids,attention_mask", "--text", "note"], "the rows are the texts of column 'note', and have"),
    ],
)
def test_a_wrong_input_is_one_sentence(changed, name, options, words, teacher, here, user_error):
    rows = [dict(row) for row in ROWS]
    rows[2] |= changed
    assert words in user_error("record", teacher, "--data", write(rows, name), "--into", "labels", *OPTIONS, *options)


def test_a_file_without_the_mask_or_without_lists_says_what_it_lacks(teacher, here, user_error):
    pq.write_table(pa.Table.from_pylist([{"input_ids": ids} for ids in IDS]), "rows.parquet")
    command = ["record", teacher, "--into", "labels", *OPTIONS, "--data"]
    assert "Add one with 1 for each position that counts, and 0 for padding." in user_error(*command, "rows.parquet")
    pd.DataFrame({"input_ids": ["[1]"], "attention_mask": ["[1]"]}).to_csv("rows.csv", index=False)
    assert "store lists in a .parquet or .jsonl file" in user_error(*command, "rows.csv")
    np.save("rows.npy", np.eye(2))
    assert "rows.npy has no column names, so there is no column 'input_ids'" in user_error(*command, "rows.npy", "--inputs", "input_ids")


def test_lists_that_are_not_named_as_inputs_say_so(here, flowers, user_error):
    write(ROWS, "rows.parquet")
    assert "name the inputs: --inputs a,b" in user_error("record", flowers.teacher, "--data", "rows.parquet", "--into", "labels")


def test_a_student_of_columns_is_not_trained_on_several_inputs(teacher, here, user_error):
    write(ROWS, "rows.npz")
    assert main(["record", teacher, "--data", "rows.npz", "--into", "labels", *OPTIONS]) == 0
    command = ["train", "tree", "--labels", "labels", "--data", "rows.npz", "--inputs", "input_ids,attention_mask", "--out", "run"]
    assert "a tree student takes columns or texts" in user_error(*command)
    distilled = ["distill", teacher, "--data", "rows.npz", "--truth", "y", "--out", "run", *OPTIONS]
    assert "and the student 'tree' takes tables, texts and arrays; name a torch network" in user_error(*distilled, "--students", "tree")
    assert "for which there is no usual student" in user_error(*distilled)


def test_a_student_of_columns_is_not_measured_on_several_inputs(teacher, here, flowers, user_error):
    measured = ["evaluate", flowers.run, "--data", flowers.test]
    assert "--inputs names a, b, and the student reads columns, texts or arrays; leave it out" in user_error(*measured, "--inputs", "a,b")
    assert "the student reads columns, texts or arrays" in user_error("compare", flowers.run, *measured[1:], "--inputs", "a,b")
    rows = pd.read_csv(flowers.test).assign(input_ids=1, attention_mask=1)
    rows.to_parquet("both.parquet")
    assert "the teacher takes the inputs input_ids, attention_mask, and the student reads other columns" in user_error(
        "evaluate", flowers.run, "--data", "both.parquet", "--teacher", teacher, *OPTIONS
    )
