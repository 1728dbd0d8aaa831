"""The command line reads rows and recordings by URIs, and writes recordings there; everything else is of this machine."""

import json
from pathlib import Path

import pytest
from short_runs import shortened, unchecked_teachers

from tutelage.cli import main
from tutelage.core.file_systems.paths import RemotePath


@pytest.fixture(scope="module")
def lake(object_store, flowers):
    """The rows of the flowers in a bucket, with recorded answers to them."""
    for name in (flowers.rows, flowers.test):
        RemotePath.of(f"s3://lake/cli/{Path(name).name}").write(Path(name).read_bytes())
    record = ["record", flowers.teacher, "--data", "s3://lake/cli/rows.parquet", "--into", "s3://lake/cli/labels/"]
    assert main(record) == 0
    return "s3://lake/cli"


def test_record_and_plan_write_the_bytes_of_a_folder_here(lake, flowers, capsys):
    here = {path.name: path.read_bytes() for path in Path(flowers.labels).iterdir()}
    assert {path.name: path.read_bytes() for path in RemotePath.of(f"{lake}/labels").iterdir()} == here
    plan = ["plan", flowers.teacher, "--data", f"{lake}/rows.parquet", "--into", f"{lake}/planned"]
    assert main([*plan, "--label", "missing", "--finish"]) == 0
    assert capsys.readouterr().out.endswith(f"{lake}/planned: 100 rows in 1 shard, finished and proven.\n")
    assert {path.name: path.read_bytes() for path in RemotePath.of(f"{lake}/planned").iterdir()} == here


@pytest.mark.filterwarnings("ignore:these are the rows on which the student was trained")
def test_rows_and_recordings_are_read_there(lake, flowers, tmp_path, capsys):
    roles = ["--truth", "species", "--drop", "plant"]
    data = ["--data", f"{lake}/rows.parquet", *roles]
    assert main(["train", "tree", "--labels", f"{lake}/labels", *data, "--out", f"{tmp_path}/run", "--set", "max_leaf_nodes=6"]) == 0
    capsys.readouterr()
    measured = []
    for source in (["--teacher", f"{lake}/labels"], ["--labels", f"{lake}/labels"], ["--labels", flowers.labels]):
        assert main(["evaluate", f"{tmp_path}/run", *data, *source, "--json"]) == 0
        measured.append(json.loads(capsys.readouterr().out)["against_teacher"]["agreement"])
    assert measured[0] == measured[1] == measured[2]
    assert main(["predict", f"{tmp_path}/run", "--data", f"{lake}/test.csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 50
    assert main(["preflight", flowers.teacher, *data, "--test", f"{lake}/test.csv"]) in (0, 3)


@pytest.mark.exhaustive
def test_distill_reads_rows_there(lake, flowers, tmp_path):
    data = ["--data", f"{lake}/rows.parquet", "--truth", "species", "--drop", "plant", "--test", f"{lake}/test.csv"]
    quick = ["--students", "tree", "--trials", "2", "--seeds", "2", "--out", f"{tmp_path}/run"]
    with shortened(), unchecked_teachers():
        assert main(["distill", flowers.teacher, *data, *quick]) == 0
    assert main(["export", f"{tmp_path}/run", f"{tmp_path}/student.py", "--data", f"{lake}/test.csv"]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "tree", "--labels", "{labels}", "--data", "{rows}", "--out", "s3://lake/run"],
        ["predict", "{run}", "--data", "{test}", "--out", "s3://lake/out.csv"],
        ["predict", "s3://lake/run", "--data", "{test}"],
        ["export", "{run}", "s3://lake/student.py"],
        ["evaluate", "{run}", "--data", "{test}", "--rows-out", "s3://lake/rows.csv"],
        ["record", "s3://lake/teacher.skops", "--data", "{rows}", "--into", "labels"],
        ["serve", "s3://lake/run"],
    ],
)
def test_other_paths_are_of_this_machine(flowers, user_error, arguments):
    paths = {name: getattr(flowers, name) for name in ("rows", "test", "teacher", "labels", "run")}
    said = user_error(*[argument.format(**paths) for argument in arguments])
    assert "expected a path of this machine: rows and recorded answers alone may be elsewhere" in said


def test_what_cannot_be_read_is_one_sentence(flowers, object_store, user_error, tmp_path):
    record = ["record", flowers.teacher, "--data"]
    assert "there is no file s3://no-bucket/rows.csv" in user_error(*record, "s3://no-bucket/rows.csv", "--into", f"{tmp_path}/labels")
    assert "holds credentials" in user_error(*record, "s3://k:secret@lake/rows.csv", "--into", f"{tmp_path}/labels")
    assert "NO_SUCH_BUCKET" in user_error(*record, flowers.rows, "--into", "s3://no-bucket/labels")
