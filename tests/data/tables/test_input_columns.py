from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.structured import StructuredRows
from tutelage.data.tables.input_columns import inputs_of

PATH = Path("rows.parquet")


def read(**columns):
    return inputs_of(pa.table(columns), PATH)


def test_numbers_and_lists_are_arrays_and_lists_of_different_lengths_are_ragged():
    found = read(age=[1.5, 2.0], even=[[1, 2], [3, 4]], odd=[[1], [2, 3]], picture=[[[1, 2], [3, 4]], [[5, 6], [7, 8]]])
    assert found["age"].tolist() == [1.5, 2]
    assert found["even"].tolist() == [[1, 2], [3, 4]]
    assert isinstance(found["odd"], Ragged)
    assert found["odd"].values.tolist() == [1, 2, 3]
    assert found["odd"].lengths.tolist() == [1, 2]
    rows = StructuredRows.of(found)
    assert rows.fields["picture"].shape == (2, 2, 2)
    assert rows.lengths.tolist() == [1, 2]


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.int32()), pa.large_list(pa.uint8()), pa.list_(pa.float32(), 2), pa.list_(pa.bool_())], ids=str
)
def test_the_type_of_the_numbers_stays(kind):
    cells = [[[False, True]], [[True, True], [True, False]]] if kind.value_type == pa.bool_() else [[[0, 1]], [[1, 1], [1, 0]]]
    column = pa.chunked_array([pa.array(chunk, kind) for chunk in cells])
    found = read(x=column)["x"]
    assert found.tolist() == [[0, 1], [1, 1], [1, 0]]
    assert found.dtype == np.dtype(kind.value_type.to_pandas_dtype())


def test_empty_rows_have_no_length():
    assert read(x=[[], [4]])["x"].lengths.tolist() == [0, 1]
    assert StructuredRows.of(read(x=[[], []])).lengths.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["a"], "holds values of type string; expected numbers, or lists of numbers"),
        ([["a"]], "holds values of type list<"),
        ([[1], None], "has a gap in row 1"),
        ([[1], [2, None]], "has a gap in row 1"),
        ([[[1]], [[None]]], "has a gap in row 1"),
        ([None, None], "holds values of type null"),
    ],
)
def test_other_cells_are_refused_with_their_column(cells, words):
    with pytest.raises(BadInput, match=f"column 'x' of rows.parquet {words}"):
        read(x=cells)


def test_lists_within_a_row_have_one_length():
    with pytest.raises(ShapeError, match="the rows of 'x' differ in more than their length"):
        StructuredRows.of(read(x=[[[1, 2], [3]], [[4, 5], [6, 7]]]))
