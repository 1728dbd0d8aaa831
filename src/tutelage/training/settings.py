"""Training settings: how a network is trained, for a single student and for a group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from math import inf
from typing import Any, Literal, TypeVar

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tutelage.core.arguments import choice, flag, number, one_of_type, seed_of, whole
from tutelage.core.errors import FOREIGN, BadInput, TutelageError, did_you_mean, one_line
from tutelage.training.checkpoints import LENGTHS
from tutelage.training.feeding.feeds import Batching
from tutelage.training.state import LoopSettings

Optimizer = torch.optim.Optimizer | Callable[[list[nn.Parameter]], torch.optim.Optimizer]
Schedule = torch.optim.lr_scheduler.LRScheduler | Callable[[torch.optim.Optimizer, int], torch.optim.lr_scheduler.LRScheduler]
DEFAULT_EPOCHS = 20
DEFAULT_RATE = 1e-3


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained. The settings are passed to `fit` as keyword arguments, such as `fit(X, labels, epochs=50)`.

    Attributes:
        epochs: how often every row is used; by default 20, or as often as `max_steps` take. With `Views`, each epoch shows the next
            view, in turn.
        max_steps: the training ends after this many steps of the optimizer, also in the middle of an epoch, whose part is then validated
            and reported as the last epoch.
        batch_size: rows that the network processes at once; by default that of a DataLoader. A single last row joins the batch before it.
        accumulate: batches per step, whose gradients are added up: a step then learns from `accumulate` times `batch_size` rows, with
            the memory of one batch. Normalisation layers use the statistics of each batch.
        drop_last: leave out the rows of an epoch that do not fill a step, others in each epoch; by default as a DataLoader does.
        seed: seed of shuffles, dropout and all other random draws of the training, from torch, NumPy's global generator and `random`; not
            of the network's initial weights.
        optimizer: a torch optimizer, or a function from parameters to one, such as `partial(torch.optim.SGD, lr=0.1)`;
            by default Adam.
        lr: the learning rate of the default optimizer, 1e-3 if not given.
        schedule: a torch learning rate scheduler, stepped after every step, or a function from (optimizer, steps) to one, such as
            `one_cycle`. A `ReduceLROnPlateau` is stepped after every epoch, with the validation score, or else the training loss.
        patience: stop after this many epochs without a better validation score.
        clip_norm: gradients with a larger norm are scaled down to this norm.
        average: decay of an exponential moving average of the weights, such as 0.999; the student gets the averaged weights.
        precision: "bfloat16" runs the network under autocast; its weights stay float32.
        compile: run the network through torch.compile.
        threads: number of torch threads during training; 1 is best for networks of a few thousand weights, None changes nothing.
        checkpoint_steps: also save a checkpoint after every this many steps of an epoch; 0 saves after each epoch only.

    Raises:
        BadInput: a setting outside its range.

    Example:
        >>> import tutelage as tl
        >>> from functools import partial
        >>> import torch
        >>> settings = tl.training.TrainingSettings(epochs=50, optimizer=partial(torch.optim.SGD, lr=0.1), schedule=tl.training.one_cycle)
        >>> settings.steps(rows=1000)  # 8 batches an epoch
        400
        >>> settings.identity()["optimizer"][0]
        'SGD(lr=0.1)'
    """

    epochs: int | None = None
    max_steps: int | None = None
    batch_size: int = 128
    accumulate: int = 1
    drop_last: bool = False
    seed: int = 0
    optimizer: Optimizer | None = None
    lr: float | None = None
    schedule: Schedule | None = None
    patience: int | None = None
    clip_norm: float | None = None
    average: float | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    threads: int | None = None
    checkpoint_steps: int = 0

    def __post_init__(self) -> None:
        if self.epochs is None and self.max_steps is None:
            object.__setattr__(self, "epochs", DEFAULT_EPOCHS)
        for name, least in (("batch_size", 1), ("accumulate", 1), ("checkpoint_steps", 0)):
            object.__setattr__(self, name, whole(name, getattr(self, name), least))
        object.__setattr__(self, "seed", seed_of("seed", self.seed))
        for name in ("epochs", "max_steps", "patience", "threads"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, whole(name, getattr(self, name), 1))
        if self.average is not None:
            number("average", self.average, above=0, below=1, hint="(the decay of a moving average, such as 0.999)")
        if self.clip_norm is not None:
            number("clip_norm", self.clip_norm, above=0)
        choice("precision", self.precision, ("float32", "bfloat16"))
        for name in ("compile", "drop_last"):
            flag(name, getattr(self, name))
        self._check_optimizer_and_schedule()

    def _check_optimizer_and_schedule(self) -> None:
        for name, kind, example in (
            ("optimizer", torch.optim.Optimizer, "partial(torch.optim.SGD, lr=0.1)"),
            ("schedule", torch.optim.lr_scheduler.LRScheduler, "tutelage.training.one_cycle"),
        ):
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind) and not callable(value):
                raise BadInput(f"{name} is {value!r}; expected a torch {kind.__name__}, or a function that creates one, such as {example}.")
        if self.lr is not None:
            number("lr", self.lr, above=0)
            if self.optimizer is not None:
                raise BadInput(
                    f"lr is {self.lr}, the learning rate of the default optimizer, and an optimizer is given too; set its rate where it is "
                    "created, as partial(torch.optim.SGD, lr=0.1) does."
                )
        if isinstance(self.schedule, torch.optim.lr_scheduler.LRScheduler) and self.schedule.optimizer is not self.optimizer:
            raise BadInput("the schedule was made for another optimizer; pass that optimizer too, or a function of (optimizer, steps).")

    @classmethod
    def of(cls, settings: dict[str, Any], data: Any = None) -> TrainingSettings:
        """Settings from a dict by name.

        Args:
            settings: the settings.
            data: the rows to train on: a DataLoader has a batch size of its own, and may leave out a last batch.

        Raises:
            BadInput: an unknown name; the message suggests the closest. Another batch size than that of the DataLoader, or another
                `drop_last`.
        """
        names = [field.name for field in fields(cls)]
        unknown = next((name for name in settings if name not in names), None)
        if unknown is not None:
            raise BadInput(f"{unknown!r} is no training setting; expected one of {', '.join(names)}.{did_you_mean(unknown, names)}")
        if isinstance(data, torch.utils.data.DataLoader):
            own = _of_loader(data)
            differs = next((name for name in own if settings.get(name, own[name]) != own[name]), None)
            if differs is not None:
                raise BadInput(f"{differs} is {settings[differs]}, and the DataLoader's is {own[differs]}; leave {differs} out of fit.")
            settings = {**settings, **own}
        return cls(**settings)

    def optimizer_of(self, parameters: list[nn.Parameter], of_projectors: list[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of a network's parameters and of the projectors that train with it.

        An optimizer instance keeps its parameter groups, so that layers may stay frozen; the projectors are added to the last of them
        (see `own_optimizer_restored`).

        Raises:
            BadInput: the optimizer was made for another network, or takes no projectors; the function fails, or
                returns something else.
        """
        if self.optimizer is None:
            return torch.optim.Adam([*parameters, *of_projectors], lr=DEFAULT_RATE if self.lr is None else self.lr, fused=True)
        if not isinstance(self.optimizer, torch.optim.Optimizer):
            return _created(self.optimizer, "optimizer", torch.optim.Optimizer, [*parameters, *of_projectors])
        held = {id(parameter) for group in self.optimizer.param_groups for parameter in group["params"]}
        if not any(id(parameter) in held for parameter in parameters):
            raise BadInput("the optimizer holds none of the student's parameters; create it with network.parameters(), or pass a function.")
        missing = [parameter for parameter in of_projectors if id(parameter) not in held]
        if missing and isinstance(self.optimizer, torch.optim.Adagrad):
            raise BadInput(
                "this Adagrad was created without the projectors of the hidden layers, and takes no further parameters; pass a function, "
                "such as partial(torch.optim.Adagrad, lr=0.1)."
            )
        # Not a group of their own: a schedule that was made for the groups has no settings for another one.
        self.optimizer.param_groups[-1]["params"].extend(missing)
        return self.optimizer

    @contextmanager
    def own_optimizer_restored(self, projectors: Callable[[], Iterable[nn.Parameter]]) -> Iterator[None]:
        """Take the projectors, which a training makes anew, out of an optimizer instance again after a block that made them."""
        own = self.optimizer
        if not isinstance(own, torch.optim.Optimizer):
            yield
            return
        try:
            yield
        finally:
            made = {id(parameter) for parameter in projectors()}
            for group in own.param_groups:
                for parameter in group["params"]:
                    if id(parameter) in made:
                        own.state.pop(parameter, None)
                group["params"][:] = [parameter for parameter in group["params"] if id(parameter) not in made]

    def schedule_of(self, optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler | None:
        """The learning rate schedule of this optimizer for a training of `steps` steps.

        Raises:
            BadInput: the function fails, or returns something else.
        """
        if self.schedule is None or isinstance(self.schedule, torch.optim.lr_scheduler.LRScheduler):
            return self.schedule
        return _created(self.schedule, "schedule", torch.optim.lr_scheduler.LRScheduler, optimizer, steps)

    def average_of(self, network: nn.Module) -> AveragedModel | None:
        """The moving average of this network's weights and buffers, such as the statistics of normalisation layers."""
        if self.average is None:
            return None
        return WeightAverage(network, self.average)

    @property
    def batching(self) -> Batching:
        """How an epoch is divided into steps, and these into batches."""
        return Batching(self.batch_size, self.accumulate, self.drop_last)

    def steps(self, rows: int) -> int:
        """The number of steps of a training on this many rows, unless it stops early.

        Raises:
            BadInput: no step has enough rows.
        """
        return self.length(self.batching.steps(whole("rows", rows, 1)))[1]

    def length(self, steps_per_epoch: int) -> tuple[int, int]:
        """The number of epochs, the last of which may be a part, and of steps in all of them.

        Raises:
            BadInput: an epoch without steps.
        """
        if steps_per_epoch < 1:
            raise BadInput(
                f"an epoch has no step: all rows together do not fill one of {self.batching.step_size}, and drop_last=True leaves out "
                "those that do not. Take a smaller batch_size, or drop_last=False."
            )
        most = inf if self.epochs is None else self.epochs * steps_per_epoch
        steps = int(most if self.max_steps is None else min(most, self.max_steps))
        return -(-steps // steps_per_epoch), steps

    def loop_settings(self, network: nn.Module, projectors: nn.ModuleDict, *, epochs: int, steps: int, **further: Any) -> LoopSettings:
        """The settings of the training loop.

        Args:
            network: the network to train.
            projectors: the projectors that train with it.
            epochs: the number of epochs, from `length`.
            steps: the number of steps of the training, from `length`.
            further: validation, callbacks, advance and terms_at of the `LoopSettings`.
        """
        optimizer = self.optimizer_of(list(network.parameters()), list(projectors.parameters()))
        return LoopSettings(
            optimizer,
            epochs,
            self.batch_size,
            schedule=self.schedule_of(optimizer, steps),
            patience=self.patience,
            clip_norm=self.clip_norm,
            average=self.average_of(network),
            accumulate=self.accumulate,
            drop_last=self.drop_last,
            max_steps=self.max_steps,
            steps=steps,
            **further,
        )

    def identity(self, *, fixed_length: bool = False) -> dict[str, Any]:
        """The settings that determine the trained weights: plain values, and for functions and torch objects (name, content).

        `epochs` and `max_steps` are among them if a schedule was laid out for their steps.

        Args:
            fixed_length: whether the objective has such a schedule.
        """
        left_out = ("checkpoint_steps", "compile", *([] if fixed_length or self._schedule_has_length else LENGTHS))
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in left_out}
        return {
            name: value if isinstance(value, bool | int | float | str | None) else (_named(value), _content(value))
            for name, value in values.items()
        }

    @property
    def _schedule_has_length(self) -> bool:
        return self.schedule is not None and not isinstance(self.schedule, torch.optim.lr_scheduler.LRScheduler)


class WeightAverage(AveragedModel):
    """An exponential moving average of a network's weights and buffers; those that have no mean are copied.

    Whole numbers and truth values have none (an index, the number of batches that a layer has seen), nor have the infinities of a mask.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)  # type: ignore[no-untyped-call]
        self._without_mean = [place for place, value in enumerate(_tensors(network)) if not _has_mean(value)]

    def update_parameters(self, model: nn.Module) -> None:
        """Take the weights after a step."""
        super().update_parameters(model)
        if self._without_mean:
            averaged, current = _tensors(self.module), _tensors(model)
            for place in self._without_mean:
                averaged[place].copy_(current[place])


def _tensors(network: nn.Module) -> list[torch.Tensor]:
    return [value.detach() for value in (*network.parameters(), *network.buffers())]


def _has_mean(value: torch.Tensor) -> bool:
    return (value.is_floating_point() or value.is_complex()) and bool(value.isfinite().all())


def _of_loader(loader: torch.utils.data.DataLoader[Any]) -> dict[str, Any]:
    """The settings that a DataLoader has: those of its batch sampler, unless that is the user's own, and makes batches as it likes."""
    sampler = loader.batch_sampler
    if type(sampler) is not torch.utils.data.BatchSampler:
        return {"drop_last": False}
    return {"batch_size": sampler.batch_size, "drop_last": sampler.drop_last}


def one_cycle(optimizer: torch.optim.Optimizer, steps: int, *, warm_up: float = 0.3) -> torch.optim.lr_scheduler.LRScheduler:
    """The one-cycle learning rate schedule: it rises to the optimizer's learning rate, then falls to almost zero, along cosines.

    As in torch, it also changes the momentum of SGD, or the first beta of Adam, between 0.95 and 0.85, in the opposite direction.

    Args:
        optimizer: the optimizer; its learning rate is the peak.
        steps: the number of steps of the training.
        warm_up: the share of the steps in which the learning rate rises.

    Returns:
        A torch scheduler, to be stepped after every step of the optimizer.

    Raises:
        BadInput: a share that is not between 0 and 1.

    Source: Smith, Topin 2017, arXiv 1708.07120.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> optimizer = torch.optim.Adam(torch.nn.Linear(4, 3).parameters(), lr=0.1)
        >>> schedule, rates = tl.training.one_cycle(optimizer, 6, warm_up=0.5), []
        >>> for step in range(6):  # fit(..., schedule=tl.training.one_cycle) does the same
        ...     rates.append(round(schedule.get_last_lr()[0], 3))
        ...     optimizer.step()
        ...     schedule.step()
        >>> rates
        [0.004, 0.052, 0.1, 0.075, 0.025, 0.0]
    """
    one_of_type("optimizer", optimizer, torch.optim.Optimizer, "a torch optimizer")
    steps = whole("steps", steps, 1)
    warm_up = number("warm_up", warm_up, least=0, most=1, hint="(a share of the steps)")
    peak = [group["lr"] for group in optimizer.param_groups]
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, total_steps=steps, pct_start=warm_up)


Made = TypeVar("Made")


def _created(create: Callable[..., Any], name: str, kind: type[Made], *arguments: Any) -> Made:
    """What the user's function makes of these arguments.

    Raises:
        BadInput: it fails, or makes something else.
    """
    try:
        made = create(*arguments)
    except TutelageError:
        raise
    except FOREIGN as error:  # the code of the user
        raise BadInput(f"{name}= {_named(create)} failed ({one_line(error)}); expected a function that creates one.") from error
    if not isinstance(made, kind):
        raise BadInput(f"{name}= {_named(create)} returned a {type(made).__name__}; expected a torch {kind.__name__}.")
    return made


def _content(value: Any) -> Any:
    """What settles the effect of a function, of an optimizer or of a schedule, without the weights that it refers to."""
    if isinstance(value, torch.optim.Optimizer):
        groups = [{**group, "params": [tuple(parameter.shape) for parameter in group["params"]]} for group in value.param_groups]
        return [type(value), value.defaults, groups]
    if isinstance(value, torch.optim.lr_scheduler.LRScheduler):
        return [type(value), {name: _content(item) for name, item in vars(value).items() if name != "optimizer"}]
    return [_content(item) for item in value] if isinstance(value, list) else value


def _named(value: Any) -> str:
    if isinstance(value, partial):
        return f"{_named(value.func)}({', '.join([*map(str, value.args), *(f'{k}={v}' for k, v in value.keywords.items())])})"
    if isinstance(value, torch.optim.Optimizer):
        return f"{type(value).__name__} {[{k: v for k, v in group.items() if k != 'params'} for group in value.param_groups]}"
    return str(getattr(value, "__qualname__", type(value).__name__))
