import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB

import tutelage as tl
from tutelage.core.errors import BadInput, CannotWrite, DamagedFile, ParityError, ShapeError
from tutelage.exporters import parity as module
from tutelage.exporters.onnx_graph import onnx_graph
from tutelage.exporters.parity import TOLERANCE, OnnxStudent, check_parity, export_onnx
from tutelage.exporters.subject.student_answers import Answers, ask
from tutelage.students.trees import SoftTree
from tutelage.training.stacks.networks import mlp
from tutelage.training.student import TorchStudent

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3)).astype(np.float32)
Y = X @ [1.0, -2.0, 3.0]


def test_the_file_is_written_and_holds_the_result_of_the_comparison(tmp_path):
    parity = export_onnx(LinearRegression().fit(X, Y), tmp_path / "line.onnx", check_on=X)
    assert (parity.rows, parity.decisions_changed, parity.refused) == (200, 0, ("missing values", "infinite values"))
    assert 0 <= parity.worst_difference <= TOLERANCE
    file = OnnxStudent.load(tmp_path / "line.onnx")
    np.testing.assert_allclose(file.answer(X)[:, 0], Y, rtol=1e-4, atol=1e-4)
    stored = json.loads(file.session.get_modelmeta().custom_metadata_map["parity"])
    assert (stored["rows"], stored["refused"]) == (200, ["missing values", "infinite values"])
    assert [path.name for path in tmp_path.iterdir()] == ["line.onnx"]


@pytest.mark.parametrize(("change", "sentence"), [(1e-3, r"differ by .* \(allowed 1e-05\)"), (np.nan, "are not numbers where those of")])
def test_a_file_that_answers_differently_is_not_written(change, sentence, tmp_path, monkeypatch):
    student, other = LinearRegression().fit(X, Y), LinearRegression().fit(X, Y)
    other.coef_ = other.coef_ + change
    graph = onnx_graph(student, X)
    monkeypatch.setattr(module, "onnx_graph", lambda *_: replace(graph, model=_with_weights(graph.model, other.coef_)))
    with pytest.raises(ParityError, match=rf"differs from its student: its answers {sentence}.* nothing was written"):
        export_onnx(student, tmp_path / "line.onnx", check_on=X)
    assert list(tmp_path.iterdir()) == []


def _with_weights(model, weights):
    from onnx import numpy_helper

    for tensor in model.graph.initializer:
        if list(tensor.dims) == [3, 1]:
            tensor.CopyFrom(numpy_helper.from_array(weights.reshape(3, 1).astype(np.float64), tensor.name))
    return model


def test_a_file_of_another_shape_is_not_written(tmp_path, monkeypatch):
    tree = SoftTree(max_leaf_nodes=4).fit(X, np.eye(2)[(Y > 0).astype(int)])
    three = SoftTree(max_leaf_nodes=4).fit(X, RNG.dirichlet(np.ones(3), 200))
    monkeypatch.setattr(module, "onnx_graph", lambda _, rows: replace(onnx_graph(tree, rows), model=onnx_graph(three, rows).model))
    with pytest.raises(ParityError, match=r"answers have shape \(\d+, 3\) and the student's \(\d+, 2\)"):
        export_onnx(tree, tmp_path / "tree.onnx", check_on=X)


def test_an_existing_file_is_unchanged_if_the_new_one_fails(tmp_path, monkeypatch):
    (tmp_path / "line.onnx").write_bytes(b"old")
    monkeypatch.setattr(module, "TOLERANCE", -1.0)
    with pytest.raises(ParityError):
        export_onnx(LinearRegression().fit(X, Y), tmp_path / "line.onnx", check_on=X)
    assert (tmp_path / "line.onnx").read_bytes() == b"old"


def test_labels_that_are_not_those_of_predict_are_refused(tmp_path):
    class Cautious(SoftTree):
        def predict(self, X):
            return self.classes_[(self.predict_proba(X)[:, 1] > 0.9).astype(int)]

    student = Cautious(max_leaf_nodes=8).fit(X, np.column_stack([Y > 0, Y <= 0]) * 0.6 + 0.2)
    with pytest.raises(ParityError, match="its labels are not those of the student's predict in"):
        export_onnx(student, tmp_path / "tree.onnx", check_on=X)


def test_other_estimators_are_told_why_their_file_differs(tmp_path):
    far = X + np.float32(1e5)
    student = tl.SoftTargets(GaussianNB()).fit(far, np.column_stack([Y > 0, Y <= 0]) * 0.6 + 0.2)
    with pytest.raises(ParityError, match=r"as skl2onnx writes it, in single precision .* use a student of tutelage"):
        export_onnx(student, tmp_path / "bayes.onnx", check_on=far)


def test_a_difference_in_gaps_alone_is_found(tmp_path):
    """All rows that are given have no gap; the file sends gaps to the other side."""
    student = SoftTree(max_leaf_nodes=4).fit(np.where(RNG.random(X.shape) < 0.1, np.nan, X), RNG.dirichlet(np.ones(2), 200))
    graph = onnx_graph(student, X)
    for node in graph.model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "nodes_missing_value_tracks_true":
                attribute.ints[:] = [1 - side for side in attribute.ints]
    (tmp_path / "wrong.onnx").write_bytes(graph.model.SerializeToString())
    file = OnnxStudent.load(tmp_path / "wrong.onnx")
    np.testing.assert_allclose(file.answer(X), student.predict_proba(X), atol=1e-6)
    with pytest.raises(ParityError, match=r"in edge rows \(missing values\)"):
        check_parity(file, student, graph, X.astype(np.float64))


def test_invalid_files_rows_and_paths_are_refused(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"no model")
    with pytest.raises(DamagedFile, match=r"x.onnx is not an ONNX model"):
        OnnxStudent.load(tmp_path / "x.onnx")
    line = LinearRegression().fit(X, Y)
    with pytest.raises(ShapeError, match="check_on has shape"):
        export_onnx(line, tmp_path / "line.onnx", check_on=X[0])
    with pytest.raises(CannotWrite):
        export_onnx(line, tmp_path / "x.onnx" / "line.onnx", check_on=X)


class Shifted:
    """A file that answers as the student does, except for rows a thousand times as large."""

    def __init__(self, student, gap):
        self.student, self.gap = student, gap

    def answers(self, form, rows):
        answers = ask(self.student, form, rows)
        values = answers.values.copy()
        values[np.abs(rows).max(axis=1) > 100] += self.gap
        return Answers(values, answers.decisions)


LARGE = np.random.default_rng(0).uniform(0.5, 1, size=(50, 3)).astype(np.float32)
NETWORK = TorchStudent(mlp((3, 5, 2)), classes=(0, 1))
TREE = SoftTree(max_leaf_nodes=4).fit(LARGE, np.random.default_rng(1).dirichlet(np.ones(2), 50))


@pytest.mark.parametrize(("student", "gap"), [(TREE, 1e-4), (NETWORK, 0.05)])
def test_a_file_that_is_wrong_about_large_rows_is_refused(student, gap):
    with pytest.raises(ParityError, match="differs from its student"):
        check_parity(Shifted(student, gap), student, onnx_graph(student, LARGE), LARGE)


def test_rounding_of_a_network_on_large_rows_is_allowed():
    assert check_parity(Shifted(NETWORK, 1e-4), NETWORK, onnx_graph(NETWORK, LARGE), LARGE).worst_difference < 1e-6


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
        tl.export_onnx(student, "student.onnx", check_on=X)
    except tl.TutelageError as error:
        print(type(error).__name__)
else:
    from tutelage.exporters import parity
    parity.check_parity = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    tl.export_onnx(student, "student.onnx", check_on=X)
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
    export_onnx(student, tmp_path / "tree.onnx", check_on=frame[["c", "a", "b"]])
    teacher = tl.open_teacher(tmp_path / "tree.onnx")
    assert teacher.form == tl.AnswerForm("probabilities", "binary", tuple(classes))
    assert [type(label) for label in teacher.form.classes] == [type(label) for label in classes]
    for rows in (frame, frame[["c", "a", "b"]].assign(more=1), X, frame.astype(object)):
        np.testing.assert_allclose(teacher.answer(rows), student.predict_proba(frame), atol=1e-6)
    with pytest.raises(BadInput, match="the rows lack the columns 'c'"):
        teacher.answer(frame[["a", "b"]])
    with pytest.raises(BadInput, match="the rows have 2 columns"):
        teacher.answer(X[:, :2])
