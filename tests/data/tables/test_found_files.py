"""Columns in the names of folders: partitioned data sets as Hive, Spark and pyarrow write them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pytest

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.core.file_systems.paths import any_path
from tutelage.core.records import dumps
from tutelage.core.stored.checksums import with_checksum
from tutelage.data.rows import as_rows
from tutelage.data.table_file import TableFile, rows_from
from tutelage.data.tables.found_files import FoundFiles
from tutelage.data.tables.sources import open_tables

FRAME = pd.DataFrame({"a": [1.5, 2.5, 3.5, 4.5], "year": [2023, 2024, 2024, 2024], "where": ["x y", "x y", None, "ü/%"]})


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def written(path, frame):
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False) if path.suffix in (".csv", ".gz") else frame.to_parquet(path, index=False)


def opened(*names, **options):
    return open_tables([any_path(name) for name in names], **options)


def cells(source):
    return source.part(source.names, 0, source.count).to_pydict()


@pytest.mark.parametrize("end", [".parquet", ".csv", ".csv.gz"])
def test_folders_that_pyarrow_partitions_are_columns(end):
    if end == ".parquet":
        pa.dataset.write_dataset(
            pa.Table.from_pandas(FRAME, preserve_index=False),
            "lake",
            format="parquet",
            partitioning=["year", "where"],
            partitioning_flavor="hive",
        )
    else:
        for (year, where), rows in FRAME.fillna("__HIVE_DEFAULT_PARTITION__").groupby(["year", "where"]):
            written(Path(f"lake/year={year}/where={where.replace('%', '%25').replace('/', '%2F')}/part-0{end}"), rows[["a"]])
    source = opened("lake")
    assert dict(source.types) == {"a": "number", "year": "number", "where": "text"}
    found = pd.DataFrame(cells(source)).sort_values("a").reset_index(drop=True)
    pd.testing.assert_frame_equal(found, FRAME, check_dtype=False)
    assert pa.types.is_int64(source.part(["year"], 0, 1).schema.types[0])
    assert source.part(["where", "a"], 1, 2).column_names == ["where", "a"]
    assert source.part(["year"], 0, 4).num_rows == 4


def test_the_same_rows_from_a_pattern_another_process_and_a_remote_file_system():
    for year, rows in FRAME.groupby("year"):
        written(Path(f"lake/year={year}/part-0.parquet"), rows[["a"]])
    source = opened("lake")
    assert [path.as_posix() for path in source.paths] == ["lake/year=2023/part-0.parquet", "lake/year=2024/part-0.parquet"]
    assert cells(opened("lake/year=*/part-*.parquet")) == cells(source) == {"a": [1.5, 2.5, 3.5, 4.5], "year": [2023, 2024, 2024, 2024]}
    for path in source.paths:
        any_path(f"memory://hive/{path.as_posix()}").write(path.read_bytes())
    remote = opened("memory://hive/lake")
    assert cells(remote) == cells(source)
    assert cells(opened("memory://hive/lake/year=*/part-*.parquet")) == cells(source)
    rows = as_rows("memory://hive/lake/")
    pd.testing.assert_frame_equal(rows_from(rows.origin).part(1, 3), rows.part(1, 3))
    pd.testing.assert_frame_equal(as_rows("lake").part(1, 3), rows.part(1, 3))


def test_texts_in_names_of_folders_are_typed_as_in_a_file():
    for number, month in enumerate(["01", "02", "10"]):
        written(Path(f"lake/month={month}/day=2024-03-0{number + 1}/t.csv"), pd.DataFrame({"a": [number]}))
    source = opened("lake")
    assert dict(source.types) == {"a": "number", "month": "text", "day": "date"}
    assert dict(opened("lake", dtype={"month": "number", "day": "category"}).types) == {"a": "number", "month": "number", "day": "category"}
    assert cells(opened("lake", dtype={"month": "number"}))["month"] == [1, 2, 10]
    with pytest.raises(BadInput, match=r"the folders 'day' of .*holds '2024-03-01'"):
        opened("lake", dtype={"day": "number"})
    file = TableFile.open("lake", truth=["month"], drop=["day"])
    assert file.features == ("a",)
    assert file.truth_values().tolist() == ["01", "02", "10"]
    assert list(file.matching(file.schema).source.types) == ["a", "month", "day"]


def test_a_value_that_is_always_missing_and_folders_that_are_not_looked_at():
    written(Path("lake/k=__HIVE_DEFAULT_PARTITION__/t.parquet"), FRAME[["a"]])
    written(Path("lake/_delta_log/t.parquet"), FRAME)
    written(Path("lake/_k=1/t.parquet"), FRAME)
    written(Path("lake/k=/.hidden.parquet"), FRAME)
    assert cells(opened("lake"))["k"] == [None] * 4


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["lake/a.csv", "lake/year=1/a.csv"], "lake/year=1/a.csv lies in folders of 'year', and lake/a.csv in folders of no column"),
        (["lake/m=1/a.csv", "lake/m=2/d=1/a.csv"], "lake/m=2/d=1/a.csv lies in folders of 'm', 'd', and lake/m=1/a.csv in folders of 'm'"),
        (["lake/m=1/d=1/a.csv", "lake/x=1/d=1/a.csv"], "folders of 'x', 'd', and lake/m=1/d=1/a.csv in folders of 'm', 'd'; expected"),
        (["lake/a=1/a.csv"], "lake/a=1/a.csv has a column 'a', and lies in a folder of that name; drop the column, or rename the folder."),
        (["lake/m=1/m=1/a.csv"], "lies in two folders of the column 'm'; expected one of each column"),
        (["lake/m=1/a.txt"], "lake names no table"),
    ],
)
def test_what_is_no_data_set_is_refused_in_one_sentence(files, message):
    for file in files:
        written(Path(file), FRAME[["a"]]) if file.endswith(".csv") else (Path(file).parent.mkdir(parents=True), Path(file).touch())
    with pytest.raises(BadInput, match=re.escape(message)):
        opened("lake")


def test_a_file_that_is_named_itself_has_its_own_columns_alone():
    written(Path("rate=0.1/t.csv"), FRAME[["a"]])
    assert opened("rate=0.1/t.csv").names == ("a",)
    assert opened("rate=0.1").names == ("a",)
    assert FoundFiles.of([Path("rate=0.1/t.csv")]).names == ()
    assert np.array_equal(as_rows("rate=0.1").part(0, 4).to_numpy().ravel(), FRAME["a"])


def test_a_star_stands_for_no_point_that_begins_a_name_here_and_elsewhere():
    for name in ("part-0.parquet", ".part-1.parquet", ".spark/part-2.parquet"):
        written(Path("lake/x") / name, FRAME[["a"]])
        any_path(f"memory://points/lake/x/{name}").write((Path("lake/x") / name).read_bytes())
    for pattern, found in (("x/*.parquet", "part-0.parquet"), ("?/.p*.parquet", ".part-1.parquet"), ("x/.s*/*", "part-2.parquet")):
        here, there = FoundFiles.of([Path(f"lake/{pattern}")]), FoundFiles.of([any_path(f"memory://points/lake/{pattern}")])
        assert [path.name for path in here.paths] == [path.name for path in there.paths] == [found]
    with pytest.raises(BadInput, match="names no table"):
        FoundFiles.of([any_path("memory://points/lake/x/*/*.parquet")])


def both(*names):
    """The same files on this machine and on another file system; folders of each that hold them."""
    for number, name in enumerate(names):
        written(Path(name), pd.DataFrame({"a": [float(number)]})) if Path(name).suffix else None
        any_path(f"memory://parts/{name}").write(Path(name).read_bytes())
    return [Path(names[0]).parts[0], f"memory://parts/{Path(names[0]).parts[0]}"]


@pytest.fixture
def in_memory():
    """An empty file system in memory."""
    fsspec = pytest.importorskip("fsspec")
    yield
    fsspec.filesystem("memory").store.clear()


def test_suffixes_in_capitals_are_those_in_small_letters(in_memory):
    Path("up").mkdir()
    FRAME[["a"]].to_csv("up/A.CSV", index=False)
    FRAME[["a"]].to_csv("up/B.Csv.GZ", index=False, compression="gzip")
    Path("up/C.TSV").write_text("a\n9\n")
    for name in ("A.CSV", "B.Csv.GZ", "C.TSV"):
        any_path(f"memory://parts/up/{name}").write(Path("up", name).read_bytes())
    for folder in ("up", "memory://parts/up"):
        assert cells(opened(folder))["a"] == [*FRAME["a"], *FRAME["a"], 9]
    FRAME[["a"]].to_parquet("D.PARQUET")
    FRAME[["a"]].to_json("E.JSONL", orient="records", lines=True)
    FRAME[["a"]].to_json("H.Jsonl.Gz", orient="records", lines=True, compression="gzip")
    np.save("f.npy", FRAME[["a"]].to_numpy())
    Path("f.npy").rename("F.NPY")
    np.savez("g.npz", X=FRAME[["a"]].to_numpy())
    Path("g.npz").rename("G.NPZ")
    for name in ("D.PARQUET", "E.JSONL", "H.Jsonl.Gz", "F.NPY", "G.NPZ"):
        assert np.asarray(as_rows(name).part(0, 4)).ravel().tolist() == FRAME["a"].tolist()
        assert TableFile.open(name).rows().count == 4


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["in/a.csv", "in/2024/b.csv"], "{0}/2024/b.csv would be left out of the rows of {0}: folders below it are read if they name a"),
        (["in/a.csv", "in/x/y/b.parquet"], "{0}/x/y/b.parquet would be left out of the rows of {0}: folders below"),
        (["in/k=1/a.csv", "in/k=1/deep/b.csv"], "{0}/k=1/deep/b.csv would be left out of the rows of {0}/k=1"),
        (
            ["in/a.csv", "in/b.csv.bz2"],
            "{0}/b.csv.bz2 would be left out of the rows of {0}: expected no other files of rows",
        ),
    ],
)
def test_no_part_of_a_folder_is_left_out_without_a_word(files, message, in_memory):
    for folder in both(*files):
        with pytest.raises(BadInput, match=re.escape(message.format(folder)) + f".*by a pattern.*'{folder}"):
            opened(folder)


def test_an_array_among_tables_is_named(in_memory):
    both("in/a.parquet")
    np.save("in/b.npy", np.zeros(2))
    with pytest.raises(BadInput, match=r"in/b.npy would be left out of the rows of in: .* by a pattern such as 'in/\*.parquet'"):
        opened("in")
    assert cells(opened("in/*.parquet")) == {"a": [0.0]}


def test_the_pattern_that_an_error_names_reads_all_or_some(in_memory):
    for folder in both("in/a.csv", "in/2024/b.csv", "in/2024/03/c.csv", "in/.git/d.csv"):
        assert cells(opened(f"{folder}/*.csv")) == {"a": [0.0]}
        assert sorted(cells(opened(f"{folder}/**/*.csv"))["a"]) == [0.0, 1.0, 2.0]
        assert cells(opened(f"{folder}/**/c.csv")) == cells(opened(f"{folder}/**/03/**/c.csv")) == {"a": [2.0]}
    for folder in both("lake/year=1/a.csv", "lake/year=2/b.csv"):
        assert cells(opened(f"{folder}/**/*.csv")) == {"a": [0.0, 1.0], "year": [1, 2]}


def test_a_link_to_nothing_is_named_and_other_names_are_left_alone():
    both("in/a.csv")
    for name in ("README.md", "_SUCCESS", ".c.csv.crc", "notes.txt", "schema.json"):
        Path("in", name).touch()
    written(Path("in/_temporary/b.csv"), FRAME)
    written(Path("in/docs/.hidden/b.csv"), FRAME)
    assert cells(opened("in")) == {"a": [0.0]}
    for name in ("in/lost.csv", "in/lost"):
        Path(name).symlink_to("nowhere.csv")
        for given in ("in", "in/*"):
            with pytest.raises(BadInput, match=rf"{name} is a link to nothing, and rows may be missing; mend the link, or remove it"):
                opened(given) if given == "in" else FoundFiles.of([Path(f"{name}*")])
        Path(name).unlink()


def test_no_file_is_read_twice_by_whatever_names(in_memory):
    for folder in both("ov/a.csv", "ov/b.csv"):
        for given in ([folder, f"{folder}/a.csv"], [f"{folder}/a.csv", f"{folder}/a.csv"], [f"{folder}/*.csv", folder]):
            with pytest.raises(BadInput, match=r"ov/a.csv is named twice, and its rows would count twice; name each file once"):
                opened(*given)
        assert cells(opened(f"{folder}/b.csv", f"{folder}/a.csv")) == {"a": [1.0, 0.0]}
    Path("link.csv").symlink_to("ov/a.csv")
    Path("same").symlink_to("ov")
    for given, said in (
        (["ov/*.csv", "same/./a.csv"], "same/a.csv is named twice, also as ov/a.csv,"),
        (["ov", "link.csv"], "link.csv is named twice, also as ov/a.csv,"),
        ([str(Path("ov/a.csv").absolute()), "ov/../ov/a.csv"], "ov/../ov/a.csv is named twice, also as /"),
    ):
        with pytest.raises(BadInput, match=re.escape(said)):
            opened(*given)


def test_what_commands_wrote_beside_the_rows_is_no_data_and_may_be_written_again():
    written(Path("a.csv"), FRAME[["a"]])
    for _ in range(2):
        assert len(tl.record(tl.as_teacher(lambda rows: rows["a"].to_numpy(), kind="values", version="1"), ".", "labels")) == 4
    Path("labels/manifest.json").unlink()  # as a recording that was stopped
    assert cells(opened("."))["a"] == FRAME["a"].tolist()
    for name, content in (("run/run.json", dumps(with_checksum({"schema": 1}))), ("venv/pyvenv.cfg", ""), ("a.csv.zip", "x")):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(content)
    for name in ("run/split.parquet", "venv/lib/q.csv"):
        written(Path(name), FRAME)
    assert cells(opened("."))["a"] == FRAME["a"].tolist()
    Path("run/run.json").write_text('{"schema": 1}')
    with pytest.raises(BadInput, match=r"run/split\.parquet would be left out of the rows of"):
        opened(".")


def test_links_to_one_file_of_another_folder_are_two_shards():
    written(Path("store/blob.csv"), FRAME[["a"]])
    Path("in").mkdir()
    for name in ("one.csv", "two.csv"):
        (Path("in") / name).symlink_to(Path("store/blob.csv").absolute())
    assert opened("in").count == 8
    with pytest.raises(BadInput, match=r"in/one.csv is named twice, also as store/blob.csv"):
        opened("in/one.csv", "store/blob.csv")


def test_two_stars_take_in_files_of_all_folders():
    written(Path("in/a.csv"), FRAME[["a"]])
    written(Path("in/deep/b.csv"), FRAME[["a"]])
    assert opened("in/**").count == opened("in/**/*.csv").count == 8
