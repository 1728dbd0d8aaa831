"""Layers compute what torch computes, whatever their settings, in single and in double precision and in every version of the operators."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput
from tutelage.exporters.export import export
from tutelage.exporters.program import foreign
from tutelage.exporters.proof import edge_cases
from tutelage.exporters.targets.onnx.graph import NEWEST
from tutelage.exporters.targets.onnx.runtime import OnnxStudent
from tutelage.training.student import TorchStudent

RNG = np.random.default_rng(0)
ROWS, SERIES, IMAGES = (RNG.normal(size=(20, *shape)).astype(np.float32) for shape in ((6,), (2, 12), (2, 9, 11)))
LAYERS = [
    (ROWS, [nn.Linear(6, 5, bias=False), nn.BatchNorm1d(5), nn.LeakyReLU(0.2)]),
    (ROWS, [nn.BatchNorm1d(6, affine=False), nn.ELU(0.7), nn.Linear(6, 4), nn.Sigmoid()]),
    (ROWS, [nn.LayerNorm(6, eps=1e-3), nn.GELU()]),
    (ROWS, [nn.LayerNorm(6, elementwise_affine=False), nn.GELU("tanh")]),
    (ROWS, [nn.LayerNorm(6, bias=False), nn.SiLU(), nn.Tanh(), nn.Identity(), nn.Dropout(0.5)]),
    (ROWS, [nn.Unflatten(1, (2, 3)), nn.LayerNorm((2, 3)), nn.Linear(3, 4), nn.Flatten()]),
    (SERIES, [nn.Linear(12, 5, bias=False), nn.ReLU(inplace=True)]),
    (SERIES, [nn.Unflatten(1, (1, 2)), nn.Conv2d(1, 2, (2, 3), stride=(1, 2), padding=(1, 0))]),
    (SERIES, [nn.Conv1d(2, 4, 3, stride=2, padding=1, dilation=2, groups=2, bias=False), nn.BatchNorm1d(4)]),
    (SERIES, [nn.MaxPool1d(3, stride=2, padding=1), nn.AvgPool1d(2, padding=1)]),
    (SERIES, [nn.AdaptiveAvgPool1d(1)]),
    (IMAGES, [nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)), nn.BatchNorm2d(4), nn.Dropout2d()]),
    (IMAGES, [nn.MaxPool2d((2, 3), padding=(1, 1), dilation=(2, 1))]),
    (IMAGES, [nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False), nn.AvgPool2d(2, padding=1)]),
    (IMAGES, [nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU()), nn.AdaptiveAvgPool2d(1)]),
]


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    monkeypatch.setattr(edge_cases, "ROWS", 100)
    monkeypatch.setattr(foreign, "network_part", None)


def network(rows, layers):
    """The layers, with statistics of the rows, and a class for each of three sums; in the precision of the rows."""
    rows = torch.from_numpy(rows)
    with torch_runtime.seeded(0):
        whole = nn.Sequential(*copy.deepcopy(layers), nn.Flatten()).to(rows.dtype)
        whole(rows), whole(rows * 2 + 1)
        whole.append(nn.Linear(whole(rows).shape[1], 3).to(rows.dtype))
    return whole


@pytest.mark.exhaustive(every=7)
@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("case", range(len(LAYERS)))
def test_layers_compute_what_torch_computes(case, double, tmp_path):
    rows, layers = LAYERS[case]
    rows = rows.astype(np.float64) if double else rows
    student = TorchStudent(network(rows, layers), classes="abc")
    (proof,) = export(student, tmp_path / "student.onnx", check_on=rows).proofs
    assert proof.worst_difference < 1e-5
    for count in (1, 7):
        file = OnnxStudent.load(tmp_path / "student.onnx")
        np.testing.assert_allclose(file.answer(rows[:count]), student.predict_proba(rows[:count]), atol=1e-6)


@pytest.mark.slow
@pytest.mark.exhaustive(every=7)
@pytest.mark.parametrize("opset", [11, 13, 18, 20, NEWEST])
@pytest.mark.parametrize("double", [False, True])
def test_layers_exist_in_every_version(double, opset, tmp_path):
    for rows, layers in LAYERS:
        rows = rows.astype(np.float64) if double else rows  # noqa: PLW2901
        student = TorchStudent(network(rows, layers), classes="abc")
        if opset < 17 and any(isinstance(layer, nn.LayerNorm) for layer in layers):
            with pytest.raises(BadInput, match=f"target_opset is {opset}; a LayerNorm needs 17 at least"):
                export(student, tmp_path / "student.onnx", check_on=rows, target_opset=opset)
        else:
            assert export(student, tmp_path / "student.onnx", check_on=rows, target_opset=opset).proofs[0].worst_difference < 1e-5
