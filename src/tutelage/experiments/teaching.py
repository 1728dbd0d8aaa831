"""What the torch recipes share: a network trained once and kept, and its answers asked once and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tutelage.core import torch_runtime
from tutelage.data.views import Views
from tutelage.experiments.answers import cached_answers
from tutelage.experiments.cache import Store, key_of
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.recording import record
from tutelage.teachers.adapt import as_teacher

Network = TypeVar("Network", bound=nn.Module)


def cached_network(
    store: Store,
    made_from: Mapping[str, Any],
    build: Callable[[], Network],
    train: Callable[[Network], Mapping[str, NDArray[Any]]],
) -> tuple[Network, dict[str, NDArray[Any]]]:
    """A network and what its training reported, trained now only if it is not kept already.

    Args:
        store: where it is kept.
        made_from: everything that settles its weights; must hold "seed".
        build: makes it with initial weights.
        train: trains it in place and reports arrays to keep beside the weights.
    """

    def make() -> dict[str, NDArray[Any]]:
        with torch_runtime.seeded(made_from["seed"]):
            network = build()
            report = train(network)
        weights = {f"weight:{name}": value.detach().contiguous().numpy() for name, value in network.state_dict().items()}
        return weights | {f"report:{name}": np.asarray(value) for name, value in report.items()}

    arrays = store.cached(made_from, make)
    with torch_runtime.seeded(made_from["seed"]):
        network = build()
    weights = {name.removeprefix("weight:"): torch.from_numpy(value) for name, value in arrays.items() if name.startswith("weight:")}
    network.load_state_dict(weights)
    return network, {name.removeprefix("report:"): value for name, value in arrays.items() if name.startswith("report:")}


def cached_labels(
    store: Store, network: nn.Module, taught_by: Mapping[str, Any], inputs: NDArray[Any], classes: tuple[Any, ...]
) -> SoftLabels:
    """The network's answers to these rows, asked now only if they are not kept already.

    Args:
        store: where they are kept.
        network: asked if they are not.
        taught_by: what the network was made from; the labels are kept under it and the rows' fingerprint.
        inputs: (rows, features) as the network takes them.
        classes: the label of each logit.
    """
    teacher = as_teacher(network, classes=classes)
    return cached_answers(store, {"what": "answers", "teacher": key_of(taught_by)}, inputs, teacher.form, lambda: teacher)


def cached_view_labels(
    store: Store, network: nn.Module, taught_by: Mapping[str, Any], views: Views, classes: tuple[Any, ...]
) -> SoftLabels:
    """The network's answers to every view, computed only if they are not cached.

    Args:
        store: where they are kept.
        network: asked if they are not.
        taught_by: what the network was made from; the answers are kept under it and what settles the views.
        views: as the network takes them.
        classes: the label of each logit.
    """
    teacher = as_teacher(network, classes=classes)
    data, told = views.determined_by(), key_of(taught_by)

    def ask() -> dict[str, NDArray[Any]]:
        said = record(teacher, views)
        return {"answers": said.answers, "names": said.names}

    arrays = store.cached({"what": "answers to views", "teacher": told, "views": data}, ask)
    return SoftLabels(arrays["answers"], teacher.form, arrays["names"], told)
