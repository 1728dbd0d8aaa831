"""A torch network as a teacher: eval mode and no gradient guaranteed, its own modes given back."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tutelage.core import torch_runtime
from tutelage.core.answer_kinds import AnswerKind
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, DamagedFile, ShapeError, one_line, require
from tutelage.teachers.inputs import refusing, row_count

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tutelage.teachers.adapters.declared import Declared


@dataclass(frozen=True, eq=False)
class TorchTeacher:
    """Asks a network for logits, or for values.

    Attributes:
        network: maps (batch, ...) to (batch, classes), on whatever device it is.
        form: logits of classes, or values. Softmax is applied once, by whoever needs probabilities.
        output: takes the answers out of what the network returns.
        batch_size: rows per call; bounds the memory that activations take.
    """

    network: nn.Module
    form: AnswerForm
    output: Callable[[Any], Tensor] | None = None
    batch_size: int = 1000

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the architecture as torch prints it and of every weight and buffer, as they are now."""
        digest = hashlib.sha256(repr(self.network).encode())
        for name, value in self.network.state_dict().items():
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(require("torch").uint8).numpy().data)
        return f"torch:{digest.hexdigest()}"

    def answer(self, inputs: Any) -> Floats:
        """Logits, or values, of every row.

        Args:
            inputs: (rows, ...) array, tensor or frame. Whole numbers stay so in a network that embeds, and in a tensor;
                all else takes the network's own float type.

        Returns:
            (rows, columns) on the CPU, float64 of a double network, else float32.

        Raises:
            ShapeError: the network does not give one answer a class. BadInput: an answer is NaN or infinite, the rows
                are nothing that the network takes, or it returns several things and no `output` says which.
        """
        torch = require("torch")
        count = row_count(inputs)
        with refusing(f"this {type(self.network).__name__}"):
            rows, output = self._tensor(inputs), partial(_taken_out, self.output)
            said = torch_runtime.answers_of(self.network, rows, batch_size=self.batch_size, output=output)
        answers = said.to("cpu", torch.float64 if said.dtype == torch.float64 else torch.float32).numpy()
        return self.form.take(answers, count, "the teacher's logits" if self.form.kind == "logits" else "the teacher's values")

    def _tensor(self, inputs: Any) -> Tensor:
        """The rows on the network's device, in memory of their own: a network may work in place."""
        torch = require("torch")
        given = hasattr(inputs, "detach")
        rows = inputs.detach().clone() if given else torch.tensor(_numbers(inputs))
        first = next((value for value in self.network.parameters() if value.is_floating_point()), None)
        whole = not rows.is_floating_point() and (given or self._embeds)
        kind = (rows.dtype if given else torch.int64) if whole else torch.float32 if first is None else first.dtype
        tensor: Tensor = rows.to("cpu" if first is None else first.device, kind)
        return tensor

    @property
    def _embeds(self) -> bool:
        nn = require("torch.nn")
        return any(isinstance(layer, nn.Embedding | nn.EmbeddingBag) for layer in self.network.modules())


def _numbers(inputs: Any) -> Any:
    array = np.asarray(inputs.toarray() if hasattr(inputs, "toarray") else inputs)
    if array.dtype.kind not in "biuf":
        raise BadInput(f"a torch Module takes numbers; the rows hold {array.dtype}.")
    return array.astype(np.int64) if array.dtype.kind in "iu" else array


def _taken_out(output: Callable[[Any], Tensor] | None, said: Any) -> Tensor:
    taken = said if output is None else output(said)
    if not hasattr(taken, "detach"):
        raise BadInput(
            f"the teacher returns a {type(taken).__name__}, not a tensor; pass output=, which takes the logits out of it, "
            "such as output=lambda said: said[0]."
        )
    tensor: Tensor = taken
    if tensor.ndim > 2:
        raise ShapeError(f"the teacher's answers to a batch have shape {tuple(tensor.shape)}; expected (batch, classes).")
    return tensor


def torch_teacher(network: nn.Module, declared: Declared) -> TorchTeacher:
    """A teacher from a Module, as `as_teacher` makes it.

    Raises:
        BadInput: classes are missing.
    """
    kind: AnswerKind = "values" if declared.task == "regression" else "logits"
    return TorchTeacher(network, replace(declared, kind=kind).form(of="a torch Module"), declared.output)


def load_weights(network: nn.Module, path: Path | str) -> nn.Module:
    """Fill a network with the weights of a file, wherever they were saved; nothing in the file is executed.

    Args:
        network: of the architecture that the weights belong to; filled in place and returned.
        path: a .safetensors file, or a state_dict that torch saved (also on CUDA: it is loaded on the CPU).

    Raises:
        DamagedFile: not such a file. BadInput: no such file, or weights of another architecture.
    """
    torch = require("torch")
    file = Path(path)
    if not file.is_file():
        raise BadInput(f"there is no file {file}; name the file that holds the weights.")
    try:
        if file.suffix == ".safetensors":
            weights = require("safetensors.torch").load_file(file, device="cpu")
        else:
            weights = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError, require("safetensors").SafetensorError) as error:
        raise DamagedFile(f"{file} does not hold a state_dict ({one_line(error)}). Save torch.save(network.state_dict(), ...).") from error
    _check_fit(network, weights, file)
    network.load_state_dict(weights)
    return network


def _check_fit(network: nn.Module, weights: Any, file: Path) -> None:
    """Before anything is written into the network: every name and shape is the one that it has."""
    if not isinstance(weights, Mapping):
        raise DamagedFile(f"{file} holds a {type(weights).__name__}, no state_dict. Save torch.save(network.state_dict(), ...).")
    own = network.state_dict()
    wrong = [f"it lacks {name}" for name in own if name not in weights]
    wrong += [f"{name} is not in the network" for name in weights if name not in own]
    for name in own.keys() & weights.keys():
        mine, theirs = (tuple(getattr(held[name], "shape", ())) for held in (own, weights))
        wrong += [f"{name} is {theirs}, not {mine}"] if mine != theirs else []
    if wrong:
        raise BadInput(f"the weights in {file} do not fit this {type(network).__name__}: {'; '.join(wrong[:3])}.")
