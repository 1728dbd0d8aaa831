"""Training in several processes, or on a device of their choosing, by Hugging Face Accelerate."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tutelage.core.errors import BadInput
from tutelage.training.backend import Backend
from tutelage.training.state import Report

if TYPE_CHECKING:
    from accelerate import Accelerator


class Accelerated(Backend):
    """Each process takes its share of every batch; together they do what one process does at the same batch size.

    Norm layers see the share of their process only, and dropout draws for each process alike. All processes call
    `fit` with the same data; the first one writes checkpoints.

    Args:
        accelerator: of Accelerate; it knows processes, devices and trackers. Start the processes with `accelerate launch`.

    Raises:
        BadInput: an accelerator that accumulates gradients; pass a larger batch_size instead.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        if accelerator.gradient_accumulation_steps != 1:
            raise BadInput("the accelerator accumulates gradients over steps; leave that out and choose batch_size, which counts all rows.")
        super().__init__()
        self.accelerator = accelerator
        self.writes_checkpoints = bool(accelerator.is_main_process)
        self._shares: list[float] = []

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The network on its device, its gradients shared between the processes."""
        prepared: nn.Module = self.accelerator.prepare_model(network)
        return prepared

    def parts(self, order: Tensor, batch_size: int) -> list[Tensor]:
        """Every n-th row of each batch; where a batch has fewer rows than there are processes, a row that counts nothing."""
        first, step = self.accelerator.process_index, self.accelerator.num_processes
        whole = torch.split(order, batch_size)
        own = [part[first::step] for part in whole]
        self._shares = [len(mine) * step / len(part) for mine, part in zip(own, whole, strict=True)]
        return [mine if len(mine) else part[:1] for mine, part in zip(own, whole, strict=True)]

    def step_losses(self, losses: Tensor, steps: slice) -> Tensor:
        """So weighted that the mean over processes, which is what they exchange, is the mean over the whole batch."""
        return super().step_losses(losses, steps) * torch.tensor(self._shares[steps], device=losses.device)

    def backward(self, losses: Collection[Tensor], step: int) -> None:
        """Add the gradient of a step's cost, exchanged between the processes."""
        self.accelerator.backward(self.step_loss(losses, step))

    def over_processes(self, losses: Tensor) -> Tensor:
        """(steps,) mean over processes."""
        mean: Tensor = self.accelerator.reduce(losses, reduction="mean")
        return mean

    def broadcast(self, values: Tensor) -> Tensor:
        """What the first process says."""
        from accelerate.utils import broadcast

        held = values.to(self.accelerator.device)
        said: Tensor = broadcast(held).to(values.device)
        return said


def tracked(accelerator: Accelerator) -> Callable[[Report], Any]:
    """A callback that hands each epoch to the accelerator's trackers: TensorBoard, MLflow and whatever else it knows.

    Args:
        accelerator: made with `log_with=`, after `accelerator.init_trackers(name)`.
    """

    def log(report: Report) -> None:
        values: dict[str, float] = {"loss": report.loss, "learning_rate": report.rate}
        values |= {f"loss/{name}": value for name, value in report.terms.items()}
        if report.score is not None:
            values["validation"] = float(report.score.min())
        accelerator.log(values, step=report.epoch)

    return log
