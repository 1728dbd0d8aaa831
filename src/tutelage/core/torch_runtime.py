"""Torch conventions that all stages share: seeds, eval mode, batched answers, threads, memory.

Torch is imported when one of these functions is called, not when this module is imported.
"""

from __future__ import annotations

import copy
import ctypes
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from tutelage.core.errors import FOREIGN, BadInput, one_line, require

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, device, dtype, nn

    Inputs = Tensor | dict[str, Tensor] | tuple[Tensor, ...]
    """What a network is called with: one tensor, arguments by name, or several in order."""


BATCH_ROWS = 1000
"""Rows that a network answers at once, if nothing else is said."""

_ONE_AT_A_TIME = RLock()
"""A process has one random state for each library, and one number of torch threads."""


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run a block with a seed of torch, NumPy and `random`; restore the caller's random states afterwards, those of GPUs in use included.

    Initial weights, dropout masks, shuffles and whatever the user's code draws inside the block from their global generators depend on
    `seed` alone: such blocks of other threads wait for its end.
    """
    with torch_seeded(seed), own_draws():
        random.seed(seed)
        require("numpy").random.seed([seed % 2**32, seed // 2**32 % 2**32, 1])  # takes words; the last sets it apart from `random`
        yield


@contextmanager
def torch_seeded(seed: int) -> Iterator[None]:
    """The same for torch alone, which takes a tenth of the time."""
    torch = require("torch")
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=gpus):
        torch.manual_seed(seed)
        yield


@contextmanager
def own_draws() -> Iterator[None]:
    """Run a block and restore the global random states of Python and NumPy afterwards; it takes as long as many small batches."""
    numbers = require("numpy").random
    before = random.getstate(), numbers.get_state()
    try:
        yield
    finally:
        random.setstate(before[0])
        numbers.set_state(before[1])


@contextmanager
def own_torch_draws() -> Iterator[None]:
    """Run a block and restore torch's random state afterwards, from which a training draws."""
    torch = require("torch")
    before = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(before)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Run a block with the network in eval mode, without gradients and without autocast; restore every submodule's mode afterwards.

    Modes are restored module by module, since a caller may have frozen some normalisation layers in eval mode.
    """
    torch = require("torch")
    first = next(network.parameters(), None)
    with (
        modes_restored(network),
        torch.no_grad(),
        torch.autocast("cpu" if first is None else first.device.type, enabled=False),
    ):
        network.eval()
        yield


@contextmanager
def modes_restored(network: nn.Module) -> Iterator[None]:
    """Restore every submodule's train or eval mode after a block."""
    modes = {module: module.training for module in network.modules()}
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def coarse_products() -> Iterator[None]:
    """Run a block with float32 matrix products that round their inputs to bfloat16, if the processor has instructions for it.

    Other processors compute as before. Use it to train large layers, about twice as fast on such processors; not for
    answers that are saved.
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
    """Run a block with this number of threads for torch's operations; None changes nothing.

    A step of a network with a few thousand weights ends before a second thread has started: one thread is as fast or faster, and the
    other processors stay free. The number of threads can change the last bits of a matrix product.

    `torch.set_num_threads` is not used: it also sets the number of threads of the MKL inside torch, permanently and separately from
    that of OpenMP. Called while OpenMP is limited temporarily (by threadpoolctl or joblib), it would leave MKL at
    that limit for the rest of the process, and the next training would end with other bits than the one after it.
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
    """MKL's function inside torch: sets the number of threads for calls from this thread, and returns the previous number; 0 is unset."""
    library = Path(str(torch.__file__)).parent / "lib" / "libtorch_cpu.so"
    try:
        function = ctypes.CDLL(str(library)).MKL_Set_Num_Threads_Local
    except (OSError, AttributeError):  # a torch without MKL
        return lambda count: 0
    function.argtypes, function.restype = [ctypes.c_int], ctypes.c_int
    return cast(Callable[[int], int], function)


@contextmanager
def training_state(seed: int, *, threads_count: int | None = None, device_type: str = "cpu") -> Iterator[None]:
    """Run a block with a defined random state, number of threads, gradient mode and autocast, and restore all of them afterwards.

    Args:
        seed: the seed of shuffles, dropout and all other random draws in the block.
        threads_count: as in `threads`.
        device_type: "cpu", "cuda", ...: the device for which autocast is switched off, until the training switches it on.
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


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # the constants of malloc.h


@cache
def reuse_freed_memory() -> None:
    """Keep freed memory in the process, for the tensors of the next step. For programs; a library should not call it.

    By default glibc returns freed blocks of megabytes to the system and requests new ones soon after, and the kernel
    clears every page of them: up to half the time of a small convolution. After this call, the process keeps the most memory that
    it ever used. The command line calls it at the start; your scripts may call it too. Other allocators are not affected.

    Example:
        >>> from tutelage.core.torch_runtime import reuse_freed_memory
        >>> reuse_freed_memory()  # at the start of a program that trains convolutions
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "gnu_get_libc_version"):
        libc.mallopt(_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)


def copied(network: nn.Module) -> nn.Module:
    """A copy of a network: it shares no weights with another one that the same code of the user returns or uses.

    Raises:
        BadInput: it cannot be copied.
    """
    try:
        return copy.deepcopy(network)
    except FOREIGN as error:  # weights that are computed from others, or whatever the code of the network raises
        raise BadInput(
            f"the network cannot be copied ({one_line(error)}). Build it of parts that copy.deepcopy can copy; of weight norm, take "
            "torch.nn.utils.parametrizations.weight_norm."
        ) from error


def unsaved_buffers(network: nn.Module) -> dict[str, Tensor]:
    """The buffers that state_dict leaves out (persistent=False), by name: a training changes them like others."""
    saved = network.state_dict(keep_vars=True)
    return {name: buffer.detach() for name, buffer in network.named_buffers() if name not in saved}


def set_buffers(network: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Give a network buffers by name; one that has another length by now, such as a cache, is replaced.

    Raises:
        KeyError, AttributeError: the network lacks one.
    """
    for name, value in values.items():
        path, _, last = name.rpartition(".")
        owner = network.get_submodule(path)
        present = owner._buffers[last]
        if present is not None and present.shape == value.shape:
            present.detach().copy_(value)
        else:
            owner._buffers[last] = value.clone()


def set_to_train(network: nn.Module) -> None:
    """Put a network into train mode, except the layers that were put into eval mode one by one, such as frozen normalisation layers.

    A network that is in eval mode as a whole, as after its own `eval()`, is put into train mode as a whole.
    """
    if not network.training:
        network.train()


def input_dtype(network: nn.Module, rows: Tensor) -> dtype:
    """The dtype in which a network takes rows: that of its weights; for whole numbers int64, if it takes them as ids.

    A network with an embedding layer takes whole numbers as ids, and any other takes them as measurements. Where the network
    cannot be called with the one on these rows, but can with the other, it is the other.

    Args:
        network: the network, on any device.
        rows: (rows, ...) a few rows, as they are in the data; complex numbers stay complex.
    """
    torch = require("torch")
    of_weights = float_dtype(network)
    if rows.is_floating_point() or rows.is_complex():
        return of_weights if rows.is_floating_point() else rows.dtype
    embeds = any(isinstance(layer, torch.nn.Embedding | torch.nn.EmbeddingBag) for layer in network.modules())
    whole: dtype = torch.int64
    first, second = (whole, of_weights) if embeds else (of_weights, whole)
    return second if not _takes(network, rows, first) and _takes(network, rows, second) else first


def _takes(network: nn.Module, rows: Tensor, kind: dtype) -> bool:
    """Whether a network can be called with rows of this dtype."""
    with torch_seeded(0), evaluating(network):
        try:
            network(rows.to(device_of(network), kind, copy=True))
        except FOREIGN:  # whatever the code of the network raises
            return False
    return True


def network_input(network: nn.Module, rows: Tensor) -> Tensor:
    """A copy of rows, on the device and in the dtype of a network, which may modify its input in place."""
    return rows.detach().to(device_of(network), input_dtype(network, rows[:2]), copy=True)


def float_dtype(network: nn.Module) -> dtype:
    """The dtype of a network's weights; float32 without any, or for weights that are stored in less than two bytes."""
    torch = require("torch")
    weights = next((p for p in network.parameters() if p.is_floating_point() and p.dtype.itemsize > 1), None)
    return cast("dtype", torch.float32) if weights is None else weights.dtype


def called(network: Callable[..., Any], inputs: Inputs) -> Any:
    """What a network returns: a dict is passed as keyword arguments, a tuple as arguments in its order."""
    if isinstance(inputs, dict):
        return network(**inputs)
    return network(*inputs) if isinstance(inputs, tuple) else network(inputs)


def device_of(network: nn.Module) -> device:
    """The device of a network's first parameter; the CPU if it has none."""
    torch = require("torch")
    first = next(network.parameters(), None)
    return cast("device", torch.device("cpu")) if first is None else first.device


def tensor_of(array: NDArray[Any]) -> Tensor:
    """An array of numbers as a tensor, which shares its memory if torch can use it: in this machine's byte order, and writeable."""
    import numpy as np

    torch = require("torch")
    kind = np.dtype(np.float64) if array.dtype.kind == "f" and array.dtype.itemsize > 8 else array.dtype.newbyteorder("=")
    tensor: Tensor = torch.from_numpy(np.require(array, kind, ["C", "W"]))
    return tensor


def answers_of(
    network: nn.Module, inputs: Tensor, *, batch_size: int = BATCH_ROWS, output: Callable[[Any], Tensor] = lambda returned: returned
) -> Tensor:
    """The network's outputs for every row, in eval mode, without gradients.

    Args:
        network: maps (batch, ...) to (batch, classes), or to (copies, batch, classes) for a stack.
        inputs: (rows, ...), which stay as they are: a network may modify its input in place, and gets a copy of each batch.
        batch_size: rows per call; bounds the memory of activations.
        output: extracts the answers from what the network returns.

    Returns:
        (rows, classes) or (copies, rows, classes).
    """
    torch = require("torch")
    with evaluating(network):
        parts = [output(network(batch.clone())) for batch in torch.split(inputs, batch_size)]
    answers: Tensor = torch.cat(parts, dim=-2 if parts[0].ndim > 1 else 0)
    return answers
