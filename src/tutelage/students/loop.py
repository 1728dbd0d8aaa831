"""The training loop, once: for one network or a stack, whatever feeds it and whatever it is asked to match."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tutelage import engine
from tutelage.core.arrays import same_length
from tutelage.core.errors import BadInput
from tutelage.objectives.signals import Product, added
from tutelage.students.checkpoints import Checkpoints, random_states, set_random_states
from tutelage.students.feeds import Batch, Feed, TensorFeed
from tutelage.students.validation import BestWeights, Validation
from tutelage.students.watch import Watch

Lesson = Callable[[Batch], Tensor | Mapping[str, Product]]
"""What a batch costs: one loss per example, (batch,), or (copies, batch) for a stack; or such losses by term."""


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
class Course:
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
        advance: called after each step (see `steps_of`), for a progress display.
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


class Backend:
    """Where gradients are made: torch's own, in one process. `students.several` has the one for many."""

    keeps = True
    """Whether this process writes checkpoints."""

    def __init__(self) -> None:
        self._slopes: dict[tuple[Any, ...], Tensor] = {}

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The network as it is to be called."""
        return network

    def parts(self, order: Tensor, batch_size: int) -> list[Tensor]:
        """The rows of each step of this process, from all rows of an epoch in their order."""
        return list(torch.split(order, batch_size))

    def cost(self, losses: Tensor, steps: slice) -> Tensor:
        """(steps,) this process's part of what each step costs: mean over the batch, summed over copies.

        Args:
            losses: (steps, batch) or (steps, copies, batch).
            steps: which of the epoch's.
        """
        means = losses.mean(dim=-1)
        return means if means.ndim == 1 else means.sum(dim=1)

    def cost_of(self, products: Collection[Product], step: int) -> Tensor:
        """What one step costs, with gradient, for a backend whose gradient begins there."""
        losses = added(product.losses() for product in products)
        return self.cost(losses[None], slice(step, step + 1))[0]

    def backward(self, products: Collection[Product], step: int) -> None:
        """Add the gradient of a step's cost. It starts at the losses, not at their mean, or below them at the carriers of products."""
        learnt = [product for product in products if product.carrier.requires_grad] or products  # a frozen layer's has none
        torch.autograd.backward([product.carrier for product in learnt], [self._slope(product) for product in learnt])

    def _slope(self, product: Product) -> Tensor:
        """The gradient of the batch's mean at the carrier. One that is the same for every batch is made once."""
        carrier, slope, weight = product
        if slope is not None:
            rows = carrier.shape[-2]
            if isinstance(weight, float):
                return (slope / rows if weight == 1.0 else slope * (weight / rows)).expand_as(carrier)
            return (slope * weight[..., None] / rows).expand_as(carrier)
        if not isinstance(weight, float):
            return (weight / carrier.shape[-1]).expand_as(carrier)
        about = (carrier.shape, carrier.dtype, carrier.device, weight)
        if about not in self._slopes:
            self._slopes[about] = torch.full_like(carrier, weight / carrier.shape[-1])
        return self._slopes[about]

    def total(self, losses: Tensor) -> Tensor:
        """(steps,) the losses of whole steps, from this process's parts of them."""
        return losses

    def agreed(self, values: Tensor) -> Tensor:
        """The same in every process."""
        return values


def train(
    network: nn.Module,
    lesson: Lesson,
    feed: Feed,
    course: Course,
    *,
    memory: Checkpoints | None = None,
    backend: Backend | None = None,
    beside: nn.Module | None = None,
) -> Fit:
    """Train in place. Rows are shuffled anew each epoch from torch's random state (see `engine.seeded`).

    A last batch that is smaller than the others is trained on like them. With validation rows, each copy ends with
    the weights of its best epoch (the earliest of equals); without, with the last.

    Args:
        network: (batch, ...) -> (batch, classes), or (copies, batch, classes) for a stack; put into train mode.
        lesson: what a batch costs; calls the network.
        feed: the batches.
        course: optimizer, length and choice.
        memory: keeps the state of the training, so that a killed one goes on; None keeps nothing.
        backend: where gradients are made.
        beside: what the lesson trains with the network, and what is kept of it with a checkpoint.

    Raises:
        SelfCheckFailed: a loss is not finite; names the rows of the first such batch.
    """
    engine.keep_memory()
    state = State.begun(network, course)
    if beside is not None and len(beside.state_dict()):
        state.parts["beside"] = beside
    if memory is not None:
        memory.recall(state)
    steps = _Steps(network, lesson, course, backend or Backend())
    while not state.ended:
        if state.step == 0:
            state.epoch, state.random = state.epoch + 1, steps.backend.agreed(torch.get_rng_state())
        terms = steps.epoch(feed, state, memory)
        state.step = 0
        _close(state, network, course, terms, steps.backend)
        if memory is not None and steps.backend.keeps:
            memory.keep(state)
    return _ended(state, network, course)


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
    def begun(cls, network: nn.Module, course: Course) -> State:
        """Nothing done yet."""
        scored: Any = network if course.average is None else course.average.module
        parts: dict[str, Any] = {"network": network, "optimizer": course.optimizer}
        if course.schedule is not None:
            parts["schedule"] = course.schedule
        if course.average is not None:
            parts["average"] = course.average
        if course.validation is not None:
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


@dataclass
class _Steps:
    """The steps of an epoch."""

    network: nn.Module
    lesson: Lesson
    course: Course
    backend: Backend
    _learning: list[nn.Parameter] = field(default_factory=list)

    def epoch(self, feed: Feed, state: State, memory: Checkpoints | None) -> dict[str, float]:
        """Take the steps of an epoch that are not taken yet; the mean of its loss, by term."""
        now = torch.get_rng_state()
        torch.set_rng_state(state.random)
        order = torch.randperm(feed.rows)
        parts, sizes = self.backend.parts(order, self.course.batch_size), [len(part) for part in torch.split(order, self.course.batch_size)]
        if state.step:
            torch.set_rng_state(now)
        else:
            state.totals = {}
        self.network.train()
        self._learning = [parameter for group in self.course.optimizer.param_groups for parameter in group["params"]]
        watch = Watch(state, self.backend, sizes)
        for batch in feed.batches(state.epoch, parts[state.step :]):
            self._step(batch, state.step, watch)
            state.step += 1
            if memory is not None and memory.is_due(state.step):
                watch.look()
                if self.backend.keeps:
                    memory.keep(state)
        watch.look()
        return {name: total / feed.rows for name, total in state.totals.items()}

    def _step(self, batch: Batch, step: int, watch: Watch) -> None:
        course = self.course
        cost = self.lesson(batch)
        products = {"loss": Product(cost)} if isinstance(cost, Tensor) else cost
        watch.see(products, batch.rows, step)
        for parameter in self._learning:
            parameter.grad = None
        self.backend.backward(products.values(), step)
        if course.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._learning, course.clip_norm)
        course.optimizer.step()
        if course.schedule is not None:
            course.schedule.step()
        if course.average is not None:
            course.average.update_parameters(self.network)  # type: ignore[operator]
        course.advance()


def _close(state: State, network: nn.Module, course: Course, terms: Mapping[str, float], backend: Backend) -> None:
    """Score the epoch, tell the callbacks, and see whether it was the last."""
    loss = sum(terms.values())
    state.losses.append(loss)
    score = None
    if course.validation is not None and state.best is not None:
        found = backend.agreed(course.validation.score(network if course.average is None else course.average))
        state.best.offer(found, state.epoch, patience=course.patience)
        score = found.numpy()
        state.scores.append(score.tolist())
    best_epoch = None if state.best is None else state.best.epoch.numpy()
    report = Report(state.epoch, loss, terms, score, float(course.optimizer.param_groups[0]["lr"]), best_epoch)
    wishes = [callback(report) for callback in course.callbacks]
    patient = course.patience is None or best_epoch is None or state.epoch - int(best_epoch.max()) < course.patience
    state.ended = state.epoch >= course.epochs or not patient or any(wish is True for wish in wishes)


def _ended(state: State, network: nn.Module, course: Course) -> Fit:
    if state.best is not None:
        state.best.restore()
    if course.average is not None:
        network.load_state_dict(course.average.module.state_dict())  # type: ignore[union-attr]
    losses = np.array(state.losses)
    if state.best is None:
        return Fit(np.array([state.epoch]), np.empty((0, 1)), losses)
    return Fit(state.best.epoch.numpy(), np.array(state.scores), losses)


def fit(
    network: nn.Module,
    losses: Callable[[Tensor, Tensor], Tensor],
    *,
    inputs: Tensor,
    targets: Tensor,
    optimizer: torch.optim.Optimizer,
    epochs: int,
    batch_size: int,
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
    validation: Validation | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Fit:
    """`train` on whole tensors, each row with its target.

    Args:
        network: as `train` takes it.
        losses: (logits, targets of the batch) -> one loss per example: (batch,), or (copies, batch) for a stack.
        inputs: (rows, ...).
        targets: (rows, ...), what `losses` expects for a batch of rows.
        optimizer: as all that follow, as `Course` says.
        epochs: how often every row is seen.
        batch_size: rows a step.
        schedule: of the learning rate.
        validation: rows that choose the epoch.
        advance: called after each step.

    Raises:
        ShapeError: inputs and targets differ in rows. SelfCheckFailed: a loss is not finite.
    """
    same_length(inputs, targets, "inputs and targets")
    course = Course(optimizer, epochs, batch_size, schedule=schedule, validation=validation, advance=advance)
    return train(network, lambda batch: losses(network(batch.inputs), targets[batch.rows]), TensorFeed(inputs), course)


def steps_of(rows: int, *, batch_size: int, epochs: int) -> int:
    """How many steps a training takes: one a batch, the last and smaller one included."""
    return epochs * -(-rows // batch_size)
