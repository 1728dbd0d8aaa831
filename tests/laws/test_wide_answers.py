"""What a teacher of many classes says goes from the recording into a student without numbers for all classes."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

import tutelage as tl
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.errors import BadInput

CLASSES, TOP_K = 300, 299
X = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)


def network(seed, *sizes):
    torch.manual_seed(seed)
    return nn.Sequential(*[nn.Linear(*pair) for pair in pairwise(sizes)])


TEACHER = tl.as_teacher(network(0, 5, 16, CLASSES), classes=[f"word {place}" for place in range(CLASSES)])


def taught(labels, **options):
    objective = options.pop("objective", tl.losses.kl_divergence(temperature=2.0))
    student = tl.TorchStudent(network(1, 5, 8, CLASSES), objective)
    return student.fit(X, labels, epochs=3, batch_size=16, seed=3, **options)


def weights(student):
    return torch.cat([each.detach().flatten() for each in student.network.parameters()])


def test_learning_from_all_classes_but_one_is_learning_from_all(tmp_path):
    whole = taught(tl.record(TEACHER, X))
    in_folder = tl.record(TEACHER, X, tmp_path / "labels", top_k=TOP_K)
    for labels in (tl.record(TEACHER, X, top_k=TOP_K), tl.open_labels(in_folder.path)):
        torch.testing.assert_close(weights(taught(labels)), weights(whole), rtol=1e-4, atol=1e-5)


def test_recorded_top_answers_teach_what_live_ones_do():
    live = tl.as_teacher(
        lambda rows: TopAnswers.of(TEACHER.answer(rows), "logits", 20), kind="logits", classes=TEACHER.form.classes, version="1"
    )
    torch.testing.assert_close(weights(taught(live)), weights(taught(tl.record(TEACHER, X, top_k=20))), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("validation", [0.2, "labels"])
def test_top_answers_choose_the_epoch(validation):
    labels = tl.record(TEACHER, X, top_k=20)
    student = taught(labels, validation=(X, None, labels) if validation == "labels" else validation)
    assert len(student.predict(X)) == len(X)
    assert "KL(teacher || student)" in str(tl.evaluate(student, labels, X))


def test_positions_are_learnt_from_the_most_probable_classes(tmp_path):
    class Tagger(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.words, self.head = nn.Embedding(50, width), nn.Linear(width, CLASSES)

        def forward(self, input_ids, attention_mask=None):
            return self.head(self.words(input_ids))

    torch.manual_seed(0)
    teacher = tl.as_teacher(Tagger(12), classes=TEACHER.form.classes, positions="tokens")
    mask = (np.arange(6) < np.random.default_rng(1).integers(1, 7, size=(40, 1))).astype(int)
    rows = {"input_ids": np.random.default_rng(2).integers(1, 50, size=(40, 6)) * mask, "attention_mask": mask}

    def student_of(labels):
        torch.manual_seed(1)
        return tl.TorchStudent(Tagger(4), tl.losses.kl_divergence(temperature=2.0)).fit(rows, labels, epochs=2, batch_size=8, seed=3)

    whole = student_of(tl.record(teacher, rows))
    top = student_of(tl.record(teacher, rows, tmp_path / "labels", top_k=TOP_K))
    torch.testing.assert_close(weights(top), weights(whole), rtol=1e-4, atol=1e-5)


def test_other_students_learn_from_numbers_for_all_or_refuse(monkeypatch):
    labels = tl.record(TEACHER, X, top_k=20)
    tree = tl.SoftTree(max_leaf_nodes=4).fit(X, labels)
    np.testing.assert_allclose(tree.predict_proba(X).sum(axis=1), 1, rtol=1e-5)
    monkeypatch.setattr("tutelage.softlabels.querying.TARGET_BYTES", 8 * 60 * CLASSES - 1)
    for student in (tl.SoftTree(), tl.SoftLogistic(), tl.SoftMLP(), tl.DistilledClassifier(TEACHER, tl.SoftTree())):
        with pytest.raises(BadInput, match=r"a number for each of 60 rows and 300 classes would take .* GiB, all at once"):
            student.fit(X, labels) if not isinstance(student, tl.DistilledClassifier) else student.fit(X)


def test_another_vocabulary_is_refused_in_one_sentence():
    other = tl.AnswerForm("logits", "multiclass", [f"token {place}" for place in range(CLASSES)])
    with pytest.raises(
        tl.TutelageError, match=r"the student's classes are .*, 300 in all, the teacher's are .* use a teacher with the student's"
    ) as raised:
        tl.TorchStudent(network(1, 5, CLASSES), tl.losses.kl_divergence(), classes=other.classes).fit(X, TEACHER, epochs=1)
    assert len(str(raised.value)) < 700


_CHILD = """
import numpy as np, torch
import tutelage as tl
from tutelage.core.answers import of_classes
from tutelage.core.answer_values.top_answers import TopAnswers

def megabytes(name):
    return int(next(line.split()[1] for line in open('/proc/self/status') if line.startswith(name))) / 1024

rows, classes, top_k = 3000, 50_000, 4
rng = np.random.default_rng(0)
top = TopAnswers(np.tile(np.arange(top_k), (rows, 1)), np.full((rows, top_k), np.log(0.2)), np.full(rows, np.log(0.2)), classes)
X = rng.normal(size=(rows, 4)).astype(np.float32)
class Teacher:
    form, fingerprint = of_classes("logits", range(classes)), "top"
    def answer(self, inputs):
        return top[: len(inputs)]
labels = tl.record(Teacher(), X)
student = tl.TorchStudent(torch.nn.Linear(4, classes), tl.losses.kl_divergence(temperature=2.0))
student.fit(X[:40], labels, epochs=1, batch_size=20)
before = megabytes("VmRSS")
student.fit(X, labels, epochs=1, batch_size=20)
print(megabytes("VmHWM") - before)
"""


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of the process from /proc")
def test_no_numbers_for_all_rows_and_classes_are_held():
    found = subprocess.run([sys.executable, "-c", _CHILD], capture_output=True, text=True, check=True)
    assert float(found.stdout) < 150  # all numbers would take 572 MB


def test_a_distillation_of_too_many_classes_is_refused_before_the_teacher_is_asked(tmp_path, monkeypatch):
    monkeypatch.setattr("tutelage.softlabels.querying.TARGET_BYTES", 8 * 60 * CLASSES - 1)
    y = np.array(TEACHER.form.classes)[np.arange(60) % CLASSES]
    with pytest.raises(BadInput, match=r"a number for each of 60 rows and 300 classes would take .* GiB, all at once"):
        tl.distill(TEACHER, X, y, into=tmp_path / "run", students=["tree"])
    assert not (tmp_path / "run").exists()
