import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.rows import as_rows, in_types_of, rows_of
from tutelage.data.schema import Column, Schema
from tutelage.data.tables import sources
from tutelage.data.tables.found_files import FoundFiles
from tutelage.data.tables.parquet_parts import ParquetParts
from tutelage.data.tables.sources import open_tables, read_table

FRAME = pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"]})


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def opened(*names, **options):
    return open_tables([Path(name) for name in names], **options)


def cells(source):
    return source.part(source.names, 0, source.count).to_pydict()


def written(frame, name, **options):
    if ".parquet" in name:
        frame.to_parquet(name, **options)
    elif ".jsonl" in name:
        frame.to_json(name, orient="records", lines=True)
    else:
        frame.to_csv(name, **{"index": False, "sep": "\t" if ".tsv" in name else ","} | options)
    return name


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.csv.gz", "t.jsonl.gz", "t.parquet"])
def test_every_format_holds_the_same_rows(name):
    source = opened(written(FRAME, name))
    assert (source.count, source.names, dict(source.types)) == (3, ("a", "b"), {"a": "number", "b": "text"})
    assert cells(source) == {"a": [1, 2, 3], "b": ["x", None, "z"]}
    assert read_table(Path(name)).column("a").to_pylist() == [1, 2, 3]


def test_several_files_follow_each_other_in_the_order_given():
    Path("more").mkdir()
    for place, name in enumerate(["z.csv", "more/b.parquet", "more/a.csv", "more/.hidden.csv", "more/c.txt"]):
        written(FRAME.assign(a=FRAME["a"] + 10 * place)[::-1][["b", "a"]], name)
    source = opened("z.csv", "more")
    assert source.paths == (Path("z.csv"), Path("more/a.csv"), Path("more/b.parquet"))
    assert cells(source)["a"] == [3, 2, 1, 23, 22, 21, 13, 12, 11]
    assert source.part(["a"], 2, 5).to_pydict() == {"a": [1, 23, 22]}
    assert opened("more/*.csv").paths == (Path("more/a.csv"),)
    assert as_rows("more").part(0, 6)["a"].tolist() == [23, 22, 21, 13, 12, 11]


def test_the_types_of_text_files_are_inferred_from_all_of_them():
    Path("one.csv").write_text("zip,x\n123,1\n")
    Path("two.csv").write_text("x,zip\n2.5,K1A\n")
    source = opened("one.csv", "two.csv")
    assert cells(source) == {"zip": ["123", "K1A"], "x": [1.0, 2.5]}


def test_numbers_of_several_widths_and_gaps_have_one_type():
    written(pd.DataFrame({"a": pd.array([1, 2], "int8"), "b": [None, None]}), "one.parquet")
    written(pd.DataFrame({"a": [1.5, None], "b": ["x", "y"]}), "two.parquet")
    assert cells(opened("one.parquet", "two.parquet")) == {"a": [1, 2, 1.5, None], "b": [None, None, "x", "y"]}


def test_dates_beside_moments_are_their_midnights():
    Path("one.csv").write_text("day\n2020-01-01\n")
    written(pd.DataFrame({"day": pd.to_datetime(["2020-01-02 12:00"])}), "two.parquet")
    assert [str(day) for day in cells(opened("one.csv", "two.parquet"))["day"]] == ["2020-01-01 00:00:00", "2020-01-02 12:00:00"]
    written(pd.DataFrame({"day": pd.to_datetime(["2020-01-02 12:00"], utc=True)}), "three.parquet")
    with pytest.raises(BadInput, match="column 'day' has different types in one"):
        opened("one.csv", "two.parquet", "three.parquet")


def test_the_types_for_other_files():
    columns = {"b": pa.array([b"a"]), "n": pa.nulls(1), "c": pa.array(["x"]).dictionary_encode(), "k": pa.array([1]).dictionary_encode()}
    pq.write_table(pa.table(columns), "rows.parquet")
    assert opened("rows.parquet").recorded_types("bnck") == {"b": "any", "n": "number", "c": "text", "k": "number"}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (FRAME[["a"]], "two.parquet lacks the column 'b' of one.csv; files that are read together need the same columns"),
        (FRAME.assign(c=1), "two.parquet has a column 'c', which one.csv lacks"),
        (FRAME.assign(a=["p", "q", "r"]), "column 'a' is a number in one.csv and a text in two.parquet; declare one type"),
    ],
)
def test_files_of_other_columns_are_refused(other, message):
    written(FRAME, "one.csv")
    written(other, "two.parquet")
    with pytest.raises(BadInput, match=re.escape(message)):
        opened("one.csv", "two.parquet")
    Path("both").mkdir()
    written(FRAME, "both/one.csv")
    written(FRAME[["b"]], "both/two.csv")
    with pytest.raises(BadInput, match=r"both/two.csv lacks the column 'a' of both/one.csv"):
        opened("both")


def test_a_declared_type_settles_files_of_different_types():
    written(FRAME, "one.csv")
    written(FRAME.assign(a=["p", "q", "r"]), "two.parquet")
    assert cells(opened("one.csv", "two.parquet", dtype={"a": "text"}))["a"] == ["1", "2", "3", "p", "q", "r"]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_declared_types_in_every_format(name):
    source = opened(written(FRAME, name), dtype={"a": "text", "b": "category"})
    assert dict(source.types) == {"a": "text", "b": "category"}
    assert cells(source) == {"a": ["1", "2", "3"], "b": ["x", None, "z"]}
    with pytest.raises(BadInput, match=r"column 'b' of t\.\w+ holds 'x' in row 0, and numbers are expected"):
        cells(opened(name, dtype={"b": "number"}))
    with pytest.raises(BadInput, match=r"the type of column 'b' is 'texts'; expected one of number.*Did you mean text"):
        opened(name, dtype={"b": "texts"})
    with pytest.raises(BadInput, match=r"has no column 'c', for which a type is declared"):
        opened(name, dtype={"c": "text"})


@pytest.mark.parametrize(
    ("content", "index"),
    [
        (",a\n0,5\n1,6\n", ("",)),
        ("Unnamed: 0,a\n0,5\n1,6\n", ("Unnamed: 0",)),
        (",Unnamed: 0,a\n0,0,5\n1,1,6\n", ("", "Unnamed: 0")),
        ("index,a\n7,5\n8,6\n", ("index",)),
        ("rownames,a\n1,5\n2,6\n", ("rownames",)),
        (",,a\n0,x,5\n1,y,6\n", ("", "Unnamed: 0.1")),
        ("index,a\n7,5\n9,6\n", ()),
        ("index,a\n7,5\n", ()),
        ("a,index\n5,0\n6,1\n", ()),
        ("index\n0\n1\n", ()),
    ],
)
def test_a_row_index_is_not_a_column(content, index):
    Path("t.csv").write_text(content)
    source = opened("t.csv")
    assert source.index == index
    assert set(source.names) == set(content.partition("\n")[0].split(",")) - {"", *index}
    if "a" in source.names:
        assert as_rows("t.csv").part(0, 2)["a"].tolist() == [5, 6][: source.count]
    if index:
        assert index[0] in opened("t.csv", named=index).names
        assert index[0] in opened("t.csv", dtype={index[0]: "text"}).names


def test_an_empty_column_without_a_name_is_not_a_column():
    for content in ("a,\n5,\n6,\n", "a,,\n5,,\n6,,\n", ",a,\n0,5,\n1,6,\n"):
        Path("t.csv").write_text(content)
        assert opened("t.csv").names == ("a",)


def test_the_index_of_several_levels_is_not_a_column():
    FRAME.set_axis(pd.MultiIndex.from_product([[1], ["p", "q", "r"]])).to_csv("t.csv")
    assert opened("t.csv").names == ("a", "b")


def test_a_file_of_one_row_has_the_index_of_the_other_files():
    for name, content in {"0.csv": "index,a\n0,5\n1,6\n", "1.csv": "index,a\n2,7\n"}.items():
        Path(name).write_text(content)
    for name in ("0", "1"):
        pd.read_csv(f"{name}.csv").to_parquet(f"{name}.parquet")
    assert opened("0.parquet", "1.parquet").names == opened("0.csv", "1.csv").names == ("a",)
    assert opened("1.csv", "0.csv").names == opened("1.parquet", "0.parquet").names == ("index", "a")


@pytest.mark.parametrize("index", [[7, 9, 8], ["p", "q", "r"]])
def test_the_index_of_pandas_in_parquet_is_not_a_column(index):
    FRAME.set_axis(index).to_parquet("t.parquet")
    assert opened("t.parquet").names == ("a", "b")
    assert list(as_rows("t.parquet").part(0, 3).columns) == ["a", "b"]
    FRAME.set_axis(pd.Index(index, name="key")).to_parquet("t.parquet")
    assert opened("t.parquet").names == ("a", "b")
    assert opened("t.parquet", named=["key"]).part(["key"], 0, 3).column(0).to_pylist() == index
    assert read_table(Path("t.parquet")).column("key").to_pylist() == index
    assert list(as_rows(pq.read_table("t.parquet")).part(0, 3).columns) == ["a", "b"]


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
@pytest.mark.parametrize("index", [pd.Index([7, 9, 8], name="index"), pd.RangeIndex(7, 13, 2, name="index")], ids=["stored", "described"])
def test_a_named_column_is_a_column_even_if_pandas_made_it_the_index(index, name):
    frame = FRAME.set_axis(index)
    frame.to_parquet(name, row_group_size=2) if name == "t.parquet" else frame.to_csv(name)
    known = Schema((Column("index", "any"), Column("a", "any")))
    for source in (opened(name, named=["index"]), in_types_of(opened(name), known)):
        assert rows_of(source, ["index", "a"]).part(0, 3).to_dict("list") == {"index": index.tolist(), "a": [1, 2, 3]}
        assert rows_of(source, ["index"]).part(1, 3).to_dict("list") == {"index": index.tolist()[1:]}
    assert cells(opened(name, dtype={"index": "text"}))["index"] == list(map(str, index))
    assert read_table(Path(name)).column("index").to_pylist() == index.tolist()


def test_an_index_of_pandas_without_a_name_or_of_other_rows_is_no_column():
    FRAME.to_parquet("t.parquet")
    assert opened("t.parquet").types.keys() == {"a", "b"}
    table = pa.Table.from_pandas(FRAME.set_axis(pd.RangeIndex(3, name="index")))
    pq.write_table(table.slice(1), "t.parquet")
    assert opened("t.parquet").types.keys() == {"a", "b"}
    FRAME.set_axis(pd.RangeIndex(3, name="a")).to_parquet("t.parquet")
    assert cells(opened("t.parquet", named=["a"]))["a"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,a\n1,2,3\n", "t.csv has more than one column 'a'"),
        ("a,,b\n1,2,3\n", "column 2 of t.csv has no name"),
        ("a,,\n1,2,3\n", "column 2 of t.csv has no name"),
        (",\n1,2\n", "column 2 of t.csv has no name"),
    ],
)
def test_columns_without_a_name_of_their_own_are_refused(content, message):
    Path("t.csv").write_text(content)
    with pytest.raises(BadInput, match=message):
        opened("t.csv")


def test_one_name_twice_in_parquet_is_refused():
    table = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    pq.write_table(table, "t.parquet")
    for rows in ("t.parquet", table):
        with pytest.raises(BadInput, match="more than one column 'a'"):
            as_rows(rows).part(0, 1)


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (["gone.csv"], BadInput, "there is no file gone.csv"),
        (["no-*.csv"], BadInput, "no-*.csv names no table"),
        (["empty"], BadInput, "empty names no table"),
        (["t.xlsx"], BadInput, "cannot read a table from t.xlsx"),
        (["none.csv"], ShapeError, "none.csv has no rows"),
    ],
)
def test_missing_and_empty_tables_are_refused(names, error, message):
    Path("empty").mkdir()
    Path("none.csv").write_text("a,b\n")
    with pytest.raises(error, match=re.escape(message)):
        opened(*names)
    assert FoundFiles.of([Path("none.csv")]).paths == (Path("none.csv"),)


def _jsonl(frame, path):
    path.write_text(frame.to_json(orient="records", lines=True, date_format="iso") if len(frame) else "\n")


def _arrow(frame, path):
    """As a program writes that knows no types of a table without rows."""
    table = pa.Table.from_pandas(frame, preserve_index=False) if len(frame) else pa.table({name: pa.nulls(0) for name in frame})
    pq.write_table(table.replace_schema_metadata(None), path)


WRITERS = {
    "parquet": lambda frame, path: frame.to_parquet(path),
    "arrow.parquet": _arrow,
    "csv": lambda frame, path: frame.to_csv(path, index=False),
    "jsonl": _jsonl,
}
CELLS = {
    "categories of numbers": pd.Categorical([3, 5, 3]),
    "categories of texts": pd.Categorical(["u", "v", "u"]),
    "texts": ["u", "v", "u"],
    "numbers": [1, 2, 3],
    "truth values": [True, False, True],
    "dates": pd.date_range("2024-01-01", periods=3),
}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("cells", CELLS)
@pytest.mark.parametrize("suffix", WRITERS)
def test_a_file_without_rows_has_no_say_in_the_types(suffix, cells, place):
    frame = pd.DataFrame({"x": [1.5, 2.5, 3.5], "c": CELLS[cells]})
    parts = [frame[:2], frame[2:]]
    Path("whole").mkdir()
    Path("rows").mkdir()
    for number, part in enumerate(parts):
        WRITERS[suffix](part, Path("whole") / f"part-{number}.{suffix}")
    for nothing in (frame[:0], pd.DataFrame({"x": [], "c": []})):
        for number, part in enumerate([*parts[:place], nothing, *parts[place:]]):
            WRITERS[suffix](part, Path("rows") / f"part-{number}.{suffix}")
        source, whole = opened("rows"), opened("whole")
        assert (source.names, source.types, source.count) == (whole.names, whole.types, 3)
        assert source.ends == [2, 3, 3] if place == 2 else [2, 2, 3] if place == 1 else [0, 2, 3]
        pd.testing.assert_frame_equal(rows_of(source).part(0, 3), rows_of(whole).part(0, 3))
        pd.testing.assert_frame_equal(rows_of(source).part(2, 3), rows_of(whole).part(2, 3))


def test_a_row_index_is_found_where_the_first_file_has_no_rows():
    Path("part-0.csv").write_text("rownames,a\n")
    Path("part-1.csv").write_text("rownames,a\n1,5\n2,6\n")
    assert opened("part-0.csv", "part-1.csv").names == ("a",)


@pytest.mark.parametrize("names", [["none.jsonl"], ["none.jsonl", "none.csv"], ["none.csv", "none.jsonl"]])
def test_files_that_all_have_no_rows_are_refused(names):
    Path("none.jsonl").write_text("")
    Path("none.csv").write_text("a,b\n")
    with pytest.raises(ShapeError, match=r"none\.(csv|jsonl) has no rows"):
        opened(*names)


def test_other_columns_are_refused_in_a_file_without_rows_too():
    Path("part-0.csv").write_text("a,b\n1,2\n")
    Path("part-1.csv").write_text("a,c\n")
    with pytest.raises(BadInput, match="lacks the column 'b'"):
        opened("part-0.csv", "part-1.csv")


def test_parquet_is_read_in_parts_of_the_columns_needed(monkeypatch):
    pd.DataFrame({"a": range(9), "b": range(9)}).to_parquet("t.parquet", row_group_size=3)
    source, read = opened("t.parquet"), []
    table = ParquetParts.table
    monkeypatch.setattr(
        ParquetParts, "table", lambda self, start, stop: read.append((self._columns, start, stop)) or table(self, start, stop)
    )
    np.testing.assert_array_equal(source.part(["b"], 2, 5).column("b").to_numpy(), [2, 3, 4])
    assert read == [(["b"], 2, 5)]


@pytest.mark.parametrize(
    "after",
    [FRAME.assign(a=[7, 8, 9]), FRAME[:2], pd.concat([FRAME, FRAME]), FRAME.rename(columns={"a": "c"})],
    ids=["values", "less", "more", "other"],
)
def test_columns_of_a_file_and_of_the_one_that_replaced_it_are_not_mixed(after):
    source = opened(written(FRAME, "rows.parquet"))
    assert source.part(["a"], 0, 3).to_pydict() == {"a": [1, 2, 3]}
    Path(written(after, "later.parquet")).replace("rows.parquet")
    with pytest.raises(BadInput, match=r"rows[.]parquet was replaced after it was opened; open it again"):
        source.part(["b"], 0, 3)
    assert source.part(["a"], 0, 3).to_pydict() == {"a": [1, 2, 3]}  # from the file that is still open


def test_a_file_that_is_cut_short_while_it_is_read_is_named():
    pd.DataFrame({"a": np.arange(9000.0)}).to_parquet("rows.parquet", row_group_size=1000)
    source = opened("rows.parquet")
    assert source.part(["a"], 0, 1).to_pydict() == {"a": [0.0]}
    with Path("rows.parquet").open("r+b") as file:
        file.truncate(9000)
    with pytest.raises(BadInput, match=r"row group 8 of rows[.]parquet cannot be read: it is damaged, or was changed after it was opened"):
        source.part(["a"], 8500, 8600)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (pa.array([Decimal("1.50")]), pa.array([2]), "b.parquet holds int64, of which cells do not fit into decimal128"),
        (pa.array([2.5]), pa.array([2**53 + 1]), "b.parquet holds int64, of which cells do not fit into double"),
        (pa.array([-5]), pa.array([2**63 + 1], pa.uint64()), "b.parquet holds uint64, of which cells do not fit into int64"),
        (
            pa.array([1], pa.timestamp("ns")),
            pa.array([10_413_792_000], pa.timestamp("s")).cast(pa.timestamp("us")),
            "b.parquet holds timestamp[us], of which cells do not fit into timestamp[ns]",
        ),
        (pa.array([1], pa.duration("ns")), pa.array([10**12], pa.duration("s")), "b.parquet holds duration[s], of which cells"),
    ],
)
def test_cells_that_the_type_of_all_files_does_not_hold_are_named(first, second, said, tmp_path):
    for name, cells in (("a", first), ("b", second)):
        pq.write_table(pa.table({"x": cells, "k": [1.0]}), tmp_path / f"{name}.parquet")
    source = open_tables([tmp_path])
    assert source.part(["k"], 0, 2).num_rows == 2
    with pytest.raises(BadInput, match=f"column 'x' of .*{re.escape(said)}.* or declare it, as in dtype={{'x': 'text'}}"):
        source.part(["x"], 0, 2)
    if not pa.types.is_duration(first.type):
        assert open_tables([tmp_path], dtype={"x": "text"}).part(["x"], 0, 2).num_rows == 2


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("1,5\n-2,25e1", "3\nNA", [1.5, -22.5, 3, None]),
        ("1,5\n2,5", "1,5\nXL", ["1,5", "2,5", "1,5", "XL"]),
        ("1,5\n2,5", "007,5\n1", ["1,5", "2,5", "007,5", "1"]),
        ("1,5\n", "2020-01-01\n1,5", ["1,5", "2020-01-01", "1,5"]),
    ],
)
def test_a_decimal_comma_is_one_in_columns_of_numbers(one, two, expected):
    for name, content in (("one.csv", one), ("two.csv", two)):
        Path(name).write_text("a;b\n" + "".join(f"{cell};1\n" for cell in content.splitlines()))
    assert cells(opened("one.csv", "two.csv"))["a"] == expected


def test_a_decimal_comma_is_none_beside_commas_or_in_texts():
    Path("one.csv").write_text("a;b\n1,5;1\n2,5;2\n")
    Path("two.csv").write_text('a,b\n"1,5",1\n')
    assert cells(opened("one.csv", "two.csv"))["a"] == ["1,5", "2,5", "1,5"]
    assert cells(opened("one.csv", dtype={"a": "text"}))["a"] == ["1,5", "2,5"]
    assert cells(in_types_of(opened("one.csv"), Schema((Column("a", "text"),))))["a"] == ["1,5", "2,5"]
    assert cells(opened("one.csv", dtype={"a": "category"}))["a"] == [1.5, 2.5]
    Path("two.csv").write_text("a,b\n1.5,1\n")
    assert cells(opened("one.csv", "two.csv"))["a"] == [1.5, 2.5, 1.5]
    Path("one.csv").write_text("a;b\n007,5;1\n1,5x;2\n")
    with pytest.raises(BadInput, match=r"column 'a' of one.csv holds '1,5x' in row 1, and numbers are expected"):
        opened("one.csv", dtype={"a": "number"})


def test_texts_of_typed_files_spell_no_gap_as_categories_either():
    for name in ("t.parquet", "t.jsonl"):
        written(pd.DataFrame({"c": ["NA", "x", None]}), name)
        assert cells(opened(name, dtype={"c": "category"}))["c"] == ["NA", "x", None]


def test_texts_that_would_be_gaps_are_looked_for_in_the_first_rows_of_parquet_files(monkeypatch):
    frame = pd.DataFrame({"c": ["x", "NA", "y", "null"], "k": pd.Categorical(["n/a", "x", "x", "x"]), "n": range(4)})
    frame.to_parquet("t.parquet", row_group_size=2)
    frame.to_json("t.jsonl", orient="records", lines=True)
    assert opened("t.parquet").literals(["n", "k", "c"]) == {"k": {"n/a"}, "c": {"NA", "null"}}
    monkeypatch.setattr(sources, "SEARCHED_ROWS", 3)
    assert opened("t.parquet").literals(["c"]) == {"c": {"NA"}}
    assert opened("t.jsonl").literals(["c"]) == {"c": {"NA", "null"}}
    times = pa.table({"t": pa.array([1, 2], pa.time32("s")), "v": pa.array(["NA", ""], pa.large_string())})
    pq.write_table(times, "t.parquet")
    assert opened("t.parquet").literals(["t", "v"]) == {"t": set(), "v": {"NA", ""}}
