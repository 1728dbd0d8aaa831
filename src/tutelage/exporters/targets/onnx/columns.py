"""Columns of a row in ONNX: numbers, gaps, categories, scales."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tutelage.core.errors import BadInput
from tutelage.exporters.program import operations as op
from tutelage.exporters.program.program import Program
from tutelage.exporters.targets.onnx.graph import DOUBLE, DTYPES, FLOAT, INT64, ML, STRING, Graph, Value

INPUT = "inputs"
OUTPUTS = ("probabilities", "label", "prediction")


@dataclass(frozen=True)
class Row:
    """The inputs of a graph.

    Attributes:
        numbers: the numbers of a row: all of them, or one column each.
        texts: the columns of texts.
        by_column: whether each column is an input of its own.
    """

    numbers: tuple[Value, ...]
    texts: tuple[Value, ...]
    by_column: bool
    names: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, program: Program) -> Row:
        """The inputs of a program: one for each column if there are columns of texts, otherwise all numbers as one.

        Raises:
            BadInput: a name that no input can have.
        """
        number = {np.dtype(np.float32): FLOAT, np.dtype(np.int64): INT64}.get(np.dtype(program.dtype), DOUBLE)
        if not program.texts:
            return cls((Value(INPUT, number, program.row_shape),), (), by_column=False, names=(INPUT,))
        names = _names(program)
        values = [Value(name, STRING if one.kind == "text" else number, (1,)) for name, one in zip(names, program.inputs, strict=True)]
        texts = tuple(one for one in values if one.kind == STRING)
        return cls(tuple(one for one in values if one.kind != STRING), texts, by_column=True, names=names)

    @property
    def inputs(self) -> dict[str, Value]:
        """The inputs by name, in their order."""
        found = {one.name: one for one in (*self.numbers, *self.texts)}
        return {name: found[name] for name in self.names}


def _names(program: Program) -> tuple[str, ...]:
    if len(program.inputs) == 1 and program.inputs[0].name is None:
        return (INPUT,)
    names = tuple(f"column {place}" if one.name is None else one.name for place, one in enumerate(program.inputs))
    outputs = OUTPUTS if program.threshold is None else (*OUTPUTS, "deferred")
    wrong = [name for name in names if not name or name in outputs]
    if wrong:
        raise BadInput(
            f"a column is named {wrong[0]!r}, which no input of an ONNX file can be called beside its outputs {', '.join(outputs)}. "
            "Rename it and train again."
        )
    return names


def numbers(graph: Graph, row: Row, operation: op.Numbers) -> Value:
    """The numbers of a row."""
    if row.by_column:
        places = range(len(row.numbers)) if operation.places is None else operation.places
        chosen = [row.numbers[place] for place in places]
        name = chosen[0].name if len(chosen) == 1 else graph.node("Concat", *(one.name for one in chosen), axis=1)
        return Value(name, chosen[0].kind, (len(chosen),))
    (everything,) = row.numbers
    if operation.places is None:
        return everything
    return Value(graph.node("Gather", everything.name, graph.places(*operation.places), axis=1), everything.kind, (len(operation.places),))


def category(graph: Graph, row: Row, operation: op.Category) -> Value:
    """The code of a category: its place among the levels, then an entry of a table."""
    if operation.of_text:
        place = _place_of_text(graph, row.texts[operation.place], operation)
    elif row.by_column:
        place = _place_of_number(graph, graph.cast(row.numbers[operation.place], DOUBLE).name, operation)
    else:
        everything = graph.cast(row.numbers[0], DOUBLE)
        place = _place_of_number(graph, graph.node("Gather", everything.name, graph.places(operation.place), axis=1), operation)
    table = graph.constant(np.array([*operation.codes, operation.unseen, operation.missing], dtype=np.float64))
    return Value(graph.node("Gather", table, place), DOUBLE, (1,))


def _place_of_text(graph: Graph, column: Value, operation: op.Category) -> str:
    known = dict(zip(operation.levels, range(len(operation.levels)), strict=True))
    if "" in known and not operation.empty_is_missing:
        raise BadInput(
            f"the student tells the empty text from a missing one in column {column.name!r}, and an ONNX file has no missing texts: it "
            "reads the empty text as missing. Train on rows where empty texts are missing, or export to another format."
        )
    known[""] = len(operation.levels) + 1
    return graph.node(
        "LabelEncoder",
        column.name,
        domain=ML,
        keys_strings=list(known),
        values_int64s=list(known.values()),
        default_int64=len(operation.levels),
    )


def _place_of_number(graph: Graph, column: str, operation: op.Category) -> str:
    levels = np.array(operation.levels, dtype=np.float64)[None]
    found = graph.node("Cast", graph.node("Equal", column, graph.constant(levels)), to=DOUBLE)
    missing = graph.node("IsNaN", column)
    unseen = graph.node("Where", missing, graph.constant(np.float64(0.0)), graph.constant(np.float64(0.5)))
    scores = graph.node("Concat", found, unseen, graph.node("Cast", missing, to=DOUBLE), axis=1)
    return graph.node("ArgMax", scores, axis=1, keepdims=1)


def constant(graph: Graph, row: Row, operation: op.Constant) -> Value:
    """The same numbers for every row."""
    first = next(iter(row.inputs.values()))
    rows = graph.node("Gather", graph.node("Shape", first.name), graph.places(0))
    shape = graph.node("Concat", rows, graph.places(*operation.values.shape), axis=0)
    return Value(graph.node("Expand", graph.numbers(operation.values, DOUBLE), shape), DOUBLE, operation.values.shape)


def select(graph: Graph, operation: op.Select, x: Value) -> Value:
    """Some numbers; a zero is appended if it is asked for."""
    name, (width,) = x.name, x.shape
    if -1 in operation.places:
        name = graph.node("Pad", name, graph.places(0, 0, 0, 1))
    places = [width if place == -1 else place for place in operation.places]
    return Value(graph.node("Gather", name, graph.places(*places), axis=1), x.kind, (len(places),))


def join(graph: Graph, operation: op.Join, *parts: Value) -> Value:
    """Several vectors, in the widest of their types."""
    kind = DOUBLE if any(part.kind == DOUBLE for part in parts) else parts[0].kind
    names = [graph.cast(part, kind).name for part in parts]
    return Value(graph.node("Concat", *names, axis=1), kind, operation.shape(*(part.shape for part in parts)))


def fill_gaps(graph: Graph, operation: op.FillGaps, x: Value) -> Value:
    """Gaps are found and replaced in the type of the row."""
    x = graph.cast(x, graph.work)
    return Value(graph.node("Where", graph.node("IsNaN", x.name), graph.numbers(operation.values, x.kind), x.name), x.kind, x.shape)


def arithmetic(graph: Graph, operation: op.Arithmetic, x: Value) -> Value:
    """One operation with constants."""
    x = graph.cast(x, graph.work)
    operator = {"subtract": "Sub", "add": "Add", "multiply": "Mul", "divide": "Div"}[operation.name]
    return Value(graph.node(operator, x.name, graph.numbers(operation.values, x.kind)), x.kind, x.shape)


def clip(graph: Graph, operation: op.Clip, x: Value) -> Value:
    """Between two bounds."""
    if x.kind == DOUBLE:
        graph.needs(12, "a range in double precision")
    bounds = [graph.constant(np.array(bound, dtype=DTYPES[x.kind])) for bound in (operation.low, operation.high)]
    return Value(graph.node("Clip", x.name, *bounds), x.kind, x.shape)


def one_hot(graph: Graph, operation: op.OneHot, codes: Value) -> Value:
    """Each code repeated as often as it has columns, compared with their numbers."""
    owners = np.repeat(np.arange(len(operation.widths)), operation.widths)
    numbers_within = np.concatenate([np.arange(width) for width in operation.widths]).astype(np.float64)
    repeated = graph.node("Gather", graph.cast(codes, DOUBLE).name, graph.places(*owners.tolist()), axis=1)
    found = graph.node("Equal", repeated, graph.constant(numbers_within[None]))
    return Value(graph.node("Cast", found, to=DOUBLE), DOUBLE, (len(owners),))
