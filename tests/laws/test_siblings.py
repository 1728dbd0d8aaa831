"""Every public function takes what its siblings take: a bare model, a Teacher or soft labels; str or Path; evaluations or students."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

import tutelage as tl
from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3)).astype(np.float32)
Y = np.where(X[:, 0] + X[:, 1] > 0, "yes", "no")
FOREST = RandomForestClassifier(10, random_state=0).fit(X, Y)
LABELS = tl.record(FOREST, X)
SOURCES = {"a bare model": FOREST, "a Teacher": tl.as_teacher(FOREST), "soft labels": LABELS}
STUDENTS = {
    "tree": tl.SoftTree(random_state=0),
    "forest": tl.SoftForest(n_estimators=3, random_state=0),
    "logistic": tl.SoftLogistic(),
    "boosting": tl.SoftBoosting(n_estimators=3),
    "mlp": tl.SoftMLP(epochs=2, random_state=0),
    "gates": tl.SoftDecisionTree(depth=2, epochs=2, random_state=0),
    "torch network": tl.TorchClassifier(tl.training.mlp((3, 4, 2)), epochs=2, random_state=0),
    "any classifier": tl.SoftTargets(DecisionTreeClassifier(random_state=0)),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("student", STUDENTS)
def test_a_source_of_answers_teaches_a_student_as_its_probabilities_do(student, source):
    taught = STUDENTS[student].fit(X, SOURCES[source]).predict_proba(X)
    assert STUDENTS[student].classes_.tolist() == ["no", "yes"]
    expected = STUDENTS[student].fit(X, LABELS.probabilities.astype(np.float64), classes=LABELS.form.classes).predict_proba(X)
    np.testing.assert_allclose(taught, expected, atol=1e-6)


def test_a_student_of_soft_labels_takes_rows_in_any_order_but_no_others():
    order = RNG.permutation(120)
    student = tl.SoftTree(random_state=0).fit(X[order], LABELS)
    assert (student.predict(X) == FOREST.predict(X)).mean() > 0.95
    with pytest.raises(LabelMismatch, match="120 of 120 rows are not among"):
        tl.SoftTree().fit(X + 1, LABELS)
    with pytest.raises(BadInput, match="leave classes= out"):
        tl.SoftTree().fit(X, LABELS, classes=["no", "yes"])


def test_multilabel_answers_teach_a_student_per_label():
    on = np.stack([X[:, 0] > 0, X[:, 1] > 0], axis=1).astype(int)
    labels = tl.record(tl.as_teacher(RandomForestClassifier(10, random_state=0).fit(X, on), classes=["a", "b"]), X)
    student = tl.PerLabel(tl.SoftTree(random_state=0)).fit(X, labels)
    assert student.classes_.tolist() == ["a", "b"]
    assert (student.predict(X) == on).mean() > 0.9
    with pytest.raises(LabelMismatch, match="wrap the student in PerLabel"):
        tl.SoftTree().fit(X, labels)
    with pytest.raises(LabelMismatch, match="learns from a multilabel teacher"):
        tl.PerLabel(tl.SoftTree()).fit(X, LABELS)


def test_an_array_of_probabilities_teaches_a_network_that_knows_its_classes():
    def weights(labels):
        torch.manual_seed(0)
        network = torch.nn.Linear(3, 2)
        return tl.TorchStudent(network, classes=["no", "yes"]).fit(X, labels, epochs=3).network.weight

    expected = weights(LABELS)
    for labels in (LABELS.probabilities, torch.from_numpy(LABELS.probabilities), LABELS.probabilities.tolist()):
        torch.testing.assert_close(weights(labels), expected)
    with pytest.raises(BadInput, match="pass classes= to the student"):
        tl.TorchStudent(torch.nn.Linear(3, 2)).fit(X, LABELS.probabilities)
    with pytest.raises(NotProbabilities):
        tl.TorchStudent(torch.nn.Linear(3, 2), classes=["no", "yes"]).fit(X, LABELS.probabilities * 2)
    with pytest.raises(LabelMismatch, match="7 answers to 120 rows"):
        tl.TorchStudent(torch.nn.Linear(3, 2), classes=["no", "yes"]).fit(X, LABELS.probabilities[:7])


def test_an_array_of_values_teaches_a_network_of_values():
    network = torch.nn.Linear(3, 1)
    student = tl.TorchStudent(network, tl.losses.squared_error()).fit(
        X, X[:, 0] * 2, epochs=40, batch_size=8, optimizer=partial(torch.optim.Adam, lr=0.02)
    )
    assert np.corrcoef(student.predict(X), X[:, 0])[0, 1] > 0.9


@pytest.mark.parametrize("kind", [str, Path])
def test_paths_are_str_or_path_and_get_the_suffix_that_they_lack(kind, tmp_path):
    student = tl.SoftTree(max_leaf_nodes=4).fit(X, LABELS)
    for name, written in (("kept", "kept.skops"), ("again.skops", "again.skops"), ("v1.2", "v1.2.skops")):
        assert tl.save_student(student, kind(tmp_path / name)) == tmp_path / written
        np.testing.assert_array_equal(tl.load_student(kind(tmp_path / written)).predict(X), student.predict(X))
    with pytest.raises(BadInput, match=r"ends in \.safetensors, and this student is stored as \.skops"):
        tl.save_student(student, kind(tmp_path / "student.safetensors"))
    tl.record(FOREST, X, kind(tmp_path / "labels"))
    assert len(tl.open_labels(kind(tmp_path / "labels"))) == 120
    tl.export(student, kind(tmp_path / "student.onnx"), check_on=X)
    assert tl.open_teacher(str(tmp_path / "student.onnx"), kind="probabilities", classes=["no", "yes"]).form.classes == ("no", "yes")


@pytest.mark.exhaustive
def test_two_students_compare_as_their_evaluations_do():
    small, large = tl.SoftTree(max_leaf_nodes=2).fit(X, LABELS), tl.SoftLogistic().fit(X, LABELS)
    expected = tl.compare(tl.evaluate(small, FOREST, X, Y), tl.evaluate(large, FOREST, X, Y))
    found = tl.compare(small, large, X, Y, teacher=FOREST)
    assert (found.difference, found.ci95, found.verdict) == (expected.difference, expected.ci95, expected.verdict)
    assert (found.a, found.b) == ("SoftTree", "SoftLogistic")
    assert tl.compare(small, small, X, Y).a == "SoftTree (first)"
    assert tl.compare(small, large, X, teacher=LABELS).metric == "agreement"
    for arguments, sentence in (
        ((small, large), "pass X and y"),
        ((small, tl.evaluate(large, None, X, Y), X, Y), "one of each"),
        ((tl.evaluate(small, None, X, Y), tl.evaluate(large, None, X, Y), X), "leave X, y and teacher out"),
    ):
        with pytest.raises(BadInput, match=sentence):
            tl.compare(*arguments)
