"""Device habits of torch that every stage must share: seeds, eval mode, batched answers, memory.

Torch loads when one of these is called, never on import.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from tutelage.core.errors import require

if TYPE_CHECKING:
    from torch import Tensor, nn


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run a block under a torch seed and give back the caller's random state afterwards.

    Initial weights, dropout masks and shuffles inside the block depend on `seed` alone.
    """
    torch = require("torch")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Eval mode and no gradient for a block; every submodule's own mode comes back afterwards.

    Restoring module by module matters: a caller may keep some norm layers frozen in eval mode.
    """
    torch = require("torch")
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def coarse_products() -> Iterator[None]:
    """Let float32 matrix products of a block round their inputs to bfloat16 where the processor has units for it.

    Elsewhere it changes nothing. Good for training large layers, about twice as fast on such processors; not for
    answers that are kept.
    """
    torch = require("torch")
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Let torch's operations of a block share so many threads; None leaves them as they are.

    A step of a few thousand weights is done before a second thread has woken up: one is as fast or faster, and the
    others are free for something else. How a product is shared among threads can change its last bits.
    """
    torch = require("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as malloc.h numbers them


@cache
def keep_memory() -> None:
    """Let freed memory stay with the process from now on, for the tensors of the next step.

    By default glibc gives freed blocks of megabytes back to the system and takes them anew a moment later, and the
    kernel clears every page of them: up to half the time of a small convolution. Other allocators are left alone.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "gnu_get_libc_version"):
        libc.mallopt(_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)


def answers_of(
    network: nn.Module, inputs: Tensor, *, batch_size: int = 1000, output: Callable[[Any], Tensor] = lambda said: said
) -> Tensor:
    """The network's raw outputs for every row, in eval mode, without gradient.

    Args:
        network: maps (batch, ...) to (batch, classes), or to (copies, batch, classes) for a stack.
        inputs: (rows, ...).
        batch_size: rows per call; bounds the memory that activations take.
        output: takes the answers out of what the network returns.

    Returns:
        (rows, classes) or (copies, rows, classes).
    """
    torch = require("torch")
    keep_memory()
    with evaluating(network):
        parts = [output(network(batch)) for batch in torch.split(inputs, batch_size)]
    answers: Tensor = torch.cat(parts, dim=-2 if parts[0].ndim > 1 else 0)
    return answers
