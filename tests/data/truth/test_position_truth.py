import numpy as np
import pytest
import torch

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError
from tutelage.data.structures.structured import StructuredRows
from tutelage.data.truth.position_truth import IGNORED, truth_of_positions

TOKENS = AnswerForm("logits", "multiclass", ("O", "B", "I"), positions="tokens")
PIXELS = AnswerForm("logits", "binary", (0, 1), positions="pixels")
ROWS = StructuredRows.of({"input_ids": [[5, 7, 0], [4, 0, 0]], "attention_mask": [[1, 1, 0], [1, 0, 0]]})


def test_names_are_codes_and_padding_is_cut_as_the_rows_were():
    for y in ([["O", "I"], ["B"]], [["O", "I", -100], ["B", -100, -100]], np.array([["O", "I", ""], ["B", "", ""]])):
        found = truth_of_positions(y, TOKENS, ROWS)
        assert found.values.tolist() == [0, 2, 1]
        assert found.lengths.tolist() == [2, 1]


def test_minus_100_and_none_among_names_do_not_count():
    found = truth_of_positions([["O", -100], [None]], TOKENS, ROWS)
    assert found.values.tolist() == [0, IGNORED, IGNORED]


def test_a_class_may_be_named_minus_100_as_a_text():
    form = AnswerForm("logits", "binary", ("-100", "B"), positions="tokens")
    assert truth_of_positions([["-100", "B"], [-100]], form, ROWS).values.tolist() == [0, 1, IGNORED]


def test_tensors_arrays_and_lists_agree():
    y = [[[0, 1], [1, -100]]]
    expected = [0, 1, 1, IGNORED]
    for given in (y, np.array(y), torch.tensor(y), [torch.tensor(y[0])]):
        assert truth_of_positions(given, PIXELS, np.zeros((1, 1, 2, 2))).values.tolist() == expected


@pytest.mark.parametrize(
    ("y", "rows", "error", "says"),
    [
        ([["O", "I"]], ROWS, ShapeError, "y has 1 rows and X has 2"),
        ([["O", "I", "I", "I"], ["B"]], ROWS, ShapeError, "row 0 of y has 4 labels, and the row has 2 positions"),
        ([["O", "X"], ["B"]], ROWS, LabelMismatch, "'X'"),
        (["O", "B"], ROWS, ShapeError, "one label per row"),
        (3, ROWS, ShapeError, "y is a int"),
        ({"O": 1}, ROWS, ShapeError, "y is a dict"),
    ],
)
def test_wrong_truth_is_one_sentence(y, rows, error, says):
    with pytest.raises(error, match=says):
        truth_of_positions(y, TOKENS, rows)


def test_a_picture_turned_on_its_side_is_refused():
    with pytest.raises(ShapeError, match=r"row 0 of y has shape \(3, 2\), and answers of height 2 and width 3"):
        truth_of_positions(np.zeros((1, 3, 2), int), PIXELS, np.zeros((1, 1, 2, 3)), np.array([[2, 3]]))
    assert len(truth_of_positions(np.zeros((1, 6), int), PIXELS, np.zeros((1, 1, 2, 3)), np.array([[2, 3]])).values) == 6


def test_labels_by_position_are_refused():
    with pytest.raises(BadInput, match="multilabel"):
        truth_of_positions([[1]], AnswerForm("logits", "multilabel", ("a",), positions="tokens"), np.zeros((1, 1)))


def test_the_tokens_themselves_are_no_truth_of_a_causal_model():
    ids = [[5, 7, 9], [4, 2]]
    rows = StructuredRows.of({"input_ids": ids, "attention_mask": [[1, 1, 1], [1, 1]]})
    form = AnswerForm("logits", "multiclass", tuple(range(10)), "tokens")
    with pytest.raises(BadInput, match=r"every label is the token at its own position.*next_tokens\(rows\)"):
        truth_of_positions(ids, form, rows)
    with pytest.raises(BadInput, match="every label is the token"):
        truth_of_positions([[5, -100, 9], [4, 2]], form, rows)
    assert truth_of_positions([[5, 7, 8], [4, 2]], form, rows).values.tolist() == [5, 7, 8, 4, 2]
    assert truth_of_positions([[7, 9, -100], [2, -100]], form, rows).values.tolist() == [7, 9, -100, 2, -100]
