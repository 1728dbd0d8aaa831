"""Ask a teacher once, keep the answers, and give them back only for the rows they were asked about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arrays import Floats, check_finite, check_probabilities, softmax
from tutelage.core.contracts import AnswerKind, Teacher
from tutelage.core.errors import LabelMismatch


@dataclass(frozen=True)
class SoftLabels:
    """A teacher's answers to known rows.

    Attributes:
        answers: (rows, classes), as the teacher gave them.
        kind: what the numbers are.
        classes: the label of each column, in order; empty for regression.
        data: fingerprint of the rows, which `for_rows` checks.
    """

    answers: Floats
    kind: AnswerKind
    classes: tuple[Any, ...]
    data: str

    def for_rows(self, data: str, rows: int) -> SoftLabels:
        """These labels, after proving that they answer exactly these rows.

        Args:
            data: fingerprint of the rows about to be trained on.
            rows: how many they are.

        Raises:
            LabelMismatch: they were recorded on other rows.
        """
        if self.data != data or len(self.answers) != rows:
            raise LabelMismatch(
                f"the soft labels were recorded on {len(self.answers)} rows (data {self.data[:8]}...); this data has {rows} "
                f"({data[:8]}...). Pass the data they were recorded on, or record again."
            )
        return self

    @property
    def logits(self) -> Floats:
        """(rows, classes) logits; from probabilities they are log p, which is right up to one constant a row.

        Raises:
            LabelMismatch: these are regression values.
        """
        if self.kind == "values":
            raise LabelMismatch("these labels are regression values; they have no logits. Use .answers.")
        if self.kind == "logits":
            return self.answers
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.answers))

    @property
    def probabilities(self) -> Floats:
        """(rows, classes) probabilities at temperature 1; softmax is applied once, and only to logits."""
        return self.answers if self.kind == "probabilities" else softmax(self.logits)


def record(teacher: Teacher, inputs: NDArray[Any], *, data: str) -> SoftLabels:
    """Ask the teacher about every row and check what it said.

    Args:
        teacher: anything `as_teacher` gives.
        inputs: (rows, ...), as the teacher takes them.
        data: fingerprint of the rows, so that the labels can be refused for others.

    Raises:
        NotProbabilities, BadInput: the answers are not what the teacher declares.
        LabelMismatch: another number of answers than rows.
    """
    return from_arrays({"answers": teacher.answer(inputs)}, kind=teacher.kind, classes=teacher.classes, data=data, rows=len(inputs))


def from_arrays(arrays: Mapping[str, NDArray[Any]], *, kind: AnswerKind, classes: tuple[Any, ...], data: str, rows: int) -> SoftLabels:
    """Soft labels from stored arrays, checked as if they had just been recorded.

    Raises:
        as `record`.
    """
    answers = arrays["answers"]
    if len(answers) != rows or (kind != "values" and answers.shape[1] != len(classes)):
        raise LabelMismatch(f"the answers have shape {answers.shape}; expected {rows} rows and {len(classes)} classes.")
    checked = check_probabilities(answers, "the answers") if kind == "probabilities" else check_finite(answers, "the answers")
    return SoftLabels(checked, kind, classes, data)
