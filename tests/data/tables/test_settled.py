"""What a model sees of a row depends on the whole table, whatever part of it the row is read in."""

from datetime import time
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from tutelage.core.errors import BadInput
from tutelage.data.row_names import row_names
from tutelage.data.rows import as_rows
from tutelage.data.table_file import TableFile
from tutelage.data.tables.arrow_parts import of_arrow_dataset
from tutelage.data.tables.settled import Settled, settle
from tutelage.data.tables.sources import open_tables

GAP, LARGE = 13, 2**60 + 1
WHOLE = [*range(GAP), None, *range(GAP, 19)]
TABLE = pa.table(
    {
        "age": WHOLE,
        "small": pa.array(WHOLE, pa.uint8()),
        "large": [LARGE if place == 2 else value for place, value in enumerate(WHOLE)],
        "unsigned": pa.array([2**63 + 1 if place == 2 else value for place, value in enumerate(WHOLE)], pa.uint64()),
        "flag": [None if place >= GAP else place % 2 == 0 for place in range(20)],
        "price": pa.array([None if value is None else Decimal(value) for value in WHOLE], pa.decimal128(9, 0)),
        "vast": pa.array([Decimal(LARGE if place == 2 else value) if value is not None else None for place, value in enumerate(WHOLE)]),
        "cents": pa.array([None if value is None else Decimal(value) / 4 for value in WHOLE], pa.decimal128(9, 2)),
        "at": pa.array([time(1, 2, 3, 500 if place == 7 else 0) for place in range(20)], pa.time64("us")),
        "whole": range(20),
        "text": [None if value is None else f"t{value}" for value in WHOLE],
        "since": pa.array([None if value is None else 18_000 + value for value in WHOLE], pa.date32()),
        "nothing": pa.nulls(20),
    }
)
COLOURS = pa.chunked_array([pa.array(one).dictionary_encode() for one in (["red"] * 5, ["blue", None] * 5, ["green", "red"] * 2 + [None])])


def _in_parquet(table, folder, **options):
    pq.write_table(table, folder / "rows.parquet", row_group_size=4, **options)
    return folder / "rows.parquet"


def _in_files(table, folder):
    for place, start in enumerate(range(0, 20, 6)):
        pq.write_table(table.slice(start, 6), folder / f"part-{place}.parquet")
    return folder


def _in_csv(table, folder):
    pa.csv.write_csv(table.drop_columns(["nothing"]), folder / "rows.csv")
    return folder / "rows.csv"


def _in_json(table, folder):
    table.drop_columns(["price", "vast", "cents"]).to_pandas(date_as_object=True, integer_object_nulls=True).to_json(
        folder / "rows.jsonl", orient="records", lines=True, default_handler=str
    )
    return folder / "rows.jsonl"


SOURCES = {
    "Arrow table": lambda table, folder: table,
    "Arrow batch": lambda table, folder: table.combine_chunks().to_batches()[0],
    "Parquet": _in_parquet,
    "Parquet without statistics": lambda table, folder: _in_parquet(table, folder, write_statistics=False),
    "files": _in_files,
    "CSV": _in_csv,
    "JSONL": _in_json,
    "pyarrow Dataset": lambda table, folder: pa.dataset.dataset(_in_parquet(table, folder)),
}


def _check_parts(rows):
    whole = rows.part(0, rows.count)
    for size in (1, 3, 20):
        parts = [part for _, _, part in rows.parts(size)]
        for part in parts:
            assert part.dtypes.to_dict() == whole.dtypes.to_dict()
        joined = pd.concat(parts, ignore_index=True)
        pd.testing.assert_frame_equal(joined, whole)
        for name in whole:  # None and NaN are alike to assert_frame_equal
            assert [cell is None for cell in joined[name]] == [cell is None for cell in whole[name]]
    return whole


@pytest.mark.parametrize("name", SOURCES)
def test_cells_and_dtypes_do_not_depend_on_the_part_in_which_they_are_read(name, tmp_path):
    whole = _check_parts(as_rows(SOURCES[name](TABLE, tmp_path)))
    assert (str(whole["age"].dtype), str(whole["flag"].dtype), str(whole["whole"].dtype)) == ("float64", "object", "int64")
    assert str(whole["large"].dtype) == "Int64"
    assert whole["large"][2] == LARGE
    if "vast" in whole:
        assert whole["vast"][2] == LARGE


@pytest.mark.parametrize("name", ["Arrow table", "Arrow batch", "Parquet", "Parquet without statistics", "files", "pyarrow Dataset"])
def test_categories_are_those_of_all_rows_in_every_part(name, tmp_path):
    whole = _check_parts(as_rows(SOURCES[name](pa.table({"colour": COLOURS, "size": range(20)}), tmp_path)))
    assert list(whole["colour"].cat.categories) == ["red", "blue", "green"]


def test_categories_of_numbers_and_ordered_ones_are_those_of_all_rows(tmp_path):
    frame = pd.DataFrame({"grade": pd.Categorical([3, 1, 2, None] * 5), "step": pd.Categorical(list("abca") * 5, ordered=True)})
    frame.to_parquet(tmp_path / "rows.parquet", row_group_size=3)
    whole = _check_parts(as_rows(tmp_path / "rows.parquet"))
    assert set(whole["grade"].cat.categories) == {1, 2, 3}
    assert whole["step"].cat.ordered


def test_hugging_face_rows_do_not_depend_on_their_part():
    datasets = pytest.importorskip("datasets")
    dataset = datasets.Dataset(TABLE.select(["age", "flag", "whole"]))
    assert str(_check_parts(as_rows(dataset))["age"].dtype) == "float64"
    chosen = as_rows(dataset.select(range(GAP)))  # without the gap
    assert str(_check_parts(chosen)["age"].dtype) == "int64"


def test_footers_tell_where_cells_are_missing_and_only_other_columns_are_read(tmp_path):
    path = _in_parquet(TABLE.append_column("colour", COLOURS), tmp_path)
    read, source = [], open_tables([path])
    piece = source._pieces[0]
    original = piece.read
    object.__setattr__(piece, "read", lambda names, start, stop: read.extend(names) or original(names, start, stop))
    found = source.settled(source.names)
    assert set(read) == {"at", "colour"}
    assert found["age"] == Settled(gaps=True)
    assert found["large"] == found["unsigned"] == found["vast"] == Settled(gaps=True, large=True)
    assert found["whole"] == Settled()
    assert source.settled(["age", "colour"])["colour"].categories.to_pylist() == ["red", "blue", "green"]
    assert read.count("colour") == 1


def test_what_footers_do_not_tell_is_read_some_rows_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("tutelage.data.tables.sources.READ_ROWS", 8)
    source, spans = open_tables([_in_parquet(TABLE.append_column("colour", COLOURS), tmp_path)]), []
    original = source._pieces[0].read
    object.__setattr__(source._pieces[0], "read", lambda names, start, stop: spans.append((start, stop)) or original(names, start, stop))
    assert source.settled(["at", "colour"])["at"] == Settled(fractions=True)
    assert spans == [(0, 8), (8, 16), (16, 20)]


def test_footers_of_a_dataset_tell_where_cells_are_missing(tmp_path):
    table = TABLE.drop_columns(["at"])
    for place, year in enumerate([2024, 2025]):
        (tmp_path / f"year={year}").mkdir()
        pq.write_table(table.slice(10 * place, 10), tmp_path / f"year={year}" / "rows.parquet", row_group_size=4)
    parts = of_arrow_dataset(pa.dataset.dataset(tmp_path, partitioning="hive"))
    read = []
    object.__setattr__(parts, "columns", lambda names, given=parts.columns: read.extend(names) or given(names))
    found = parts.settled()
    assert read == ["year"]
    assert found.pop("year") == Settled()
    assert found == settle([table.select(list(found))])
    assert {"age", "small", "large", "unsigned", "flag", "price", "vast", "whole"} == {*found}


def test_a_column_that_one_file_of_a_dataset_holds_otherwise_is_read(tmp_path):
    for place, kind in enumerate([pa.int64(), pa.int32(), pa.null()]):
        pq.write_table(pa.table({"a": pa.array([None] if place == 2 else [place], kind), "b": [1]}), tmp_path / f"{place}.parquet")
    parts = of_arrow_dataset(pa.dataset.dataset(tmp_path))
    read = []
    object.__setattr__(parts, "columns", lambda names, given=parts.columns: read.extend(names) or given(names))
    assert parts.settled() == {"a": Settled(gaps=True), "b": Settled()}
    assert read == ["a"]


def test_files_of_a_dataset_that_vanish_before_its_columns_are_settled_end_in_a_sentence(tmp_path):
    for place in range(3):
        pa.csv.write_csv(pa.table({"a": [place, place]}), tmp_path / f"{place}.csv")
    rows = as_rows(pa.dataset.dataset(tmp_path, format="csv"))
    (tmp_path / "2.csv").unlink()
    with pytest.raises(BadInput, match=r"part 2 of the rows cannot be read .*; read them from files of one schema, that stay as they are"):
        rows.part(0, 1)
    pa.csv.write_csv(pa.table({"a": [1]}), tmp_path / "2.csv")
    with pytest.raises(BadInput, match=r"part 2 of the rows has 1 rows, and had 2"):
        rows.part(0, 1)


def test_a_file_in_which_a_column_holds_nothing_says_so(tmp_path):
    pq.write_table(pa.table({"age": [1, 2], "flag": [True, False]}), tmp_path / "part-0.parquet")
    pq.write_table(pa.table({"age": pa.nulls(2), "flag": pa.nulls(2)}), tmp_path / "part-1.parquet")
    source = open_tables([tmp_path])
    for piece in source._pieces:
        object.__setattr__(piece, "read", lambda *_: pytest.fail("read"))
    assert source.settled(source.names) == {"age": Settled(gaps=True), "flag": Settled(gaps=True)}
    assert str(_check_parts(as_rows(tmp_path))["age"].dtype) == "float64"


def test_what_is_known_of_parts_is_known_of_all():
    parts = [TABLE.slice(start, 3) for start in range(0, 20, 3)]
    assert settle(parts) == settle([TABLE])
    assert settle([TABLE])["large"] == Settled(gaps=True, large=True)


def test_names_do_not_depend_on_the_part_in_which_rows_are_read(tmp_path):
    rows = as_rows(_in_parquet(TABLE.append_column("colour", COLOURS), tmp_path))
    names = np.concatenate([row_names(part) for _, _, part in rows.parts(3)])
    np.testing.assert_array_equal(names, row_names(rows.part(0, 20)))


DECLARED = {
    "a fraction comes last": (["1"] * 5 + ["1.5"], "number", "float64"),
    "a gap comes first": ([None] * 5 + ["3"], "number", "float64"),
    "truth values after gaps": ([None] * 5 + ["true"], "boolean", "object"),
    "a moment comes last": (["2020-01-01"] * 5 + ["2020-01-01 10:00"], "date", "datetime64[us]"),
    "large whole numbers beside a fraction": (["9007199254740993", "7", "1", "18446744073709551615", None, "0.5"], "number", "float64"),
    "a sign beside more than 63 bits": (["-1", "1", "18446744073709551615", "3", "4", "5"], "number", "float64"),
    "more than 63 bits": (["1", "2", "18446744073709551615", "3", "4", "5"], "number", "uint64"),
    "whole numbers": (["1", "2", "-3", "9007199254740993", "4", "5"], "number", "int64"),
    "large categories beside a fraction": (["9007199254740993", "7", "1", "2", None, "0.5"], "category", "category"),
    "categories with a sign beside more than 63 bits": (["-1", "1", "18446744073709551615", "3", "4", "5"], "category", "category"),
    "categories that are no numbers": (["1.0"] * 5 + ["x"], "category", "category"),
    "categories that are numbers": (["1"] * 5 + ["1.5"], "category", "category"),
}


@pytest.mark.parametrize("name", DECLARED)
def test_what_texts_of_parquet_files_stand_for_is_found_from_all_of_them(name, tmp_path, monkeypatch):
    cells, kind, dtype = DECLARED[name]
    monkeypatch.setattr("tutelage.data.tables.pieces.READ_ROWS", 2)
    pq.write_table(pa.table({"a": cells, "b": range(6)}), tmp_path / "rows.parquet", row_group_size=2)
    pd.DataFrame({"a": cells, "b": range(6)}).to_csv(tmp_path / "rows.csv", index=False)
    files = (TableFile.open(tmp_path / f"rows.{suffix}", dtype={"a": kind}) for suffix in ("parquet", "csv"))
    in_parquet, in_csv = (_check_parts(file.rows()) for file in files)
    assert str(in_parquet["a"].dtype) == dtype
    assert in_parquet["a"].dropna().tolist() == in_csv["a"].dropna().tolist()


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (["0002-01-01 10:00", "2020-01-01 10:00:00.123456789"], r"that do not fit into timestamp\[ns\].*declare another"),
        (["2020-01-01 10:00", "2020-01-01 10:00Z"], r"of different types .*declare another type for it"),
    ],
)
def test_texts_of_parquet_files_that_no_type_holds_are_refused(tmp_path, monkeypatch, days, said):
    monkeypatch.setattr("tutelage.data.tables.pieces.READ_ROWS", 1)
    pq.write_table(pa.table({"day": days, "b": [1, 2]}), tmp_path / "rows.parquet", row_group_size=1)
    with pytest.raises(BadInput, match=rf"column 'day' of .*rows.parquet holds cells {said}"):
        TableFile.open(tmp_path / "rows.parquet", dtype={"day": "date"})
