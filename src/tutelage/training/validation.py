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
from tutelage.data.structures.network_answers import answers_to
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
        batch_size: rows that the network answers at once.
    """

    inputs: Any
    targets: Tensor | TopTargets
    by: Literal["errors", "loss", "label losses", "squares"] = "errors"
    output: Callable[[Any], Tensor] = lambda returned: returned
    weights: Tensor | None = None
    positions: Positions | None = None
    kept: Tensor | None = None
    check: Callable[[PositionAnswers], None] | None = None
    batch_size: int = torch_runtime.BATCH_ROWS

    def _answers(self, network: nn.Module) -> Tensor:
        """(rows, columns), (copies, rows, columns), or those of the positions that count."""
        if isinstance(self.inputs, Tensor) and self.positions is None:
            return torch_runtime.answers_of(network, self.inputs, batch_size=self.batch_size, output=self.output)
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
    """The best weights and buffers so far, for each copy separately. A single network counts as a stack of one.

    Raises:
        BadInput: the network keeps a state of its own beside them, of which no copy can be kept.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.best = [value.clone() for value in self._current()]
        self.unsaved = _copies(torch_runtime.unsaved_buffers(network))
        copies = copies_of(network) or 1
        self.score = torch.full((copies,), torch.inf, dtype=torch.float64)
        self.epoch = torch.zeros(copies, dtype=torch.int64)

    def _current(self) -> list[Tensor]:
        """What the network has now, with a leading axis of copies: a network may put another tensor in a buffer's place."""
        saved = self.network.state_dict(keep_vars=True)
        others = [name for name, value in saved.items() if not isinstance(value, Tensor)]
        if others:
            raise BadInput(
                f"the network keeps a state of its own ({', '.join(others)}), which get_extra_state returns and the best epoch would not "
                "bring back; hold it in a buffer, or train without validation rows."
            )
        tensors = [value.detach() for value in saved.values()]
        return tensors if copies_of(self.network) is not None else [value[None] for value in tensors]

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
            for best, current in zip(self.best, self._current(), strict=True):
                best[better] = current[better]
            buffers = torch_runtime.unsaved_buffers(self.network)
            if copies_of(self.network) is None:
                self.unsaved = _copies(buffers)
            else:
                for name, current in buffers.items():
                    self.unsaved[name][better] = current[better]

    def restore(self) -> None:
        """Load the best weights into the network."""
        for best, current in zip(self.best, self._current(), strict=True):
            current.copy_(best)
        torch_runtime.set_unsaved_buffers(self.network, self.unsaved)

    def state_dict(self) -> dict[str, Any]:
        """The best weights, buffers, scores and epochs, for a checkpoint."""
        return {"best": self.best, "unsaved": self.unsaved, "score": self.score, "epoch": self.epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what `state_dict` returned."""
        for best, value in zip(self.best, state["best"], strict=True):
            best.copy_(value)
        self.unsaved = _copies(state["unsaved"])
        self.score.copy_(state["score"])
        self.epoch.copy_(state["epoch"])


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in tensors.items()}
