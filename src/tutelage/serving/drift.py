"""How far the rows that are served have moved from those that were recorded with the student."""

from __future__ import annotations

import json
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import DamagedFile, one_line
from tutelage.data.structures.structured import StructuredRows
from tutelage.evaluation.deployed.drift import REFERENCE, Profile, RecentRows, columns_of_inputs, columns_of_rows, figures_of_answers
from tutelage.serving.batching import joined
from tutelage.serving.model import Answered, ServedFile
from tutelage.serving.row_format import RowFormat, ServedRows

BLOCK = 500
"""Rows that are counted at a time: counting one alone takes as long as many."""


class Drift:
    """The stability index of the latest rows and answers.

    Args:
        profile: of the recorded rows.
        rows_as: how a row looks.
        form: of the student's answers.
    """

    def __init__(self, profile: Profile, rows_as: RowFormat, form: AnswerForm) -> None:
        self.profile = profile
        self._recent = RecentRows(profile)
        self._rows_as, self._form = rows_as, form
        self._block: list[tuple[ServedRows, Answered]] = []
        self._block_rows = 0
        self._taking, self._counting = threading.Lock(), threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tutelage-drift")

    @classmethod
    def open(cls, served: ServedFile, example: ServedRows) -> Drift | None:
        """The drift against reference.json beside the file; None where there is none, or one of another student.

        Args:
            served: the file.
            example: any row of it, by which the columns are compared.

        Raises:
            DamagedFile: another content. StaleCache: of another version.

        Warns:
            UserWarning: the profile is that of another student.
        """
        path = served.path.parent / REFERENCE
        if not path.is_file():
            return None
        profile = Profile.from_json(_json(path), str(path))
        found = cls(profile, served.rows_as, served.form)
        columns, answers = found._cells(example, served.answer(example))
        names = [one.name for one in profile.columns], [one.name for one in profile.answers]
        if profile.file not in (None, served.sha256) or names != (list(columns), list(answers)):
            warnings.warn(
                f"{path} counts the answers of another file than {served.path}: no drift is measured. Keep both files of one run together.",
                stacklevel=2,
            )
            return None
        return found

    def see(self, rows: Any, answered: Answered) -> None:
        """Take note of rows and the student's answers to them; they are counted in a thread when there are enough."""
        with self._taking:
            self._block.append((rows, answered))
            self._block_rows += len(rows)
            full = self._block_rows >= BLOCK
        if full:
            self._thread.submit(self._count, self._taken())

    def shifts(self) -> tuple[int, dict[str, float], dict[str, float]]:
        """The number of rows, and the stability index of each column and of each figure of the answers."""
        self._count(self._taken())
        with self._counting:
            return (self._recent.count, *self._recent.shifts())

    def _taken(self) -> list[tuple[ServedRows, Answered]]:
        with self._taking:
            block, self._block, self._block_rows = self._block, [], 0
        return block

    def _count(self, block: list[tuple[ServedRows, Answered]]) -> None:
        if block:
            rows, answered = zip(*block, strict=True)
            cells = self._cells(joined(rows), _joined_answers(answered))
            with self._counting:
                self._recent.see(*cells)

    def _cells(self, rows: ServedRows, answered: Answered) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
        is_text = [kind == "text" for kind in self._rows_as.kinds]
        with np.errstate(all="ignore"):  # huge numbers have an infinite deviation
            if isinstance(rows, StructuredRows):
                columns = columns_of_inputs(rows, {one.name: one.varies for one in self._rows_as.arrays})
            else:
                columns = columns_of_rows(self._rows_as.names, rows.numbers, rows.texts, is_text)
        return columns, figures_of_answers(self._form.task, self._form.classes, answered.values, answered.confidence)


def _joined_answers(parts: tuple[Answered, ...]) -> Answered:
    return Answered.of(np.concatenate([part.values for part in parts]), np.concatenate([part.confidence for part in parts]))


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedFile(f"{path} cannot be read ({one_line(error)}). Remove it to serve without figures of drift.") from error
