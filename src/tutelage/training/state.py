"""The state of a training: what settles how it goes on, what an epoch came to, and what is left at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tutelage.core.errors import BadInput
from tutelage.training.validation import BestWeights, Validation


@dataclass(frozen=True)
class Fit:
    """What a fit did, for one network (copies = 1) or a stack.

    Attributes:
        best_epoch: (copies,) the epoch, from 1, whose weights were kept.
        scores: (epochs, copies) the validation score after each epoch, lower is better; empty without validation rows.
        losses: (epochs,) mean training loss of each epoch, summed over copies.
    """

    best_epoch: NDArray[np.int64]
    scores: NDArray[np.float64]
    losses: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True)
class Report:
    """One epoch, as a callback is told of it.

    Attributes:
        epoch: from 1.
        loss: mean over the epoch's rows, as it was while they were learnt, summed over copies.
        terms: the mean of each of its terms, by name; they add up to `loss`.
        score: (copies,) on the validation rows, lower is better; None without them.
        rate: the learning rate of the last step.
        best_epoch: (copies,) so far; None without validation rows.
    """

    epoch: int
    loss: float
    terms: Mapping[str, float]
    score: NDArray[np.float64] | None
    rate: float
    best_epoch: NDArray[np.int64] | None


@dataclass(frozen=True)
class LoopSettings:
    """How a training goes.

    Attributes:
        optimizer: any of torch's, over the network's parameters (and those of its projectors).
        epochs: how often every row is seen, at most.
        batch_size: rows a step.
        schedule: any of torch's, stepped after every batch.
        validation: rows that choose the epoch and train nothing.
        patience: stop after so many epochs without a better score; None never does.
        clip_norm: gradients are scaled down to this norm; None leaves them.
        average: an exponential moving average of the weights (`torch.optim.swa_utils.AveragedModel` of the network),
            updated after each step; it is what is validated and kept.
        callbacks: called with a `Report` after each epoch; one that returns True ends the training.
        advance: called after each step (see `step_count`), for a progress display.
    """

    optimizer: torch.optim.Optimizer
    epochs: int
    batch_size: int
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None
    validation: Validation | None = None
    patience: int | None = None
    clip_norm: float | None = None
    average: nn.Module | None = None
    callbacks: Sequence[Callable[[Report], Any]] = ()
    advance: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise BadInput(f"{self.epochs} epochs of batches of {self.batch_size}; expected 1 or more of each.")
        if self.patience is not None and (self.validation is None or self.patience < 1):
            raise BadInput(f"a patience of {self.patience} needs 1 or more epochs, and validation rows that can lose it.")


@dataclass
class State:
    """All that settles how a training goes on, besides the data.

    Attributes:
        epoch: the one that is under way or was finished last; 0 before the first.
        step: how many steps of it are done; 0 when it is finished.
        totals: sum of the losses of the epoch's steps so far, times their rows, by term.
        random: torch's random state at the start of the epoch, from which its order of rows is drawn.
        scores, losses: of the epochs that are finished.
    """

    parts: dict[str, Any]
    best: BestWeights | None
    epoch: int = 0
    step: int = 0
    totals: dict[str, float] = field(default_factory=dict)
    random: Tensor = field(default_factory=torch.get_rng_state)
    scores: list[list[float]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    ended: bool = False
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @classmethod
    def begun(cls, network: nn.Module, settings: LoopSettings) -> State:
        """Nothing done yet."""
        scored: Any = network if settings.average is None else settings.average.module
        parts: dict[str, Any] = {"network": network, "optimizer": settings.optimizer}
        if settings.schedule is not None:
            parts["schedule"] = settings.schedule
        if settings.average is not None:
            parts["average"] = settings.average
        if settings.validation is not None:
            parts["best"] = BestWeights(scored)
        first = next(network.parameters(), None)
        return cls(parts, parts.get("best"), device=torch.device("cpu") if first is None else first.device)

    def to_plain(self) -> dict[str, Any]:
        """Numbers, texts and tensors that settle how the training goes on."""
        own = {name: getattr(self, name) for name in _PLAIN}
        return {
            **own,
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "random states": random_states(self.device),
        }

    def take_plain(self, plain: dict[str, Any]) -> None:
        """Go on where `to_plain` stood."""
        if set(plain["parts"]) != set(self.parts):
            raise ValueError(f"it holds {', '.join(plain['parts'])}; this one has {', '.join(self.parts)}")
        for name, part in self.parts.items():
            part.load_state_dict(plain["parts"][name])
        for name in _PLAIN:
            setattr(self, name, plain[name])
        set_random_states(plain["random states"], self.device)


_PLAIN = ("epoch", "step", "totals", "random", "scores", "losses", "ended")
"""The attributes of a State that are kept as they are."""


def random_states(device: torch.device) -> dict[str, Tensor]:
    """Torch's random states: of the CPU, and of the device if it has one."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_states(states: dict[str, Tensor], device: torch.device) -> None:
    """Put back what `random_states` gave."""
    torch.set_rng_state(states["cpu"].cpu())
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"].cpu(), device)
