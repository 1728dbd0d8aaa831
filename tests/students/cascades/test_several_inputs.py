"""A cascade of networks that take several inputs."""

import numpy as np
import pytest
from torch import nn

import tutelage as tl
from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput

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


def test_its_threshold_is_in_no_file(models, tmp_path):
    student, teacher = models
    cascade = tl.Cascade(student, teacher, target=0.5).fit(ROWS)
    with pytest.raises(BadInput, match="network of several inputs, whose file has no threshold; export the student alone"):
        tl.export(cascade, tmp_path / "student.onnx", check_on=ROWS)
