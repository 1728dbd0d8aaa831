"""The rows of each seed, of the search and of a first look at the students."""

from __future__ import annotations

from typing import Any

import numpy as np

from tutelage.workflow.distillation.given.answered import Answered
from tutelage.workflow.distillation.given.part import Part
from tutelage.workflow.distillation.given.problem import Problem
from tutelage.workflow.distillation.given.split import Places, Split, not_validated, parts_of
from tutelage.workflow.distillation.plan import SEARCH_CELLS
from tutelage.workflow.distillation.searching.training import Prepared

FEWEST_ROWS = 1000
"""Rows that trials are fitted on, at least."""
TEXT_CELLS = 2000
"""What a text counts as: the columns of a matrix that takes as long."""
FIRST_LOOK = 200
"""Rows on which each kind of student is tried before the search."""


def searched_rows(rows: Any) -> int:
    """The most rows of this kind that a trial is fitted on."""
    columns = TEXT_CELLS if isinstance(rows, list) else int(np.prod(np.shape(rows)[1:])) or 1
    return max(SEARCH_CELLS // columns, FEWEST_ROWS)


class DevelopmentRows:
    """Rows to train and validate on.

    Args:
        problem: teacher and rows.
        split: which rows are for what.
        answered: the rows with the teacher's answers.
        seed: of the run.
    """

    def __init__(self, problem: Problem, split: Split, answered: Answered, *, seed: int) -> None:
        self._problem, self._split, self._seed = problem, split, seed
        self._given, self._more = answered.given, answered.more
        self._last: tuple[int, Prepared] | None = None

    def of_seed(self, seed: int) -> Prepared:
        """All rows, split as one seed of the finalists splits them. Those of the last seed asked for are kept."""
        if self._last is None or self._last[0] != seed:
            self._last = None  # freed before the next are made
            train, validation = self._places(seed)
            self._last = (seed, self._prepared(self._given.take(train), self._given.take(validation), self._more_of(validation)))
        return self._last[1]

    def for_search(self) -> Prepared:
        """The rows of trials: those of the first seed, but no more than a trial can be fitted on in seconds."""
        train, validation = self._places(0)
        most = searched_rows(self._given.rows)
        more = self._more_of(validation)
        more = None if more is None else more.take(self._some(np.arange(more.count), most))
        return self._prepared(self._given.take(self._some(train, most)), self._given.take(validation), more)

    def for_first_look(self) -> Prepared:
        """A few rows."""
        train, validation = self._places(0)
        few, some = (self._given.take(self._some(places, FIRST_LOOK)) for places in (train, validation))
        more = None if self._more is None else self._more.part
        more = None if more is None else more.take(self._some(np.arange(more.count), FIRST_LOOK))
        return self._prepared(few, some, more)

    def _more_of(self, validation: Places) -> Part | None:
        """The rows without ground truth that one seed learns from: not its validation rows again, nor rows made from them."""
        if self._more is None:
            return None
        if self._more.made_from is None:
            return self._more.part.take(not_validated(self._problem, self._split, validation))
        return self._more.part.take(~np.isin(self._more.made_from, validation).any(axis=1))

    def _places(self, seed: int) -> tuple[Places, Places]:
        return parts_of(self._problem, self._split, seed=self._seed + seed)

    def _some(self, places: Places, most: int) -> Places:
        """Some of the rows, drawn once: fewer are among those of more."""
        return places[np.random.default_rng(self._seed).permutation(len(places))[:most]]

    def _prepared(self, train: Part, validation: Part, more: Part | None) -> Prepared:
        return Prepared(self._problem.form, train, validation, more, self._problem.schema, isinstance(train.rows, list))
