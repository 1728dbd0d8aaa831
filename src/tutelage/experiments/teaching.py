"""Cached training of networks and cached answers, shared by the torch recipes."""

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
    """A network and the arrays that its training reported, trained only if it is not in the cache.

    Args:
        store: the cache.
        made_from: JSON values that determine the weights; must contain "seed".
        build: creates the network with initial weights.
        train: trains it in place and returns arrays to cache with the weights.
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
    store: Store, network: nn.Module, network_from: Mapping[str, Any], inputs: NDArray[Any], classes: tuple[Any, ...]
) -> SoftLabels:
    """The network's answers to these rows, computed only if they are not in the cache.

    Args:
        store: the cache.
        network: queried if the answers are not in the cache.
        network_from: what the network was made from; the answers are cached under it and the names of the rows.
        inputs: (rows, features) in the form that the network takes.
        classes: the class of each logit.
    """
    teacher = as_teacher(network, classes=classes)
    return cached_answers(store, {"what": "answers", "teacher": key_of(network_from)}, inputs, teacher.form, lambda: teacher)


def cached_view_labels(
    store: Store, network: nn.Module, network_from: Mapping[str, Any], views: Views, classes: tuple[Any, ...]
) -> SoftLabels:
    """The network's answers to every view, computed only if they are not in the cache.

    Args:
        store: the cache.
        network: queried if the answers are not in the cache.
        network_from: what the network was made from; the answers are cached under it and what determines the views.
        views: views in the form that the network takes.
        classes: the class of each logit.
    """
    teacher = as_teacher(network, classes=classes)
    data, key = views.determined_by(), key_of(network_from)

    def answers() -> dict[str, NDArray[Any]]:
        labels = record(teacher, views)
        return {"answers": labels.answers, "names": labels.names}

    arrays = store.cached({"what": "answers to views", "teacher": key, "views": data}, answers)
    return SoftLabels(arrays["answers"], teacher.form, arrays["names"], key)
