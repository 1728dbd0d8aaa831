"""A network of several inputs, or whose answers have positions, as an ONNX model written by torch's exporter."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import FOREIGN, BadInput, require
from tutelage.data.structures.network_answers import answers_in, tensors_of
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.structured import StructuredRows, mask_of
from tutelage.exporters.program.foreign import quiet_exporter, without_origins

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import nn

Output = Callable[[Any], Any] | None
ARRAY = "inputs"
"""The name of the input of a network that takes one array."""


def model_of(network: nn.Module, output: Output, form: AnswerForm, rows: StructuredRows) -> ModelProto:
    """The model, whose inputs have the names of the network's, and whose number of rows, and of tokens where it varies, is free.

    Args:
        network: on any device, in any mode; it is left as it was.
        output: as for `TorchStudent`.
        form: of the answers that the file gives, probabilities or values.
        rows: some rows.

    Raises:
        BadInput: the exporter cannot follow the network's code. MissingExtra: onnxscript is not installed.
    """
    import torch

    from tutelage.core import torch_runtime

    require("onnxscript")
    on_cpu = network if torch_runtime.device_of(network).type == "cpu" else copy.deepcopy(network).cpu()
    whole = _answering(on_cpu, output, form, tuple(rows.fields), named=rows.named)
    sample = tensors_of(_sample(rows), on_cpu)
    given: tuple[Any, ...] = tuple(sample.values()) if isinstance(sample, dict) else tuple(sample)
    names = tuple(rows.fields) if rows.named else tuple(f"{ARRAY}_{name}" for name in rows.fields)
    names = (ARRAY,) if not rows.named and len(names) == 1 else names
    try:
        with torch_runtime.evaluating(whole), quiet_exporter():
            whole(*given)
            program = torch.onnx.export(
                whole,
                given,
                dynamo=True,
                verbose=False,
                input_names=list(names),
                output_names=["prediction" if form.task == "regression" else "probabilities"],
                dynamic_shapes=(_free_axes(rows),),
            )
    except FOREIGN as error:  # whatever the code of the network, or torch's exporter, raises
        raise BadInput(
            f"the network cannot be exported: torch's exporter cannot follow its code for any number of rows and tokens "
            f"({type(error).__name__}). Use torch operations on whole batches, without conditions on values."
        ) from error
    model: ModelProto = without_origins(program.model_proto)  # type: ignore[union-attr]
    return model


def answers_taken(returned: Any, output: Output, form: AnswerForm) -> Any:
    """The answers of a file, probabilities or values, of what the network returned."""
    answers = answers_in(returned) if output is None else output(returned)
    if form.task == "regression":
        return answers
    return answers.sigmoid() if form.task == "multilabel" else answers.softmax(1 if form.positions == "pixels" else -1)


def _answering(network: nn.Module, output: Output, form: AnswerForm, names: tuple[str, ...], *, named: bool) -> nn.Module:
    """The network with its inputs in order, followed by what is taken of its answers and by what makes them probabilities."""
    from torch import nn

    class Answers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *arrays: Any) -> Any:
            returned = self.network(**dict(zip(names, arrays, strict=True))) if named else self.network(*arrays)
            return answers_taken(returned, output, form)

    return Answers()


def _sample(rows: StructuredRows) -> StructuredRows:
    """Two rows of more than one token: the exporter takes the numbers 0 and 1 for fixed."""
    longest = np.argsort(-rows.lengths, kind="stable")[:2]
    return rows[longest if len(longest) == 2 else np.repeat(longest, 2)]


def _free_axes(rows: StructuredRows) -> tuple[dict[int, Any], ...]:
    """The axes of each input that vary: its rows, and its tokens where they differ in number or a mask of their shape says which count."""
    import torch

    count, tokens = torch.export.Dim.DYNAMIC, torch.export.Dim.DYNAMIC
    free = []
    for name, field in rows.fields.items():
        mask = rows.fields.get(mask_of(name))
        varies = isinstance(field, Ragged) or (mask is not None and not isinstance(mask, Ragged) and field.shape[:2] == mask.shape)
        free.append({0: count, 1: tokens} if varies else {0: count})
    return tuple(free)
