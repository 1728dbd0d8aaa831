"""The text of a module of Python."""

from __future__ import annotations

import inspect
import keyword
import re
import textwrap
from collections.abc import Sequence

from tutelage.exporters.program import operations as op
from tutelage.exporters.program.program import Program
from tutelage.exporters.targets.job import Job
from tutelage.exporters.targets.python import helpers
from tutelage.exporters.targets.python.expressions import OPERATIONS
from tutelage.exporters.targets.python.tables import Module, literal, wrapped
from tutelage.exporters.targets.sources import column_units

_FUNCTIONS = {name: inspect.getsource(one) for name, one in vars(helpers).items() if inspect.isfunction(one)}
"""The text of each function, in the order in which they are written there."""
_IMPORTS = (
    *((name, f"import {name}") for name in ("base64", "math", "re", "struct")),
    ("defaultdict", "from collections import defaultdict"),
    *((name, "from collections.abc import ") for name in ("Iterable", "Iterator", "Mapping", "Sequence")),
    ("mul", "from operator import mul"),
    ("Any", "from typing import Any"),
)
"""Names that functions use, and the import of each."""


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
    module = Module()
    for step in program.steps:
        if type(step.operation) not in OPERATIONS:
            raise op.cannot_be_written(step.operation, "Python")
        module.add(step, OPERATIONS[type(step.operation)])
    public = _public(program, module)
    functions = _called("".join([*public, *module.tables]))
    code = "\n\n".join([*public, *(_FUNCTIONS[name] for name in functions)])
    tables = "\n".join(["\n", "# fmt: off", *module.tables]) if module.tables else ""
    parts = [_docstring(job, header), "from __future__ import annotations\n", _imports(code + tables), _constants(program), "", code]
    text = "\n".join(parts)
    return {f"{job.stem}.py": f"{text}{tables}".encode()}


def _docstring(job: Job, header: Sequence[str]) -> str:
    """What the module is, and how it is called."""
    title, *proofs = (line.replace("\\", "\\\\").replace('"', "'") for line in header)
    units = column_units(job.program, "Python")
    safe = (ascii(paragraph)[1:-1].replace('"', "'") for paragraph in [*proofs, *units])
    proofs = [line for paragraph in safe for line in textwrap.wrap(paragraph, 100, break_long_words=False)]  # which may hold escapes
    name = job.stem if job.stem.isidentifier() and not keyword.iskeyword(job.stem) else None
    example = [] if name is None else ["", "Example:", f"    import {name}", "", f"    {name}.predict(row)"]
    return '"""' + "\n".join([title, "", *proofs, *example]) + '\n"""\n'


def _imports(code: str) -> str:
    """The imports of what is used."""
    found: dict[str, list[str]] = {}
    for name, line in _IMPORTS:
        if re.search(rf"\b{name}\b", code):
            found.setdefault(line, []).append(name)
    return "\n".join(line + (", ".join(names) if line.endswith(" ") else "") for line, names in found.items()) + "\n"


def _constants(program: Program) -> str:
    """The constants that callers see."""
    lines = []
    if program.inputs:
        lines.append(f"COLUMNS = {wrapped([literal(place if one.name is None else one.name) for place, one in enumerate(program.inputs)])}")
        lines.append(f"_IS_TEXT = {wrapped([str(one.kind == 'text') for one in program.inputs])}")
    else:
        lines.append(f"SHAPE = {program.row_shape!r}")
    if program.form.task != "regression":
        lines.insert(1, f"CLASSES = {wrapped([literal(name) for name in program.form.classes])}")
    if program.threshold is not None:
        lines.append(f"THRESHOLD = {literal(program.threshold)}")
    return "\n".join(lines) + "\n"


def _public(program: Program, module: Module) -> list[str]:
    """The functions that callers use."""
    row = "a sequence in the order of COLUMNS, or a mapping from their names" if program.inputs else "numbers in SHAPE, flat or nested"
    read = "numbers, texts = _cells(row)" if program.inputs else "numbers = _flat_numbers(row)"
    if program.inputs and not program.texts:
        read = "numbers, _ = _cells(row)"
    elif program.inputs and not program.numbers:
        read = "_, texts = _cells(row)"
    if len(program.inputs) == 1 and program.texts:
        row = "a text, or a sequence or a mapping that holds one"
    missing = "" if not program.inputs else " A missing cell is None" + (" or NaN." if program.numbers else ".")
    body = "".join(f"    {line}\n" for line in [read, *module.lines, f"return _checked(v{len(program.steps) - 1})"])
    if program.form.task == "regression":
        return [f'def predict(row: Any) -> list[float]:\n    """The values of one row: {row}.{missing}"""\n{body}']
    many = program.form.task == "multilabel"
    what = "label" if many else "class"
    decided = "[int(share > 0.5) for share in probabilities]" if many else "CLASSES[probabilities.index(max(probabilities))]"
    title = "Whether each label holds, 1 or 0" if many else "The most probable class"
    return [
        f'def predict(row: Any) -> Any:\n    """{title} for one row."""\n    probabilities = predict_proba(row)\n    return {decided}\n',
        f"def predict_proba(row: Any) -> list[float]:\n"
        f'    """The probability of each {what} for one row, in the order of CLASSES.\n\n'
        f'    A row is {row}.{missing}\n    """\n{body}',
        *_defers(program),
    ]


def _defers(program: Program) -> list[str]:
    """The function that says which rows are left to the teacher."""
    if program.threshold is None:
        return []
    found = "min(max(share, 1 - share) for share in predict_proba(row))" if program.form.task == "multilabel" else "max(predict_proba(row))"
    about = "Whether one row is left to the teacher: the confidence of its answer is below THRESHOLD."
    return [f'def defers(row: Any) -> bool:\n    """{about}"""\n    return not {found} >= THRESHOLD\n']


def _called(text: str) -> list[str]:
    """The functions that a text calls, and those that they call."""
    found: list[str] = []
    waiting = [text]
    while waiting:
        text = waiting.pop(0)
        for name in re.findall(r"\b(_[a-z]\w*)\(", text):
            if name in _FUNCTIONS and name not in found:
                found.append(name)
                waiting.append(_FUNCTIONS[name])
    return sorted(found, key=list(_FUNCTIONS).index)
