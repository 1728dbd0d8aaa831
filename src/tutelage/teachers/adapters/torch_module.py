"""A torch network as a teacher: it answers in eval mode and without gradients, and its training modes are restored afterwards."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tutelage.core import torch_runtime
from tutelage.core.answer_kinds import AnswerKind, Positions
from tutelage.core.answers import AnswerForm
from tutelage.core.arguments import path as checked_path
from tutelage.core.errors import BadInput, DamagedFile, ShapeError, one_line, require
from tutelage.core.file_systems.paths import suffix_of
from tutelage.core.identity.fingerprints import fingerprint_of
from tutelage.core.position_answers import Answers, checked
from tutelage.data.cells import numbers
from tutelage.data.structures.network_answers import answers_in, answers_to, remedy_of_ids
from tutelage.data.structures.structured import StructuredRows, is_structure, refuse_mappings
from tutelage.teachers.inputs import errors_as_bad_input, matrix_of, row_count

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tutelage.teachers.adapters.declared import Declared


@dataclass(frozen=True, eq=False)
class TorchTeacher:
    """A Teacher that runs a torch network, in eval mode and without gradients. `as_teacher` builds it.

    Attributes:
        network: maps (batch, ...) to (batch, classes) logits or probabilities, or (batch, outputs) values; on any device. Several
            inputs are passed as keyword arguments, or in their order.
        form: kind, task, classes and positions. No softmax is applied.
        output: selects the answers in what the network returns; None if it returns them, or a structure that has `logits`.
        batch_size: rows per forward pass, which bound the memory of the activations; if None, up to 1,000, and fewer of many tokens.
        version: identifies the network in place of its content.

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> from torch import nn
        >>> teacher = tl.as_teacher(nn.Sequential(nn.Linear(4, 8), nn.Dropout(), nn.Linear(8, 3)), classes=["a", "b", "c"])
        >>> type(teacher) is tl.teachers.TorchTeacher
        True
        >>> X = np.ones((2, 4))
        >>> teacher.form.kind, teacher.answer(X).shape
        ('logits', (2, 3))
        >>> bool((teacher.answer(X) == teacher.answer(X)).all())  # no dropout
        True
    """

    network: nn.Module
    form: AnswerForm
    output: Callable[[Any], Tensor] | None = None
    batch_size: int | None = None
    version: str | None = None

    @property
    def fingerprint(self) -> str:
        """A hash of the network - its code, settings, hooks, and current weights and buffers - and of `output`."""
        return fingerprint_of(self.network, self.form.kind, self.output, name="torch", version=self.version, without_modes=True)

    def answer(self, inputs: Any) -> Answers:
        """Logits, probabilities or values, as `form` declares, for every row.

        Args:
            inputs: (rows, ...) array, tensor or frame, or several inputs as a mapping or a tuple. Whole numbers stay whole if the
                network has an embedding layer, takes no others, or takes several inputs; everything else is converted to the
                network's float dtype.

        Returns:
            (rows, columns) on the CPU; float64 for a network in double precision, else float32. With positions `PositionAnswers`,
            without those that the attention mask leaves out.

        Raises:
            ShapeError: the network does not return one number for each class.
            BadInput: an answer is NaN or infinite, the network cannot process the rows, or it does not return a tensor
                and no `output` selects one.
        """
        refuse_mappings(inputs)
        structured = StructuredRows.of(inputs) if is_structure(inputs) else inputs
        count, positions = row_count(structured), self.form.positions
        with errors_as_bad_input(f"this {type(self.network).__name__}", remedy_of_ids(structured)):
            rows = structured if isinstance(structured, StructuredRows) else self._tensor(structured)
            output = partial(_selected, self.output, positions)
            answers = answers_to(self.network, rows, positions=positions, batch_size=self.batch_size, output=output)
        if positions is None:
            return self.form.take(answers, count, f"the teacher's {self.form.kind}")
        return checked(self.form, answers, count, f"the teacher's {self.form.kind}")

    def _tensor(self, inputs: Any) -> Tensor:
        """A copy of the rows as the network takes them."""
        rows = inputs if hasattr(inputs, "detach") else torch_runtime.tensor_of(_numbers(inputs))
        return torch_runtime.network_input(self.network, rows)


def _numbers(inputs: Any) -> Any:
    """Rows as a contiguous array in the machine's byte order: int64, or floats and truth values as they are."""
    array = np.asarray(inputs.toarray() if hasattr(inputs, "toarray") else matrix_of(inputs))
    if array.dtype.kind == "O" and array.ndim == 2:
        array = np.column_stack([numbers(cells, str(place)) for place, cells in enumerate(array.T)])
    if array.dtype.kind not in "biuf":
        raise BadInput(f"a torch Module takes numbers; the rows hold {array.dtype}. Encode them first.")
    return np.ascontiguousarray(array, dtype=np.int64 if array.dtype.kind in "iu" else array.dtype.newbyteorder("="))


def _selected(output: Callable[[Any], Tensor] | None, positions: Positions | None, outputs: Any) -> Tensor:
    selected = answers_in(outputs) if output is None else output(outputs)
    if not hasattr(selected, "detach"):
        raise BadInput(
            f"the teacher returns a {type(selected).__name__}, not a tensor; pass output=, a function that selects the logits, "
            "such as output=lambda outputs: outputs[0]."
        )
    tensor: Tensor = selected
    if tensor.ndim > 2 and positions is None:
        raise ShapeError(
            f"the teacher's answers to a batch have shape {tuple(tensor.shape)}; expected (batch, classes). If it answers every token or "
            "pixel, pass positions='tokens' or 'pixels'."
        )
    return tensor


def torch_teacher(network: nn.Module, declared: Declared) -> TorchTeacher:
    """The teacher that `as_teacher` makes from a Module.

    Raises:
        BadInput: classes are missing.
    """
    kind: AnswerKind = declared.kind or ("values" if declared.task == "regression" else "logits")
    form = replace(declared, kind=kind).form(of="a torch Module")
    return TorchTeacher(network, form, declared.output, declared.batch_size, declared.version)


def load_weights(network: nn.Module, path: Path | str) -> nn.Module:
    """Load the weights in a file into a network. No code in the file is executed.

    Args:
        network: a Module of the architecture that the weights belong to; filled in place.
        path: a .safetensors file, or a state_dict saved by torch. Weights saved on a GPU are loaded to the CPU.

    Returns:
        The network.

    Raises:
        DamagedFile: the file does not hold a state_dict.
        BadInput: no such file, or weights of another architecture. The network is unchanged then.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import torch
        >>> import tutelage as tl
        >>> from torch import nn
        >>> trained = nn.Linear(4, 3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "weights.pt"
        ...     torch.save(trained.state_dict(), path)
        ...     network = tl.load_weights(nn.Linear(4, 3), path)
        >>> torch.equal(network.weight, trained.weight)
        True
    """
    torch = require("torch")
    file = checked_path("path", path)
    if not file.is_file():
        raise BadInput(f"there is no file {file}; name the file that holds the weights.")
    try:
        if suffix_of(file) == ".safetensors":
            weights = require("safetensors.torch").load_file(file, device="cpu")
        else:
            weights = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError, require("safetensors").SafetensorError) as error:
        raise DamagedFile(f"{file} does not hold a state_dict ({one_line(error)}). Save torch.save(network.state_dict(), ...).") from error
    _check_fit(network, weights, file)
    network.load_state_dict(weights)
    return network


def _check_fit(network: nn.Module, weights: Any, file: Path) -> None:
    """Check, before the network is modified, that every name and shape in the file matches the network."""
    if not isinstance(weights, Mapping):
        raise DamagedFile(f"{file} holds a {type(weights).__name__}, not a state_dict. Save torch.save(network.state_dict(), ...).")
    own = network.state_dict()
    wrong = [f"it lacks {name}" for name in own if name not in weights]
    wrong += [f"{name} is not in the network" for name in weights if name not in own]
    for name in own.keys() & weights.keys():
        mine, theirs = (tuple(getattr(held[name], "shape", ())) for held in (own, weights))
        wrong += [f"{name} is {theirs}, not {mine}"] if mine != theirs else []
    if wrong:
        raise BadInput(
            f"the weights in {file} do not fit this {type(network).__name__}: {'; '.join(wrong[:3])}. Build the network that was saved."
        )
