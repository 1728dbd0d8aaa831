"""What a run has taken so far, over all calls that it took."""

from __future__ import annotations

from threading import Lock
from time import perf_counter

from tutelage.core.running.stages import Stages
from tutelage.workflow.distillation.folder import SPENT, RunFolder

EVERY_S = 1.0
"""The least time between two writings: a run that is killed forgets no more."""


class Spent:
    """The seconds of each stage over all calls of a run, stored in its folder while the stages go on."""

    def __init__(self, folder: RunFolder, stages: Stages) -> None:
        self._folder, self._stages = folder, stages
        self._before: dict[str, float] = folder.read(SPENT)["seconds"] if folder.has(SPENT) else {}
        self._stored, self._lock = perf_counter(), Lock()
        stages.watch = self._watch

    def seconds(self) -> dict[str, float]:
        """Of each stage, and in total."""
        now = {"total": self._stages.total(), **self._stages.so_far()}
        return {name: self._before.get(name, 0.0) + now.get(name, 0.0) for name in {**now, **self._before}}

    def store(self) -> None:
        """Write them."""
        with self._lock:
            self._folder.write(SPENT, {"seconds": self.seconds()})
            self._stored = perf_counter()

    def _watch(self) -> None:
        if perf_counter() - self._stored >= EVERY_S:
            self.store()
