"""The settings of a distillation, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sklearn.base import clone

from tutelage.core.identity.hashing import content_hash
from tutelage.search.families import Family
from tutelage.search.limits import Limits

TRIALS = 24
SEEDS = 5
SHOWN_ROWS = 12
"""Rows that the report shows if rows are to be shown."""
SEARCH_CELLS = 4_000_000
"""Cells of the rows that trials are fitted on, at most; the chosen settings are fitted on all rows."""


@dataclass(frozen=True, eq=False)
class Plan:
    """How a distillation is made.

    Attributes:
        families: the students, with their spaces.
        limits: of the student that is shipped.
        trials: of each arm, shared among the families.
        seeds: of the students of each arm.
        metric: the figure that validation decides by.
        seed: of the split and of all other random draws.
        exports: ends of the files to write, such as ".onnx"; the first is measured against the limits.
        exports_asked_for: whether the user named these formats; otherwise a student without such a file is one without a file.
        show_rows: number of test rows that the report shows, of those on which student and teacher disagree most, and of others to
            start from.
        cascade: the rate of answers that a student and its teacher, which answers the rows that it is unsure of, have in common with the
            teacher; None for a student alone.
    """

    families: tuple[Family, ...]
    limits: Limits = field(default_factory=Limits)
    trials: int = TRIALS
    seeds: int = SEEDS
    metric: str = "accuracy"
    seed: int = 0
    exports: tuple[str, ...] = (".onnx",)
    exports_asked_for: bool = False
    show_rows: int = 0
    cascade: float | None = None

    def identity(self) -> dict[str, Any]:
        """What tells this plan from others; more seeds and other exports go on with the same."""
        spaces: Mapping[str, Any] = {
            family.name: {
                "estimator": content_hash([clone(family.estimator), family.untuned, family.columns, family.space]),
                "space": {name: str(one) for name, one in family.space.distributions.items()},
            }
            for family in self.families
        }
        return {
            "students": spaces,
            "limits": [self.limits.size, self.limits.latency, self.limits.drop],
            "number_of_trials": self.trials,
            "metric": self.metric,
            "seed": self.seed,
            "first_export": self.exports[0],
            "cascade": self.cascade,
        }
