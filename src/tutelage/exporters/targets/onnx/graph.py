"""An ONNX graph in the making; the only place where nodes, constants and types are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from tutelage.core.errors import BadInput
from tutelage.exporters.program.operations import Shape

if TYPE_CHECKING:
    from onnx import ModelProto

FLOAT, INT64, STRING, BOOL, HALF, DOUBLE = 1, 7, 8, 9, 10, 11
"""ONNX's codes of types."""
DTYPES: dict[int, Any] = {FLOAT: np.float32, DOUBLE: np.float64, INT64: np.int64, HALF: np.float16}
OPSET, OLDEST, NEWEST, ML_OPSET, ML = 17, 11, 25, 3, "ai.onnx.ml"
"""The version of the operators unless another is needed, the range that can be asked for, and that of trees and categories."""
MANY = 64
"""Constants of more numbers than this are stored in single precision where that is exact."""


@dataclass(frozen=True)
class Value:
    """A result in the graph.

    Attributes:
        name: in the graph.
        kind: ONNX's code of its type.
        shape: for one row.
    """

    name: str
    kind: int
    shape: Shape


class Graph:
    """Collects nodes and constants.

    Args:
        opset: version of the operators.
        work: ONNX type in which arithmetic is done.
        layers: ONNX type in which the layers of networks compute.
        gemm: whether a weighted sum is one node; quantisation takes a product and a sum.
        taken: names of inputs and outputs, which no result and no constant gets.

    Attributes:
        nodes: the nodes so far.
    """

    def __init__(
        self, opset: int = OPSET, *, work: int = DOUBLE, layers: int | None = None, gemm: bool = True, taken: Iterable[str] = ()
    ) -> None:
        self.opset = opset
        self.work = work
        self.layers = work if layers is None else layers
        self.gemm = gemm
        self.nodes: list[Any] = []
        self._constants: list[Any] = []
        self._functions: list[Any] = []
        self._opsets = {"": opset}
        self._names = 0
        self._taken = tuple(taken)
        self._results: set[str] = set()
        self._casts: dict[tuple[str, int], Value] = {}

    def node(self, operator: str, *inputs: str, domain: str = "", **settings: Any) -> str:
        """Append a node; the name of its result."""
        from onnx import helper

        result = self._name("step")
        self._results.add(result)
        self.nodes.append(helper.make_node(operator, inputs, [result], domain=domain, **settings))
        if domain:
            self._opsets.setdefault(domain, ML_OPSET if domain == ML else 1)
        return result

    def cast(self, value: Value, kind: int) -> Value:
        """A value in another type."""
        if value.kind == kind:
            return value
        if (value.name, kind) not in self._casts:
            self._casts[value.name, kind] = Value(self.node("Cast", value.name, to=kind), kind, value.shape)
        return self._casts[value.name, kind]

    def constant(self, values: ArrayLike) -> str:
        """Add a constant and return its name."""
        from onnx import numpy_helper

        name = self._name("constant")
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def places(self, *values: int) -> str:
        """Whole numbers as a constant: a shape, axes or positions."""
        return self.constant(np.array(values, dtype=np.int64))

    def numbers(self, values: ArrayLike, kind: int) -> str:
        """Add a constant of a type and return its name; weights learnt in single precision are stored in it."""
        with np.errstate(over="ignore"):
            wide = np.asarray(values, dtype=DTYPES[kind])
        if wide.dtype != np.float64 or wide.size <= MANY or not np.array_equal(wide, wide.astype(np.float32)):
            return self.constant(wide)
        return self.node("Cast", self.constant(wide.astype(np.float32)), to=DOUBLE)

    def reduced(self, operator: str, name: str, *axes: int, keep: bool = False) -> str:
        """Append a reduction over axes, in the form that the version of the operators has."""
        if self.opset >= (13 if operator == "ReduceSum" else 18):
            return self.node(operator, name, self.places(*axes), keepdims=int(keep))
        return self.node(operator, name, axes=list(axes), keepdims=int(keep))

    def needs(self, opset: int, what: str) -> None:
        """Refuse an operator that this version does not have."""
        if self.opset < opset:
            raise BadInput(f"target_opset is {self.opset}; {what} needs {opset} at least. Pass that, or leave target_opset out.")

    def absorb(self, model: ModelProto, source: Value, output: int) -> str:
        """Append a graph that another library wrote; the name of one of its outputs.

        Args:
            model: a model with one input, in this version of the operators.
            source: its input.
            output: position of the output.
        """
        from onnx import compose, helper

        part = compose.add_prefix(model, self._name("part") + "_")
        self.nodes.append(helper.make_node("Identity", [source.name], [part.graph.input[0].name]))
        self.nodes += part.graph.node
        self._constants += part.graph.initializer
        self._functions += part.functions
        for opset in part.opset_import:
            if opset.domain:
                self._opsets[opset.domain] = opset.version
        return str(part.graph.output[output].name)

    def model(self, inputs: Mapping[str, tuple[int, Sequence[Any]]], outputs: Mapping[str, tuple[str, int, Sequence[Any]]]) -> ModelProto:
        """The complete model.

        Args:
            inputs: the type and the shape of each input, by name.
            outputs: the result that each output shows, another for each, its type and its shape, by name.
        """
        from onnx import helper

        for name, (result, _, _) in outputs.items():
            self._show(result, name)
        graph = helper.make_graph(
            self.nodes,
            "student",
            [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
            [helper.make_tensor_value_info(name, kind, shape) for name, (_, kind, shape) in outputs.items()],
            self._constants,
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in self._opsets.items()]
        least = helper.find_min_ir_version_for([one for one in opsets if one.domain in ("", ML)])
        version = max(least, 8 if self._functions else 4)
        return helper.make_model(graph, opset_imports=opsets, functions=self._functions, ir_version=version)

    def _show(self, result: str, name: str) -> None:
        """Give a result the name of an output. One that is no result of `node` keeps its own, and gets a node for the other."""
        from onnx import helper

        if result not in self._results:
            self.nodes.append(helper.make_node("Identity", [result], [name]))
            return
        self._results.remove(result)
        for node in self.nodes:
            for names in (node.input, node.output):
                names[:] = [name if one == result else one for one in names]

    def _name(self, kind: str) -> str:
        self._names += 1
        while any(one.startswith(f"{kind}_{self._names}") for one in self._taken):
            self._names += 1
        return f"{kind}_{self._names}"
