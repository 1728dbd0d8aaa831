import numpy as np
import pytest
import torch
from torch import nn

from tutelage.core.errors import BadInput, MissingExtra, ParityError
from tutelage.exporters.export import export
from tutelage.exporters.program import foreign
from tutelage.exporters.proof import edge_cases
from tutelage.exporters.targets import pte
from tutelage.students.trees import SoftTree
from tutelage.training.student import TorchStudent

RNG = np.random.default_rng(0)
PICTURES = RNG.normal(size=(40, 1, 8, 8)).astype(np.float32)


def small_convolution(output=None):
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 3)]
    return TorchStudent(nn.Sequential(*layers), classes=("a", "b", "c"), output=output)


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    monkeypatch.setattr(edge_cases, "ROWS", 300)


def test_only_networks_can_be_written(tmp_path):
    tree = SoftTree(max_leaf_nodes=3).fit(PICTURES[:, 0, 0], RNG.integers(2, size=40))
    with pytest.raises(BadInput, match="a SoftTree cannot be written for ExecuTorch, which runs torch networks"):
        export(tree, tmp_path / "student.pte", check_on=PICTURES[:, 0, 0])


def test_what_is_not_installed_is_named_with_both_commands(tmp_path, monkeypatch):
    monkeypatch.setattr(pte, "_NEEDED", ("torch", "no_such_module"))
    with pytest.raises(MissingExtra, match=r"needs no_such_module.*pip install --no-deps"):
        export(small_convolution(), tmp_path / "student.pte", check_on=PICTURES)


@pytest.mark.slow
def test_a_convolution_runs_in_executorch_as_in_torch_for_any_number_of_rows(tmp_path):
    pytest.importorskip("executorch", reason="ExecuTorch is not installed: scripts/tools installs it")
    record = export(small_convolution(), tmp_path / "student.pte", check_on=PICTURES)
    (proof,) = record.proofs
    assert proof.runtime.startswith("ExecuTorch 1.")
    assert proof.rows == 300  # in parts of 256 and 44 rows
    assert proof.worst_difference < 1e-5
    again = export(small_convolution(), tmp_path / "again.pte", check_on=PICTURES)
    assert again.sha256 == record.sha256


@pytest.mark.slow
def test_another_network_in_the_file_is_noticed(tmp_path, monkeypatch):
    pytest.importorskip("executorch", reason="ExecuTorch is not installed: scripts/tools installs it")
    written = foreign.answering_network
    monkeypatch.setattr(foreign, "answering_network", lambda network, output, task: written(network, lambda logits: 2 * logits, task))
    with pytest.raises(ParityError, match="differs from its student in ExecuTorch"):
        export(small_convolution(), tmp_path / "student.pte", check_on=PICTURES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_damaged_file_is_one_sentence(tmp_path, monkeypatch):
    pytest.importorskip("executorch", reason="ExecuTorch is not installed: scripts/tools installs it")
    monkeypatch.setattr(pte, "_lowered", lambda program: b"no program")
    with pytest.raises(ParityError, match=r"the exported file fails in ExecuTorch .* \(exit status"):
        export(small_convolution(), tmp_path / "student.pte", check_on=PICTURES)
