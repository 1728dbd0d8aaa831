"""Students of several inputs with scikit-learn's API, as their files are written and compared."""

import numpy as np
import pytest
import torch
from sklearn.pipeline import Pipeline
from torch import nn

import tutelage as tl
from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.structures.inputs import RowInputs
from tutelage.data.structures.network_answers import tensors_of
from tutelage.data.structures.structured import StructuredRows
from tutelage.exporters.arrays.subject import subject_of_arrays, takes_arrays
from tutelage.exporters.bench.shipped import shipped_file
from tutelage.students.saved.trained import TrainedStudent

RANDOM = np.random.default_rng(0)
LENGTHS = RANDOM.integers(1, 9, 40)
IDS = [RANDOM.integers(1, 20, length).tolist() for length in LENGTHS]
ROWS = {"ids": IDS, "attention_mask": [[1] * len(row) for row in IDS], "size": RANDOM.normal(size=(40, 2)).astype(np.float32)}
STRUCTURE = StructuredRows.of(ROWS)
SOFT = RANDOM.dirichlet((1, 1, 1), 40)
LABELS = (SOFT > 0.3).astype(float)
VALUES = np.column_stack([100 + 5 * LENGTHS, SOFT[:, 0]])


class Both(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.words, self.out = nn.Embedding(20, 4), nn.Linear(6, outputs)

    def forward(self, ids, attention_mask, size):
        counts = attention_mask[..., None].to(size.dtype)
        return self.out(torch.cat([(self.words(ids) * counts).sum(1) / counts.sum(1).clamp(min=1), size], dim=1))


def of_run(estimator, task, labels=(), temperature=1.0, biases=()):
    """A student as a distillation has it."""
    pipeline = Pipeline([("columns", "passthrough"), ("student", estimator)])
    return TrainedStudent(pipeline, task, labels, temperature, inputs=RowInputs.of(STRUCTURE), biases=biases)


CLASSES, SETTINGS = ("a", "b", "c"), {"epochs": 1, "random_state": 0}
STUDENTS = {
    "classes": lambda: tl.TorchClassifier(Both, **SETTINGS).fit(ROWS, SOFT, classes=CLASSES),
    "labels": lambda: tl.TorchClassifier(Both, multilabel=True, **SETTINGS).fit(ROWS, LABELS, classes=CLASSES),
    "values": lambda: tl.TorchRegressor(Both, **SETTINGS).fit(ROWS, VALUES),
    "classes at a temperature": lambda: of_run(STUDENTS["classes"](), "multiclass", CLASSES, 0.4),
    "labels at a temperature": lambda: of_run(STUDENTS["labels"](), "multilabel", CLASSES, 3.0),
    "classes with biases": lambda: of_run(STUDENTS["classes"](), "multiclass", CLASSES, 1.0, (1.0, -2.0, 1.0)),
    "labels with biases": lambda: of_run(STUDENTS["labels"](), "multilabel", CLASSES, 2.0, (0.5, -1.0, 2.0)),
    "values of a run": lambda: of_run(STUDENTS["values"](), "regression"),
}
FINISH = {"multiclass": lambda logits: logits.softmax(-1), "multilabel": torch.sigmoid, "regression": lambda values: values}


@pytest.mark.parametrize("name", STUDENTS)
def test_what_is_taken_of_the_network_is_what_the_student_answers(name):
    subject = subject_of_arrays(STUDENTS[name]())
    assert takes_arrays(subject.student, ROWS)
    with torch.inference_mode():
        returned = subject.network.eval()(**tensors_of(STRUCTURE, subject.network))
        written = FINISH[subject.form.task](returned if subject.output is None else subject.output(returned))
    np.testing.assert_allclose(written.numpy(), subject.answers(subject.rows(ROWS)), rtol=1e-5, atol=1e-5)


def test_a_student_of_several_inputs_is_matched_to_its_teacher():
    student = STUDENTS["classes at a temperature"]()
    teacher = tl.as_teacher(lambda rows: SOFT, kind="probabilities", classes=CLASSES)
    matched = tl.match_teacher_marginals(student, teacher, ROWS)
    np.testing.assert_allclose(matched.answer(ROWS).mean(axis=0), SOFT.mean(axis=0), rtol=1e-6)


def test_rows_to_compare_on_are_checked():
    subject = subject_of_arrays(STUDENTS["classes"]())
    with pytest.raises(ShapeError, match=r"input 'size' of the rows of check_on has shape \(5,\); expected \(2,\)"):
        subject.rows({**ROWS, "size": np.ones((40, 5))})
    with pytest.raises(BadInput, match="the rows of check_on are of type ndarray; expected the inputs ids, attention_mask, size"):
        subject.rows(np.ones((4, 3)))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["labels at a temperature", "values of a run"])
def test_its_file_is_proven_and_no_larger_than_was_said(name, tmp_path):
    student = STUDENTS[name]()
    record = tl.export(student, tmp_path / "student.onnx", check_on=ROWS)
    assert (record.columns, record.proven) == (("ids", "attention_mask", "size"), True)
    np.testing.assert_allclose(tl.open_teacher(str(tmp_path / "student.onnx")).answer(ROWS), student.answer(ROWS), rtol=1e-5, atol=1e-5)
    file = shipped_file(student, ".onnx", check_on=ROWS)
    assert 0 <= file.size_bytes - record.size_bytes < 1000
    assert file.latency(seconds=0.05).batch_rows == 1  # row by row, in its own length
    with pytest.raises(BadInput, match=r"exported as \.onnx only; student\.c is not"):
        shipped_file(student, ".c", check_on=ROWS)
