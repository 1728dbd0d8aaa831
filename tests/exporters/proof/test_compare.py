import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB
from torch import nn

import tutelage as tl
from tutelage.core.errors import BadInput, CannotWrite, DamagedFile, ParityError, ShapeError
from tutelage.exporters.export import export
from tutelage.exporters.program.build import program_of
from tutelage.exporters.proof import compare as module
from tutelage.exporters.proof import edge_cases
from tutelage.exporters.proof.as_given import TOLERANCE
from tutelage.exporters.proof.compare import compare
from tutelage.exporters.subject.student_answers import Answers
from tutelage.exporters.subject.subject import subject_of
from tutelage.exporters.targets.onnx.runtime import OnnxRuntime, OnnxStudent
from tutelage.exporters.targets.onnx.target import model_of
from tutelage.students.trees import SoftTree
from tutelage.training.stacks.networks import mlp
from tutelage.training.student import TorchStudent

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3)).astype(np.float32)
Y = X @ [1.0, -2.0, 3.0]


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    monkeypatch.setattr(edge_cases, "ROWS", 300)


def test_the_file_is_written_and_holds_the_result_of_the_comparison(tmp_path):
    (parity,) = export(LinearRegression().fit(X, Y), tmp_path / "line.onnx", check_on=X).proofs
    assert (parity.rows, parity.decisions_changed, parity.refused) == (300, 0, ("missing values", "infinite values"))
    assert 0 <= parity.worst_difference <= TOLERANCE
    file = OnnxStudent.load(tmp_path / "line.onnx")
    np.testing.assert_allclose(file.answer(X)[:, 0], Y, rtol=1e-4, atol=1e-4)
    stored = json.loads(file.session.get_modelmeta().custom_metadata_map["parity"])
    assert (stored["rows"], stored["refused"]) == (300, ["missing values", "infinite values"])
    assert {path.name for path in tmp_path.iterdir()} == {"line.onnx", "line.onnx.json"}


class Changed:
    """A file that answers as its student does, after a change."""

    name = "a runtime"

    def __init__(self, subject, change):
        self.subject, self.change = subject, change

    def answers(self, path, program, rows):
        answers = self.subject.answers(rows)
        return Answers(self.change(answers.values, rows.numbers), answers.decisions)


def compared(student, rows, change):
    subject, taken = subject_of(student, rows)
    return compare(Path("none"), program_of(subject, taken), subject, taken, Changed(subject, change))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda values, rows: values * (1 + 1e-3), r"differ by .* \(allowed 1e-05\)"),
        (lambda values, rows: values * np.nan, "are not numbers where those of"),
    ],
)
def test_a_file_that_answers_differently_is_refused(change, sentence):
    with pytest.raises(ParityError, match=rf"differs from its student in a runtime: its answers {sentence}.* nothing was written"):
        compared(LinearRegression().fit(X, Y), X, change)


def lost(from_size):
    """A change by which rows with a number of this size or more have no answers."""
    return lambda values, rows: np.where((np.abs(rows) >= from_size).any(axis=1, keepdims=True), np.nan, values)


def test_sums_beyond_single_precision_are_not_compared_and_the_record_says_so():
    network = TorchStudent(mlp((3, 4, 2)), classes=[0, 1])
    assert module.OVERFLOWED in compared(network, X, lost(1e30)).refused
    assert module.OVERFLOWED not in compared(network, X, lambda values, rows: values).refused
    for student, size in ((network, 2.0), (LinearRegression().fit(X, Y), 1e30)):  # numbers that sums can hold, or double precision
        with pytest.raises(ParityError, match="are not numbers where those of"):
            compared(student, X, lost(size))


@pytest.mark.parametrize("first", [[], [nn.Linear(32, 32)]])
def test_squares_beyond_single_precision_are_not_compared_and_the_record_says_so(first, tmp_path):
    torch.manual_seed(0)
    rows = RNG.normal(size=(80, 32)).astype(np.float32)
    network = TorchStudent(nn.Sequential(*first, nn.LayerNorm(32), nn.Linear(32, 2)), classes=[0, 1])
    assert module.OVERFLOWED in export(network, tmp_path / "norm.py", check_on=rows).proofs[0].refused
    with pytest.raises(ParityError, match="answers differ by"):
        compared(network, rows, lambda values, rows: values + 0.1 * (np.abs(rows) > 100).any(axis=1, keepdims=True))


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200])
def test_zeros_for_tiny_values_and_wrong_huge_ones_are_refused(scale):
    line = LinearRegression().fit(X.astype(np.float64), Y)
    line.coef_, line.intercept_ = line.coef_ * scale, line.intercept_ * scale
    assert compared(line, X, lambda values, rows: values).worst_difference == 0
    for wrong in (0.0, 1.001):
        with pytest.raises(ParityError, match=f"answers differ by {'1' if not wrong else '0.001'}"):
            compared(line, X, lambda values, rows, wrong=wrong: values * wrong)


def test_a_file_of_another_shape_is_refused():
    tree = SoftTree(max_leaf_nodes=4).fit(X, np.eye(2)[(Y > 0).astype(int)])
    with pytest.raises(ParityError, match=r"answers have shape \(\d+, 1\) and the student's \(\d+, 2\)"):
        compared(tree, X, lambda values, rows: values[:, :1])


def test_an_existing_file_is_unchanged_if_the_new_one_fails(tmp_path, monkeypatch):
    (tmp_path / "line.onnx").write_bytes(b"old")
    monkeypatch.setattr(module, "TOLERANCE", -1.0)
    with pytest.raises(ParityError):
        export(LinearRegression().fit(X, Y), tmp_path / "line.onnx", check_on=X)
    assert (tmp_path / "line.onnx").read_bytes() == b"old"


def test_labels_that_are_not_those_of_predict_are_refused(tmp_path):
    class Cautious(SoftTree):
        def predict(self, X):
            return self.classes_[(self.predict_proba(X)[:, 1] > 0.9).astype(int)]

    student = Cautious(max_leaf_nodes=8).fit(X, np.column_stack([Y > 0, Y <= 0]) * 0.6 + 0.2)
    with pytest.raises(ParityError, match="its labels are not those of the student's predict in"):
        export(student, tmp_path / "tree.onnx", check_on=X)


def test_other_estimators_are_told_why_their_file_differs(tmp_path):
    far = X + np.float32(1e5)
    student = tl.SoftTargets(GaussianNB()).fit(far, np.column_stack([Y > 0, Y <= 0]) * 0.6 + 0.2)
    with pytest.raises(ParityError, match=r"as skl2onnx writes it, in single precision .* use a student of tutelage"):
        export(student, tmp_path / "bayes.onnx", check_on=far)


def test_a_difference_in_gaps_alone_is_found(tmp_path):
    """All rows that are given have no gap; the file sends gaps to the other side."""
    student = SoftTree(max_leaf_nodes=4).fit(np.where(RNG.random(X.shape) < 0.1, np.nan, X), RNG.dirichlet(np.ones(2), 200))
    subject, rows = subject_of(student, X)
    model = model_of(program_of(subject, rows))
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "nodes_missing_value_tracks_true":
                attribute.ints[:] = [1 - side for side in attribute.ints]
    (tmp_path / "wrong.onnx").write_bytes(model.SerializeToString())
    file = OnnxStudent.load(tmp_path / "wrong.onnx")
    np.testing.assert_allclose(file.answer(X), student.predict_proba(X), atol=1e-6)
    with pytest.raises(ParityError, match=r"in edge row \(missing values\) \d+"):
        compare(tmp_path / "wrong.onnx", program_of(subject, rows), subject, rows, OnnxRuntime("onnxruntime"))


def test_invalid_files_rows_and_paths_are_refused(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"no model")
    with pytest.raises(DamagedFile, match=r"x.onnx is not an ONNX model"):
        OnnxStudent.load(tmp_path / "x.onnx")
    line = LinearRegression().fit(X, Y)
    with pytest.raises(ShapeError, match="check_on has shape"):
        export(line, tmp_path / "line.onnx", check_on=X[0])
    with pytest.raises(CannotWrite):
        export(line, tmp_path / "x.onnx" / "line.onnx", check_on=X)


LARGE = np.random.default_rng(0).uniform(0.5, 1, size=(50, 3)).astype(np.float32)
NETWORK = TorchStudent(mlp((3, 5, 2)), classes=(0, 1))
TREE = SoftTree(max_leaf_nodes=4).fit(LARGE, np.random.default_rng(1).dirichlet(np.ones(2), 50))


def shift_of_large_rows(gap):
    def changed(values, rows):
        largest = np.abs(rows).max(axis=1, keepdims=True)
        return values + gap * ((largest > 100) & np.isfinite(largest))  # where cells are infinite nothing is rounded

    return changed


@pytest.mark.parametrize("of_rounding", [1.0, 100.0])
@pytest.mark.parametrize(("student", "gap"), [(TREE, 1e-2), (NETWORK, 0.05)])
def test_a_file_that_is_wrong_about_large_rows_is_refused_however_its_student_is_rounded(student, gap, of_rounding, monkeypatch):
    monkeypatch.setattr(module._Comparison, "_of_own_rounding", of_rounding)
    with pytest.raises(ParityError, match="differs from its student"):
        compared(student, LARGE, shift_of_large_rows(gap))


@pytest.mark.parametrize(("student", "gap"), [(TREE, 1e-4), (NETWORK, 0.05)])
def test_a_file_that_is_wrong_about_large_rows_is_refused(student, gap):
    with pytest.raises(ParityError, match="differs from its student"):
        compared(student, LARGE, shift_of_large_rows(gap))


def test_rounding_of_a_network_on_large_rows_is_allowed():
    assert compared(NETWORK, LARGE, shift_of_large_rows(1e-4)).worst_difference < 1e-6


@pytest.mark.parametrize("wrong", [0.0, 50.0])
def test_a_network_whose_own_answers_are_rounded_may_be_rounded_as_much_by_its_file(wrong, tmp_path, monkeypatch):
    """Logits of thousands: single precision rounds its probabilities visibly. A file of another network is refused all the same."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 3))
    with torch.no_grad():
        network[-1].weight *= 30_000
    rows = np.random.default_rng(2).normal(size=(1000, 64)).astype(np.float32)
    student = TorchStudent(network, classes=["a", "b", "c"])

    def shifted(path, program, rows):
        with torch.no_grad():
            network[-1].bias[0] += wrong
            answers = student.predict_proba(rows.numbers.astype(np.float64)).astype(float)
            network[-1].bias[0] -= wrong
        return Answers(answers, answers.argmax(axis=1))

    if wrong:
        monkeypatch.setattr(OnnxRuntime, "answers", lambda self, path, program, rows: shifted(path, program, rows))
        with pytest.raises(ParityError, match=r"answers differ by|decides"):
            export(student, tmp_path / "s.onnx", check_on=rows)
    else:
        assert export(student, tmp_path / "s.onnx", check_on=rows).proofs[0].worst_difference <= TOLERANCE


@pytest.mark.exhaustive
def test_a_full_disk_and_a_kill_leave_no_file(tmp_path):
    code = """
import os, resource, signal, sys
import numpy as np
import tutelage as tl
student = tl.SoftTree().fit(np.random.default_rng(0).normal(size=(2000, 3)), np.random.default_rng(1).dirichlet(np.ones(3), 2000))
X = np.zeros((5, 3))
if sys.argv[1] == "full":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        tl.export(student, "student.onnx", check_on=X)
    except tl.TutelageError as error:
        print(type(error).__name__)
else:
    from tutelage.exporters import export
    export.compare = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
    tl.export(student, "student.onnx", check_on=X)
"""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    full = subprocess.run([sys.executable, "-c", code, "full"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (full.stdout, list(tmp_path.iterdir())) == ("CannotWrite\n", []), full.stderr
    subprocess.run([sys.executable, "-c", code, "kill"], cwd=tmp_path, env=environment, check=False)
    assert all(path.name.startswith(".student.onnx.draft-") for path in tmp_path.iterdir())


@pytest.mark.parametrize("classes", [["no", "yes"], [3, 7], [False, True], [0.5, 1.5], [1, "1"]])
def test_tutelage_opens_its_own_file_without_declarations(classes, tmp_path):
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    student = SoftTree(max_leaf_nodes=8).fit(frame, np.column_stack([Y > 0, Y <= 0]) * 0.6 + 0.2, classes=classes)
    export(student, tmp_path / "tree.onnx", check_on=frame[["c", "a", "b"]])
    teacher = tl.open_teacher(tmp_path / "tree.onnx")
    assert teacher.form == tl.AnswerForm("probabilities", "binary", tuple(classes))
    assert [type(label) for label in teacher.form.classes] == [type(label) for label in classes]
    for rows in (frame, frame[["c", "a", "b"]].assign(more=1), X, frame.astype(object)):
        np.testing.assert_allclose(teacher.answer(rows), student.predict_proba(frame), atol=1e-6)
    with pytest.raises(BadInput, match="the rows lack the columns 'c'"):
        teacher.answer(frame[["a", "b"]])
    with pytest.raises(BadInput, match="the rows have 2 columns"):
        teacher.answer(X[:, :2])


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_values_are_compared_relative_to_their_own_size(size, tmp_path):
    line = LinearRegression().fit(X, size * Y)
    subject, rows = subject_of(line, X)
    program = program_of(subject, rows)
    compare(tmp_path, program, subject, rows, Changed(subject, lambda values, numbers: values * (1 + 1e-9)))
    with pytest.raises(ParityError, match="answers differ"):
        compare(tmp_path, program, subject, rows, Changed(subject, lambda values, numbers: values + 1e-3 * size))
    with pytest.raises(ParityError, match="answers differ"):
        compare(tmp_path, program, subject, rows, Changed(subject, lambda values, numbers: np.zeros_like(values)))
