"""Networks on disk, without code.

A file holds the description of the layers, from which the network is built again; or the weights alone, for a network that the user builds.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.answers import AnswerForm
from tutelage.core.errors import FOREIGN, BadInput, DamagedFile, TutelageError, one_line
from tutelage.core.identity.hashing import content_hash
from tutelage.core.stored.checksums import read_tensors, write_tensors
from tutelage.core.stored.layers import built, described, flattened, layout, outputs_of
from tutelage.students.saved.own_code import OtherCode
from tutelage.students.saved.version import AGAIN, OURS, STUDENT_SCHEMA, check_schema
from tutelage.training.student import TorchStudent

Factory = Callable[[], nn.Module]
Output = Callable[[Any], Tensor]


def save_network(student: TorchStudent, path: Path) -> None:
    """Write the weights of a network, and the description of its layers if there is one.

    Raises:
        BadInput: a student without a form of answers, or weights that safetensors cannot hold.
    """
    form = student.form
    if form is None:
        raise BadInput("the network cannot be saved: what its answers mean is unknown. Fit the student, or pass classes= to it.")
    of_form = {"kind": form.kind, "task": form.task, "classes": list(form.classes), "positions": form.positions}
    about: dict[str, Any] = {"schema": STUDENT_SCHEMA, **of_form}
    if hasattr(student, "biases_"):
        about["biases"] = student.biases_.tolist()
    of_network, weights = stored_network(student.network, student.output)
    columns = None if of_network["layers"] is None else outputs_of(flattened(student.network))
    if form.classes and form.positions is None and student.output is None and columns not in (None, len(form.classes)):
        raise BadInput(f"the network gives {columns} logits a row; expected one for each of {len(form.classes)} classes.")
    write_tensors(path, weights, {**about, "output": student.output is not None, **of_network}, framework="torch")


def stored_network(network: nn.Module, output: Output | None = None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What a file holds of a network: the description of its layers, or what tells it from others, as JSON values; and its weights.

    Raises:
        BadInput: weights that cannot be stored.
    """
    try:
        about: dict[str, Any] = {"layers": described(network)}
    except BadInput:
        weights = _weights(network)
        return {"layers": None, "network": str(network).splitlines(), "content": _content(network, output)}, weights
    return about, _weights(flattened(network))


def load_network(path: Path, factory: Factory | None, output: Output | None) -> TorchStudent:
    """The student that `save_network` wrote; nothing in the file is executed.

    Args:
        path: the file.
        factory: builds the network; needed for one without a description of its layers.
        output: as for `TorchStudent`; needed if the student had one.

    Raises:
        DamagedFile: not such a file, or a damaged one. StaleCache: a file of another version.
        BadInput: a factory or an output is missing or not needed, or the network that is built is another one.
    """
    about, tensors = read_tensors(path, framework="torch", of=OURS, remedy=AGAIN)
    check_schema(path, about)
    try:
        form = AnswerForm(about["kind"], about["task"], tuple(about["classes"]), about["positions"])
        layers, has_output = about["layers"], about["output"]
        if not isinstance(has_output, bool):
            raise ValueError(f"output is {has_output!r}")
        in_file = None if layers is None else described_network(layers, tensors)
        columns = None if in_file is None else outputs_of(in_file)
        biases = None if about.get("biases") is None else np.array(about["biases"], dtype=np.float64)
        if biases is not None and biases.shape != (len(form.classes),):
            raise ValueError(f"{len(form.classes)} classes, biases of shape {biases.shape}")
        if form.classes and form.positions is None and not has_output and columns not in (None, len(form.classes)):
            raise ValueError(f"{len(form.classes)} classes, {columns} logits")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedFile(f"{path} is not {OURS} ({one_line(error)}). {AGAIN}") from error
    if (output is not None) != has_output:
        raise BadInput(
            f"{path} holds a student with an output=; pass the same function as output=."
            if has_output
            else f"{path} holds a student without an output=; leave output= out."
        )
    if in_file is not None and factory is not None:
        raise BadInput(f"{path} describes the layers of its network; leave network= out.")
    network = filled_network(path, factory, about, tensors, output) if in_file is None else in_file
    student = TorchStudent(network, output=output)
    student.set_form(form)
    if biases is not None:
        student.biases_ = biases
    return student


def described_network(layers: Any, tensors: dict[str, Tensor]) -> nn.Sequential:
    """The network whose layers and weights a file holds.

    Raises:
        ValueError: the weights do not fit the layers. BadInput: the layers are not valid.
    """
    network = built(layers)
    if layout(tensors) != layout(network.state_dict()):
        raise ValueError("its weights do not fit its layers")
    network.load_state_dict(tensors, assign=True)
    return network


def filled_network(
    path: Path | str,
    factory: Factory | None,
    about: dict[str, Any],
    tensors: dict[str, Tensor],
    output: Output | None = None,
    *,
    remedy: str = "a function that builds it: load_student(path, network=lambda: Net())",
) -> nn.Module:
    """The network that the user's factory builds, with the weights of a file.

    Args:
        path: of the file.
        factory: builds the network.
        about: what tells it from others, as from `stored_network`.
        tensors: its weights.
        output: as for `TorchStudent`.
        remedy: what to pass if there is no factory.

    Raises:
        BadInput: there is no factory, or it builds another network. DamagedFile: not such a file.

    Warns:
        OtherCode: its code has changed.
    """
    try:
        expected, content = [str(line) for line in about["network"]], about["content"]
    except (KeyError, TypeError) as error:
        raise DamagedFile(f"{path} is not {OURS} ({one_line(error)}). {AGAIN}") from error
    if factory is None or isinstance(factory, nn.Module):
        seen = "" if factory is None else "; a network was passed, which is not built anew"
        raise BadInput(
            f"{path} holds the weights of a network, {' '.join(expected[:1])[:40].rstrip('(')}, whose layers a file cannot describe{seen}. "
            f"Pass network=, {remedy}. On the command line use an exported file, such as student.onnx, which needs no code, "
            "or pass --network module:object."
        )
    network = _called(factory)
    found = str(network).splitlines()
    differs = next(((there, here) for there, here in zip_longest(expected, found, fillvalue="") if there != here), None)
    if differs is not None:
        raise BadInput(
            f"network= builds another network than that in {path}: {differs[1].strip()!r}, and {differs[0].strip()!r} was saved. "
            "Build it as the one that was trained."
        )
    there, here = layout(tensors), layout(network.state_dict())
    name = next((name for name in {**there, **here} if there.get(name) != here.get(name)), None)
    if name is not None:
        raise BadInput(
            f"network= builds a network whose weight {name} is {_kind(here.get(name))}; {path} holds {_kind(there.get(name))}. "
            "Build it as the one that was trained."
        )
    network.load_state_dict(tensors)
    if content not in (None, _content(network, output)):
        warnings.warn(
            f"the network that network= builds has the layers and weights of the one in {path}, but other code, another hook or output=. "
            + OtherCode.REMEDY,
            OtherCode,
            stacklevel=4,
        )
    return network


def _called(factory: Factory) -> nn.Module:
    """The network that a factory builds, which shares no weights with others, without a change of torch's random state."""
    try:
        with torch_runtime.seeded(0):
            network = factory()
    except TutelageError:
        raise
    except FOREIGN as error:  # whatever the user's code raises
        raise BadInput(f"network= cannot be called without arguments ({type(error).__name__}: {one_line(error)}).") from error
    if not isinstance(network, nn.Module):
        raise BadInput(f"network= returned a {type(network).__name__}; expected a function that builds a torch Module.")
    return torch_runtime.copied(network)


def _kind(shape_and_dtype: tuple[Any, Any] | None) -> str:
    return "missing" if shape_and_dtype is None else f"{tuple(shape_and_dtype[0])} {shape_and_dtype[1]}"


def _content(network: nn.Module, output: Output | None) -> str | None:
    """A hash of everything that settles the answers: weights, code, settings, hooks; None if a part of it cannot be read."""
    try:
        return content_hash((network, output), without_modes=True)
    except BadInput:
        return None


def _weights(network: nn.Module) -> dict[str, Tensor]:
    """The weights by name, on the CPU; a copy where two share memory, which safetensors cannot hold."""
    weights: dict[str, Tensor] = {}
    places: set[int] = set()
    for name, value in network.state_dict().items():
        try:
            weight = value.detach().to("cpu").contiguous().resolve_neg()
        except Exception as error:  # a state of another kind, or weights that were never made
            raise BadInput(f"the network cannot be saved: its {name} is a {type(value).__name__} without numbers to store.") from error
        if weight.is_quantized or weight.is_complex() or weight.is_sparse:
            raise BadInput(f"the network cannot be saved: its {name} is {weight.dtype}; expected dense real numbers.")
        place = weight.untyped_storage().data_ptr()
        weights[name] = weight.clone() if place in places else weight
        places.add(place)
    return weights
