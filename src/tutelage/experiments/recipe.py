"""What a recipe is: a plan goes in, an outcome comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.stages import Stages
from tutelage.experiments.cache import Store
from tutelage.experiments.scorecard import Measured, Test
from tutelage.report.records import Figures, PublishedTable


@dataclass(frozen=True)
class Plan:
    """What a user may choose of a run.

    Attributes:
        seeds: every seed of the run.
        quick: fewer rows and seeds, for a look; the figures are not those of the full run.
        as_published: also run the origin's own protocol, mistakes included.
        data: a folder of the user's that holds the data, for recipes that take one.
    """

    seeds: tuple[int, ...]
    quick: bool = False
    as_published: bool = False
    data: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What a recipe measured, before costs are added.

    Attributes:
        arms: in the order of the table.
        models: per arm one model a seed, teacher included.
        pairs: (a, b, question): which arms to compare; the first is the run's answer.
        others as in `RunRecord`.
    """

    arms: tuple[Measured, ...]
    models: Mapping[str, tuple[Any, ...]]
    test: Test
    pairs: tuple[tuple[str, str, str], ...]
    protocol: tuple[str, ...]
    data: Mapping[str, Any]
    figures: Figures = field(default_factory=Figures)
    published: PublishedTable | None = None


@dataclass(frozen=True)
class Recipe:
    """A whole run as a value.

    Attributes:
        seeds, quick_seeds: how many seeds by default.
        student: the arm that `tutelage export` takes by default.
        headline: the metric its table speaks of.
        run: does the work.
        check_rows: (10 000, features) test rows of a seed, given the user's folder of data if there is one; exported files are
            compared with their students on them.
        quick_check_rows: on how many of them in a quick run.
        has_published_protocol: whether `as_published` means anything to it.
        takes_data: whether the user may name a folder of data.
    """

    name: str
    title: str
    summary: str
    seeds: int
    quick_seeds: int
    student: str
    headline: str
    run: Callable[[Plan, Store, Stages], Outcome]
    check_rows: Callable[[int, Path | None], NDArray[np.float32]]
    quick_check_rows: int = 10_000
    has_published_protocol: bool = False
    takes_data: bool = False
