"""Parts that only ONNX has: what other libraries' exporters write of their estimators and networks."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from tutelage.core.answer_kinds import Task
from tutelage.core.errors import FOREIGN, BadInput, require
from tutelage.data.structures.network_answers import answers_in
from tutelage.exporters.program.operations import OnnxPart

if TYPE_CHECKING:
    from torch import Tensor, nn

OPSET, ML_OPSET = 17, 3


def estimator_part(model: Any, width: int) -> OnnxPart:
    """What skl2onnx writes of a fitted estimator or of a step of a pipeline; it reads single precision.

    Args:
        model: the estimator.
        width: number of its columns, if it does not know.

    Raises:
        BadInput: skl2onnx cannot convert it. MissingExtra: skl2onnx is not installed.
    """
    name = type(model).__name__
    if not (hasattr(model, "predict") or hasattr(model, "transform")):
        raise BadInput(f"cannot export a {name}; expected a student of tutelage, or a fitted scikit-learn classifier or regressor.")
    skl2onnx = require("skl2onnx")
    width = getattr(model, "n_features_in_", width)
    columns = skl2onnx.common.data_types.FloatTensorType([None, width])
    classifies = hasattr(model, "classes_") and hasattr(model, "predict_proba")
    try:
        with silenced():
            part = skl2onnx.to_onnx(
                model,
                initial_types=[("rows", columns)],
                target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
                options={id(model): {"zipmap": False}} if classifies else None,
            )
            row = np.zeros((1, width))
            shown = model.predict_proba(row) if classifies else model.predict(row) if hasattr(model, "predict") else model.transform(row)
    except FOREIGN as error:  # the errors of skl2onnx share no base class, and some quote the model
        raise BadInput(
            f"cannot export a {name}: skl2onnx has no conversion of it ({type(error).__name__}). Expected a student of tutelage, a "
            "tree, a linear model or boosting; or distil it into one: tl.DistilledClassifier, tl.DistilledRegressor."
        ) from error
    outputs = int(np.prod(shown.shape[1:], dtype=int))
    return OnnxPart(name, part, 1 if classifies else 0, single=True, to=(outputs,), estimator=model)


def network_part(network: nn.Module, output: Callable[[Any], Any] | None, sample: Tensor) -> OnnxPart:
    """What torch's exporter writes of a network, in its own precision.

    Args:
        network: on any device, in any mode; it is left as it was.
        output: as for `TorchStudent`.
        sample: two rows, as the network takes them.

    Raises:
        BadInput: the exporter cannot follow its code. MissingExtra: onnxscript is not installed.
    """
    import torch

    from tutelage.core import torch_runtime

    require("onnxscript")
    whole = answering_network(network if sample.device.type == "cpu" else copy.deepcopy(network).cpu(), output, "regression")
    try:
        with torch_runtime.evaluating(whole), quiet_exporter():
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
    except FOREIGN as error:  # whatever the code of the network, or torch's exporter, raises
        raise BadInput(
            f"the network cannot be exported: torch's exporter cannot follow its code for any number of rows ({type(error).__name__}). "
            "Use torch operations on whole batches, without conditions on values."
        ) from error
    model = without_origins(program.model_proto)  # type: ignore[union-attr]
    return OnnxPart(type(network).__name__, model, 0, single=answers.dtype != torch.float64, to=tuple(answers.shape[1:]))


def without_origins(model: Any) -> Any:
    """A model without the source lines and local paths that torch's exporter records on every node."""
    for part in (model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        del part.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
    return model


def answering_network(network: nn.Module, output: Callable[[Any], Any] | None, task: Task) -> nn.Module:
    """A network of logits or values followed by what is taken of its answers, and by what makes them probabilities."""
    from torch import nn

    class Answers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, rows: Tensor) -> Any:
            answers = self.network(rows)
            answers = answers_in(answers) if output is None else output(answers)
            if task == "regression":
                return answers
            return answers.sigmoid() if task == "multilabel" else answers.softmax(-1)

    return Answers()


_ONE_AT_A_TIME = RLock()
"""Output and warnings are the process's: two threads that silence them would restore each other's."""


@contextmanager
def silenced() -> Iterator[None]:
    """Run a block without output and warnings; such blocks of other threads wait for its end."""
    with _ONE_AT_A_TIME, warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        yield


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Silence torch's exporter: messages about optional packages and its own deprecations, and the code that it could not follow."""
    names = (
        *("torch.onnx", "torch.onnx._internal.exporter._registration", "torch.fx.experimental.symbolic_shapes", "torch.utils._pytree"),
        *("onnxscript", "onnx_ir", "torchao", "executorch"),
    )
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    with silenced():
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
