"""Progress of a training: a bar over its steps, with the loss of the last epoch term by term."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tutelage.core.running.progress import progress_bar
from tutelage.core.running.stages import Advance
from tutelage.training.state import Report

if TYPE_CHECKING:
    from rich.console import Console


@contextmanager
def progress_line(steps: int, epochs: int, console: Console | None = None) -> Iterator[tuple[Advance, Callable[[Report], Any]]]:
    """The functions that a training calls after each step and after each epoch to display its progress.

    Args:
        steps: number of steps of the whole training.
        epochs: maximum number of epochs.
        console: where to write; standard error by default. If it is not a terminal, each epoch is printed on a line.
    """
    with progress_bar(f"epoch 1/{epochs}", steps, console=console) as bar:
        yield bar.advance, lambda report: bar.describe(epoch_line(report, epochs))


def epoch_line(report: Report, epochs: int) -> str:
    """An epoch in one line: "epoch 3/20: soft_cross_entropy 0.35 + hard_cross_entropy 0.062 = 0.412; validation 0.031 (best: epoch 2)"."""
    parts = " + ".join(f"{name} {_short(value)}" for name, value in report.terms.items())
    loss = f"{parts} = {_short(report.loss)}" if len(report.terms) > 1 else f"loss {_short(report.loss)}"
    line = f"epoch {report.epoch}/{epochs}: {loss}"
    if report.score is None or report.best_epoch is None:
        return line
    return f"{line}; validation {_short(float(report.score.min()))} (best: epoch {int(report.best_epoch[report.score.argmin()])})"


def _short(value: float) -> str:
    return f"{value:.3g}"
