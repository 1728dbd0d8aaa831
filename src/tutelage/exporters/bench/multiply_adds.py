"""Multiply-adds of one row."""

from __future__ import annotations

from math import prod

from tutelage.exporters.program.operations import (
    Arithmetic,
    ChannelNorm,
    Convolution,
    Dense,
    LayerNorm,
    OnnxPart,
    Pooling,
    Terms,
    TreeSum,
)
from tutelage.exporters.program.program import Program, Step


def multiply_adds(program: Program) -> int | None:
    """Multiplications with additions of one row; an addition to a sum counts as one, comparisons and activations count nothing.

    Returns:
        None if a part was written by another library.
    """
    found = [_of_step(program, step) for step in program.steps]
    counts = [count for count in found if count is not None]
    return sum(counts) if len(counts) == len(found) else None


def _of_step(program: Program, step: Step) -> int | None:
    out = prod(step.shape)
    read = prod(program.steps[step.sources[0]].shape) if step.sources else 0
    match step.operation:
        case OnnxPart() | Terms():
            found = None
        case Dense(weights=weights):
            found = out * weights.shape[0]
        case Convolution(weights=weights):
            found = out * prod(weights.shape[1:])
        case TreeSum(trees=trees):
            found = len(trees.trees) * trees.trees[0].values.shape[1]
        case Pooling(name="mean", window=window):
            found = out * prod(window)
        case LayerNorm():
            found = 3 * read
        case ChannelNorm() | Arithmetic():
            found = read
        case _:
            found = 0
    return found
