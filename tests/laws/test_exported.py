"""The exported file is the student, on edge rows too."""

import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor

from tutelage.core.errors import BadInput
from tutelage.exporters.export import export
from tutelage.exporters.targets.onnx.runtime import OnnxStudent
from tutelage.students.trees import SoftTree
from tutelage.training.stacks.networks import mlp
from tutelage.training.student import TorchStudent

RNG = np.random.default_rng(0)


@pytest.mark.exhaustive
def test_ties_at_a_split_go_the_same_way_in_float32(tmp_path):
    # Thresholds half way between neighbouring float32 values are the hardest to carry over; below 4, such neighbours
    # lie closer than scikit-learn is willing to split.
    base = RNG.uniform(4, 8, size=500).astype(np.float32)
    X = np.concatenate([base, np.nextafter(base, np.float32(np.inf))])[:, None]
    y = np.repeat([0.0, 1.0], 500)
    tree = DecisionTreeRegressor(random_state=0).fit(X, y)
    assert export(tree, tmp_path / "tree.onnx", check_on=X).proofs[0].worst_difference == 0
    np.testing.assert_array_equal(OnnxStudent.load(tmp_path / "tree.onnx").answer(X)[:, 0], y)


@pytest.mark.exhaustive
def test_a_large_unpruned_soft_tree_is_exported_whole(tmp_path):
    X = RNG.normal(size=(5000, 4)).astype(np.float32)
    tree = SoftTree(random_state=0).fit(X, RNG.dirichlet(np.ones(3), 5000))
    (parity,) = export(tree, tmp_path / "tree.onnx", check_on=X).proofs
    assert tree.tree_.get_n_leaves() > 4900
    assert parity.edge_rows > 3000
    assert parity.worst_difference < 1e-6


def test_what_a_network_does_not_answer_its_file_does_not_either(tmp_path):
    student = TorchStudent(mlp((4, 6, 3)), classes=range(3))
    rows = RNG.normal(size=(50, 4)).astype(np.float32)
    export(student, tmp_path / "net.onnx", check_on=rows)
    odd = np.array([[np.nan, 0, 0, 0], [np.inf, 0, 0, 0], [-np.inf, 1, 1, 1], [3e38, 3e38, 3e38, 3e38]], dtype=np.float32)
    theirs = OnnxStudent.load(tmp_path / "net.onnx").answer(odd)
    for row, answer in zip(odd, theirs, strict=True):
        if np.isnan(answer).any():
            with pytest.raises(BadInput, match="the network's answers to 1 of 1 rows are no numbers"):
                student.predict_proba(row[None])
        else:
            np.testing.assert_allclose(answer, student.predict_proba(row[None])[0], atol=1e-5)
    assert np.isnan(theirs[0]).any()


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_extreme_but_finite_features_agree(scale, tmp_path):
    X = (RNG.normal(size=(300, 2)) * scale).astype(np.float32)
    tree = SoftTree(random_state=0).fit(X, RNG.dirichlet(np.ones(2), 300))
    assert export(tree, tmp_path / "tree.onnx", check_on=X).proofs[0].worst_difference < 1e-6
