"""A network of several inputs, or whose answers have positions, as an ONNX model written by torch's exporter."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import FOREIGN, BadInput, require
from tutelage.data.structures.network_answers import answers_in, tensors_of
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.structured import StructuredRows, mask_of
from tutelage.exporters.program.foreign import quiet_exporter, without_origins
from tutelage.exporters.subject.threshold import rounded_up
from tutelage.teachers.adapters.onnx_file import DEFERRED

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import nn

Output = Callable[[Any], Any] | None
ARRAY = "inputs"
"""The name of the input of a network that takes one array."""


def model_of(network: nn.Module, output: Output, form: AnswerForm, rows: StructuredRows, threshold: float | None = None) -> ModelProto:
    """The model, whose inputs have the names of the network's, and whose number of rows, and of tokens where it varies, is free.

    Args:
        network: on any device, in any mode; it is left as it was.
        output: as for `TorchStudent`.
        form: of the answers that the file gives, probabilities or values.
        rows: some rows.
        threshold: the confidence below which the file defers a row to the teacher; None for a file that answers every row.

    Raises:
        BadInput: the exporter cannot follow the network's code, or it is of half precision. MissingExtra: onnxscript is not installed.
    """
    import torch

    from tutelage.core import torch_runtime

    require("onnxscript")
    _check_precision(network)
    on_cpu = network if torch_runtime.device_of(network).type == "cpu" else copy.deepcopy(network).cpu()
    whole = _answering(on_cpu, partial(answers_taken, output=output, form=form), tuple(rows.fields), named=rows.named)
    outputs = ["prediction" if form.task == "regression" else "probabilities"]
    if threshold is not None:
        whole, outputs = _deferring(whole, form.task, threshold), [*outputs, DEFERRED]
    sample = tensors_of(_sample(rows), on_cpu)
    given: tuple[Any, ...] = tuple(sample.values()) if isinstance(sample, dict) else tuple(sample)
    try:
        with torch_runtime.evaluating(whole), quiet_exporter():
            whole(*given)
            program = torch.onnx.export(
                whole,
                given,
                dynamo=True,
                verbose=False,
                input_names=list(names_of_inputs(rows)),
                output_names=outputs,
                dynamic_shapes=(_free_axes(rows),),
            )
    except FOREIGN as error:  # whatever the code of the network, or torch's exporter, raises
        raise BadInput(
            f"the network cannot be exported: torch's exporter cannot follow its code for any number of rows and tokens "
            f"({type(error).__name__}). Use torch operations on whole batches, without conditions on values."
        ) from error
    model: ModelProto = without_origins(program.model_proto)  # type: ignore[union-attr]
    return model


def _check_precision(network: nn.Module) -> None:
    """Refuse a network of half precision, which runtimes of ONNX do not compute on every processor.

    Raises:
        BadInput: it is one.
    """
    import torch

    kinds = {one.dtype for one in network.parameters() if one.is_floating_point()}
    other = next(iter(kinds - {torch.float32, torch.float64}), None)
    if other is not None:
        kind = str(other).removeprefix("torch.")
        raise BadInput(f"the network has weights of {kind}; expected single or double precision, as network.float() makes it.")


def answers_taken(returned: Any, output: Output, form: AnswerForm) -> Any:
    """The answers of a file, probabilities or values, of what the network returned."""
    answers = answers_in(returned) if output is None else output(returned)
    if form.task == "regression":
        return answers
    return answers.sigmoid() if form.task == "multilabel" else answers.softmax(1 if form.positions == "pixels" else -1)


def _answering(network: nn.Module, taken: Callable[[Any], Any], names: tuple[str, ...], *, named: bool) -> nn.Module:
    """The network with its inputs in order, followed by what makes probabilities or values of its answers."""
    from torch import nn

    class Answers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *arrays: Any) -> Any:
            returned = self.network(**dict(zip(names, arrays, strict=True))) if named else self.network(*arrays)
            return taken(returned)

    return Answers()


def _deferring(answering: nn.Module, task: str, threshold: float) -> nn.Module:
    """Its answers, and which rows it leaves to the teacher: those of a confidence below the threshold, or of none."""
    import torch
    from torch import nn

    class Deferring(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.answering = answering

        def forward(self, *arrays: Any) -> Any:
            answers = self.answering(*arrays)
            sure = torch.maximum(answers, 1 - answers).amin(-1) if task == "multilabel" else answers.amax(-1)
            least = rounded_up(threshold, np.float64 if answers.dtype == torch.float64 else np.float32)
            return answers, ~(sure >= least)

    return Deferring()


def _sample(rows: StructuredRows) -> StructuredRows:
    """Two rows of more than one token: the exporter takes the numbers 0 and 1 for fixed."""
    longest = np.argsort(-rows.lengths, kind="stable")[:2]
    return rows[longest if len(longest) == 2 else np.repeat(longest, 2)]


def _free_axes(rows: StructuredRows) -> tuple[dict[int, Any], ...]:
    """The axes of each input that vary: its rows, and its tokens where their number does."""
    import torch

    free = torch.export.Dim.DYNAMIC
    return tuple({0: free, 1: free} if varies else {0: free} for varies in varying_inputs(rows))


def names_of_inputs(rows: StructuredRows) -> tuple[str, ...]:
    """What a file names the inputs of such rows, in their order."""
    if rows.named:
        return tuple(rows.fields)
    return (ARRAY,) if len(rows.fields) == 1 else tuple(f"{ARRAY}_{name}" for name in rows.fields)


def varying_inputs(rows: StructuredRows) -> tuple[bool, ...]:
    """Whether a row may have any number of tokens in each input: they differ, or a mask of their shape says which of them count."""
    found = []
    for name, field in rows.fields.items():
        mask = rows.fields.get(mask_of(name))
        masked = mask is not None and not isinstance(mask, Ragged) and not isinstance(field, Ragged) and field.shape[:2] == mask.shape
        found.append(isinstance(field, Ragged) or masked)
    return tuple(found)
