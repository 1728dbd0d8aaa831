"""What identifies a training, so that a checkpoint continues the training that it was saved by and no other."""

from __future__ import annotations

from typing import Any
from weakref import ref

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput
from tutelage.core.hashing import content_hash
from tutelage.core.identity import identified
from tutelage.data.row_names import Names, row_names
from tutelage.losses.objective import Objective
from tutelage.training.settings import TrainingSettings
from tutelage.training.sources import TrainingData

ITEMS_READ = 64
"""Items of a Dataset that identify it if its own content cannot be read."""


def training_identity(
    network: nn.Module,
    objective: Objective,
    settings: TrainingSettings,
    *,
    data: TrainingData,
    validation: TrainingData | None,
    teacher: Teacher | None,
    output: Any,
) -> dict[str, str | int | float | None]:
    """Everything that settles the weights at the end of a training, by name, as plain values.

    The number of epochs is part of it only if a schedule was laid out for them, so that a training can be lengthened. The initial
    values of the weights that are trained are not part of it: see `initial_weights`.

    Raises:
        BadInput: a function, the teacher or the Dataset holds what cannot be identified by its content.
    """
    return {
        "data": data_identity(data),
        "validation rows": None if validation is None else data_identity(validation),
        "teacher": None if teacher is None else identified(teacher),
        "network": f"{type(network).__name__} {_of(architecture(network), 'the network')}",
        "output": None if output is None else _of(output, "output"),
        "objective": f"{' + '.join(term.name for term in objective.terms)} {_of(objective.terms, 'the objective')}",
        **{name: _setting(name, value) for name, value in settings.identity().items()},
    }


def _setting(name: str, value: Any) -> str | int | float | None:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    label, content = value
    return f"{label} {_of(content, name)}"


def _of(value: Any, what: str) -> str:
    try:
        return content_hash(value, without_modes=True)
    except BadInput as error:
        raise BadInput(f"checkpoints cannot tell this training from another one: {what}: {error}. Leave checkpoints out.") from error


def architecture(network: nn.Module) -> list[Any]:
    """The modules of a network without the values of the weights that are trained."""
    return [(name, type(module), *_described(module)) for name, module in network.named_modules()]


def _described(module: nn.Module) -> tuple[Any, ...]:
    weights = [(name, _weights(value)) for name, value in module._parameters.items()]
    buffers = [(name, None if value is None else (value.dtype, value.shape)) for name, value in module._buffers.items()]
    settings = {name: _readable(value) for name, value in vars(module).items() if name not in _OF_TORCH and not _holds_weights(value)}
    hooks = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
    return weights, buffers, settings, hooks


_OF_TORCH = frozenset(vars(nn.Module()))
"""The attributes that every module has."""


def _holds_weights(value: Any) -> bool:
    held = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
    return any(isinstance(each, torch.Tensor | nn.Module | ref) for each in held)


def _readable(value: Any) -> str | None:
    """The hash of an attribute; None for what has no content, such as a lock, which settles nothing."""
    try:
        return content_hash(value)
    except BadInput:
        return None


def _weights(value: torch.Tensor | None) -> Any:
    """The values of weights that stay as they are, and the shape of those that are trained."""
    if value is None:
        return None
    return (value.dtype, value.shape) if value.requires_grad else value


def initial_weights(network: nn.Module) -> str:
    """The hash of all weights and buffers before the first step."""
    return content_hash(list(network.state_dict().values()))


def data_identity(data: TrainingData) -> str:
    """The number of rows, and a hash of the rows, their answers and their ground truth."""
    rows = f"{_count(data.rows)} rows"
    return f"{rows} {content_hash([_rows(data.rows), data.answers, data.truth])}"


def _count(rows: Any) -> int:
    return len(rows.dataset if hasattr(rows, "collate_fn") else rows)


def _rows(rows: Any) -> Any:
    """What identifies rows: themselves, or a Dataset by its content, or else by some of its items."""
    if isinstance(rows, np.ndarray):
        return rows
    dataset = rows.dataset if hasattr(rows, "collate_fn") else rows
    loading = [getattr(rows, "collate_fn", None), *_sampling(getattr(rows, "batch_sampler", None))]
    try:
        return content_hash([dataset, loading])
    except BadInput as error:
        first, second = (_names_of_items(dataset) for _ in range(2))
        if not np.array_equal(first, second):
            raise BadInput(
                f"checkpoints cannot tell this {type(dataset).__name__} from another one: its items are random, and {error}. "
                "Leave checkpoints out."
            ) from error
        return [type(dataset).__qualname__, first, _of(loading, "the DataLoader")]


def _sampling(batch_sampler: Any) -> list[Any]:
    """What settles the batches of a DataLoader, without the rows that its samplers refer to."""
    samplers = [batch_sampler, getattr(batch_sampler, "sampler", None)]
    return [
        [type(each).__qualname__, {name: value for name, value in vars(each).items() if name not in ("sampler", "data_source")}]
        for each in samplers
        if hasattr(each, "__dict__")
    ]


def _names_of_items(dataset: Any) -> Names:
    places: NDArray[np.intp] = np.unique(np.linspace(0, len(dataset) - 1, ITEMS_READ).astype(np.intp))
    return np.concatenate([row_names(_cells(dataset[int(place)])) for place in places])


def _cells(item: Any) -> NDArray[Any]:
    """(1, cells) all numbers of an item, inputs and ground truth."""
    parts = item if isinstance(item, list | tuple) else [item]
    arrays = [np.asarray(part.detach().cpu() if hasattr(part, "detach") else part).reshape(-1) for part in parts]
    return np.concatenate(arrays)[None]
