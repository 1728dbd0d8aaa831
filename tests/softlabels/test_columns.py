import numpy as np
import pyarrow.parquet as pq
import pytest

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import ShapeError
from tutelage.core.position_answers import PositionAnswers
from tutelage.softlabels.columns import answers_from, arrays_of, flat, read_columns, table_of, writing_options

LOGITS = np.random.default_rng(0).normal(size=(6, 7))
FORM = of_classes("logits", range(7))
VALUES = AnswerForm("values", "regression")
TOKENS, PIXELS = (AnswerForm("logits", "multiclass", tuple(range(7)), positions) for positions in ("tokens", "pixels"))
TOP = TopAnswers.of(LOGITS, "logits", 3).in_precision("float16")
STORED = {
    "numbers": (LOGITS, FORM, ["answers"]),
    "half precision": (LOGITS.astype(np.float16), FORM, ["answers"]),
    "values": (LOGITS[:, :2], VALUES, ["answers"]),
    "top": (TOP, FORM, ["ids", "log_probs", "rest"]),
    "tokens": (PositionAnswers(LOGITS, np.array([[2], [0], [4]])), TOKENS, ["tokens", "answers"]),
    "top of tokens": (PositionAnswers(TOP, np.array([[2], [0], [4]])), TOKENS, ["tokens", "ids", "log_probs", "rest"]),
    "top of one token each": (PositionAnswers(TOP, np.ones((6, 1), np.int64)), TOKENS, ["tokens", "ids", "log_probs", "rest"]),
    "pixels": (PositionAnswers(LOGITS, np.array([[2, 1], [1, 4]])), PIXELS, ["height", "width", "answers"]),
}


@pytest.mark.parametrize("name", STORED)
def test_stored_answers_are_read_back_from_a_file_bit_for_bit(name, tmp_path):
    stored, form, columns = STORED[name]
    table = table_of({"row": np.arange(len(stored))}, stored)
    assert table.column_names == ["row", *columns]
    pq.write_table(table, tmp_path / "part.parquet", use_dictionary=False, **writing_options(table))
    read = pq.read_table(tmp_path / "part.parquet")
    arrays = {column: flat(read.column(column)) for column in read.column_names}
    found = answers_from(arrays, form, rows=len(stored), top_k=3 if "ids" in columns else None)
    expected = arrays_of(stored)
    assert arrays_of(found).keys() == expected.keys()
    for column, array in arrays_of(found).items():
        assert array.dtype == expected[column].dtype
        np.testing.assert_array_equal(array, expected[column])


def test_arrays_that_do_not_fit_are_refused():
    arrays = arrays_of(STORED["tokens"][0])
    for changed in ({"tokens": np.array([2, 0, 3])}, {"tokens": np.array([2, 0, -1])}, {"answers": LOGITS[:, :6]}):
        with pytest.raises((ShapeError, ValueError)):
            answers_from({**arrays, **changed}, TOKENS, rows=3, top_k=None)


EMPTY_FIRST_AND_LAST = np.array([[0], [2], [0], [0], [4], [0]])


@pytest.mark.parametrize("values", [LOGITS, LOGITS.astype(np.float16), TOP], ids=["numbers", "half precision", "top"])
@pytest.mark.parametrize("group", [1, 2, 5, 6])
def test_rows_without_positions_are_read_back_in_any_groups_of_rows(values, group, tmp_path):
    """Parquet counts a placeholder for each empty list among the values of a column."""
    stored = PositionAnswers(values, EMPTY_FIRST_AND_LAST)
    table = table_of({"row": np.arange(6)}, stored)
    pq.write_table(table, tmp_path / "part.parquet", use_dictionary=False, **{**writing_options(table), "row_group_size": group})
    read = read_columns(pq.ParquetFile(tmp_path / "part.parquet"))
    np.testing.assert_array_equal(read.pop("row"), np.arange(6))
    found = answers_from(read, TOKENS, rows=6, top_k=3 if values is TOP else None)
    for column, array in arrays_of(stored).items():
        assert read[column].dtype == array.dtype
        np.testing.assert_array_equal(arrays_of(found)[column], array)
