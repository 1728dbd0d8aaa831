"""A trained student as it is saved: with the names of its columns, and with its answers brought to temperature 1."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if

from tutelage.core.answer_kinds import Task
from tutelage.core.answers import AnswerForm, label_array, list_classes
from tutelage.core.arrays import Floats, is_frame
from tutelage.core.errors import BadInput, ShapeError, require
from tutelage.core.identity.hashing import content_hash


@dataclass(frozen=True, eq=False)
class TrainedStudent:
    """A fitted student that answers at temperature 1.

    It is a Teacher, and has the prediction methods of a scikit-learn classifier or regressor. Its attributes are plain
    values and estimators only, so that `save_student` can save it.

    Attributes:
        student_: the fitted pipeline of `with_columns`.
        task: the task of its teacher.
        labels: the class name of each column of its answers, in order; empty for regression.
        answer_temperature: temperature applied to its probabilities, as in `Taught`; 1 leaves them as they are.
        columns: names of its input columns, in order; empty for a matrix or texts.
        text: whether its rows are texts; in a frame, they are read from the single column in `columns`.
    """

    student_: Any
    task: Task
    labels: tuple[Any, ...] = ()
    answer_temperature: float = 1.0
    columns: tuple[str, ...] = ()
    text: bool = False

    def __getstate__(self) -> dict[str, Any]:
        """What is saved: the attributes, without what was derived from them on use."""
        return {attribute.name: getattr(self, attribute.name) for attribute in fields(self)}

    @cached_property
    def form(self) -> AnswerForm:
        """Form of the answers: probabilities, or values for regression."""
        return AnswerForm("values" if self.task == "regression" else "probabilities", self.task, self.labels)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the pipeline, the task, the labels and the temperature of its answers."""
        return f"student:{content_hash((self.student_, self.task, self.labels, self.answer_temperature))}"

    @property
    def classes_(self) -> NDArray[Any]:
        """(classes,) the class name of each column; a regressor has no such attribute."""
        if self.task == "regression":
            raise AttributeError("a regressor has no classes_")
        return label_array(self.labels)

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) probabilities at temperature 1, or (rows, outputs) values.

        Args:
            inputs: rows of the same kind as in training; columns of a frame are selected by name.

        Raises:
            BadInput: a column is missing, or the student expects texts and the rows are not texts.
            ShapeError: a matrix with another number of columns.
        """
        rows = self._input_rows(inputs)
        if self.task == "regression":
            values = np.asarray(self.student_.predict(rows))
            return values.reshape(len(values), -1)
        probabilities = np.asarray(self.student_.predict_proba(rows), dtype=np.float64)
        return self.form.probabilities(probabilities, self.answer_temperature)

    @available_if(lambda self: self.task != "regression")  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Floats:
        """(rows, classes) probabilities at temperature 1; for multilabel, the probability of each label."""
        return self.answer(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """(rows,) class names; (rows, labels) of 0 and 1 for multilabel; (rows,) or (rows, outputs) values for regression."""
        answers = self.answer(X)
        if self.task == "regression":
            return answers[:, 0] if answers.shape[1] == 1 else answers
        if self.task == "multilabel":
            return np.asarray(answers > 0.5, dtype=np.intp)
        return np.asarray(self.classes_[answers.argmax(axis=1)])

    def _input_rows(self, inputs: Any) -> Any:
        if not self.columns:
            return inputs
        if is_frame(inputs):
            return self._select_columns(inputs)
        if self.text:
            if any(not isinstance(text, str) for text in inputs[:1]):
                raise BadInput(
                    f"this student expects texts (column {self.columns[0]!r}); it was given rows of {type(inputs).__name__}. "
                    "Pass a list of strings, or a frame with that column."
                )
            return list(inputs)
        width = np.shape(inputs)[1] if np.ndim(inputs) == 2 else None
        if width != len(self.columns):
            raise ShapeError(
                f"the rows have shape {np.shape(inputs)}; this student expects {len(self.columns)} columns, {list_classes(self.columns)}. "
                "Pass them in this order, or as a frame with these names."
            )
        cells = np.asarray(inputs)
        cells = cells.astype(np.float64) if cells.dtype.kind == "f" else cells  # columns are scaled in double precision, as in training
        return require("pandas").DataFrame(cells, columns=list(self.columns))

    def _select_columns(self, frame: Any) -> Any:
        """The input columns of this student, selected from a frame by name."""
        present = [str(name) for name in frame.columns]
        missing = tuple(name for name in self.columns if name not in present)
        if missing:
            raise BadInput(
                f"the rows lack the columns {list_classes(missing)}, which the student expects; they have {list_classes(tuple(present))}. "
                "Add the missing columns."
            )
        return list(frame[self.columns[0]]) if self.text else frame[list(self.columns)]
