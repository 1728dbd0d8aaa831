"""Student and teacher of a cascade, as Teachers of the same classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput
from tutelage.core.identity.fingerprints import fingerprint_of
from tutelage.data.rows import as_rows
from tutelage.evaluation.aligning.alignment import student_form, student_outputs
from tutelage.teachers.adapt import as_teacher


@dataclass(frozen=True, eq=False)
class LabelStudent:
    """A multilabel estimator as a Teacher with the label names of another, where its own `classes_` do not say what its columns are."""

    estimator: Any
    form: AnswerForm

    @property
    def fingerprint(self) -> str:
        """Hash of the estimator."""
        return fingerprint_of(self.estimator, name=type(self.estimator).__name__, version=None)

    def answer(self, inputs: Any) -> Floats:
        """(rows, labels) probabilities."""
        return self.form.check(student_outputs(self.estimator, self.form, inputs), as_rows(inputs).count, "the student's answers")

    def decide(self, inputs: Any) -> Any:
        """The estimator's own predictions."""
        return self.estimator.predict(inputs)


def student_of(student: Any, teacher: Teacher) -> Teacher:
    """The student of a cascade as a Teacher.

    Raises:
        BadInput: it is not fitted, answers with values, or cannot be used.
    """
    is_estimator = hasattr(student, "predict_proba") and not hasattr(student, "answer") and not hasattr(student, "network")
    if teacher.form.task == "multilabel" and is_estimator:
        return LabelStudent(student, student_form(student, teacher))
    return classifier_of("student", student)


def classifier_of(name: str, model: Any) -> Teacher:
    """Student or teacher as a Teacher of classes."""
    try:
        found = as_teacher(model)
    except BadInput as error:
        raise type(error)(f"the {name} of the cascade: {error}") from error
    if found.form.task == "regression":
        raise BadInput(
            f"the {name} of the cascade answers with values, which do not say how sure it is; expected a classifier, with probabilities."
        )
    if found.form.positions is not None:
        raise BadInput(
            f"the {name} of the cascade answers {found.form.positions}, which are no independent samples, so that no rate can be "
            "guaranteed of them; expected one answer for each row."
        )
    return found
