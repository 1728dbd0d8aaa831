"""A cascade of networks that take several inputs."""

import numpy as np
import onnx
import pytest
from torch import nn

import tutelage as tl
from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput, ParityError, ShapeError
from tutelage.exporters.arrays.graph import model_of

RANDOM = np.random.default_rng(0)
IDS = [RANDOM.integers(0, 40, length).tolist() for length in RANDOM.integers(3, 9, 200)]
ROWS = {"input_ids": IDS, "attention_mask": [[1] * len(row) for row in IDS]}


class Classifier(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.words, self.out = nn.Embedding(40, width), nn.Linear(width, 2)

    def forward(self, input_ids, attention_mask):
        counting = attention_mask[:, :, None].float()
        return 5 * self.out((self.words(input_ids) * counting).sum(1) / counting.sum(1))


@pytest.fixture(scope="module")
def models():
    with torch_runtime.seeded(0):
        teacher = tl.as_teacher(Classifier(8), classes=("a", "b"))
        student = tl.TorchStudent(Classifier(2)).fit(ROWS, teacher, epochs=8, batch_size=16, seed=0, lr=0.03)
    return student, teacher


def test_rows_below_the_threshold_are_answered_by_the_teacher(models):
    student, teacher = models
    cascade = tl.Cascade(student, teacher, target=0.95).fit(ROWS)
    found, own = cascade.decide_who(ROWS), student.predict_proba(ROWS)
    assert 0 < found.by_student.sum() < len(IDS)
    np.testing.assert_allclose(found.answers[found.by_student], own[found.by_student], atol=1e-6)
    of_teacher = teacher.form.probabilities(teacher.answer(ROWS))
    np.testing.assert_allclose(found.answers[~found.by_student], of_teacher[~found.by_student], atol=1e-5)
    decided = cascade.predict(ROWS)
    assert (decided == np.array(["a", "b"])[of_teacher.argmax(axis=1)]).mean() >= 0.95
    assert tl.evaluate(cascade, teacher, ROWS).rows == len(IDS)
    assert cascade.bill(ROWS, seconds=0.01).answered == found.by_student.sum()


def test_its_file_leaves_the_rows_below_the_threshold_to_the_teacher(models, tmp_path):
    student, teacher = models
    cascade = tl.Cascade(student, teacher, target=0.95).fit(ROWS)
    record = tl.export(cascade, tmp_path / "student.onnx", check_on=ROWS)
    assert record.cascade["threshold"] == cascade.guarantee_.threshold
    assert (record.proofs[0].deferrals_changed, record.proofs[0].rows) == (0, len(IDS))
    assert "It defers rows of a confidence below" in onnx.load(tmp_path / "student.onnx").doc_string
    file = tl.open_teacher(str(tmp_path / "student.onnx"))
    answers, _, deferred = file.answer_and_decide(ROWS)
    np.testing.assert_array_equal(deferred, cascade.defers(ROWS))
    np.testing.assert_allclose(answers, student.predict_proba(ROWS), atol=1e-6)
    np.testing.assert_array_equal(file.answer_and_decide({name: rows[7:8] for name, rows in ROWS.items()})[2], deferred[7:8])


@pytest.mark.exhaustive
def test_labels_are_left_to_the_teacher_by_the_least_certain_of_them(tmp_path):
    with torch_runtime.seeded(0):
        teacher = tl.as_teacher(Classifier(8), kind="logits", classes=("a", "b"), task="multilabel")
        student = tl.TorchStudent(Classifier(2).double()).fit(ROWS, teacher, epochs=8, batch_size=16, seed=0, lr=0.03)
    cascade = tl.Cascade(student, teacher, target=0.8).fit(ROWS)
    tl.export(cascade, tmp_path / "student.onnx", check_on=ROWS)
    deferred = tl.open_teacher(str(tmp_path / "student.onnx")).answer_and_decide(ROWS)[2]
    assert 0 < deferred.mean() < 1
    np.testing.assert_array_equal(deferred, cascade.defers(ROWS))


def test_the_file_of_a_table_takes_no_structure_and_says_so(tmp_path):
    X = RANDOM.normal(size=(60, 3)).astype(np.float32)
    tree = tl.SoftTree(max_leaf_nodes=4).fit(X, X[:, 0] > 0)
    tl.export(tree, tmp_path / "tree.onnx", check_on=X)
    with pytest.raises(ShapeError):
        tl.open_teacher(str(tmp_path / "tree.onnx")).answer_and_decide({"inputs": X})


def test_a_file_of_another_threshold_is_not_written(models, tmp_path, monkeypatch):
    student, teacher = models
    cascade = tl.Cascade(student, teacher, target=0.95).fit(ROWS)
    monkeypatch.setattr("tutelage.exporters.arrays.export.model_of", lambda *given: model_of(*given[:-1], given[-1] + 0.1))
    with pytest.raises(ParityError, match="leaves other rows to the teacher than those below the threshold, rows in batches"):
        tl.export(cascade, tmp_path / "student.onnx", check_on=ROWS)
    assert not list(tmp_path.iterdir())


def test_a_student_that_may_answer_no_row_has_no_file(models, tmp_path):
    student, teacher = models
    with pytest.warns(UserWarning, match="every row is left to the teacher"):
        cascade = tl.Cascade(student, teacher, target=0.9999).fit(ROWS)
    with pytest.raises(BadInput, match="this cascade leaves every row to its teacher"):
        tl.export(cascade, tmp_path / "student.onnx", check_on=ROWS)
