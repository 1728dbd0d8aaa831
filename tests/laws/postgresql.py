"""Runs exported statements in a server of PostgreSQL that lives for one test, by its own client."""

import csv
import io
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from exported_runners import Written

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
AS_USER = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
"""A server refuses to run as root."""


@contextmanager
def server() -> Iterator[Path]:
    """A server without a network; the folder of its socket."""
    folder = Path(tempfile.mkdtemp())
    try:
        if AS_USER:
            shutil.chown(folder, "postgres")
        _run("initdb", "-D", folder / "data", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
        started = "-D", folder / "data", "-w", "-l", folder / "log"
        _run("pg_ctl", *started, "-o", f"-k {folder} -c listen_addresses='' -c fsync=off", "start")
        try:
            yield folder
        finally:
            _run("pg_ctl", *started, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(program: str, *arguments: object, given: str = "") -> str:
    command = [*AS_USER, str(PROGRAMS[-1].with_name(program)), *map(str, arguments)]
    environment = {"PATH": os.environ["PATH"], "PGCLIENTENCODING": "UTF8"}  # whatever server the caller's own names
    ran = subprocess.run(command, input=given, capture_output=True, encoding="utf-8", env=environment, cwd="/", check=False)
    assert not ran.returncode, ran.stderr
    return ran.stdout


def _cell(cell: float | str | None, place: int) -> str:
    """A cell as COPY reads it. Every second missing number is NaN, which is a number there, the others are NULL."""
    if isinstance(cell, str):
        return '"' + cell.replace('"', '""') + '"'
    return "" if cell is None or (np.isnan(cell) and place % 2) else repr(cell)


def answers(files: Sequence[Written], folder: Path) -> list[np.ndarray]:
    """The answers of the server whose socket is in a folder."""
    found = []
    for file in files:
        columns = ", ".join(f'"{name}" {"TEXT" if kind == "text" else "DOUBLE PRECISION"}' for name, kind in file.columns)
        cells = "".join(f"{place},{','.join(_cell(cell, place) for cell in row)}\n" for place, row in enumerate(file.cells))
        script = f"""DROP TABLE IF EXISTS rows; CREATE TABLE rows (own_key INTEGER, {columns});
COPY rows FROM STDIN WITH (FORMAT csv);
{cells}\\.
COPY ({file.path.read_bytes().decode()}) TO STDOUT WITH (FORMAT csv, HEADER);"""
        options = "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", folder, "-d", "postgres"
        names, *rows = csv.reader(io.StringIO(_run("psql", *options, given=script)))
        key = names.index("own_key")
        assert names[0] in ("probability_0", "prediction", "prediction_0")
        rows.sort(key=lambda row: int(row[key]))
        found.append(np.array([[cell or "nan" for cell in row[: file.outputs]] for row in rows], dtype=np.float64))
    return found
