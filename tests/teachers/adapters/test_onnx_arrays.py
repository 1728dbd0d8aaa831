import numpy as np
import pytest
from onnx import TensorProto, helper

from tutelage.core.errors import BadInput
from tutelage.softlabels.recording import record
from tutelage.teachers.adapt import as_teacher

CLASSES = ("a", "b")


def graph(*, rows="rows", tokens="tokens", ids="ids", weights="weights") -> bytes:
    """Logits of each token: its number and that of its weight."""
    first = helper.make_tensor_value_info(ids, TensorProto.INT64, [rows, tokens])
    second = helper.make_tensor_value_info(weights, TensorProto.FLOAT, [rows, tokens])
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [2])
    nodes = [
        helper.make_node("Cast", [ids], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["numbers", "axis"], ["first"]),
        helper.make_node("Unsqueeze", [weights, "axis"], ["second"]),
        helper.make_node("Concat", ["first", "second"], ["logits"], axis=2),
    ]
    out = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [rows, tokens, 2])
    made = helper.make_graph(nodes, "g", [first, second], [out], [axis])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


IDS = [[1, 2, 3], [4], [5, 6]]
ROWS = {"ids": IDS, "weights": [np.full(len(row), 0.5, np.float32) for row in IDS]}


def teacher(**shape):
    return as_teacher(graph(**shape), classes=CLASSES, kind="logits", positions="tokens")


def test_a_graph_of_several_arrays_answers_rows_of_any_length_by_the_names_of_its_inputs():
    answers = teacher().answer(ROWS)
    assert [row[:, 0].tolist() for row in answers] == [[1, 2, 3], [4], [5, 6]]
    assert answers.values[:, 1].tolist() == [0.5] * 6
    in_order = teacher().answer((np.array([[1, 2]]), np.array([[0.5, 1.0]])))
    assert in_order[0].tolist() == [[1, 0.5], [2, 1]]
    assert len(record(teacher(), ROWS)) == 3


def test_a_graph_of_a_fixed_number_of_rows_or_tokens_is_filled_up():
    fixed = teacher(rows=2)
    assert [row[:, 0].tolist() for row in fixed.answer(ROWS)] == [[1, 2, 3], [4], [5, 6]]
    with pytest.raises(BadInput, match="takes 2 positions for 'ids', and a row has 3"):
        teacher(tokens=2).answer({name: rows[::2] for name, rows in ROWS.items()})


def test_what_a_graph_of_a_fixed_number_of_tokens_is_filled_up_with_has_no_answers():
    fixed = teacher(tokens=4, weights="attention_mask")
    rows = {"ids": [[1, 2, 0, 0], [5, 6, 0, 0]], "attention_mask": [[1, 1, 0, 0], [1, 1, 0, 0]]}
    assert [row[:, 0].tolist() for row in fixed.answer(rows)] == [[1, 2], [5, 6]]
    with pytest.raises(BadInput, match="takes 4 positions for 'ids', and a row has 1; rows are padded only with an attention_mask"):
        teacher(tokens=4).answer(ROWS)
    other = {"attention_mask": [[1, 1, 1, 1], [1, 1, 1, 1]], "prices": [[0.5], [1.5, 2.5]]}
    with pytest.raises(BadInput, match="takes 4 positions for 'prices', and a row has 1; rows are padded only with an attention_mask"):
        as_teacher(graph(tokens=4, ids="attention_mask", weights="prices"), classes=CLASSES, kind="logits", positions="tokens").answer(
            other
        )


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"ids": IDS}, r"takes the inputs \['ids', 'weights'\], and the rows have \['ids'\]"),
        ({**ROWS, "further": IDS}, "pass exactly those"),
        ((np.array([[1]]),), "the rows have 1 arrays"),
        (np.array([[1, 2]]), "pass them by name"),
        ({"ids": [[0.5], [1.5], [2.5]], "weights": [[1.0]] * 3}, "that do not fit"),
    ],
)
def test_other_inputs_than_those_of_the_graph_are_one_sentence(rows, words):
    with pytest.raises(BadInput, match=words):
        teacher().answer(rows)


def test_positions_are_declared():
    with pytest.raises(BadInput):
        as_teacher(graph(), classes=CLASSES, kind="logits").answer(ROWS)
