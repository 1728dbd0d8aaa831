"""Values in the types that the inputs of an ONNX graph declare, converted exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tutelage.core.errors import BadInput
from tutelage.data.cells import cells_of, numbers, texts, truth_values

_DTYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
    **{f"tensor({sign}int{bits})": np.dtype(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)},
}


def typed(values: Any, graph_input: Any) -> Any:
    """The values in the type that the graph declares, converted exactly.

    Raises:
        BadInput: values that the type cannot hold.
    """
    name, declared_type = graph_input.name, graph_input.type
    if declared_type not in _DTYPES:
        raise BadInput(f"the ONNX file takes {declared_type} for {name!r}; expected a graph that takes numbers, booleans or texts.")
    array = np.asarray(values)
    if len(graph_input.shape) == 2 and array.ndim == 1:
        array = array.reshape(-1, 1)
    if declared_type == "tensor(string)":
        return _by_column(_text_cells, array, name)
    if array.dtype.kind not in "biuf":
        array = _by_column(truth_values if declared_type == "tensor(bool)" else numbers, array, name)
    with np.errstate(over="ignore", invalid="ignore"):
        typed = array.astype(_DTYPES[declared_type], copy=False)
    wrong = (np.isinf(typed) & ~np.isinf(array)) if typed.dtype.kind == "f" else (typed != array)
    if wrong.any():
        cell = array[wrong][0].item()
        raise BadInput(f"the ONNX file takes {declared_type} for {name!r}; the rows hold {array.dtype} that do not fit (such as {cell!r}).")
    return typed


def _by_column(convert: Callable[[Any, str], Any], array: Any, name: str) -> Any:
    """Convert each column of cells that are not numbers; an error names the column, and its place if the input has several."""
    if array.ndim == 1:
        return convert(cells_of(array), name)
    flat = array.reshape(len(array), -1)
    places = range(flat.shape[1])
    names = [name] if len(places) == 1 else [f"{name}[{place}]" for place in places]
    return np.column_stack([convert(cells_of(flat[:, place]), names[place]) for place in places]).reshape(array.shape)


def _text_cells(cells: Any, name: str) -> Any:
    converted = texts(cells, name)
    if None in converted.tolist():  # onnxruntime would read the text "None"
        raise BadInput(
            f"column {name!r} has a missing text in row {converted.tolist().index(None)}; an ONNX graph takes texts only. Fill it."
        )
    return converted
