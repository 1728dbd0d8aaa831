"""Timing of named stages, with a hook for a progress display."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

Advance = Callable[[], None]


class Stages:
    """Seconds per named stage. It prints nothing; a progress display overrides `display`.

    A stage that is entered twice accumulates. Stages do not nest, so the sum of their seconds is the time that they account for.

    Attributes:
        seconds: of each stage that has ended.
        watch: called after each step, and as each stage ends; it may be called by several threads.
    """

    def __init__(self) -> None:
        self._started = perf_counter()
        self.seconds: dict[str, float] = {}
        self.watch: Callable[[], None] = lambda: None
        self._open: tuple[str, float] | None = None

    @contextmanager
    def stage(self, name: str, steps: int = 1) -> Iterator[Advance]:
        """Time a block under `name`; call the yielded function once after each of the `steps` steps."""
        started = perf_counter()
        self._open = name, started
        try:
            with self.display(name, steps) as advance:

                def step() -> None:
                    advance()
                    self.watch()

                yield step
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - started
            self._open = None
        self.watch()

    @contextmanager
    def display(self, name: str, steps: int) -> Iterator[Advance]:
        """The progress display of one stage; none by default."""
        yield lambda: None

    def so_far(self) -> dict[str, float]:
        """Seconds per stage, that which goes on included."""
        going_on = self._open  # another thread may end it meanwhile
        if going_on is None:
            return dict(self.seconds)
        name, started = going_on
        return {**self.seconds, name: self.seconds.get(name, 0.0) + perf_counter() - started}

    def total(self) -> float:
        """Seconds since the run started, in stages or not."""
        return perf_counter() - self._started
