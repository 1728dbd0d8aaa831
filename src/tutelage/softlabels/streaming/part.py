"""Some rows with their answers and ground truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tutelage.core.position_answers import Answers, joined
from tutelage.data.structures.row_parts import Gathered, rows_at
from tutelage.softlabels.streaming.order import Places


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows with what belongs to them.

    Attributes:
        numbers: (rows,) their numbers in the data.
        rows: the rows, in the recorded columns without that of the ground truth, in the container that their source gives.
        answers: the recorded answers to them, of the form of the recording.
        y: their ground truth; None if it is not known.
    """

    numbers: Places
    rows: Any
    answers: Answers
    y: Any = None

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, places: Places) -> Part:
        """Some of these rows, by their places among them."""
        y = None if self.y is None else rows_at(self.y, places)
        return Part(self.numbers[places], rows_at(self.rows, places), self.answers[places], y)


def joined_parts(found: list[Part]) -> Part:
    """Several parts as one, in their order."""
    return gathered_parts(iter(found), sum(map(len, found)))


def gathered_parts(found: Iterator[Part], count: int) -> Part:
    """Parts that are read one after the other, as one.

    Args:
        found: the parts.
        count: how many rows they have together.
    """
    numbers, rows, answers, truth, has_truth = Gathered(count), Gathered(count), Gathered(count, joined), Gathered(count), False
    for part in found:
        numbers.add(part.numbers)
        rows.add(part.rows)
        answers.add(part.answers)
        if part.y is not None:
            has_truth = True
            truth.add(part.y)
    return Part(numbers.whole, rows.whole, answers.whole, truth.whole if has_truth else None)
