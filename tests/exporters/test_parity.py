import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from tutelage.core.errors import CannotWrite, DamagedFile, ParityError, ShapeError
from tutelage.exporters import parity as module
from tutelage.exporters.onnx_graph import onnx_graph
from tutelage.exporters.parity import TOLERANCE, OnnxStudent, check_parity, edge_rows, export_onnx
from tutelage.students.trees import SoftTree
from tutelage.training.stacks.networks import mlp
from tutelage.training.student import TorchStudent

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3)).astype(np.float32)
Y = X @ [1.0, -2.0, 3.0]


def test_the_file_is_written_and_its_parity_returned(tmp_path):
    parity = export_onnx(LinearRegression().fit(X, Y), tmp_path / "line.onnx", check_on=X)
    assert (parity.rows, parity.decisions_changed) == (200, 0)
    assert 0 <= parity.worst_difference <= TOLERANCE
    np.testing.assert_allclose(OnnxStudent.load(tmp_path / "line.onnx").answer(X)[:, 0], Y, rtol=1e-4, atol=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == ["line.onnx"]


@pytest.mark.parametrize("change", [1e-3, np.nan])
def test_a_file_that_answers_differently_is_not_written(change, tmp_path, monkeypatch):
    student, other = LinearRegression().fit(X, Y), LinearRegression().fit(X, Y)
    other.coef_ = other.coef_ + change
    monkeypatch.setattr(module, "onnx_graph", lambda _, features: onnx_graph(other, features))
    with pytest.raises(ParityError, match=r"differs from its student by .* \(allowed 1e-05\).* nothing was written"):
        export_onnx(student, tmp_path / "line.onnx", check_on=X)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_shape_is_not_written(tmp_path, monkeypatch):
    tree = SoftTree(max_leaf_nodes=4).fit(X, np.eye(2)[(Y > 0).astype(int)])
    monkeypatch.setattr(module, "onnx_graph", lambda _, features: onnx_graph(LinearRegression().fit(X, Y), features))
    with pytest.raises(ParityError, match=r"answers have shape \(\d+, 1\) and the student's \(\d+, 2\)"):
        export_onnx(tree, tmp_path / "tree.onnx", check_on=X)


def test_an_existing_file_is_unchanged_if_the_new_one_fails(tmp_path, monkeypatch):
    (tmp_path / "line.onnx").write_bytes(b"old")
    monkeypatch.setattr(module, "TOLERANCE", -1.0)
    with pytest.raises(ParityError):
        export_onnx(LinearRegression().fit(X, Y), tmp_path / "line.onnx", check_on=X)
    assert (tmp_path / "line.onnx").read_bytes() == b"old"


def test_edge_rows_include_every_split_and_its_neighbours():
    tree = SoftTree(max_leaf_nodes=5, random_state=0).fit(X, np.eye(2)[(Y > 0).astype(int)])
    edges = edge_rows(tree, X)
    inner = tree.tree_.tree_
    for node in np.flatnonzero(inner.children_left != -1):
        feature, threshold = inner.feature[node], np.float32(inner.threshold[node])
        for value in (threshold, np.nextafter(threshold, np.float32(-np.inf)), np.nextafter(threshold, np.float32(np.inf))):
            assert (edges[:, feature] == value).any()
    assert np.isfinite(edges).all()


def test_a_tree_with_more_splits_than_rows_gets_edge_rows_for_every_split():
    tree = SoftTree(random_state=0).fit(X, RNG.dirichlet(np.ones(2), 200))
    splits = tree.tree_.get_n_leaves() - 1
    assert len(edge_rows(tree, X[:7])) == 3 + 7 + 3 * splits


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

    def answer(self, rows):
        answers = np.array(self.student.predict_proba(rows), dtype=np.float32)
        answers[np.abs(rows).max(axis=1) > 100] += self.gap
        return answers


LARGE = np.random.default_rng(0).uniform(0.5, 1, size=(50, 3)).astype(np.float32)
NETWORK = TorchStudent(mlp((3, 5, 2)), classes=(0, 1))
TREE = SoftTree(max_leaf_nodes=4).fit(LARGE, np.random.default_rng(1).dirichlet(np.ones(2), 50))


@pytest.mark.parametrize(("student", "gap"), [(TREE, 1e-4), (NETWORK, 0.05)])
def test_a_file_that_is_wrong_about_large_rows_is_refused(student, gap):
    with pytest.raises(ParityError, match="differs from its student"):
        check_parity(Shifted(student, gap), student, LARGE)


def test_rounding_of_a_network_on_large_rows_is_allowed():
    assert check_parity(Shifted(NETWORK, 1e-4), NETWORK, LARGE).worst_difference < 1e-6
