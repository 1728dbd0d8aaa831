import json

import numpy as np
import pytest
import torch
from torch import nn

from tutelage.core.errors import BadInput, MissingExtra, ParityError
from tutelage.exporters.export import export
from tutelage.exporters.program import foreign
from tutelage.exporters.program.build import program_of
from tutelage.exporters.proof import edge_cases
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.subject import subject_of
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
    monkeypatch.setattr(edge_cases, "ROWS", 100)  # ExecuTorch runs in a process of its own, one for 256 rows


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The record of a file that was compared on rows in two parts, of 256 and 44."""
    pytest.importorskip("executorch", reason="ExecuTorch is not installed: scripts/tools installs it")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(edge_cases, "ROWS", 300)
        return export(small_convolution(), tmp_path_factory.mktemp("pte") / "student.pte", check_on=PICTURES)


def test_only_networks_can_be_written(tmp_path):
    tree = SoftTree(max_leaf_nodes=3).fit(PICTURES[:, 0, 0], RNG.integers(2, size=40))
    with pytest.raises(BadInput, match="a SoftTree cannot be written for ExecuTorch, which runs torch networks"):
        export(tree, tmp_path / "student.pte", check_on=PICTURES[:, 0, 0])


def test_what_is_not_installed_is_named_with_both_commands(tmp_path, monkeypatch):
    monkeypatch.setattr(pte, "_NEEDED", ("torch", "no_such_module"))
    with pytest.raises(MissingExtra, match=r"needs no_such_module.*pip install --no-deps"):
        export(small_convolution(), tmp_path / "student.pte", check_on=PICTURES)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_convolution_runs_in_executorch_as_in_torch_for_any_number_of_rows(written):
    (proof,) = written.proofs
    assert proof.runtime.startswith("ExecuTorch 1.")
    assert proof.rows == 300
    assert proof.worst_difference < 1e-5


@pytest.mark.slow
@pytest.mark.exhaustive
def test_it_is_written_in_the_same_bytes(written, tmp_path):
    assert export(small_convolution(), tmp_path / "again.pte", check_on=PICTURES).sha256 == written.sha256


@pytest.mark.slow
@pytest.mark.exhaustive
def test_another_network_in_the_file_is_noticed(tmp_path, monkeypatch):
    pytest.importorskip("executorch", reason="ExecuTorch is not installed: scripts/tools installs it")
    written = foreign.answering_network
    monkeypatch.setattr(foreign, "answering_network", lambda network, output, task: written(network, lambda logits: 2 * logits, task))
    with pytest.raises(ParityError, match="differs from its student in ExecuTorch"):
        export(small_convolution(), tmp_path / "student.pte", check_on=PICTURES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_damaged_file_is_one_sentence(tmp_path, monkeypatch):
    pytest.importorskip("executorch", reason="ExecuTorch is not installed: scripts/tools installs it")
    monkeypatch.setattr(pte, "_lowered", lambda program: b"no program")
    with pytest.raises(ParityError, match=r"the exported file fails in ExecuTorch .* \(exit status"):
        export(small_convolution(), tmp_path / "student.pte", check_on=PICTURES)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_what_a_network_refuses_is_no_number_in_8_bits(tmp_path):
    pytest.importorskip("executorch", reason="ExecuTorch is not installed: scripts/tools installs it")
    student, rows = small_convolution(), RNG.normal(size=(100, 1, 8, 8)).astype(np.float32)
    export(student, tmp_path / "student.pte", check_on=rows, precision="int8", max_drop=100)
    odd = rows[:3].copy()
    odd[0, 0, 3, 3], odd[1, 0, 0, 0] = np.nan, np.inf
    program = program_of(*subject_of(student, rows))
    answers = pte.ExecuTorchRuntime("ExecuTorch").answers(tmp_path / "student.pte", program, CheckRows.of_numbers(odd)).values
    assert np.isnan(answers).all(axis=1).tolist() == [True, True, False]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_cell_that_a_network_fills_is_answered_in_8_bits_and_the_signs_of_infinity_are_apart(tmp_path):
    pytest.importorskip("executorch", reason="ExecuTorch is not installed: scripts/tools installs it")

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 2)

        def forward(self, rows):
            rows = torch.cat([torch.nan_to_num(rows[:, :1]), torch.clamp(rows[:, 1:], max=3)], dim=1)
            return self.second(torch.relu(self.first(rows)))

    torch.manual_seed(0)
    rows = RNG.normal(size=(100, 4)).astype(np.float32)
    student = TorchStudent(Network()).fit(rows, y=rows[:, 0] > 0, epochs=1)
    export(student, tmp_path / "student.pte", check_on=rows, precision="int8", max_drop=100)
    odd = rows[:4].copy()
    odd[[0, 1, 2, 3], [0, 1, 1, 1]] = np.nan, np.nan, np.inf, -np.inf
    program = program_of(*subject_of(student, rows))
    answers = pte.ExecuTorchRuntime("ExecuTorch").answers(tmp_path / "student.pte", program, CheckRows.of_numbers(odd)).values
    assert np.isnan(answers).all(axis=1).tolist() == [False, True, False, True]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_file_of_8_bits_is_judged_by_its_decisions_and_records_what_it_loses(tmp_path, monkeypatch):
    pytest.importorskip("executorch", reason="ExecuTorch is not installed: scripts/tools installs it")
    student, rows = small_convolution(), RNG.normal(size=(600, 1, 8, 8)).astype(np.float32)
    path = tmp_path / "student.pte"
    record = export(student, path, check_on=rows, precision="int8", max_drop=20)
    (drop,) = record.drops
    assert record.proofs == ()
    assert record.proven
    assert drop.metric == "decisions changed"
    assert drop.rows == 600  # no made rows, of which it never saw the like
    assert drop.runtime.startswith("ExecuTorch 1.")
    assert drop.max_drop == 20
    assert 0 < drop.ci95[0] < drop.drop < drop.ci95[1]
    stored = json.loads((tmp_path / "student.pte.json").read_text())
    assert stored["drops"][0]["drop"] == drop.drop
    content = path.read_bytes()
    path.unlink()

    monkeypatch.setattr(pte, "write", lambda job, header: {"student.pte": content})  # the same file again, without the seconds of making it
    with pytest.raises(ParityError, match=rf"loses too much: .*decisions changed {drop.drop:.2f} percentage points .*allow more"):
        export(student, path, check_on=rows, precision="int8", max_drop=drop.drop / 2)
    assert not path.exists()
