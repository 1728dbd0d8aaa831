"""The same table gives the same rows from CSV, Parquet, pandas, polars and Arrow, or a sentence that names the column."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from awkward_table import COLUMNS, REFUSED, ROWS, frame

from tutelage.cli import main
from tutelage.core.errors import TutelageError
from tutelage.data.row_names import data_name, row_names
from tutelage.data.rows import as_rows
from tutelage.data.table_file import TableFile
from tutelage.students.columns import column_kinds, with_columns

TYPES = {name: column.declared for name, column in COLUMNS.items() if column.declared is not None}


def as_csv(table: pd.DataFrame, folder: Path):
    table.to_csv(folder / "t.csv", index=False)
    return TableFile.open(folder / "t.csv", dtype={name: kind for name, kind in TYPES.items() if name in table}).rows()


def as_parquet(table: pd.DataFrame, folder: Path):
    table.to_parquet(folder / "t.parquet", row_group_size=7)
    return TableFile.open(folder / "t.parquet").rows()


HOLDERS = {
    "csv": as_csv,
    "parquet": as_parquet,
    "pandas": lambda table, folder: as_rows(table),
    "polars": lambda table, folder: as_rows(pl.from_pandas(table)),
    "arrow": lambda table, folder: as_rows(pa.Table.from_pandas(table, preserve_index=False)),
}


def student_sees(rows):
    """The numbers of each column as a student of trees sees them."""
    part = rows.part(0, ROWS)
    part = part[[name for name in part.columns if name not in COLUMNS or name in LEARNABLE]]
    prepared = with_columns("passthrough", part, scaled=False).fit_transform(part)
    names = [name for kind in column_kinds(part) for name in kind]
    return dict(zip(names, np.asarray(prepared.tolist(), dtype=np.float64).T, strict=True))


LEARNABLE = {name: column for name, column in COLUMNS.items() if column.for_students}


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    """The table of all columns in each holder."""
    table = frame(COLUMNS)
    return {holder: hold(table, tmp_path_factory.mktemp(holder)) for holder, hold in HOLDERS.items()}


@pytest.mark.parametrize("holder", HOLDERS)
def test_every_holder_gives_the_same_rows(holder, held):
    ours, theirs = (rows.part(5, 17) for rows in (held[holder], held["pandas"]))
    assert list(ours.columns) == list(theirs.columns)
    assert [name for name in COLUMNS if not np.array_equal(row_names(ours[[name]]), row_names(theirs[[name]]))] == []
    assert data_name(held[holder]) == data_name(held["pandas"])


@pytest.mark.parametrize("holder", [holder for holder in HOLDERS if holder != "pandas"])
def test_a_student_sees_the_same_numbers(holder, held):
    ours, theirs = student_sees(held[holder]), student_sees(held["pandas"])
    compared = [name for name, column in LEARNABLE.items() if column.in_polars or holder != "polars"]
    assert [name for name in compared if not np.array_equal(ours[name], theirs[name], equal_nan=True)] == []


TEACHER = """
import numpy as np

def teacher(rows):
    p = 1 / (1 + np.exp(-rows["row number"].to_numpy() / 2 + 6))
    return np.column_stack([1 - p, p])
"""


@pytest.fixture
def teacher(tmp_path, monkeypatch):
    """A teacher in a module of the folder in which the commands run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    module = f"awkward_{tmp_path.name}"
    (tmp_path / f"{module}.py").write_text(TEACHER)
    return f"{module}:teacher"


def commands(teacher, data):
    """The usual order of the commands on a file."""
    types = [option for name, kind in TYPES.items() for option in ("--dtype", f"{name}={kind}")] if data.startswith("t.") else []
    given, form = ["--data", data, *types], ["--kind", "probabilities", "--classes", "no,yes"]
    return {
        "preflight": ["preflight", teacher, *given, *form, "--json"],
        "record": ["record", teacher, *given, *form, "--into", f"labels-{data}", "--json"],
        "train": ["train", "tree", "--labels", f"labels-{data}", *given, "--out", f"run-{data}", "--json"],
        "evaluate": ["evaluate", f"run-{data}", "--data", data, "--labels", f"labels-{data}", "--json"],
        "export": ["export", f"run-{data}", "student.onnx", "--data", data, "--json"],
    }


def lasting(text):
    """A printed record without what differs between any two runs."""
    record = json.loads(text) if text.startswith("{") else {}
    if isinstance(record.get("data"), dict):
        del record["data"]["files"]
    return {
        name: value
        for name, value in record.items()
        if name not in ("seconds", "environment", "cost", "file", "teacher", "checksum", "sha256", "student", "size_bytes")
    }


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("ignore:these are the rows on which the student was trained")
def test_every_command_gives_the_same_from_csv_and_parquet(teacher, capsys):
    frame(LEARNABLE).to_parquet("t.parquet")
    frame(LEARNABLE).to_csv("t.csv", index=False)
    printed = {}
    for data in ("t.csv", "t.parquet"):
        printed[data] = []
        for command in commands(teacher, data).values():
            status = main(command)
            output = capsys.readouterr()
            sentences = [line.replace(data, "") for line in output.err.splitlines() if line.startswith("tutelage: ")]
            printed[data].append((status, lasting(output.out), sentences))
    assert printed["t.csv"] == printed["t.parquet"]
    assert [status for status, *_ in printed["t.csv"]] == [0, 0, 0, 0, 0]
    assert printed["t.csv"][-1][1]["proofs"][0]["decisions_changed"] == 0
    assert main(["evaluate", "run-t.parquet", "--data", "t.csv", "--labels", "labels-t.csv"]) == 0  # in the types of training


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("holder", ["pandas", "polars", "arrow", "parquet"])
def test_a_column_that_no_student_takes_is_refused_by_name(name, holder, tmp_path):
    table = frame({"x": COLUMNS["decimals"], name: REFUSED[name]})
    if holder == "pandas" or name not in ("mixed", "complex"):  # which the others cannot hold
        with pytest.raises(TutelageError, match=f"column '{name}'"):
            student_sees(HOLDERS[holder](table, tmp_path))


@pytest.mark.exhaustive(every=5)
@pytest.mark.filterwarnings("ignore:these are the rows on which the student was trained")
@pytest.mark.parametrize("name", ["list", "struct", "bytes", "infinite", "large decimals"])
def test_every_command_names_such_a_column(name, teacher, capsys):
    """A teacher may read bytes and infinity: only students cannot."""
    frame({"row number": COLUMNS["row number"], "x": COLUMNS["decimals"]}).to_parquet("good.parquet")
    frame({"row number": COLUMNS["row number"], "x": (COLUMNS | REFUSED)[name]}).to_parquet("odd.parquet")
    for command in commands(teacher, "good.parquet").values():
        assert main(command) == 0
    for verb, command in commands(teacher, "odd.parquet").items():
        run = "run-good.parquet" if verb in ("evaluate", "export") else "run-odd.parquet"
        capsys.readouterr()
        status = main([part.replace("run-odd.parquet", run) for part in command])
        sentence = capsys.readouterr().err.strip().splitlines()[-1]
        if name not in ("list", "struct") and verb in ("preflight", "record"):
            assert status == 0, sentence
        elif name in ("list", "struct") and verb in ("train", "evaluate"):
            assert status == 2, sentence  # nothing was recorded
        else:
            assert (status, "'x'" in sentence) == (2, True), sentence
