"""Rows that choose the epoch and train nothing, and the weights of the best epoch so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tutelage.core import torch_runtime


@dataclass(frozen=True)
class Validation:
    """Rows that choose the epoch and train nothing.

    Attributes:
        inputs: (rows, ...).
        labels: (rows,) integers; for "loss" also (rows, classes) probabilities; for "label losses" (rows, labels)
            probabilities; for "squares" (rows, outputs) values.
        by: "errors" counts wrong rows; "loss" is the mean cross-entropy, steadier where rows are few and noisy;
            "label losses" that of labels on their own; "squares" is the mean squared error.
        output: takes the answers out of what the network returns.
    """

    inputs: Tensor
    labels: Tensor
    by: Literal["errors", "loss", "label losses", "squares"] = "errors"
    output: Callable[[Any], Tensor] = lambda said: said

    def score(self, network: nn.Module) -> Tensor:
        """(copies,) float64 on the CPU, lower is better, of the network or of each copy of a stack; inf where an answer is NaN."""
        answers = torch_runtime.answers_of(network, self.inputs, output=self.output)
        score = self._score(answers).double()
        return score.masked_fill(answers.isnan().any(-1).any(-1), torch.inf).reshape(-1).cpu()

    def _score(self, answers: Tensor) -> Tensor:
        if self.by == "squares":
            return (answers - self.labels).square().mean(dim=(-1, -2))
        if self.by == "label losses":
            wanted = self.labels.expand_as(answers)
            return nn.functional.binary_cross_entropy_with_logits(answers, wanted, reduction="none").mean(dim=(-1, -2))
        if self.by == "errors":
            return (answers.argmax(dim=-1) != self.labels).sum(dim=-1)
        log_probs = torch.log_softmax(answers, dim=-1)
        soft = self.labels.ndim == 2
        of_label = (log_probs * self.labels).sum(dim=-1) if soft else log_probs[..., torch.arange(len(self.labels)), self.labels]
        return -of_label.mean(dim=-1)


class BestWeights:
    """The best weights so far, copy by copy. A plain network counts as a stack of one."""

    def __init__(self, network: nn.Module) -> None:
        self.live = [value.detach() for value in network.state_dict(keep_vars=True).values()]
        if not hasattr(network, "copies"):
            self.live = [value[None] for value in self.live]
        self.kept = [value.clone() for value in self.live]
        copies = getattr(network, "copies", 1)
        self.score = torch.full((copies,), torch.inf, dtype=torch.float64)
        self.epoch = torch.zeros(copies, dtype=torch.int64)

    def offer(self, score: Tensor, epoch: int, *, patience: int | None = None) -> None:
        """Keep the weights of each copy as they are now, if this score is its best.

        A copy whose patience has run out keeps what it has: alone it would have ended there.
        """
        better = score < self.score
        if patience is not None:
            better &= epoch - self.epoch <= patience
        self.score[better] = score[better]
        self.epoch[better] = epoch
        if better.any():
            for kept, live in zip(self.kept, self.live, strict=True):
                kept[better] = live[better]

    def restore(self) -> None:
        """Put the best weights back into the network."""
        for kept, live in zip(self.kept, self.live, strict=True):
            live.copy_(kept)

    def state_dict(self) -> dict[str, Tensor | list[Tensor]]:
        """All of it, for a checkpoint."""
        return {"kept": self.kept, "score": self.score, "epoch": self.epoch}

    def load_state_dict(self, state: dict[str, Tensor | list[Tensor]]) -> None:
        """Put back what `state_dict` gave."""
        for kept, value in zip(self.kept, state["kept"], strict=True):
            kept.copy_(value)
        self.score.copy_(state["score"])  # type: ignore[arg-type]
        self.epoch.copy_(state["epoch"])  # type: ignore[arg-type]
