"""A paper's run: a plan goes in, findings come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tutelage.core.records import Comparison
from tutelage.core.running.stages import Stages
from tutelage.experiments.cache import Store
from tutelage.experiments.recipe import Plan
from tutelage.report.papers.records import Claim, Curve, Measure, Source


@dataclass(frozen=True)
class Findings:
    """What a run measured; the attributes are those of `PaperRecord`."""

    measures: tuple[Measure, ...]
    comparisons: tuple[Comparison, ...]
    claims: tuple[Claim, ...]
    protocol: tuple[str, ...]
    deviations: tuple[str, ...]
    data: Mapping[str, Any]
    budget: Mapping[str, Any]
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True)
class Paper:
    """A paper's tables as a run.

    Attributes:
        name: as in `tutelage run NAME`.
        title, summary: what is run again.
        source: the paper.
        seeds, quick_seeds: default number of seeds, of a full and of a quick run.
        run: runs it.
        takes_data: whether the user may name a folder of data.
    """

    name: str
    title: str
    summary: str
    source: Source
    seeds: int
    quick_seeds: int
    run: Callable[[Plan, Store, Stages], Findings]
    takes_data: bool = False
