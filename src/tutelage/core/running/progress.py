"""Progress on standard error: a bar if it is a terminal, otherwise one line for each message, and in long work one now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

from tutelage.core.errors import printable
from tutelage.core.running.stages import Advance, Stages

if TYPE_CHECKING:
    from rich.console import Console


LINE_SECONDS = 30.0
"""Time between lines about progress where there is no terminal."""
STORED_SECONDS = 0.02
"""Steps that take less were done before, by a run that was stopped: they say nothing about the time of those that are left."""


class Pace:
    """How long the steps that are left will take, by those that took time.

    Args:
        steps: expected number of steps.
        clock: seconds, as `time.monotonic`.
    """

    def __init__(self, steps: int, clock: Callable[[], float] = monotonic) -> None:
        self._left, self._clock = steps, clock
        self._last, self._worked, self._seconds = clock(), 0, 0.0

    def step(self) -> None:
        """Count a step."""
        took = self._clock() - self._last
        self._last, self._left = self._last + took, self._left - 1
        if took >= STORED_SECONDS:
            self._worked, self._seconds = self._worked + 1, self._seconds + took

    def seconds_left(self) -> float | None:
        """Until the last step, from now; None before the first step that took time."""
        if not self._worked:
            return None
        return max(0.0, self._seconds / self._worked * self._left - (self._clock() - self._last))


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
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
    from rich.table import Column
    from rich.text import Text

    screen = console or Console(stderr=True)
    pace = Pace(steps)
    if not screen.is_terminal:
        lines = Lines(steps, pace, lambda line: screen.print(printable(line), markup=False, highlight=False, soft_wrap=True))
        yield ProgressBar(lines.advance, lines.describe, _nothing)
        return

    class TimeLeft(ProgressColumn):
        """The time left while there is some, at the end the time that it took."""

        max_refresh = 0.5

        def render(self, task: Any) -> Text:
            seconds = task.finished_time if task.finished else pace.seconds_left()
            return Text("-:--:--" if seconds is None else str(timedelta(seconds=int(seconds))), style="progress.remaining")

    def advance() -> None:
        pace.step()
        progress.advance(task)

    columns = (
        TextColumn("{task.description:<18}", table_column=Column(ratio=1)),  # wraps instead of cutting off a long text
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeLeft(),
    )
    with Progress(*columns, console=screen, expand=True) as progress:
        task = progress.add_task(escape(printable(text)), total=steps)
        yield ProgressBar(
            advance,
            lambda line: progress.update(task, description=escape(printable(line))),
            lambda: progress.update(task, completed=steps),
        )


class Lines:
    """Progress where there is no terminal: each text on a line, and how far the steps are on another from time to time."""

    def __init__(self, steps: int, pace: Pace, show: Callable[[str], None], clock: Callable[[], float] = monotonic) -> None:
        self._steps, self._pace, self._show, self._clock = steps, pace, show, clock
        self._done, self._shown = 0, clock()

    def describe(self, line: str) -> None:
        """Show a text."""
        self._show(line)
        self._shown = self._clock()

    def advance(self) -> None:
        """Count a step, and show how many there were if nothing was shown for a while."""
        self._pace.step()
        self._done += 1
        if self._clock() - self._shown >= LINE_SECONDS and self._done < self._steps:
            left = self._pace.seconds_left()
            self.describe(f"  {self._done} of {self._steps}" + ("" if left is None else f", about {timedelta(seconds=int(left))} left"))


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
