import numpy as np
import pytest
from position_models import Given, GivenTeacher, drawn

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.evaluation.aligning.answer_forms import check_positions, declared_form

FORM = of_classes("logits", ("a", "b", "c"))


class Plain:
    classes_ = np.array(["a", "b", "c"])

    def predict_proba(self, rows):
        return rows


def test_a_student_that_does_not_say_answers_what_its_teacher_answers():
    teacher = GivenTeacher(drawn([2], 3, 0), ("a", "b", "c"))
    assert declared_form(Plain(), teacher) == AnswerForm("probabilities", "multiclass", ("a", "b", "c"), positions="tokens")
    assert declared_form(Plain(), None) is None
    assert declared_form(Given(None, ("a", "b"), "pixels"), None).positions == "pixels"
    assert declared_form(teacher, None) is teacher.form


def test_students_and_teachers_of_other_positions_are_told_apart():
    tokens, pixels = (GivenTeacher(None, ("a", "b"), positions) for positions in ("tokens", "pixels"))
    with pytest.raises(LabelMismatch, match="the student answers tokens and the teacher pixels"):
        check_positions(tokens, tokens.form, pixels)
    with pytest.raises(LabelMismatch, match="the student answers rows and the teacher pixels"):
        check_positions(Plain(), FORM, pixels)
    with pytest.raises(BadInput, match="predicts values of pixels"):
        check_positions(Plain(), AnswerForm("values", "regression", positions="pixels"), None)
