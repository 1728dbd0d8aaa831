"""Layers written directly compute what torch computes, whatever their settings; others are left to torch's exporter."""

import numpy as np
import pytest
import torch
from torch import nn

from tutelage.core import torch_runtime
from tutelage.exporters import network_graph
from tutelage.exporters.network_layers import plain_layers
from tutelage.exporters.parity import OnnxStudent, export_onnx
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


def network(rows, layers):
    """The layers, with statistics of the rows, and a class for each of three sums."""
    with torch_runtime.seeded(0):
        whole = nn.Sequential(*layers, nn.Flatten())
        whole(torch.from_numpy(rows)), whole(torch.from_numpy(rows) * 2 + 1)
        whole.append(nn.Linear(whole(torch.from_numpy(rows)).shape[1], 3))
    return whole


@pytest.mark.parametrize("case", range(len(LAYERS)))
def test_layers_compute_what_torch_computes(case, tmp_path, monkeypatch):
    rows, layers = LAYERS[case]
    monkeypatch.setattr(network_graph, "_append_traced", None)
    student = TorchStudent(network(rows, layers), classes="abc")
    assert export_onnx(student, tmp_path / "student.onnx", check_on=rows).worst_difference < 1e-5
    for count in (1, 7):
        np.testing.assert_allclose(
            OnnxStudent.load(tmp_path / "student.onnx").answer(rows[:count]), student.predict_proba(rows[:count]), atol=1e-6
        )


def hooked():
    layer = nn.Linear(6, 3)
    layer.register_forward_hook(lambda module, inputs, answers: -answers)
    return layer


def of_another_forward():
    layer = nn.Linear(6, 3)
    layer.forward = lambda rows: rows[:, :3]
    return layer


class Negated(nn.Linear):
    def forward(self, rows):
        return -super().forward(rows)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(2, 3, 3, padding="same"),
        nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.AvgPool2d(2, divisor_override=3),
        nn.AdaptiveAvgPool2d(2),
        nn.BatchNorm2d(2, track_running_stats=False),
        nn.Flatten(2),
        nn.Unflatten(-1, (2, 3)),
        nn.Softplus(),
        nn.utils.parametrizations.weight_norm(nn.Linear(6, 3)),
        hooked(),
        of_another_forward(),
        Negated(6, 3),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_other_layers_are_left_to_torch(layer):
    assert plain_layers(nn.Sequential(layer)) is None
