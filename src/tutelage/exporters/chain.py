"""An ONNX graph whose nodes follow each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 17
DOUBLE, FLOAT = 11, 1
"""Types of numbers, as ONNX counts them."""


class Chain:
    """Nodes that follow each other: each takes the last result, and constants."""

    def __init__(self, last: str) -> None:
        self.last = last
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def then(self, operator: str, *others: str, first: str | None = None, **settings: Any) -> str:
        """Add a node on the last result (or on `first`) and other inputs; its result is the last one from now on."""
        from onnx import helper

        result = f"step_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, [first or self.last, *others], [result], **settings))
        self.last = result
        return result

    def constant(self, values: ArrayLike) -> str:
        """The name of a constant."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def model(self, output: str, *, inputs: str, features: int, width: int) -> ModelProto:
        """The whole, from (rows, features) to (rows, width) float32; its last result takes the name `output`."""
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
