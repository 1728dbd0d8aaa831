"""A program as a module of Python that needs the standard library only."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.core.errors import ParityError
from tutelage.exporters.program import operations as op
from tutelage.exporters.program.program import Program
from tutelage.exporters.program.tree_tables import TreeTables
from tutelage.exporters.proof.compare import Runtime
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.student_answers import Answers
from tutelage.exporters.targets.job import Job
from tutelage.exporters.targets.timed_process import PYTHON_LOOP


def write(job: Job, header: Sequence[str]) -> dict[str, bytes]:
    """The module, by file name.

    Args:
        job: what to write.
        header: lines that say what it is, and how it was proven.

    Raises:
        BadInput: the program has an operation, or the settings have a precision, that this language does not have.
    """
    job.settings.check("Python", ("double",))
    program = job.program
    module = _Module()
    for number, step in enumerate(program.steps):
        operation, sources = step.operation, [f"v{each}" for each in step.sources]
        if type(operation) not in _OPERATIONS:
            raise op.cannot_be_written(operation, "Python")
        module.line(f"v{number} = {_OPERATIONS[type(operation)](module, operation, *sources)}")
    columns = tuple(place if one.name is None else one.name for place, one in enumerate(program.inputs))
    parts = [
        '"""' + "\n".join(line.replace("\\", "\\\\").replace('"', "'") for line in header) + '"""\n\nimport math\n',
        f"COLUMNS = {columns!r}\n" if columns else f"SHAPE = {program.row_shape!r}\n",
        "" if program.form.task == "regression" else f"CLASSES = {program.form.classes!r}\n",
        *module.constants,
        *(_HELPERS[name] for name in sorted(module.helpers)),
        _answer(program, module),
    ]
    return {f"{job.stem}.py": "\n".join(parts).encode()}


class _Module:
    """A module in the making: its constants, the helper functions that it uses, and the lines of its only function."""

    def __init__(self) -> None:
        self.constants: list[str] = []
        self.helpers: set[str] = set()
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(f"    {text}\n")

    def constant(self, values: Any) -> str:
        name = f"_C{len(self.constants)}"
        self.constants.append(f"{name} = {_literal(values)}\n")
        return name

    def mapping(self, values: dict[Any, Any]) -> str:
        """A constant dictionary."""
        name = f"_C{len(self.constants)}"
        self.constants.append(f"{name} = {values!r}\n")
        return name

    def call(self, helper: str, *arguments: str) -> str:
        self.helpers.add(helper)
        return f"{helper}({', '.join(arguments)})"


def _literal(values: Any) -> str:
    if isinstance(values, np.ndarray):
        return _literal(values.tolist())
    if isinstance(values, list | tuple):
        return f"({', '.join(map(_literal, values))}{',' if len(values) == 1 else ''})"
    if isinstance(values, float) and not np.isfinite(values):
        return f'float("{values}")'
    return repr(values)


def _answer(program: Program, module: _Module) -> str:
    """The functions of the module: how a row is read, and what is answered."""
    kinds = tuple(one.kind == "number" for one in program.inputs)
    parts = [f"_IS_NUMBER = {kinds!r}\n{_ROW_OF_COLUMNS}" if program.inputs else _ROW_OF_NUMBERS]
    body = f"    numbers, texts = _row(row)\n{''.join(module.lines)}    return list(v{len(program.steps) - 1})\n"
    if program.form.task == "regression":
        parts.append(f'def predict(row):\n    """The values of one row, in a list."""\n{body}')
    else:
        parts.append(f'def predict_proba(row):\n    """The probability of each class for one row, in the order of CLASSES."""\n{body}')
        many = program.form.task == "multilabel"
        decided = "[int(p > 0.5) for p in probabilities]" if many else "CLASSES[probabilities.index(max(probabilities))]"
        parts.append(
            f'def predict(row):\n    """The decision for one row."""\n    probabilities = predict_proba(row)\n    return {decided}\n'
        )
    return "\n\n".join(parts)


_ROW_OF_COLUMNS = '''

def _row(row):
    """The numbers and the texts of a row: a sequence in the order of COLUMNS, or a mapping by name."""
    if hasattr(row, "keys"):
        row = [row[name] for name in COLUMNS]
    if len(row) != len(COLUMNS):
        raise ValueError(f"a row has {len(row)} cells; expected {len(COLUMNS)}")
    numbers = [math.nan if cell is None else float(cell) for cell, number in zip(row, _IS_NUMBER) if number]
    return numbers, [cell for cell, number in zip(row, _IS_NUMBER) if not number]
'''
_ROW_OF_NUMBERS = '''

def _row(row):
    """The flat numbers of a row, which may be nested sequences."""
    flat = row
    while len(flat) and hasattr(flat[0], "__len__"):
        flat = [cell for part in flat for cell in part]
    if len(flat) != math.prod(SHAPE):
        raise ValueError(f"a row has {len(flat)} numbers; expected {math.prod(SHAPE)}")
    return [float(cell) for cell in flat], []
'''


def _numbers(module: _Module, operation: op.Numbers) -> str:
    return "numbers" if operation.places is None else f"[numbers[i] for i in {module.constant(operation.places)}]"


def _category(module: _Module, operation: op.Category) -> str:
    codes = module.mapping(dict(zip(operation.levels, operation.codes, strict=True)))
    cell = f"{'texts' if operation.of_text else 'numbers'}[{operation.place}]"
    return module.call("_category", cell, codes, _literal(operation.unseen), _literal(operation.missing))


def _arithmetic(module: _Module, operation: op.Arithmetic, x: str) -> str:
    sign = {"subtract": "-", "add": "+", "multiply": "*", "divide": "/"}[operation.name]
    if len(operation.values) == 1:
        return f"[x {sign} {_literal(float(operation.values[0]))} for x in {x}]"
    return f"[x {sign} c for x, c in zip({x}, {module.constant(operation.values)})]"


def _trees(module: _Module, operation: op.TreeSum, x: str) -> str:
    tables = TreeTables.of(operation.trees)
    names = [tables.feature, tables.threshold, tables.left, tables.right, tables.missing_left, tables.leaves, tables.roots, tables.first]
    constants = [module.constant(values) for values in (*names, operation.trees.start)]
    return module.call("_trees", x, *constants, str(operation.trees.divisor))


def _dense(module: _Module, operation: op.Dense, x: str) -> str:
    return module.call("_dense", x, module.constant(operation.weights.T), module.constant(operation.intercepts))


def _apply(module: _Module, operation: op.Apply, x: str) -> str:
    alpha = [repr(operation.alpha)] if operation.function in ("leaky_relu", "elu") else []
    return f"[{module.call('_' + operation.function, 'x', *alpha)} for x in {x}]"


def _fill_gaps(module: _Module, operation: op.FillGaps, x: str) -> str:
    return f"[c if x != x else x for x, c in zip({x}, {module.constant(operation.values)})]"


def _clip(module: _Module, operation: op.Clip, x: str) -> str:
    return f"[x if x != x else min(max(x, {operation.low!r}), {operation.high!r}) for x in {x}]"


def _select(module: _Module, operation: op.Select, x: str) -> str:
    return f"[0.0 if i < 0 else {x}[i] for i in {module.constant(operation.places)}]"


_OPERATIONS: dict[type[op.Operation], Callable[..., str]] = {
    op.Numbers: _numbers,
    op.Category: _category,
    op.Constant: lambda module, operation: module.constant(operation.values),
    op.Select: _select,
    op.Join: lambda module, operation, *parts: "[" + ", ".join(f"*{each}" for each in parts) + "]",
    op.FillGaps: _fill_gaps,
    op.Arithmetic: _arithmetic,
    op.Clip: _clip,
    op.OneHot: lambda module, operation, x: module.call("_one_hot", x, module.constant(operation.widths)),
    op.TreeSum: _trees,
    op.Dense: _dense,
    op.Apply: _apply,
    op.Softmax: lambda module, operation, x: module.call("_softmax", x),
    op.BothClasses: lambda module, operation, x: f"[1.0 - {x}[0], {x}[0]]",
    op.Reshape: lambda module, operation, x: x,
}
"""How each operation is written: an expression, from the names of its sources."""

_HELPERS = {
    "_category": """

def _category(cell, codes, unseen, missing):
    if cell is None or cell != cell:
        return [missing]
    return [codes.get(cell, unseen)]
""",
    "_dense": """

def _dense(x, weights, intercepts):
    return [sum(a * b for a, b in zip(x, row)) + c for row, c in zip(weights, intercepts)]
""",
    "_trees": """

def _trees(x, feature, threshold, left, right, missing_left, leaves, roots, first, start, divisor):
    answers = [0.0] * len(start)
    for node, output in zip(roots, first):
        while node >= 0:
            cell = x[feature[node]]
            go_left = missing_left[node] if cell != cell else cell <= threshold[node]
            node = left[node] if go_left else right[node]
        for place, value in enumerate(leaves[-1 - node]):
            answers[output + place] += value
    return [answer / divisor + first for answer, first in zip(answers, start)]
""",
    "_one_hot": """

def _one_hot(codes, widths):
    found = []
    for code, width in zip(codes, widths):
        found += [float(place == code) for place in range(width)]
    return found
""",
    "_softmax": """

def _softmax(x):
    largest = max(x)
    shares = [math.exp(each - largest) for each in x]
    total = sum(shares)
    return [share / total for share in shares]
""",
    "_sigmoid": """

def _sigmoid(x):
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    return math.exp(x) / (1.0 + math.exp(x))
""",
    "_relu": """

def _relu(x):
    return x if x > 0 or x != x else 0.0
""",
    "_log": """

def _log(x):
    return math.log(x) if x > 0 else -math.inf
""",
    "_logit": """

def _logit(x):
    return (math.log(x) if x > 0 else -math.inf) - (math.log1p(-x) if x < 1 else -math.inf)
""",
    "_tanh": """

def _tanh(x):
    return math.tanh(x)
""",
}

_RUN = """
import json, runpy, sys
module = runpy.run_path(sys.argv[1])
rows = json.load(sys.stdin)
answers = [module.get("predict_proba", module["predict"])(row) for row in rows]
labels = [module["predict"](row) for row in rows] if "CLASSES" in module else None
decided = [label if isinstance(label, list) else module["CLASSES"].index(label) for label in labels] if labels else None
json.dump([answers, decided], sys.stdout)
"""


@dataclass(frozen=True)
class PythonRuntime:
    """A process of Python that sees the standard library only."""

    name: str = f"Python {platform.python_version()}"

    def answers(self, path: Path, program: Program, rows: CheckRows) -> Answers:
        """As `Runtime.answers`."""
        command = [sys.executable, "-I", "-S", "-c", _RUN, str(path)]
        ran = subprocess.run(command, input=json.dumps(rows.cells(program.inputs)), capture_output=True, text=True, check=False)  # noqa: S603
        if ran.returncode:
            raise ParityError(f"the exported module fails in {self.name}: {ran.stderr.strip().splitlines()[-1]}; nothing was written.")
        values, decided = json.loads(ran.stdout)
        return Answers(np.array(values, dtype=np.float64), None if decided is None else np.array(decided, dtype=np.int64))


def runtimes(job: Job) -> list[Runtime]:
    """Where such a file is proven: always this Python."""
    return [PythonRuntime()]


def rounding(job: Job) -> float:
    """Relative error of weighted sums in the file: none beyond that of the student."""
    return 0.0


_TIMED = (
    PYTHON_LOOP
    + """
import json, runpy
module = runpy.run_path(sys.argv[1])
answer = module.get("predict_proba", module["predict"])
with open(sys.argv[2]) as file:
    given = json.load(file)
serve(lambda start, rows: [answer(row) for row in given[start : start + rows]], len(given))
"""
)


def timed(path: Path, job: Job, folder: Path) -> list[str]:
    """The command of a process that times calls, as `Child` runs it."""
    rows = folder / "rows.json"
    rows.write_text(json.dumps(job.rows.cells(job.program.inputs)))
    return [sys.executable, "-I", "-S", "-c", _TIMED, str(path), str(rows)]
