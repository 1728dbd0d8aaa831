"""Runs many exported files at once, by means that share nothing with those that the exporter proves its files with."""

import ctypes
import json
import math
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Written:
    """An exported file and the rows that it is asked.

    Attributes:
        path: the file.
        columns: name and kind of each column; empty for pictures.
        cells: the cells of each row.
        outputs: number of answers a row.
    """

    path: Path
    columns: tuple[tuple[str, str], ...]
    cells: list
    outputs: int

    def split(self) -> tuple[np.ndarray, list[list[str | None]]]:
        """The numbers and the texts of the rows."""
        if not self.columns:
            return np.array(self.cells, dtype=np.float64).reshape(len(self.cells), -1), [[] for _ in self.cells]
        numbers = [[cell for cell, (_, kind) in zip(row, self.columns, strict=True) if kind == "number"] for row in self.cells]
        texts = [[cell for cell, (_, kind) in zip(row, self.columns, strict=True) if kind == "text"] for row in self.cells]
        return np.array(numbers, dtype=np.float64).reshape(len(self.cells), -1), texts


def python(files: Sequence[Written]) -> list[np.ndarray]:
    """By executing the text."""
    found = []
    for file in files:
        module: dict = {"__name__": "student"}
        exec(compile(file.path.read_text(encoding="utf-8"), "student", "exec", dont_inherit=True), module)  # noqa: S102
        answer = module.get("predict_proba", module["predict"])
        found.append(np.array([_or_nan(answer, row, file.outputs) for row in file.cells]))
    return found


def _or_nan(answer: Callable, row: list, outputs: int) -> list[float]:
    try:
        return answer(row)
    except ValueError:  # a row without an answer
        return [math.nan] * outputs


def javascript(files: Sequence[Written]) -> list[np.ndarray]:
    """In one process of Node.js, from the text of a script."""
    folder = files[0].path.parent
    parts = []
    for place, file in enumerate(files):
        shutil.copy(file.path, folder / f"own{place}.mjs")
        parts.append(f'import * as s{place} from "./own{place}.mjs";\nall.push([s{place}, {json.dumps(file.cells)}]);')
    script = folder / "own.mjs"
    many = """
const nothing = [];
console.log(JSON.stringify(all.map(([student, rows]) => rows.map((row) => {
  try { return Array.from((student.predictProba ?? student.predict)(row), String); } catch (error) { return nothing; }
}))));
"""
    script.write_text("const all = [];\n" + "\n".join(parts) + many, encoding="utf-8")
    ran = subprocess.run(["node", str(script)], capture_output=True, text=True, check=False)
    assert not ran.returncode, ran.stderr
    found = json.loads(ran.stdout)
    blanks = [["NaN"] * file.outputs for file in files]
    return [np.array([row or blank for row in rows]).astype(float) for rows, blank in zip(found, blanks, strict=True)]


def c(files: Sequence[Written]) -> list[np.ndarray]:
    """As one shared library, called from here."""
    library = files[0].path.with_suffix(".so")  # a library of the same name would not be loaded again
    sources = [str(file.path) for file in files]
    subprocess.run(["gcc", "-std=c99", "-O0", "-ffp-contract=off", "-fPIC", "-shared", "-o", library, *sources, "-lm"], check=True)
    loaded = ctypes.CDLL(str(library))
    return [_called(loaded, file) for file in files]


def _called(loaded: ctypes.CDLL, file: Written) -> np.ndarray:
    text = file.path.read_text(encoding="utf-8")
    name, number = re.findall(r"^void (\w+_predict_(?:proba|values))\(const .*row, (float|double) \*", text, flags=re.M)[0]
    answers = (ctypes.c_float if number == "float" else ctypes.c_double) * file.outputs
    numbers, texts = file.split()
    declared = re.findall(r"^ +(float|double) numbers\[", text, flags=re.M) or re.findall(r"const (float|double) \*row", text)
    cells = ((ctypes.c_float if declared[:1] == ["float"] else ctypes.c_double) * numbers.shape[1]) if numbers.shape[1] else None
    words = ctypes.c_char_p * len(texts[0]) if texts[0] else None
    fields = [("numbers", cells)] * bool(cells) + [("texts", words)] * bool(words)
    row_type = type("Row", (ctypes.Structure,), {"_fields_": fields})
    found = []
    for row, row_texts in zip(numbers.tolist(), texts, strict=True):
        coded = [None if cell is None else cell.encode() for cell in row_texts]
        row_ = row_type(*([cells(*row)] if cells else []), *([words(*coded)] if words else []))
        answer = answers()
        getattr(loaded, name)(ctypes.byref(row_), answer)
        found.append(list(answer))
    return np.array(found)


def sql(files: Sequence[Written]) -> list[np.ndarray]:
    """In SQLite, in a table that has another column before those of the student."""
    found = []
    for file in files:
        with closing(sqlite3.connect(":memory:")) as database:
            columns = ", ".join('"' + name.replace('"', '""') + '"' for name, _ in file.columns)
            database.execute(f"CREATE TABLE rows (own_key, {columns})")
            given = [[place, *row] for place, row in enumerate(file.cells)]
            database.executemany(f"INSERT INTO rows VALUES (?{', ?' * len(file.columns)})", given)  # noqa: S608
            ran = database.execute(file.path.read_bytes().decode())
            names = [each[0] for each in ran.description]
            key = names.index("own_key")
            assert names[0] in ("probability_0", "prediction", "prediction_0")
            rows = sorted(ran.fetchall(), key=lambda row: row[key])
            found.append(np.array([row[: file.outputs] for row in rows], dtype=np.float64))
    return found


def onnx(files: Sequence[Written]) -> list[np.ndarray]:
    """With onnxruntime."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    types = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}
    found = []
    for file in files:
        session = onnxruntime.InferenceSession(file.path, providers=["CPUExecutionProvider"])
        inputs = session.get_inputs()
        if any(kind == "text" for _, kind in file.columns):
            given = {}
            for each, cells, (_, kind) in zip(inputs, zip(*file.cells, strict=True), file.columns, strict=True):
                texts = ["" if cell is None else cell for cell in cells]
                column = np.array(texts, dtype=object) if kind == "text" else np.array(cells, dtype=types[each.type])
                given[each.name] = column[:, None]
        else:
            (each,) = inputs
            with np.errstate(over="ignore"):
                given = {each.name: np.array(file.cells, dtype=np.float64).astype(types[each.type])}
        found.append(np.asarray(session.run(None, given)[0], dtype=np.float64))
    return found


_EXECUTORCH = """
import sys, numpy as np, torch
from executorch.runtime import Runtime
for path in sys.argv[1:]:
    method = Runtime.get().load_program(path).load_method("forward")
    rows = torch.from_numpy(np.load(path + ".rows.npy"))
    answers = [method.execute([rows[start : start + 7]])[0].numpy() for start in range(0, len(rows), 7)]
    np.save(path + ".answers.npy", np.concatenate(answers))
"""


def executorch(files: Sequence[Written]) -> list[np.ndarray]:
    """With ExecuTorch's bindings in another process, seven rows a call."""
    for file in files:
        np.save(f"{file.path}.rows.npy", np.array(file.cells, dtype=np.float32))
    command = [sys.executable, "-W", "ignore", "-c", _EXECUTORCH, *(str(file.path) for file in files)]
    subprocess.run(command, check=True, capture_output=True)
    return [np.load(f"{file.path}.answers.npy").astype(np.float64) for file in files]


RUNNERS: dict[str, Callable[[Sequence[Written]], list[np.ndarray]]] = {
    ".py": python,
    ".js": javascript,
    ".c": c,
    ".sql": sql,
    ".onnx": onnx,
    ".pte": executorch,
}


def lacking(end: str) -> str:
    """What is not installed that a target needs; empty if all is there."""
    tool = {".js": "node", ".c": "gcc"}.get(end)
    if tool and not shutil.which(tool):
        return f"{tool} is not installed"
    module = {".onnx": "onnxruntime", ".pte": "executorch"}.get(end)
    return f"{module} is not installed" if module and not find_spec(module) else ""
