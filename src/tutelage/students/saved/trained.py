"""A trained student as it is saved: with the names of its columns, and with its answers at temperature 1 and with biases of its classes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if

from tutelage.core.answer_kinds import Task
from tutelage.core.answer_values.class_names import list_classes
from tutelage.core.answers import AnswerForm, label_array
from tutelage.core.arrays import Floats, is_frame
from tutelage.core.errors import BadInput, ShapeError, require
from tutelage.core.identity.hashing import content_hash
from tutelage.data.schema import Schema, columns_of
from tutelage.data.structures.inputs import RowInputs
from tutelage.students.columns import check_scale


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
        schema: its input columns, with the types and categories of training; None for a matrix or a list of texts.
        text: whether its rows are texts; in a frame, they are read from the single column of `schema`.
        inputs: how its rows look, if they are several inputs; None for others.
        biases: for each class, what is added to the logarithm of its probability, or to the log odds of a label, after the temperature;
            empty for none.
    """

    student_: Any
    task: Task
    labels: tuple[Any, ...] = ()
    answer_temperature: float = 1.0
    schema: Schema | None = None
    text: bool = False
    inputs: RowInputs | None = None
    biases: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))  # class names of a form are stored as plain values
        if self.biases and len(self.biases) != len(self.labels):
            raise ShapeError(f"there are {len(self.biases)} biases for {len(self.labels)} classes; expected one for each, or none.")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its input columns, in order; empty for a matrix or a list of texts."""
        return () if self.schema is None else self.schema.names or ()

    def __getstate__(self) -> dict[str, Any]:
        """What is saved: the attributes, without what was derived from them on use."""
        return {attribute.name: getattr(self, attribute.name) for attribute in fields(self)}

    @cached_property
    def form(self) -> AnswerForm:
        """Form of the answers: probabilities, or values for regression."""
        return AnswerForm("values" if self.task == "regression" else "probabilities", self.task, self.labels)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the pipeline, the task, the labels, and the temperature and biases of its answers."""
        biases = (self.biases,) if self.biases else ()
        return f"student:{content_hash((self.student_, self.task, self.labels, self.answer_temperature, *biases))}"

    @property
    def classes_(self) -> NDArray[Any]:
        """(classes,) the class name of each column; a regressor has no such attribute."""
        if self.task == "regression":
            raise AttributeError("a regressor has no classes_")
        return label_array(self.labels)

    @property
    def biases_(self) -> Floats:
        """(classes,) the bias of each class; zeros if it has none."""
        return np.array(self.biases) if self.biases else np.zeros(len(self.labels))

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """The names of the columns that the estimator was fitted on; there is no such attribute beside a schema, or without names."""
        if self.schema is not None:
            raise AttributeError("the columns are those of the schema")
        names: NDArray[Any] = self.student_.feature_names_in_
        return names

    def answer(self, inputs: Any) -> Floats:
        """(rows, classes) probabilities at temperature 1, or (rows, outputs) values.

        Args:
            inputs: rows of the same kind as in training; columns of a frame are selected by name, and converted as by `Schema.align`;
                several inputs are a mapping of arrays.

        Raises:
            BadInput: a column is missing or holds cells of another type, or the student expects texts and the rows are not texts.
            ShapeError: a matrix with another number of columns, or an input of another shape.
        """
        rows = self._input_rows(inputs)
        if self.task == "regression":
            values = np.asarray(self.student_.predict(rows))
            return values.reshape(len(values), -1)
        probabilities = np.asarray(self.student_.predict_proba(rows), dtype=np.float64)
        if not self.biases:
            return self.form.probabilities(probabilities, self.answer_temperature)
        scores = self.form.logits(probabilities) / self.answer_temperature + self.biases_
        return self.form.as_kind("logits").probabilities(scores)

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

    def check_scale(self, rows: Any, name: str) -> None:
        """Refuse a set of pictures, series or several inputs whose numbers are of another scale than those of training.

        Args:
            rows: the whole set; other kinds are left to `answer`.
            name: what they are, for the message.

        Raises:
            BadInput: numbers of another scale.
        """
        if self.inputs is not None:
            self.inputs.alike(rows, name)
        else:
            check_scale(self.student_, rows, name)

    def _input_rows(self, inputs: Any) -> Any:
        if self.inputs is not None:
            return self.inputs.arranged(inputs)
        if self.schema is None:
            return inputs
        if is_frame(inputs):
            rows = self.schema.align(inputs)
            return columns_of(rows)[0].to_list() if self.text else rows
        if self.text:
            if any(not isinstance(text, str) for text in inputs[:1]):
                raise BadInput(
                    f"this student expects texts (column {self.columns[0]!r}); it was given rows of {type(inputs).__name__}. "
                    "Pass a list of strings, or a frame with that column."
                )
            return list(inputs)
        width, expected = np.shape(inputs)[1] if np.ndim(inputs) == 2 else None, len(self.schema.columns)
        if width != expected:
            raise ShapeError(
                f"the rows have shape {np.shape(inputs)}; this student expects {expected} columns, {list_classes(self.columns)}. "
                "Pass them in this order, or as a frame with these names."
            )
        cells = np.asarray(inputs)
        cells = cells.astype(np.float64) if cells.dtype.kind == "f" else cells  # columns are scaled in double precision, as in training
        return self.schema.align(require("pandas").DataFrame(cells, columns=self.schema.names))
