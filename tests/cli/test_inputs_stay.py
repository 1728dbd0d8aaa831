"""What a command writes replaces nothing that it reads, by whatever name that is given."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from tutelage.cli import main


@pytest.fixture
def rows(flowers, here):
    """The test rows as the file dd.csv and, for those that write Parquet, dd.parquet."""
    shutil.copy(flowers.test, "dd.csv")
    pd.read_csv("dd.csv").to_parquet("dd.parquet")
    return here


def test_predict_writes_over_none_of_its_inputs(flowers, rows, user_error):
    (rows / "link.csv").symlink_to("dd.csv")
    (rows / "folder").mkdir()
    shutil.copy("dd.csv", "folder/a.csv")
    before = (rows / "dd.csv").read_bytes()
    predict = ("predict", flowers.run, "--data")
    assert user_error(*predict, "dd.csv", "--out", "dd.csv").startswith("tutelage: dd.csv is an input, which is read as well and would be")
    assert "link.csv is the same file as dd.csv, which is read" in user_error(*predict, "dd.csv", "--out", "link.csv")
    assert "dd.csv is the same file as link.csv, which is read" in user_error(*predict, "link.csv", "--out", "dd.csv")
    assert "folder/a.csv is an input" in user_error(*predict, "folder", "--out", "folder/a.csv")
    assert "folder/a.csv is an input" in user_error(*predict, "folder/*.csv", "--out", "folder/a.csv")
    assert (rows / "dd.csv").read_bytes() == before == (rows / "folder/a.csv").read_bytes()
    assert main([*predict, "dd.csv", "--out", "answers.csv"]) == main([*predict, "dd.csv", "--out", "answers.csv"]) == 0


def test_rows_that_evaluate_writes_are_none_that_it_reads(flowers, rows, user_error):
    shutil.copytree(flowers.labels, "labels")
    pd.read_csv("dd.csv").assign(p=0.5).to_csv("log.csv", index=False)
    before = {path.name: path.read_bytes() for path in rows.rglob("*") if path.is_file()}
    evaluate = ("evaluate", flowers.run, "--data", "dd.parquet", "--rows-out")
    assert "dd.parquet is an input" in user_error(*evaluate, "dd.parquet")
    assert "labels/part-00000.parquet lies in labels" in user_error(*evaluate, "labels/part-00000.parquet", "--labels", "labels")
    assert "log.csv is an input" in user_error(*evaluate, "log.csv", "--teacher", "log.csv", "--kind", "values", "--answers", "p")
    assert {path.name: path.read_bytes() for path in rows.rglob("*") if path.is_file()} == before


def test_an_export_replaces_neither_the_student_nor_the_rows_nor_the_code_that_ran(flowers, rows, user_error, monkeypatch):
    shutil.copytree(flowers.run, "run")
    (rows / "student.py").symlink_to("run/student.skops")
    (rows / "rows.js").symlink_to("dd.csv")
    (rows / "my_module_of_code.py").write_text("made = 1\n")
    monkeypatch.syspath_prepend(str(rows))
    __import__("my_module_of_code")
    export = ("export", "run")
    assert "student.py is the same file as run/student.skops" in user_error(*export, "student.py")
    assert "rows.js is the same file as dd.csv" in user_error(*export, "rows.js", "--data", "dd.csv")
    assert "which is read as well" in user_error(*export, "my_module_of_code.py")
    assert (rows / "run/student.skops").read_bytes() == (Path(flowers.run) / "student.skops").read_bytes()
    assert main([*export, "run/student.py"]) == main([*export, "run/student.py"]) == 0  # an earlier export is replaced


def test_a_folder_of_inputs_is_not_written(flowers, rows, user_error):
    (rows / "given").mkdir()
    shutil.copy("dd.csv", "given/dd.csv")
    given = ("--data", "given", "--truth", "species", "--drop", "plant")
    for command in (
        ("record", flowers.teacher, "--data", "given/dd.csv", "--into", "given"),
        ("plan", flowers.teacher, "--data", "given/dd.csv", "--into", "given"),
        ("distill", flowers.teacher, *given, "--out", "given"),
        ("train", "tree", "--labels", flowers.labels, "--data", flowers.rows, "--out", "given"),
    ):
        assert "given already holds other files" in user_error(*command), command
    assert [path.name for path in (rows / "given").iterdir()] == ["dd.csv"]
    (rows / "parts").mkdir()
    shutil.copy("dd.parquet", "parts/part-00000.parquet")
    for command in (("record", "--on", "local:1"), ("record",), ("plan",)):
        assert "parts already holds other files" in user_error(
            command[0], flowers.teacher, "--data", "parts", "--into", "parts", *command[1:]
        )
    assert (rows / "parts/part-00000.parquet").read_bytes() == (rows / "dd.parquet").read_bytes()


def test_a_run_replaces_neither_its_data_nor_its_cache(rows, user_error):
    (rows / "old" / "data").mkdir(parents=True)
    (rows / "old/results.json").write_text("{}")  # so that it may be replaced as an earlier run
    (rows / "old/data/pictures.gz").write_text("")
    run = ("run", "tiny-fashion", "--quick", "--data", "old/data")
    assert "old holds old/data, which is read" in user_error(*run, "--out", "old")
    assert "old/data/pictures.gz is an input" in user_error(*run, "--json", "old/data/pictures.gz")
    (rows / "old" / "cache").mkdir()
    assert "old holds old/cache, which is read" in user_error("run", "moons", "--quick", "--out", "old", "--cache", "old/cache")
    assert (rows / "old/data/pictures.gz").exists()
