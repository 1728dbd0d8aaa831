"""The rows of each seed, of the search and of a first look at the students."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import RLock
from typing import Any

import numpy as np

from tutelage.core.answers import AnswerForm
from tutelage.data.schema import Schema
from tutelage.search.families import numbers_in_a_row
from tutelage.workflow.distillation.given.answered import Answered
from tutelage.workflow.distillation.given.draws import Places
from tutelage.workflow.distillation.given.part import Part
from tutelage.workflow.distillation.given.problem import Problem
from tutelage.workflow.distillation.given.split import Split, not_validated, parts_of
from tutelage.workflow.distillation.plan import SEARCH_CELLS
from tutelage.workflow.distillation.searching.training import Prepared
from tutelage.workflow.distillation.searching.words import WordCounts

FEWEST_ROWS = 1000
"""Rows that trials are fitted on, at least."""
TEXT_CELLS = 2000
"""What a text counts as: the columns of a matrix that takes as long."""
FIRST_LOOK = 200
"""Rows on which each kind of student is tried before the search."""
SEARCHED, LOOKED_AT = "search", "first look"

Purpose = str | int
"""What rows are drawn for: `SEARCHED`, `LOOKED_AT`, or a seed of the finalists."""


def searched_rows(rows: Any) -> int:
    """The most rows of this kind that a trial is fitted on."""
    columns = TEXT_CELLS if isinstance(rows, list) else numbers_in_a_row(rows)
    return max(SEARCH_CELLS // columns, FEWEST_ROWS)


def number_of(counts: Sequence[int]) -> str:
    """The number of rows that each seed learns from, in a word or two.

    Example:
        >>> number_of([4000, 4000]), number_of([2740, 2600, 2545])
        ('4,000', 'about 2,630')
    """
    return f"{counts[0]:,}" if len(set(counts)) == 1 else about(float(np.mean(counts)))


def about(count: float) -> str:
    """A number of rows in three digits, such as "about 2,630"."""
    return f"about {float(f'{count:.3g}'):,.0f}"


@dataclass(frozen=True, eq=False)
class Drawn:
    """Which rows are for one purpose, by their places.

    Attributes:
        train: among the given rows.
        validation: among those given to validate on, or else among the given rows.
        more: among the rows without ground truth; None if there are none.
    """

    train: Places
    validation: Places
    more: Places | None


@dataclass(frozen=True, eq=False)
class DevelopmentRows:
    """Rows to train and validate on, as a value that other processes are sent.

    Attributes:
        form: of the teacher's answers.
        schema: the columns of the rows; None for a matrix or a list of texts.
        given: the given rows.
        more: rows without ground truth; None if there are none.
        draws: which of them are for what.
        own: the rows given to validate on; None if validation rows are drawn from the given ones.
    """

    form: AnswerForm
    schema: Schema | None
    given: Part
    more: Part | None
    draws: Mapping[Purpose, Drawn]
    own: Part | None = None
    _last: dict[Purpose, Prepared] = field(default_factory=dict, repr=False)
    _lock: Any = field(default_factory=RLock, repr=False)

    @classmethod
    def of(cls, problem: Problem, split: Split, answered: Answered, *, seed: int, seeds: int) -> DevelopmentRows:
        """The rows of a run.

        Args:
            problem: teacher and rows.
            split: which rows are for what.
            answered: the rows with the teacher's answers.
            seed: of the run.
            seeds: number of students of each arm.

        Raises:
            BadInput: all rows of a part weigh nothing.
        """
        draw = _Draw(problem, split, answered, seed)
        draws: dict[Purpose, Drawn] = {one: draw.of_seed(one) for one in range(seeds)}
        draws |= {SEARCHED: draw.for_search(), LOOKED_AT: draw.for_first_look()}
        more = None if answered.more is None else answered.more.part
        return cls(problem.form, problem.schema, answered.given, more, draws, answered.validation)

    def more_learnt(self, seeds: Iterable[int] | None = None) -> tuple[int, ...]:
        """How many of the rows without ground truth each seed learns from: fewer than there are; all seeds if none are named."""
        drawn = [self.draws[one] for one in (sorted(one for one in self.draws if isinstance(one, int)) if seeds is None else seeds)]
        return tuple(0 if one.more is None else len(one.more) for one in drawn)

    def prepared(self, purpose: Purpose) -> Prepared:
        """The rows for a purpose. Those of the last one are kept in memory, with what was encoded of them."""
        with self._lock:
            if purpose not in self._last:
                self._last.clear()  # freed before the next are made
                drawn = self.draws[purpose]
                train, validation = self.given.take(drawn.train), self._validated.take(drawn.validation)
                more = None if self.more is None or drawn.more is None else self.more.take(drawn.more)
                text = isinstance(train.rows, list)
                prepared = Prepared(self.form, train, validation, more, self.schema, text)
                if text and isinstance(purpose, int):  # a search takes few of the texts: to count all would take longer
                    counts, learnt = self._words
                    validated = np.searchsorted(learnt, drawn.validation) if self.own is None else len(learnt) + drawn.validation
                    places = {"train": np.searchsorted(learnt, drawn.train), "validation": validated}
                    prepared = replace(prepared, words=counts, places=places)
                self._last[purpose] = prepared
            return self._last[purpose]

    @cached_property
    def _words(self) -> tuple[WordCounts, Places]:
        """The words of the texts that any seed trains or validates on, and the places of these texts among the given ones, ascending.

        Texts given to validate on follow them.
        """
        drawn = [one for purpose, one in self.draws.items() if isinstance(purpose, int)]
        validated = [one.validation for one in drawn] if self.own is None else []
        learnt = np.unique(np.concatenate([*(one.train for one in drawn), *validated]))
        return WordCounts([*self.given.take(learnt).rows, *([] if self.own is None else self.own.rows)]), learnt

    @property
    def _validated(self) -> Part:
        """The rows among which validation rows have their places."""
        return self.given if self.own is None else self.own

    def __getstate__(self) -> dict[str, Any]:
        return {**{name: value for name, value in self.__dict__.items() if name != "_words"}, "_last": {}, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({**state, "_lock": RLock()})


@dataclass(frozen=True, eq=False)
class _Draw:
    """Draws rows; fewer of them are among those of more."""

    problem: Problem
    split: Split
    answered: Answered
    seed: int

    def of_seed(self, seed: int) -> Drawn:
        """All rows, split as one seed of the finalists splits them."""
        train, validation = parts_of(self.problem, self.split, seed=self.seed + seed)
        return Drawn(train, validation, self._more_of(validation))

    def for_search(self) -> Drawn:
        """The rows of trials: those of the first seed, but no more than a trial can be fitted on in seconds."""
        all_of, most = self.of_seed(0), searched_rows(self.answered.given.rows)
        return Drawn(self._some(all_of.train, most), all_of.validation, None if all_of.more is None else self._some(all_of.more, most))

    def for_first_look(self) -> Drawn:
        """A few rows."""
        all_of, more = self.of_seed(0), self.answered.more
        some = None if more is None else self._some(np.arange(more.part.count), FIRST_LOOK)
        return Drawn(self._some(all_of.train, FIRST_LOOK), self._some(all_of.validation, FIRST_LOOK), some)

    def _more_of(self, validation: Places) -> Places | None:
        """The rows without ground truth that one seed learns from: not its validation rows again, nor rows made from them."""
        more = self.answered.more
        if more is None:
            return None
        if more.made_from is None:
            return np.flatnonzero(not_validated(self.problem, self.split, validation))
        if self.problem.validation is not None:  # of which no rows are made
            return np.arange(len(more.made_from))
        return np.flatnonzero(~np.isin(more.made_from, validation).any(axis=1))

    def _some(self, places: Places, most: int) -> Places:
        return places[np.random.default_rng(self.seed).permutation(len(places))[:most]]
