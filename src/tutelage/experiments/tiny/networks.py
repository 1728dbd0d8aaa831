"""The networks of tiny and tiny-fashion: a student of 7 834 weights, with a strided and a dense form, and its teacher."""

from __future__ import annotations

import torch
from torch import nn

from tutelage.experiments.demo.mnist_setting import CLASSES


def _block(
    inputs: int, outputs: int, size: int = 3, stride: int = 1, *, dilation: int = 1, groups: int = 1, active: bool = True
) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2 * dilation, dilation=dilation, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), *([nn.ReLU(inplace=True)] if active else [])]


def _separable(inputs: int, outputs: int, dilation: int = 1) -> list[nn.Module]:
    """3 x 3 within each channel, then 1 x 1 across channels: for 32 channels a seventh of the weights of a full 3 x 3."""
    return [*_block(inputs, inputs, dilation=dilation, groups=inputs, active=False), *_block(inputs, outputs, 1)]


def _network(before: list[nn.Module], pool: nn.Module, after: list[nn.Module], width: int) -> nn.Sequential:
    """(batch, 784) -> (batch, 10)."""
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, CLASSES)]
    layers = [nn.Unflatten(1, (1, 28, 28)), *before, pool, *after, *head]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def student_network(*, dense: bool = False) -> nn.Sequential:
    """7 834 weights: a 5 x 5 convolution with stride 2, then five separable convolutions, at 14 x 14 and 7 x 7 positions.

    Args:
        dense: evaluate at every pixel instead, with the same weights and dilated convolutions in place of strides. Except at
            the border, the mean over positions is then the mean over all 16 offsets of the strided grid on the picture. It
            takes nine times the multiplications, which is too slow for training. It is more accurate on digits and less
            accurate on clothes.
    """
    stride, early, late = (1, 2, 4) if dense else (2, 1, 1)
    pool = nn.MaxPool2d(2, 1, padding=1, dilation=2) if dense else nn.MaxPool2d(2)
    after = [layer for _ in range(4) for layer in _separable(32, 32, late)]
    return _network([*_block(1, 24, 5, stride), *_separable(24, 32, early)], pool, after, 32)


def answering_as(trained: nn.Module, *, dense: bool) -> nn.Sequential:
    """A trained student's weights in the dense form of the network, or in the strided form in which they were trained."""
    answering = student_network(dense=dense)
    answering.load_state_dict(trained.state_dict())
    return answering


def teacher_network() -> nn.Sequential:
    """80 202 weights: four convolutions, the first of 5 x 5 with stride 2."""
    return _network([*_block(1, 32, 5, 2), *_block(32, 48)], nn.MaxPool2d(2), [*_block(48, 64), *_block(64, 64)], 64)
