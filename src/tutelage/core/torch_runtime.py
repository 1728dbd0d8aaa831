"""Device habits of torch that every stage must share: seeds, eval mode, batched answers, memory.

Torch loads when one of these is called, never on import.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

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
    """Eval mode, no gradient and no autocast of the caller's for a block; the mode of every submodule is restored afterwards.

    Restoring module by module matters: a caller may keep some norm layers frozen in eval mode.
    """
    torch = require("torch")
    modes = {module: module.training for module in network.modules()}
    first = next(network.parameters(), None)
    network.eval()
    try:
        with torch.no_grad(), torch.autocast("cpu" if first is None else first.device.type, enabled=False):
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
    """Let torch's operations in a block share this many threads; None changes nothing.

    A step of a few thousand weights is done before a second thread has started: one thread is as fast or faster, and the
    others are free for something else. How a product is shared between threads can change its last bits.

    `torch.set_num_threads` is not used for this: it also sets the number of threads of the MKL inside torch, for good and
    apart from OpenMP's. Called where something else limits OpenMP for a while (threadpoolctl, joblib), it would leave MKL at
    that limit for the rest of the process, and the next training would end in other bits than the one after it.
    """
    torch = require("torch")
    if count is None:
        yield
        return
    with require("threadpoolctl").threadpool_limits(count, user_api="openmp"):
        mkl = _mkl_threads_of_this_thread(torch)
        before = mkl(count)
        try:
            yield
        finally:
            mkl(before)


@cache
def _mkl_threads_of_this_thread(torch: ModuleType) -> Callable[[int], int]:
    """MKL's own function inside torch: sets the threads of its calls from this thread and returns the number before; 0 is none."""
    library = Path(str(torch.__file__)).parent / "lib" / "libtorch_cpu.so"
    try:
        function = ctypes.CDLL(str(library)).MKL_Set_Num_Threads_Local
    except (OSError, AttributeError):  # a torch without MKL
        return lambda count: 0
    function.argtypes, function.restype = [ctypes.c_int], ctypes.c_int
    return cast(Callable[[int], int], function)


@contextmanager
def training_state(seed: int, *, threads_count: int | None = None, device_type: str = "cpu") -> Iterator[None]:
    """What a training must not inherit from the process: random state, gradient mode and autocast; all of it is restored.

    Args:
        seed: of shuffles, dropout and whatever else is drawn in the block.
        threads_count: as for `threads`.
        device_type: "cpu", "cuda", ...: autocast is switched off there, until the training switches it on.
    """
    torch = require("torch")
    with (
        seeded(seed),
        threads(threads_count),
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(device_type, enabled=False),
    ):
        yield


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as malloc.h numbers them


@cache
def reuse_freed_memory() -> None:
    """Let memory that is freed stay with the process, for the tensors of the next step: for a program, never for a library.

    By default glibc gives freed blocks of megabytes back to the system and takes new ones a moment later, and the kernel
    clears every page of them: up to half the time of a small convolution. With this, the process keeps the most memory that
    it ever used. The command line calls it when it starts; a script of your own may. Other allocators are left alone.

    Example:
        >>> from tutelage.core.torch_runtime import reuse_freed_memory
        >>> reuse_freed_memory()  # at the start of a program that trains convolutions
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
    with evaluating(network):
        parts = [output(network(batch)) for batch in torch.split(inputs, batch_size)]
    answers: Tensor = torch.cat(parts, dim=-2 if parts[0].ndim > 1 else 0)
    return answers
