"""An ONNX graph as a chain of nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 17
DOUBLE, FLOAT = 11, 1
"""ONNX's codes for float64 and float32."""


class Chain:
    """A chain of nodes: each takes the result of the previous node, and constants.

    Args:
        last: name of the graph's input, or of the result to start from.
    """

    def __init__(self, last: str) -> None:
        self.last = last
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def then(self, operator: str, *others: str, first: str | None = None, **settings: Any) -> str:
        """Append a node that takes the last result (or `first`) and other inputs; its result becomes the last one."""
        from onnx import helper

        result = f"step_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, [first or self.last, *others], [result], **settings))
        self.last = result
        return result

    def constant(self, values: ArrayLike) -> str:
        """Add a constant and return its name."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def model(self, output: str, *, inputs: str, features: int, width: int) -> ModelProto:
        """The complete model, from (rows, features) to (rows, width) float32; the last result is renamed to `output`."""
        from onnx import helper

        self.nodes[-1].output[0] = output
        graph = helper.make_graph(
            self.nodes,
            "student",
            [helper.make_tensor_value_info(inputs, FLOAT, ["rows", features])],
            [helper.make_tensor_value_info(output, FLOAT, ["rows", width])],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
