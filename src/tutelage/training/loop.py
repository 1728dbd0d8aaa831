"""The training loop, once: for one network or a stack, whatever feeds it and whatever it is asked to match."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from tutelage.core.arrays import same_length
from tutelage.training.backend import Backend
from tutelage.training.checkpoints import Checkpoints
from tutelage.training.feeds import Batch, Feed, TensorFeed
from tutelage.training.loss_monitor import LossMonitor
from tutelage.training.state import Fit, LoopSettings, Report, State
from tutelage.training.validation import Validation

BatchLossFunction = Callable[[Batch], Tensor | Mapping[str, Tensor]]
"""The losses of a batch: one per example, (batch,), or (copies, batch) for a stack; or such losses by term, weighted."""


def train(
    network: nn.Module,
    batch_loss: BatchLossFunction,
    feed: Feed,
    settings: LoopSettings,
    *,
    checkpoints: Checkpoints | None = None,
    backend: Backend | None = None,
    projectors: nn.Module | None = None,
) -> Fit:
    """Train in place. Rows are shuffled anew each epoch from torch's random state (see `torch_runtime.seeded`).

    A last batch that is smaller than the others is trained on like them. With validation rows, each copy ends with
    the weights of its best epoch (the earliest of equals); without, with the last.

    Args:
        network: (batch, ...) -> (batch, classes), or (copies, batch, classes) for a stack; put into train mode.
        batch_loss: the losses of a batch; calls the network.
        feed: the batches.
        settings: optimizer, length and validation.
        checkpoints: where the state of the training is saved, so that a killed one resumes; None saves nothing.
        backend: where gradients are made.
        projectors: what trains beside the network and is saved with a checkpoint.

    Raises:
        SelfCheckFailed: a loss is not finite; names the rows of the first such batch.
    """
    state = State.begun(network, settings)
    if projectors is not None and len(projectors.state_dict()):
        state.parts["projectors"] = projectors
    if checkpoints is not None:
        checkpoints.restore(state)
    steps = _Steps(network, batch_loss, settings, backend or Backend())
    while not state.ended:
        if state.step == 0:
            state.epoch, state.random = state.epoch + 1, steps.backend.broadcast(torch.get_rng_state())
        terms = steps.epoch(feed, state, checkpoints)
        state.step = 0
        _close(state, network, settings, terms, steps.backend)
        if checkpoints is not None and steps.backend.writes_checkpoints:
            checkpoints.save(state)
    return _ended(state, network, settings)


@dataclass
class _Steps:
    """The steps of an epoch."""

    network: nn.Module
    batch_loss: BatchLossFunction
    settings: LoopSettings
    backend: Backend
    _learning: list[nn.Parameter] = field(default_factory=list)

    def epoch(self, feed: Feed, state: State, checkpoints: Checkpoints | None) -> dict[str, float]:
        """Take the steps of an epoch that are not taken yet; the mean of its loss, by term."""
        now = torch.get_rng_state()
        torch.set_rng_state(state.random)
        order = torch.randperm(feed.rows)
        parts, sizes = (
            self.backend.parts(order, self.settings.batch_size),
            [len(part) for part in torch.split(order, self.settings.batch_size)],
        )
        if state.step:
            torch.set_rng_state(now)
        else:
            state.totals = {}
        self.network.train()
        self._learning = [parameter for group in self.settings.optimizer.param_groups for parameter in group["params"]]
        monitor = LossMonitor(state, self.backend, sizes)
        for batch in feed.batches(state.epoch, parts[state.step :]):
            self._step(batch, state.step, monitor)
            state.step += 1
            if checkpoints is not None and checkpoints.is_due(state.step):
                monitor.check()
                if self.backend.writes_checkpoints:
                    checkpoints.save(state)
        monitor.check()
        return {name: total / feed.rows for name, total in state.totals.items()}

    def _step(self, batch: Batch, step: int, monitor: LossMonitor) -> None:
        settings = self.settings
        found = self.batch_loss(batch)
        losses = {"loss": found} if isinstance(found, Tensor) else found
        monitor.add(losses, batch.rows, step)
        for parameter in self._learning:
            parameter.grad = None
        self.backend.backward(losses.values(), step)
        if settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._learning, settings.clip_norm)
        settings.optimizer.step()
        if settings.schedule is not None:
            settings.schedule.step()
        if settings.average is not None:
            settings.average.update_parameters(self.network)  # type: ignore[operator]
        settings.advance()


def _close(state: State, network: nn.Module, settings: LoopSettings, terms: Mapping[str, float], backend: Backend) -> None:
    """Score the epoch, tell the callbacks, and see whether it was the last."""
    loss = sum(terms.values())
    state.losses.append(loss)
    score = None
    if settings.validation is not None and state.best is not None:
        found = backend.broadcast(settings.validation.score(network if settings.average is None else settings.average))
        state.best.offer(found, state.epoch, patience=settings.patience)
        score = found.numpy()
        state.scores.append(score.tolist())
    best_epoch = None if state.best is None else state.best.epoch.numpy()
    report = Report(state.epoch, loss, terms, score, float(settings.optimizer.param_groups[0]["lr"]), best_epoch)
    wishes = [callback(report) for callback in settings.callbacks]
    patient = settings.patience is None or best_epoch is None or state.epoch - int(best_epoch.max()) < settings.patience
    state.ended = state.epoch >= settings.epochs or not patient or any(wish is True for wish in wishes)


def _ended(state: State, network: nn.Module, settings: LoopSettings) -> Fit:
    if state.best is not None:
        state.best.restore()
    if settings.average is not None:
        network.load_state_dict(settings.average.module.state_dict())  # type: ignore[union-attr]
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
        optimizer: as all that follow, as `LoopSettings` says.
        epochs: how often every row is seen.
        batch_size: rows a step.
        schedule: of the learning rate.
        validation: rows that choose the epoch.
        advance: called after each step.

    Raises:
        ShapeError: inputs and targets differ in rows. SelfCheckFailed: a loss is not finite.
    """
    same_length(inputs, targets, "inputs and targets")
    settings = LoopSettings(optimizer, epochs, batch_size, schedule=schedule, validation=validation, advance=advance)
    return train(network, lambda batch: losses(network(batch.inputs), targets[batch.rows]), TensorFeed(inputs), settings)


def step_count(rows: int, *, batch_size: int, epochs: int) -> int:
    """How many steps a training takes: one a batch, the last and smaller one included."""
    return epochs * -(-rows // batch_size)
