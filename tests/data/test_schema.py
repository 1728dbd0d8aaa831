import datetime
import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from scipy import sparse

from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.row_names import row_names
from tutelage.data.schema import Column, Schema, file_type, places_by_number

NAN = float("nan")
SCHEMA = Schema(
    (
        Column("size", "number"),
        Column("on", "boolean"),
        Column("colour", "category", ("red", "green", "blue")),
        Column("code", "category", (3, 1, 7)),
        Column("idle", "unread"),
    )
)
FRAME = pd.DataFrame(
    {
        "code": pd.Categorical([7, None, 3], categories=[1, 3, 7]),
        "more": ["x", "y", "z"],
        "colour": pd.Categorical(["blue", "red", None]),
        "idle": ["?", None, "?"],
        "size": [1.5, NAN, 2.0],
        "on": [True, False, True],
    }
)
CODES = [[1.5, 1, 2, 2, NAN], [NAN, 0, 0, NAN, NAN], [2.0, 1, NAN, 0, NAN]]
IN_ORDER = FRAME[["size", "on", "colour", "code", "idle"]]
SAME_ROWS = {
    "pandas": FRAME,
    "objects": FRAME.astype(object),
    "nullable": FRAME.convert_dtypes(),
    "Arrow dtypes": FRAME.convert_dtypes(dtype_backend="pyarrow"),
    "polars": pl.from_pandas(FRAME),
    "Arrow": pa.table(FRAME),
    "an Arrow batch": pa.RecordBatch.from_pandas(FRAME),
    "texts": FRAME.astype(object).map(lambda cell: cell if pd.isna(cell) else str(cell)),
    "other levels": FRAME.assign(colour=FRAME["colour"].cat.set_categories(["violet", "blue", "red"])),
    "another order": FRAME[FRAME.columns[::-1]],
    "an index": FRAME.set_index(np.array([5, 5, 2])),
    "no unknown columns": IN_ORDER,
    "a matrix": IN_ORDER.to_numpy(),
    "in Fortran order": np.asfortranarray(IN_ORDER.to_numpy()),
    "lists": IN_ORDER.astype(object).to_numpy().tolist(),
}


@pytest.mark.parametrize("kind", SAME_ROWS)
def test_the_same_rows_are_the_same_numbers(kind):
    np.testing.assert_array_equal(SCHEMA.encode(SAME_ROWS[kind]), CODES)


@pytest.mark.parametrize("kind", SAME_ROWS)
def test_rows_are_arranged_in_the_types_and_levels_of_the_model(kind):
    frame = SCHEMA.arrange(SAME_ROWS[kind])
    assert frame.columns.to_list() == ["size", "on", "colour", "code", "idle"]
    assert frame["colour"].cat.categories.to_list() == ["red", "green", "blue"]
    assert frame["code"].cat.categories.to_list() == [3, 1, 7]
    assert frame["colour"].astype(object).where(frame["colour"].notna(), None).to_list() == ["blue", "red", None]
    np.testing.assert_array_equal(frame[["size", "on"]].to_numpy(), np.array(CODES)[:, :2])


def test_the_index_of_a_frame_is_unchanged():
    assert SCHEMA.arrange(SAME_ROWS["an index"]).index.to_list() == [5, 5, 2]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (FRAME.drop(columns=["size", "on"]), r"lack the columns 'size', 'on', which are expected; they have 'code', 'more'"),
        (pd.concat([FRAME, FRAME[["size"]]], axis=1), r"more than one column for one that is expected: 'size', 'size'"),
        (IN_ORDER.to_numpy()[:, :3], r"the rows have 3 columns; expected 5: 'size', 'on'"),
        (IN_ORDER.to_numpy()[0], r"the rows have shape \(5,\); expected \(rows, 5\)\. For a single row pass row\.reshape\(1, -1\)"),
        (FRAME.assign(size=["1", "2", "three"]), r"column 'size' holds 'three' in row 2; expected numbers"),
        (FRAME.assign(on=2), r"column 'on' holds 2 in row 0; expected true and false"),
        (FRAME.assign(colour=7), r"column 'colour' holds 7 in row 0; expected the categories 'red', 'green', 'blue'"),
    ],
)
@pytest.mark.parametrize("method", ["encode", "arrange"])
def test_other_rows_are_refused_in_one_sentence(rows, message, method):
    with pytest.raises(BadInput, match=message):
        getattr(SCHEMA, method)(rows)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "Arrow"])
def test_a_column_may_have_the_name_of_a_method(kind):
    rows = kind({"b": [1.0, 2.0], "select": [9, 9], "a": [3.0, 4.0]})
    schema = Schema((Column("a", "number"), Column("select", "number")))
    np.testing.assert_array_equal(schema.encode(rows), [[3, 9], [4, 9]])


def test_names_that_are_not_texts_are_compared_as_texts():
    schema = Schema((Column("0", "number"), Column("1", "number")))
    np.testing.assert_array_equal(schema.encode(pd.DataFrame({1: [5.0], 0: [6.0]})), [[6, 5]])


@pytest.mark.parametrize(
    ("given", "names"), [(["body mass"], ["body_mass"]), (["body_mass"], ["body_mass"]), (["body mass"], ["body mass"])]
)
def test_spaces_in_names_equal_the_underscores_that_replaced_them(given, names):
    schema = Schema(tuple(Column(name, "number") for name in names), underscores=True)
    np.testing.assert_array_equal(schema.encode(pd.DataFrame([[7.0]], columns=given)), [[7]])


def test_two_columns_whose_names_differ_in_spaces_only_are_refused():
    rows = pd.DataFrame({"body mass": [1.0], "body_mass": [2.0]})
    with pytest.raises(BadInput, match="more than one column for one that is expected: 'body mass', 'body_mass'"):
        Schema((Column("body_mass", "number"),), underscores=True).encode(rows)
    np.testing.assert_array_equal(Schema((Column("body_mass", "number"),)).encode(rows), [[2]])


NAMELESS = Schema((Column(None, "number"), Column(None, "number")))


@pytest.mark.parametrize(
    "rows",
    [
        [[1, 2]],
        torch.tensor([[1, 2]]),
        sparse.csr_matrix([[1, 2]]),
        pd.DataFrame({"b": [1], "a": [2]}),
        pd.DataFrame({1: [2], 0: [1]}),
        pd.DataFrame({"1": [2], "0": [1]}),
        np.array([["1", "2"]]),
        np.array([[1, 2]], dtype=">f4"),
    ],
    ids=["lists", "tensor", "sparse", "frame", "numbered", "numbered by texts", "texts", "big-endian"],
)
def test_columns_without_names_are_matched_by_position(rows):
    encoded = NAMELESS.encode(rows)
    np.testing.assert_array_equal(encoded, [[1, 2]])
    assert encoded.dtype == np.float64
    assert NAMELESS.names is None


def test_places_by_number():
    assert places_by_number(["2", "0", "1"]) == [1, 2, 0]
    assert places_by_number(["2", "0", "x"]) == [0, 1, 2]
    assert places_by_number(["1", "2"]) == [0, 1]


def test_unseen_levels_are_missing_refused_or_stay():
    rows = pd.DataFrame({"c": ["x", "new", None]})
    for unseen in ("missing", "keep"):
        schema = Schema((Column("c", "category", ("x", "y"), unseen),))
        np.testing.assert_array_equal(schema.encode(rows), [[0], [NAN], [NAN]])
    assert schema.arrange(rows)["c"].to_list()[:2] == ["x", "new"]
    with pytest.raises(BadInput, match="column 'c' holds 'new' in row 1"):
        Schema((Column("c", "category", ("x", "y"), "refuse"),)).arrange(rows)


@pytest.mark.parametrize(
    ("levels", "gap", "cells", "expected"),
    [
        ((3, 1), "nan", ["3", 1.0], [3, 1]),
        ((3, 1), "nan", ["3", None, 8], [3, NAN, 8]),
        (("a", "b"), "nan", ["a", None], ["a", NAN]),
        (("a", "b"), "none", ["a", NAN], ["a", None]),
        ((False, True), "nan", ["true", 0], [True, False]),
    ],
)
def test_levels_that_stay_have_the_types_that_the_model_learnt(levels, gap, cells, expected):
    column = Schema((Column("c", "category", levels, "keep", gap),)).arrange(pd.DataFrame({"c": pd.Series(cells, dtype=object)}))["c"]
    found = column.astype(object).to_list()
    assert list(map(repr, found)) == list(map(repr, expected)) or column.dtype.kind == "f"
    np.testing.assert_array_equal(pd.isna(column), pd.isna(pd.Series(expected)))


def test_columns_of_an_unknown_type_stay_as_they_are():
    rows = pd.DataFrame({"a": pd.Series([1, None], dtype="Int64"), "b": ["x", "y"], "c": ["7", "8"]})
    frame = Schema((Column("b", "any"), Column("a", "any"), Column("c", "number"))).arrange(rows)
    assert frame.dtypes.astype(str).to_dict() == {"b": "str", "a": "Int64", "c": "float64"}


def test_texts_and_hashed_categories():
    schema = Schema((Column("t", "text"), Column("h", "category")))
    frame = schema.arrange(pd.DataFrame({"h": [3, "x"], "t": ["a", "b"]}))
    assert frame["t"].to_list() == ["a", "b"]
    assert frame["h"].to_list() == [3, "x"]
    with pytest.raises(BadInput, match="column 't' is of type 'text', which has no numbers"):
        schema.encode(frame)


@pytest.mark.parametrize(
    "schema", [SCHEMA, NAMELESS, Schema((Column("a b", "category", (True, 1.5, "x"), "keep", "none"),), underscores=True)]
)
def test_a_schema_survives_json(schema):
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


@pytest.mark.parametrize("plain", [{}, [], {"columns": [{"name": "a"}], "underscores": False}, {"columns": 7, "underscores": False}])
def test_other_json_is_refused(plain):
    with pytest.raises(BadInput, match="this is not a stored schema"):
        Schema.from_json(plain)


def test_levels_are_plain_values():
    assert Column("c", "category", (np.int64(3), np.float32(0.5), np.str_("x"), np.True_)).levels == (3, 0.5, "x", True)
    for level in (None, NAN, pd.Timestamp("2026-01-01")):
        with pytest.raises(BadInput, match="column 'c' has the category"):
            Column("c", "category", (level,))
    with pytest.raises(BadInput, match="column 'c' has the type 'float'; expected one of number, boolean"):
        Column("c", "float")


def test_a_single_row_is_refused_for_columns_without_names():
    with pytest.raises(ShapeError, match=r"shape \(2,\)"):
        NAMELESS.encode(np.ones(2))


RECORDED = pd.DataFrame(
    {
        "size": [1.5, NAN, 2.0],
        "id": [2**60 + 1, 2**60 + 2, 7],
        "zip": ["007", None, "12"],
        "on": [True, False, True],
        "colour": pd.Categorical(["blue", "red", None]),
        "code": pd.Categorical([7, 3, 3]),
        "day": pd.to_datetime(["2020-01-02", None, "2020-01-03 12:30"], format="mixed"),
        "took": pd.to_timedelta(["1 days 02:00:00", None, "0 days 00:00:01"]),
        "empty": pd.Series([None] * 3, dtype=object),
        "mixed": pd.Series(["a", 1, None], dtype=object),
    }
)
TYPES = ["number", "number", "text", "boolean", "category", "category", "date", "duration", "any", "any"]
AS_TEXTS = RECORDED.astype(object).map(lambda cell: None if pd.isna(cell) else str(cell)).assign(mixed=RECORDED["mixed"])
SIMPLE = RECORDED.drop(columns="mixed")


@pytest.mark.parametrize(
    "frame",
    [
        RECORDED,
        SIMPLE,
        SIMPLE.convert_dtypes(),
        SIMPLE.convert_dtypes(dtype_backend="pyarrow"),
        pl.from_pandas(SIMPLE),
        pa.table(SIMPLE),
        pa.table(SIMPLE.set_index(pd.Index([5, 6, 7], name="row"))),
        pl.from_pandas(SIMPLE).to_arrow(),
    ],
    ids=["pandas", "no mixed column", "nullable", "Arrow dtypes", "polars", "Arrow", "Arrow with an index", "Arrow of polars"],
)
def test_the_schema_of_a_frame_is_the_same_in_every_container(frame):
    schema = Schema.of(frame)
    assert schema.names == tuple(RECORDED.columns)[: len(schema.columns)]
    assert [column.type for column in schema.columns if column.name != "code"] == [*TYPES[:5], *TYPES[6 : len(schema.columns)]]
    assert (sorted(schema.columns[4].levels), schema.columns[2].levels) == (["blue", "red"], None)
    assert schema.columns[5].levels in ((3, 7), None)  # in polars, categories are texts
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


def test_the_order_of_the_categories_is_kept():
    assert Schema.of(pd.DataFrame({"c": pd.Categorical(["b", "a"], categories=["b", "c", "a"])})).columns[0].levels == ("b", "c", "a")
    assert Schema.of(pl.DataFrame({"c": pl.Series(["b", "a"], dtype=pl.Enum(["b", "c", "a"]))})).columns[0].levels == ("b", "c", "a")


@pytest.mark.parametrize("columns", [[0, 1], ["a", "a"], ["1", 1]])
def test_columns_that_are_numbered_or_share_a_name_have_positions_only(columns):
    schema = Schema.of(pd.DataFrame([[1, "x"]], columns=columns))
    assert schema.names is None
    assert [column.type for column in schema.columns] == ["number", "text"]
    assert schema.align(pd.DataFrame([[1, "x"]], columns=columns)).to_numpy().tolist() == [[1, "x"]]


def test_categories_that_are_no_plain_values_are_of_no_known_type():
    assert Schema.of(pd.DataFrame({"c": pd.Categorical(pd.to_datetime(["2020-01-01"]))})).columns[0].type == "any"
    assert Schema.of(pd.DataFrame({"c": pd.cut([1, 2], [0, 1, 2])})).columns[0].type == "any"


@pytest.mark.parametrize(
    "given",
    [
        RECORDED[RECORDED.columns[::-1]].assign(more=1),
        RECORDED.astype(object),
        AS_TEXTS[sorted(AS_TEXTS)],
        pl.from_pandas(SIMPLE).with_columns(mixed=pl.Series(["a", 1, None], dtype=pl.Object)),
        RECORDED.assign(colour=RECORDED["colour"].astype(object), code=["7", "3", "3.0"], on=[1, 0, 1]),
    ],
    ids=["another order", "objects", "texts", "polars", "other types"],
)
def test_aligned_rows_have_the_names_of_the_recorded_rows(given):
    aligned = Schema.of(RECORDED).align(given)
    assert list(aligned.columns) == list(RECORDED.columns)
    np.testing.assert_array_equal(row_names(aligned), row_names(RECORDED))


def test_columns_that_have_their_type_stay_as_they_are():
    frame = pd.DataFrame({"a": pd.Series([2**60 + 1, None], dtype="Int64"), "b": ["x", "y"]})
    assert Schema.of(frame).align(frame) is frame
    assert Schema.of(frame).align(frame.assign(b=["x", None])[["b", "a"]]).dtypes["a"] == "Int64"
    converted = Schema.of(frame.assign(b=[1, 2])).align(frame.assign(b=["1", "2"]))
    assert converted.dtypes.astype(str).to_dict() == {"a": "Int64", "b": "float64"}


def test_a_matrix_and_texts_have_no_columns_to_align():
    schema, matrix = Schema.of(RECORDED[["zip"]]), np.ones((2, 5))
    assert schema.align(["007", "12"]) == ["007", "12"]
    assert schema.align(matrix) is matrix


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": "large"}, "column 'size' holds 'large' in row 0; expected numbers"),
        ({"zip": 7}, "column 'zip' holds 7 in row 0; expected texts"),
        ({"on": [1, 0, 2]}, None),
        ({"on": ["true", "false", "maybe"]}, "column 'on' holds 'maybe' in row 2; expected true and false"),
        ({"day": 7}, "column 'day' holds 7 in row 0; expected dates"),
        ({"day": ["2020-01-01", "2020-01-02", "soon"]}, "column 'day' holds 'soon' in row 2; expected dates"),
        ({"day": ["2020-01-01", "2020-01-02 10:00Z", None]}, "column 'day' holds texts that are spelt in several ways; expected dates"),
        ({"took": "long"}, "column 'took' holds 'long' in row 0; expected durations"),
        ({"size": pd.Timestamp("2020-01-01")}, "column 'size' holds .* in row 0; expected numbers"),
        ({"took": pd.Timestamp("2020-01-01")}, "column 'took' holds .* in row 0; expected durations"),
    ],
)
def test_cells_of_another_type_are_converted_exactly_or_refused(given, message):
    schema = Schema.of(RECORDED)
    if message is None:  # truth values are numbers, so that 2 is another row and no other type
        assert schema.align(RECORDED.assign(**given))["on"].tolist() == [1, 0, 2]
        return
    with pytest.raises(BadInput, match=message):
        schema.align(RECORDED.assign(**given))


def test_columns_that_are_lacking_are_named():
    with pytest.raises(BadInput, match="the rows lack the columns 'zip', which are expected; they have 'size', 'id'"):
        Schema.of(RECORDED).align(RECORDED.rename(columns={"zip": "ZIP"}))
    with pytest.raises(BadInput, match="the rows have 2 columns; expected 3"):
        Schema.of(pd.DataFrame(np.ones((2, 3)))).align(pd.DataFrame(np.ones((2, 2))))


def test_the_type_in_a_file_of_texts():
    found = [file_type(column) for column in Schema.of(RECORDED).columns]
    assert found == ["number", "number", "text", "boolean", "text", "category", "date", "duration", None, None]


def test_the_columns_of_a_schema_come_in_any_list():
    expected = Schema((Column("a", "number"), Column("b", "number")))
    given = [Schema([Column("a", "number"), Column("b", "number")]), Schema(Column(name, "number") for name in "ab")]
    assert given == [expected] * 2
    assert {hash(schema) for schema in given} == {hash(expected)}
    for wrong in (["a"], 5, "ab"):
        with pytest.raises(BadInput, match="expected a list of Column"):
            Schema(wrong)


@pytest.mark.parametrize("levels", [{"red", "blue"}, "red", 5, {"red": 1}])
def test_levels_without_an_order_are_refused(levels):
    with pytest.raises(BadInput, match="expected a list of values in order"):
        Column("colour", "category", levels)


def test_texts_of_large_whole_numbers_are_aligned_with_the_rows_of_these_numbers():
    numbers = [2**53, 2**53 + 1, 2**53 + 2]
    aligned = Schema.of(pd.DataFrame({"k": numbers})).align(pd.DataFrame({"k": list(map(str, numbers))}))
    assert row_names(aligned).tolist() == row_names(pd.DataFrame({"k": numbers})).tolist()


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["NA", "x", None, ""]),
        pd.Series(["NA", "x", None, ""], dtype=object),
        pd.Series(["NA", "x", None, ""], dtype="category"),
        pd.Series(["NA", "x", None, "", datetime.time(1)], dtype=object),
        pl.Series(["NA", "x", None, ""]),
        pl.Series(["NA", "x", None, ""], dtype=pl.Categorical),
        pa.chunked_array([["NA", "x", None, ""]]),
        pa.chunked_array([["NA", "x", None, ""]]).dictionary_encode(),
        pd.Series(["NA", "", *map(str, range(1001))], dtype="category"),
    ],
)
def test_the_texts_of_a_frame_that_would_be_gaps_in_a_file_of_texts(column):
    make = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}[type(column).__module__.partition(".")[0]]
    assert Schema.of(make({"c": column})).columns[0].literals == ("", "NA")


def test_levels_that_would_be_gaps_are_literals():
    column = Column("c", "category", ("x", "NA", 3), literals=("null", "x"))
    assert (column.literals, Column("c", "number").literals) == (("NA", "null"), ())
    untyped = Schema((column,), underscores=True).untyped()
    assert untyped == Schema((Column("c", "any", unseen=column.unseen, literals=("NA", "null")),), underscores=True)
    stored = Schema((column,)).to_json()
    assert Schema.from_json(stored) == Schema((column,))
    del stored["columns"][0]["literals"]
    assert Schema.from_json(stored).columns[0].literals == ("NA",)


@pytest.mark.parametrize(
    ("rows", "literals"),
    [
        (pl.DataFrame({"c": [datetime.time(1, 2), None]}), ()),
        (pd.DataFrame({"c": pd.Series([datetime.time(1, 2), None], dtype=pd.ArrowDtype(pa.time64("us")))}), ()),
        (pl.DataFrame({"c": pl.Series(["NA", "x"], dtype=pl.Object)}), ("NA",)),
        (pd.DataFrame({"c": pd.Series(["NA", "x"], dtype=object)}), ("NA",)),
        (pa.record_batch({"c": ["NA", "x"]}), ("NA",)),
    ],
)
def test_texts_that_would_spell_a_gap_are_found_in_frames_of_any_kind(rows, literals):
    (column,) = Schema.of(rows).columns
    assert (column.type, column.literals) == ("text", literals)


def test_a_column_without_literals_is_written_as_before_there_were_any():
    schema = Schema((Column("a", "text"), Column("b", "text", literals=("NA",))))
    first, second = schema.to_json()["columns"]
    assert "literals" not in first
    assert second["literals"] == ["NA"]
    assert Schema.from_json(schema.to_json()) == schema
