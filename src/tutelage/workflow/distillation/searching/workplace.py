"""Where students are trained: in threads of this process, or in other processes, each of which reads the rows once."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

from sklearn.exceptions import ConvergenceWarning

from tutelage.core.engines.engines import Engine, check_on, started
from tutelage.core.engines.sending import Stored, sendable
from tutelage.core.engines.tasks import run_tasks
from tutelage.core.errors import BadInput
from tutelage.search.families import Family
from tutelage.workflow.distillation.folder import RunFolder
from tutelage.workflow.distillation.searching.judge import Judge
from tutelage.workflow.distillation.searching.rows import DevelopmentRows, Purpose
from tutelage.workflow.distillation.searching.threads import in_threads

ROWS = "work/rows.pickle"
"""What all trainings share, for other processes; there while they train."""


@dataclass(frozen=True, eq=False)
class Shared:
    """What all trainings of a run share.

    Attributes:
        rows: to train and validate on.
        judge: by what students are judged.
        families: of students, by name.
    """

    rows: DevelopmentRows
    judge: Judge
    families: Mapping[str, Family]


@dataclass(frozen=True)
class Training:
    """One student to be trained.

    Attributes:
        name: what it is, for messages.
        rows: that it needs.
        function: trains it, given what is shared and the arguments. It depends on nothing else.
        arguments: small ones.
    """

    name: str
    rows: Purpose
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


Done = Callable[[int, Any], None]
"""Called with the place and the result of each training, as it ends."""


def nothing() -> None:
    """Do nothing."""


class Workplace(Protocol):
    """Where students are trained."""

    @property
    def shared(self) -> Shared:
        """What all trainings share."""

    def run(self, trainings: Sequence[Training], done: Done, after: Callable[[], None] = nothing) -> None:
        """Run all trainings.

        Args:
            trainings: what is trained.
            done: see `Done`.
            after: called once no training runs any more, so that latencies can be measured.

        Raises:
            BadInput: one failed three times in other processes, of which all others are done. Alone, whatever it raises.
        """


@dataclass(frozen=True, eq=False)
class Here:
    """Threads of this process, for the rows of one purpose after the other: those of one are in memory at a time."""

    shared: Shared

    def run(self, trainings: Sequence[Training], done: Done, after: Callable[[], None] = nothing) -> None:
        """See `Workplace`."""

        def train(place: int) -> None:
            done(place, trainings[place].function(self.shared, *trainings[place].arguments))

        for _, places in groupby(range(len(trainings)), key=lambda place: trainings[place].rows):
            in_threads(train, places)
        after()


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """Other processes, which read what is shared from a file."""

    shared: Shared
    engine: Engine
    stored: Stored

    def run(self, trainings: Sequence[Training], done: Done, after: Callable[[], None] = nothing) -> None:
        """See `Workplace`. No training is started a second time because others took less: each takes its own time."""
        given_up = run_tasks(
            self.engine,
            range(len(trainings)),
            lambda attempt: (trained_elsewhere, self.stored, trainings[attempt.task], attempt.number),
            done,
            slow=math.inf,
        )
        after()
        if given_up:
            first = min(given_up)
            raise BadInput(
                f"{len(given_up)} of {len(trainings)} trainings failed three times in other processes. {trainings[first].name}: "
                f"{given_up[first]}. Mend the cause, and call again: what is finished stays."
            )


def trained_elsewhere(stored: Stored, training: Training, attempt: int) -> Any:
    """Run one training in the process that this is called in.

    Args:
        stored: what all trainings share.
        training: the training.
        attempt: its number, which makes the call another one than that before.
    """
    with _quietly():
        return training.function(stored.value(), *training.arguments)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without warnings of trainings that ended early, which validation judges; where threads share the filters, they stay as they are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def check_sendable(families: Sequence[Family], on: Any) -> None:
    """Check, before anything is trained, that students can be trained on what the user passes.

    Raises:
        BadInput: they cannot. MissingExtra: Ray is not installed.
    """
    if on is None:
        return
    check_on(on)
    for family in families:
        sendable(family, f"the student {family.name!r}")


@contextmanager
def workplace(shared: Shared, folder: RunFolder, on: Any) -> Iterator[Workplace]:
    """Where the students of a run are trained, until the end of the block.

    Args:
        shared: what all trainings share.
        folder: of the run, which all processes see.
        on: other processes, as `distill` takes them; None for threads of this one.

    Raises:
        BadInput: nothing that runs functions. CannotWrite: the folder cannot be written.
    """
    path = folder.path / ROWS
    path.unlink(missing_ok=True)  # left by a run that was killed
    if on is None:
        yield Here(shared)
        return
    stored = Stored.of(shared, path)
    try:
        with started(on) as engine:
            yield Elsewhere(shared, engine, stored)
    finally:
        stored.remove()
