"""The text of an ES module, and of its types."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from tutelage.exporters.program import operations as op
from tutelage.exporters.program.program import Program
from tutelage.exporters.targets.javascript.expressions import OPERATIONS
from tutelage.exporters.targets.javascript.tables import Module, literal
from tutelage.exporters.targets.job import Job
from tutelage.exporters.targets.sources import column_units

_SOURCE = Path(__file__).with_name("helpers.js").read_text(encoding="utf-8")
_FUNCTION = r"^(?:/\*\*[^\n]*\*/\n)?function (\w+)\(.*?^}\n"
_FUNCTIONS = {match[1]: match[0] for match in re.finditer(_FUNCTION, _SOURCE, flags=re.DOTALL | re.MULTILINE)}
"""The text of each function, in the order in which they are written there."""
WIDTH = 100
"""Characters of a line of a comment."""


def write(job: Job, header: Sequence[str]) -> dict[str, bytes]:
    """The module and its types, by file name.

    Args:
        job: what to write.
        header: lines that say what it is, and how it was proven.

    Raises:
        BadInput: the program has an operation or a class name, or the settings have a precision, that this language does not have.
    """
    job.settings.check("JavaScript", ("double",))
    program = job.program
    module = Module()
    for step in program.steps:
        if type(step.operation) not in OPERATIONS:
            raise op.cannot_be_written(step.operation, "JavaScript")
        module.add(step, OPERATIONS[type(step.operation)])
    public = _constants(program) + "\n" + _public(program, module)
    tables = "".join(module.tables)
    functions = [_FUNCTIONS[name] for name in _called(public + tables)]
    comment = _comment(["JavaScript, written by tutelage.", *header[1:], *column_units(program, "browser")])
    text = "\n".join([comment, public, *functions, tables])
    return {f"{job.stem}.js": text.encode("ascii"), f"{job.stem}.d.ts": _types(program).encode("ascii")}


def _comment(paragraphs: Sequence[str]) -> str:
    """Lines of a comment, in characters that any page may hold."""
    safe = (json.dumps(paragraph)[1:-1].replace("<", "\\u003c") for paragraph in paragraphs)
    return "".join(f"// {line}\n" for paragraph in safe for line in textwrap.wrap(paragraph, WIDTH))


def _constants(program: Program) -> str:
    """The constants that callers see."""
    if program.inputs:
        columns = ", ".join(literal(place if one.name is None else one.name) for place, one in enumerate(program.inputs))
        lines = [f"export const columns = [{columns}];"]
    else:
        lines = [f"export const shape = [{', '.join(map(str, program.row_shape))}];"]
    if program.form.task != "regression":
        lines.append(f"export const classes = [{', '.join(map(literal, program.form.classes))}];")
    if program.threshold is not None:
        lines.append(f"export const threshold = {literal(program.threshold)};")
    if program.inputs:
        lines.append(f"const isText = [{', '.join(literal(one.kind == 'text') for one in program.inputs)}];")
    return "\n".join(lines) + "\n"


def _public(program: Program, module: Module) -> str:
    """The functions that callers use."""
    names = [name for name, found in (("numbers", program.numbers), ("texts", program.texts)) if found]
    read = f"const {{ {', '.join(names)} }} = cells(row);" if program.inputs else "const numbers = flatNumbers(row);"
    body = "".join(f"  {line}\n" for line in [read, *module.lines, f"return checked(v{len(program.steps) - 1});"])
    if program.form.task == "regression":
        return f"/** The values of one row. */\nexport function predict(row) {{\n{body}}}\n"
    many = program.form.task == "multilabel"
    what = "label" if many else "class"
    decided = (
        "probabilities.map((share) => (share > 0.5 ? 1 : 0))" if many else "classes[probabilities.indexOf(Math.max(...probabilities))]"
    )
    title = "Whether each label holds, 1 or 0" if many else "The most probable class"
    return (
        f"/** {title} for one row. */\nexport function predict(row) {{\n  const probabilities = predictProba(row);\n"
        f"  return {decided};\n}}\n\n/** The probability of each {what} for one row, in the order of `classes`. */\n"
        f"export function predictProba(row) {{\n{body}}}\n{_defers(program)}"
    )


def _defers(program: Program) -> str:
    """The function that says which rows are left to the teacher."""
    if program.threshold is None:
        return ""
    several = program.form.task == "multilabel"
    found = "Math.min(...predictProba(row).map((share) => Math.max(share, 1 - share)))" if several else "Math.max(...predictProba(row))"
    return (
        "\n/** Whether one row is left to the teacher: the confidence of its answer is below `threshold`. */\n"
        f"export function defers(row) {{\n  const confidence = {found};\n  return !(confidence >= threshold);\n}}\n"
    )


def _called(text: str) -> list[str]:
    """The functions that a text calls, and those that they call."""
    found: list[str] = []
    waiting = [text]
    while waiting:
        text = waiting.pop(0)
        for name in re.findall(r"(?<![.\w])(\w+)(?=[(),])", text):
            if name in _FUNCTIONS and name not in found:
                found.append(name)
                waiting.append(_FUNCTIONS[name])
    return sorted(found, key=list(_FUNCTIONS).index)


def _types(program: Program) -> str:
    """The declarations of the module."""
    number, text = "number | boolean | bigint | null | undefined", "string | null | undefined"
    if not program.inputs:
        rows = "/** The numbers of a row, flat or nested. */\nexport type Row = ArrayLike<number> | readonly Row[];\n"
        lines = [rows, f"export declare const shape: readonly [{', '.join(map(str, program.row_shape))}];"]
    else:
        cells = [text if one.kind == "text" else number for one in program.inputs]
        forms = ["ArrayLike<number>"] if not program.texts else []
        forms.append(f"readonly [{', '.join(cells)}]" if len(cells) <= _NAMED else f"readonly ({number} | string)[]")
        if all(one.name is not None for one in program.inputs):
            forms.append("{ " + "; ".join(f"{literal(one.name)}: {cell}" for one, cell in zip(program.inputs, cells, strict=True)) + " }")
        forms += ["string"] if program.texts and len(cells) == 1 else []
        how = "its cells in the order of `columns`" + (", or an object of them by name" if program.inputs[0].name is not None else "")
        columns = ", ".join(literal(place if one.name is None else one.name) for place, one in enumerate(program.inputs))
        lines = [f"/** One row: {how}. */", f"export type Row = {' | '.join(forms)};\n"]
        lines.append(f"export declare const columns: readonly [{columns}];")
    if program.form.task == "regression":
        lines.append("\n/** The values of one row. */\nexport declare function predict(row: Row): number[];")
        return "\n".join(lines) + "\n"
    many = program.form.task == "multilabel"
    names = ", ".join("number" if isinstance(name, float) and abs(name) == float("inf") else literal(name) for name in program.form.classes)
    lines.append(f"export declare const classes: readonly [{names}];")
    lines.append(f"\n/** {'Whether each label holds' if many else 'The most probable class'} for one row. */")
    lines.append(f"export declare function predict(row: Row): {'(0 | 1)[]' if many else '(typeof classes)[number]'};")
    lines.append(f"\n/** The probability of each {'label' if many else 'class'} for one row, in the order of `classes`. */")
    lines.append("export declare function predictProba(row: Row): number[];")
    if program.threshold is not None:
        lines.append("\nexport declare const threshold: number;")
        lines.append("\n/** Whether one row is left to the teacher: the confidence of its answer is below `threshold`. */")
        lines.append("export declare function defers(row: Row): boolean;")
    return "\n".join(lines) + "\n"


_NAMED = 100
"""Largest number of columns whose types are written one by one for a row that is an array."""
