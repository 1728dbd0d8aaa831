"""Trials of one search, proposed by Optuna from the trials of the rounds before them.

A search is a list of trials in rounds. The settings of a trial follow from its number, the rounds before its own and a seed alone: the
trials of a round may run beside each other, in any order, and a search that was stopped goes on as it would have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import Any

import numpy as np

from tutelage.core.errors import require
from tutelage.search.limits import FREE, distance

_QUIET = Lock()
STARTUP = 5
"""Trials at random before the sampler models what the others found: the first round."""
SHARE = 5
"""Each further round has one trial for so many before it: whatever is proposed, five sixths of those before it are known."""


@dataclass(frozen=True)
class Trial:
    """One student at one setting, judged on validation rows.

    Attributes:
        number: its place in the search, from 0; trial 0 is untuned.
        student: the name of its family.
        settings: the settings that were searched, those of the targets included.
        loss: what validation minimises; None if the student could not be trained.
        scores: means over the validation rows, by figure.
        size_bytes: of the exported file; None if it cannot be exported.
        latency_us: microseconds for one row in the exported file; None if not measured.
        excess: for each limit, how far it is exceeded as a share of the limit; 0 or less meets it.
        error: why the student could not be trained; "" if it could.
        seconds: that the trial took.
    """

    number: int
    student: str
    settings: Mapping[str, Any]
    loss: float | None
    scores: Mapping[str, float] = field(default_factory=dict)
    size_bytes: int | None = None
    latency_us: float | None = None
    excess: Mapping[str, float] = field(default_factory=dict)
    error: str = ""
    seconds: float = 0.0

    @property
    def meets_limits(self) -> bool:
        """Whether it was trained and exceeds no limit."""
        return self.loss is not None and all(value <= 0 for value in self.excess.values())

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def round_of(number: int) -> range:
    """The numbers of the trials of a round: that of the trial with this number.

    Example:
        >>> [round_of(number) for number in (0, 4, 5, 11, 40)]
        [range(0, 5), range(0, 5), range(5, 6), range(10, 12), range(37, 44)]
    """
    start, size = 0, STARTUP
    while number >= start + size:
        start += size
        size = start // SHARE
    return range(start, start + size)


def propose(space: Mapping[str, Any], trials: Sequence[Trial], untuned: Mapping[str, Any], *, number: int, seed: int) -> dict[str, Any]:
    """The settings of one trial: untuned first, then by Optuna's TPE sampler under its constraints.

    Args:
        space: an Optuna distribution for each setting.
        trials: those of the rounds before it, in order.
        untuned: the settings of trial 0, those that are in the space.
        number: of the trial.
        seed: of the search; each trial has a sampler of its own, seeded by this and the number of the trial.
    """
    if number == 0:
        return {name: value for name, value in untuned.items() if name in space}
    optuna = require("optuna")
    with _QUIET:  # the verbosity is the process's; it is as it was afterwards
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            return _next(optuna, space, trials, number=number, seed=seed)
        finally:
            optuna.logging.set_verbosity(verbosity)


def _next(optuna: Any, space: Mapping[str, Any], trials: Sequence[Trial], *, number: int, seed: int) -> dict[str, Any]:
    limits = {name for trial in trials for name in trial.excess}
    sampler = optuna.samplers.TPESampler(seed=int(np.random.SeedSequence([seed, number]).generate_state(1)[0]), n_startup_trials=STARTUP)
    study = optuna.create_study(sampler=sampler)
    for trial in trials:
        settings = {name: value for name, value in trial.settings.items() if name in space}
        given = {name: space[name] for name in settings}
        worst = trial.loss is None or not math.isfinite(trial.loss)
        study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.FAIL if worst else optuna.trial.TrialState.COMPLETE,
                value=None if worst else trial.loss,
                params=settings,
                distributions=given,
                constraints={name: _pursued(trial, name) for name in limits},
            )
        )
    return dict(study.ask(dict(space)).params)


def _pursued(trial: Trial, limit: str) -> float:
    """The excess of one limit as the sampler is told it: latency has to be left free as well. 0 if it was not measured."""
    return trial.excess.get(limit, 0.0) + (FREE if limit == "latency" and limit in trial.excess else 0.0)


def front(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that no other beats in loss and size, and in latency where both were timed, by rising size.

    Trials without a loss or a size are left out. No trial is timed without a limit of latency, and with one not all are.
    """
    known = [trial for trial in trials if trial.loss is not None and trial.size_bytes is not None]
    found: list[Trial] = []
    for mine in known:
        twin_before = any(_figures(other) == _figures(mine) for other in found)
        if not twin_before and not any(_beats(other, mine) for other in known):
            found.append(mine)
    return sorted(found, key=lambda trial: (trial.size_bytes or 0, trial.loss or 0.0))


def _figures(trial: Trial) -> tuple[float | None, ...]:
    return trial.loss, trial.size_bytes, trial.latency_us


def _beats(other: Trial, mine: Trial) -> bool:
    """Whether a trial is no worse in any figure that both have, and better in one."""
    pairs = [(a, b) for a, b in zip(_figures(other), _figures(mine), strict=True) if a is not None and b is not None]
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that were trained, the best first: within all limits with latency to spare, within all, nearest to them."""

    def key(trial: Trial) -> tuple[Any, ...]:
        loss = math.inf if trial.loss is None else trial.loss
        return (*distance(trial.excess), loss, trial.scores.get("nll_nats", 0.0), trial.size_bytes or 0, trial.number)

    return sorted((trial for trial in trials if trial.loss is not None), key=key)
