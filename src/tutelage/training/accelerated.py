"""Distributed training, and training on other devices, with Hugging Face Accelerate."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tutelage.core.errors import BadInput, shown
from tutelage.training.backend import NO_GRADIENT, Backend
from tutelage.training.state import Report

if TYPE_CHECKING:
    from accelerate import Accelerator


class Accelerated(Backend):
    """A backend for distributed training: each process computes a share of every batch.

    Together, the processes compute the gradients that one process computes at the same `batch_size`. Exceptions: normalisation layers
    use the statistics of their process's share, all processes draw the same dropout masks, and what a Dataset draws at random depends
    on the share. Losses that relate the rows of a batch are refused with more than one process. All processes must call `fit` with
    the same data; the main process writes the checkpoints.

    Args:
        accelerator: an `accelerate.Accelerator`, which holds the processes, devices and trackers. Start the processes with
            `accelerate launch`.

    Raises:
        BadInput: the accelerator accumulates gradients, or computes in mixed precision: `fit` has settings for both.

    Example:
        >>> import tutelage as tl
        >>> from accelerate import Accelerator
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> student = tl.TorchStudent(tl.training.mlp((4, 8, 3)))
        >>> student = student.fit(X, y=y, epochs=2, backend=tl.training.Accelerated(Accelerator(cpu=True)))
        >>> student.fit_.losses.shape
        (2,)
    """

    def __init__(self, accelerator: Accelerator) -> None:
        if not hasattr(accelerator, "gradient_accumulation_steps"):
            raise BadInput(f"accelerator is {shown(accelerator)}; expected an accelerate.Accelerator.")
        if accelerator.gradient_accumulation_steps != 1:
            raise BadInput(
                f"the accelerator accumulates gradients over {accelerator.gradient_accumulation_steps} steps; expected 1. "
                "Pass accumulate= to fit instead; its batch_size counts the rows of all processes."
            )
        precision = getattr(accelerator, "mixed_precision", "no")
        if precision != "no":
            raise BadInput(
                f"the accelerator's mixed_precision is {precision!r}, which would stay in the network after the training; expected 'no'. "
                "Pass precision='bfloat16' to fit instead."
            )
        super().__init__()
        self.accelerator = accelerator
        self.processes = int(accelerator.num_processes)
        self.device = accelerator.device
        self.writes_checkpoints = bool(accelerator.is_main_process)
        self._shares: list[float] = []
        self._network: nn.Module | None = None

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The network on its device, with gradients that are averaged over the processes."""
        prepared: nn.Module = self.accelerator.prepare_model(network)
        vars(network).pop("_is_accelerate_prepared", None)  # leaves the network as it was found
        self._network = prepared
        return prepared

    def parts(self, plan: list[Tensor], count: Callable[[Tensor], int] = len) -> list[Tensor]:
        """Every n-th row of each batch, for n processes; a process without a row gets the batch's first row, with weight zero."""
        first, step = self.accelerator.process_index, self.accelerator.num_processes
        shares = [batch[first::step] for batch in plan]
        counts = [(count(share) if len(share) else 0, count(batch)) for share, batch in zip(shares, plan, strict=True)]
        self._shares = [own * step / max(whole, 1) for own, whole in counts]
        return [share if len(share) else batch[:1] for share, batch in zip(shares, plan, strict=True)]

    def batch_losses(self, losses: Tensor, places: slice) -> Tensor:
        """Losses weighted so that their mean over the processes, which is what is exchanged, is the mean over the whole batch."""
        return super().batch_losses(losses, places) * torch.tensor(self._shares[places], device=losses.device)

    def backward(self, losses: Collection[Tensor], place: int, share: float = 1.0) -> None:
        """Add the gradient of the loss of a batch, averaged over the processes."""
        loss = self.batch_loss(losses, place) * share
        if not loss.requires_grad:
            raise BadInput(NO_GRADIENT)
        self.accelerator.backward(loss)

    def exchanging(self, *, last: bool) -> AbstractContextManager[Any]:
        """See `Backend`."""
        return nullcontext() if last or self._network is None else self.accelerator.no_sync(self._network)

    def complete_gradients(self, outside: Iterable[nn.Parameter]) -> None:
        """Average the gradients of weights outside the network over the processes."""
        for parameter in outside:
            if parameter.grad is not None:
                parameter.grad = self.accelerator.reduce(parameter.grad, reduction="mean")

    def over_processes(self, losses: Tensor) -> Tensor:
        """(batches,) the mean over the processes."""
        mean: Tensor = self.accelerator.reduce(losses, reduction="mean")
        return mean

    def broadcast(self, values: Tensor) -> Tensor:
        """The values of the main process."""
        from accelerate.utils import broadcast

        received: Tensor = broadcast(values.to(self.accelerator.device)).to(values.device)
        return received


def tracked(accelerator: Accelerator) -> Callable[[Report], Any]:
    """A callback that logs each epoch to the accelerator's trackers, such as TensorBoard or MLflow.

    It logs `loss`, `learning_rate`, `loss/TERM` for each term, `schedule/NAME` for what changes of the objective, and
    `validation` (the lowest score of the copies) if there are validation rows.

    Args:
        accelerator: created with `log_with=`; call `accelerator.init_trackers(name)` first.

    Returns:
        A function to pass in `callbacks=`.

    Example:
        >>> import tutelage as tl
        >>> from accelerate import Accelerator
        >>> accelerator = Accelerator(cpu=True)  # with log_with="tensorboard", for example
        >>> accelerator.init_trackers("iris")
        >>> log = tl.training.tracked(accelerator)
        >>> log(tl.training.Report(epoch=1, loss=0.5, terms={"loss": 0.5}, score=None, rate=0.001, best_epoch=None))
    """

    def log(report: Report) -> None:
        values: dict[str, float] = {"loss": report.loss, "learning_rate": report.rate}
        values |= {f"loss/{name}": value for name, value in report.terms.items()}
        values |= {f"schedule/{name}": value for name, value in report.scheduled.items()}
        if report.score is not None:
            values["validation"] = float(report.score.min())
        accelerator.log(values, step=report.epoch)

    return log
