"""Students of several inputs, or whose answers have positions: the network of each, what is taken of its answers, and how it is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput
from tutelage.data.rows import as_rows
from tutelage.data.structures.inputs import RowInputs
from tutelage.data.structures.network_answers import answers_in
from tutelage.data.structures.structured import StructuredRows
from tutelage.exporters.subject.threshold import student_to_write
from tutelage.students.cascade import Cascade, Guarantee
from tutelage.students.networks.torch_estimator import TorchEstimator
from tutelage.students.networks.torch_network import TorchRegressor
from tutelage.students.saved.trained import TrainedStudent


@dataclass(frozen=True, eq=False)
class ArraysSubject:
    """A student as its file is written and compared.

    Attributes:
        student: as it was passed.
        network: its network.
        output: what is taken of the network's answers: logits at temperature 1, or values; None for the answers themselves.
        form: of the file's answers, probabilities or values.
        inputs: that it was fitted on; None where it does not know.
        asked: rows -> its answers.
        guarantee: of the threshold below which it leaves rows to a teacher; None if it answers all rows.
    """

    student: Any
    network: Any
    output: Callable[[Any], Any] | None
    form: AnswerForm
    inputs: RowInputs | None
    asked: Callable[[Any], Any]
    guarantee: Guarantee | None = None

    @property
    def threshold(self) -> float | None:
        """The confidence below which rows are left to the teacher."""
        return None if self.guarantee is None else self.guarantee.threshold

    def rows(self, check_on: Any) -> StructuredRows:
        """The rows to compare on, as several inputs; one array counts as a tuple of one.

        Raises:
            BadInput: rows that are no numbers, or have other inputs. ShapeError: an input of another shape.
        """
        source = as_rows(check_on)
        given = source.part(0, source.count)
        if self.inputs is not None:
            return self.inputs.arranged(given, "the rows of check_on")
        if isinstance(given, StructuredRows):
            return given
        array = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
        if array.dtype.kind not in "biuf":
            raise BadInput(f"check_on holds {array.dtype}; expected numbers, as the network takes them.")
        return StructuredRows({"0": array}, named=False)

    def taken(self, rows: StructuredRows) -> Any:
        """Some of `rows` as it takes them."""
        return plain(rows) if self.inputs is None else rows

    def answers(self, rows: StructuredRows) -> Any:
        """Its answers to some of `rows`: probabilities at temperature 1, or values."""
        return self.asked(self.taken(rows))


def plain(rows: StructuredRows) -> Any:
    """What a network or its file takes: the only array, or the structure as it is padded."""
    return next(iter(rows.padded().values())) if not rows.named and len(rows.fields) == 1 else rows


def takes_arrays(student: Any, check_on: Any) -> bool:
    """Whether a student, or that of a cascade, is a network of several inputs, or one whose answers have positions."""
    if isinstance(student, Cascade):
        return takes_arrays(student.student, check_on)
    if _inputs_of(student) is not None:
        return True
    if not hasattr(student, "network"):
        return False
    if getattr(getattr(student, "form", None), "positions", None) is not None:
        return True
    rows = as_rows(check_on)
    return rows.kind == "structure" or isinstance(rows.part(0, 1), StructuredRows)


def subject_of_arrays(student: Any) -> ArraysSubject:
    """A student of `takes_arrays`: a TorchStudent, a torch network with scikit-learn's API, one of a distillation, or that of a cascade.

    Raises:
        BadInput: a network without a form, or the student of a cascade may answer no row.
    """
    student, guarantee = student_to_write(student)
    return replace(_subject_of(student), guarantee=guarantee)


def _subject_of(student: Any) -> ArraysSubject:
    """The student itself, which answers all rows."""
    inputs = _inputs_of(student)
    if inputs is None:
        if student.form is None:
            raise BadInput("the network cannot be exported: what its answers mean is unknown. Fit the student, or pass classes= to it.")
        values = student.form.task == "regression"
        form = student.form if values else student.form.as_kind("probabilities")
        return ArraysSubject(student, student.network, student.output, form, None, student.outputs if values else student.predict_proba)
    if isinstance(student, TrainedStudent):
        estimator = student.student_[-1]
        output = _output_of(estimator, student.answer_temperature, student.biases)
        return ArraysSubject(student, estimator.network_, output, student.form, inputs, student.answer)
    if isinstance(student, TorchRegressor):
        form = AnswerForm("values", "regression")
        return ArraysSubject(student, student.network_, _output_of(student), form, inputs, lambda rows: _matrix(student.predict(rows)))
    form = student.answer_form.as_kind("probabilities")
    return ArraysSubject(student, student.network_, None, form, inputs, student.predict_proba)


def _inputs_of(student: Any) -> RowInputs | None:
    """The inputs that a student was fitted on; None for one of one input, and one that does not know."""
    return student.inputs if isinstance(student, TrainedStudent) else student.row_inputs if isinstance(student, TorchEstimator) else None


def _output_of(estimator: Any, temperature: float = 1.0, biases: tuple[float, ...] = ()) -> Callable[[Any], Any] | None:
    """What is taken of a network's answers: logits with their biases, or values in their own unit; None for the answers themselves."""
    if isinstance(estimator, TorchRegressor):
        mean, scale = estimator.mean_.tolist(), estimator.scale_.tolist()

        def values(returned: Any) -> Any:
            answers = answers_in(returned)
            return answers * answers.new_tensor(scale) + answers.new_tensor(mean)

        return values
    if temperature == 1 and not biases:
        return None

    def logits(returned: Any) -> Any:
        answers = answers_in(returned) / temperature
        return answers + answers.new_tensor(biases) if biases else answers

    return logits


def _matrix(values: NDArray[Any]) -> NDArray[Any]:
    return values.reshape(len(values), -1)
