"""The validation rows, which select the epoch, and the weights of the best epoch so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.answer_kinds import Positions
from tutelage.core.errors import BadInput, ShapeError
from tutelage.core.position_answers import PositionAnswers
from tutelage.data.structures.network_answers import answers_to, rows_at_once
from tutelage.data.structures.structured import StructuredRows
from tutelage.losses.functional.numerics import upcast
from tutelage.losses.top_targets import TopTargets
from tutelage.training.stacked_network import copies_of


@dataclass(frozen=True)
class Validation:
    """Rows that select the epoch and are not trained on.

    Attributes:
        inputs: (rows, ...) on the device of the network, or several inputs.
        targets: (rows,) class codes; for "loss" also (rows, classes) probabilities, or the most probable classes; for
            "label losses" (rows, labels) probabilities; for "squares" (rows, outputs) values.
        by: the score. "errors" counts misclassified rows; "loss" is the mean cross-entropy, which varies less if rows are few and
            noisy; "label losses" is the mean binary cross-entropy of the labels; "squares" is the mean squared error.
        output: extracts the answers from what the network returns.
        weights: how much each row, or each position that counts, counts, of mean 1; None if all count alike.
        positions: what an answer belongs to; the targets are then those of the positions that count.
        kept: (positions,) which of the positions that the attention mask leaves count; None if all do.
        check: raises an error for answers to other positions than the targets have; None without positions.
        batch_size: rows that the network answers at once; as for `by_batch`.
    """

    inputs: Any
    targets: Tensor | TopTargets
    by: Literal["errors", "loss", "label losses", "squares"] = "errors"
    output: Callable[[Any], Tensor] = lambda returned: returned
    weights: Tensor | None = None
    positions: Positions | None = None
    kept: Tensor | None = None
    check: Callable[[PositionAnswers], None] | None = None
    batch_size: int | None = None

    def _answers(self, network: nn.Module) -> Tensor:
        """(rows, columns), (copies, rows, columns), or those of the positions that count."""
        if isinstance(self.inputs, Tensor) and self.positions is None:
            size = rows_at_once(self.inputs, self.batch_size)
            return torch_runtime.answers_of(network, self.inputs, batch_size=size, output=self.output)
        rows = self.inputs if isinstance(self.inputs, StructuredRows | Tensor) else torch_runtime.tensor_of(self.inputs)
        rows = torch_runtime.network_input(network, rows) if isinstance(rows, Tensor) else rows
        found = answers_to(network, rows, positions=self.positions, batch_size=self.batch_size, output=self.output)
        if self.check is not None and isinstance(found, PositionAnswers):
            self.check(found)
        answers = torch.from_numpy(found.dense() if isinstance(found, PositionAnswers) else found).to(torch_runtime.device_of(network))
        return answers if self.kept is None else answers[self.kept]

    def score(self, network: nn.Module) -> Tensor:
        """(copies,) float64 on the CPU, the score of the network or of each copy of a stack, lower is better; inf if an answer is NaN.

        Raises:
            ShapeError: values of another width than those they are compared with.
        """
        answers = upcast(self._answers(network))
        losses = self._losses(answers)
        if self.weights is not None:
            losses = losses * self.weights
        score = (losses.sum(dim=-1) if self.by == "errors" else losses.mean(dim=-1)).double()
        return score.masked_fill(answers.isnan().any(-1).any(-1), torch.inf).reshape(-1).cpu()

    def _losses(self, answers: Tensor) -> Tensor:
        """(rows,) or (copies, rows), what each row adds to the score."""
        if isinstance(self.targets, TopTargets):
            of_student = torch.log_softmax(self.targets.of_student(answers), dim=-1)
            return -(torch.softmax(self.targets.logits(), dim=-1) * of_student).sum(dim=-1)
        if self.by == "squares" and answers.shape[-1] != self.targets.shape[-1]:
            raise ShapeError(
                f"the student answers validation rows with {answers.shape[-1]} values, and what they are compared with has "
                f"{self.targets.shape[-1]}; expected as many, or a training without validation rows."
            )
        if self.by == "squares":
            return (answers - self.targets).square().mean(dim=-1)
        if self.by == "label losses":
            targets = self.targets.expand_as(answers)
            return nn.functional.binary_cross_entropy_with_logits(answers, targets, reduction="none").mean(dim=-1)
        if self.by == "errors":
            return answers.argmax(dim=-1) != self.targets
        log_probs = torch.log_softmax(answers, dim=-1)
        if self.targets.ndim == 2:
            return -(log_probs * self.targets).sum(dim=-1)
        return -log_probs[..., torch.arange(len(self.targets)), self.targets]


class BestWeights:
    """The best weights and buffers so far, for each copy separately.

    A buffer of a stack that its copies share is that of the best epoch of any of them.

    Raises:
        BadInput: the network keeps a state of its own beside them, of which no copy can be kept, or a stack whose weights have no axis of
            copies.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network, self.copies = network, copies_of(network)
        others = [name for name, value in network.state_dict(keep_vars=True).items() if not isinstance(value, Tensor)]
        if others:
            raise BadInput(
                f"the network keeps a state of its own ({', '.join(others)}), which get_extra_state returns and the best epoch would not "
                "bring back; hold it in a buffer, or train without validation rows."
            )
        whole = [name for name, value in network.named_parameters() if not self._is_of_copies(value)]
        if self.copies is not None and (whole or isinstance(network, nn.ModuleList | nn.ModuleDict)):
            raise BadInput(
                f"validation rows choose an epoch for each of the {self.copies} copies of {type(network).__name__}, whose weights have no "
                "leading axis of copies; train without validation rows, or train alike networks with tl.sweep."
            )
        self.best = {name: value.detach().clone() for name, value in network.named_parameters()}
        self.buffers = self._buffers()
        copies = self.copies or 1
        self.score = torch.full((copies,), torch.inf, dtype=torch.float64)
        self.epoch = torch.zeros(copies, dtype=torch.int64)

    def _is_of_copies(self, value: Tensor) -> bool:
        """Whether each copy of a stack has a part of its own in a tensor; a single network has all of it."""
        return self.copies is None or value.shape[:1] == (self.copies,)

    def _buffers(self) -> dict[str, Tensor]:
        """What all buffers hold now: a network may change them, or put other tensors in their place."""
        return {name: buffer.detach().clone() for name, buffer in self.network.named_buffers()}

    def update(self, score: Tensor, epoch: int, *, patience: int | None = None) -> None:
        """Save the current weights of each copy whose score is its best so far.

        Without effect on a copy whose patience has run out: trained alone, it would have stopped.
        """
        better = score < self.score
        if patience is not None:
            better &= epoch - self.epoch <= patience
        self.score[better] = score[better]
        self.epoch[better] = epoch
        if better.any():
            for name, value in self.network.named_parameters():
                self._take(self.best[name], value.detach(), better)
            for name, buffer in self._buffers().items():
                held = self.buffers.get(name)
                if held is not None and self.copies is not None and held.shape == buffer.shape and self._is_of_copies(buffer):
                    self._take(held, buffer, better)
                else:
                    self.buffers[name] = buffer

    def _take(self, held: Tensor, current: Tensor, better: Tensor) -> None:
        """Replace what is held by what is current, for the copies that are better."""
        if self.copies is None:
            held.copy_(current)
        else:
            held[better] = current[better]

    def restore(self) -> None:
        """Load the best weights into the network."""
        for name, value in self.network.named_parameters():
            value.detach().copy_(self.best[name])
        torch_runtime.set_buffers(self.network, self.buffers)

    def state_dict(self) -> dict[str, Any]:
        """The best weights, buffers, scores and epochs, for a checkpoint."""
        return {"best": self.best, "buffers": self.buffers, "score": self.score, "epoch": self.epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what `state_dict` returned."""
        for name, held in self.best.items():
            held.copy_(state["best"][name])
        self.buffers = _copies(state["buffers"])
        self.score.copy_(state["score"])
        self.epoch.copy_(state["epoch"])


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in tensors.items()}
