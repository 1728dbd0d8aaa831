import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_moons
from sklearn.linear_model import LogisticRegression

from tutelage.core.errors import BadInput
from tutelage.data.rows import as_rows
from tutelage.teachers.adapt import as_teacher
from tutelage.workflow.distillation.given.calibration import calibration_notes, check_cascade, independent
from tutelage.workflow.distillation.given.problem import Problem, RowSet, row_set

X, Y = make_moons(400, noise=0.3, random_state=0)
TEACHER = as_teacher(LogisticRegression().fit(X, Y))


def of_columns(**columns):
    return Problem(TEACHER, "a teacher", row_set(pd.DataFrame({"a": X[:, 0], **columns}), Y))


TEXTS = ["red", "blue"] * 200


@pytest.mark.parametrize(
    ("columns", "exports", "refused"),
    [
        ({"deferred": X[:, 1], "colour": TEXTS}, [".py", ".onnx"], ".onnx"),
        ({"deferred": TEXTS}, [".onnx"], ".onnx"),
        ({"deferred": pd.Categorical(TEXTS)}, [".onnx"], ".onnx"),
        ({"deferred": X[:, 1]}, [".onnx"], ""),  # one input holds all numbers
        ({"deferred": X[:, 1], "size": pd.Categorical([1, 2] * 200)}, [".onnx"], ""),
        ({"Deferred": X[:, 1], "colour": TEXTS}, [".onnx"], ""),
        ({"Deferred": X[:, 1]}, [".sql"], ".sql"),
        ({"deferred": X[:, 1], "colour": TEXTS}, [".py", ".c", ".js"], ""),
    ],
)
def test_a_column_of_the_name_of_an_answer_is_refused_where_files_have_it(columns, exports, refused):
    problem = of_columns(**columns)
    if not refused:
        check_cascade(problem, exports)
        return
    with pytest.raises(BadInput, match=rf"a column is named 'deferred', as is the answer that a \{refused} file adds; rename the column"):
        check_cascade(problem, exports)


def test_texts_and_arrays_have_no_such_column():
    check_cascade(Problem(TEACHER, "a teacher", row_set(X, Y)), [".onnx", ".sql"])
    check_cascade(Problem(TEACHER, "a teacher", row_set(TEXTS, Y)), [".onnx"])


def test_weights_of_classes_are_refused():
    with pytest.raises(BadInput, match="cascade is given together with class_weight"):
        check_cascade(Problem(TEACHER, "a teacher", row_set(X, Y), class_weight="balanced"), [".py"])


def test_all_rows_count_or_one_of_each_group():
    places = np.arange(100, 200)
    np.testing.assert_array_equal(independent(Problem(TEACHER, "a teacher", row_set(np.zeros((400, 2)), Y)), places, seed=0), places)
    groups = np.arange(400) // 10
    found = independent(Problem(TEACHER, "a teacher", row_set(X, Y, groups=groups)), places, seed=0)
    assert sorted(groups[found]) == list(range(10, 20))
    assert (np.diff(found) > 0).all()


def test_a_teacher_that_reads_a_column_that_the_student_lacks_is_named():
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1]})
    both = RowSet(frame[["a"]], as_rows(frame), Y)
    said = list(calibration_notes(Problem(TEACHER, "a teacher", both, asked_columns=("a", "b")), 80, np.arange(80)))
    assert said == [
        "The teacher reads 'b', which the student does not: `tutelage serve` gives both the student's columns, so that this teacher cannot "
        "answer there the rows that the student leaves to it."
    ]
    same = RowSet(frame, as_rows(frame), Y)
    assert list(calibration_notes(Problem(TEACHER, "a teacher", same, asked_columns=("b", "a")), 80, np.arange(80))) == []
    texts = Problem(TEACHER, "a teacher", RowSet(TEXTS, as_rows(TEXTS), Y), asked_columns=("text",), source={"text": "text"})
    assert not any("the student does not" in note for note in calibration_notes(texts, 80, np.arange(80)))
