"""Where the time goes: named stages with a clock, and a place for a progress display to listen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

Advance = Callable[[], None]


class Stages:
    """Seconds per named stage. Silent; a display overrides `shown`.

    A stage entered twice adds up. Stages do not nest, so their sum is the time that they explain.
    """

    def __init__(self) -> None:
        self._begun = perf_counter()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str, steps: int = 1) -> Iterator[Advance]:
        """Time a block under `name`; call the yielded function once per finished step of `steps`."""
        begun = perf_counter()
        try:
            with self.shown(name, steps) as advance:
                yield advance
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - begun

    @contextmanager
    def shown(self, name: str, steps: int) -> Iterator[Advance]:
        """The display of one stage; nothing here."""
        yield lambda: None

    def total(self) -> float:
        """Seconds since the run began, whether or not a stage explains them."""
        return perf_counter() - self._begun
