import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from tutelage.core import torch_runtime


def network():
    return nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 3))


def test_seeded_determines_the_block_and_restores_the_callers_state():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with torch_runtime.seeded(1):
        first = torch.rand(3)
    with torch_runtime.seeded(1):
        assert torch.equal(first, torch.rand(3))
    assert torch.equal(expected, torch.rand(3))


draw, draw_of_numpy = random.random, np.random.rand


def test_seeded_settles_what_other_libraries_draw_and_restores_their_states():
    def drawn():
        return random.gauss(0, 1), draw_of_numpy(), draw()

    for seed in (1, 2**40 + 1):
        before = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
        with torch_runtime.seeded(seed):
            first = drawn()
        assert random.getstate() == before[0]
        np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
        draw(), draw_of_numpy()
        with torch_runtime.seeded(seed):
            assert drawn() == first
        assert first[1] != first[2]
        with torch_runtime.seeded(seed + 2**32):
            assert drawn() != first


def test_evaluating_sets_eval_mode_without_gradient_and_restores_every_mode_after_an_error():
    net = network()
    net[1].eval()  # a norm layer that its owner keeps frozen
    with pytest.raises(RuntimeError), torch_runtime.evaluating(net):
        assert not any(module.training for module in net.modules())
        assert not net(torch.ones(2, 2)).requires_grad
        raise RuntimeError
    assert [module.training for module in net] == [True, False, True, True]
    assert net.training


def test_answers_do_not_depend_on_the_batch_size_or_change_running_statistics():
    net = network()
    before = net[1].running_mean.clone()
    inputs = torch.randn(11, 2)
    whole = torch_runtime.answers_of(net, inputs)
    torch.testing.assert_close(torch_runtime.answers_of(net, inputs, batch_size=4), whole)
    assert whole.shape == (11, 3)
    assert torch.equal(net[1].running_mean, before)


def test_coarse_products_apply_to_the_block_only():
    before = torch.get_float32_matmul_precision()
    with pytest.raises(RuntimeError), torch_runtime.coarse_products():
        assert torch.get_float32_matmul_precision() == "medium"
        raise RuntimeError
    assert torch.get_float32_matmul_precision() == before


_FAULTS = """
import resource, torch
from tutelage.core import torch_runtime

def faults():
    for _ in range(5):
        torch.ones(12_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(12_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults())
torch_runtime.reuse_freed_memory()
print(faults())
"""


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_reused_memory_is_not_cleared_again_by_the_kernel():
    ran = subprocess.run([sys.executable, "-c", _FAULTS], check=True, capture_output=True, text=True)
    given_back, reused = map(int, ran.stdout.split())
    if not given_back:
        pytest.skip("this system counts no faults")
    assert reused < given_back / 2


def thread_counts():
    """OpenMP's and MKL's, as torch knows them."""
    return [line for line in torch.__config__.parallel_info().splitlines() if "get_max_threads" in line]


def test_a_block_has_its_own_number_of_threads_and_restores_the_callers():
    before, counts = torch.get_num_threads(), thread_counts()
    with pytest.raises(KeyError), torch_runtime.threads(before + 1):
        assert torch.get_num_threads() == before + 1
        assert all(line.endswith(f": {before + 1}") for line in thread_counts())
        with torch_runtime.threads(None):
            assert torch.get_num_threads() == before + 1
        raise KeyError
    assert torch.get_num_threads() == before
    assert thread_counts() == counts


@pytest.mark.parametrize("count", [1, None])
def test_threads_that_were_limited_for_a_while_are_free_again(count):
    counts = thread_counts()
    with threadpool_limits(1), torch_runtime.threads(count):
        assert all(line.endswith(": 1") for line in thread_counts())
    assert thread_counts() == counts


def test_a_training_inherits_neither_gradient_mode_nor_autocast_nor_random_state():
    draws = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16), torch_runtime.training_state(0):
            assert torch.is_grad_enabled()
            assert not torch.is_inference_mode_enabled()
            assert not torch.is_autocast_enabled("cpu")
            draws.append(torch.rand(3))
    assert torch.equal(*draws)


def test_trainings_in_several_threads_end_as_alone():
    def train(seed):
        with torch_runtime.training_state(seed, threads_count=1):
            return torch.stack([torch.rand(100).sum() for _ in range(200)])

    before, counts = torch.get_rng_state(), thread_counts()
    alone = [train(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        beside = list(pool.map(train, range(4)))
    assert all(map(torch.equal, alone, beside))
    assert torch.equal(torch.get_rng_state(), before)
    assert thread_counts() == counts
