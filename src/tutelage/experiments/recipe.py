"""Recipes: a plan goes in, an outcome comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.running.stages import Stages
from tutelage.experiments.cache import Store
from tutelage.experiments.scorecard import Measured, Test
from tutelage.report.records import Figures, LabelTable, PublishedTable


@dataclass(frozen=True)
class Plan:
    """The user's choices for a run.

    Attributes:
        seeds: all seeds of the run.
        quick: use fewer rows and seeds for a preview; the figures differ from those of the full run.
        as_published: also run the protocol of the original demo (tsitsimis/neural-network-distillation on GitHub,
            https://github.com/tsitsimis/neural-network-distillation), mistakes included.
        data: the user's folder of data, for recipes that take one.
    """

    seeds: tuple[int, ...]
    quick: bool = False
    as_published: bool = False
    data: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What a recipe measured, before the cost of the arms is added.

    Attributes:
        arms: in the order of the table.
        models: for each arm, including the teacher, one model per seed.
        pairs: (a, b, question): the arms to compare; the first pair is the main result of the run.
        The other attributes are as in `RunRecord`.
    """

    arms: tuple[Measured, ...]
    models: Mapping[str, tuple[Any, ...]]
    test: Test
    pairs: tuple[tuple[str, str, str], ...]
    protocol: tuple[str, ...]
    data: Mapping[str, Any]
    figures: Figures = field(default_factory=Figures)
    published: PublishedTable | None = None
    by_labels: LabelTable | None = None


@dataclass(frozen=True)
class Recipe:
    """A whole experiment as a value.

    Attributes:
        seeds, quick_seeds: default number of seeds, of a full and of a quick run.
        student: the arm that `tutelage export` exports by default.
        headline: the metric shown in the table.
        run: runs the experiment.
        check_rows: takes a seed and the user's folder of data (or None) and returns (10 000, features) test rows, on which
            exported files are compared with their students.
        quick_check_rows: how many of them a quick run uses.
        has_published_protocol: whether it supports `as_published`.
        takes_data: whether the user may name a folder of data.
        picture: height and width of the pictures that the rows are; None if they are none.
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
    picture: tuple[int, int] | None = None
