"""Rows that are left out of a part, as they equal rows that are held back from it or belong to their groups: counted, with why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.data.row_names import Names
from tutelage.workflow.distillation.given.draws import Places
from tutelage.workflow.distillation.given.problem import Problem, RowSet


@dataclass(frozen=True, eq=False)
class LeftOut:
    """The rows to test and calibrate on, and what is left out of the other parts because of them.

    Attributes:
        problem: teacher and rows.
        test_names: of the rows to test on.
        test_groups: their groups; None if there are none.
        calibration: places among the given rows of those to calibrate on.
        counts: the number of rows left out so far, by the reason.
    """

    problem: Problem
    test_names: Names
    test_groups: NDArray[Any] | None
    calibration: Places
    counts: dict[str, int]

    def kept(self, places: Places) -> Places:
        """Those of the given rows that may be trained on, and validated on where validation rows are drawn."""
        problem, given = self.problem, self.problem.given
        names = problem.names["given"]
        places = self._without("equal to a test row", places, equal(problem, names[places], self.test_names))
        if given.groups is not None and problem.test is not None:
            places = self._without("in the group of a test row", places, shared(given.groups[places], self.test_groups))
        if len(self.calibration):
            places = self._without("equal to a calibration row", places, equal(problem, names[places], names[self.calibration]))
        return places

    def apart(self, name: str, rows: RowSet | None) -> Places:
        """Places among the rows of the pool, or among those given to validate on, that are apart from those to test and calibrate on."""
        problem, given = self.problem, self.problem.given
        places = np.arange(0 if rows is None else rows.count)
        if rows is None:
            return places
        names = problem.names[name]
        places = self._without(f"of the {name}, equal to a test row", places, equal(problem, names[places], self.test_names))
        if rows.groups is not None:
            places = self._without(f"of the {name}, in the group of a test row", places, shared(rows.groups[places], self.test_groups))
        if len(self.calibration):
            held_back = equal(problem, names[places], problem.names["given"][self.calibration])
            if rows.groups is not None and given.groups is not None:
                held_back |= shared(rows.groups[places], given.groups[self.calibration])
            places = self._without(f"of the {name}, equal to a calibration row or in its group", places, held_back)
        return places

    def learnable(self, name: str, rows: RowSet, places: Places, validation: Places) -> Places:
        """Those of the given rows or of the pool that are apart from the rows given to validate on; all if none were given."""
        problem, given = self.problem, self.problem.validation
        if given is None:
            return places
        of = "" if name == "given" else f"of the {name}, "
        same = equal(problem, problem.names[name][places], problem.names["validation"][validation])
        places = self._without(f"{of}equal to a validation row", places, same)
        if rows.groups is not None and given.groups is not None:
            in_group = shared(rows.groups[places], given.groups[validation])
            places = self._without(f"{of}in the group of a validation row", places, in_group)
        return places

    def _without(self, why: str, places: Places, out: NDArray[np.bool_]) -> Places:
        self.counts[why] = int(out.sum())
        return places[~out]


def equal(problem: Problem, names: Names, others: Names) -> NDArray[np.bool_]:
    """For each row, whether it is left out because it equals one of others."""
    return np.zeros(len(names), dtype=bool) if problem.equal_by_chance else np.isin(names, others)


def shared(groups: NDArray[Any], others: NDArray[Any] | None) -> NDArray[np.bool_]:
    """For each row, whether its group is among others."""
    return np.zeros(len(groups), dtype=bool) if others is None else np.isin(groups.astype(str), others.astype(str))
