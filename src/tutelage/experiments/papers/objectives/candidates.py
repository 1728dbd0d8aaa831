"""The objectives that are compared, with their settings, and the network on whose hidden layers some of them act."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from torch import nn

from tutelage.losses import class_terms, hidden_terms
from tutelage.losses.objective import Objective

HARD = class_terms.hard_cross_entropy
BASELINE = "hard_cross_entropy"
UNSMOOTHED = "hard_cross_entropy, unsmoothed"
PLAIN = "kd"
"""Plain distillation as it is published beside other objectives: a tenth of the weight on true classes."""
PURE = "kl_divergence"
"""The same without true classes."""


def network(width: int, outputs: int) -> nn.Sequential:
    """Two convolutions and a hidden layer; `features` is the last convolutional map, `embedding` the layer before the outputs."""
    net = nn.Sequential()
    net.add_module("picture", nn.Unflatten(1, (1, 28, 28)))
    net.add_module("first", nn.Conv2d(1, width, 3, 2, 1))
    net.add_module("relu", nn.ReLU())
    net.add_module("second", nn.Conv2d(width, 2 * width, 3, 2, 1))
    net.add_module("features", nn.ReLU())
    net.add_module("flat", nn.Flatten())
    net.add_module("hidden", nn.Linear(2 * width * 49, 4 * width))
    net.add_module("embedding", nn.ReLU())
    net.add_module("answers", nn.Linear(4 * width, outputs))
    return net


def beside_labels(objective: Callable[..., Objective], weights: tuple[float, ...], *layers: str) -> tuple[Objective, ...]:
    """The loss on true classes plus a term, with three weights of the term."""
    return tuple(HARD() + weight * objective(*layers) for weight in weights)


CLASSES: Mapping[str, tuple[Objective, ...]] = {
    BASELINE: tuple(HARD(smoothing=s) for s in (0.0, 0.1, 0.2)),
    UNSMOOTHED: (HARD(),),
    PLAIN: tuple(0.1 * HARD() + 0.9 * class_terms.kl_divergence(temperature=t) for t in (2.0, 4.0, 8.0)),
    PURE: tuple(class_terms.kl_divergence(temperature=t) for t in (2.0, 4.0, 8.0)),
    "logit_matching": beside_labels(class_terms.logit_matching, (0.01, 0.1, 1.0)),
    "decoupled": tuple(HARD() + class_terms.decoupled(temperature=4.0, other_weight=b) for b in (2.0, 8.0, 32.0)),
    "dist": tuple(HARD() + class_terms.dist(temperature=t) for t in (1.0, 4.0, 8.0)),
    "standardised_divergence": beside_labels(partial(class_terms.standardised_divergence, temperature=2.0), (1.0, 4.0, 16.0)),
    "weighted_soft_labels": tuple(HARD() + class_terms.weighted_soft_labels(temperature=t) for t in (2.0, 4.0, 8.0)),
    "virtual_teacher": beside_labels(class_terms.virtual_teacher, (0.1, 1.0, 10.0)),
    "reverse_kl": tuple(class_terms.reverse_kl(temperature=t) for t in (2.0, 4.0, 8.0)),
    "jensen_shannon": tuple(class_terms.jensen_shannon(temperature=t) for t in (2.0, 4.0, 8.0)),
    "hint": beside_labels(hidden_terms.hint, (1.0, 10.0, 100.0), "features"),
    "attention_transfer": beside_labels(hidden_terms.attention_transfer, (10.0, 100.0, 1000.0), "features"),
    "relational_distance": beside_labels(hidden_terms.relational_distance, (1.0, 10.0, 100.0), "embedding"),
    "relational_angle": beside_labels(hidden_terms.relational_angle, (1.0, 10.0, 100.0), "embedding"),
    "similarity_preserving": beside_labels(hidden_terms.similarity_preserving, (30.0, 300.0, 3000.0), "embedding"),
    "probabilistic_transfer": beside_labels(hidden_terms.probabilistic_transfer, (5.0, 50.0, 500.0), "embedding"),
    "contrastive": beside_labels(partial(hidden_terms.contrastive, negatives=256), (0.1, 0.8, 3.2), "embedding"),
}
"""Objectives by name; validation chooses among the three settings of each, where there is something to set. Terms that need the ground
truth, and terms of hidden layers, are added to the cross-entropy without label smoothing. `soft_cross_entropy` is left out: its gradient is
that of `kl_divergence`."""
