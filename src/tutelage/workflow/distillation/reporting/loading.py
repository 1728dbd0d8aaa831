"""How to load the files of a student: lines of code that were written for its columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tutelage.core.records import Export
from tutelage.data.schema import Schema
from tutelage.data.structures.structured import StructuredRows
from tutelage.exporters.arrays.graph import ARRAY
from tutelage.report.distillation.figures import Loading
from tutelage.students.saved.save_load import needs_network
from tutelage.students.saved.trained_folder import STUDENT_FILE
from tutelage.workflow.distillation.folder import RunFolder

MOST_INPUTS = 200
"""Inputs of a file that are named on the page."""
NUMPY = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(int64)": "int64"}


def how_to_load(folder: RunFolder, exports: Sequence[Export], schema: Schema | None, given: Any) -> tuple[Loading, ...]:
    """Lines for each exported file, and for the student itself.

    Args:
        folder: with the files.
        exports: the files.
        schema: the columns of the student; None for a matrix or texts.
        given: the rows of the student: texts are a list, several inputs `StructuredRows`.
    """
    text = isinstance(given, list)
    inputs = given if isinstance(given, StructuredRows) else None
    rows = _rows(schema, text, inputs)
    written = []
    for one in exports:
        path = folder.path / one.file
        if path.suffix in _LANGUAGES:
            lines = _arrays(path, rows) if inputs is not None else _LANGUAGES[path.suffix](path, schema, text, not one.columns)
            written.append(lines if one.cascade is None else replace(lines, note=f"{lines.note} {_DEFERS[path.suffix]}"))
    return (*written, _student(folder.path / STUDENT_FILE, rows))


def _student(path: Path, rows: str) -> Loading:
    network, what = "", "nothing is unpickled"
    if needs_network(path):
        network, what = ", network=build", "build is the function that built the network for training, whose code no file holds"
    code = f'import tutelage as tl\n{rows}\nstudent = tl.load_student("{path.name}"{network})\nprint(student.predict(rows))'
    return Loading(path.name, code, f"In Python, with tutelage and scikit-learn; {what}.")


def _rows(schema: Schema | None, text: bool, inputs: StructuredRows | None = None) -> str:
    """Lines that read new rows as the student takes them."""
    if inputs is not None:
        names = ", ".join(json.dumps(name if inputs.named else f"{ARRAY}_{name}") for name in inputs.fields)
        taken = f"{{name: arrays[name] for name in [{names}]}}" if inputs.named else f"tuple(arrays[name] for name in [{names}])"
        return f'import numpy as np\narrays = np.load("rows.npz")\nrows = {taken}'
    if text:
        return 'rows = ["the first text", "the second text"]'
    if schema is None:
        return 'import numpy as np\nrows = np.load("rows.npy")'
    dates = [str(column.name) for column in schema.columns if column.type == "date"]
    parsed = f", parse_dates={json.dumps(dates)}" if dates else ""
    return f'import pandas as pd\nrows = pd.read_csv("new.csv"{parsed})'


def _arrays(path: Path, rows: str) -> Loading:
    """Lines for an ONNX file of several inputs."""
    code = f'import tutelage as tl\n{rows}\nstudent = tl.open_teacher("{path.name}")\nprint(student.answer(rows))'
    return Loading(path.name, code, f"Any runtime of ONNX takes it without tutelage. Its inputs: {_inputs(path)}.")


def _inputs(path: Path) -> str:
    """The inputs of an ONNX file, each with its type; of many the first."""
    import onnxruntime

    inputs = onnxruntime.InferenceSession(str(path)).get_inputs()
    named = ", ".join(f"{one.name} ({one.type.removeprefix('tensor(').removesuffix(')')})" for one in inputs[:MOST_INPUTS])
    beyond = len(inputs) - MOST_INPUTS
    return f"{named} and {beyond:,} more, which InferenceSession(...).get_inputs() lists" if beyond > 0 else named


def _onnx(path: Path, schema: Schema | None, text: bool, shaped: bool) -> Loading:
    import onnxruntime

    inputs = onnxruntime.InferenceSession(str(path)).get_inputs()
    if len(inputs) == 1 and inputs[0].type in NUMPY and schema is None:
        name, kind = inputs[0].name, NUMPY[inputs[0].type]
        code = (
            f'import numpy as np, onnxruntime\nrows = np.load("rows.npy").astype("{kind}")\n'
            f'session = onnxruntime.InferenceSession("{path.name}")\nprint(session.run(None, {{{json.dumps(name)}: rows}}))'
        )
        return Loading(path.name, code, "Needs onnxruntime only.")
    code = f'import tutelage as tl\n{_rows(schema, text)}\nstudent = tl.open_teacher("{path.name}")\nprint(student.answer(rows))'
    days = "; dates are days since 1970" if schema is not None and any(column.type == "date" for column in schema.columns) else ""
    return Loading(path.name, code, f"Any runtime of ONNX takes it without tutelage. Its inputs: {_inputs(path)}{days}.")


def _python(path: Path, schema: Schema | None, text: bool, shaped: bool) -> Loading:
    numbers = f"its numbers in the shape {path.stem}.SHAPE, nested or in a line"
    row = '"a text"' if text else f"[...]  # {numbers if shaped else f'a value for each of {path.stem}.COLUMNS, in order'}"
    code = f"import {path.stem}\nrow = {row}\nprint({path.stem}.predict(row))"
    return Loading(path.name, code, "Needs nothing but Python's standard library.")


def _c(path: Path, schema: Schema | None, text: bool, shaped: bool) -> Loading:
    code = f"cc -std=c99 -O2 -c {path.name}    # and link with -lm"
    about = "Needs nothing but the C library. The comment at the top of the file says how a row looks, and lists the functions."
    return Loading(path.name, code, about)


def _javascript(path: Path, schema: Schema | None, text: bool, shaped: bool) -> Loading:
    code = f'import {{ predict }} from "./{path.name}";\nconsole.log(predict(row));'
    return Loading(path.name, code, "It exports how a row looks too: the names of its columns, or the shape of its numbers.")


def _sql(path: Path, schema: Schema | None, text: bool, shaped: bool) -> Loading:
    return Loading(
        path.name, f"sqlite3 rows.db < {path.name}", "Any of SQLite, DuckDB and PostgreSQL; the comment at its top names the columns."
    )


_LANGUAGES = {".onnx": _onnx, ".py": _python, ".c": _c, ".js": _javascript, ".sql": _sql}
_ROWS_LEFT = "says which rows are left to the teacher."
_DEFERS = {
    ".onnx": f"Its output deferred {_ROWS_LEFT}",
    ".py": f"Its function defers {_ROWS_LEFT}",
    ".c": f"Its function that ends in _defers {_ROWS_LEFT}",
    ".js": f"Its function defers {_ROWS_LEFT}",
    ".sql": f"Its column deferred {_ROWS_LEFT}",
}
"""What a file with a threshold says besides."""
