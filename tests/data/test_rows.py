import json
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from scipy import sparse

from tutelage.core.errors import BadInput, MissingExtra, ShapeError
from tutelage.data.row_names import row_names
from tutelage.data.rows import as_rows
from tutelage.data.schema import Column, Schema
from tutelage.data.tables.parquet_parts import ParquetParts
from tutelage.data.tables.sources import read_table

VALUES = np.arange(14.0).reshape(7, 2)


def written(tmp_path, suffix):
    path = tmp_path / f"rows{suffix}"
    frame = pd.DataFrame(VALUES, columns=["a", "b"])
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pandas(frame), path, row_group_size=3)
    elif suffix == ".csv":
        frame.to_csv(path, index=False)
    elif suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        np.save(path, VALUES)
    return path


CONTAINERS = {
    "array": lambda _: VALUES,
    "nested list": lambda _: VALUES.tolist(),
    "tensor": lambda _: torch.tensor(VALUES),
    "sparse": lambda _: sparse.coo_array(VALUES),
    "pandas": lambda _: pd.DataFrame(VALUES),
    "polars": lambda _: pl.DataFrame(VALUES),
    "arrow": lambda _: pa.table({"a": VALUES[:, 0], "b": VALUES[:, 1]}),
    "arrow batch": lambda _: pa.RecordBatch.from_pydict({"a": VALUES[:, 0], "b": VALUES[:, 1]}),
    "parquet": lambda path: written(path, ".parquet"),
    "csv": lambda path: written(path, ".csv"),
    "jsonl": lambda path: str(written(path, ".jsonl")),
    "npy": lambda path: written(path, ".npy"),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_rows_of_every_container_can_be_read_in_parts(container, tmp_path):
    rows = as_rows(CONTAINERS[container](tmp_path))
    assert rows.count == 7
    parts = list(rows.parts(3))
    assert [(start, stop) for start, stop, _ in parts] == [(0, 3), (3, 6), (6, 7)]
    np.testing.assert_array_equal(np.concatenate([row_names(part) for *_, part in parts]), row_names(VALUES))
    np.testing.assert_array_equal(row_names(rows.part(2, 5)), row_names(VALUES[2:5]))
    assert as_rows(rows) is rows


def test_texts_are_returned_as_a_list():
    rows = as_rows(["one", "two", "drei"])
    assert rows.part(1, 3) == ["two", "drei"]


def test_a_numeric_parquet_file_needs_no_pandas(tmp_path, monkeypatch):
    path = written(tmp_path, ".parquet")
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    part = as_rows(path).part(2, 5)
    assert isinstance(part, np.ndarray)
    np.testing.assert_array_equal(part, VALUES[2:5])
    pq.write_table(pa.table({"text": ["a", "b"]}), path)
    with pytest.raises(MissingExtra, match=r"tutelage\[tables\]"):
        as_rows(path).part(0, 1)


def test_each_row_group_is_read_once_when_it_is_needed(tmp_path):
    parts = ParquetParts(written(tmp_path, ".parquet"))
    read = []
    read_row_group = parts._file.read_row_group
    parts._file = type(
        "File", (), {"read_row_group": lambda _, index, **options: (read.append(index), read_row_group(index, **options))[1]}
    )()
    for start in range(7):
        parts.table(start, start + 1)
    assert read == [0, 1, 2]


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (np.empty((0, 3)), ShapeError, "has no rows"),
        (np.float64(3), ShapeError, "single value"),
        ([[1, 2], [3]], ShapeError, "same number of values"),
        (object(), BadInput, "cannot take a object as rows"),
        ("rows.xlsx", BadInput, "expected a .parquet, .csv, .tsv, .jsonl, .npy or .npz file"),
        ("nowhere.parquet", BadInput, "there is no file nowhere.parquet"),
    ],
)
def test_unsupported_rows_are_rejected(data, error, message):
    with pytest.raises(error, match=message):
        as_rows(data)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl", ".npy"])
def test_a_file_whose_content_does_not_match_its_suffix_is_rejected(suffix, tmp_path):
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(b'{"a": \x00\xff')
    with pytest.raises(BadInput, match=str(path)):
        as_rows(path)


def test_a_pickle_in_a_numpy_file_is_not_loaded(tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(BadInput, match="not a NumPy file of numbers"):
        as_rows(path)
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(BadInput, match="it holds pickled objects, which could run code"):
        as_rows(path)


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ("(90, 40)", "mmap length is greater"),
        ("(10, 40)", r"longer than its header says, rows of shape \(10, 40\)"),
        ("(-3, 40)", "positive"),
    ],
)
def test_a_numpy_file_is_as_long_as_its_header_says(shape, why, tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, np.zeros((30, 40)))
    path.write_bytes(path.read_bytes().replace(b"(30, 40)", shape.encode(), 1))
    with pytest.raises(BadInput, match=why):
        as_rows(path)


def test_the_rows_of_an_archive_are_its_array_x_or_its_only_one(tmp_path):
    rows = np.arange(24.0).reshape(3, 2, 2, 2)
    for arrays in ({"X": rows, "y": np.arange(3)}, {"pictures": rows}):
        np.savez(tmp_path / "rows.npz", **arrays)
        found = as_rows(tmp_path / "rows.npz")
        assert found.count == 3
        np.testing.assert_array_equal(found.part(1, 3), rows[1:])


def test_read_table_reads_a_whole_file(tmp_path):
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps({"text": t}) for t in "abc"))
    assert read_table(tmp_path / "t.jsonl").column("text").to_pylist() == ["a", "b", "c"]
    with pytest.raises(BadInput, match=r"expected a \.parquet, \.csv, \.tsv or \.jsonl"):
        read_table(tmp_path / "t.txt")
    with pytest.raises(BadInput, match="there is no file"):
        read_table(tmp_path / "u.csv")


class Pairs:
    """A map-style dataset, as in torch: each item is a pair of inputs and a label."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index], index


def test_the_inputs_of_a_dataset_are_the_rows():
    rows = as_rows(Pairs(np.arange(12.0).reshape(4, 3)))
    assert (rows.count, rows.kind) == (4, "Dataset")
    np.testing.assert_array_equal(rows.part(1, 3), [[3, 4, 5], [6, 7, 8]])
    with pytest.raises(ShapeError, match="items 0 to 1 of the Dataset do not have the same shape"):
        as_rows(Pairs([np.zeros(2), np.zeros(3)])).part(0, 2)


@pytest.mark.parametrize("data", [b"\x00", range(3)])
def test_bytes_and_ranges_are_rejected(data):
    with pytest.raises(BadInput, match="cannot take a"):
        as_rows(data)


@pytest.mark.parametrize("container", CONTAINERS)
def test_rows_of_tables_have_a_schema(container, tmp_path):
    schema = as_rows(CONTAINERS[container](tmp_path)).schema
    if container in ("array", "nested list", "tensor", "sparse", "npy"):
        assert schema is None
        return
    assert [column.type for column in schema.columns] == ["number", "number"]
    assert schema.names == {"pandas": None, "polars": ("column_0", "column_1")}.get(container, ("a", "b"))


def test_a_series_and_texts_have_no_schema():
    assert as_rows(pd.Series([1.0])).schema is None
    assert as_rows(["a"]).schema is None


def test_rows_of_a_file_can_be_read_again_as_other_types(tmp_path):
    (tmp_path / "rows.csv").write_text("index,zip,x\n0,12,1\n1,13,2\n")
    rows = as_rows(tmp_path / "rows.csv")
    assert rows.schema.names == ("zip", "x")
    again = rows.reread(Schema((Column("zip", "text"), Column("index", "number"))))
    assert again.schema.names == ("index", "zip", "x")
    assert again.part(0, 2)["zip"].tolist() == ["12", "13"]
    assert as_rows(pd.DataFrame(VALUES)).reread is None


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_some_rows_are_read_in_their_order_and_in_the_types_of_a_schema(suffix, tmp_path):
    rows = as_rows(written(tmp_path, suffix))
    some = rows.take(np.array([5, 1, 6]))
    assert some.count == 3
    assert some.part(1, 3)["a"].tolist() == VALUES[[1, 6], 0].tolist()
    assert some.schema == rows.schema
    texts = some.reread(Schema((Column("a", "text"), Column("b", "number"))))
    assert [float(cell) for cell in texts.part(0, 3)["a"]] == VALUES[[5, 1, 6], 0].tolist()


def test_a_list_of_mappings_is_refused_with_the_mapping_that_is_taken():
    with pytest.raises(BadInput, match=r"a list of mappings; expected one mapping of lists"):
        as_rows([{"input_ids": [1, 2]}, {"input_ids": [3]}])
