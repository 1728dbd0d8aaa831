"""The whole C file: what it declares, what it defines, and the words that a stranger needs."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tutelage.exporters.program.operations import TreeSum
from tutelage.exporters.program.program import Program
from tutelage.exporters.subject.threshold import rounded_up
from tutelage.exporters.targets.c_source.literals import Real, comment, identifier, real, text
from tutelage.exporters.targets.c_source.operations import size
from tutelage.exporters.targets.c_source.source import Source
from tutelage.exporters.targets.c_source.steps import write_steps
from tutelage.exporters.targets.job import Job

LARGEST_IN_SINGLE = 1e30
WIDTH = 97
"""Of the lines of the comment at the top."""


@dataclass(frozen=True)
class Face:
    """What a C file looks like from outside.

    Attributes:
        prefix: what its names begin with.
        number: the type of its answers.
        cell: the type of the numbers of a row.
        row: a parameter that is a row.
        task: of the student.
        outputs: number of its answers.
        threshold: the confidence below which a row is deferred, in `number`; None if none is.
    """

    prefix: str
    number: Real
    cell: Real
    row: str
    task: str
    outputs: int
    threshold: float | None = None

    @property
    def largest(self) -> float:
        """The largest number of a row that the file computes with: beyond, single precision would overflow."""
        return LARGEST_IN_SINGLE if self.cell != self.number else float("inf")

    @classmethod
    def of(cls, job: Job) -> Face:
        """That of the file that is written for a job."""
        program, prefix = job.program, job.settings.prefix or identifier(job.stem)
        single = program.single or (program.dtype == np.float32 and sums_in_single(program))
        number: Real = "float" if (job.settings.precision or ("single" if single else "double")) == "single" else "double"
        cell: Real = "float" if number == "float" and program.dtype == np.float32 else "double"
        row = f"const {prefix}_row *row" if program.texts else f"const {cell} *row"
        kind = np.float32 if number == "float" else np.float64
        threshold = None if program.threshold is None else rounded_up(program.threshold, kind)
        return cls(prefix, number, cell, row, program.form.task, program.outputs, threshold)


def sums_in_single(program: Program) -> bool:
    """Whether single precision holds the sums of the leaves of its trees."""
    return all(step.operation.trees.sums_in_single for step in program.steps if isinstance(step.operation, TreeSum))


def c_file(job: Job, header: Sequence[str]) -> str:
    """The file.

    Args:
        job: what to write.
        header: lines that say what it is, and how it was proven.

    Raises:
        BadInput: the program has a step, or its names a text, that C does not have; or it needs too much working memory.
    """
    face, program = Face.of(job), job.program
    source = Source(program, face.prefix, face.number, face.cell)
    work = write_steps(source)
    words = {
        "HEADER": "\n".join(
            f" * {part}" for one in header for line in one.splitlines() for part in textwrap.wrap(comment(line), WIDTH) or [""]
        ),
        "INPUTS": _inputs(program)
        + (f"\n * It computes in single precision, with numbers up to {face.largest:g}." if np.isfinite(face.largest) else ""),
        "ANSWERS": source.text(_answers(program)),
        "DECLARATIONS": source.text(_declarations(program, face)),
        "WORK": f"    {face.number} work[{work}];\n" if work else "",
        "WORKBYTES": str(work * (4 if face.number == "float" else 8)),
        "ROW": face.row,
        "FUNCTIONS": source.functions_text(),
        "CONSTANTS": "\n".join(source.constants),
        "STEPS": "".join(source.lines) if any("row" in line for line in source.lines) else "    (void)row;\n" + "".join(source.lines),
        "PUBLIC": source.text(_definitions(face)).replace("<CLASSNAMES>", _class_names(program)),
    }
    return re.sub(r"<([A-Z]+)>", lambda found: words.get(found[1], found[0]), source.text(_FILE))


def _class_names(program: Program) -> str:
    return ",\n".join("    " + text(str(name), "the class") for name in program.form.classes or ())


def _inputs(program: Program) -> str:
    """The lines about the row."""
    numbers: list[str] = []
    texts: list[str] = []
    for one in program.inputs:
        unit = {"date": ": days since 1970-01-01 UTC", "duration": ": days", "boolean": ": 0 or 1"}.get(one.type, "")
        into = numbers if one.kind == "number" else texts
        into.append(f" *   {len(into)}: {comment(one.name or 'unnamed')}{unit}")
    count = size(program.row_shape)
    lines = []
    if not program.inputs:
        shape = " x ".join(map(str, program.row_shape))
        lines.append(f" * A row is an array of {shape} numbers, the last axis fastest.")
    elif count:
        named = any(one.name is not None for one in program.inputs)
        lines.append(f" * The numbers of a row, NAN where one is missing{':' if named else f': {count} of them.'}")
        lines += numbers if named else []
    if texts:
        lines += [" * The texts of a row, in UTF-8, NULL where one is missing:", *texts]
    return "\n".join(lines)


def _answers(program: Program) -> str:
    if program.form.task == "regression":
        return f"The answers are {program.outputs} values." if program.outputs > 1 else "The answer is one value."
    many = "of each label" if program.form.task == "multilabel" else "of each class"
    return f"The answers are the probabilities {many}, in the order of @class_names."


def _sizes(program: Program) -> str:
    lines = []
    if size(program.row_shape):
        lines.append(f"#define @@COLUMNS {size(program.row_shape)}")
    if program.texts:
        lines.append(f"#define @@TEXTS {len(program.texts)}")
    lines.append(f"#define {'@@VALUES' if program.form.task == 'regression' else '@@CLASSES'} {program.outputs}")
    return "\n".join(lines)


def _declarations(program: Program, face: Face) -> str:
    parts = [_sizes(program)]
    if program.texts:
        fields = [f"    {face.cell} numbers[@@COLUMNS];\n"] if size(program.row_shape) else []
        parts.append("typedef struct {\n" + "".join(fields) + "    const char *texts[@@TEXTS];\n} @row;")
    if face.task == "regression":
        parts.append(f"/* Writes @@VALUES values. */\nvoid @predict_values({face.row}, {face.number} *values);")
    else:
        parts.append("extern const char *const @class_names[@@CLASSES];")
        parts.append(f"/* Writes @@CLASSES probabilities. */\nvoid @predict_proba({face.row}, {face.number} *probabilities);")
        if face.task == "multilabel":
            parts.append(f"/* Writes 0 or 1 for each label: whether its probability is above a half. */\n{_decision(face)};")
        else:
            parts.append(f"/* The index of the most probable class; of the first, if there are several. */\n{_decision(face)};")
    if face.threshold is not None:
        about = "/* Whether a row is left to the teacher: 1 if the confidence of its answer is below @@THRESHOLD. */"
        parts.append(f"#define @@THRESHOLD {real(face.threshold, face.number)}\n{about}\nint @defers({face.row});")
    return "\n\n".join(parts)


def _decision(face: Face) -> str:
    return f"void @predict({face.row}, int *labels)" if face.task == "multilabel" else f"int @predict({face.row})"


def _definitions(face: Face) -> str:
    if face.task == "regression":
        return f"void @predict_values({face.row}, {face.number} *values) {{\n    @answer(row, values);\n}}\n"
    parts = [
        "const char *const @class_names[@@CLASSES] = {\n<CLASSNAMES>\n};\n",
        f"void @predict_proba({face.row}, {face.number} *probabilities) {{\n    @answer(row, probabilities);\n}}\n",
    ]
    body = f"    {face.number} probabilities[@@CLASSES];\n    @answer(row, probabilities);\n"
    if face.task == "multilabel":
        body += "    for (int i = 0; i < @@CLASSES; ++i) labels[i] = probabilities[i] > $0.5;\n"
    else:
        body += "    int best = 0;\n    for (int i = 1; i < @@CLASSES; ++i) if (probabilities[i] > probabilities[best]) best = i;\n"
        body += "    return best;\n"
    parts.append(f"{_decision(face)} {{\n{body}}}\n")
    if face.threshold is not None:
        parts.append(_defers(face))
    return "\n".join(parts)


def _defers(face: Face) -> str:
    """The function that says which rows are left to the teacher."""
    if face.task == "multilabel":
        body = f"""    for (int i = 0; i < @@CLASSES; ++i) {{
        const {face.number} decided = probabilities[i] > $0.5 ? probabilities[i] : $1.0 - probabilities[i];
        if (!(decided >= @@THRESHOLD)) return 1;
    }}
    return 0;
"""
    else:
        body = f"""    {face.number} confidence = probabilities[0];
    for (int i = 1; i < @@CLASSES; ++i) if (probabilities[i] > confidence) confidence = probabilities[i];
    return !(confidence >= @@THRESHOLD);
"""
    answered = f"    {face.number} probabilities[@@CLASSES];\n    @answer(row, probabilities);\n"
    return f"int @defers({face.row}) {{\n{answered}{body}}}\n"


_FILE = """/*
<HEADER>
 *
<INPUTS>
 * <ANSWERS>
 *
 * Compile it with any C99 compiler and -lm; it also compiles as C++. It allocates nothing, keeps no
 * state, and may be called from any thread. The working memory, on the stack, is <WORKBYTES> bytes.
 * To declare its functions elsewhere:
 *     #define @@DECLARATIONS_ONLY
 *     #include "this file"
 * -ffast-math is refused: missing values are NaN. It was compared as compiled with
 * -ffp-contract=off; without, last digits may differ.
 */
#ifndef @@DECLARED
#define @@DECLARED

#ifdef __cplusplus
extern "C" {
#endif

<DECLARATIONS>

#ifdef __cplusplus
}
#endif
#endif

#ifndef @@DECLARATIONS_ONLY

#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "Compile this file without -ffast-math: missing values are NaN."
#endif

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
<FUNCTIONS>
<CONSTANTS>
static void @answer(<ROW>, @number *answers) {
<WORK><STEPS>}

<PUBLIC>
#endif
"""
