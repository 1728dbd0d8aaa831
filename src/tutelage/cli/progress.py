"""Rich progress on stderr, or a line each where stderr is no terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tutelage.core.stages import Advance, Stages


class ShownStages(Stages):
    """Stages with a rich progress bar on stderr; a line each where stderr is no terminal."""

    def __init__(self) -> None:
        super().__init__()
        self.console = Console(stderr=True)

    @contextmanager
    def display(self, name: str, steps: int) -> Iterator[Advance]:
        """A bar while the stage runs."""
        if not self.console.is_terminal:
            click.echo(f"{name} ...", err=True)
            yield lambda: None
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description:<18}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console) as progress:
            task = progress.add_task(name, total=steps)
            yield lambda: progress.advance(task)
            progress.update(task, completed=steps)
