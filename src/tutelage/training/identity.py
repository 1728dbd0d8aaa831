"""What identifies a training, so that a checkpoint continues the training that it was saved by and no other."""

from __future__ import annotations

from typing import Any
from weakref import ref

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tutelage.core.answer_values.class_names import list_classes
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import AnswerForm
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput
from tutelage.core.identity.fingerprints import identified
from tutelage.core.identity.hashing import content_hash
from tutelage.core.position_answers import PositionAnswers
from tutelage.core.torch_runtime import own_draws, own_torch_draws
from tutelage.data.row_names import Names, row_names
from tutelage.data.structures.ragged import Ragged
from tutelage.data.structures.structured import StructuredRows
from tutelage.data.views import Views
from tutelage.losses.objective import Objective
from tutelage.softlabels.streaming.parts import Parts
from tutelage.training.feeding.sources import TrainingData, row_count
from tutelage.training.settings import TrainingSettings

ITEMS_READ = 32
"""Items of a Dataset that are read, twice, to identify it."""


def training_identity(
    network: nn.Module,
    objective: Objective,
    settings: TrainingSettings,
    *,
    data: TrainingData,
    form: AnswerForm,
    validation: TrainingData | None,
    teacher: Teacher | None,
    output: Any,
) -> dict[str, str | int | float | None]:
    """What settles the weights at the end of a training, by name, as plain values.

    Callbacks are not part of it; of a Dataset that reads files, its content and some items are.

    The number of epochs or steps is part of it only if a schedule was laid out for them, so that a training can be lengthened. The initial
    values of the weights that are trained are not part of it: see `initial_weights`.

    Raises:
        BadInput: a function, the teacher or the Dataset holds what cannot be identified by its content.
    """
    return {
        "data": data_identity(data),
        "validation rows": None if validation is None else data_identity(validation),
        "sample weights": None
        if data.weights is None
        else content_hash([_parts(each.weights) for each in (data, validation) if each is not None]),
        "answer of the student": _meaning(form),
        "answer of the teacher": None if teacher is None or objective.reads_layers_only else _meaning(teacher.form),
        "teacher": None if teacher is None else identified(teacher),
        "network": f"{type(network).__name__} {_of(architecture(network), 'the network')}",
        "output": None if output is None else _of(output, "output"),
        "objective": f"{' + '.join(term.name for term in objective.terms)} {_of(objective.terms, 'the objective')}",
        **{name: _setting(name, value) for name, value in settings.identity(fixed_length=bool(objective.scheduled)).items()},
    }


def _meaning(form: AnswerForm) -> str:
    """What the numbers of an answer mean, shown in short, and a hash of it."""
    classes = f" for {list_classes(form.classes)}" if form.classes else ""
    return f"{form.kind}{classes} {content_hash([form.kind, form.task, form.classes, form.positions])}"


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
    """The modules of a network without the values of the weights that are trained, and whether each is trained in train mode."""
    whole = not network.training  # then all are put into train mode, see set_to_train
    return [(name, type(module), whole or module.training, *_described(module)) for name, module in network.named_modules()]


def _described(module: nn.Module) -> tuple[Any, ...]:
    weights = [(name, _weights(value)) for name, value in module._parameters.items()]
    saved = [name for name in module._buffers if name not in module._non_persistent_buffers_set]
    buffers = [(name, _shape(value) if name in saved else value) for name, value in module._buffers.items()]
    settings = {name: _without_weights(value) for name, value in vars(module).items() if name not in _OF_TORCH}
    hooks = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
    return weights, buffers, settings, hooks


_OF_TORCH = frozenset(vars(nn.Module()))
"""The attributes that every module has."""


def _without_weights(value: Any) -> Any:
    """An attribute of a module without what it refers to among the network's weights and modules."""
    if isinstance(value, nn.Parameter | nn.Module | ref):
        return None
    if type(value) in (list, tuple):
        return [_without_weights(item) for item in value]
    if type(value) is dict:
        return {name: _without_weights(item) for name, item in value.items()}
    return value


def _shape(value: torch.Tensor | None) -> Any:
    return None if value is None else (value.dtype, value.shape)


def _weights(value: torch.Tensor | None) -> Any:
    """The values of weights that stay as they are, and the shape of those that are trained."""
    return value if value is None or not value.requires_grad else _shape(value)


def initial_weights(network: nn.Module) -> str:
    """The hash of all weights and buffers before the first step."""
    return content_hash(list(network.state_dict().values()))


def data_identity(data: TrainingData) -> str:
    """The number of rows, and a hash of the rows, their answers and their ground truth."""
    rows = f"{row_count(data.rows)} rows"
    return f"{rows} {content_hash([_rows(data.rows), _parts(data.answers), _parts(data.truth)])}"


def _parts(values: Any) -> Any:
    """Answers or truth by their arrays; what was computed of them besides is no part of their identity."""
    if isinstance(values, PositionAnswers):
        return [_parts(values.values), values.shapes]
    if isinstance(values, TopAnswers):
        return [values.ids, values.log_probs, values.rest, values.columns]
    return [values.values, values.lengths] if isinstance(values, Ragged) else values


def _rows(rows: Any) -> Any:
    """What identifies rows: themselves, or a Dataset by its content and some of its items.

    Items that are drawn at random identify nothing, and the content of a Dataset cannot always be read; one of the two is needed.
    """
    if isinstance(rows, np.ndarray | Views):
        return rows
    if isinstance(rows, Parts):
        return rows.identity()
    if isinstance(rows, StructuredRows):
        return [sorted(rows.fields), row_names(rows)]
    dataset = rows.dataset if hasattr(rows, "collate_fn") else rows
    items = _items(dataset)
    loading = [getattr(rows, "collate_fn", None), *_sampling(getattr(rows, "batch_sampler", None))]
    try:
        return [content_hash([dataset, loading]), items]
    except BadInput as error:
        if items is None:
            raise BadInput(
                f"checkpoints cannot tell this {type(dataset).__name__} from another one: its items are random, and {error}. "
                "Leave checkpoints out."
            ) from error
        return [type(dataset).__qualname__, items, _of(loading, "the DataLoader")]


def _sampling(batch_sampler: Any) -> list[Any]:
    """What settles the batches of a DataLoader, without the rows that its samplers refer to."""
    samplers = [batch_sampler, getattr(batch_sampler, "sampler", None)]
    return [
        [type(each).__qualname__, {name: value for name, value in vars(each).items() if name not in ("sampler", "data_source")}]
        for each in samplers
        if hasattr(each, "__dict__")
    ]


def _items(dataset: Any) -> Names | None:
    """The names of some items; None if they are random. The random states are left as they were."""
    with own_draws(), own_torch_draws():
        first, second = (_names_of_items(dataset) for _ in range(2))
    return first if np.array_equal(first, second) else None


def _names_of_items(dataset: Any) -> Names:
    places: NDArray[np.intp] = np.unique(np.linspace(0, len(dataset) - 1, ITEMS_READ).astype(np.intp))
    return np.concatenate([row_names(_cells(dataset[int(place)])) for place in places])


def _cells(item: Any) -> NDArray[Any]:
    """(1, cells) all values of an item, inputs and ground truth."""
    parts = item.values() if isinstance(item, dict) else item if isinstance(item, list | tuple) else [item]
    arrays = [np.asarray(part.detach().cpu() if hasattr(part, "detach") else part).reshape(-1) for part in parts]
    return np.concatenate([array.astype(object) for array in arrays])[None]
