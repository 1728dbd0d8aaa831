"""The training loop, once, and the trained network as a student."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tutelage import engine
from tutelage.core.arrays import Floats, same_length, softmax
from tutelage.core.errors import SelfCheckFailed, ShapeError

Losses = Callable[[Tensor, Tensor], Tensor]
"""(logits, targets of the batch) -> one loss per example: (batch,), or (copies, batch) for a stack."""


@dataclass(frozen=True)
class Fit:
    """What a fit did, for one network (copies = 1) or a stack.

    Attributes:
        best_epoch: (copies,) the epoch, from 1, whose weights were kept.
        scores: (epochs, copies) the validation score after each epoch, lower is better; empty without validation rows.
    """

    best_epoch: NDArray[np.int64]
    scores: NDArray[np.float64]


@dataclass(frozen=True)
class Validation:
    """Rows that choose the epoch and train nothing.

    Attributes:
        inputs: (rows, ...).
        labels: (rows,) integers; for "loss" also (rows, classes) probabilities.
        by: "errors" counts wrong rows; "loss" is the mean cross-entropy, steadier where rows are few and noisy.
    """

    inputs: Tensor
    labels: Tensor
    by: Literal["errors", "loss"] = "errors"

    def score(self, network: nn.Module) -> Tensor:
        """(copies,) float64, lower is better, of the network or of each copy of a stack."""
        logits = engine.answers_of(network, self.inputs)
        if self.by == "errors":
            return (logits.argmax(dim=-1) != self.labels).sum(dim=-1).reshape(-1).double()
        log_probs = torch.log_softmax(logits, dim=-1)
        soft = self.labels.ndim == 2
        of_label = (log_probs * self.labels).sum(dim=-1) if soft else log_probs[..., torch.arange(len(self.labels)), self.labels]
        return -of_label.mean(dim=-1).reshape(-1).double()


def fit(
    network: nn.Module,
    losses: Losses,
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
    """Train a network, or a stack of them, in place, on whole tensors.

    Rows are shuffled anew each epoch from torch's random state (see `engine.seeded`); a last batch that is
    smaller than the others is trained on like them. With validation rows, each copy ends with the weights of
    its best epoch (the earliest of equals); without, with the last.

    Args:
        network: (batch, ...) -> (batch, classes), or (copies, batch, classes) for a stack.
        losses: one loss per example; summed over copies, averaged over the batch, so copies do not touch.
        inputs: (rows, ...).
        targets: (rows, ...), what `losses` expects for a batch of rows.
        optimizer: any of torch's, over the network's parameters.
        epochs: how often every row is seen.
        batch_size: rows a step.
        schedule: any of torch's, stepped after every batch.
        validation: rows that choose the epoch.
        advance: called after each step (see `steps_of`), for a progress display.

    Raises:
        ShapeError: inputs and targets differ in rows. SelfCheckFailed: a loss is not finite.
    """
    same_length(inputs, targets, "inputs and targets")
    best = _Best(network) if validation is not None else None
    history: list[NDArray[np.float64]] = []
    for epoch in range(1, epochs + 1):
        network.train()
        total = torch.zeros(())
        for rows in torch.split(torch.randperm(len(inputs)), batch_size):
            loss = losses(network(inputs[rows]), targets[rows]).mean(dim=-1).sum()
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            if schedule is not None:
                schedule.step()
            total += loss.detach()
            advance()
        if not torch.isfinite(total):
            raise SelfCheckFailed(f"the loss of epoch {epoch} is {total.item()}; lower the learning rate or look at the targets.")
        if best is not None and validation is not None:
            score = validation.score(network)
            best.offer(score, epoch)
            history.append(score.numpy())
    if best is None:
        return Fit(np.array([epochs]), np.empty((0, 1)))
    best.restore()
    return Fit(best.epoch.numpy(), np.stack(history))


def steps_of(rows: int, *, batch_size: int, epochs: int) -> int:
    """How many steps `fit` takes: one a batch, the last and smaller one included."""
    return epochs * -(-rows // batch_size)


class _Best:
    """The best weights so far, copy by copy. A plain network counts as a stack of one."""

    def __init__(self, network: nn.Module) -> None:
        self.live = [value.detach() for value in network.state_dict(keep_vars=True).values()]
        if not hasattr(network, "copies"):
            self.live = [value[None] for value in self.live]
        self.kept = [value.clone() for value in self.live]
        copies = getattr(network, "copies", 1)
        self.score = torch.full((copies,), torch.inf, dtype=torch.float64)
        self.epoch = torch.zeros(copies, dtype=torch.int64)

    def offer(self, score: Tensor, epoch: int) -> None:
        better = score < self.score
        self.score[better] = score[better]
        self.epoch[better] = epoch
        if better.any():
            for kept, live in zip(self.kept, self.live, strict=True):
                kept[better] = live[better]

    def restore(self) -> None:
        for kept, live in zip(self.kept, self.live, strict=True):
            live.copy_(kept)


class TorchStudent:
    """A trained network with its classes, as a scikit-learn user expects to meet it.

    Args:
        network: maps (batch, features) float32 to (batch, classes) logits at temperature 1.
        classes: the label of each logit, in order.
    """

    def __init__(self, network: nn.Module, classes: Sequence[Any]) -> None:
        self.network = network
        self.classes_: NDArray[Any] = np.asarray(list(classes))

    def predict_proba(self, inputs: NDArray[Any]) -> Floats:
        """(rows, features) -> (rows, classes) float32 probabilities at temperature 1.

        Raises:
            ShapeError: rows of another width than the network takes, or one logit too many or too few.
        """
        rows = torch.as_tensor(np.ascontiguousarray(inputs, dtype=np.float32))
        try:
            logits = engine.answers_of(self.network, rows).numpy()
        except RuntimeError as error:
            raise ShapeError(f"the network cannot take rows of shape {tuple(rows.shape[1:])} ({str(error).splitlines()[0]}).") from error
        if logits.shape[1:] != self.classes_.shape:
            raise ShapeError(f"the network gives {logits.shape[1:]} logits a row; expected one for each of {len(self.classes_)} classes.")
        return softmax(logits)

    def predict(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """(rows, features) -> (rows,) labels."""
        return np.asarray(self.classes_[self.predict_proba(inputs).argmax(axis=1)])
