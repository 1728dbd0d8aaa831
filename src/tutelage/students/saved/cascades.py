"""A cascade on disk: its student as any other, beside it what calibration proved; the teacher is not stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from tutelage.core.answers import AnswerForm
from tutelage.core.arguments import flag, number
from tutelage.core.arrays import Floats
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, DamagedFile, LabelMismatch
from tutelage.core.records import record_from
from tutelage.data.rows import as_rows
from tutelage.students.cascade import Cascade, Guarantee
from tutelage.students.cascades.models import classifier_of, student_of
from tutelage.students.checked import check_fitted
from tutelage.students.saved.version import AGAIN

_SETTINGS = ("target", "delta", "against", "over")


@dataclass(frozen=True)
class AbsentTeacher:
    """The teacher of a cascade that was loaded without it: what its answers mean is known, and it gives none.

    Attributes:
        form: the form of its answers.
        fingerprint: identifies it.
    """

    form: AnswerForm
    fingerprint: str

    def answer(self, inputs: Any) -> Floats:
        """No answer.

        Raises:
            BadInput: always.
        """
        count = as_rows(inputs).count
        raise BadInput(
            f"{count:,} row{'s' if count > 1 else ''} of these the student leaves to the teacher, which was not loaded. Pass "
            "load_student(path, teacher=...), or answer only the rows that cascade.defers(X) does not mark."
        )


def student_to_store(cascade: Cascade) -> Any:
    """The student of a cascade, which must be an estimator.

    Raises:
        NotFitted: the cascade is not calibrated. BadInput: the student is a network, a file or a function.
    """
    check_fitted(cascade)
    if hasattr(cascade.student, "network") or not hasattr(cascade.student, "predict"):
        raise BadInput(
            f"the student of this cascade is a {type(cascade.student).__name__}; a saved cascade holds a scikit-learn estimator. Write it "
            "with its threshold as a file: tl.export(cascade, 'student.onnx', check_on=X)."
        )
    return cascade.student


def guarantee_to_store(cascade: Cascade) -> dict[str, Any]:
    """What is stored beside the student, as JSON values."""
    form = cascade.form
    return {"guarantee": asdict(cascade.guarantee_), "task": form.task, "classes": list(form.classes)}


def stored_cascade(student: Any, stored: Mapping[str, Any], teacher: Any, path: Path) -> Cascade:
    """A cascade as it was calibrated, from its student and what `guarantee_to_store` gave.

    Args:
        student: as it was loaded.
        stored: the JSON values.
        teacher: the teacher that it was calibrated with, as `as_teacher` takes it; None to load it without.
        path: the file, for messages.

    Raises:
        LabelMismatch: another teacher. BadInput: an object that cannot be a teacher. DamagedFile: values that are none of ours.
    """
    try:
        guarantee = record_from(Guarantee, stored["guarantee"])
        form = AnswerForm("probabilities", stored["task"], tuple(stored["classes"]))
        flag("own_decisions", stored["guarantee"]["own_decisions"])
        if guarantee.threshold is not None:
            number("threshold", guarantee.threshold, least=0, most=1)
    except (KeyError, TypeError, BadInput) as error:
        raise DamagedFile(f"{path} is damaged: what it says of a cascade cannot be read. {AGAIN}") from error
    found: Teacher = AbsentTeacher(form, guarantee.teacher) if teacher is None else classifier_of("teacher", teacher)
    if found.fingerprint != guarantee.teacher:
        raise LabelMismatch(
            f"{path} was calibrated with the teacher {guarantee.teacher}; this one is {found.fingerprint}. Pass that teacher, or calibrate "
            "again: tl.Cascade(student, teacher).fit(X)."
        )
    settings = {field.name: getattr(guarantee, field.name) for field in fields(guarantee) if field.name in _SETTINGS}
    cascade = Cascade(student, teacher, **settings)
    return cascade.calibrated(student_of(student, found), found, guarantee)
