"""The state of a training, the report of an epoch, and the result at the end."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput
from tutelage.training.feeding.feeds import Batching
from tutelage.training.validation import BestWeights, Validation


@dataclass(frozen=True)
class Fit:
    """The history of a fit, for a single network (copies = 1) or a stack. A student stores it as `fit_`.

    Attributes:
        best_epoch: (copies,) the epoch, from 1, whose weights the student has.
        scores: (epochs, copies) the validation score after each epoch, lower is better; empty without validation rows.
        losses: (epochs,) mean training loss of each epoch, summed over copies.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> fit = tl.TorchStudent(tl.training.mlp((4, 8, 3))).fit(X, y=y, epochs=5, validation=0.2).fit_
        >>> fit.scores.shape, fit.losses.shape
        ((5, 1), (5,))
        >>> bool(fit.scores[fit.best_epoch[0] - 1, 0] == fit.scores.min())
        True
    """

    best_epoch: NDArray[np.int64]
    scores: NDArray[np.float64]
    losses: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True)
class Report:
    """The report of one epoch, which every callback receives.

    Attributes:
        epoch: the number of the epoch, from 1.
        loss: mean training loss over the rows of the epoch, each with the weights of its step; summed over copies.
        terms: the mean of each term of the loss, by name; they add up to `loss`.
        score: (copies,) the score on the validation rows, lower is better; None without them.
        rate: the learning rate of the optimizer after the epoch, to which the schedule set it after the last step.
        best_epoch: (copies,) the best epoch so far; None without validation rows.
        scheduled: the weights and temperatures of the objective that change during the training, as in the last step, by name.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> reports = []
        >>> student = tl.TorchStudent(tl.training.mlp((4, 8, 3))).fit(X, y=y, epochs=3, callbacks=[reports.append])
        >>> [(report.epoch, list(report.terms), report.rate) for report in reports]
        [(1, ['hard_cross_entropy'], 0.001), (2, ['hard_cross_entropy'], 0.001), (3, ['hard_cross_entropy'], 0.001)]
    """

    epoch: int
    loss: float
    terms: Mapping[str, float]
    score: NDArray[np.float64] | None
    rate: float
    best_epoch: NDArray[np.int64] | None
    scheduled: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class LoopSettings:
    """The settings of the training loop.

    Attributes:
        optimizer: a torch optimizer of the network's parameters (and those of the projectors).
        epochs: how often every row is used, at most.
        batch_size: rows that the network processes at once.
        schedule: a torch learning rate scheduler, stepped after every step; `ReduceLROnPlateau` after every epoch.
        validation: rows that select the epoch and are not trained on.
        patience: stop after this many epochs without a better score; None never stops early.
        clip_norm: gradients with a larger norm are scaled down to this norm; None changes nothing.
        average: an exponential moving average of the weights (`torch.optim.swa_utils.AveragedModel` of the network),
            updated after each step; the averaged weights are validated, and are the result.
        callbacks: called with a `Report` after each epoch; if one returns True, the training ends.
        advance: called after each step (see `step_count`), for a progress display.
        accumulate: batches per step.
        drop_last: leave out the rows of an epoch that do not fill a step.
        max_steps: the training ends after this many steps, also in the middle of an epoch; None sets no end.
        steps: the number of steps that are planned, of which `terms_at` gets the share.
        terms_at: called before each step with the share of the training that is done, from 0 to 1; sets the weights and temperatures
            that change, and returns them by name.
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
    accumulate: int = 1
    drop_last: bool = False
    max_steps: int | None = None
    steps: int = 0
    terms_at: Callable[[float], Mapping[str, float]] = lambda share: {}

    def __post_init__(self) -> None:
        _check_stepping(self.optimizer)
        if self.epochs < 1 or self.batch_size < 1:
            raise BadInput(f"epochs is {self.epochs} and batch_size is {self.batch_size}; expected 1 or more for each.")
        if self.patience is not None and (self.validation is None or self.patience < 1):
            raise BadInput(
                f"patience is {self.patience}; expected 1 or more epochs, and validation rows: pass validation=, or leave patience out."
            )

    @property
    def batching(self) -> Batching:
        """How an epoch is divided into steps, and these into batches."""
        return Batching(self.batch_size, self.accumulate, self.drop_last)

    def left(self, state: State) -> float:
        """How many more steps `max_steps` allows."""
        return inf if self.max_steps is None else self.max_steps - state.taken

    def progress(self, taken: int) -> float:
        """The share of the training that is done after some steps: 0 before the first, and 1 before the last."""
        return min(max(taken, 0) / max(self.steps - 1, 1), 1.0)

    @property
    def reads_scores(self) -> bool:
        """Whether the schedule is stepped with the score of an epoch."""
        return isinstance(self.schedule, torch.optim.lr_scheduler.ReduceLROnPlateau)


def _check_stepping(optimizer: torch.optim.Optimizer) -> None:
    """Check that an optimizer steps with the gradient of one batch.

    Raises:
        BadInput: its step needs a function that computes the loss again, as that of LBFGS does.
    """
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if isinstance(optimizer, torch.optim.LBFGS) or (closure is not None and closure.default is inspect.Parameter.empty):
        raise BadInput(
            f"{type(optimizer).__name__} computes the loss several times in a step, and a training takes one gradient for each batch; "
            "use an optimizer such as torch.optim.Adam or SGD."
        )


@dataclass
class State:
    """All that determines how a training continues, except the data.

    Attributes:
        parts: the objects with a `state_dict`, by name: network, optimizer, schedule, average, best weights, projectors.
        best: the best weights so far; None without validation rows.
        epoch: the number of the current epoch, or of the last finished one; 0 before the first.
        step: the number of finished steps of the epoch; 0 when the epoch is finished.
        taken: the number of all finished steps.
        totals: by term, the sum over the epoch's steps so far of mean loss times rows.
        random: torch's random state at the start of the epoch, from which the order of rows is drawn.
        scores: the validation scores of the finished epochs.
        losses: the mean training losses of the finished epochs.
        stopped: whether a callback ended the training, or its patience.
        device: the device of the network.
    """

    parts: dict[str, Any]
    best: BestWeights | None
    epoch: int = 0
    step: int = 0
    taken: int = 0
    totals: dict[str, float] = field(default_factory=dict)
    random: Tensor = field(default_factory=torch.get_rng_state)
    scores: list[list[float]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    stopped: bool = False
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @classmethod
    def start(cls, network: nn.Module, settings: LoopSettings) -> State:
        """The state before the first step."""
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
        """The state as plain values and tensors, for a checkpoint."""
        values = {name: getattr(self, name) for name in _PLAIN}
        return {
            **values,
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "unsaved buffers": {
                name: torch_runtime.unsaved_buffers(part) for name, part in self.parts.items() if isinstance(part, nn.Module)
            },
            "random states": random_states(self.device),
        }

    def take_plain(self, plain: dict[str, Any]) -> None:
        """Load what `to_plain` returned.

        Raises:
            ValueError: its parts differ from those of this training.
        """
        if set(plain["parts"]) != set(self.parts):
            raise ValueError(f"it holds {', '.join(plain['parts'])}; expected {', '.join(self.parts)}")
        for name, part in self.parts.items():
            part.load_state_dict(plain["parts"][name])
        for name, buffers in plain["unsaved buffers"].items():
            torch_runtime.set_buffers(self.parts[name], buffers)
        for name in _PLAIN:
            setattr(self, name, plain[name])
        set_random_states(plain["random states"], self.device)


_PLAIN = ("epoch", "step", "taken", "totals", "random", "scores", "losses", "stopped")
"""The attributes of a State that are saved unchanged."""


def random_states(device: torch.device) -> dict[str, Any]:
    """The global random states, as plain values and tensors: of `random`, NumPy and torch, and that of the device if it has one."""
    version, words, following = random.getstate()
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 - what networks draw from
    states = {
        "random": [version, torch.tensor(words), following],
        "numpy": [kind, torch.from_numpy(np.asarray(keys, np.int64)), *rest],
        "cpu": torch.get_rng_state(),
    }
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_states(states: dict[str, Any], device: torch.device) -> None:
    """Restore what `random_states` returned."""
    version, words, following = states["random"]
    random.setstate((version, tuple(words.tolist()), following))
    kind, keys, *rest = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(states["cpu"].cpu())
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"].cpu(), device)
