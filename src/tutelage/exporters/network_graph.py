"""Torch networks as nodes of a chain: common layers directly, others as torch's exporter writes them."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

import torch
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput, require
from tutelage.exporters.chain import DOUBLE, FLOAT, INT64, Chain
from tutelage.exporters.network_layers import append_layers, needs_single_precision, plain_layers


def append_network(chain: Chain, network: nn.Module, output: Callable[[Any], Any] | None, sample: Tensor) -> None:
    """Append a torch network; the result is what `output` takes of its answers, in its own precision.

    Args:
        chain: at the input.
        network: on any device, in any mode; it is left as it was.
        output: as for `TorchStudent`.
        sample: two rows, as the network takes them.

    Raises:
        BadInput: numbers of a precision, or code, that cannot be exported.
    """
    kinds = {torch.float32: FLOAT, torch.float64: DOUBLE, torch.int64: INT64}
    weights = [value for value in network.state_dict().values() if isinstance(value, Tensor) and value.is_floating_point()]
    if sample.dtype not in kinds or any(value.dtype not in kinds for value in weights):
        raise BadInput(
            f"a network that takes {str(sample.dtype).removeprefix('torch.')} cannot be exported; expected single or double precision, or "
            "whole numbers. Convert it first: network.float()."
        )
    chain.cast(kinds[sample.dtype])
    layers = plain_layers(network) if output is None and sample.is_floating_point() else None
    if layers is not None and not (sample.dtype == torch.float64 and needs_single_precision(layers)):
        with torch_runtime.evaluating(network):
            append_layers(chain, layers, sample)
        return
    _append_traced(chain, network, output, sample)


def _append_traced(chain: Chain, network: nn.Module, output: Callable[[Any], Any] | None, sample: Tensor) -> None:
    require("onnxscript")
    whole = _Answers(network, output) if sample.device.type == "cpu" else _Answers(copy.deepcopy(network).cpu(), output)
    try:
        with torch_runtime.evaluating(whole), _quiet():
            answers = whole(sample.cpu())
            program = torch.onnx.export(
                whole,
                (sample.cpu(),),
                dynamo=True,
                verbose=False,
                input_names=["rows"],
                output_names=["answers"],
                dynamic_shapes=({0: torch.export.Dim("rows")},),
            )
    except Exception as error:  # whatever the code of the network, or torch's exporter, raises
        raise BadInput(
            f"the network cannot be exported: torch's exporter cannot follow its code for any number of rows ({type(error).__name__}). "
            "Use torch operations on whole batches, without conditions on values."
        ) from error
    model: Any = program.model_proto  # type: ignore[union-attr]
    # The exporter records source lines and local paths on every node; they must not end up in an exported file.
    for part in (model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        del part.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
    chain.absorb(model, 0, DOUBLE if answers.dtype == torch.float64 else FLOAT)


class _Answers(nn.Module):
    """A network followed by what is taken of its answers."""

    def __init__(self, network: nn.Module, output: Callable[[Any], Any] | None) -> None:
        super().__init__()
        self.network = network
        self.output = output

    def forward(self, rows: Tensor) -> Any:
        answers = self.network(rows)
        return answers if self.output is None else self.output(answers)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence torch's exporter: messages about optional packages and its own deprecations, and the code that it could not follow."""
    names = ("torch.onnx", "torch.onnx._internal.exporter._registration", "torch.fx.experimental.symbolic_shapes", "onnxscript", "onnx_ir")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
