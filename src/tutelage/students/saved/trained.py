"""A student as it is kept: with the columns that it reads, and the temperature that it learnt at taken out again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if

from tutelage.core.answer_kinds import Task
from tutelage.core.answers import AnswerForm, label_array, shown
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput, ShapeError, require
from tutelage.core.hashing import content_hash


@dataclass(frozen=True, eq=False)
class TrainedStudent:
    """Answers rows at temperature 1. Itself a Teacher; also asked as a scikit-learn classifier or regressor is.

    Everything it holds is plain, or an estimator, so that `save_student` can keep it.

    Attributes:
        student_: the fitted pipeline of `with_columns`.
        task: what it decides.
        labels: the label of each column of its answers, in order; empty for regression.
        temperature: that of the targets it learnt from.
        columns: the names of the columns that it reads, in order; empty for a matrix or texts.
        text: whether its rows are texts, in the one column of `columns` where rows come as a frame.
    """

    student_: Any
    task: Task
    labels: tuple[Any, ...] = ()
    temperature: float = 1.0
    columns: tuple[str, ...] = ()
    text: bool = False

    @cached_property
    def form(self) -> AnswerForm:
        """Probabilities, or values."""
        return AnswerForm("values" if self.task == "regression" else "probabilities", self.task, self.labels)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything that it holds."""
        return f"student:{content_hash((self.student_, self.task, self.labels, self.temperature))}"

    @property
    def classes_(self) -> NDArray[Any]:
        """(classes,) the label of each column; a regressor has none."""
        if self.task == "regression":
            raise AttributeError("a regressor has no classes_")
        return label_array(self.labels)

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) probabilities at temperature 1, or (rows, outputs) values.

        Args:
            inputs: rows as it learnt from; of a frame the columns that it reads are found by name.

        Raises:
            BadInput: columns are missing.
        """
        rows = self._read(inputs)
        if self.task == "regression":
            values = np.asarray(self.student_.predict(rows))
            return values.reshape(len(values), -1)
        tempered = np.asarray(self.student_.predict_proba(rows), dtype=np.float64)
        return self.form.probabilities(tempered, 1 / self.temperature)

    @available_if(lambda self: self.task != "regression")  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Floats:
        """(rows, classes) probabilities at temperature 1; for multilabel, of each label."""
        return self.answer(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """(rows,) labels, (rows, labels) of 0 and 1, (rows,) values or (rows, outputs)."""
        answers = self.answer(X)
        if self.task == "regression":
            return answers[:, 0] if answers.shape[1] == 1 else answers
        if self.task == "multilabel":
            return np.asarray(answers > 0.5, dtype=np.intp)
        return np.asarray(self.classes_[answers.argmax(axis=1)])

    def _read(self, inputs: Any) -> Any:
        if not self.columns:
            return inputs
        if hasattr(inputs, "columns"):
            return self._found(inputs)
        if self.text:
            if any(not isinstance(text, str) for text in inputs[:1]):
                raise BadInput(f"this student reads texts (column {self.columns[0]!r}); it was given rows of {type(inputs).__name__}.")
            return list(inputs)
        width = np.shape(inputs)[1] if np.ndim(inputs) == 2 else None
        if width != len(self.columns):
            raise ShapeError(f"rows of shape {np.shape(inputs)}; this student reads {len(self.columns)} columns, {shown(self.columns)}.")
        cells = np.asarray(inputs)
        cells = cells.astype(np.float64) if cells.dtype.kind == "f" else cells  # columns are scaled in full precision, as learnt
        return require("pandas").DataFrame(cells, columns=list(self.columns))

    def _found(self, frame: Any) -> Any:
        """The columns of a frame that this student reads, whatever their order."""
        there = [str(name) for name in frame.columns]
        lacking = tuple(name for name in self.columns if name not in there)
        if lacking:
            raise BadInput(f"the rows lack the columns {shown(lacking)}, which the student reads; they have {shown(tuple(there))}.")
        return list(frame[self.columns[0]]) if self.text else frame[list(self.columns)]
