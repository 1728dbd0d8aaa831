"""Rows of Hugging Face, pyarrow and polars: read in parts where they are in files, in their order."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import tutelage as tl
from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.row_names import row_names
from tutelage.data.rows import as_rows
from tutelage.data.table_file import rows_from
from tutelage.data.tables.origin import Pin

ROWS = pd.DataFrame({"size": np.arange(20.0), "count": np.arange(20), "name": [f"r{row}" for row in range(20)]})
LABELLED = ROWS.assign(label=np.arange(20) % 2)


@pytest.fixture
def hugging_face(tmp_path):
    import datasets

    datasets.disable_progress_bars()
    datasets.Dataset.from_pandas(LABELLED).save_to_disk(str(tmp_path / "rows"), num_shards=3)
    return datasets.load_from_disk(str(tmp_path / "rows"))


def whole(rows, size=7):
    return pd.concat([part for *_, part in rows.parts(size)], ignore_index=True)


def test_a_dataset_of_hugging_face_is_read_in_parts_without_its_labels(hugging_face):
    rows = as_rows(hugging_face)
    assert (rows.count, rows.kind, rows.schema.names) == (20, "Hugging Face Dataset", tuple(ROWS.columns))
    pd.testing.assert_frame_equal(whole(rows), ROWS, check_dtype=False)
    asked = []
    hugging_face.__class__.__getitem__, get = lambda self, key: asked.append(key) or get(self, key), hugging_face.__class__.__getitem__
    try:
        rows.part(3, 5)
    finally:
        hugging_face.__class__.__getitem__ = get
    assert asked == [slice(3, 5, None)]


@pytest.mark.parametrize("chosen", ["all", "columns", "part of a file", "filtered"])
def test_another_process_reads_the_same_rows_from_the_files(hugging_face, chosen):
    data = {
        "all": hugging_face,
        "columns": hugging_face.select_columns(["name"]),
        "part of a file": hugging_face.select(range(2, 9)),
        "filtered": hugging_face.filter(lambda row: row["count"] % 3 == 0),
    }[chosen]
    rows = as_rows(data)
    again = rows_from(rows.origin)
    assert again.count == len(data)
    np.testing.assert_array_equal(row_names(again.part(0, again.count)), row_names(rows.part(0, rows.count)))
    assert all(path.endswith(".arrow") for path in rows.origin.paths)
    assert rows.origin == as_rows(data).origin  # equal jobs are opened once


@pytest.mark.exhaustive
def test_rows_that_no_file_holds_are_sent(hugging_face):
    import datasets

    assert as_rows(datasets.Dataset.from_pandas(ROWS)).origin is None
    many = datasets.concatenate_datasets([hugging_face] * 2000).shuffle(seed=0)
    assert as_rows(many).origin is None  # its order alone is larger than what is sent


def test_a_changed_file_is_noticed(hugging_face):
    path = as_rows(hugging_face).origin.paths[0]
    pin = Pin.of(path)
    with open(path, "ab") as file:  # noqa: PTH123
        file.write(b"x")
    with pytest.raises(BadInput, match="are not those that the plan was made for"):
        pin.check()


def test_workers_label_a_dataset_of_hugging_face_from_its_files(hugging_face, tmp_path):
    data = hugging_face.select_columns(["size", "count", "label"])
    frame = LABELLED[["size", "count"]]
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(frame, LABELLED["label"])
    alone = tl.record(model, data, tmp_path / "alone", shard_rows=6)
    plan = tl.plan(model, data, into=tmp_path / "planned", shard_rows=6)
    for shard in plan.missing():
        plan.label(shard)
    assert plan.finish().sha256 == alone.sha256
    learnt = tl.SoftLogistic().fit(tl.parts(data, alone, window=6))
    assert learnt.rows_given_ == 20


@pytest.mark.exhaustive
@pytest.mark.slow
def test_processes_label_a_dataset_of_hugging_face_as_one_does(hugging_face, tmp_path):
    from sklearn.linear_model import LogisticRegression

    data = hugging_face.filter(lambda row: row["count"] != 7).select_columns(["size", "count"])
    model = LogisticRegression().fit(LABELLED[["size", "count"]], LABELLED["label"])
    alone = tl.record(model, data, tmp_path / "alone", shard_rows=6)
    assert tl.record(model, data, tmp_path / "many", shard_rows=6, on=tl.Local(2)).sha256 == alone.sha256


def test_parts_take_the_labels_of_a_dataset_as_truth(hugging_face, tmp_path):
    teacher = tl.as_teacher(lambda rows: rows["size"].to_numpy() - 9.5, kind="logits", classes=[0, 1], version="1")
    labels = tl.record(teacher, hugging_face, tmp_path / "labels", shard_rows=5)
    data = tl.parts(hugging_face, labels, window=10)
    np.testing.assert_array_equal(np.concatenate([part.y for part in data.in_order()]), LABELLED["label"])
    assert list(data.shard(0).rows.columns) == list(ROWS.columns)


def test_splits_and_endless_rows_are_refused_in_one_sentence(hugging_face):
    import datasets

    with pytest.raises(BadInput, match=r"this DatasetDict holds the splits 'train', 'test'; pass one of them, such as data\['train'\]"):
        as_rows(datasets.DatasetDict({"train": hugging_face, "test": hugging_face}))
    endless = hugging_face.select_columns(["size"]).to_iterable_dataset().repeat(None)
    for given in (endless, endless.map(lambda row: row)):
        with pytest.raises(BadInput, match="this IterableDataset is repeated without end"):
            as_rows(given)
    assert as_rows(endless.take(30)).count == 30


@pytest.fixture
def arrow_dataset(tmp_path):
    for number, start in enumerate((0, 12)):
        pq.write_table(pa.Table.from_pandas(ROWS[start : start + 12]), tmp_path / f"{number}.parquet", row_group_size=5)
    return ds.dataset(tmp_path)


def test_a_dataset_of_pyarrow_is_read_by_row_groups(arrow_dataset):
    rows = as_rows(arrow_dataset)
    assert (rows.count, rows.grain, rows.schema.names) == (20, 5, tuple(ROWS.columns))
    pd.testing.assert_frame_equal(whole(rows, 3), ROWS, check_dtype=False)
    assert as_rows(arrow_dataset).part(11, 13)["name"].tolist() == ["r11", "r12"]


def test_partitions_and_tables_in_memory_are_read_too(tmp_path):
    ds.write_dataset(
        pa.Table.from_pandas(LABELLED), tmp_path, format="parquet", partitioning=ds.partitioning(pa.schema([("label", pa.int64())]))
    )
    rows = as_rows(ds.dataset(tmp_path, partitioning=["label"]))
    assert whole(rows)["label"].tolist() == [0] * 10 + [1] * 10
    assert whole(as_rows(ds.dataset(pa.Table.from_pandas(ROWS))))["name"].tolist() == ROWS["name"].tolist()


def test_what_has_no_fixed_rows_is_refused_in_one_sentence(arrow_dataset, tmp_path):
    with pytest.raises(BadInput, match=r"this pyarrow Dataset is filtered to 7 rows"):
        as_rows(arrow_dataset.filter(ds.field("count") > 12))
    with pytest.raises(ShapeError, match="the pyarrow Dataset has no rows"):
        as_rows(ds.dataset(pa.Table.from_pandas(ROWS[:0])))
    with pytest.raises(BadInput, match=r"a polars LazyFrame is a query.*pass its collect\(\)"):
        as_rows(pl.LazyFrame({"a": [1]}))


def test_a_file_that_is_replaced_while_it_is_read_is_an_error(arrow_dataset):
    rows = as_rows(arrow_dataset)
    pq.write_table(pa.Table.from_pandas(ROWS[:3]), arrow_dataset.files[0], row_group_size=3)
    with pytest.raises((BadInput, OSError)):
        rows.part(0, 5)


def test_a_transform_of_a_table_is_refused_and_one_of_texts_is_applied(hugging_face):
    def louder(rows):
        return {name: [str(cell).upper() for cell in cells] for name, cells in rows.items()}

    with pytest.raises(BadInput, match=r"has a transform, which would not be applied; pass its map\(transform, batched=True\)"):
        as_rows(hugging_face.with_transform(louder))
    assert as_rows(hugging_face.select_columns(["name"]).with_transform(louder)).part(0, 2) == ["R0", "R1"]


def test_a_file_of_another_type_and_one_that_is_gone_are_named_by_their_part(tmp_path):
    for name, cells in (("a", pa.array([1, 2])), ("b", pa.array([1.5]))):
        pq.write_table(pa.table({"a": cells}), tmp_path / f"{name}.parquet")
    rows = as_rows(ds.dataset([str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")]))
    with pytest.raises(BadInput, match=r"part 1 of the rows cannot be read \(Float value 1.5.*; read them from files of one schema"):
        rows.part(0, 3)
    (tmp_path / "a.parquet").unlink()
    with pytest.raises(BadInput, match=r"part 0 of the rows cannot be read \(.*No such file"):
        rows.part(0, 1)
