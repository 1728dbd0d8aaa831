"""How a network is trained, as one value: for one student, and for many at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Literal

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tutelage.core.errors import BadInput, did_you_mean
from tutelage.training.loop import step_count
from tutelage.training.state import LoopSettings

Optimizer = torch.optim.Optimizer | Callable[[list[nn.Parameter]], torch.optim.Optimizer]
Schedule = torch.optim.lr_scheduler.LRScheduler | Callable[[torch.optim.Optimizer, int], torch.optim.lr_scheduler.LRScheduler]


@dataclass(frozen=True)
class TrainingSettings:
    """How a training goes.

    Attributes:
        epochs: how often every row is seen; with `Views`, another view each epoch, in turn.
        batch_size: rows a step.
        seed: of shuffles, dropout and all else drawn in training; a network's initial weights are its own.
        optimizer: one of torch's, or a function from parameters to one, such as `partial(torch.optim.SGD, lr=0.1)`;
            Adam at 1e-3 if not given.
        schedule: one of torch's, stepped after every batch, or a function from (optimizer, steps) to one, such as `one_cycle`.
        patience: stop after so many epochs without a better validation score.
        clip_norm: gradients are scaled down to this norm.
        average: decay of an exponential moving average of the weights, such as 0.999; the average is what is kept.
        precision: "bfloat16" runs the network under autocast; its weights stay float32.
        compile: run the network through torch.compile.
        threads: torch's threads while it trains; 1 suits a few thousand weights, None leaves them as they are.
        checkpoint_steps: keep checkpoints also after so many steps of an epoch; 0 keeps them after each epoch alone.
    """

    epochs: int = 20
    batch_size: int = 128
    seed: int = 0
    optimizer: Optimizer | None = None
    schedule: Schedule | None = None
    patience: int | None = None
    clip_norm: float | None = None
    average: float | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    threads: int | None = None
    checkpoint_steps: int = 0

    def __post_init__(self) -> None:
        if self.average is not None and not 0 < self.average < 1:
            raise BadInput(f"average is {self.average}; expected the decay of a moving average, between 0 and 1, such as 0.999.")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise BadInput(f"clip_norm is {self.clip_norm}; expected a number above 0.")
        if self.threads is not None and self.threads < 1:
            raise BadInput(f"threads is {self.threads}; expected 1 or more, or None for torch's own number.")
        if self.precision not in ("float32", "bfloat16"):
            raise BadInput(f"precision is {self.precision!r}; expected 'float32' or 'bfloat16'.")

    @classmethod
    def of(cls, settings: dict[str, Any]) -> TrainingSettings:
        """From settings by name.

        Raises:
            BadInput: an unknown one; offers the closest.
        """
        names = [field.name for field in fields(cls)]
        unknown = next((name for name in settings if name not in names), None)
        if unknown is not None:
            raise BadInput(f"there is no setting {unknown!r} of a training; there are {', '.join(names)}.{did_you_mean(unknown, names)}")
        return cls(**settings)

    def optimizer_of(self, own: list[nn.Parameter], beside: list[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of a network's own parameters and of the projectors' beside it.

        One that was made before keeps what it holds, so that layers may be left frozen, and is given the projectors.

        Raises:
            BadInput: one that was made for another network.
        """
        if self.optimizer is None:
            return torch.optim.Adam([*own, *beside], lr=1e-3, fused=True)
        if not isinstance(self.optimizer, torch.optim.Optimizer):
            return self.optimizer([*own, *beside])
        held = {id(parameter) for group in self.optimizer.param_groups for parameter in group["params"]}
        if not any(id(parameter) in held for parameter in own):
            raise BadInput("the optimizer holds none of the student's parameters; make it with network.parameters(), or pass a function.")
        lacking = [parameter for parameter in beside if id(parameter) not in held]
        if lacking:
            self.optimizer.add_param_group({"params": lacking})
        return self.optimizer

    def schedule_of(self, optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler | None:
        """The schedule of this optimizer over so many steps."""
        if self.schedule is None or isinstance(self.schedule, torch.optim.lr_scheduler.LRScheduler):
            return self.schedule
        return self.schedule(optimizer, steps)

    def average_of(self, network: nn.Module) -> AveragedModel | None:
        """The moving average of this network's weights, norm statistics included."""
        if self.average is None:
            return None
        decay = get_ema_multi_avg_fn(self.average)  # type: ignore[no-untyped-call]
        return AveragedModel(network, multi_avg_fn=decay, use_buffers=True)

    def steps(self, rows: int) -> int:
        """Of the whole training, unless it is ended early."""
        return step_count(rows, batch_size=self.batch_size, epochs=self.epochs)

    def loop_settings(self, network: nn.Module, beside: nn.ModuleDict, *, rows: int, **further: Any) -> LoopSettings:
        """As the loop takes it.

        Args:
            network: what is trained.
            beside: the projectors that train with it.
            rows: of the data.
            further: validation, callbacks and advance of the `LoopSettings`.
        """
        optimizer = self.optimizer_of(list(network.parameters()), list(beside.parameters()))
        return LoopSettings(
            optimizer,
            self.epochs,
            self.batch_size,
            schedule=self.schedule_of(optimizer, self.steps(rows)),
            patience=self.patience,
            clip_norm=self.clip_norm,
            average=self.average_of(network),
            **further,
        )

    def described(self) -> dict[str, Any]:
        """What settles the weights, as plain values; functions and torch's objects by their name."""
        told = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in ("checkpoint_steps", "compile")}
        return {name: value if isinstance(value, bool | int | float | str | None) else _named(value) for name, value in told.items()}


def one_cycle(optimizer: torch.optim.Optimizer, steps: int, *, warm_up: float = 0.3) -> torch.optim.lr_scheduler.LRScheduler:
    """A schedule that rises to the optimizer's own learning rate for the share `warm_up` of the steps and then falls to nothing.

    Source: Smith, Topin 2017, arXiv 1708.07120.
    """
    peak = [group["lr"] for group in optimizer.param_groups]
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, total_steps=steps, pct_start=warm_up)


def _named(value: Any) -> str:
    if isinstance(value, partial):
        return f"{_named(value.func)}({', '.join([*map(str, value.args), *(f'{k}={v}' for k, v in value.keywords.items())])})"
    if isinstance(value, torch.optim.Optimizer):
        return f"{type(value).__name__} {[{k: v for k, v in group.items() if k != 'params'} for group in value.param_groups]}"
    return str(getattr(value, "__qualname__", type(value).__name__))
