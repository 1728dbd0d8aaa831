"""Progress on standard error: a bar if it is a terminal, otherwise one line for each message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tutelage.core.errors import printable
from tutelage.core.stages import Advance, Stages

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class ProgressBar:
    """The functions that update a progress bar.

    Attributes:
        advance: call it after each step.
        describe: call it with a new text; printed on a line if there is no terminal.
        complete: call it to fill the bar, for work that needed fewer steps than expected.
    """

    advance: Advance
    describe: Callable[[str], None]
    complete: Callable[[], None]


@contextmanager
def progress_bar(text: str, steps: int, *, console: Console | None = None) -> Iterator[ProgressBar]:
    """A bar over `steps` with a text in front of it, the count of steps, and the remaining time (at the end the elapsed time).

    Args:
        text: the text until `describe` is called; not printed if there is no terminal.
        steps: expected number of steps.
        console: where to write; standard error by default.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    screen = console or Console(stderr=True)
    if not screen.is_terminal:
        yield ProgressBar(_nothing, lambda line: screen.print(printable(line), markup=False, highlight=False, soft_wrap=True), _nothing)
        return
    columns = (
        TextColumn("{task.description:<18}", table_column=Column(ratio=1)),  # wraps instead of cutting off a long text
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=screen, expand=True) as progress:
        task = progress.add_task(escape(printable(text)), total=steps)
        yield ProgressBar(
            lambda: progress.advance(task),
            lambda line: progress.update(task, description=escape(printable(line))),
            lambda: progress.update(task, completed=steps),
        )


class DisplayedStages(Stages):
    """Stages with a progress bar each, or the name of each on a line if standard error is not a terminal."""

    @contextmanager
    def display(self, name: str, steps: int) -> Iterator[Advance]:
        """A bar while the stage runs, filled at its end."""
        with progress_bar(name, steps) as bar:
            bar.describe(f"{name} ...")
            yield bar.advance
            bar.complete()


def _nothing() -> None:
    pass
