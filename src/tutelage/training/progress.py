"""How a training goes, for somebody who watches: a bar over its steps, and the loss term by term."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tutelage.core.stages import Advance
from tutelage.training.state import Report


@contextmanager
def progress_line(steps: int, epochs: int, console: Console | None = None) -> Iterator[tuple[Advance, Callable[[Report], Any]]]:
    """What a training is to call after each step, and after each epoch.

    Args:
        steps: of the whole training.
        epochs: at most.
        console: where to; standard error by default. Where that is no terminal, each epoch is told in a line of its own.
    """
    screen = console or Console(stderr=True)
    if not screen.is_terminal:
        yield lambda: None, lambda report: screen.print(epoch_line(report, epochs), markup=False, highlight=False, soft_wrap=True)
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), TimeRemainingColumn())
    with Progress(*columns, console=screen) as progress:
        task = progress.add_task(f"epoch 1/{epochs}", total=steps)
        yield (lambda: progress.advance(task)), (lambda report: progress.update(task, description=escape(epoch_line(report, epochs))))


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
