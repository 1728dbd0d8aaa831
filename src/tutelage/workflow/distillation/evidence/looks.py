"""The looks at the test rows: a run with more seeds than before reads its verdicts again, and each look costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from tutelage.core.errors import BadInput
from tutelage.report.distillation.records import Look
from tutelage.workflow.distillation.folder import RunFolder

LOOKS = "work/looks.json"
FIRST, LATER = 0.8, 0.2
"""The share of the 5 % of false verdicts that the first look spends, and all later ones together: each spends half of what is left."""


def share_of(number: int) -> float:
    """The share of the 5 % that a look spends, counted from 1; the shares of all looks add up to 1 at most.

    Example:
        >>> [round(share_of(number), 4) for number in (1, 2, 3)]
        [0.8, 0.1, 0.05]
    """
    return FIRST if number == 1 else LATER / 2 ** (number - 1)


def looks_before(folder: RunFolder, *, seeds: int) -> tuple[Look, ...]:
    """The looks of this run with fewer seeds.

    Raises:
        BadInput: the verdicts were read with more seeds.
    """
    found = tuple(Look(**one) for one in folder.read(LOOKS)["looks"]) if folder.has(LOOKS) else ()
    most = max((look.seeds for look in found), default=0)
    if seeds < most:
        raise BadInput(f"the verdicts of {folder.path} were read with {most} seeds, and {seeds} would leave some out; pass {most} or more.")
    return tuple(look for look in found if look.seeds < seeds)


def with_this_look(folder: RunFolder, before: Sequence[Look], *, seeds: int) -> tuple[Look, ...]:
    """All looks, this one the last; it is stored before its verdicts are, and a run that was stopped in between repeats it."""
    stored = [Look(**one) for one in folder.read(LOOKS)["looks"]] if folder.has(LOOKS) else []
    again = [look for look in stored if look.seeds == seeds]
    this = again[0] if again else Look(seeds, datetime.now(UTC).isoformat(timespec="seconds"), share_of(len(before) + 1))
    found = (*before, this)
    folder.write(LOOKS, {"looks": [asdict(look) for look in found]})
    return found
