"""The training loop, for a single network or a stack, for any feed and any objective."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.arrays import same_length
from tutelage.core.errors import FOREIGN, BadInput, one_line, shown
from tutelage.training.backend import Backend
from tutelage.training.checkpoints import Checkpoints
from tutelage.training.feeding.feeds import Batch, Feed, TensorFeed
from tutelage.training.stacked_network import copies_of
from tutelage.training.state import Fit, LoopSettings, Report, State
from tutelage.training.validation import Validation
from tutelage.training.watching.loss_monitor import LossMonitor

BatchLossFunction = Callable[[Batch], Tensor | Mapping[str, Tensor]]
"""The losses of a batch, one per example: (batch,), or (copies, batch) for a stack; or weighted losses like these, by term."""


def train(
    network: nn.Module,
    batch_loss: BatchLossFunction,
    feed: Feed,
    settings: LoopSettings,
    *,
    checkpoints: Checkpoints | None = None,
    backend: Backend | None = None,
    projectors: nn.Module | None = None,
    count: Callable[[Tensor], int] | None = None,
) -> Fit:
    """Train a network in place.

    Rows are shuffled again each epoch, from torch's random state (see `torch_runtime.seeded`). A smaller last step is used like the
    others, unless it is to be left out; a single last row joins the batch before it. With validation rows, each copy ends with the
    weights of its best epoch (the earliest of equals); without, with the last weights.

    Args:
        network: (batch, ...) -> (batch, classes), or (copies, batch, classes) for a stack; put into train mode, except layers that were
            put into eval mode one by one (see `torch_runtime.set_to_train`), until the training ends.
        batch_loss: computes the losses of a batch; calls the network.
        feed: gives the batches.
        settings: optimizer, length and validation.
        checkpoints: where the state is saved, so that an interrupted training resumes; None saves nothing.
        backend: computes the gradients; None is torch in one process.
        projectors: modules that train with the network and are saved with a checkpoint.
        count: how many losses these rows of the data have, if not one each; the mean of a step is over all of them, in all its batches.

    Raises:
        SelfCheckFailed: a loss is not finite; names the rows of the first such batch. BadInput: the loss has no gradient, or the
            schedule fails or does not fit a stack.
    """
    if settings.reads_scores and copies_of(network) is not None:
        raise BadInput("ReduceLROnPlateau follows one score, and a stack has one for each copy; use another schedule, or stack_size=1.")
    state = State.start(network, settings)
    if projectors is not None and len(projectors.state_dict()):
        state.parts["projectors"] = projectors
    if checkpoints is not None:
        checkpoints.restore(state, epochs=settings.epochs, max_steps=settings.max_steps)
    steps = _Steps(network, batch_loss, settings, backend or Backend(), [] if projectors is None else list(projectors.parameters()), count)
    try:
        with torch_runtime.modes_restored(network):
            torch_runtime.set_to_train(network)
            _run(state, steps, feed, checkpoints)
    finally:
        _clear_gradients([*network.parameters(), *steps.outside])
    return _finish(state, network, settings)


def _run(state: State, steps: _Steps, feed: Feed, checkpoints: Checkpoints | None) -> None:
    """The epochs, until the last one or an early end."""
    settings = steps.settings
    while not state.stopped and (state.step or (state.epoch < settings.epochs and settings.left(state) > 0)):
        if state.step == 0:
            state.epoch, state.random = state.epoch + 1, steps.backend.broadcast(torch.get_rng_state())
        terms, is_whole = steps.epoch(feed, state, checkpoints)
        saving = checkpoints if steps.backend.writes_checkpoints else None
        if is_whole:
            state.step = 0
        elif saving is not None:
            saving.save(state)  # before the score of a part of an epoch, so that a longer training goes on as if it had none
        _end_epoch(state, steps.network, settings, terms, steps.backend)
        if not is_whole:
            return
        if saving is not None:
            saving.save(state)


@dataclass(frozen=True)
class _Place:
    """A batch in its step: its share of the losses of the step, and whether it is the first or the last."""

    share: float
    is_first: bool
    is_last: bool


@dataclass
class _Steps:
    """The steps of an epoch; `outside` are the parameters that train with the network and are no part of it."""

    network: nn.Module
    batch_loss: BatchLossFunction
    settings: LoopSettings
    backend: Backend
    outside: list[nn.Parameter]
    count: Callable[[Tensor], int] | None = None
    _parameters: list[nn.Parameter] = field(default_factory=list)

    def epoch(self, feed: Feed, state: State, checkpoints: Checkpoints | None) -> tuple[dict[str, float], bool]:
        """Take the remaining steps of an epoch; returns its mean loss, by term, and whether it came to its end."""
        now = torch.get_rng_state()
        torch.set_rng_state(state.random)
        plan = feed.plan(state.epoch, self.settings.batching)
        if state.step:
            torch.set_rng_state(now)
        else:
            state.totals = {}
        self._parameters = [parameter for group in self.settings.optimizer.param_groups for parameter in group["params"]]
        end, done, losses = state.step + max(self.settings.left(state), 0), 0, 0
        for steps in _some(plan):
            taken, last = max(min(state.step - done, len(steps)), 0), int(min(len(steps), end - done))
            if last > taken:
                losses += self._some_steps(feed, state, checkpoints, steps[:last], taken)
            else:
                losses += sum(self._sizes(steps[:last]))
            if last < len(steps):
                return _means(state.totals, losses), False
            done += last
        return _means(state.totals, losses), True

    def _some_steps(self, feed: Feed, state: State, checkpoints: Checkpoints | None, steps: list[list[Tensor]], taken: int) -> int:
        """Take some steps that follow each other, without the first, which were taken before; returns how many losses all have."""
        batches, count, first = [rows for step in steps for rows in step], self.count or len, sum(map(len, steps[:taken]))
        parts, sizes = self.backend.parts(batches, count), self._sizes(steps)
        monitor, places = LossMonitor(state, self.backend, sizes), _places(steps, sizes)
        with closing(feed.batches(state.epoch, parts[first:])) as found:
            for number, batch in enumerate(found, first):
                self._batch(batch, number, places[number], state, monitor)
                if places[number].is_last:
                    self._step(state)
                    if checkpoints is not None and checkpoints.is_due(state.step):
                        monitor.check()
                        if self.backend.writes_checkpoints:
                            checkpoints.save(state)
        monitor.check()
        return sum(sizes)

    def _sizes(self, steps: list[list[Tensor]]) -> list[int]:
        """The number of losses of each batch, over all processes."""
        count = self.count or len
        return [count(rows) for step in steps for rows in step]

    def _batch(self, batch: Batch, number: int, place: _Place, state: State, monitor: LossMonitor) -> None:
        """Add the gradient of a batch."""
        if place.is_first:
            self.settings.terms_at(self.settings.progress(state.taken))
            _clear_gradients(self._parameters)
        with self.backend.exchanging(last=place.is_last):
            loss = self.batch_loss(batch)
            losses = {"loss": loss} if isinstance(loss, Tensor) else loss
            monitor.add(losses if self.count is None else {name: averaged(loss) for name, loss in losses.items()}, batch.rows, number)
            self.backend.backward(losses.values(), number, place.share)

    def _step(self, state: State) -> None:
        """Take a step with the gradients of its batches."""
        settings = self.settings
        self.backend.complete_gradients(self.outside)
        if settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._parameters, settings.clip_norm)
        settings.optimizer.step()
        if settings.schedule is not None and not settings.reads_scores:
            step_schedule(settings.schedule)
        if settings.average is not None:
            settings.average.update_parameters(self.network)  # type: ignore[operator]
        state.step, state.taken = state.step + 1, state.taken + 1
        settings.advance()


STEPS_AT_ONCE = 1024
"""Steps of an epoch that are planned at a time, if its plan is not held as a whole."""


def _some(plan: list[list[Tensor]] | Iterator[list[Tensor]]) -> Iterator[list[list[Tensor]]]:
    """A plan that is held as a whole, or some steps at a time."""
    if isinstance(plan, list):
        yield plan
        return
    while steps := list(islice(plan, STEPS_AT_ONCE)):
        yield steps


def _clear_gradients(parameters: Iterable[nn.Parameter]) -> None:
    for parameter in parameters:
        parameter.grad = None


def _means(totals: Mapping[str, float], losses: int) -> dict[str, float]:
    return {name: total / max(losses, 1) for name, total in totals.items()}


def _places(plan: list[list[Tensor]], sizes: list[int]) -> list[_Place]:
    """The place of each batch of an epoch in its step.

    Args:
        plan: the rows of the batches of each step.
        sizes: the number of losses of each batch, over all processes.
    """
    places: list[_Place] = []
    for step in plan:
        of_step = sizes[len(places) : len(places) + len(step)]
        shares = [1.0] if len(step) == 1 else [size / max(sum(of_step), 1) for size in of_step]
        places += [_Place(share, number == 0, number == len(step) - 1) for number, share in enumerate(shares)]
    return places


def averaged(losses: Tensor) -> Tensor:
    """(1,) the mean of the losses of a batch, 0 without any: batches with different numbers of positions are watched alike."""
    return losses.detach().mean(dim=-1, keepdim=True) if losses.shape[-1] else losses.new_zeros((*losses.shape[:-1], 1))


def step_schedule(schedule: torch.optim.lr_scheduler.LRScheduler) -> None:
    """Step a schedule after a step of the optimizer.

    Raises:
        BadInput: the schedule raises an error, as one that was laid out for fewer steps does.
    """
    try:
        schedule.step()
    except FOREIGN as error:  # torch's, and those of schedules of the user's own
        raise BadInput(
            f"the schedule {type(schedule).__name__} failed after a step ({one_line(error)}); it is stepped at each step. "
            "Pass a function of (optimizer, steps), which knows how many there are."
        ) from error


def _end_epoch(state: State, network: nn.Module, settings: LoopSettings, terms: Mapping[str, float], backend: Backend) -> None:
    """Score the epoch, call the callbacks, and decide whether it was the last."""
    loss = sum(terms.values())
    state.losses.append(loss)
    score = None
    if settings.validation is not None and state.best is not None:
        epoch_score = backend.broadcast(settings.validation.score(network if settings.average is None else settings.average))
        state.best.update(epoch_score, state.epoch, patience=settings.patience)
        score = epoch_score.numpy()
        state.scores.append(score.tolist())
    if settings.reads_scores:
        settings.schedule.step(float(loss if score is None else score[0]))  # type: ignore[union-attr, arg-type]
    best_epoch = None if state.best is None else state.best.epoch.numpy()
    rate = float(settings.optimizer.param_groups[0]["lr"])
    report = Report(state.epoch, loss, terms, score, rate, best_epoch, settings.terms_at(settings.progress(state.taken - 1)))
    results = [callback(report) for callback in settings.callbacks]
    has_patience = settings.patience is None or best_epoch is None or state.epoch - int(best_epoch.max()) < settings.patience
    state.stopped = not has_patience or any(map(_ends, results))


def _ends(result: Any) -> bool:
    """Whether what a callback returned ends the training: True, in Python, NumPy or torch.

    Raises:
        BadInput: it is no single truth value, and not None.
    """
    if result is None or isinstance(result, bool | np.bool_):
        return bool(result)
    is_one = isinstance(result, np.ndarray | Tensor) and result.dtype in (np.bool_, torch.bool) and len(result.reshape(-1)) == 1
    if not is_one:
        raise BadInput(f"a callback returned {shown(result)}; expected True, which ends the training, or False or None.")
    return bool(result)


def _finish(state: State, network: nn.Module, settings: LoopSettings) -> Fit:
    if state.best is not None:
        state.best.restore()
    if settings.average is not None:
        averaged: nn.Module = settings.average.module  # type: ignore[assignment]
        network.load_state_dict(averaged.state_dict())
        torch_runtime.set_buffers(network, torch_runtime.unsaved_buffers(averaged))
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
    """`train` on tensors: inputs, and a target for each row.

    Args:
        network: as in `train`.
        losses: (logits, targets of the batch) -> one loss per example: (batch,), or (copies, batch) for a stack.
        inputs: (rows, ...).
        targets: (rows, ...); `losses` gets those of the batch.
        optimizer: as the following arguments, as in `LoopSettings`.
        epochs: how often every row is used.
        batch_size: rows per step.
        schedule: the learning rate schedule.
        validation: rows that select the epoch.
        advance: called after each step.

    Raises:
        ShapeError: inputs and targets have different numbers of rows. SelfCheckFailed: a loss is not finite.
    """
    same_length(inputs, targets, "inputs and targets")
    settings = LoopSettings(optimizer, epochs, batch_size, schedule=schedule, validation=validation, advance=advance)
    return train(network, lambda batch: losses(network(batch.inputs), targets[batch.rows]), TensorFeed(inputs), settings)
