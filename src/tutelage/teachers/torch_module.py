"""A torch network as a teacher: eval mode and no gradient guaranteed, its own modes given back."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tutelage import engine
from tutelage.core.answers import AnswerForm, of_classes, two_columns
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, DamagedFile, ShapeError, require

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tutelage.teachers.adapt import Declared


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
            inputs: (rows, ...) array, tensor or frame; whole numbers stay so (for embeddings), all else is float32.

        Returns:
            (rows, columns) float32 on the CPU.

        Raises:
            ShapeError: the network does not give one answer a class. BadInput: an answer is NaN or infinite, or the
                network returns several things and no `output` says which.
        """
        torch = require("torch")
        said = engine.answers_of(self.network, self._tensor(inputs), batch_size=self.batch_size, output=partial(_taken_out, self.output))
        answers = said.to("cpu", torch.float32).numpy()
        if answers.ndim == 1 or (self.form.task == "binary" and answers.shape[1:] == (1,)):
            answers = two_columns(answers, "logits") if self.form.task == "binary" else answers[:, None]
        return self.form.check(answers, len(answers), "the teacher's logits" if self.form.kind == "logits" else "the teacher's values")

    def _tensor(self, inputs: Any) -> Tensor:
        torch = require("torch")
        rows = inputs.detach() if hasattr(inputs, "detach") else torch.from_numpy(_numbers(inputs))
        first = next(self.network.parameters(), None)
        tensor: Tensor = rows.to("cpu" if first is None else first.device)
        return tensor if not tensor.is_floating_point() else tensor.to(torch.float32)


def _numbers(inputs: Any) -> Floats:
    array = np.asarray(inputs.toarray() if hasattr(inputs, "toarray") else inputs)
    if array.dtype.kind not in "biuf":
        raise BadInput(f"a torch Module takes numbers; the rows hold {array.dtype}.")
    whole = array.dtype.kind in "iu" and array.dtype.itemsize == 8  # torch's own type for indices
    return np.ascontiguousarray(array, dtype=np.int64 if whole else np.float32)


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
    if declared.task == "regression":
        return TorchTeacher(network, AnswerForm("values", "regression"), declared.output)
    if declared.classes is None:
        raise BadInput("a torch Module does not know its labels: pass classes=, the label of each logit in order.")
    multilabel = declared.task == "multilabel"
    form = AnswerForm("logits", "multilabel", declared.classes) if multilabel else of_classes("logits", declared.classes)
    return TorchTeacher(network, form, declared.output)


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
        raise DamagedFile(
            f"{file} does not hold a state_dict ({_first_line(error)}). Save torch.save(network.state_dict(), ...)."
        ) from error
    try:
        network.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise BadInput(f"the weights in {file} do not fit this {type(network).__name__} ({_first_line(error)}).") from error
    return network


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
