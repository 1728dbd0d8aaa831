"""Rows on object stores are those of the same files on this machine, from every format; what cannot be read is named by its URI."""

import gzip
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tutelage as tl
from tutelage.core.errors import BadInput, CannotRead
from tutelage.data.rows import as_rows
from tutelage.data.table_file import TableFile, rows_from
from tutelage.data.tables.origin import Pin

FRAME = pd.DataFrame({"a": [1.5, 2.5, None, 4.5], "b": ["x", "y, z", None, 'q"'], "y": [0, 1, 1, 0]})


@pytest.fixture(scope="module")
def files(object_store, tmp_path_factory):
    """The same files in a folder of this machine and in a bucket."""
    folder = tmp_path_factory.mktemp("rows")
    FRAME.to_parquet(folder / "t.parquet", row_group_size=2)
    FRAME.to_csv(folder / "t.csv", index=False)
    (folder / "t.csv.gz").write_bytes(gzip.compress((folder / "t.csv").read_bytes()))
    (folder / "t.tsv").write_bytes(FRAME.to_csv(sep="\t", index=False).encode("utf-16"))
    FRAME.to_json(folder / "t.jsonl", orient="records", lines=True)
    np.save(folder / "t.npy", np.arange(12.0).reshape(4, 3))
    np.savez(folder / "t.npz", X=np.arange(12.0).reshape(4, 3), y=np.arange(4))
    for number in (1, 10, 2):
        path = folder / "many" / f"part-{number}.csv"
        path.parent.mkdir(exist_ok=True)
        FRAME.assign(a=number).to_csv(path, index=False)
    for path in folder.rglob("*.*"):
        object_store.client.put_object(Bucket="lake", Key=f"rows/{path.relative_to(folder)}", Body=path.read_bytes())
    return folder


@pytest.mark.parametrize(
    "name",
    ["t.parquet", "t.csv", "t.csv.gz", "t.tsv", "t.jsonl", "t.npy", "t.npz", "many", "many/", "many/part-*.csv", "ma?y/part-[12].csv"],
)
def test_rows_are_those_of_the_files_here(files, name):
    here, there = as_rows(f"{files}/{name}"), as_rows(f"s3://lake/rows/{name}")
    assert (there.count, there.kind, there.grain) == (here.count, here.kind, here.grain)
    for start, stop in ((0, here.count), (1, 3)):
        for rows in (there, rows_from(there.origin) if there.origin is not None else there):
            if isinstance(here.part(0, 1), pd.DataFrame):
                pd.testing.assert_frame_equal(rows.part(start, stop), here.part(start, stop))
            else:
                np.testing.assert_array_equal(rows.part(start, stop), here.part(start, stop))
    for path in there.origin.paths if there.origin is not None else ():
        assert path.startswith("s3://lake/rows/")


def test_columns_have_roles_and_several_files_follow_each_other(files):
    table = TableFile.open(["s3://lake/rows/t.csv", f"{files}/t.parquet"], truth=["y"], drop=["b"])
    assert table.rows().part(2, 6)["a"].tolist()[1:] == [4.5, 1.5, 2.5]
    assert table.truth_values().tolist() == [0, 1, 1, 0] * 2
    assert table.sibling("s3://lake/rows/t.jsonl").features == ("a",)
    archive = TableFile.open("s3://lake/rows/t.npz", truth=["y"])
    assert archive.truth_values().tolist() == [0, 1, 2, 3]


def test_logs_of_answers_are_read_there(object_store):
    object_store.client.put_object(Bucket="lake", Key="log.csv", Body=b"x,p,q\na,0.75,0.25\nb,0.25,0.75\n")
    labels = tl.read_answers("s3://lake/log.csv", answers=["p", "q"], kind="probabilities", content="x", classes=["no", "yes"])
    np.testing.assert_allclose(labels.answer(["b", "a"])[:, 1], [0.75, 0.25])


def test_text_is_fetched_once_and_parquet_in_parts(files, object_store):
    assert object_store.asked(lambda: as_rows("s3://lake/rows/t.csv"))["GET"] == 1
    assert object_store.asked(lambda: as_rows("s3://lake/rows/t.npy").part(0, 4))["GET"] == 1
    assert object_store.asked(lambda: as_rows("s3://lake/rows/t.npz").part(0, 4))["GET"] == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.parquet", "there is no file s3://lake/rows/gone.parquet; name the file that holds the rows."),
        ("gone.npy", "there is no file s3://lake/rows/gone.npy; name the file that holds the rows."),
        ("gone.npz", "there is no file s3://lake/rows/gone.npz; name the file that holds the rows."),
        ("gone-*.csv", "s3://lake/rows/gone-*.csv names no table"),
        ("gone", "cannot read rows from s3://lake/rows/gone; expected"),
        ("bad.parquet", "s3://lake/rows/bad.parquet is not a Parquet file"),
        ("bad.csv", "s3://lake/rows/bad.csv is not UTF-8 (byte 0xff in line 2)"),
        ("bad.jsonl", "s3://lake/rows/bad.jsonl cannot be read as lines of JSON objects"),
        ("bad.npy", "s3://lake/rows/bad.npy is not a NumPy file of numbers"),
        ("bad.npz", "s3://lake/rows/bad.npz is not a NumPy archive of numbers and texts"),
    ],
)
def test_what_is_no_rows_is_named(files, object_store, name, message):
    if name.startswith("bad"):
        object_store.client.put_object(Bucket="lake", Key=f"rows/{name}", Body=b"a,b\n\xff\xfe,2\n")
    with pytest.raises(BadInput, match=re.escape(message)):
        as_rows(f"s3://lake/rows/{name}")


def test_a_file_that_is_gone_or_replaced_after_it_was_listed_is_named(object_store):
    def put(frame):
        object_store.client.put_object(Bucket="lake", Key="late/t.parquet", Body=frame.to_parquet(row_group_size=2))

    put(FRAME)
    pin = Pin.of("s3://lake/late/t.parquet")
    pin.check()
    assert pin.modified_ns > 10**18
    rows = as_rows("s3://lake/late/")
    put(FRAME.assign(c=1))
    with pytest.raises(BadInput, match=r"s3://lake/late/t.parquet are not those that the plan was made for: it had [\d,]+ bytes"):
        pin.check(content=False)
    object_store.client.delete_object(Bucket="lake", Key="late/t.parquet")
    with pytest.raises(BadInput, match=r"the rows in s3://lake/late/t.parquet cannot be read any more \(no such file\)"):
        pin.check()
    with pytest.raises((BadInput, CannotRead), match=r"s3://lake/late/t.parquet"):
        rows.part(0, 4)


def test_a_path_that_was_a_uri_is_refused_at_every_door(tmp_path):
    mangled = Path("s3://lake/rows.csv")
    for call in (
        lambda: as_rows(mangled),
        lambda: TableFile.open([mangled]),
        lambda: tl.save_student(tl.SoftTree(), mangled),
        lambda: tl.load_student(mangled),
        lambda: tl.open_teacher(mangled),
        lambda: tl.as_teacher(Path("s3://lake/t.onnx")),
    ):
        with pytest.raises(BadInput, match=r"'s3:/lake/\S+' was a URI, which a Path cannot hold; write it as a text"):
            call()


def test_doors_of_this_machine_refuse_uris(tmp_path):
    X, y = np.arange(20.0).reshape(10, 2), [0, 1] * 5
    labels = tl.record(tl.as_teacher(lambda rows: rows[:, 0] * 0, kind="logits", classes=[0, 1]), X)
    student = tl.SoftTree(max_leaf_nodes=2).fit(X, labels)
    for call in (
        lambda: tl.save_student(student, "s3://lake/student"),
        lambda: tl.load_student("s3://lake/student"),
        lambda: tl.open_teacher("s3://lake/t.onnx"),
        lambda: tl.as_teacher("s3://lake/t.onnx"),
        lambda: tl.export(student, "s3://lake/student.py", check_on=X),
        lambda: tl.distill(student, X, y, into="s3://lake/run"),
    ):
        with pytest.raises(BadInput, match=r"is 's3://lake/\S+'; expected a path of this machine: rows and recorded answers alone may be"):
            call()
