"""Writes an ONNX graph as a chain of nodes; the only place where nodes, constants and types are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET, ML_OPSET = 17, 3
FLOAT, INT64, STRING, BOOL, DOUBLE = 1, 7, 8, 9, 11
"""ONNX's codes of types."""
INPUT = "inputs"
MANY = 64
"""Constants of more numbers than this are stored in single precision where that is exact."""
DTYPES: dict[int, Any] = {FLOAT: np.float32, DOUBLE: np.float64, INT64: np.int64}


class Chain:
    """A chain of nodes: each takes the last result, and constants.

    The first model that reads the input decides its type with `cast`: no digit of a row is lost that the model would read.

    Attributes:
        last: name of the last result; at first that of the graph's input.
        type: ONNX type of the last result; None as long as nobody has decided the type of the input.
        input_type: ONNX type of the input.
        rounding: largest relative error of a weighted sum so far; 0 if there is none.
        nodes: the nodes so far.
    """

    def __init__(self) -> None:
        self.last = INPUT
        self.type: int | None = None
        self.input_type: int | None = None
        self.rounding = 0.0
        self.nodes: list[Any] = []
        self._constants: list[Any] = []
        self._functions: list[Any] = []
        self._opsets = {"": OPSET}
        self._names = 0

    @property
    def reads_input(self) -> bool:
        """Whether the last result is the input, at most cast to another type."""
        return all(node.op_type == "Cast" for node in self.nodes if self.last in node.output) and (
            self.last == INPUT or any(node.input[0] == INPUT for node in self.nodes if self.last in node.output)
        )

    def cast(self, kind: int) -> None:
        """Make the last result of this type."""
        if self.type is None:
            self.input_type = self.type = kind
        elif self.type != kind:
            self.then("Cast", to=kind)
            self.type = kind

    def then(self, operator: str, *others: str, first: str | None = None, domain: str = "", **settings: Any) -> str:
        """Append a node that takes the last result (or `first`) and other inputs; its result becomes the last one."""
        from onnx import helper

        result = self._name("step")
        self.nodes.append(helper.make_node(operator, [first or self.last, *others], [result], domain=domain, **settings))
        if domain:
            self._opsets.setdefault(domain, ML_OPSET)
        if operator in ("Gemm", "MatMul", "Conv"):
            self._round(self.type)
        self.last = result
        return result

    def constant(self, values: ArrayLike) -> str:
        """Add a constant and return its name."""
        from onnx import numpy_helper

        name = self._name("constant")
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def numbers(self, values: ArrayLike) -> str:
        """Add a constant of the type of the last result and return its name; weights learnt in single precision are stored in it."""
        wide = np.asarray(values, dtype=DTYPES[self.type or DOUBLE])
        if wide.dtype != np.float64 or wide.size <= MANY or not np.array_equal(wide, wide.astype(np.float32)):
            return self.constant(wide)
        last = self.last
        name = self.then("Cast", first=self.constant(wide.astype(np.float32)), to=DOUBLE)
        self.last = last
        return name

    def mark(self) -> tuple[str, int | None]:
        """Where the chain stands, to go back to with `back`."""
        return self.last, self.type

    def back(self, mark: tuple[str, int | None]) -> None:
        """Go on from a result that was marked: the chain branches."""
        self.last, self.type = mark[0], mark[1] if mark[1] is not None else self.input_type

    def absorb(self, model: ModelProto, output: int, kind: int) -> None:
        """Append a graph that another library wrote; its input is the last result, and one of its outputs becomes the last.

        Args:
            model: a model with one input.
            output: position of the output.
            kind: ONNX type of that output.
        """
        from onnx import compose, helper

        part = compose.add_prefix(model, self._name("part") + "_")
        self.nodes.append(helper.make_node("Identity", [self.last], [part.graph.input[0].name]))
        self.nodes += part.graph.node
        self._constants += part.graph.initializer
        self._functions += part.functions
        for opset in part.opset_import:
            self._opsets[opset.domain] = opset.version
        self._round(kind)
        self.last, self.type = part.graph.output[output].name, kind

    def model(self, outputs: dict[str, tuple[str, int, list[Any]]], *, row_shape: tuple[int, ...]) -> ModelProto:
        """The complete model.

        Args:
            outputs: the name of each output, with the result that it shows, its type and its shape.
            row_shape: shape of a row of the input.
        """
        from onnx import helper

        for name, (result, _, _) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [result], [name]))
        graph = helper.make_graph(
            self.nodes,
            "student",
            [helper.make_tensor_value_info(INPUT, self.input_type or DOUBLE, ["rows", *row_shape])],
            [helper.make_tensor_value_info(name, kind, shape) for name, (_, kind, shape) in outputs.items()],
            self._constants,
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in self._opsets.items()]
        return helper.make_model(graph, opset_imports=opsets, functions=self._functions, ir_version=8 if self._opsets[""] <= 18 else 10)

    def _round(self, kind: int | None) -> None:
        self.rounding = max(self.rounding, float(np.finfo(np.float64 if kind == DOUBLE else np.float32).eps))

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}_{self._names}"
