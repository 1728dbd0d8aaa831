"""The program of a student."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tutelage.exporters.program.columns import COLUMNS
from tutelage.exporters.program.ensembles import ENSEMBLES, boosters
from tutelage.exporters.program.lowering import Lowering
from tutelage.exporters.program.operations import Category, Numbers, OnnxPart, Reshape, Select, TreeSum
from tutelage.exporters.program.program import Program, Step
from tutelage.exporters.program.students import STUDENTS
from tutelage.exporters.program.texts import TEXTS
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.subject import Subject


def program_of(subject: Subject, rows: CheckRows) -> Program:
    """What a student computes.

    Args:
        subject: the student.
        rows: some rows of its own; a network is run on two of them.

    Raises:
        BadInput: the student cannot be exported. MissingExtra: onnxscript or skl2onnx is not installed, for a network or an estimator
            that is written by it.
    """
    lowering = Lowering(subject.inputs, subject.row_shape, STUDENTS | ENSEMBLES | boosters() | COLUMNS | TEXTS)
    if hasattr(subject.student, "network"):
        from tutelage.exporters.program.networks import lower_network

        return replace(lower_network(lowering, subject, rows), guarantee=subject.guarantee)
    if not subject.inputs:
        subject.answers(rows[:1])  # which refuses rows of another shape than the student was fitted on
    last = lowering.numbers(lowering.lower(subject.student, lowering.row))
    if last != len(lowering.steps) - 1:
        lowering.then(Select(tuple(range(lowering.width(last)))), last)
    steps = tuple(lowering.steps)
    return Program(subject.inputs, subject.row_shape, steps, subject.form, _dtype(steps), False, lowering.partly_single, subject.guarantee)


def _dtype(steps: tuple[Step, ...]) -> Any:
    """float32 if only trees in single precision, or parts that other libraries wrote, read numbers of the row."""
    rows = set[int]()
    for place, step in enumerate(steps):
        if isinstance(step.operation, Numbers) or (isinstance(step.operation, Reshape) and rows & set(step.sources)):
            rows.add(place)
    readers = [step.operation for place, step in enumerate(steps) if rows & set(step.sources) and place not in rows]
    by_number = any(isinstance(step.operation, Category) and not step.operation.of_text for step in steps)
    single = all(isinstance(one, OnnxPart) or (isinstance(one, TreeSum) and one.trees.single) for one in readers)
    return np.float32 if readers and single and not by_number else np.float64
